//! Chat completions as server-sent events.

use std::time::Duration;

use futures_util::StreamExt;
use hitl_runtime::model::{Chunk, Completion, Model, ModelError, ModelExt, Request};
use serde_json::{Value, json};

use crate::{
    openai::{KEY, model},
    server::{Reply, Server},
};

fn events(events: impl IntoIterator<Item = Vec<u8>>) -> Reply {
    Reply::stream("text/event-stream", events)
}

fn data(data: Value) -> Vec<u8> {
    format!("data: {data}\n\n").into()
}

fn words(text: &str) -> Vec<u8> {
    data(json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] }))
}

fn end(reason: &str) -> [Vec<u8>; 3] {
    [
        data(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })),
        data(json!({ "choices": [], "usage": { "prompt_tokens": 30, "completion_tokens": 12 } })),
        b"data: [DONE]\n\n".to_vec(),
    ]
}

async fn collect_stream(model: &impl Model) -> (Vec<String>, Result<Completion, ModelError>) {
    let request = Request::from("What now?");
    let mut pieces = model.stream(&request);
    let mut chunks = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(Chunk::Text(text)) => chunks.push(text),
            Ok(Chunk::End(answer)) => return (chunks, Ok(answer)),
            Ok(_) => {}
            Err(error) => return (chunks, Err(error)),
        }
    }
    panic!("the stream ended without a completion")
}

#[tokio::test]
async fn a_stream_yields_text_chunks_and_then_the_completion() {
    let server =
        Server::start([events([words("Refund "), words("it.")].into_iter().chain(end("stop")))]).await;
    let (text, answer) = collect_stream(&model(&server)).await;
    let answer = answer.unwrap();
    assert_eq!((text, answer.text.as_str()), (vec!["Refund ".to_owned(), "it.".to_owned()], "Refund it."));
    assert_eq!((answer.input_tokens, answer.output_tokens), (Some(30), Some(12)));
    let asked = &server.requests()[0].body;
    assert_eq!(
        (&asked["stream"], &asked["stream_options"]),
        (&json!(true), &json!({ "include_usage": true }))
    );
}

/// A stream may be split anywhere; here it is split after each byte.
#[tokio::test]
async fn a_stream_may_be_split_at_any_byte() {
    let whole: Vec<u8> = [b": a comment\r\n".to_vec(), words("Señora, ")]
        .into_iter()
        .chain([words("15 €.")])
        .chain(end("stop"))
        .flatten()
        .collect();
    let server = Server::start([events(whole.into_iter().map(|byte| vec![byte]))]).await;
    assert_eq!(collect_stream(&model(&server)).await.1.unwrap().text, "Señora, 15 €.");
}

#[tokio::test]
async fn a_truncated_stream_is_an_error() {
    for last in [
        Vec::new(),
        b"data: {\"choices\": [{".to_vec(),
        b"data: [DONE]\n\n".to_vec(),
        b"data: x\n\n".to_vec(),
    ] {
        let server = Server::start([events([words("Refund "), last])]).await;
        let (text, answer) = collect_stream(&model(&server)).await;
        assert_eq!((text, answer.unwrap_err().code()), (vec!["Refund ".to_owned()], "unavailable"));
    }
}

/// Some servers end without a newline; a broken connection may leave half a line.
#[tokio::test]
async fn the_last_line_needs_no_newline_but_must_be_complete() {
    let [reason, mut usage, _] = end("stop");
    let mut reason_alone = reason.clone();
    reason_alone.truncate(reason.trim_ascii_end().len());
    let server = Server::start([events([words("Refund "), words("it."), reason_alone])]).await;
    assert_eq!(collect_stream(&model(&server)).await.1.unwrap().text, "Refund it.");

    let mut error = data(json!({ "error": { "message": "slow down", "code": "rate_limit_exceeded" } }));
    error.truncate(error.trim_ascii_end().len());
    let server = Server::start([events([words("Refund "), error])]).await;
    assert_eq!(collect_stream(&model(&server)).await.1.unwrap_err().code(), "throttled");

    usage.truncate(usage.len() / 2);
    let server = Server::start([events([words("Refund it."), reason, usage])]).await;
    let answer = collect_stream(&model(&server)).await.1.unwrap();
    assert_eq!((answer.text.as_str(), answer.output_tokens), ("Refund it.", None));
}

/// Each line is short, and together they are longer than any answer may be.
#[tokio::test]
async fn an_endless_stream_is_cut_off() {
    let line = words(&"x".repeat(64 << 10));
    let server = Server::start([events(vec![line; 513].into_iter().chain(end("stop")))]).await;
    let (text, answer) = collect_stream(&model(&server)).await;
    assert!(text.len() > 500, "{}", text.len());
    let Err(error) = answer else { panic!("the response was not cut off") };
    assert!(error.to_string().contains("the response exceeds 32 MiB"), "{error}");
}

#[tokio::test]
async fn an_error_in_mid_stream_fails_the_request() {
    for (error, code) in [
        (json!({ "message": "slow down", "code": "rate_limit_exceeded" }), "throttled"),
        (json!({ "message": KEY, "code": 500 }), "unavailable"),
        (json!("it broke"), "unavailable"),
    ] {
        let server = Server::start([events([words("Refund "), data(json!({ "error": error }))])]).await;
        let error = collect_stream(&model(&server)).await.1.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    }
}

#[tokio::test]
async fn a_stalled_stream_times_out() {
    let server = Server::start([events([words("Refund ")]).then_silence()]).await;
    let (text, answer) = collect_stream(&model(&server).timeout(Duration::from_millis(300))).await;
    assert_eq!((text, answer.unwrap_err().code()), (vec!["Refund ".to_owned()], "timed_out"));
}

#[tokio::test]
async fn an_incomplete_stream_is_an_error_of_text() {
    let server = Server::start([events([words("Refund ")].into_iter().chain(end("length")))]).await;
    assert_eq!(model(&server).text("What now?").await.unwrap_err().code(), "cut_off");
}
