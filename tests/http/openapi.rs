//! Tests of the description of the API. `.ci/openapi` validates it, and decides reviews by a client that is generated from
//! it.

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
    assert_eq!(count, 23);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_takes_a_token() {
    let (served, issuer) = verified();
    let (status, problem) = served.get("/v1/openapi.json").await;
    assert_eq!((status, &problem["code"]), (401, &json!("token_missing")), "{problem}");
    let request = served.request(Method::GET, "/v1/openapi.json");
    let request = request.header("authorization", issuer.bearer("eve", &[]));
    let (status, document) = read(request.send().await.unwrap()).await;
    assert_eq!((status, &document["security"]), (200, &json!([{ "token": [] }])));
    // With tokens, no request names an operator.
    assert!(!document.to_string().contains("It is not verified"), "{document}");
    served.stop().await;
}
