//! Interactions of two mechanisms: settlements with covered effects, and pending edits with journal keys.

use std::sync::{Arc, Mutex};

use hitl::{Error, journal::Settlement, prelude::*};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(range(max = 1_000))]
    pub cents: u32,
}

#[derive(Clone, Default)]
pub struct World {
    calls: Arc<Mutex<Vec<String>>>,
}

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
    async fn wire(draft: &Approved<Draft>, world: Deps<World>) -> Result<Vec<String>> {
        world.calls.lock().unwrap().push(format!("wire {} for {}", draft.cents, draft.operator()));
        Err(NodeError::msg("no answer"))
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
        let world = World::default();
        let agent = Tiered::new(world.clone(), MemoryStore::new());
        let (clerk, director) = (Operator::new("carl").role("clerk"), Operator::new("dora").role("director"));
        let TieredTurn::HoldLow(review) = agent.start("t", TierInput { text: "abc".into() }).await.unwrap()
        else {
            panic!()
        };
        let TieredTurn::HoldHigh(review) =
            agent.decide("t", review.digest(), &clerk, Verdict::Approve).await.unwrap()
        else {
            panic!()
        };
        let TieredTurn::InDoubt(doubt) =
            agent.decide("t", review.digest(), &director, Verdict::Approve).await.unwrap()
        else {
            panic!()
        };
        let again = agent.settle("t", doubt.digest(), &clerk, Settlement::RunAgain).await;
        assert!(matches!(again, Err(Error::RoleMissing { role, .. }) if role == "director"));
        assert_eq!(world.calls.lock().unwrap().len(), 1);
    }
}

mod pending {
    use super::*;
    use hitl::journal::{JournalKey, JournalKeys, Purpose};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Size {
        Small,
        Large,
    }

    #[state]
    pub struct Order {
        #[input]
        pub cents: u32,
        pub draft: Draft,
        pub size: Size,
        #[output]
        pub outcome: String,
    }

    #[derive(Clone, Default)]
    pub struct Till {
        paid: Arc<Mutex<Vec<String>>>,
        closed: Arc<Mutex<bool>>,
    }

    #[node(Order, writes = draft)]
    async fn propose(cents: &u32) -> Result<Draft> {
        Ok(Draft { cents: *cents })
    }

    #[node(Order, writes = size)]
    async fn measure(draft: &Draft, till: Deps<Till>) -> Result<Size> {
        if *till.closed.lock().unwrap() {
            return Err(NodeError::msg("closed"));
        }
        Ok(if draft.cents > 100 { Size::Large } else { Size::Small })
    }

    #[interrupt_before(role = "clerk")]
    #[node(Order, writes = outcome, effect)]
    async fn pay_small(draft: &Approved<Draft>, till: Deps<Till>) -> Result<String> {
        till.paid.lock().unwrap().push(format!("small {} by {}", draft.cents, draft.operator()));
        Ok("small".into())
    }

    #[interrupt_before(role = "director")]
    #[node(Order, writes = outcome, effect)]
    async fn pay_large(draft: &Approved<Draft>, till: Deps<Till>) -> Result<String> {
        till.paid.lock().unwrap().push(format!("large {} by {}", draft.cents, draft.operator()));
        Ok("large".into())
    }

    #[node(Order, writes = outcome)]
    async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(rejection.note.clone())
    }

    graph! {
        pub Payer<Order, Till> {
            start -> propose -> measure -> match size { Size::Small => pay_small, Size::Large => pay_large };
            pay_small -> end;
            pay_large -> end;
            pay_small { reject -> cancel }
            pay_large { reject -> cancel }
            cancel -> end;
        }
    }

    fn key(byte: u8) -> JournalKey {
        JournalKey::new([byte; 32]).unwrap()
    }

    #[tokio::test]
    async fn a_runner_key_cannot_forge_a_pending_edit() {
        let store = MemoryStore::new();
        let till = Till::default();
        // The attacker has the store and the runner's key, but no key for verdicts.
        let thief = Payer::new(till.clone(), store.clone()).journal_keys(JournalKeys::new(key(1)));
        let PayerTurn::PaySmall(review) = thief.start("t", OrderInput { cents: 5 }).await.unwrap() else {
            panic!()
        };
        *till.closed.lock().unwrap() = true;
        let dora = Operator::new("dora").role("clerk").role("director");
        let edit = Verdict::Edit { patch: serde_json::json!({ "cents": 999 }) };
        let _ = thief.decide("t", review.digest(), &dora, edit).await;
        let id = hitl::ThreadId::new("t").unwrap();
        for _ in 0..200 {
            if hitl::Store::tail(&store, &id).await.unwrap().unwrap().before.is_some() {
                break;
            }
            let _ = thief.resume("t").await;
        }
        let tail = hitl::Store::tail(&store, &id).await.unwrap().unwrap();
        assert!(tail.before.is_some());
        *till.closed.lock().unwrap() = false;
        // An honest process that signs run entries and verdicts, each with its own key.
        let keys = JournalKeys::signing(key(1), Purpose::Running).and_signing(key(2), Purpose::Verdicts);
        let honest = Payer::new(till.clone(), store.clone()).journal_keys(keys);
        let error = honest.resume("t").await.unwrap_err();
        assert_eq!(error.code(), "unauthenticated_entry", "{error}");
        assert!(till.paid.lock().unwrap().is_empty());
    }
}
