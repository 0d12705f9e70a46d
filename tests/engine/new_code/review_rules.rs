//! Open reviews under changed rules: a stricter role, an earlier deadline or a new reminder applies from then on.

use std::time::Duration;

use hitl::{Clock as _, Error, Graph, ManualClock, ReviewChange, SystemClock, journal::Event, prelude::*};

use super::{entries_after, events, id, journal, mara, v1::World, waiting};

/// Defines the first version with another review rule before `execute`.
macro_rules! version {
    ($name:ident, $rule:meta) => {
        mod $name {
            use hitl::prelude::*;

            use super::super::v1::{Draft, Ticket, World, cancel, draft, plan, refund};

            #[$rule]
            #[node(Ticket, writes = outcome, effect)]
            async fn execute(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
                refund(draft, &world, cx).await
            }

            graph! {
                pub Refunds<Ticket, World> {
                    start -> plan -> draft -> execute -> end;
                    execute { reject -> cancel, ask -> draft }
                    cancel -> end;
                }
            }
        }
    };
}

version!(director, interrupt_before(role = "director", expires = "24h"));
version!(anybody, interrupt_before);
version!(hurried, interrupt_before(role = "approver", expires = "1h"));
version!(patient, interrupt_before(role = "approver", expires = "48h"));
version!(reminded, interrupt_before(role = "approver", expires = "24h", remind = "4h"));

fn noor() -> Operator {
    Operator::new("noor").role("director")
}

#[tokio::test]
async fn a_review_requires_the_role_of_the_new_code() {
    let (store, world) = (MemoryStore::new(), World::default());
    let seen = waiting(&store, &world, "t").await;
    let before = journal(&store).await;
    let agent = director::Refunds::new(world.clone(), store);

    let check = agent.check("t").await.unwrap();
    assert_eq!((check.can_go_on(), check.reopened), (true, vec!["execute".to_owned()]));
    let (from, to) = (Some("approver".to_owned()), Some("director".to_owned()));
    assert_eq!(check.changes, [ReviewChange::Role { node: "execute".into(), from, to }]);

    let review = &agent.view("t").await.unwrap().reviews[0];
    assert_eq!(review.role.as_deref(), Some("director"));
    let refused = agent.decide("t", seen, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(refused, Error::Stale { reopened: true, .. }), "{refused}");
    let refused = agent.decide("t", review.digest, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(&refused, Error::RoleMissing { role, .. } if role == "director"), "{refused}");
    assert_eq!(world.calls(), 0);

    let turn = agent.decide("t", review.digest, &noor(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, director::RefundsTurn::Done(_)), "{turn}");
    assert_eq!(world.calls(), 1);
    let new = events(&entries_after(&agent, &before).await);
    assert!(matches!(&new[1], Event::Paused { role: Some(role), .. } if role == "director"), "{new:?}");
}

#[tokio::test]
async fn a_role_that_new_code_drops_is_still_required() {
    let (store, world) = (MemoryStore::new(), World::default());
    let seen = waiting(&store, &world, "t").await;
    let agent = anybody::Refunds::new(world.clone(), store);
    let nobody = Operator::new("eve");
    let refused = agent.decide("t", seen, &nobody, Verdict::Approve).await.unwrap_err();
    assert!(matches!(refused, Error::RoleMissing { .. }), "{refused}");
    // The rule is not stricter, so the digest that mara saw is still valid.
    let turn = agent.decide("t", seen, &mara(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, anybody::RefundsTurn::Done(_)), "{turn}");
}

/// Returns the milliseconds from the opening of the review of `t` to its deadline under this program.
async fn span<G: Graph>(agent: &Agent<G>) -> Duration {
    let view = agent.view("t").await.unwrap();
    let opened = agent.history(&id("t"), 0, 100).await.unwrap();
    let opened = opened.iter().find(|entry| matches!(entry.event, Event::Paused { .. })).unwrap().at;
    view.reviews[0].deadline.unwrap().saturating_since(opened)
}

#[tokio::test]
async fn only_a_shorter_deadline_applies() {
    const HOUR: Duration = Duration::from_hours(1);
    let (store, world) = (MemoryStore::new(), World::default());
    let seen = waiting(&store, &world, "t").await;
    let clock = ManualClock::at(SystemClock.now());
    let agent = hurried::Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    let check = agent.check("t").await.unwrap();
    assert!(matches!(check.changes[..], [ReviewChange::Deadline { .. }]), "{:?}", check.changes);
    assert_eq!(span(&agent).await, HOUR);

    let patient = patient::Refunds::new(world.clone(), store.clone());
    assert_eq!(span(&patient).await, Duration::from_hours(24));
    assert!(patient.check("t").await.unwrap().reopened.is_empty());

    // After the deadline neither the digest of the old code nor that of the new code can be signed.
    let digest = agent.view("t").await.unwrap().reviews[0].digest;
    clock.advance(Duration::from_secs(2 * 3600));
    for digest in [seen, digest] {
        let late = agent.decide("t", digest, &mara(), Verdict::Approve).await.unwrap_err();
        assert!(matches!(late, Error::Stale { .. } | Error::Expired { .. }), "{late}");
    }
    assert_eq!(world.calls(), 0);
    assert_eq!(agent.view("t").await.unwrap().standing.as_str(), "ended");
}

#[tokio::test]
async fn a_new_reminder_is_reported_by_check() {
    let (store, world) = (MemoryStore::new(), World::default());
    waiting(&store, &world, "t").await;
    let agent = reminded::Refunds::new(world, store);
    let check = agent.check("t").await.unwrap();
    assert!(check.new_code);
    assert_eq!(
        check.changes,
        [ReviewChange::Reminder { node: "execute".into(), from: None, to: Some(Duration::from_hours(4)) }]
    );
}
