//! A rejection, a question or an expiry in a branch ends the signature that the parent lane holds. The compiler rejects
//! a graph in which an effect would run on that signature, but a thread of older code may be migrated to such a
//! position.

use std::time::Duration;

use hitl::{Error, ManualClock, Timestamp, prelude::*};

use super::altered;
use crate::kit::{
    operators::{clerk, director},
    payment::Draft,
    world::World,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Way {
    Confirmed,
    Direct,
}

#[state]
pub struct Tier {
    #[input]
    pub way: Way,
    pub draft: Draft,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Tier, writes = draft)]
async fn propose() -> Result<Draft> {
    Ok(Draft { cents: 3 })
}

#[interrupt_before(role = "clerk", covers = (wire))]
#[node(Tier, writes = log, effect)]
async fn hold(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![format!("held {}", draft.cents)])
}

#[node(Tier, writes = log, effect)]
async fn wire(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("wire {}", draft.cents), cx.idempotency_key()).await?])
}

#[node(Tier, writes = log)]
async fn other(world: Deps<World>) -> Result<Vec<String>> {
    world.look()?;
    Ok(vec!["other".into()])
}

#[node(Tier, writes = log)]
async fn part() -> Result<Vec<String>> {
    Ok(vec!["parted".into()])
}

#[node(Tier, writes = log)]
async fn finish() -> Result<Vec<String>> {
    Ok(vec!["finished".into()])
}

#[node(Tier, writes = log)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

/// A graph that runs `wire` only on the path without the director's review.
mod old {
    use super::*;

    #[interrupt_before(role = "director", edit = false, expires = "1h")]
    #[node(Tier, writes = log, effect)]
    async fn confirm(draft: &Approved<Draft>) -> Result<Vec<String>> {
        Ok(vec![format!("confirmed {}", draft.cents)])
    }

    #[node(Tier, writes = log)]
    async fn note_no(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![format!("no: {:?}", rejection.reason)])
    }

    #[node(Tier, writes = log)]
    async fn note_question(question: &Question) -> Result<Vec<String>> {
        Ok(vec![question.text.clone()])
    }

    graph! {
        pub Tiered<Tier, World> {
            start -> propose -> hold -> match way {
                Way::Confirmed => part -> (other, confirm) -> finish,
                Way::Direct => wire,
            };
            finish -> end;
            wire -> end;
            hold { reject -> refuse }
            refuse -> end;
            confirm { reject -> note_no, ask -> note_question }
            note_no -> finish;
            note_question -> finish;
        }
    }
}

/// A graph without the director's review, which runs `wire` on both paths.
mod new {
    use super::*;

    #[node(Tier, writes = log)]
    async fn confirm() -> Result<Vec<String>> {
        Ok(vec!["confirmed".into()])
    }

    graph! {
        pub Tiered<Tier, World> {
            start -> propose -> hold -> match way {
                Way::Confirmed => part -> (other, confirm) -> finish,
                Way::Direct => wire,
            };
            finish -> wire -> end;
            hold { reject -> refuse }
            refuse -> end;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Ends {
    No,
    Question,
    Expiry,
}

#[tokio::test]
async fn a_rejection_in_a_branch_voids_the_parent_signature() {
    for end in [Ends::No, Ends::Question, Ends::Expiry] {
        let (world, store, clock) =
            (World::default(), MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
        world.set_down(true);
        let agent = old::Tiered::new(world.clone(), store.clone()).clock(clock.clone());
        let turn = agent.start("t", TierInput { way: Way::Confirmed }).await.unwrap();
        let old::TieredTurn::Hold(review) = turn else { panic!("{turn}") };
        let turn = review.approve(&clerk()).await.unwrap();
        let old::TieredTurn::Confirm(review) = turn else { panic!("{turn}") };
        match end {
            Ends::No => drop(review.reject(&director(), Reason::Other, "never").await.unwrap()),
            Ends::Question => drop(review.ask(&director(), "why?").await.unwrap()),
            Ends::Expiry => {
                clock.advance(Duration::from_secs(3_601));
                assert_eq!(agent.sweep().await.unwrap().len(), 1);
            }
        }
        assert!(matches!(agent.turn("t").await.unwrap(), old::TieredTurn::Failed(_)), "{end:?}");
        // The rejected branch waits at the join, and the other one continues under the new code.
        world.set_down(false);
        let next = new::Tiered::new(world.clone(), store.clone()).clock(clock.clone());
        let error = next.resume("t").await.unwrap_err();
        assert!(matches!(error, Error::GraphChanged { .. }), "{end:?}: {error}");
        // `wire` does not run after the join even if the journal states that the new code started the thread.
        let store = altered(&store, agent.fingerprint(), next.fingerprint()).await;
        let next = new::Tiered::new(world.clone(), store).clock(clock);
        let turn = next.resume("t").await.unwrap();
        assert_eq!(world.calls(), 0, "{end:?}: `wire` ran after the director's verdict");
        let new::TieredTurn::Failed(failed) = turn else { panic!("{end:?}: {turn}") };
        assert_eq!(failed.node(), "wire", "{end:?}");
    }
}
