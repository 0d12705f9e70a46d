//! Guardrails, Converse and ConverseStream of `ministack`, which really evaluates words and personal data.

use futures_util::StreamExt;
use hitl_runtime::model::{
    Bedrock, Chunk, ContentSource, FinishReason, Guarded, Guardrail, GuardrailPolicy, Model, ModelError,
    ModelExt, ModelResultExt, Request,
};
use serde_json::{Value, json};

use crate::{
    bedrock::client,
    emulator::{self, Emulator},
};

const MODEL: &str = "anthropic.claude-3-5-sonnet-20240620-v1:0";

/// Creates a guardrail through the control plane: it stops the word "sesame" and masks email addresses.
async fn guardrail(ministack: &Emulator) -> String {
    let body = json!({
        "name": "refunds",
        "blockedInputMessaging": "We cannot help with this.",
        "blockedOutputsMessaging": "We cannot say this.",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "sesame" }] },
        "sensitiveInformationPolicyConfig": { "piiEntitiesConfig": [{ "type": "EMAIL", "action": "ANONYMIZE" }] }
    });
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=x";
    let response = reqwest::Client::new()
        .post(format!("{}/guardrails", ministack.url))
        .header("authorization", scope)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let made: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    made["guardrailId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[tokio::test]
async fn ministack_completes_chats_and_applies_guardrails() {
    let Some(ministack) = emulator::start("ministack", &[]).await else { return };
    let id = guardrail(&ministack).await;
    let plain = || Bedrock::with_client(client(&ministack.url), MODEL);
    let guarded = || plain().guardrail(Guardrail::new(&id, "DRAFT"));

    says_the_same_in_a_stream(&plain()).await;
    stops_what_is_asked(&guarded()).await;
    checks_a_text(&Guardrail::new(&id, "DRAFT").with_client(client(&ministack.url))).await;

    let unknown = plain().guardrail(Guardrail::new("gr-nowhere", "1"));
    let error = unknown.complete(&"What now?".into()).await.unwrap_err();
    assert!(
        matches!(&error, ModelError::InvalidRequest { problem, .. } if problem.contains("gr-nowhere")),
        "{error}"
    );

    let arn = Bedrock::with_client(client(&ministack.url), "arn:aws:bedrock:eu-west-1::foundation-model/x");
    assert_eq!(arn.complete(&"What now?".into()).await.unwrap_err().code(), "refused");
}

async fn says_the_same_in_a_stream(model: &Bedrock) {
    let request = Request::from("Order A-9133 arrived broken.").system("You work at a refund desk.");
    let answer = model.complete(&request).await.unwrap();
    assert!(answer.text.contains(MODEL), "{answer:?}");
    assert!(answer.input_tokens > Some(0) && answer.output_tokens > Some(0), "{answer:?}");
    let pieces: Vec<_> = model.stream(&request).map(Result::unwrap).collect().await;
    assert!(pieces.len() > 2, "{pieces:?}");
    let Some(Chunk::End(streamed)) = pieces.last() else { panic!("{pieces:?}") };
    assert_eq!((&streamed.text, &streamed.finish_reason), (&answer.text, &FinishReason::End));
    assert_eq!(model.text(request).await.unwrap(), answer.text);
}

async fn stops_what_is_asked(model: &Bedrock) {
    let asked = Request::from("Open sesame");
    let Guarded::Intervened(assessment) = model.text(asked.clone()).await.guarded().unwrap() else {
        panic!("the word is on the list")
    };
    assert_eq!(assessment.message, "We cannot help with this.");

    let FinishReason::Intervened(assessment) = model.complete(&asked).await.unwrap().finish_reason else {
        panic!("the word is on the list")
    };
    assert_eq!(
        (assessment.findings[0].policy, assessment.findings[0].source),
        (GuardrailPolicy::Word, ContentSource::Input)
    );

    let passed = model.text("What about order A-9133?").await.guarded().unwrap();
    assert!(matches!(passed, Guarded::Passed(_)), "{passed:?}");
}

async fn checks_a_text(guardrail: &Guardrail) {
    let check = async |text: &str| guardrail.check(ContentSource::Input, text).await.guarded().unwrap();
    assert_eq!(check("Order A-9133").await, Guarded::Passed("Order A-9133".into()));
    assert_eq!(check("I am ada@example.com").await, Guarded::Passed("I am {EMAIL}".into()));
    let stopped = check("sesame for ada@example.com").await;
    let Guarded::Intervened(assessment) = &stopped else { panic!("{stopped:?}") };
    assert_eq!(assessment.findings.len(), 2);
    assert!(!serde_json::to_string(&stopped).unwrap().contains("ada@"), "{stopped:?}");
}
