//! Verdicts: one per review, on the exact draft, by an operator with the required role, before the deadline.

use std::time::Duration;

use hitl::{Error, ManualClock, Timestamp, prelude::*};
use serde_json::json;

use super::kit::refund::*;

#[tokio::test]
async fn an_approval_runs_the_signed_effect_and_reruns_nothing() {
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new());
    let review = open(&agent, "t").await;
    assert_eq!(review.draft().dollars, 149);
    let outcome = done(review.approve(&mara()).await.unwrap());
    assert_eq!(outcome, "did A-9133 149 by mara");
    assert_eq!(world.runs(), ["plan", "draft"]);
    assert_eq!(world.called(), ["A-9133 149 by mara"]);
    assert!(matches!(agent.turn("t").await.unwrap(), RefundsTurn::Done(_)));
}

#[tokio::test]
async fn an_edited_draft_runs_and_both_drafts_are_recorded() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let outcome = done(open(&agent, "t").await.edit(&mara(), |draft| draft.dollars = 99).await.unwrap());
    assert_eq!(outcome, "did A-9133 99 by mara");
    let history = serde_json::to_value(agent.history("t", 0, 100).await.unwrap()).unwrap();
    let edit = history
        .as_array()
        .unwrap()
        .iter()
        .find_map(|entry| entry.pointer("/event/decided/verdict/edit"))
        .expect("the edit is in the journal");
    assert_eq!((&edit["before"]["dollars"], &edit["after"]["dollars"]), (&json!(149), &json!(99)));
}

#[tokio::test]
async fn an_edit_that_violates_an_invariant_changes_nothing() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let review = open(&agent, "t").await;
    let digest = review.digest();
    let before = serde_json::to_value(agent.view("t").await.unwrap()).unwrap();

    let by_code = review.edit(&mara(), |draft| draft.dollars = 20_000).await.unwrap_err();
    let patch = |patch| agent.decide("t", digest, &OPERATOR, Verdict::Edit { patch });
    let by_patch = patch(json!({ "dollars": 20_000 })).await.unwrap_err();
    for error in [by_code, by_patch] {
        let Error::Invalid { violations, .. } = &error else { panic!("{error}") };
        assert_eq!(violations[0].path, "dollars", "{error}");
    }
    let error = patch(json!({ "dollars": "much" })).await.unwrap_err();
    assert!(
        matches!(&error, Error::Invalid { violations, .. } if violations[0].path == "dollars"),
        "{error}"
    );
    assert!(matches!(patch(json!({ "order": null })).await.unwrap_err(), Error::Invalid { .. }));
    assert!(matches!(patch(json!(17)).await.unwrap_err(), Error::Invalid { .. }));
    let error = patch(json!({ "dolalrs": 99 })).await.unwrap_err();
    assert!(matches!(&error, Error::UnknownKey { near: Some(near), .. } if near == "dollars"), "{error}");

    assert_eq!(serde_json::to_value(agent.view("t").await.unwrap()).unwrap(), before);
}

static OPERATOR: std::sync::LazyLock<Operator> = std::sync::LazyLock::new(mara);

#[tokio::test]
async fn a_rejection_follows_its_reject_edge() {
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new());
    let turn = open(&agent, "t").await.reject(&mara(), Reason::WrongTool, "a replacement, please").await;
    assert_eq!(done(turn.unwrap()), "wrong_tool: a replacement, please");
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_question_closes_its_review_and_opens_a_new_one() {
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new());
    let first = open(&agent, "t").await;
    let old = first.digest();
    let second = review(first.ask(&mara(), "Is there a photo?").await.unwrap());
    assert_ne!(second.digest(), old);
    assert_eq!(world.runs(), ["plan", "draft", "draft after Is there a photo?"]);
    assert_eq!(second.draft().dollars, 99);

    let late = agent.decide("t", old, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(&late, Error::AlreadyDecided { verdict, .. } if verdict == "ask"), "{late}");
    done(second.approve(&mara()).await.unwrap());
}

#[tokio::test]
async fn equal_drafts_of_two_threads_have_distinct_digests() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let (a, b) = (open(&agent, "a").await, open(&agent, "b").await);
    assert_eq!(a.draft(), b.draft());
    assert_ne!(a.digest(), b.digest());
    let error = agent.decide("a", b.digest(), &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(&error, Error::Stale { open, .. } if open == &[a.digest()]), "{error}");
}

#[tokio::test]
async fn an_operator_without_a_role_or_name_cannot_decide() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let review = open(&agent, "t").await;
    let digest = review.digest();
    let error = review.approve(&Operator::new("eve").role("intern")).await.unwrap_err();
    assert!(
        matches!(&error, Error::RoleMissing { role, operator, .. } if role == "approver" && operator == "eve")
    );
    let nobody = Operator::new(" ").role("approver");
    assert_eq!(
        agent.decide("t", digest, &nobody, Verdict::Approve).await.unwrap_err().code(),
        "bad_operator"
    );
    review_is_still_open(&agent).await;
}

async fn review_is_still_open(agent: &Agent<Refunds>) {
    let _ = review(agent.turn("t").await.unwrap());
}

#[tokio::test]
async fn an_expired_review_is_rejected_by_default() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new()).clock(clock.clone());
    let review = open(&agent, "t").await;
    let digest = review.digest();
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(review.approve(&mara()).await.unwrap_err().code(), "expired");
    assert!(done(agent.turn("t").await.unwrap()).starts_with("expired: "));
    assert_eq!(
        agent.decide("t", digest, &mara(), Verdict::Approve).await.unwrap_err().code(),
        "already_decided"
    );
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn an_operator_cannot_reject_with_the_reason_expired() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let error = open(&agent, "t").await.reject(&mara(), Reason::Expired, "").await.unwrap_err();
    assert_eq!(error.code(), "bad_verdict");
}

#[tokio::test]
async fn a_start_can_be_repeated_only_with_the_same_input() {
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new());
    let first = open(&agent, "t").await.digest();
    assert_eq!(open(&agent, "t").await.digest(), first);
    assert_eq!(world.runs(), ["plan", "draft"]);
    let other = TicketInput { message: "something else".into() };
    assert_eq!(agent.start("t", other).await.unwrap_err().code(), "thread_exists");
    assert_eq!(agent.turn("no-such").await.unwrap_err().code(), "unknown_thread");
    assert_eq!(agent.start("", message()).await.unwrap_err().code(), "invalid_thread_id");
}

#[tokio::test]
async fn an_invalid_draft_fails_its_node_and_opens_no_review() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    match agent.start("t", TicketInput { message: "no order".into() }).await.unwrap() {
        RefundsTurn::Failed(failed) => {
            assert_eq!(failed.node(), "draft");
            assert!(failed.error().contains("order: "), "{}", failed.error());
        }
        other => panic!("{other}"),
    }
}

/// Six operators decide concurrently through two agents, each with its own connection to the store. Exactly one wins,
/// in each of 40 trials.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_several_concurrent_verdicts_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    for trial in 0..40 {
        let world = World::default();
        let thread = format!("t-{trial}");
        let first = Refunds::new(world.clone(), SqliteStore::open(&path).await.unwrap());
        let second = Refunds::new(world.clone(), SqliteStore::open(&path).await.unwrap());
        let digest = open(&first, &thread).await.digest();
        let mut clicks = tokio::task::JoinSet::new();
        for click in 0..6 {
            let agent = if click % 2 == 0 { first.clone() } else { second.clone() };
            let thread = thread.clone();
            clicks.spawn(async move {
                let operator = Operator::new(format!("operator-{click}")).role("approver");
                let verdict = match click {
                    0 | 1 => Verdict::Approve,
                    2 | 3 => Verdict::Edit { patch: json!({ "dollars": 99 }) },
                    _ => Verdict::Reject { reason: Reason::Other, note: String::new() },
                };
                agent.decide(thread, digest, &operator, verdict).await.map(|_| operator.name().to_owned())
            });
        }
        let (mut winners, mut named) = (vec![], vec![]);
        while let Some(click) = clicks.join_next().await {
            match click.unwrap() {
                Ok(operator) => winners.push(operator),
                Err(Error::AlreadyDecided { by, .. }) => named.push(by),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "trial {trial}");
        assert!(named.iter().all(|name| *name == winners[0]), "{winners:?} {named:?}");
        assert!(world.calls() <= 1);
    }
}
