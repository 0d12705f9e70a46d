//! Bedrock's streams: the text as it arrives, and every way to break off.

use std::time::Duration;

use futures_util::StreamExt;
use hitl_runtime::model::{Chunk, FinishReason, Guardrail, Model, ModelError, ModelExt, Request};
use serde_json::{Value, json};

use crate::{
    bedrock::model,
    draft::Refund,
    server::{Reply, Server, event, exception},
};

fn words(text: &str) -> Vec<u8> {
    event("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": text } }))
}

fn begin() -> Vec<u8> {
    event("messageStart", json!({ "role": "assistant" }))
}

fn end(stop: &str, trace: Value) -> [Vec<u8>; 3] {
    let metadata = json!({
        "usage": { "inputTokens": 30, "outputTokens": 12, "totalTokens": 42 }, "metrics": { "latencyMs": 7 },
        "trace": trace
    });
    [
        event("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        event("messageStop", json!({ "stopReason": stop })),
        event("metadata", metadata),
    ]
}

/// Returns the streamed text, and the final answer or error.
async fn collect_stream(
    model: &impl Model,
    request: impl Into<Request>,
) -> (String, Result<hitl_runtime::model::Completion, ModelError>) {
    let request = request.into();
    let mut pieces = model.stream(&request);
    let mut said = String::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(Chunk::Text(text)) => said.push_str(&text),
            Ok(Chunk::End(answer)) => return (said, Ok(answer)),
            Ok(_) => {}
            Err(error) => return (said, Err(error)),
        }
    }
    panic!("the stream ended without a completion")
}

#[tokio::test]
async fn a_stream_yields_text_chunks_and_then_the_completion() {
    let frames = [begin(), words("Refund "), words("it.")].into_iter().chain(end("end_turn", json!({})));
    let server = Server::start([Reply::frames(frames)]).await;
    let request = Request::from("What now?");
    let model = model(&server);
    let pieces: Vec<Chunk> = model.stream(&request).map(Result::unwrap).collect().await;
    let [Chunk::Text(one), Chunk::Text(two), Chunk::End(answer)] = &pieces[..] else { panic!("{pieces:?}") };
    assert_eq!((one.as_str(), two.as_str(), answer.text.as_str()), ("Refund ", "it.", "Refund it."));
    assert_eq!(
        (answer.input_tokens, answer.output_tokens, answer.latency),
        (Some(30), Some(12), Some(Duration::from_millis(7)))
    );
    assert_eq!(server.requests()[0].path, "/model/vendor.model-v1%3A0/converse-stream");
}

#[tokio::test]
async fn an_error_in_mid_stream_fails_the_request() {
    for (name, code) in [
        ("throttlingException", "throttled"),
        ("validationException", "refused"),
        ("modelStreamErrorException", "unavailable"),
        ("internalServerException", "unavailable"),
        ("serviceUnavailableException", "unavailable"),
        ("anExceptionOfNextYear", "unavailable"),
    ] {
        let server =
            Server::start([Reply::frames([begin(), words("Refund "), exception(name, "not now")])]).await;
        let (said, answer) = collect_stream(&model(&server), "What now?").await;
        assert_eq!((said.as_str(), answer.unwrap_err().code()), ("Refund ", code), "{name}");
    }
}

#[tokio::test]
async fn a_truncated_stream_is_an_error() {
    let torn = words("it.");
    let mut flipped = words("it.");
    *flipped.last_mut().unwrap() ^= 1;
    for (how, last) in [
        ("at a frame", Vec::new()),
        ("in a frame", torn[..torn.len() / 2].to_vec()),
        ("with a wrong checksum", flipped),
        ("as no frame at all", b"HTTP is not this".to_vec()),
    ] {
        let server = Server::start([Reply::frames([begin(), words("Refund "), last])]).await;
        let (said, answer) = collect_stream(&model(&server), "What now?").await;
        let error = answer.expect_err(how);
        assert_eq!((said.as_str(), error.code()), ("Refund ", "unavailable"), "{how}: {error}");
    }
    let server =
        Server::start([Reply::frames([begin(), words("Refund ")]).header("content-length", "9999")]).await;
    assert_eq!(collect_stream(&model(&server), "What now?").await.1.unwrap_err().code(), "unavailable");
}

#[tokio::test]
async fn a_stalled_stream_times_out() {
    let server = Server::start([Reply::frames([begin(), words("Refund ")]).then_silence()]).await;
    let (said, answer) =
        collect_stream(&model(&server).timeout(Duration::from_millis(300)), "What now?").await;
    assert_eq!((said.as_str(), answer.unwrap_err().code()), ("Refund ", "timed_out"));
}

#[tokio::test]
async fn an_incomplete_stream_is_an_error_of_text() {
    for (stop, code) in [("max_tokens", "cut_off"), ("content_filtered", "content_filtered")] {
        let frames = [begin(), words("Refund ")].into_iter().chain(end(stop, json!({})));
        let server = Server::start([Reply::frames(frames)]).await;
        assert_eq!(model(&server).text("What now?").await.unwrap_err().code(), code);
    }
}

/// The emulator's streams have no trace; the shape is that of the service's API model.
#[tokio::test]
async fn a_guardrail_stops_a_stream_with_its_assessment() {
    let trace = json!({ "guardrail": { "inputAssessment": { "gr-42": {
        "topicPolicy": { "topics": [{ "name": "Investing", "type": "DENY", "action": "BLOCKED" }] }
    } } } });
    let frames = [begin(), words("We cannot help.")].into_iter().chain(end("guardrail_intervened", trace));
    let server = Server::start([Reply::frames(frames)]).await;
    let (said, answer) =
        collect_stream(&model(&server).guardrail(Guardrail::new("gr-42", "3")), "What now?").await;
    let FinishReason::Intervened(assessment) = answer.unwrap().finish_reason else {
        panic!("expected an intervention")
    };
    assert_eq!((said, assessment.message.as_str()), ("We cannot help.".into(), "We cannot help."));
    assert!(assessment.to_string().contains("Investing"), "{assessment}");
    assert_eq!(server.requests()[0].body["guardrailConfig"]["streamProcessingMode"], "sync");
}

/// Returns the events of a content block that uses the tool, with its input in these parts.
fn tool(block: i32, input: &[&str]) -> Vec<Vec<u8>> {
    let start = json!({ "toolUse": { "toolUseId": format!("t{block}"), "name": "Refund" } });
    let delta = |part: &&str| {
        let delta = json!({ "toolUse": { "input": part } });
        event("contentBlockDelta", json!({ "contentBlockIndex": block, "delta": delta }))
    };
    let start = event("contentBlockStart", json!({ "contentBlockIndex": block, "start": start }));
    [start].into_iter().chain(input.iter().map(delta)).collect()
}

/// Returns a request for a refund as structured output.
fn draft() -> Request {
    let mut request = Request::from("Draft the refund.");
    let schema = schemars::schema_for!(Refund).to_value();
    request.response_schema = Some(hitl_runtime::model::ResponseSchema::new("Refund", schema));
    request
}

const INPUT: [&str; 2] = [r#"{"order":"A-9133","#, r#""dollars":149}"#];

#[tokio::test]
async fn a_stream_without_structured_output_gets_a_tool() {
    let frames = [begin()].into_iter().chain(tool(0, &INPUT)).chain(end("tool_use", json!({})));
    let refused = Reply::error(400, "ValidationException", "outputConfig is not supported");
    let server = Server::start([refused, Reply::frames(frames)]).await;
    let (_, answer) = collect_stream(&model(&server), draft()).await;
    assert_eq!(serde_json::from_str::<Refund>(&answer.unwrap().text).unwrap(), Refund::usual());
}

#[tokio::test]
async fn the_first_tool_call_of_a_stream_is_the_response() {
    let announced = [vec![words("Let me…")], tool(1, &INPUT)].concat();
    let twice = [tool(0, &INPUT), tool(1, &["{}"])].concat();
    let only_words = INPUT.map(words).to_vec();
    for frames in [announced, twice, only_words] {
        let frames = [begin()].into_iter().chain(frames).chain(end("tool_use", json!({})));
        let server = Server::start([Reply::frames(frames)]).await;
        let (said, answer) = collect_stream(&model(&server).forced_tool(), draft()).await;
        assert_eq!((said, answer.unwrap().text), (INPUT.concat(), INPUT.concat()));
    }
}
