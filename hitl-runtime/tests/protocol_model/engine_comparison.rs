//! A comparison of the model with the real engine: both run the same script and must write the same journal.

use std::{sync::Mutex, time::Duration};

use hitl::{Front, ManualClock, Scope, Timestamp, prelude::*};
use stateright::Model;

use super::{
    fold::LaneState,
    journal::{Draft, Event, Node, Person, Resolution, SeenEntry, Stop, Verdict as ModelVerdict, Wrote},
    request::Request,
    runner::End,
    scenarios,
    thread::Thread,
    world::{Action, Answer, World},
};

#[derive(Clone, Copy, Debug)]
pub enum Effect {
    Works,
    Breaks,
    Refuses,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Says(ModelVerdict),
    Settles(Resolution),
    PassesDeadline,
    Resumes,
    Records(ModelVerdict),
    Stops(Stop),
    Unpauses,
}

use Effect::{Breaks, Refuses, Works};
use Move::{PassesDeadline, Records, Resumes, Says, Settles, Stops, Unpauses};

/// The outcomes of the effect, call by call, and the moves of people.
const SCRIPTS: &[(&[Effect], &[Move])] = &[
    (&[Works], &[Says(ModelVerdict::Approve)]),
    (&[Works], &[Says(ModelVerdict::Edit(Draft::Edited))]),
    (&[], &[Says(ModelVerdict::Edit(Draft::Invalid)), Says(ModelVerdict::Reject)]),
    (&[Works], &[Says(ModelVerdict::Ask), Says(ModelVerdict::Approve)]),
    (&[], &[PassesDeadline, Says(ModelVerdict::Approve)]),
    (&[], &[PassesDeadline, Resumes]),
    (&[Breaks, Works], &[Says(ModelVerdict::Approve), Resumes, Settles(Resolution::RunAgain)]),
    (
        &[Breaks, Breaks],
        &[Says(ModelVerdict::Approve), Settles(Resolution::RunAgain), Settles(Resolution::Happened)],
    ),
    (&[Breaks], &[Says(ModelVerdict::Approve), Settles(Resolution::Stop), Resumes]),
    (&[Works], &[Records(ModelVerdict::Approve), Resumes]),
    (&[Works], &[Stops(Stop::Pause), Says(ModelVerdict::Approve), Resumes, Unpauses, Resumes]),
    (&[Works], &[Stops(Stop::Pause), Records(ModelVerdict::Approve), Unpauses, Resumes]),
    (&[], &[Stops(Stop::Pause), Says(ModelVerdict::Reject), Stops(Stop::Cancel), Unpauses, Resumes]),
    (&[], &[Stops(Stop::Cancel), Says(ModelVerdict::Approve), Resumes, Unpauses]),
    (
        &[Breaks],
        &[
            Says(ModelVerdict::Approve),
            Stops(Stop::Cancel),
            Settles(Resolution::RunAgain),
            Settles(Resolution::Happened),
            Resumes,
        ],
    ),
    (&[Refuses, Refuses, Works], &[Says(ModelVerdict::Approve), Resumes, Resumes]),
];

#[tokio::test]
async fn model_and_engine_write_the_same_journal() {
    for (effects, moves) in SCRIPTS {
        assert_eq!(in_model(effects, moves), in_program(effects, moves).await, "{effects:?} {moves:?}");
    }
}

fn in_model(effects: &[Effect], moves: &[Move]) -> Vec<&'static str> {
    let mut world = scenarios::decisions();
    world.budget.errors = 2;
    world.budget.refusals = 2;
    world.budget.settlements = 2;
    (world.budget.stops, world.budget.lifts) = (2, 2);
    let mut thread = world.init_states().remove(0);
    let mut effects = effects.iter();
    run(&world, &mut thread, Action::Ask(Request::Start), &mut effects);
    for this in moves {
        let saw = seen(&thread, |event| matches!(event, Event::Paused(_)));
        let began = seen(&thread, |event| *event == Event::Began);
        let action = match (*this, thread.fold(&world.protocol).main) {
            (Says(verdict), LaneState::Paused { digest, .. }) => {
                Action::Ask(Request::Answer { verdict, digest, saw, by: Person::Clerk })
            }
            (Records(verdict), LaneState::Paused { digest, .. }) => {
                Action::Ask(Request::Record { verdict, digest, saw, by: Person::Clerk })
            }
            (Stops(stop), _) => Action::Ask(Request::Stop(stop)),
            (Unpauses, _) => Action::Ask(Request::Unpause),
            (Says(verdict) | Records(verdict), at) => panic!("{verdict:?} of {at:?}"),
            (Settles(how), _) => Action::Ask(Request::Settle { how, saw: began }),
            (PassesDeadline, _) => Action::PassDeadline,
            (Resumes, _) => Action::Ask(Request::Resume),
        };
        run(&world, &mut thread, action, &mut effects);
    }
    thread.journal.iter().map(|entry| name(&entry.event)).collect()
}

/// Returns the last entry that matches.
fn seen(thread: &Thread, wanted: impl Fn(&Event) -> bool) -> SeenEntry {
    let place = thread.journal.iter().rposition(|entry| wanted(&entry.event)).unwrap_or_default();
    SeenEntry { generation: thread.generation, place: place.try_into().unwrap() }
}

/// Makes one move, and all that follow from it until the thread rests.
fn run<'a>(
    world: &World,
    thread: &mut Thread,
    action: Action,
    effects: &mut impl Iterator<Item = &'a Effect>,
) {
    let mut actions = vec![action];
    while let Some(action) = actions.pop() {
        // A refused request has no next state.
        if let Some(next) = world.next_state(thread, action) {
            *thread = next;
        }
        if let Some((at, runner)) =
            thread.runners.iter().enumerate().find_map(|(at, one)| Some((at, one.as_ref()?)))
            && actions.is_empty()
        {
            actions = if !runner.post.is_empty() {
                vec![Action::Answer(at, Answer::Stored)]
            } else if runner.running[0].activation.node == Node::Draft {
                vec![Action::End(at, 0, End::Wrote(Wrote::Draft(Draft::First)))]
            } else {
                // In reverse order, because actions are popped.
                match effects.next().unwrap() {
                    Works => vec![Action::End(at, 0, End::Wrote(Wrote::Receipt)), Action::Pay(at)],
                    Breaks => vec![Action::End(at, 0, End::Error), Action::Pay(at)],
                    Refuses => vec![Action::End(at, 0, End::NotDone)],
                }
            };
        }
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Started => "started",
        Event::Ran(_) => "ran",
        Event::Paused(_) => "paused",
        Event::Decided { .. } => "decided",
        Event::Began => "began",
        Event::Failed | Event::Withheld => "failed",
        Event::Stopped(_) => "stopped",
        Event::Unpaused => "unpaused",
        Event::InDoubt => "in_doubt",
        Event::Settled { .. } => "settled",
        Event::Resumed => "resumed",
        Event::Renewed | Event::Released => "renewed",
        Event::Ended => "ended",
    }
}

#[draft]
#[derive(Clone, Debug, Validate)]
pub struct Sum {
    #[garde(range(max = 100))]
    pub dollars: u32,
}

#[state]
pub struct Ticket {
    #[input]
    pub wish: u32,
    pub sum: Sum,
    pub receipt: String,
}

#[node(Ticket, writes = sum)]
async fn draft(wish: u32, _question: Option<&Question>) -> Result<Sum> {
    Ok(Sum { dollars: wish })
}

#[interrupt_before(expires = "1h")]
#[node(Ticket, writes = receipt, effect)]
async fn pay(sum: &Approved<Sum>, effects: Deps<Mutex<Vec<Effect>>>) -> Result<String> {
    let effect = effects.lock().unwrap().remove(0);
    match effect {
        Works => Ok(format!("{} dollars", sum.dollars)),
        Breaks => Err(NodeError::msg("the line broke")),
        Refuses => Err(NodeError::not_done("the bank refused")),
    }
}

graph! {
    pub Payer<Ticket, Mutex<Vec<Effect>>> {
        start -> draft -> pay -> end;
        pay { reject -> end, ask -> draft }
    }
}

async fn in_program(effects: &[Effect], moves: &[Move]) -> Vec<&'static str> {
    let clock = ManualClock::at(Timestamp::from_millis(0));
    let store = MemoryStore::new();
    let agent = Payer::new(Mutex::new(effects.to_vec()), store.clone()).clock(clock.clone());
    let mara = Operator::new("mara");
    let front = Front::<Payer>::new(store).clock(clock.clone());
    let thread = || Scope::thread("t").unwrap();
    let _ = agent.start("t", TicketInput { wish: 10 }).await.unwrap();
    for this in moves {
        // Only the journals are compared, so a refusal is ignored.
        let _ = match (*this, agent.turn("t").await.unwrap()) {
            (Says(verdict), PayerTurn::Pay(review)) => match verdict {
                ModelVerdict::Approve => review.approve(&mara).await,
                ModelVerdict::Edit(Draft::Invalid) => review.edit(&mara, |sum| sum.dollars = 1000).await,
                ModelVerdict::Edit(_) => review.edit(&mara, |sum| sum.dollars = 99).await,
                ModelVerdict::Ask => review.ask(&mara, "why?").await,
                ModelVerdict::Reject | ModelVerdict::Expire => review.reject(&mara, Reason::Other, "").await,
            },
            (Settles(how), PayerTurn::InDoubt(doubt)) => match how {
                Resolution::Happened => {
                    let wrote = serde_json::from_str(r#"{"receipt": "on the statement"}"#).unwrap();
                    doubt.happened(&mara, wrote).await
                }
                Resolution::RunAgain => doubt.run_again(&mara).await,
                Resolution::Stop => doubt.stop(&mara, "").await,
            },
            (PassesDeadline, turn) => {
                clock.advance(Duration::from_secs(3600));
                Ok(turn)
            }
            (Resumes, _) => agent.resume("t").await,
            (Records(_), PayerTurn::Pay(review)) => {
                front.record("t", review.digest(), &mara, Verdict::Approve).await
            }
            (Stops(Stop::Pause), turn) => front.pause(thread(), &mara, "").await.map(|()| turn),
            (Stops(Stop::Cancel), turn) => front.cancel(thread(), &mara, "").await.map(|_| turn),
            (Unpauses, turn) => front.unpause(thread(), &mara, "").await.map(|()| turn),
            // The model refuses it, too.
            (Says(_), turn @ PayerTurn::Failed(_)) => Ok(turn),
            (this, turn) => panic!("{this:?} of {turn}"),
        };
    }
    let history = agent.history("t", 0, 100).await.unwrap();
    history.iter().map(|entry| entry.event.name()).collect()
}
