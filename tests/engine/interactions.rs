//! Interactions of two mechanisms: settlements with covered effects, and pending edits with journal keys.

use hitl::{Error, journal::Settlement, prelude::*};

use crate::kit::{
    operators::{both, clerk, director},
    payment::{CaseInput, Draft, Payer, PayerTurn},
    world::{Behavior, World},
};

mod settled {
    use super::*;

    #[state]
    pub struct Tier {
        #[input]
        pub text: String,
        pub draft: Draft,
        #[reduce(append)]
        #[output]
        pub log: Vec<String>,
    }

    #[node(Tier, writes = draft)]
    async fn propose(text: &str) -> Result<Draft> {
        Ok(Draft { cents: text.len() as u32 })
    }

    #[interrupt_before(role = "clerk")]
    #[node(Tier, writes = log, effect)]
    async fn hold_low(draft: &Approved<Draft>) -> Result<Vec<String>> {
        Ok(vec![format!("held {}", draft.cents)])
    }

    #[interrupt_before(role = "director", covers = (wire), edit = false)]
    #[node(Tier, writes = log, effect)]
    async fn hold_high(draft: &Approved<Draft>) -> Result<Vec<String>> {
        Ok(vec![format!("held high {}", draft.cents)])
    }

    #[node(Tier, writes = log, effect)]
    async fn wire(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call(&format!("wire {}", draft.cents), cx.idempotency_key()).await?])
    }

    #[node(Tier, writes = log)]
    async fn other(text: &str) -> Result<Vec<String>> {
        Ok(vec![text.to_owned()])
    }

    #[node(Tier, writes = log)]
    async fn refuse_low(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.note.clone()])
    }

    #[node(Tier, writes = log)]
    async fn refuse_high(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.note.clone()])
    }

    graph! {
        pub Tiered<Tier, World> {
            start -> propose -> hold_low -> (other, hold_high -> wire) -> end;
            hold_low { reject -> refuse_low }
            hold_high { reject -> refuse_high }
            refuse_low -> end;
            refuse_high -> end;
        }
    }

    #[tokio::test]
    async fn a_clerk_cannot_rerun_what_a_director_signed() {
        let world = World::new([Behavior::Fails]);
        let agent = Tiered::new(world.clone(), MemoryStore::new());
        let TieredTurn::HoldLow(review) = agent.start("t", TierInput { text: "abc".into() }).await.unwrap()
        else {
            panic!()
        };
        let TieredTurn::HoldHigh(review) =
            agent.decide("t", review.digest(), &clerk(), Verdict::Approve).await.unwrap()
        else {
            panic!()
        };
        let TieredTurn::InDoubt(doubt) =
            agent.decide("t", review.digest(), &director(), Verdict::Approve).await.unwrap()
        else {
            panic!()
        };
        let again = agent.settle("t", doubt.digest(), &clerk(), Settlement::RunAgain).await;
        assert!(matches!(again, Err(Error::RoleMissing { role, .. }) if role == "director"));
        assert_eq!(world.calls(), 1);
    }
}

mod pending {
    use super::*;
    use hitl::journal::{JournalKey, JournalKeys, Purpose};

    fn key(byte: u8) -> JournalKey {
        JournalKey::new([byte; 32]).unwrap()
    }

    #[tokio::test]
    async fn a_runner_key_cannot_forge_a_pending_edit() {
        let store = MemoryStore::new();
        let world = World::default();
        // The attacker has the store and the runner's key, but no key for verdicts.
        let thief = Payer::new(world.clone(), store.clone()).journal_keys(JournalKeys::new(key(1)));
        let PayerTurn::PaySmall(review) = thief.start("t", CaseInput { cents: 5 }).await.unwrap() else {
            panic!()
        };
        world.set_down(true);
        let edit = Verdict::Edit { patch: serde_json::json!({ "cents": 999 }) };
        let _ = thief.decide("t", review.digest(), &both(), edit).await;
        let id = hitl::ThreadId::new("t").unwrap();
        for _ in 0..200 {
            if hitl::Store::tail(&store, &id).await.unwrap().unwrap().before.is_some() {
                break;
            }
            let _ = thief.resume("t").await;
        }
        let tail = hitl::Store::tail(&store, &id).await.unwrap().unwrap();
        assert!(tail.before.is_some());
        world.set_down(false);
        // An honest process that signs run entries and verdicts, each with its own key.
        let keys = JournalKeys::signing(key(1), Purpose::Running).and_signing(key(2), Purpose::Verdicts);
        let honest = Payer::new(world.clone(), store.clone()).journal_keys(keys);
        let error = honest.resume("t").await.unwrap_err();
        assert_eq!(error.code(), "unauthenticated_entry", "{error}");
        assert_eq!(world.calls(), 0);
    }
}
