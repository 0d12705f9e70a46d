//! A check that the generated moves reach every situation.

use std::collections::BTreeSet;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use proptest_state_machine::ReferenceStateMachine;

use super::{
    agent::Node,
    moves::Move,
    reference::{Lane, LaneState, Reference, Thread},
};

const SITUATIONS: &[&str] = &[
    "a stopped effect beside a failed node",
    "already_decided",
    "an edit signs the next review",
    "an edit waits at the next review",
    "bad_operator",
    "bad_verdict",
    "decided after a death",
    "decided, while a dead process holds the lease",
    "decided: approve",
    "decided: ask",
    "decided: edit",
    "decided: reject",
    "died: draft",
    "died: file",
    "died: look",
    "died: pay",
    "died: pay_large",
    "died: rate",
    "died: send",
    "died: tidy",
    "effect_under_way",
    "ended",
    "expired",
    "failed: look",
    "failed: pay",
    "failed: pay_large",
    "failed: send",
    "failed: tidy",
    "fork",
    "in doubt: pay",
    "in doubt: pay_large",
    "in doubt: send",
    "invalid",
    "not_in_doubt",
    "resumed after a death",
    "resumed, while a dead process holds the lease",
    "role_missing",
    "send waits, and tidy has failed",
    "settled before the doubt was recorded",
    "settled: happened",
    "settled: run_again",
    "settled: stop",
    "signature_not_carried",
    "stale",
    "swept after a death",
    "thread_exists",
    "unchanged",
    "unknown_key",
    "unknown_thread",
];

#[test]
fn generated_moves_reach_every_situation() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..1_200 {
        let moves = Reference::sequential_strategy(1..60).new_tree(&mut runner).unwrap();
        let (mut reference, moves, _) = moves.current();
        for this in &moves {
            let before = reference.clone();
            reference.play(this);
            seen.extend(passages(&before, this, &reference).map(str::to_owned));
            if let Some(at) = before.conditions.dies_at.filter(|_| reference.died) {
                seen.insert(format!("died: {}", at.name()));
            }
            situations(&reference, &mut seen);
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), SITUATIONS);
}

/// Returns the situations that a move has met, from the threads before and after it.
fn passages(before: &Reference, this: &Move, after: &Reference) -> impl Iterator<Item = &'static str> {
    let was = |thread: usize| before.threads[thread].as_ref();
    let is_stalled = |thread: &Thread| before.is_running(thread) && !thread.is_held;
    let went_well = after.refusal.is_none() && !after.died;
    let met = match this {
        Move::Resume(thread) => was(*thread).map_or(Vec::new(), |thread| {
            vec![
                (is_stopped_beside_failed(thread), "a stopped effect beside a failed node"),
                (thread.is_held, "resumed, while a dead process holds the lease"),
                (is_stalled(thread), "resumed after a death"),
            ]
        }),
        Move::Decide { thread, .. } => was(*thread).filter(|_| went_well).map_or(Vec::new(), |thread| {
            vec![
                (thread.is_held, "decided, while a dead process holds the lease"),
                (is_stalled(thread), "decided after a death"),
            ]
        }),
        Move::Settle { doubt, .. } if went_well => {
            vec![(!before.doubts[*doubt].is_written, "settled before the doubt was recorded")]
        }
        Move::Sweep => {
            vec![(before.threads.iter().flatten().any(is_stalled), "swept after a death")]
        }
        _ => Vec::new(),
    };
    met.into_iter().filter(|(is_met, _)| *is_met).map(|(_, name)| name)
}

fn is_stopped_beside_failed(thread: &Thread) -> bool {
    matches!(
        thread.lanes[..],
        [
            _,
            Lane { at: LaneState::Failed { stopped: true, .. }, .. },
            Lane { at: LaneState::Failed { .. }, .. }
        ]
    )
}

fn situations(reference: &Reference, seen: &mut BTreeSet<String>) {
    seen.extend(reference.refusal.as_ref().map(|refusal| refusal.code.to_owned()));
    let decided = reference.reviews.iter().filter_map(|review| review.decided.as_ref());
    seen.extend(decided.map(|(_, verdict)| format!("decided: {verdict}")));
    seen.extend(reference.reviews.iter().filter_map(|review| {
        let by = review.proposed_by?;
        let what = match &review.decided {
            Some((decided, "approve")) if decided == by => "an edit signs the next review",
            None => "an edit waits at the next review",
            Some(_) => return None,
        };
        Some(what.to_owned())
    }));
    let settled = reference.doubts.iter().filter_map(|doubt| doubt.settled.as_ref());
    seen.extend(settled.map(|(_, how)| format!("settled: {how}")));
    for thread in reference.threads.iter().flatten() {
        for lane in &thread.lanes {
            seen.extend(match lane.at {
                LaneState::Doubt(doubt) => Some(format!("in doubt: {}", reference.doubts[doubt].node.name())),
                LaneState::Failed { node, stopped: false, .. } => Some(format!("failed: {}", node.name())),
                LaneState::Ended => Some("ended".to_owned()),
                _ => None,
            });
        }
        if thread.is_fork {
            seen.insert("fork".to_owned());
        }
        if let [_, send, tidy] = &thread.lanes[..]
            && matches!((send.at, tidy.at), (LaneState::Open(_), LaneState::Failed { node: Node::Tidy, .. }))
        {
            seen.insert("send waits, and tidy has failed".to_owned());
        }
    }
}
