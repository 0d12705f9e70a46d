//! The system under test: the real agent, which makes each move.

use std::{marker::PhantomData, time::Duration};

use hitl::{Digest, Error, ManualClock, SweepEvent, Timestamp, journal::Settlement, prelude::*};
use proptest_state_machine::StateMachineTest;
use serde_json::json;

use super::{
    agent::{CaseInput, Node, World},
    comparison::{Known, id},
    moves::{Edit, Fork, Move, Person, Settle, VerdictCase},
    process::{Process, StoreFactory},
    reference::{Reference, Refusal, THREADS},
};

/// The current process, and what outlives it.
pub struct System<S> {
    // Dropped first, because it uses the fields below.
    pub process: Process,
    pub world: World,
    pub known: Known,
    clock: ManualClock,
    stores: S,
}

pub struct Test<S>(PhantomData<S>);

impl<S: StoreFactory> StateMachineTest for Test<S> {
    type SystemUnderTest = System<S>;
    type Reference = Reference;

    fn init_test(_: &Reference) -> System<S> {
        let (world, clock, stores) = (World::default(), ManualClock::at(Timestamp::from_millis(0)), S::new());
        let process = Process::start(&stores, &world, &clock);
        System { process, world, known: Known::default(), clock, stores }
    }

    fn apply(mut system: System<S>, reference: &Reference, this: Move) -> System<S> {
        let answer = system.play(&this, reference);
        assert_eq!(answer.is_none(), reference.died, "the process died");
        let (refused, shown) = match answer {
            Some(Err(error)) => (Some(refusal(&error)), None),
            Some(Ok(shown)) => (None, shown),
            None => (None, None),
        };
        assert_eq!(refused, reference.refusal, "the result of the move");
        system.check(reference, shown);
        system
    }
}

fn refusal(error: &Error) -> Refusal {
    let first = match error {
        Error::AlreadyDecided { by, verdict, .. } => Some((by.clone(), verdict.clone())),
        _ => None,
    };
    Refusal { code: error.code(), first }
}

fn operator(person: Person) -> Operator {
    let operator = Operator::new(person.name());
    match person {
        Person::Eve => operator,
        Person::Bob => operator.role("payer").role("boss"),
        Person::Mara | Person::Nobody => operator.role("payer"),
    }
}

fn verdict(verdict_case: &VerdictCase, node: Option<Node>) -> Verdict {
    let edit = |patch| Verdict::Edit { patch };
    match (verdict_case, node) {
        (VerdictCase::Approve, _) => Verdict::Approve,
        (VerdictCase::Edit(Edit::To(number)), Some(Node::Send)) => edit(match number {
            0 => json!({ "text": "" }),
            number => json!({ "text": number.to_string() }),
        }),
        (VerdictCase::Edit(Edit::To(dollars)), _) => edit(json!({ "dollars": dollars })),
        (VerdictCase::Edit(Edit::WrongType), Some(Node::Send)) => edit(json!({ "text": 7 })),
        (VerdictCase::Edit(Edit::WrongType), _) => edit(json!({ "dollars": "much" })),
        (VerdictCase::Edit(Edit::Misspelled), _) => edit(json!({ "dollar": 7, "tex": "" })),
        (VerdictCase::Edit(Edit::Nothing), _) => edit(json!({})),
        (VerdictCase::Reject, _) => Verdict::Reject { reason: Reason::Other, note: String::new() },
        (VerdictCase::RejectAsExpired, _) => Verdict::Reject { reason: Reason::Expired, note: String::new() },
        (VerdictCase::Ask(question), _) => Verdict::Ask { question: question.clone() },
    }
}

fn settlement(how: Settle) -> Settlement {
    let happened = |json| Settlement::Happened { wrote: serde_json::from_str(json).unwrap() };
    match how {
        Settle::Happened => happened(r#"{"log": ["it happened"]}"#),
        Settle::HappenedWrongly => happened(r#"{"log": "it happened"}"#),
        Settle::RunAgain => Settlement::RunAgain,
        Settle::Stop => Settlement::Stop { note: String::new() },
    }
}

/// The turn of the thread that moved.
type Shown = Option<(usize, String)>;

impl<S: StoreFactory> System<S> {
    /// Makes a move. Returns `None` if the process dies in it; the next process then takes over.
    fn play(&mut self, this: &Move, reference: &Reference) -> Option<Result<Shown, Error>> {
        match this {
            Move::Pass { hours } => self.clock.advance(Duration::from_secs(3600 * hours)),
            Move::Change(conditions) => self.world.state().conditions = *conditions,
            Move::Reopen => self.process = Process::start(&self.stores, &self.world, &self.clock),
            _ => {
                let answer = self.process.wait(async {
                    tokio::select! {
                        biased;
                        () = self.world.death() => None,
                        answer = self.make_move(this, reference) => Some(answer),
                    }
                });
                if answer.is_none() {
                    self.process = Process::start(&self.stores, &self.world, &self.clock);
                    self.world.replace_process();
                }
                return answer;
            }
        }
        Some(Ok(None))
    }

    async fn make_move(&self, this: &Move, reference: &Reference) -> Result<Shown, Error> {
        let agent = &self.process.agent;
        let never = Digest::of(b"never was");
        let (thread, turn) = match this {
            Move::Start { thread, wish } => {
                (*thread, agent.start(THREADS[*thread], CaseInput { wish: *wish }).await?)
            }
            Move::Decide { thread, review, by, verdict_case } => {
                let node = reference.reviews.get(*review).map(|review| review.node);
                let digest = self.known.reviews.get(review).copied().unwrap_or(never);
                let verdict = verdict(verdict_case, node);
                (*thread, agent.decide(THREADS[*thread], digest, &operator(*by), verdict).await?)
            }
            Move::Settle { thread, doubt, by, how } => {
                let digest = self.known.doubts.get(doubt).copied().unwrap_or(never);
                let how = settlement(*how);
                (*thread, agent.settle(THREADS[*thread], digest, &operator(*by), how).await?)
            }
            Move::Resume(thread) => (*thread, agent.resume(THREADS[*thread]).await?),
            Move::Fork { from, at, to } => {
                let place = match at {
                    Fork::Start => 0,
                    Fork::Head => self.known.heads[*from].map_or(0, |(head, _)| head),
                };
                (*to, agent.fork(&id(*from), place, THREADS[*to]).await?)
            }
            Move::Sweep => {
                for noticed in agent.sweep().await? {
                    assert!(matches!(noticed, SweepEvent::Moved { .. }), "{noticed:?}");
                }
                return Ok(None);
            }
            Move::Pass { .. } | Move::Change(_) | Move::Reopen => return Ok(None),
        };
        Ok(Some((thread, turn.to_string())))
    }
}
