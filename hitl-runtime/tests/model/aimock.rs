//! Forced tools and chat completions of `aimock`.

use hitl_runtime::model::{Bedrock, Model, ModelError, ModelExt, OpenAi};

use crate::{bedrock::client, draft::Refund, emulator};

/// Scripted replies: first an amount that is too large for a refund, and the right one once the error was fed back.
const FIXTURES: &str = r#"{ "fixtures": [
    { "match": { "systemMessage": "tool", "turnIndex": 0 },
      "response": { "toolCalls": [{ "name": "Refund", "arguments": { "order": "A-9133", "dollars": 900 } }] } },
    { "match": { "systemMessage": "tool", "turnIndex": 1, "userMessage": "dollars: greater than 500" },
      "response": { "toolCalls": [{ "name": "Refund", "arguments": { "order": "A-9133", "dollars": 149 } }] } },
    { "match": { "responseFormat": "json_schema" },
      "response": { "content": "{\"order\": \"A-9133\", \"dollars\": 149}" } },
    { "match": { "userMessage": "What about" }, "response": { "content": "Refund it, it is a good customer of ours." } },
    { "match": { "userMessage": "limit" },
      "response": { "error": { "message": "slow down", "type": "rate_limit_error" }, "status": 429 } }
] }"#;

#[tokio::test]
async fn aimock_calls_the_tool_and_completes_chats() {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = dir.path().join("fixtures.json");
    std::fs::write(&fixtures, FIXTURES).unwrap();
    let Some(aimock) = emulator::start("aimock", &[fixtures.to_str().unwrap()]).await else { return };

    let bedrock = Bedrock::with_client(client(&aimock.url), "vendor.model-v1:0").forced_tool();
    let request = hitl_runtime::model::Request::from("Draft the refund.").system("Use the tool.");
    assert_eq!(bedrock.structured::<Refund>(request).await.unwrap(), Refund::usual());
    // Not as a stream: aimock begins a text with an empty `contentBlockStart`, which the service's API model does not
    // have and the SDK rejects.
    let answer = bedrock.complete(&"What about A-9133?".into()).await.unwrap();
    assert_eq!(answer.text, "Refund it, it is a good customer of ours.");

    let openai = OpenAi::new(format!("{}/v1", aimock.url), "llama3.2").key("sk-test");
    assert_eq!(openai.text("What about A-9133?").await.unwrap(), "Refund it, it is a good customer of ours.");
    assert_eq!(openai.structured::<Refund>("Draft the refund.").await.unwrap(), Refund::usual());
    let error = openai.text("Where is the limit?").await.unwrap_err();
    assert!(matches!(error, ModelError::Throttled { .. }), "{error}");
}
