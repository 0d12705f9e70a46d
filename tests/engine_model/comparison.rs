//! The comparison of the real agent's observable state with the reference.

use std::collections::{BTreeMap, BTreeSet};

use hitl::{Digest, Error, ThreadId, ThreadStatus, Timestamp, journal::Event, prelude::*};
use serde_json::json;

use super::{
    agent::ClerkTurn,
    process::StoreFactory,
    reference::{LaneState, Reference, Review, THREADS, Thread},
    system::System,
};

/// The digests and heads that were seen.
#[derive(Default)]
pub struct Known {
    /// The digest of each review and of each doubt.
    pub reviews: BTreeMap<usize, Digest>,
    pub doubts: BTreeMap<usize, Digest>,
    /// The head of each thread before the last move.
    pub heads: [Option<(u64, Digest)>; THREADS.len()],
}

impl<S: StoreFactory> System<S> {
    /// Asserts that everything observable is as the reference says.
    pub fn check(&mut self, reference: &Reference, shown: Option<(usize, String)>) {
        for (number, thread) in reference.threads.iter().enumerate() {
            match thread {
                Some(thread) => {
                    self.check_view(number, thread, reference);
                    self.check_history(number, reference);
                }
                None => assert_eq!(self.turn(number).err().unwrap().code(), "unknown_thread"),
            }
        }
        if let Some((thread, turn)) = shown {
            assert_eq!(turn, self.turn(thread).unwrap().to_string(), "the turn");
        }
        self.check_heads(reference);
        self.check_inbox(reference);
        let state = self.world.state();
        assert_eq!(state.call_log, reference.call_log, "the effects");
        assert_key_pattern(&state.pay_keys, &reference.paid_for);
        assert_key_pattern(&state.send_keys, &reference.sent_for);
    }

    fn turn(&self, thread: usize) -> Result<ClerkTurn, Error> {
        self.process.wait(self.process.agent.turn(THREADS[thread]))
    }

    fn check_view(&mut self, number: usize, thread: &Thread, reference: &Reference) {
        let view = self.process.wait(self.process.agent.view(THREADS[number])).unwrap();
        let states: Vec<LaneState> = thread.lanes.iter().map(|lane| lane.at).collect();
        let doubt = reference.doubt(thread);
        let standing = if thread.is_ended() {
            ThreadStatus::Ended
        } else if doubt.is_some() {
            ThreadStatus::InDoubt
        } else if reference.is_running(thread) {
            ThreadStatus::Running
        } else if states.iter().any(|at| matches!(at, LaneState::Failed { .. })) {
            ThreadStatus::Failed
        } else {
            ThreadStatus::Waiting
        };
        assert_eq!(view.standing, standing, "{}", THREADS[number]);
        assert_eq!(view.stalled, reference.is_running(thread) && !thread.is_held, "{}", THREADS[number]);

        for (review, seen) in open_in(&states).zip(&view.reviews) {
            assert_same_digest(&mut self.known.reviews, review, seen.digest);
        }
        let open = open_in(&states).map(|review| {
            let Review { node, deadline_hours, proposed_by, .. } = &reference.reviews[review];
            let draft = match node {
                node if node.pays() => json!({ "dollars": thread.dollars, "note": thread.note }),
                _ => json!({ "text": thread.letter }),
            };
            let deadline = Some(Timestamp::from_millis(deadline_hours * 3_600_000));
            let proposed_by = proposed_by.map(str::to_owned);
            (node.name().to_owned(), draft, self.known.reviews.get(&review).copied(), deadline, proposed_by)
        });
        let open: Vec<_> = open.collect();
        let reviews = view.reviews.into_iter();
        let reviews: Vec<_> = reviews
            .map(|review| {
                (review.node, review.draft, Some(review.digest), review.deadline, review.proposed_by)
            })
            .collect();
        assert_eq!(reviews, open, "the open reviews of {}", THREADS[number]);

        let failure = states.iter().find_map(|at| match at {
            LaneState::Failed { node, stopped, .. } => Some((node.name().to_owned(), *stopped)),
            _ => None,
        });
        assert_eq!(view.failure.map(|failure| (failure.node, failure.stopped)), failure);

        if let (Some(doubt), Some(seen)) = (doubt, &view.in_doubt) {
            assert_same_digest(&mut self.known.doubts, doubt, seen.digest);
        }
        let doubt = doubt.map(|doubt| reference.doubts[doubt].node.name().to_owned());
        assert_eq!(view.in_doubt.map(|doubt| doubt.node), doubt);

        let output = thread.is_ended().then(|| json!({ "log": thread.lanes[0].log }));
        assert_eq!(view.output.map(serde_json::Value::Object), output);
    }

    /// Asserts who decided and settled, and that each attempted effect has a `Began` entry.
    fn check_history(&mut self, number: usize, reference: &Reference) {
        let history = self.process.wait(self.process.agent.history(&id(number), 0, 10_000)).unwrap();
        let history: Vec<Event> = history.into_iter().map(|entry| entry.event).collect();
        // A review that was signed as it opened was never seen open.
        let digests = history.iter().filter_map(|event| match event {
            Event::Paused { digest, .. } => Some(*digest),
            _ => None,
        });
        let numbers =
            (0..reference.reviews.len()).filter(|review| reference.reviews[*review].thread == number);
        numbers
            .zip(digests)
            .for_each(|(review, digest)| assert_same_digest(&mut self.known.reviews, review, digest));
        let reviews = reference.reviews.iter().filter(|review| review.thread == number);
        let doubts = reference.doubts.iter().filter(|doubt| doubt.thread == number);
        let said = history.iter().filter_map(|event| match event {
            Event::Decided { node, operator, verdict, .. } => {
                Some((node.clone(), operator.clone(), verdict.name()))
            }
            _ => None,
        });
        let expected = reviews.filter_map(|review| {
            review.decided.clone().map(|(by, verdict)| (review.node.name().to_owned(), by, verdict))
        });
        assert_eq!(said.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "the operators of verdicts");
        let said = history.iter().filter_map(|event| match event {
            Event::Settled { node, operator, how, .. } => Some((node.clone(), operator.clone(), how.name())),
            _ => None,
        });
        let expected = doubts.filter_map(|doubt| {
            doubt.settled.clone().map(|(by, how)| (doubt.node.name().to_owned(), by, how))
        });
        assert_eq!(said.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "the operators of settlements");
        let began = history.iter().filter(|event| matches!(event, Event::Began { .. })).count();
        let effects = reference.call_log.paid.iter().chain(&reference.call_log.sent);
        assert_eq!(
            began,
            effects.filter(|effect| effect.thread == THREADS[number]).count(),
            "the begun effects"
        );
    }

    /// Asserts that each journal verifies, still has its earlier entries, and has grown if and only if a move has
    /// written.
    fn check_heads(&mut self, reference: &Reference) {
        let verify = |number| {
            let head = self.process.wait(self.process.agent.verify(&id(number))).ok()?;
            Some((head.place.get(), head.hash))
        };
        let heads = std::array::from_fn(verify);
        assert_eq!(heads != self.known.heads, reference.wrote, "whether new entries were written");
        for (number, head) in self.known.heads.iter().enumerate() {
            let Some((place, hash)) = head else { continue };
            let there = self
                .process
                .wait(self.process.agent.store().entries(&id(number), (*place).into(), 1))
                .unwrap();
            assert_eq!(there[0].hash, *hash, "place {place} of {}", THREADS[number]);
        }
        self.known.heads = heads;
    }

    fn check_inbox(&self, reference: &Reference) {
        let inbox = self.process.wait(self.process.agent.inbox(None, 100)).unwrap();
        let found: BTreeSet<_> = inbox.items.into_iter().map(|review| review.digest.to_string()).collect();
        let open = (0..reference.reviews.len()).filter(|review| reference.reviews[*review].decided.is_none());
        let open: BTreeSet<_> = open.map(|review| self.known.reviews[&review].to_string()).collect();
        assert_eq!(found, open, "the inbox");
    }
}

fn open_in(states: &[LaneState]) -> impl Iterator<Item = usize> {
    states.iter().filter_map(|at| if let LaneState::Open(review) = at { Some(*review) } else { None })
}

/// Asserts that a review or doubt always has the same digest, and that nothing else has it.
fn assert_same_digest(known: &mut BTreeMap<usize, Digest>, number: usize, digest: Digest) {
    assert_eq!(*known.entry(number).or_insert(digest), digest, "the digest of {number}");
    assert_eq!(known.values().filter(|other| **other == digest).count(), 1, "the review of digest {number}");
}

pub fn id(thread: usize) -> ThreadId {
    THREADS[thread].parse().unwrap()
}

/// Asserts that two keys are equal if and only if their effects were signed in the same review.
fn assert_key_pattern(keys: &[String], reviews: &[usize]) {
    assert_eq!(keys.len(), reviews.len());
    for (a, one) in keys.iter().enumerate() {
        for (b, other) in keys.iter().enumerate() {
            assert_eq!(one == other, reviews[a] == reviews[b], "the idempotency keys of effects {a} and {b}");
        }
    }
}
