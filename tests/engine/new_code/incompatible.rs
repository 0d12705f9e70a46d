//! Incompatible threads, and the incompatibilities that are reported.

use hitl::prelude::*;

use super::{
    super::kit::world::Behavior,
    assert_incompatible, codes, id, mara,
    v1::{self, World},
    waiting,
};

/// A version with `execute` renamed to `executed`, without a `renamed` line.
pub mod node_renamed {
    use hitl::prelude::*;

    use super::super::v1::{Draft, Ticket, World, cancel, draft, plan};

    #[interrupt_before]
    #[node(Ticket, writes = outcome, effect)]
    async fn executed(draft: &Approved<Draft>) -> Result<String> {
        Ok(draft.order.clone())
    }

    graph! {
        pub Refunds<Ticket, World> {
            start -> plan -> draft -> executed -> end;
            executed { reject -> cancel }
            cancel -> end;
        }
    }
}

#[tokio::test]
async fn a_removed_node_is_reported() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let agent = node_renamed::Refunds::new(world.clone(), store);
    let differences = assert_incompatible(&agent, Some(digest)).await;
    assert_eq!(codes(&differences), [("node_gone", "execute", "")]);
    assert_eq!(
        differences[0].to_string(),
        "the thread is at node `execute`, which `Refunds` no longer has; if `executed` is that node, write `renamed execute -> executed;` in `graph!`"
    );
    assert_eq!(world.calls(), 0);
}

/// A version in which a field inside the draft has another type, and `plans` replaces `plan`.
mod retyped {
    use hitl::prelude::*;

    #[draft]
    #[derive(Clone, Validate)]
    #[garde(allow_unvalidated)]
    pub struct Draft {
        order: String,
        dollars: Money,
    }

    #[draft]
    #[derive(Clone)]
    pub struct Money {
        cents: u64,
    }

    #[state]
    pub struct Ticket {
        #[input]
        message: String,
        plans: Vec<String>,
        draft: Draft,
        #[output]
        outcome: String,
    }

    #[node(Ticket, writes = (plans, draft))]
    async fn draft(message: &str) -> Result<(Vec<String>, Draft)> {
        Ok((vec![], Draft { order: message.to_owned(), dollars: Money { cents: 0 } }))
    }

    #[interrupt_before(unsigned(plans))]
    #[node(Ticket, writes = outcome, effect)]
    async fn execute(draft: &Approved<Draft>, plans: &[String]) -> Result<String> {
        Ok(format!("{} {} {plans:?}", draft.order, draft.dollars.cents))
    }

    graph! {
        pub Refunds<Ticket> {
            start -> draft -> execute -> end;
            execute { reject -> end_it }
            end_it -> end;
        }
    }

    #[node(Ticket, writes = outcome)]
    async fn end_it(rejection: &Rejection) -> Result<String> {
        Ok(rejection.note.clone())
    }
}

#[tokio::test]
async fn changed_types_and_removed_fields_are_all_reported() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let agent = retyped::Refunds::new(store);
    let differences = assert_incompatible(&agent, Some(digest)).await;
    assert_eq!(
        differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "`draft` does not match its type: dollars: invalid type: integer `149`, expected struct Money; convert it with `#[state(version = 2, migrate = …)]`",
            "`Ticket` no longer has the field `plan`, which the thread has written (is it `plans` now?); rename or remove it with `#[state(version = 2, migrate = …)]`",
            "node `execute` reads `plans`, which some path from the thread's position does not write; add it with `#[state(version = 2, migrate = …)]`",
        ]
    );
    // The view shows the values as they were written.
    let view = agent.view("t").await.unwrap();
    assert_eq!(view.fields["plan"], "refund A-9133");
    assert_eq!(view.fields["draft"]["dollars"], 149);
    assert_eq!(view.reviews[0].draft["dollars"], 149);
}

/// A version of the same graph and types whose draft allows at most 100 dollars.
mod tightened {
    use hitl::prelude::*;

    #[draft]
    #[derive(Clone, Validate)]
    pub struct Draft {
        #[garde(pattern(r"^A-[0-9]{4}$"))]
        pub order: String,
        #[garde(range(max = 100))]
        pub dollars: u32,
    }

    #[state]
    pub struct Ticket {
        #[input]
        pub message: String,
        pub plan: String,
        pub draft: Draft,
        #[output]
        pub outcome: String,
    }

    #[node(Ticket, writes = plan)]
    async fn plan(message: &str) -> Result<String> {
        Ok(message.to_owned())
    }

    #[node(Ticket, writes = draft)]
    async fn draft(plan: &str, question: Option<&Question>) -> Result<Draft> {
        let dollars = if question.is_some() { 99 } else { 100 };
        Ok(Draft { order: plan.to_owned(), dollars })
    }

    #[interrupt_before(role = "approver", expires = "24h")]
    #[node(Ticket, writes = outcome, effect)]
    async fn execute(draft: &Approved<Draft>) -> Result<String> {
        Ok(draft.order.clone())
    }

    #[node(Ticket, writes = outcome)]
    async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(rejection.reason.to_string())
    }

    graph! {
        pub Refunds<Ticket> {
            start -> plan -> draft -> execute -> end;
            execute { reject -> cancel, ask -> draft }
            cancel -> end;
        }
    }
}

#[tokio::test]
async fn a_tightened_invariant_applies_to_an_open_draft() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let differences = assert_incompatible(&tightened::Refunds::new(store), Some(digest)).await;
    assert_eq!(
        differences[0].to_string(),
        "`draft`, which is to be signed before `execute`, breaks its invariants: dollars: greater than 100"
    );
    assert_eq!(codes(&differences), [("invariant_tightened", "execute", "draft")]);
}

#[tokio::test]
async fn a_tightened_invariant_spares_a_signed_draft() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Refuses]));
    let digest = waiting(&store, &world, "t").await;
    let agent = v1::Refunds::new(world, store.clone());
    // The bank refused; the signature stays valid for another run.
    let _ = agent.decide("t", digest, &mara(), Verdict::Approve).await.unwrap();
    let check = tightened::Refunds::new(store).check("t").await.unwrap();
    assert!(check.can_go_on(), "{:?}", check.differences);
}

/// A version whose node `plan` also writes `currency`, which `execute` reads, and `filed`, which is an output.
mod more_is_needed {
    use hitl::prelude::*;

    use super::super::v1::Draft;

    #[state]
    pub struct Ticket {
        #[input]
        pub message: String,
        pub plan: String,
        pub currency: String,
        pub draft: Draft,
        #[output]
        pub outcome: String,
        #[output]
        pub filed: u32,
    }

    #[node(Ticket, writes = (plan, currency, filed))]
    async fn plan(message: &str) -> Result<(String, String, u32)> {
        Ok((message.to_owned(), "EUR".to_owned(), 1))
    }

    #[node(Ticket, writes = draft)]
    async fn draft(plan: &str) -> Result<Draft> {
        Ok(Draft { order: plan.to_owned(), dollars: 100 })
    }

    #[interrupt_before(unsigned(currency))]
    #[node(Ticket, writes = outcome, effect)]
    async fn execute(draft: &Approved<Draft>, currency: &str) -> Result<String> {
        Ok(format!("{} {currency}", draft.order))
    }

    graph! {
        pub Refunds<Ticket> {
            start -> plan -> draft -> execute -> end;
            execute { reject -> cancel }
            cancel -> end;
        }
    }

    #[node(Ticket, writes = outcome)]
    async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(rejection.note.clone())
    }
}

#[tokio::test]
async fn unwritten_fields_ahead_are_reported() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let differences = assert_incompatible(&more_is_needed::Refunds::new(store), Some(digest)).await;
    assert_eq!(
        codes(&differences),
        [("unwritten", "execute", "currency"), ("output_unwritten", "", "filed")]
    );
}

/// A version in which the plan is signed, too, before the draft is written. Its JSON is still a string.
mod more_is_signed {
    use hitl::prelude::*;

    use super::super::v1::Draft;

    #[draft]
    #[derive(Clone, Validate)]
    #[serde(transparent)]
    pub struct Plan {
        #[garde(length(min = 1))]
        text: String,
    }

    #[state]
    pub struct Ticket {
        #[input]
        pub message: String,
        pub plan: Plan,
        pub draft: Draft,
        #[output]
        pub outcome: String,
    }

    #[node(Ticket, writes = plan)]
    async fn plan(message: &str) -> Result<Plan> {
        Ok(Plan { text: message.to_owned() })
    }

    #[interrupt_before(covers = (execute))]
    #[node(Ticket, effect)]
    async fn agree(plan: &Approved<Plan>) -> Result<()> {
        println!("{}", plan.text);
        Ok(())
    }

    #[node(Ticket, writes = draft)]
    async fn draft(plan: &Plan) -> Result<Draft> {
        Ok(Draft { order: plan.text.clone(), dollars: 100 })
    }

    #[interrupt_before(review = draft)]
    #[node(Ticket, writes = outcome, effect)]
    async fn execute(draft: &Approved<Draft>, plan: &Approved<Plan>) -> Result<String> {
        Ok(format!("{} {}", draft.order, plan.text))
    }

    #[node(Ticket, writes = outcome)]
    async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(rejection.note.clone())
    }

    graph! {
        pub Refunds<Ticket> {
            start -> plan -> agree -> draft -> execute -> end;
            agree { reject -> cancel }
            execute { reject -> cancel }
            cancel -> end;
        }
    }
}

#[tokio::test]
async fn unsigned_fields_ahead_are_reported() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let differences = assert_incompatible(&more_is_signed::Refunds::new(store), Some(digest)).await;
    assert_eq!(
        differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "node `execute` requires a signed `plan`, but some path from the thread's position does not sign it"
        ]
    );
}

/// A version without a review before `execute`: the draft is signed earlier, before `agree`.
mod signed_earlier {
    use hitl::prelude::*;

    use super::super::v1::{Draft, Ticket, cancel, draft, plan};

    #[interrupt_before(covers = (execute))]
    #[node(Ticket, effect)]
    async fn agree(draft: &Approved<Draft>) -> Result<()> {
        println!("{}", draft.order);
        Ok(())
    }

    #[node(Ticket, writes = outcome, effect)]
    async fn execute(draft: &Approved<Draft>) -> Result<String> {
        Ok(draft.order.clone())
    }

    graph! {
        pub Refunds<Ticket, super::World> {
            start -> plan -> draft -> agree -> execute -> end;
            agree { reject -> cancel }
            cancel -> end;
        }
    }
}

#[tokio::test]
async fn a_removed_review_is_reported() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let differences = assert_incompatible(&signed_earlier::Refunds::new(world, store), Some(digest)).await;
    assert_eq!(codes(&differences), [("no_review", "execute", ""), ("unsigned", "execute", "draft")]);
}

/// A version in which `draft` runs only after a rejection.
mod by_verdict_only {
    use hitl::prelude::*;

    use super::super::v1::{Draft, Ticket, cancel, plan};

    #[node(Ticket, writes = draft)]
    async fn draft(plan: &str, rejection: &Rejection) -> Result<Draft> {
        Ok(Draft { order: plan.to_owned(), dollars: rejection.note.len() as u32 })
    }

    #[node(Ticket, writes = draft)]
    async fn first_draft(plan: &str) -> Result<Draft> {
        Ok(Draft { order: plan.to_owned(), dollars: 1 })
    }

    #[interrupt_before]
    #[node(Ticket, effect)]
    async fn agree(draft: &Approved<Draft>) -> Result<()> {
        println!("{}", draft.order);
        Ok(())
    }

    #[interrupt_before(edit = false)]
    #[node(Ticket, writes = outcome, effect)]
    async fn execute(draft: &Approved<Draft>) -> Result<String> {
        Ok(draft.order.clone())
    }

    graph! {
        pub Refunds<Ticket, super::World> {
            start -> plan -> first_draft -> agree -> execute -> end;
            agree { reject -> draft }
            draft -> execute;
            execute { reject -> cancel }
            cancel -> end;
        }
    }
}

#[tokio::test]
async fn a_missing_payload_is_reported() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = v1::Refunds::new(world.clone(), store.clone());
    // The plan names no order, so the draft of the first version breaks its invariants and the thread fails at `draft`.
    let turn = agent.start("t", v1::TicketInput { message: "nothing".into() }).await.unwrap();
    assert!(matches!(turn, v1::RefundsTurn::Failed(failed) if failed.node() == "draft"));
    let differences = assert_incompatible(&by_verdict_only::Refunds::new(world, store), None).await;
    assert_eq!(
        differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["node `draft` requires a rejection, but the thread did not arrive through one"]
    );
}

#[tokio::test]
async fn a_thread_of_another_graph_is_rejected() {
    mod other {
        use hitl::prelude::*;

        use super::super::v1::{Ticket, World, plan};

        #[node(Ticket, writes = outcome)]
        async fn answer(plan: &str) -> Result<String> {
            Ok(plan.to_owned())
        }

        graph! { pub Answers<Ticket, World> { start -> plan -> answer -> end; } }
    }

    let (store, world) = (MemoryStore::new(), World::default());
    waiting(&store, &world, "t").await;
    let agent = other::Answers::new(world, store);
    assert_eq!(codes(&assert_incompatible(&agent, None).await), [("other_graph", "", "")]);
    let input = v1::TicketInput { message: "A-9133".into() };
    assert_eq!(agent.start("t", input).await.unwrap_err().code(), "thread_exists");
}

#[tokio::test]
async fn an_ended_thread_is_still_readable() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let agent = v1::Refunds::new(world.clone(), store.clone());
    let _ = agent.decide("t", digest, &mara(), Verdict::Approve).await.unwrap();
    let agent = node_renamed::Refunds::new(world.clone(), store.clone());
    let node_renamed::RefundsTurn::Done(outcome) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(outcome, "did A-9133 149 by mara");
    assert!(agent.check("t").await.unwrap().can_go_on());
    // Where types have changed, the view shows the output, and typed reads fail.
    let agent = retyped::Refunds::new(store);
    assert_eq!(agent.turn("t").await.unwrap_err().code(), "graph_changed");
    let view = agent.view("t").await.unwrap();
    assert_eq!(
        (view.standing.as_str(), &view.output.unwrap()["outcome"]),
        ("ended", &"did A-9133 149 by mara".into())
    );
    assert!(agent.snapshot(&id("t")).await.is_err());
}
