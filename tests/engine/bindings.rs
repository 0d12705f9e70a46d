//! Arms of a `match` that bind a payload to a field.

use std::sync::atomic::{AtomicUsize, Ordering};

use hitl::{Error, MemoryStore, Operator, journal::Event, prelude::*};
use serde::{Deserialize, Serialize};

use crate::{
    kit::world::World,
    new_code::{events, journal, later, stored},
};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(range(max = 1_000))]
    pub cents: u32,
}

/// The calls that a model may propose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    Refund(Refund),
    Credit { draft: Box<Refund>, days: u32 },
    Several(Vec<Refund>),
    Say(String),
}

#[state]
pub struct Desk {
    #[input]
    pub call: Call,
    pub draft: Refund,
    pub drafts: Vec<Refund>,
    pub days: u32,
    #[reduce(append)]
    pub done: Vec<String>,
    #[output]
    pub answer: String,
}

#[interrupt_before(role = "clerk")]
#[node(Desk, writes = done, effect)]
async fn refund(draft: &Approved<Refund>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("refund {}", draft.cents), cx.idempotency_key()).await?])
}

#[interrupt_before(role = "clerk", show = days)]
#[node(Desk, writes = done, effect)]
async fn credit(draft: &Approved<Refund>, days: u32, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    let call = format!("credit {} in {days} days", draft.cents);
    Ok(vec![world.call(&call, cx.idempotency_key()).await?])
}

#[node(Desk, writes = done)]
async fn look(draft: &Refund) -> Result<Vec<String>> {
    Ok(vec![format!("saw {}", draft.cents)])
}

#[node(Desk, writes = answer)]
async fn close(done: Option<&Vec<String>>, _no: Option<&Rejection>) -> Result<String> {
    Ok(done.map(|done| done.join(", ")).unwrap_or_default())
}

graph! {
    /// A name in an arm writes the field, in front of a review, a `match`, a `for` and the end.
    pub Caller<Desk, World> {
        start -> match call {
            Call::Refund(draft) => match draft.cents {
                0 => close -> end,
                _ => refund -> close,
            },
            Call::Credit { draft, days } => credit -> close,
            Call::Several(drafts) => for draft in drafts { look } -> close,
            Call::Say(answer) => end,
        };
        refund { reject -> close }
        credit { reject -> close }
    }
}

fn clerk() -> Operator {
    Operator::new("mara").role("clerk")
}

async fn start(world: &World, call: Call) -> Result<(MemoryStore, Agent<Caller>, CallerTurn), Error> {
    let store = MemoryStore::new();
    let agent = Caller::new(world.clone(), store.clone());
    let turn = agent.start("t", DeskInput { call }).await?;
    Ok((store, agent, turn))
}

fn answer(turn: CallerTurn) -> String {
    let CallerTurn::Done(done) = turn else { panic!("{turn}") };
    done
}

#[tokio::test]
async fn an_arm_writes_its_payload_to_the_field_of_its_name() -> Result<(), Error> {
    let world = World::default();
    let (store, agent, turn) = start(&world, Call::Refund(Refund { cents: 9 })).await?;
    let CallerTurn::Refund(review) = turn else { panic!("{turn}") };
    assert_eq!(review.draft(), &Refund { cents: 9 });
    let _ = review.approve(&clerk()).await?;
    assert_eq!(world.called(), ["refund 9"]);
    agent.verify("t").await?;
    let Event::Ran { node, wrote, .. } = &events(&journal(&store).await)[1] else { panic!() };
    assert_eq!((node.as_str(), wrote["draft"].get()), ("bind:start:call:Refund:draft", r#"{"cents":9}"#));

    let (_, agent, turn) =
        start(&world, Call::Credit { draft: Box::new(Refund { cents: 5 }), days: 3 }).await?;
    let CallerTurn::Credit(review) = turn else { panic!("{turn}") };
    let _ = review.approve(&clerk()).await?;
    assert_eq!(world.called()[1..], ["credit 5 in 3 days"]);
    agent.verify("t").await?;

    let both = vec![Refund { cents: 1 }, Refund { cents: 2 }];
    let (_, agent, turn) = start(&world, Call::Several(both)).await?;
    assert_eq!(answer(turn), "saw 1, saw 2");
    agent.verify("t").await?;
    assert_eq!(answer(start(&world, Call::Refund(Refund { cents: 0 })).await?.2), "");
    assert_eq!(answer(start(&world, Call::Say("hello".to_owned())).await?.2), "hello");
    Ok(())
}

/// An edit changes the bound field, and is no edit of the value that was matched.
#[tokio::test]
async fn an_edit_of_a_bound_draft_takes_the_routes_after_the_binding() -> Result<(), Error> {
    let world = World::default();
    for (cents, calls) in [(8, &["refund 8"][..]), (0, &["refund 8"])] {
        let (_, agent, turn) = start(&world, Call::Refund(Refund { cents: 9 })).await?;
        let CallerTurn::Refund(review) = turn else { panic!("{turn}") };
        let patch = serde_json::json!({ "cents": cents });
        let turn = agent.decide("t", review.digest(), &clerk(), Verdict::Edit { patch }).await?;
        let done = answer(turn);
        assert_eq!(done.is_empty(), cents == 0);
        assert_eq!(world.called(), calls);
        let snapshot = agent.snapshot("t").await?;
        assert_eq!(snapshot.fields.call, Some(Call::Refund(Refund { cents: 9 })));
        agent.verify("t").await?;
    }
    Ok(())
}

/// A payload is checked while the whole value can still be refused: as an input, or as the output of a node.
#[tokio::test]
async fn a_payload_that_breaks_its_invariants_is_refused_with_the_whole_value() -> Result<(), Error> {
    let world = World::default();
    let error = start(&world, Call::Refund(Refund { cents: 9_999 })).await.unwrap_err();
    assert_eq!(error.code(), "invalid_input", "{error}");
    assert!(error.to_string().contains("`draft` breaks its invariants"), "{error}");

    let agent = Planner::new(world.clone(), MemoryStore::new());
    let turn = agent.start("t", PlanInput { sizes: vec![9_999, 7] }).await?;
    let PlannerTurn::Give(review) = turn else { panic!("{turn}") };
    assert_eq!((review.draft(), world.calls()), (&Refund { cents: 7 }, 0));
    let _ = review.approve(&clerk()).await?;
    assert_eq!(world.called(), ["give 7"]);
    agent.verify("t").await.map(drop)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tool {
    Desk(Call),
    Stop,
}

#[state]
pub struct Plan {
    #[input]
    pub sizes: Vec<u32>,
    pub tool: Tool,
    pub call: Call,
    pub draft: Refund,
    #[output]
    #[reduce(append)]
    pub said: Vec<String>,
}

static PLANS: AtomicUsize = AtomicUsize::new(0);

/// Proposes the next size with each attempt, like a model that is asked again.
#[node(Plan, writes = tool, retries = 1, backoff = "1ms")]
async fn think(sizes: &[u32]) -> Result<Tool> {
    let attempt = PLANS.fetch_add(1, Ordering::Relaxed);
    Ok(Tool::Desk(Call::Refund(Refund { cents: sizes[attempt % sizes.len()] })))
}

#[interrupt_before(role = "clerk")]
#[node(Plan, writes = said, effect)]
async fn give(draft: &Approved<Refund>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("give {}", draft.cents), cx.idempotency_key()).await?])
}

#[node(Plan, writes = said)]
async fn decline(_no: Option<&Rejection>) -> Result<Vec<String>> {
    Ok(vec!["declined".to_owned()])
}

graph! {
    /// A payload of a payload. An edit of it changes neither.
    pub Planner<Plan, World> {
        start -> think -> match tool {
            Tool::Desk(call) => match call {
                Call::Refund(draft) => give -> end,
                _ => decline,
            },
            Tool::Stop => decline,
        };
        give { reject -> decline }
        decline -> end;
    }
}

/// New code may rename the node before a `match`. A thread that stands at an arm goes on.
#[tokio::test]
async fn a_renamed_node_renames_the_arms_after_it() -> Result<(), Error> {
    let (store, world) = (MemoryStore::new(), World::default());
    let call = Call::Refund(Refund { cents: 9 });
    let _ = older::Caller::new(world.clone(), store.clone()).start("t", DeskInput { call }).await?;
    let records = journal(&store).await;
    // It stops before the arm, as by a crash, or at the review, from which an edit goes back to the arm.
    for (kept, cents) in [(2, 8), (records.len(), 7)] {
        let agent = newer::Caller::new(world.clone(), stored(records[..kept].to_vec()).await).clock(later());
        let turn = agent.resume("t").await?;
        let newer::CallerTurn::Refund(review) = turn else { panic!("{turn}") };
        let patch = serde_json::json!({ "cents": cents });
        let _ = agent.decide("t", review.digest(), &clerk(), Verdict::Edit { patch }).await?;
    }
    assert_eq!(world.called(), ["refund 8", "refund 7"]);
    Ok(())
}

mod older {
    use super::*;

    #[node(Desk, writes = done)]
    async fn look_up() -> Result<Vec<String>> {
        Ok(vec![])
    }

    graph! {
        pub Caller<Desk, World> {
            start -> look_up -> match call { Call::Refund(draft) => match draft.cents { 0 => close, _ => refund }, _ => close };
            refund { reject -> close }
            refund -> close -> end;
        }
    }
}

mod newer {
    use super::*;

    #[node(Desk, writes = done)]
    async fn find() -> Result<Vec<String>> {
        Ok(vec![])
    }

    graph! {
        pub Caller<Desk, World> {
            start -> find -> match call { Call::Refund(draft) => match draft.cents { 0 => close, _ => refund }, _ => close };
            refund { reject -> close }
            refund -> close -> end;
            renamed look_up -> find;
        }
    }
}
