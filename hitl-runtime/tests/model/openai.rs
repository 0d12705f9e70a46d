//! Requests to a chat completions endpoint, and the parsing of its responses and errors.

use std::{error::Error, time::Duration};

use hitl_runtime::model::{FinishReason, Model, ModelError, ModelExt, OpenAi, Request, Role};
use serde_json::{Value, json};

use crate::{
    draft::Refund,
    server::{Reply, Server},
};

pub const KEY: &str = "sk-secret-0123456789";

pub fn model(server: &Server) -> OpenAi {
    OpenAi::new(format!("{}/v1/", server.url), "llama3.2").key(KEY)
}

fn chat_reply(content: &str, reason: &str) -> Reply {
    Reply::json(
        200,
        json!({
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": reason }],
            "usage": { "prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42 }
        }),
    )
}

fn error(status: u16, code: Value, message: &str) -> Reply {
    Reply::json(status, json!({ "error": { "message": message, "type": "x", "code": code } }))
}

#[tokio::test]
async fn a_request_has_the_format_of_chat_completions() {
    let server = Server::start([chat_reply("Refund it.", "stop")]).await;
    let request = Request::from("Order A-9133 arrived broken.")
        .system("You work at a refund desk.")
        .message(Role::Assistant, "Refund it.")
        .message(Role::User, "Really?")
        .max_tokens(400)
        .temperature(0.2)
        .stop("---");
    let answer = model(&server).complete(&request).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.finish_reason), ("Refund it.", FinishReason::End));
    assert_eq!((answer.input_tokens, answer.output_tokens), (Some(30), Some(12)));
    let asked = &server.requests()[0];
    assert_eq!(asked.path, "/v1/chat/completions");
    assert!(asked.head.contains(&format!("authorization: bearer {KEY}")), "{}", asked.head);
    assert_eq!(
        asked.body,
        json!({
            "model": "llama3.2",
            "messages": [
                { "role": "system", "content": "You work at a refund desk." },
                { "role": "user", "content": "Order A-9133 arrived broken." },
                { "role": "assistant", "content": "Refund it." },
                { "role": "user", "content": "Really?" }
            ],
            "max_tokens": 400, "temperature": 0.2, "stop": ["---"]
        })
    );
}

#[tokio::test]
async fn a_request_contains_the_whole_schema() {
    let server = Server::start([chat_reply(r#"{"order":"A-9133","dollars":149}"#, "stop")]).await;
    assert_eq!(model(&server).structured::<Refund>("Draft it.").await.unwrap(), Refund::usual());
    let format = &server.requests()[0].body["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["name"]), (&json!("json_schema"), &json!("Refund")));
    assert_eq!(format["json_schema"]["schema"]["properties"]["dollars"]["maximum"], 500);
}

#[tokio::test]
async fn every_finish_reason_has_its_error() {
    for (reason, code) in [("length", "cut_off"), ("content_filter", "content_filtered")] {
        let server = Server::start([chat_reply("Refund ord", reason)]).await;
        let answer = model(&server).complete(&"What now?".into()).await.unwrap();
        assert_eq!(answer.ensure_complete().unwrap_err().code(), code);
    }
    let refusal =
        json!({ "choices": [{ "message": { "refusal": "I will not." }, "finish_reason": "stop" }] });
    let server = Server::start([Reply::json(200, refusal)]).await;
    let error = model(&server).complete(&"What now?".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "the model declined the request: I will not.");
}

#[tokio::test]
async fn each_error_has_its_variant() {
    for (reply, code) in [
        (error(400, Value::Null, "too long"), "refused"),
        (error(400, "content_filter".into(), "filtered"), "content_filtered"),
        (error(401, "invalid_api_key".into(), "wrong"), "bad_credentials"),
        (error(403, Value::Null, "not in this country"), "denied"),
        (error(404, "model_not_found".into(), "no such model"), "unknown_model"),
        (Reply::json(404, json!({ "error": "model 'llama3.2' not found" })), "unknown_model"),
        (Reply::stream("text/html", [b"<html>".to_vec()]), "unavailable"),
        (Reply::json(404, json!("a page")), "unconfigured"),
        (Reply::json(307, json!({})).header("location", "http://127.0.0.1:1/"), "unconfigured"),
        (error(429, "rate_limit_exceeded".into(), "slow down"), "throttled"),
        (error(429, "insufficient_quota".into(), "nothing left"), "denied"),
        (error(500, Value::Null, "it broke"), "unavailable"),
        (Reply::json(200, json!({ "choices": [] })), "unavailable"),
        (Reply::json(200, json!([1, 2])), "unavailable"),
    ] {
        let server = Server::start([reply]).await;
        let error = model(&server).complete(&"What now?".into()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test]
async fn the_retry_delay_comes_from_the_service() {
    let server = Server::start([error(429, Value::Null, "slow down").header("retry-after", "7")]).await;
    let error = model(&server).complete(&"What now?".into()).await.unwrap_err();
    assert!(error.to_string().contains("retry in 7 s"), "{error}");
}

#[tokio::test]
async fn a_missing_key_is_a_credentials_error() {
    let server = Server::start([error(401, Value::Null, "who are you?")]).await;
    let model = OpenAi::new(&server.url, "llama3.2");
    assert_eq!(model.complete(&"What now?".into()).await.unwrap_err().code(), "no_credentials");
    assert!(!server.requests()[0].head.contains("authorization"));
}

/// An endpoint that echoes the key does not make it appear in an error.
#[tokio::test]
async fn no_error_contains_the_key() {
    let echo = format!("Incorrect API key provided: {KEY}.");
    let spill = || Reply::json(200, json!({ "choices": KEY }));
    let replies = [
        error(401, Value::Null, &echo),
        error(400, Value::Null, &echo),
        error(500, Value::Null, &echo),
        spill(),
    ];
    for reply in replies {
        let server = Server::start([reply]).await;
        let model = model(&server);
        let error = model.complete(&"What now?".into()).await.unwrap_err();
        let mut seen = format!("{error} {error:?} {model:?}");
        let mut source = error.source();
        while let Some(cause) = source {
            seen += &format!(" {cause} {cause:?}");
            source = cause.source();
        }
        assert!(!seen.contains(KEY), "{seen}");
    }
    let broken = OpenAi::new("http://127.0.0.1:1", "llama3.2").key("sk-secret\nx-evil: 1");
    let error = broken.complete(&"What now?".into()).await.unwrap_err();
    assert!(error.code() == "bad_credentials" && !format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_server_without_a_response_times_out() {
    for reply in [Reply::silence(), Reply::stream("application/json", [b"{".to_vec()]).then_silence()] {
        let server = Server::start([reply]).await;
        let model = model(&server).timeout(Duration::from_millis(200));
        assert_eq!(model.complete(&"What now?".into()).await.unwrap_err().code(), "timed_out");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_an_error() {
    let model = OpenAi::new("http://user:password@127.0.0.1:1/v1", "llama3.2");
    let error = model.complete(&"What now?".into()).await.unwrap_err();
    assert!(matches!(error, ModelError::Unavailable { .. }), "{error}");
    assert!(!format!("{error} {error:?} {model:?}").contains("password"), "{error:?}");

    let error = OpenAi::new("localhost/v1", "llama3.2").complete(&"What now?".into()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model is not configured: `localhost/v1` is not the URL of an endpoint; write it in full, with http:// or https://"
    );
}
