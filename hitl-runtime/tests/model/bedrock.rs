//! Requests to Bedrock, and the parsing of its responses.

use std::time::Duration;

use aws_sdk_bedrockruntime::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use hitl_runtime::model::{Bedrock, FinishReason, Model, ModelError, ModelExt, Request, Role};
use serde_json::json;

use crate::{
    draft::Refund,
    server::{Reply, Server, converse_reply},
};

/// Returns the real client, with made-up credentials and a backoff of 1 ms.
pub fn client(url: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDTEST", "made-up", None, None, "test"))
        .retry_config(RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1)))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

pub fn model(server: &Server) -> Bedrock {
    Bedrock::with_client(client(&server.url), "vendor.model-v1:0")
}

fn text(text: &str) -> serde_json::Value {
    json!([{ "text": text }])
}

#[tokio::test]
async fn a_request_has_the_format_of_converse() {
    let server = Server::start([converse_reply(text("Refund it."), "end_turn")]).await;
    let request = Request::from("Order A-9133 arrived broken.")
        .system("You work at a refund desk.")
        .message(Role::User, "I have no photo.")
        .message(Role::Assistant, " ")
        .message(Role::Assistant, "Refund it.")
        .message(Role::User, "Really?")
        .max_tokens(400)
        .temperature(0.5)
        .stop("---");
    let answer = model(&server).complete(&request).await.unwrap();

    assert_eq!((answer.text.as_str(), &answer.finish_reason), ("Refund it.", &FinishReason::End));
    assert_eq!(
        (answer.input_tokens, answer.output_tokens, answer.latency),
        (Some(30), Some(12), Some(Duration::from_millis(7)))
    );
    let asked = &server.requests()[0];
    assert_eq!(asked.path, "/model/vendor.model-v1%3A0/converse");
    assert_eq!(
        asked.body,
        json!({
            "system": [{ "text": "You work at a refund desk." }],
            "messages": [
                { "role": "user", "content": [{ "text": "Order A-9133 arrived broken." }, { "text": "I have no photo." }] },
                { "role": "assistant", "content": [{ "text": "Refund it." }] },
                { "role": "user", "content": [{ "text": "Really?" }] }
            ],
            "inferenceConfig": { "maxTokens": 400, "temperature": 0.5, "stopSequences": ["---"] }
        })
    );
}

/// `outputConfig` is in the service's API model. No emulator supports it: that the response is then JSON is an
/// assumption.
#[tokio::test]
async fn a_schema_is_sent_as_structured_output() {
    let server =
        Server::start([converse_reply(text(r#"{"order":"A-9133","dollars":149}"#), "end_turn")]).await;
    let refund: Refund = model(&server).structured("Draft the refund.").await.unwrap();
    assert_eq!(refund, Refund::usual());

    let format = &server.requests()[0].body["outputConfig"]["textFormat"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["structure"]["jsonSchema"]["name"], "Refund");
    let schema: serde_json::Value =
        serde_json::from_str(format["structure"]["jsonSchema"]["schema"].as_str().unwrap()).unwrap();
    // Constraints that the service is known to reject are moved to the description.
    assert_eq!(
        schema["properties"],
        json!({
            "order": { "type": "string", "description": "As on the bill.", "pattern": "^A-[0-9]{4}$" },
            "dollars": { "type": "integer", "description": "Must be at least 1 and at most 500." }
        })
    );
    assert_eq!(
        (&schema["additionalProperties"], &schema["required"]),
        (&json!(false), &json!(["order", "dollars"]))
    );
    assert_eq!(server.requests()[0].body.get("toolConfig"), None);
}

/// That a model without support responds with a `ValidationException` is an assumption from reports; no published shape
/// says so.
#[tokio::test]
async fn a_model_without_structured_output_gets_a_tool() {
    let tool = || {
        converse_reply(
            json!([{ "toolUse": { "toolUseId": "t1", "name": "Refund", "input": { "order": "A-9133", "dollars": 149 } } }]),
            "tool_use",
        )
    };
    let refused =
        Reply::error(400, "ValidationException", "outputConfig.textFormat is not supported by this model");
    let server = Server::start([refused, tool(), tool()]).await;
    let model = model(&server);
    for _ in 0..2 {
        assert_eq!(model.structured::<Refund>("Draft the refund.").await.unwrap(), Refund::usual());
    }
    let asked = server.requests();
    assert_eq!(asked.len(), 3);
    for asked in &asked[1..] {
        assert_eq!(asked.body.get("outputConfig"), None);
        let tools = &asked.body["toolConfig"];
        assert_eq!(tools["toolChoice"], json!({ "any": {} }));
        let schema = &tools["tools"][0]["toolSpec"]["inputSchema"]["json"];
        // A tool's schema keeps all constraints.
        assert_eq!(
            (&schema["properties"]["dollars"]["maximum"], &schema["type"]),
            (&json!(500), &json!("object"))
        );
    }
}

/// The API model allows both; that models do so is an assumption from reports.
#[tokio::test]
async fn the_first_tool_call_is_the_response() {
    let tool = |dollars: u32| json!({ "toolUse": { "toolUseId": "t", "name": "Refund", "input": { "order": "A-9133", "dollars": dollars } } });
    let announced = json!([{ "text": "Let me draft that." }, tool(149), { "text": "Done." }]);
    for content in [announced, json!([tool(149), tool(150)])] {
        let server = Server::start([converse_reply(content, "tool_use")]).await;
        let refund = model(&server).forced_tool().structured::<Refund>("Draft the refund.").await;
        assert_eq!(refund.unwrap(), Refund::usual());
    }
    // Without a tool call, the text may be the answer.
    let server =
        Server::start([converse_reply(text(r#"{"order":"A-9133","dollars":149}"#), "end_turn")]).await;
    let refund = model(&server).forced_tool().structured::<Refund>("Draft the refund.").await;
    assert_eq!(refund.unwrap(), Refund::usual());
}

#[tokio::test]
async fn a_request_rejected_with_and_without_a_tool_is_an_error() {
    let refused = || Reply::error(400, "ValidationException", "maxTokens is too large");
    let server = Server::start([refused(), refused()]).await;
    let error = model(&server).structured::<Refund>("Draft the refund.").await.unwrap_err();
    assert_eq!(error.to_string(), "the model's service rejected this request: maxTokens is too large");
}

#[tokio::test]
async fn a_list_is_wrapped_in_an_object() {
    let server =
        Server::start([converse_reply(text(r#"{"answer":[{"order":"A-9133","dollars":149}]}"#), "end_turn")])
            .await;
    let refunds: Vec<Refund> = model(&server).structured("Draft the refunds.").await.unwrap();
    assert_eq!(refunds, [Refund::usual()]);
}

#[tokio::test]
async fn a_model_receives_its_errors_and_corrects_them() {
    let wrong = r#"{"order":"A-9133","dollars":900}"#;
    let server = Server::start([
        converse_reply(text(wrong), "end_turn"),
        converse_reply(text(r#"{"order":"A-9133","dollars":149}"#), "end_turn"),
    ])
    .await;
    assert_eq!(model(&server).structured::<Refund>("Draft the refund.").await.unwrap(), Refund::usual());
    let messages = &server.requests()[1].body["messages"];
    assert_eq!(messages[1], json!({ "role": "assistant", "content": [{ "text": wrong }] }));
    let told = messages[2]["content"][0]["text"].as_str().unwrap();
    assert!(told.contains("dollars: greater than 500"), "{told}");
}

#[tokio::test]
async fn every_stop_reason_has_its_error() {
    for (stop, code) in [
        ("max_tokens", "cut_off"),
        ("model_context_window_exceeded", "cut_off"),
        ("content_filtered", "content_filtered"),
        ("guardrail_intervened", "guardrail_intervened"),
        ("malformed_model_output", "unavailable"),
        ("malformed_tool_use", "unavailable"),
    ] {
        let server = Server::start([converse_reply(text("Refund ord"), stop)]).await;
        let answer = model(&server).complete(&"What now?".into()).await.unwrap();
        assert_eq!(answer.ensure_complete().unwrap_err().code(), code, "{stop}");
    }
    for stop in ["end_turn", "stop_sequence", "a_stop_of_next_year"] {
        let server = Server::start([converse_reply(text("Refund order"), stop)]).await;
        assert!(
            model(&server).complete(&"What now?".into()).await.unwrap().ensure_complete().is_ok(),
            "{stop}"
        );
    }
}

/// Policies that no emulator evaluates, in the shapes of the service's API model.
#[tokio::test]
async fn an_assessment_names_findings_without_quoting_them() {
    let reply = Reply::json(
        200,
        json!({
            "output": { "message": { "role": "assistant", "content": [{ "text": "We cannot help." }] } },
            "stopReason": "guardrail_intervened",
            "usage": { "inputTokens": 0, "outputTokens": 0, "totalTokens": 0 },
            "metrics": { "latencyMs": 7 },
            "trace": { "guardrail": {
                "inputAssessment": { "gr-42": {
                    "topicPolicy": { "topics": [{ "name": "Investing", "type": "DENY", "action": "BLOCKED" }] },
                    "contentPolicy": { "filters": [{ "type": "PROMPT_ATTACK", "confidence": "HIGH", "action": "BLOCKED" }] },
                    "wordPolicy": {
                        "customWords": [{ "match": "sesame", "action": "BLOCKED" }],
                        "managedWordLists": [{ "match": "sesame", "type": "PROFANITY", "action": "NONE" }]
                    }
                } },
                "outputAssessments": { "gr-42": [{
                    "sensitiveInformationPolicy": {
                        "piiEntities": [{ "match": "sesame@example.com", "type": "EMAIL", "action": "ANONYMIZED" }],
                        "regexes": [{ "name": "order", "match": "sesame", "regex": "sesame", "action": "BLOCKED" }]
                    },
                    "contextualGroundingPolicy": { "filters": [
                        { "type": "GROUNDING", "threshold": 0.7, "score": 0.1, "action": "BLOCKED" }
                    ] }
                }] }
            } }
        }),
    );
    let server = Server::start([reply]).await;
    let guardrail = hitl_runtime::model::Guardrail::new("gr-42", "3");
    let answer = model(&server).guardrail(guardrail).complete(&"Open sesame".into()).await.unwrap();
    let ModelError::Intervened { assessment } = answer.ensure_complete().unwrap_err() else {
        panic!("expected an intervention")
    };
    assert_eq!(
        assessment.to_string(),
        "the guardrail `gr-42` blocked the text: topic `Investing` in the request, content `PROMPT_ATTACK` in the request, \
         listed word `CUSTOM` in the request, personal information `order` in the response, \
         grounding `GROUNDING` in the response"
    );
    assert_eq!((assessment.message.as_str(), assessment.findings.len()), ("We cannot help.", 7));
    assert!(!serde_json::to_string(&assessment).unwrap().contains("sesame"));
    assert_eq!(
        server.requests()[0].body["guardrailConfig"],
        json!({ "guardrailIdentifier": "gr-42", "guardrailVersion": "3", "trace": "enabled" })
    );
}
