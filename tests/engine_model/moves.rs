//! The moves that people, programs and the world may make next.

use proptest::{prelude::*, sample::select};
use proptest_state_machine::ReferenceStateMachine;

use super::{
    agent::{Conditions, Effect, Node},
    reference::{LaneState, Reference, Refusal, THREADS, Thread},
};

#[derive(Clone, Debug)]
pub enum Move {
    Start {
        thread: usize,
        wish: u32,
    },
    Decide {
        thread: usize,
        review: usize,
        by: Person,
        verdict_case: VerdictCase,
    },
    Settle {
        thread: usize,
        doubt: usize,
        by: Person,
        how: Settle,
    },
    Resume(usize),
    Sweep,
    Fork {
        from: usize,
        at: Fork,
        to: usize,
    },
    Pass {
        hours: u64,
    },
    Change(Conditions),
    /// Another process takes over.
    Reopen,
}

#[derive(Clone, Copy, Debug)]
pub enum Person {
    /// Holds the role `payer`.
    Mara,
    /// Holds the roles `payer` and `boss`.
    Bob,
    Eve,
    /// Holds the role `payer`, and has no name.
    Nobody,
}

impl Person {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mara => "mara",
            Self::Bob => "bob",
            Self::Eve => "eve",
            Self::Nobody => " ",
        }
    }

    pub fn may(self, node: Node) -> Result<(), Refusal> {
        match self {
            Self::Nobody => Err("bad_operator".into()),
            Self::Eve if node.pays() => Err("role_missing".into()),
            Self::Mara if node == Node::PayLarge => Err("role_missing".into()),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug)]
pub enum VerdictCase {
    Approve,
    Edit(Edit),
    Reject,
    RejectAsExpired,
    Ask(String),
}

#[derive(Clone, Debug)]
pub enum Edit {
    /// Another number of dollars, or the number as the letter's text; 0 breaks the invariants of both.
    To(u32),
    WrongType,
    Misspelled,
    /// No change of the draft.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub enum Settle {
    Happened,
    HappenedWrongly,
    RunAgain,
    Stop,
}

#[derive(Clone, Copy, Debug)]
pub enum Fork {
    Start,
    Head,
}

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Move;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(reference: &Self) -> BoxedStrategy<Move> {
        let thread = 0..THREADS.len();
        let blocked_threads = blocked_threads(reference);
        let doubted = !open_doubts(reference).is_empty();
        let held = reference.threads.iter().flatten().any(|thread| thread.is_held);
        prop_oneof![
            2 => (thread.clone(), 10..12_u32).prop_map(|(thread, wish)| Move::Start { thread, wish }),
            12 => decide(reference),
            if doubted { 6 } else { 1 } => settle(reference),
            if blocked_threads.is_empty() { 1 } else { 5 } => one_of(blocked_threads, THREADS.len() - 1).prop_map(Move::Resume),
            2 => Just(Move::Sweep),
            2 => (thread.clone(), select(vec![Fork::Start, Fork::Head]), thread)
                .prop_map(|(from, at, to)| Move::Fork { from, at, to }),
            if held { 5 } else { 1 } => (1..30_u64).prop_map(|hours| Move::Pass { hours }),
            4 => conditions().prop_map(Move::Change),
            1 => Just(Move::Reopen),
        ]
        .boxed()
    }

    fn preconditions(reference: &Self, this: &Move) -> bool {
        !matches!(this, Move::Sweep) || reference.may_sweep()
    }

    fn apply(mut reference: Self, this: &Move) -> Self {
        reference.play(this);
        reference
    }
}

fn person() -> impl Strategy<Value = Person> {
    prop_oneof![6 => Just(Person::Mara), 6 => Just(Person::Bob), 2 => Just(Person::Eve), 1 => Just(Person::Nobody)]
}

/// Returns a strategy for numbers that are mostly in `open`, and sometimes closed or never used.
fn one_of(open: Vec<usize>, ever: usize) -> BoxedStrategy<usize> {
    if open.is_empty() { (0..=ever).boxed() } else { prop_oneof![5 => select(open), 1 => 0..=ever].boxed() }
}

fn at(reference: &Reference, number: impl Fn(LaneState) -> Option<usize>) -> Vec<usize> {
    let lanes = reference.threads.iter().flatten().flat_map(|thread| &thread.lanes);
    lanes.filter_map(|lane| number(lane.at)).collect()
}

fn open_reviews(reference: &Reference) -> Vec<usize> {
    at(reference, |at| if let LaneState::Open(review) = at { Some(review) } else { None })
}

fn open_doubts(reference: &Reference) -> Vec<usize> {
    at(reference, |at| if let LaneState::Doubt(doubt) = at { Some(doubt) } else { None })
}

/// Returns the threads that do not continue by themselves.
fn blocked_threads(reference: &Reference) -> Vec<usize> {
    let failed =
        |thread: &Thread| thread.lanes.iter().any(|lane| matches!(lane.at, LaneState::Failed { .. }));
    let blocked_threads = |thread: &Thread| failed(thread) || reference.is_running(thread);
    let threads = reference.threads.iter().enumerate();
    threads
        .filter(|(_, thread)| thread.as_ref().is_some_and(blocked_threads))
        .map(|(number, _)| number)
        .collect()
}

/// Returns a strategy for threads: mostly `own`, to which the review or doubt belongs.
fn in_thread(own: Option<usize>) -> BoxedStrategy<usize> {
    let any = 0..THREADS.len();
    match own {
        Some(own) => prop_oneof![9 => Just(own), 1 => any].boxed(),
        None => any.boxed(),
    }
}

fn decide(reference: &Reference) -> impl Strategy<Value = Move> + use<> {
    let open = open_reviews(reference);
    let threads: Vec<usize> = reference.reviews.iter().map(|review| review.thread).collect();
    one_of(open, threads.len()).prop_flat_map(move |review| {
        let thread = in_thread(threads.get(review).copied());
        (thread, person(), verdict_case()).prop_map(move |(thread, by, verdict_case)| Move::Decide {
            thread,
            review,
            by,
            verdict_case,
        })
    })
}

fn verdict_case() -> impl Strategy<Value = VerdictCase> {
    let edit = prop_oneof![4 => select(vec![0, 1, 2, 11, 12]).prop_map(Edit::To), 1 => Just(Edit::WrongType), 1 => Just(Edit::Misspelled), 1 => Just(Edit::Nothing)];
    prop_oneof![
        8 => Just(VerdictCase::Approve),
        3 => edit.prop_map(VerdictCase::Edit),
        2 => Just(VerdictCase::Reject),
        1 => Just(VerdictCase::RejectAsExpired),
        3 => select(vec!["why?", "who?", " "]).prop_map(|question| VerdictCase::Ask(question.to_owned())),
    ]
}

fn settle(reference: &Reference) -> impl Strategy<Value = Move> + use<> {
    let open = open_doubts(reference);
    let threads: Vec<usize> = reference.doubts.iter().map(|doubt| doubt.thread).collect();
    let how = prop_oneof![
        2 => Just(Settle::Happened),
        1 => Just(Settle::HappenedWrongly),
        3 => Just(Settle::RunAgain),
        3 => Just(Settle::Stop),
    ];
    (one_of(open, threads.len()), person(), how).prop_flat_map(move |(doubt, by, how)| {
        let thread = in_thread(threads.get(doubt).copied());
        thread.prop_map(move |thread| Move::Settle { thread, doubt, by, how })
    })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let effect =
        || prop_oneof![3 => Just(Effect::Works), 2 => Just(Effect::Breaks), 1 => Just(Effect::Refuses)];
    let fails = prop_oneof![3 => Just(0), 2 => 1..8_u32];
    let dies_at = select(vec![
        Node::Look,
        Node::Draft,
        Node::Rate,
        Node::Pay,
        Node::PayLarge,
        Node::Send,
        Node::Tidy,
        Node::File,
    ]);
    let dies_at = prop_oneof![1 => Just(None), 1 => dies_at.prop_map(Some)];
    let conditions = (fails, effect(), effect(), any::<bool>(), dies_at);
    conditions.prop_map(|(look_fails, pay, send, tidy_fails, dies_at)| Conditions {
        look_fails,
        pay,
        send,
        tidy_fails,
        dies_at,
    })
}
