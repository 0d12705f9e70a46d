//! The choice of a model by environment variables.

use std::sync::Arc;

use super::Model;
use crate::{
    Error,
    env::{NotUnicode, optional_var},
};

/// Returns the model that the environment names, or `None` if it names none.
///
/// | variable | value |
/// |---|---|
/// | `HITL_MODEL` | `bedrock:<model id>`, or `openai:<url>#<model>` |
/// | `HITL_GUARDRAIL` | for Bedrock: the guardrail around the model, `<id>:<version>` |
/// | `OPENAI_API_KEY` | for `openai`: the API key, if the endpoint requires one |
///
/// Bedrock finds region and credentials through the default provider chain of the AWS SDK.
///
/// # Errors
/// [`UnusableModel`] if a variable is invalid, or names a kind of model that this program is built without.
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{model::{Model, from_env}, testkit::MockModel};
/// use std::sync::Arc;
///
/// let model: Arc<dyn Model> = match from_env()? {
///     Some(model) => model,
///     None => Arc::new(MockModel::new(["No model is named in HITL_MODEL."])),
/// };
/// # Ok(())
/// # }
/// ```
pub fn from_env() -> Result<Option<Arc<dyn Model>>, UnusableModel> {
    let named = optional_var("HITL_MODEL")?;
    let (guardrail, key) = (optional_var("HITL_GUARDRAIL")?, optional_var("OPENAI_API_KEY")?);
    match (named, guardrail) {
        (Some(named), guardrail) => model(&named, guardrail, key).map(Some),
        (None, Some(_)) => Err(UnusableModel::GuardrailWithoutBedrock),
        (None, None) => Ok(None),
    }
}

/// The reasons why [`from_env`] cannot build a model.
///
/// ```
/// use hitl::model::UnusableModel;
///
/// let error = UnusableModel::Unknown { named: "gpt".into() };
/// assert!(error.to_string().starts_with("HITL_MODEL is `gpt`, which is not a supported model"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableModel {
    /// `HITL_MODEL` has neither of the two forms.
    #[error(
        "HITL_MODEL is `{named}`, which is not a supported model; set it to `bedrock:<model id>` or \
         `openai:<url>#<model>`"
    )]
    Unknown {
        /// The value of the variable, without a password.
        named: String,
    },
    /// The program is built without support for this kind of model.
    #[error(
        "HITL_MODEL requires the feature `{feature}`, which this program is built without; build it with that feature"
    )]
    NotBuilt {
        /// The feature of the crate `hitl` that adds it.
        feature: &'static str,
    },
    /// `HITL_GUARDRAIL` is not an id and a version.
    #[error(
        "HITL_GUARDRAIL is `{named}`, which is not a guardrail; set it to `<id>:<version>`, as in `gr42:3` or \
         `gr42:DRAFT`"
    )]
    Guardrail {
        /// The value of the variable.
        named: String,
    },
    /// `HITL_GUARDRAIL` is set without a Bedrock model.
    #[error(
        "HITL_GUARDRAIL is set, but HITL_MODEL names no Bedrock model; unset it, or set HITL_MODEL to \
         `bedrock:<model id>`"
    )]
    GuardrailWithoutBedrock,
    /// A variable is not Unicode.
    #[error("{variable} is not valid Unicode; set it to a value in UTF-8")]
    NotUnicode {
        /// The name of the variable.
        variable: &'static str,
    },
}

impl From<UnusableModel> for Error {
    fn from(error: UnusableModel) -> Self {
        Self::NotSetUp { problem: error.to_string() }
    }
}

impl From<NotUnicode> for UnusableModel {
    fn from(NotUnicode(variable): NotUnicode) -> Self {
        Self::NotUnicode { variable }
    }
}

fn model(
    named: &str,
    guardrail: Option<String>,
    key: Option<String>,
) -> Result<Arc<dyn Model>, UnusableModel> {
    // A URL may contain a password, so the error does not show a value with an `@`.
    let shown = if named.contains('@') { "…" } else { named };
    let unknown = || UnusableModel::Unknown { named: shown.to_owned() };
    match named.split_once(':').ok_or_else(unknown)? {
        ("bedrock", id) if !id.is_empty() => bedrock(id, guardrail),
        ("openai", _) if guardrail.is_some() => Err(UnusableModel::GuardrailWithoutBedrock),
        ("openai", place) => match place.split_once('#') {
            Some((url, model)) if is_http(url) && !model.is_empty() => openai(url, model, key),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

#[cfg(feature = "bedrock")]
fn bedrock(id: &str, guardrail: Option<String>) -> Result<Arc<dyn Model>, UnusableModel> {
    use super::{Bedrock, Guardrail};

    let model = Bedrock::new(id);
    let Some(named) = guardrail else { return Ok(Arc::new(model)) };
    // An ARN contains colons itself: the version follows the last one.
    match named.rsplit_once(':') {
        Some((id, version)) if !id.is_empty() && (version == "DRAFT" || version.parse::<u64>().is_ok()) => {
            Ok(Arc::new(model.guardrail(Guardrail::new(id, version))))
        }
        _ => Err(UnusableModel::Guardrail { named }),
    }
}

#[cfg(not(feature = "bedrock"))]
fn bedrock(_: &str, _: Option<String>) -> Result<Arc<dyn Model>, UnusableModel> {
    Err(UnusableModel::NotBuilt { feature: "bedrock" })
}

#[cfg(feature = "openai")]
fn openai(url: &str, model: &str, key: Option<String>) -> Result<Arc<dyn Model>, UnusableModel> {
    let model = super::OpenAi::new(url, model);
    Ok(Arc::new(match key {
        Some(key) => model.key(key),
        None => model,
    }))
}

#[cfg(not(feature = "openai"))]
fn openai(_: &str, _: &str, _: Option<String>) -> Result<Arc<dyn Model>, UnusableModel> {
    Err(UnusableModel::NotBuilt { feature: "openai" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_values(name: &str, guardrail: Option<&str>) -> Result<String, String> {
        let guardrail = guardrail.map(str::to_owned);
        model(name, guardrail, None).map(|model| model.name().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_model_is_rejected_with_the_supported_forms() {
        for wrong in ["gpt", "", "anthropic:claude", "bedrock"] {
            let error = from_values(wrong, None).unwrap_err();
            assert!(error.contains("set it to `bedrock:<model id>`"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_guardrail_without_a_bedrock_model_is_rejected() {
        let error = from_values("openai:http://localhost#x", Some("gr42:3")).unwrap_err();
        assert!(error.contains("names no Bedrock model"), "{error}");
    }

    #[test]
    fn passwords_are_not_displayed() {
        let error = from_values("openai:http://ada:secret@localhost/v1", None).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[cfg(feature = "bedrock")]
    #[test]
    fn bedrock_models_and_guardrails_are_parsed() {
        let id = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let arn = "arn:aws:bedrock:eu-west-1:1:guardrail/gr42:DRAFT";
        for guardrail in [None, Some("gr42:3"), Some(arn)] {
            assert_eq!(from_values(&format!("bedrock:{id}"), guardrail).unwrap(), id);
        }
        for wrong in ["gr42", ":3", "arn:aws:bedrock:eu-west-1:1:guardrail/gr42"] {
            assert!(from_values("bedrock:x", Some(wrong)).unwrap_err().contains(wrong));
        }
        assert!(from_values("bedrock:", None).is_err());
    }

    #[cfg(feature = "openai")]
    #[test]
    fn openai_models_are_parsed() {
        assert_eq!(from_values("openai:http://localhost:11434/v1#llama3.2", None).unwrap(), "llama3.2");
        for wrong in ["openai:localhost#x", "openai:http://localhost/v1", "openai:http://localhost/v1#"] {
            assert!(from_values(wrong, None).is_err(), "{wrong}");
        }
    }

    #[cfg(not(any(feature = "bedrock", feature = "openai")))]
    #[test]
    fn a_missing_feature_is_named_in_the_error() {
        for (name, feature) in [("bedrock:x", "`bedrock`"), ("openai:http://localhost#x", "`openai`")] {
            let error = from_values(name, None).unwrap_err();
            assert!(error.contains(feature) && error.contains("build it with that feature"), "{error}");
        }
    }
}
