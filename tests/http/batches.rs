//! Tests of batches: a preview, its `confirm`, and a result for each review.

use hitl::{MemoryStore, Subscription, ThreadEvent, agentcore::OperatorAuth};
use serde_json::{Value, json};

use crate::served::Served;

async fn waiting(served: &Served, count: usize) -> Vec<Value> {
    let mut reviews = Vec::new();
    for number in 0..count {
        let thread = format!("t-{number}");
        let digest = served.waiting(&thread).await;
        reviews.push(json!({ "thread_id": thread, "digest": digest }));
    }
    reviews
}

/// Listens to the threads of these reviews.
fn listen(served: &Served, reviews: &[Value]) -> Vec<Subscription> {
    reviews.iter().map(|review| served.agent.listen(review["thread_id"].as_str().unwrap()).unwrap()).collect()
}

/// Waits until all threads have ended: a batch runs them in the background.
async fn ended(heard: Vec<Subscription>) {
    for mut thread in heard {
        while !matches!(thread.next().await, ThreadEvent::Entry(entry) if entry.event.name() == "ended") {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_previewed_and_confirmed() {
    let served = Served::start();
    let reviews = waiting(&served, 12).await;
    let request = json!({ "reviews": reviews, "verdict": "approve", "note": "same supplier" });
    let (status, preview) = served.post("/v1/batches", request.clone()).await;
    assert_eq!(
        (status, &preview["count"], &preview["decided"]),
        (200, &json!(12), &json!(false)),
        "{preview}"
    );
    assert_eq!((&preview["node"], &preview["role"]), (&json!("pay"), &json!("clerk")));
    assert_eq!(preview["results"][7]["draft"], json!({ "order": "A-9133", "dollars": 149 }));
    assert!(served.desk.paid().is_empty());

    // The order of the set does not matter; everything else does.
    let mut reversed = reviews.clone();
    reversed.reverse();
    let confirmed = json!({ "reviews": reversed, "verdict": "approve", "note": "same supplier", "confirm": preview["confirm"] });
    let mut other = confirmed.clone();
    other["reviews"].as_array_mut().unwrap().pop();
    let mut noted = confirmed.clone();
    noted["note"] = json!("another note");
    let mut rejected = confirmed.clone();
    (rejected["verdict"], rejected["reason"]) = (json!("reject"), json!("other"));
    for changed in [other, noted, rejected] {
        let (status, problem) = served.post("/v1/batches", changed).await;
        assert_eq!((status, &problem["code"]), (409, &json!("confirm_mismatch")), "{problem}");
    }
    assert!(served.desk.paid().is_empty());

    let heard = listen(&served, &reviews);
    let (status, decided) = served.post("/v1/batches", confirmed.clone()).await;
    assert_eq!(
        (status, &decided["count"], &decided["decided"]),
        (200, &json!(12), &json!(true)),
        "{decided}"
    );
    ended(heard).await;
    assert_eq!(served.desk.paid().len(), 12);
    // A replay decides nothing again, and says so for each review.
    let (status, again) = served.post("/v1/batches", confirmed).await;
    assert_eq!((status, &again["count"]), (200, &json!(0)), "{again}");
    assert!(
        again["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|result| result["refused"]["code"] == "already_decided")
    );
    assert_eq!(served.desk.paid().len(), 12);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_of_a_batch_is_told_and_the_others_are_decided() {
    let served = Served::start();
    let reviews = waiting(&served, 3).await;
    let mut request = json!({ "reviews": reviews, "verdict": "approve" });
    let (_, preview) = served.post("/v1/batches", request.clone()).await;
    let verdict = format!("/v1/threads/t-1/reviews/{}/verdict", reviews[1]["digest"].as_str().unwrap());
    let reject = json!({ "verdict": "reject", "reason": "other", "note": "no" });
    assert_eq!(served.post_by("noor", &verdict, reject).await.0, 200);

    request["confirm"] = preview["confirm"].clone();
    let heard = listen(&served, &[reviews[0].clone(), reviews[2].clone()]);
    let (status, decided) = served.post("/v1/batches", request.clone()).await;
    assert_eq!((status, &decided["count"]), (200, &json!(2)), "{decided}");
    let refused = &decided["results"][1]["refused"];
    assert_eq!((&refused["code"], &refused["by"]), (&json!("already_decided"), &json!("noor")));
    ended(heard).await;
    assert_eq!(served.desk.paid().len(), 2);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_batches_at_once_pay_each_thread_once() {
    let store = MemoryStore::new();
    let one = Served::with_store(store.clone(), OperatorAuth::claimed());
    let two = Served::with_store(store, OperatorAuth::claimed());
    let reviews = waiting(&one, 8).await;
    let mut request = json!({ "reviews": reviews, "verdict": "approve" });
    request["confirm"] = one.post("/v1/batches", request.clone()).await.1["confirm"].clone();
    let (of_one, of_two) = (listen(&one, &reviews), listen(&two, &reviews));
    let (a, b) = tokio::join!(
        one.post_by("mara", "/v1/batches", request.clone()),
        two.post_by("noor", "/v1/batches", request.clone())
    );
    let count = |reply: &Value| reply["count"].as_u64().unwrap();
    assert_eq!(count(&a.1) + count(&b.1), 8, "{a:?} {b:?}");
    // Each thread is run by the process that decided it.
    let won = |reply: &Value, heard: Vec<Subscription>| {
        let results = reply["results"].as_array().unwrap().iter();
        let won = results.map(|result| result.get("refused").is_none()).collect::<Vec<_>>();
        heard.into_iter().zip(won).filter_map(|(thread, won)| won.then_some(thread)).collect::<Vec<_>>()
    };
    ended(won(&a.1, of_one)).await;
    ended(won(&b.1, of_two)).await;
    assert_eq!(one.desk.paid().len() + two.desk.paid().len(), 8);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_batch_decides_nothing() {
    let served = Served::start();
    let reviews = waiting(&served, 2).await;
    let missing = json!({ "thread_id": "nobody", "digest": reviews[0]["digest"] });
    let stale = json!({ "thread_id": "t-0", "digest": reviews[1]["digest"] });
    let (status, preview) =
        served.post("/v1/batches", json!({ "reviews": [missing, stale], "verdict": "approve" })).await;
    assert_eq!((status, &preview["count"], &preview["node"]), (200, &json!(0), &Value::Null), "{preview}");
    assert_eq!(preview["results"][0]["refused"]["code"], "unknown_thread");
    assert_eq!(preview["results"][1]["refused"]["code"], "stale");

    let many: Vec<Value> = (0..101)
        .map(|number| json!({ "thread_id": format!("u-{number}"), "digest": reviews[0]["digest"] }))
        .collect();
    for (body, problem) in [
        (json!({ "reviews": [], "verdict": "approve" }), "give 1 to 100"),
        (json!({ "reviews": many, "verdict": "approve" }), "give 1 to 100"),
        (json!({ "reviews": [reviews[0], reviews[0]], "verdict": "approve" }), "twice"),
        (json!({ "reviews": reviews, "verdict": "start" }), "`start` is not a verdict"),
        (json!({ "reviews": reviews }), "`verdict` is missing"),
        (json!({ "reviews": reviews, "verdict": "approve", "confirm": "ab" }), "`confirm`"),
        (json!({ "reviews": [{ "thread_id": "t-0" }], "verdict": "approve" }), "`reviews[0]`"),
        (json!({ "thread_id": "t-0", "reviews": reviews, "verdict": "approve" }), "`thread_id` is given"),
    ] {
        let (status, found) = served.post("/v1/batches", body.clone()).await;
        assert_eq!((status, &found["code"]), (400, &json!("invalid_request")), "{body}: {found}");
        assert!(found["detail"].as_str().unwrap().contains(problem), "{body}: {found}");
    }
    assert!(served.desk.paid().is_empty());
    served.stop().await;
}

mod mixed {
    use hitl::{
        MemoryStore, Operator,
        api::{ApiError, Request, dispatch},
        prelude::*,
    };
    use serde_json::{Value, json};

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    #[garde(allow_unvalidated)]
    pub struct Payment {
        pub cents: u32,
        pub kind: Kind,
    }

    #[draft]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        Refund,
        Wire,
    }

    #[state]
    pub struct Order {
        #[input]
        pub cents: u32,
        pub draft: Payment,
        pub kind: Kind,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[node(Order, writes = draft)]
    async fn propose(cents: u32) -> Result<Payment> {
        Ok(Payment { cents, kind: Kind::Refund })
    }

    #[node(Order, writes = kind)]
    async fn sort(draft: &Payment) -> Result<Kind> {
        Ok(draft.kind)
    }

    #[interrupt_before(role = "clerk", risk = if draft.cents > 500 { high } else { low })]
    #[node(Order, writes = receipts, effect)]
    async fn refund(draft: &Approved<Payment>) -> Result<Vec<String>> {
        Ok(vec![format!("refund {}", draft.cents)])
    }

    #[interrupt_before(role = "clerk")]
    #[node(Order, writes = receipts, effect)]
    async fn wire(draft: &Approved<Payment>) -> Result<Vec<String>> {
        Ok(vec![format!("wire {}", draft.cents)])
    }

    #[node(Order, writes = receipts)]
    async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![format!("refused by {}", rejection.operator)])
    }

    graph! {
        pub Payer<Order> {
            start -> propose -> sort -> match kind { Kind::Refund => refund, Kind::Wire => wire };
            refund -> end;
            wire -> end;
            refund { reject -> refuse }
            wire { reject -> refuse }
            refuse -> end;
        }
    }

    async fn batch(agent: &Agent<Payer>, threads: &[&str], more: Value) -> Result<Value, ApiError> {
        let mut reviews = Vec::new();
        for thread in threads {
            let digest = agent.view(*thread).await.unwrap().reviews[0].digest;
            reviews.push(json!({ "thread_id": thread, "digest": digest }));
        }
        let mut request = json!({ "action": "batch", "reviews": reviews });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let clerk = Operator::new("mara").role("clerk");
        let reply = dispatch(agent, Request::parse(request, None)?, Some(&clerk)).await?;
        Ok(serde_json::to_value(reply).unwrap())
    }

    #[tokio::test]
    async fn a_batch_has_one_risk_and_no_edit_that_leads_elsewhere() {
        let agent = Payer::new(MemoryStore::new());
        for (thread, cents) in [("a", 9), ("b", 8), ("c", 900)] {
            let _ = agent.start(thread, OrderInput { cents }).await.unwrap();
        }
        let approve = json!({ "verdict": "approve" });
        let error = batch(&agent, &["a", "b", "c"], approve.clone()).await.unwrap_err();
        assert_eq!((error.status, error.code), (422, "mixed_batch"), "{}", error.message);
        let preview = batch(&agent, &["c"], approve).await.unwrap();
        assert_eq!((&preview["risk"], &preview["count"]), (&json!("high"), &json!(1)), "{preview}");

        // Each of these edits would lead to the review before another node.
        for patch in [json!({ "draft": { "kind": "Wire" } }), json!({ "draft": { "cents": 800 } })] {
            let edit = json!({ "verdict": "edit", "patch": patch });
            let preview = batch(&agent, &["a", "b"], edit.clone()).await.unwrap();
            assert_eq!(preview["results"][0]["refused"]["code"], "proposed_again", "{preview}");
            let mut confirmed = edit;
            confirmed["confirm"] = preview["confirm"].clone();
            let decided = batch(&agent, &["a", "b"], confirmed).await.unwrap();
            assert_eq!((&decided["decided"], &decided["count"]), (&json!(true), &json!(0)), "{decided}");
        }
        assert_eq!(agent.view("a").await.unwrap().reviews[0].node, "refund");
    }
}
