//! Typed responses, validated against the invariants of their type.

use garde::Validate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answer, Attempt, Form, Model, ModelError, Request, Role, Stop, heard::silent};
use crate::{
    Violation,
    journal::exact::{self, Integers},
    prose,
    review::{Strictness, conforms, read, violations},
};

/// Requests a response until one matches `T`, at most `attempts` times.
pub(super) async fn ask<M, T>(model: &M, mut request: Request, attempts: usize) -> Result<T, ModelError>
where
    M: Model + ?Sized,
    T: DeserializeOwned + JsonSchema + Validate<Context = ()>,
{
    let name = T::schema_name().into_owned();
    let schema = schemars::schema_for!(T).to_value();
    request.form = Some(Form { name: name.clone(), schema: schema.clone() });
    let mut failed = Vec::new();
    while failed.len() < attempts {
        let answer = said(silent(model, &request).await?)?;
        let problem = match fit::<T>(&answer, &schema) {
            Ok(value) => return Ok(value),
            Err(problem) => problem,
        };
        request = request
            .message(Role::Assistant, answer.clone())
            .message(Role::User, format!("That does not fit: {problem}. Answer again, with the JSON alone."));
        failed.push(Attempt { answer, problem });
    }
    Err(ModelError::Misfit { form: name, attempts: failed })
}

/// Returns the text of a response. A malformed one counts as a failed attempt, so that the model is told of it; any
/// other that is incomplete is an error.
fn said(answer: Answer) -> Result<String, ModelError> {
    if answer.stop == Stop::Malformed { Ok(answer.text) } else { Ok(answer.whole()?.text) }
}

/// Parses and validates a response. Rejects keys that the schema does not have, and numbers that an `i64`, `u64` or
/// `f64` would round.
fn fit<T: DeserializeOwned + Validate<Context = ()>>(answer: &str, schema: &Value) -> Result<T, String> {
    let said = |violation: Violation| violation.to_string();
    let json = exact::parse(bare(answer)).map_err(|error| said(error.into()))?;
    conforms(&json, schema, Strictness::Keys).map_err(said)?;
    let spelt = exact::normal(bare(answer), Integers::Lossless).map_err(|error| said(error.into()))?;
    let value: T = read(&spelt).map_err(said)?;
    value.validate().map_err(|report| prose::list(&violations(&report, &json, Some(schema))))?;
    Ok(value)
}

/// Removes a Markdown code fence around the JSON.
fn bare(answer: &str) -> &str {
    let trimmed = answer.trim();
    let fenced = trimmed.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    fenced.map_or(trimmed, |inner| inner.strip_prefix("json").unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::model::{ModelExt, Script};

    #[derive(Debug, Deserialize, JsonSchema, Validate)]
    struct Amount {
        #[garde(range(min = 1, max = 100))]
        dollars: u32,
    }

    #[tokio::test]
    async fn a_model_is_told_of_its_mistakes() {
        let script = Script::new(["ninety", r#"{"dollars":900}"#, r#"{"dollars":90}"#]);
        let amount: Amount = script.structured("How much?").await.unwrap();
        assert_eq!(amount.dollars, 90);
        let asked = script.asked();
        assert_eq!(asked.len(), 3);
        assert!(asked[2].messages.last().unwrap().text.contains("dollars"), "{:?}", asked[2]);
    }

    #[tokio::test]
    async fn the_error_has_every_failed_attempt() {
        let script = Script::new(["a", "b", "c", "d"]);
        let error = script.structured::<Amount>("How much?").await.unwrap_err();
        let ModelError::Misfit { attempts, .. } = error else { panic!("{error}") };
        assert_eq!(
            attempts.iter().map(|attempt| attempt.answer.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        assert_eq!(script.left(), 1);
    }

    #[tokio::test]
    async fn a_cut_off_response_is_not_a_failed_attempt() {
        let cut = Answer::from(r#"{"dollars":9"#.to_owned()).stopped(Stop::MaxTokens);
        let script = Script::new([cut]);
        let error = script.structured::<Amount>("How much?").await.unwrap_err();
        assert!(matches!(&error, ModelError::CutOff { text, .. } if text == r#"{"dollars":9"#), "{error}");
        assert_eq!(script.asked().len(), 1);
    }

    #[tokio::test]
    async fn a_malformed_response_is_a_failed_attempt_and_no_text() {
        let malformed = || Answer::from(r#"{"dollars":"#.to_owned()).stopped(Stop::Malformed);
        let script = Script::new([malformed()]).then(r#"{"dollars":90}"#).then(malformed());
        assert_eq!(script.structured::<Amount>("How much?").await.unwrap().dollars, 90);
        let error = script.text("How much?").await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("could not parse"), "{error}");
    }

    #[tokio::test]
    async fn a_code_fence_around_the_json_is_removed() {
        let script = Script::new(["```json\n{\"dollars\": 90}\n```\n"]);
        assert_eq!(script.structured::<Amount>("How much?").await.unwrap().dollars, 90);
    }

    #[tokio::test]
    async fn json_that_serde_would_accept_is_a_failed_attempt() {
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
        for (answer, told) in [
            (r#"[[{"cents": 1}]]"#, "it is a list"),
            (r#"{"lines": [{"cents": 1}, [2]]}"#, "lines[1]: it is a list"),
            (r#"{"lines": [], "fee": 3}"#, "fee: there is no such key"),
            (r#"{"lines": [{"cents": 1, "cents": 100}]}"#, "lines[0].cents: it is named twice"),
            (r#"{"lines": [{"cents": 0.10000000000000000001}]}"#, "lines[0].cents: 0.1000"),
            (r#"{"lines": [{"cents": 1e999}]}"#, "1e999"),
        ] {
            let script = Script::new([answer, r#"{"lines": [{"cents": 1.50}]}"#]);
            let draft: Draft = script.structured("Draft it.").await.unwrap();
            assert_eq!(draft.lines[0].cents, 1.5);
            let asked = script.asked();
            let last = &asked[1].messages.last().unwrap().text;
            assert!(last.contains(told) || answer.contains("e999") && last.contains("number"), "{last}");
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
        let script = Script::new([r#"{}"#; 3]);
        let _ = script.structured::<Draft>("Draft it.").await;
        let properties = script.asked()[0].form.as_ref().unwrap().schema["properties"].clone();
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
