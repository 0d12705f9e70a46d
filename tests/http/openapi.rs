//! Tests of the description of the API. `.ci/openapi` validates it, and decides reviews by a client that is generated
//! from it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    rights::verified,
    served::{Served, read},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_of_the_description_is_served() {
    let served = Served::start();
    let (status, document) = served.get("/v1/openapi.json").await;
    assert_eq!(
        (status, &document["openapi"], &document["info"]["title"]),
        (200, &json!("3.1.0"), &json!("Refunds"))
    );
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{thread}", "nobody").replace("{digest}", &"ab".repeat(32));
        for method in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answered = served.request(method.clone(), &path).json(&json!({})).send().await.unwrap();
            let status = answered.status().as_u16();
            let body: Value = serde_json::from_str(&answered.text().await.unwrap()).unwrap();
            let code = body["code"].as_str().unwrap_or_default();
            assert!(status != 405 && code != "no_such_path", "{method} {path}: {body}");
            count += 1;
        }
    }
    assert_eq!(count, 24);
    // The draft of the graph, with the documentation of its fields.
    let review = &document["x-hitl-reviews"]["pay"];
    assert_eq!(review, &json!({ "field": "draft", "draft": { "$ref": "#/components/schemas/Draft.pay" } }));
    let dollars = &document["components"]["schemas"]["Draft.pay"]["properties"]["dollars"];
    assert_eq!(
        (&dollars["description"], &dollars["maximum"]),
        (&json!("US dollars."), &json!(500)),
        "{dollars}"
    );
    // No reference points outside of the document.
    let text = document.to_string();
    for target in text.split(r##""$ref":"#"##).skip(1) {
        let pointer = target.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    served.stop().await;
}

/// Returns the parameter of an operation.
fn parameter<'a>(document: &'a Value, path: &str, name: &str) -> &'a Value {
    let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
    parameters.iter().find(|parameter| parameter["name"] == name).unwrap_or_else(|| panic!("{path} {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parameters_are_those_of_the_server() {
    let served = Served::start();
    let (_, document) = served.get("/v1/openapi.json").await;
    for path in ["/v1/reviews", "/v1/threads", "/v1/threads/{thread}/history"] {
        let limit = &parameter(&document, path, "limit")["schema"];
        let [minimum, maximum] = ["minimum", "maximum"].map(|name| limit[name].as_u64().unwrap());
        let path = path.replace("{thread}", "t");
        for (size, is_valid) in [(minimum, true), (maximum, true), (minimum - 1, false), (maximum + 1, false)]
        {
            let (status, _) = served.get(&format!("{path}?operator=mara&limit={size}")).await;
            assert_eq!(status != 400, is_valid, "{path} {size}");
        }
    }
    let status = &parameter(&document, "/v1/threads", "status")["schema"]["$ref"];
    let status = document.pointer(status.as_str().unwrap().trim_start_matches('#')).unwrap();
    assert_eq!(status["enum"].as_array().unwrap().len(), 5, "{status}");
    for name in ["operator", "roles", "after", "Last-Event-ID"] {
        let _ = parameter(&document, "/v1/threads/{thread}/events", name);
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{path}");
            let parameters = operation["parameters"].as_array().unwrap();
            let digest = parameters.iter().find(|parameter| parameter["name"] == "digest");
            assert_eq!(digest.is_some(), path.contains("{digest}"), "{path}");
            assert!(digest.is_none_or(|digest| digest["schema"]["pattern"] == "^[0-9a-f]{64}$"), "{path}");
            let responses = operation["responses"].as_object().unwrap();
            let problems = ["400", "401", "403", "503", "default"].into_iter();
            let problems = problems.chain(path.contains("{thread}").then_some("404"));
            let of_body: &[&str] = if method == "post" { &["409", "422"] } else { &[] };
            for status in problems.chain(of_body.iter().copied()) {
                let schema = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{path} {status}");
            }
            let unknown = responses["default"]["description"].as_str().unwrap();
            assert!(unknown.contains("the outcome is unknown: read the thread"), "{unknown}");
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_members_of_replies_have_types_and_no_examples_in_rust() {
    let served = Served::start();
    let (_, document) = served.get("/v1/openapi.json").await;
    let schemas = &document["components"]["schemas"];
    for (schema, member, of) in [
        ("ThreadView", "stop", "Stop"),
        ("ThreadView", "differences", "Difference"),
        ("ReviewView", "when", "Condition"),
        ("VerdictPreview", "again", "Reproposal"),
        ("StopList", "stops", "Stop"),
    ] {
        let typed = schemas[schema]["properties"][member].to_string();
        assert!(typed.contains(&format!("#/components/schemas/{of}\"")), "{schema}.{member}: {typed}");
    }
    assert_eq!(schemas["HistoryRow"]["properties"]["event"]["maxProperties"], 1);
    assert!(!document.to_string().contains("```"));
    // An example can be sent as it is.
    let digest = served.waiting("t").await;
    let review = "/v1/threads/{thread}/reviews/{digest}/preview";
    let examples =
        &document["paths"][review]["post"]["requestBody"]["content"]["application/json"]["examples"];
    for verdict in ["edit", "reject", "ask", "approve"] {
        let body = examples[verdict]["value"].clone();
        let (status, reply) = served.post(&format!("/v1/threads/t/reviews/{digest}/preview"), body).await;
        assert_eq!(status, 200, "{verdict}: {reply}");
    }
    let start = &document["paths"]["/v1/threads"]["post"]["requestBody"]["content"]["application/json"];
    let start = &start["examples"]["start"]["value"];
    assert_eq!(start, &json!({ "thread_id": "ticket-A-9133", "input": { "message": "…" } }));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_takes_a_token() {
    let (served, issuer) = verified();
    let (status, problem) = served.get("/v1/openapi.json").await;
    assert_eq!((status, &problem["code"]), (401, &json!("token_missing")), "{problem}");
    let request = served.request(Method::GET, "/v1/openapi.json");
    let request = request.header("authorization", issuer.bearer("eve", &[]));
    let (status, document) = read(request.send().await.unwrap()).await;
    assert_eq!((status, &document["security"]), (200, &json!([{ "token": [] }])));
    // The second one is the first one, and its request is checked as well.
    let request = served.request(Method::GET, "/v1/openapi.json");
    let request = request.header("authorization", issuer.bearer("kim", &[]));
    assert_eq!(read(request.send().await.unwrap()).await.1, document);
    assert_eq!(served.get("/v1/openapi.json").await.0, 401);
    // With tokens, no request names an operator.
    assert!(!document.to_string().contains("It is not verified"), "{document}");
    served.stop().await;
}
