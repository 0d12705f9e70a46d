//! Edits of a draft, operator names, and thread names.

use std::collections::BTreeMap;

use hitl::{
    Error,
    api::{self, Request},
    prelude::*,
};
use serde_json::{Value, json};

/// The action that the model proposes.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Call {
    #[garde(dive)]
    pub tool: Tool,
    #[garde(skip)]
    pub labels: BTreeMap<String, String>,
    #[garde(dive)]
    pub account: Option<Account>,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
#[serde(tag = "name", content = "args", rename_all = "snake_case")]
pub enum Tool {
    Refund {
        #[garde(range(min = 1, max = 500))]
        cents: u32,
        #[garde(skip)]
        reason: Option<String>,
    },
    Voucher {
        #[garde(skip)]
        code: String,
        #[garde(skip)]
        reason: Option<String>,
    },
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Account {
    #[garde(length(min = 4))]
    pub iban: String,
}

#[state]
pub struct Wish {
    #[input]
    pub message: String,
    pub call: Call,
    #[output]
    pub did: String,
}

#[node(Wish, writes = call)]
async fn choose(message: &str) -> Result<Call> {
    Ok(Call {
        tool: Tool::Refund { cents: 149, reason: Some(message.to_owned()) },
        labels: BTreeMap::from([("vip".to_owned(), "yes".to_owned())]),
        account: Some(Account { iban: "DE02".to_owned() }),
    })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Wish, writes = did, effect)]
async fn act(call: &Approved<Call>) -> Result<String> {
    Ok(serde_json::to_string(&**call)?)
}

#[node(Wish, writes = did)]
async fn refuse(rejection: &Rejection) -> Result<String> {
    Ok(rejection.reason.to_string())
}

graph! {
    pub CallAgent<Wish> {
        start -> choose -> act -> end;
        act { reject -> refuse }
        refuse -> end;
    }
}

fn clerk(name: &str) -> Operator {
    Operator::new(name).role("clerk")
}

async fn waiting(agent: &Agent<CallAgent>) -> hitl::Digest {
    let CallAgentTurn::Act(review) =
        agent.start("t", WishInput { message: "it broke".into() }).await.unwrap()
    else {
        panic!("expected an open review")
    };
    review.digest()
}

async fn edited(patch: Value) -> Result<Value, Error> {
    let agent = CallAgent::new(MemoryStore::new());
    let digest = waiting(&agent).await;
    match agent.decide("t", digest, &clerk("mara"), Verdict::Edit { patch }).await? {
        CallAgentTurn::Done(did) => Ok(serde_json::from_str(&did).unwrap()),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn another_variant_keeps_no_fields_of_the_old_one() {
    let did = edited(json!({
        "tool": { "name": "voucher", "args": { "cents": null, "reason": null, "code": "SORRY" } },
        "labels": { "vip": null, "lost": "no" },
        "account": null,
    }));
    let expected = json!({
        "tool": { "name": "voucher", "args": { "code": "SORRY", "reason": null } },
        "labels": { "lost": "no" },
        "account": null,
    });
    assert_eq!(did.await.unwrap(), expected);
}

#[tokio::test]
async fn unknown_keys_and_violations_are_reported_with_paths() {
    for (patch, path, near) in [
        (json!({ "tool": { "args": { "cnets": 1 } } }), "tool.args.cnets", "cents"),
        (json!({ "tool": { "args": { "resaon": null } } }), "tool.args.resaon", "reason"),
        (json!({ "labels": { "vpi": null } }), "labels.vpi", "vip"),
        (json!({ "lables": { "a": "b" } }), "lables", "labels"),
    ] {
        let error = edited(patch).await.unwrap_err();
        let Error::UnknownKey { path: found, near: Some(meant), .. } = &error else { panic!("{error}") };
        assert_eq!((found.as_str(), meant.as_str()), (path, near));
    }
    for (patch, path) in [
        (json!({ "tool": { "args": { "cents": 501 } } }), "tool.args.cents"),
        (json!({ "account": { "iban": "x" } }), "account.iban"),
    ] {
        let error = edited(patch).await.unwrap_err();
        assert!(
            matches!(&error, Error::Invalid { violations, .. } if violations[0].path == path),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_edit_without_a_change_is_rejected_on_every_channel() {
    let agent = CallAgent::new(MemoryStore::new());
    let digest = waiting(&agent).await;
    let mara = clerk("mara");
    let before = agent.verify("t").await.unwrap();
    for patch in [json!({}), json!({ "tool": { "args": { "cents": 149 } } }), json!({ "labels": {} })] {
        let verdict = || Verdict::Edit { patch: patch.clone() };
        assert_eq!(agent.decide("t", digest, &mara, verdict()).await.unwrap_err().code(), "unchanged");
        assert_eq!(agent.preview("t", digest, &mara, verdict()).await.unwrap_err().code(), "unchanged");
        let request =
            json!({ "action": "edit", "thread_id": "t", "digest": digest, "patch": { "call": patch } });
        let refusal =
            api::dispatch(&agent, Request::parse(request, None).unwrap(), Some(&mara)).await.unwrap_err();
        assert_eq!((refusal.status, refusal.code), (422, "unchanged"));
    }
    let CallAgentTurn::Act(review) = agent.turn("t").await.unwrap() else {
        panic!("expected an open review")
    };
    let error = review.edit(&mara, |call| call.account = call.account.clone()).await.unwrap_err();
    assert!(matches!(&error, Error::Unchanged { field, .. } if field == "call"), "{error}");
    assert_eq!(agent.verify("t").await.unwrap(), before, "the thread has changed");
}

/// The evidence marks a verdict as previewed only if the same operator has previewed the same verdict.
#[tokio::test]
async fn a_verdict_records_whether_it_was_previewed() {
    let approve = json!("approve");
    let reject = json!({ "reject": { "reason": "other", "note": "" } });
    for (shown, by, previewed) in [
        (None, "mara", false),
        (Some(&approve), "mara", true),
        (Some(&approve), "noor", false),
        (Some(&reject), "mara", false),
    ] {
        let agent = CallAgent::new(MemoryStore::new());
        let digest = waiting(&agent).await;
        let act = async |request: serde_json::Value, name: &str| {
            api::dispatch(&agent, Request::parse(request, None).unwrap(), Some(&clerk(name))).await.unwrap()
        };
        if let Some(verdict) = shown {
            act(json!({ "action": "preview", "thread_id": "t", "digest": digest, "verdict": verdict }), by)
                .await;
        }
        act(json!({ "action": "approve", "thread_id": "t", "digest": digest }), "mara").await;
        let entries = agent.history("t", 0, 100).await.unwrap();
        let evidence = entries.iter().find_map(|entry| match &entry.event {
            hitl::journal::Event::Decided { evidence, .. } => evidence.clone(),
            _ => None,
        });
        assert_eq!(evidence.unwrap().previewed, previewed, "{shown:?} by {by}");
    }
}

#[tokio::test]
async fn a_look_alike_operator_name_cannot_sign() {
    let agent = CallAgent::new(MemoryStore::new());
    let digest = waiting(&agent).await;
    let before = agent.verify("t").await.unwrap();
    for name in [
        "",
        " ",
        " mara",
        "mara\u{a0}",
        "ma\u{200b}ra",
        "m\u{430}ra",
        "Jose\u{301}",
        "hitl",
        "HITL",
        "h\u{456}tl",
    ] {
        for operator in [clerk(name), Operator::claimed(name).role("clerk")] {
            let error = agent.decide("t", digest, &operator, Verdict::Approve).await.unwrap_err();
            assert!(matches!(&error, Error::BadOperator { operator, .. } if operator == name), "{error}");
            assert_eq!(error.code(), "bad_operator");
            assert!(!error.to_string().contains('\u{200b}'), "{error}");
        }
    }
    assert_eq!(agent.verify("t").await.unwrap(), before, "the thread has changed");
    assert!(agent.decide("t", digest, &clerk("José"), Verdict::Approve).await.is_ok());
}

#[tokio::test]
async fn a_look_alike_thread_name_cannot_be_started() {
    let agent = CallAgent::new(MemoryStore::new());
    let input = || WishInput { message: "it broke".into() };
    for name in ["a\u{200b}b", "p\u{430}y", "Jose\u{301}", "\u{202e}ab"] {
        assert_eq!(agent.start(name, input()).await.unwrap_err().code(), "invalid_thread_id");
        // `ThreadId::existing` accepts such a name, but no thread can be started under it.
        let old = hitl::ThreadId::existing(name).unwrap();
        assert_eq!(agent.start(&old, input()).await.unwrap_err().code(), "invalid_thread_id");
        let start = json!({ "action": "start", "thread_id": name, "input": { "message": "it broke" } });
        let refusal = api::dispatch(&agent, Request::parse(start, None).unwrap(), None).await.unwrap_err();
        assert_eq!((refusal.status, refusal.code), (400, "invalid_thread_id"));
    }
    waiting(&agent).await;
    let old = hitl::ThreadId::existing("a\u{200b}b").unwrap();
    let forked = agent.fork("t", 1, &old).await.unwrap_err();
    assert_eq!(forked.code(), "invalid_thread_id");
}

#[tokio::test]
async fn an_old_thread_with_a_look_alike_name_is_readable() {
    use hitl::{Digest, store::Append};

    let agent = CallAgent::new(MemoryStore::new());
    let digest = waiting(&agent).await;
    let _ = agent.decide("t", digest, &clerk("mara"), Verdict::Approve).await.unwrap();
    let mut records = agent.store().entries(&"t".parse().unwrap(), 0.into(), 100).await.unwrap();
    let old = hitl::ThreadId::existing("a\u{200b}b").unwrap();
    // Chain the records as an older version did, which accepted such names.
    let mut before = Digest::of(format!("hitl journal 1\0{old}").as_bytes());
    for record in &mut records {
        record.hash = Digest::of(&[&before.as_bytes()[..], &record.body].concat());
        before = record.hash;
    }
    let append = Append::new(old.clone(), records, hitl::ThreadStatus::Ended).with_reviews(Vec::new());
    agent.store().append(append).await.unwrap();
    assert_eq!(agent.view(&old).await.unwrap().standing, hitl::ThreadStatus::Ended);
    assert!(matches!(agent.turn(&old).await.unwrap(), CallAgentTurn::Done(_)));
    let get = json!({ "action": "get", "thread_id": "a\u{200b}b" });
    assert!(api::dispatch(&agent, Request::parse(get, None).unwrap(), None).await.is_ok());
    let listed = agent.store().threads(None, None, 10).await.unwrap();
    assert!(listed.items.iter().any(|(thread, _)| *thread == old));
}
