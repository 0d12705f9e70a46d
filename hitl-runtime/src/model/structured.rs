//! Typed responses, validated against the invariants of their type.

use garde::Validate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Attempt, Completion, FinishReason, Model, ModelError, Request, ResponseSchema, Role,
    instrument::complete_reported,
};
use crate::{
    Violation,
    json::{
        exact::{self, Integers},
        read,
    },
    review::{Strictness, check_schema, violations},
    text,
};

/// Requests a response until one matches `T`, at most `attempts` times.
pub(super) async fn request_structured<M, T>(
    model: &M,
    mut request: Request,
    attempts: usize,
) -> Result<T, ModelError>
where
    M: Model + ?Sized,
    T: DeserializeOwned + JsonSchema + Validate<Context = ()>,
{
    let name = T::schema_name().into_owned();
    let schema = schemars::schema_for!(T).to_value();
    request.response_schema = Some(ResponseSchema::new(name.clone(), schema.clone()));
    let mut failed = Vec::new();
    while failed.len() < attempts {
        let response = response_text(complete_reported(model, &request, failed.len() + 1).await?)?;
        let problem = match parse_and_validate::<T>(&response, &schema) {
            Ok(value) => return Ok(value),
            Err(problem) => problem,
        };
        tracing::debug!(target: "hitl::model", model_attempt = failed.len() + 1, "response rejected");
        request = request
            .message(Role::Assistant, response.clone())
            .message(Role::User, format!("That does not fit: {problem}. Answer again, with the JSON alone."));
        failed.push(Attempt::new(response, problem));
    }
    Err(ModelError::SchemaMismatch { schema: name, attempts: failed })
}

/// Returns the text of a response. A malformed one counts as a failed attempt, so that the model is told of it; any
/// other that is incomplete is an error.
fn response_text(completion: Completion) -> Result<String, ModelError> {
    if completion.finish_reason == FinishReason::Malformed {
        Ok(completion.text)
    } else {
        Ok(completion.ensure_complete()?.text)
    }
}

/// Parses and validates a response. Rejects keys that the schema does not have, and numbers that an `i64`, `u64` or
/// `f64` would round.
fn parse_and_validate<T: DeserializeOwned + Validate<Context = ()>>(
    response: &str,
    schema: &Value,
) -> Result<T, String> {
    let message = |violation: Violation| violation.to_string();
    let json = exact::parse(strip_code_fence(response)).map_err(|error| message(error.into()))?;
    check_schema(&json, schema, Strictness::Keys).map_err(message)?;
    let normalized = exact::normal(strip_code_fence(response), Integers::Lossless)
        .map_err(|error| message(error.into()))?;
    let value: T = read(&normalized).map_err(message)?;
    value.validate().map_err(|report| text::list(&violations(&report, &json, Some(schema))))?;
    Ok(value)
}

/// Removes a Markdown code fence around the JSON.
fn strip_code_fence(response: &str) -> &str {
    let trimmed = response.trim();
    let fenced = trimmed.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    fenced.map_or(trimmed, |inner| inner.strip_prefix("json").unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use hitl_testkit::MockModel;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::model::ModelExt;

    #[derive(Debug, Deserialize, JsonSchema, Validate)]
    struct Amount {
        #[garde(range(min = 1, max = 100))]
        dollars: u32,
    }

    #[tokio::test]
    async fn a_model_receives_its_validation_errors() {
        let model = MockModel::new(["ninety", r#"{"dollars":900}"#, r#"{"dollars":90}"#]);
        let amount: Amount = model.structured("How much?").await.unwrap();
        assert_eq!(amount.dollars, 90);
        let requests = model.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests[2].messages.last().unwrap().text.contains("dollars"), "{:?}", requests[2]);
    }

    #[tokio::test]
    async fn the_error_has_every_failed_attempt() {
        let model = MockModel::new(["a", "b", "c", "d"]);
        let error = model.structured::<Amount>("How much?").await.unwrap_err();
        let ModelError::SchemaMismatch { attempts, .. } = error else { panic!("{error}") };
        assert_eq!(
            attempts.iter().map(|attempt| attempt.response.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        assert_eq!(model.remaining(), 1);
    }

    #[tokio::test]
    async fn a_cut_off_response_is_not_a_failed_attempt() {
        let cut = Completion::from(r#"{"dollars":9"#.to_owned()).with_finish_reason(FinishReason::MaxTokens);
        let model = MockModel::new([cut]);
        let error = model.structured::<Amount>("How much?").await.unwrap_err();
        assert!(matches!(&error, ModelError::CutOff { text, .. } if text == r#"{"dollars":9"#), "{error}");
        assert_eq!(model.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_malformed_response_is_a_failed_attempt() {
        let malformed =
            || Completion::from(r#"{"dollars":"#.to_owned()).with_finish_reason(FinishReason::Malformed);
        let model = MockModel::new([malformed()]).then(r#"{"dollars":90}"#).then(malformed());
        assert_eq!(model.structured::<Amount>("How much?").await.unwrap().dollars, 90);
        let error = model.text("How much?").await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("could not parse"), "{error}");
    }

    #[tokio::test]
    async fn a_code_fence_around_the_json_is_removed() {
        let model = MockModel::new(["```json\n{\"dollars\": 90}\n```\n"]);
        assert_eq!(model.structured::<Amount>("How much?").await.unwrap().dollars, 90);
    }

    #[tokio::test]
    async fn json_outside_the_schema_is_a_failed_attempt() {
        #[derive(Debug, Deserialize, JsonSchema, Validate)]
        struct Line {
            #[garde(skip)]
            cents: f64,
        }
        #[derive(Debug, Deserialize, JsonSchema, Validate)]
        struct Draft {
            #[garde(dive)]
            lines: Vec<Line>,
        }
        for (response, expected) in [
            (r#"[[{"cents": 1}]]"#, "expected an object"),
            (r#"{"lines": [{"cents": 1}, [2]]}"#, "lines[1]: expected an object"),
            (r#"{"lines": [], "fee": 3}"#, "fee: unknown key"),
            (r#"{"lines": [{"cents": 1, "cents": 100}]}"#, "lines[0].cents: the key is duplicated"),
            (r#"{"lines": [{"cents": 0.10000000000000000001}]}"#, "lines[0].cents: 0.1000"),
            (r#"{"lines": [{"cents": 1e999}]}"#, "1e999"),
        ] {
            let model = MockModel::new([response, r#"{"lines": [{"cents": 1.50}]}"#]);
            let draft: Draft = model.structured("Draft it.").await.unwrap();
            assert_eq!(draft.lines[0].cents, 1.5);
            let requests = model.requests();
            let last = &requests[1].messages.last().unwrap().text;
            assert!(
                last.contains(expected) || response.contains("e999") && last.contains("number"),
                "{last}"
            );
        }
    }

    /// Holds the documentation of `structured` to what schemars reads from garde. If schemars reads a further
    /// attribute, add it there.
    #[tokio::test]
    async fn the_schema_contains_the_rules_of_garde() {
        #[derive(Debug, Deserialize, JsonSchema, Validate)]
        #[allow(dead_code)]
        struct Draft {
            #[garde(pattern(r"^A-[0-9]{4}$"))]
            order: String,
            #[garde(range(min = 0.01, max = 10_000.0), custom(|_, _| Ok(())))]
            amount: f64,
            #[garde(length(chars, min = 1, max = 500))]
            reason: String,
            #[garde(length(max = 3), inner(length(chars, min = 2)))]
            tags: Vec<String>,
        }
        let model = MockModel::new([r#"{}"#; 3]);
        let _ = model.structured::<Draft>("Draft it.").await;
        let properties = model.requests()[0].response_schema.as_ref().unwrap().schema["properties"].clone();
        assert_eq!(properties["order"], json!({ "type": "string", "pattern": "^A-[0-9]{4}$" }));
        assert_eq!(
            properties["amount"],
            json!({ "type": "number", "format": "double", "minimum": 0.01, "maximum": 10_000.0 })
        );
        assert_eq!(properties["reason"], json!({ "type": "string", "minLength": 1, "maxLength": 500 }));
        assert_eq!(
            properties["tags"],
            json!({ "type": "array", "maxItems": 3, "items": { "type": "string", "minLength": 2 } })
        );
    }
}
