//! The executor: runs a thread until a person must act, or until it ends.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, poll, stream::FuturesUnordered};

use super::{
    activity::RunningGuard,
    attempt::{self, Attempt, AttemptOutcome, FinishedAttempt},
    item_permits::{FullFor, ItemPermits},
    ready_queue::ReadyQueue,
    run_signals::{RunSignal, Wakeup},
};
use crate::{
    Error, ThreadId, Timestamp,
    engine::{
        Engine,
        routing::for_each,
        session::{
            JournalEnd, LaneRules, ReviewRule, ReviewTerms, ThreadWriter, UNRENEWED, condition,
            covered_and_shown, gone, incompatible, take_draft,
        },
    },
    graph::{Point, ReadKind},
    journal::{
        Activation, CheckedDraft, Condition, Event, Fold, Lane, LaneId, LaneState, ROOT, Signature, Signer,
    },
    node::{Cx, GraphTable, NodeError, NodeTable},
    review::{SignatureError, Signatures, check_signature, has_begun},
};

/// The reason why a run of a thread was stopped.
pub(in crate::engine) enum RunError {
    /// The first append had a conflict, and nothing of this run has happened.
    Conflict(ThreadId),
    /// The lease is lost: another runner has the thread.
    LeaseLost(ThreadId),
    Error(Error),
}

impl From<Error> for RunError {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Runs a thread from the entries in `writer` on. This runner must have claimed the thread.
///
/// Every entry is stored before what it announces begins: a node runs after the entry that led to it, an effect after
/// its `Began`. The place in the journal is the fence: a runner that has lost its lease fails to append, and stops. An
/// effect is not called once the stored lease has expired by this process's clock, because another runner may have
/// taken the thread over, and a person may have told it that the effect did not happen.
pub(in crate::engine) async fn execute(mut writer: Box<ThreadWriter>) -> Result<Fold, RunError> {
    let engine = Arc::clone(&writer.engine);
    let _under_way = RunningGuard::begin(&engine);
    if !writer.holds_lease() && writer.fold.runs() {
        // The entry that moved the thread is signed by a key for verdicts alone, and such an entry contains no lease.
        writer.push(Event::Renewed {})?;
    }
    // The end of this runner's lease, as it is stored.
    let leased_until = AtomicU64::new(u64::MAX);
    // Created for the first node that does not complete on its first poll.
    let mut running = None;
    let end = run_all(&engine, &leased_until, writer, &mut running).await;
    match (end, running) {
        (Err(RunError::Error(error)), Some(mut running)) => {
            // Nodes in flight are awaited, not cancelled, so that no effect is interrupted. The journal says which
            // effects began.
            while running.next().await.is_some() {}
            Err(RunError::Error(error))
        }
        (end, _) => end,
    }
}

type RunningAttempts<'a> = FuturesUnordered<BoxFuture<'a, FinishedAttempt>>;

async fn run_all<'a>(
    engine: &'a Arc<Engine>,
    leased_until: &'a AtomicU64,
    mut writer: Box<ThreadWriter>,
    running: &mut Option<RunningAttempts<'a>>,
) -> Result<Fold, RunError> {
    let thread = writer.fold.thread.clone();
    let mut busy = BTreeSet::new();
    // The results of nodes since the last flush, recorded again if the flush has a conflict.
    let mut ended: Vec<FinishedAttempt> = Vec::with_capacity(1);
    let mut first = true;
    let mut moved = Moved::All;
    let mut queue = ReadyQueue::default();
    let mut attempts = Vec::new();
    let mut timer = None;
    let (mut signal, mut has_stopped) = (None, false);
    // The error because of which no effect may be called, and nothing begins any more in this run.
    let mut broken = None;
    loop {
        let made = writer.fold.lanes_made();
        let stopped = broken.is_some() || engine.is_halted(&writer.fold);
        let Pass { more, skipped } = advance(&mut writer, &busy, stopped, &moved, &mut queue, &mut attempts)?;
        let runs = !busy.is_empty() || !attempts.is_empty();
        if signal.is_none() && runs && takes_verdicts(&writer.fold) {
            // Before the append: an entry that another writer appends later signals it, and an earlier one is a conflict.
            signal = Some(engine.run_signals.register(&thread));
        }
        if !writer.flush(!first).await? {
            if first {
                return Err(RunError::Conflict(thread));
            }
            attempts.clear();
            signal.iter_mut().for_each(RunSignal::clear);
            let stored: BoxFuture<'_, _> = Box::pin(engine.load(&thread));
            replace(&mut writer, stored.await?)?;
            moved = Moved::All;
            for finished in &mut ended {
                record(&mut writer, finished).await?;
            }
            continue;
        }
        first = false;
        ended.clear();
        moved = if more || skipped { Moved::All } else { moved.emptied(made) };
        let until = writer.fold.lease.as_ref().map_or(Timestamp::MAX, |lease| lease.until);
        leased_until.store(until.as_millis(), Ordering::Relaxed);
        let began = JournalEnd { place: writer.fold.next, hash: writer.fold.hash };
        for this in attempts.drain(..) {
            let lane = this.lane;
            let mut work = attempt::run(engine, this, leased_until, began).boxed();
            // A node that completes on its first poll needs no place in `running`, no timer and no waker.
            if busy.is_empty()
                && !writer.is_full()
                && let Poll::Ready(mut finished) = poll!(&mut work)
            {
                moved.add(&writer.fold, lane);
                queue.ended(&writer.fold, lane);
                record(&mut writer, &mut finished).await?;
                broken = broken.or(finished.take_cause());
                ended.push(finished);
            } else {
                busy.insert(lane);
                running.get_or_insert_default().push(work);
            }
        }
        if more && let Poll::Ready(Some(mut finished)) = poll!(running.get_or_insert_default().next()) {
            // The nodes in flight, their timeouts among them, go on between the appends.
            busy.remove(&finished.lane);
            record(&mut writer, &mut finished).await?;
            broken = broken.or(finished.take_cause());
            ended.push(finished);
        }
        if more || !ended.is_empty() {
            continue;
        }
        if busy.is_empty() {
            debug_assert!(!writer.fold.runs() || skipped, "a lane that can run was not examined");
            if skipped && writer.fold.runs() && broken.is_none() && !engine.is_halted(&writer.fold) {
                // The stop was lifted after this pass.
                continue;
            }
            if writer.holds_lease() && writer.fold.is_leased(engine.clock.now()) {
                // It is stopped: the first runner that finds that lifted goes on.
                writer.push_end_of_lease()?;
                continue;
            }
            return match broken {
                Some(error) => Err(RunError::Error(error)),
                None => Ok(writer.fold),
            };
        }
        let heard = signal.as_mut().filter(|_| takes_verdicts(&writer.fold) && !has_stopped);
        let wakeup: BoxFuture<'_, _> =
            Box::pin(engine.next_wakeup(&writer.fold, running.get_or_insert_default(), &mut timer, heard));
        match wakeup.await {
            Wakeup::Finished(mut finished) => {
                busy.remove(&finished.lane);
                moved.add(&writer.fold, finished.lane);
                queue.ended(&writer.fold, finished.lane);
                record(&mut writer, &mut finished).await?;
                broken = broken.or(finished.take_cause());
                ended.push(*finished);
            }
            Wakeup::Renewal => writer.push(Event::Renewed {})?,
            Wakeup::Append => {
                let stored: BoxFuture<'_, _> = Box::pin(engine.load(&thread));
                match stored.await {
                    // Nodes that run when a person closes the thread end by themselves.
                    Ok(Some(stored)) if stored.is_closed() => has_stopped = true,
                    Ok(stored) => {
                        replace(&mut writer, stored)?;
                        moved = Moved::All;
                    }
                    // The next look, or the conflict of the next append, reads it again.
                    Err(Error::Store(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Returns whether a person can act on a thread while some of its nodes run.
fn takes_verdicts(fold: &Fold) -> bool {
    fold.lanes.has_in_doubt() || fold.open().next().is_some()
}

/// Replaces a thread in memory with the stored one, after another writer has appended to it.
fn replace(writer: &mut ThreadWriter, stored: Option<Fold>) -> Result<(), RunError> {
    let thread = writer.fold.thread.clone();
    writer.reset(stored.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?);
    if !writer.holds_lease() {
        writer.log_lost_lease();
        return Err(RunError::LeaseLost(thread));
    }
    writer.adapt()?;
    Ok(())
}

/// Records the result of an attempt. If the thread cannot take the node's values, because a reducer, a serializer or
/// the guard of a `match` fails on them, the node counts as failed, and the values are never stored.
async fn record(writer: &mut ThreadWriter, finished: &mut FinishedAttempt) -> Result<(), Error> {
    match record_once(writer, finished) {
        Err(error) if is_of_user_code(&error) && matches!(finished.end, AttemptOutcome::Wrote { .. }) => {
            let rewound: BoxFuture<'_, _> = Box::pin(writer.rewind());
            rewound.await?;
            finished.end = attempt::failed(
                &NodeError::msg(text_without_thread(&error)),
                is_unsure(writer.engine.graph, finished.node),
            );
            record_once(writer, finished)
        }
        recorded => recorded,
    }
}

/// Returns whether the program's own types or graph are the reason why a thread cannot take a node's values.
fn is_of_user_code(error: &Error) -> bool {
    matches!(error, Error::UserCodeFailed { .. } | Error::GraphChanged { .. })
}

/// Returns the error's text without the thread, which the reader of a thread's failure knows.
fn text_without_thread(error: &Error) -> String {
    match error {
        Error::UserCodeFailed { place, problem, .. } => format!("the {place} {problem}"),
        Error::GraphChanged { differences, .. } => crate::text::list(differences),
        error => error.to_string(),
    }
}

/// Returns whether a second run of a node may repeat its effect: the node is an effect and not idempotent.
fn is_unsure(graph: &'static GraphTable, node: usize) -> bool {
    graph.spec.nodes.get(node).is_some_and(|spec| spec.effect && !spec.idempotent)
}

fn record_once(writer: &mut ThreadWriter, finished: &mut FinishedAttempt) -> Result<(), Error> {
    let lane = finished.lane;
    if writer.fold.lanes.get(&lane).and_then(|lane| lane.at.activation()) != Some(&finished.activation) {
        // The store had taken this entry before it reported the conflict.
        return Ok(());
    }
    if let Some(end) = refused(writer, finished) {
        finished.end = end;
    }
    let node = || finished.activation.node.clone();
    // A result is recorded a second time after a conflict.
    match &mut finished.end {
        AttemptOutcome::Wrote { writes, drafted, back } => {
            let checked = (drafted.take(), std::mem::take(back));
            writer.push_ran(lane, finished.node, &writes.0, checked, &finished.spent)
        }
        AttemptOutcome::Unknown { error } => {
            let key = finished.cx.idempotency_key().to_owned();
            let event = Event::InDoubt { node: node(), lane, key, error: error.clone() };
            writer.push_spent(event, finished.spent.clone())
        }
        // A run before this one may have called it. It begins again once the stop is lifted.
        AttemptOutcome::Withheld { .. } if !is_unsure(writer.engine.graph, finished.node) => Ok(()),
        AttemptOutcome::Withheld { error, .. } => {
            let again = Some(writer.engine.clock.now());
            let (node, error) = (node(), error.clone());
            writer.push(Event::Failed { node, lane, error, again, withheld: true })
        }
        AttemptOutcome::Failed { error } => {
            let retry = writer.engine.graph.spec.nodes[finished.node].retry;
            let failures = finished.activation.failures;
            let again = (failures < retry.retries).then(|| {
                let backoff = retry.backoff.saturating_mul(1 << failures.min(20));
                writer.engine.clock.now().saturating_add(backoff)
            });
            let event = Event::Failed { node: node(), lane, error: error.clone(), again, withheld: false };
            writer.push_spent(event, finished.spent.clone())
        }
    }
}

/// Returns a failure for a result that would lead more items into a `for` than it takes, so that none of the items
/// runs.
fn refused(writer: &ThreadWriter, finished: &FinishedAttempt) -> Option<AttemptOutcome> {
    let AttemptOutcome::Wrote { writes, .. } = &finished.end else { return None };
    let fields = &writer.fold.lanes.get(&finished.lane)?.fields;
    let wrote = |field: &str| writes.0.iter().find(|(wrote, _)| *wrote == field).map(|(_, json)| json.get());
    let graph = writer.engine.graph;
    let problem = for_each::fits(graph, Point::Node(finished.node), fields, wrote).err()?;
    Some(attempt::failed(&NodeError::msg(problem), is_unsure(graph, finished.node)))
}

/// The result of one pass over the lanes.
struct Pass {
    /// `true` if the queued entries are enough for one append, and there may be more lanes to move after it.
    more: bool,
    /// `true` if lanes were skipped because of a stop: all of them have to be examined once it is lifted.
    skipped: bool,
}

impl Pass {
    const COMPLETE: Self = Self { more: false, skipped: false };
    const FULL: Self = Self { more: true, skipped: false };
    const HALTED: Self = Self { more: false, skipped: true };
}

/// Moves every lane as far as it goes without running a node, and adds the attempts to run next.
// The box of an attempt moves into the future that runs it.
#[allow(clippy::vec_box)]
fn advance(
    writer: &mut ThreadWriter,
    busy: &BTreeSet<LaneId>,
    stopped: bool,
    moved: &Moved,
    queue: &mut ReadyQueue,
    attempts: &mut Vec<Box<Attempt>>,
) -> Result<Pass, Error> {
    let mut permits = ItemPermits::new(&writer.fold, busy);
    // This process does not run them, and the lease of the runner that began them has expired.
    for lane in writer.fold.lanes.begun().into_iter().filter(|lane| !busy.contains(lane)) {
        attempts.extend(take_over(writer, lane, stopped, &mut permits)?);
    }
    // Nothing below leads to the end, so it is recorded in the append of the entry that led there.
    if writer.fold.is_at_end() {
        writer.push(Event::Ended {})?;
    }
    // A review waits for no permit.
    for lane in moved.lanes(writer.fold.lanes_made()) {
        if writer.is_full() {
            return Ok(Pass::FULL);
        }
        if !stopped && !busy.contains(&lane) {
            let first = first_of(writer, lane)?;
            if matches!(first, First::Review(_)) {
                advance_ready(writer, lane, first, &mut permits)?;
            }
        }
    }
    if stopped {
        return Ok(Pass::HALTED);
    }
    match moved {
        Moved::All => queue.reset(&writer.fold),
        moved => moved.lanes(writer.fold.lanes_made()).for_each(|lane| queue.moved(&writer.fold, lane)),
    }
    queue.begin_pass();
    while let Some(parent) = queue.pop(&writer.fold, &permits) {
        let (mut next, mut waits) = (ROOT, None);
        while let Some(lane) = writer.fold.lanes.next_ready(parent, next) {
            next = lane + 1;
            if busy.contains(&lane) || queue.is_started(lane) {
                continue;
            }
            if writer.is_full() {
                return Ok(Pass::FULL);
            }
            let first = first_of(writer, lane)?;
            match advance_ready(writer, lane, first, &mut permits)? {
                Advanced::Stands => {}
                Advanced::Runs(attempt) => {
                    queue.began(&writer.fold, lane);
                    attempts.push(attempt);
                }
                Advanced::Again => next = lane,
                // The lanes after it came out of the same lane and wait for the same permits, except for reviews.
                Advanced::Waits(full) => {
                    waits.get_or_insert(full);
                    if !matches!(moved, Moved::All) {
                        break;
                    }
                }
            }
        }
        if let Some(full) = waits {
            queue.wait(full, parent);
        }
    }
    Ok(Pass::COMPLETE)
}

/// The lanes that may stand before a review that has not been opened.
enum Moved {
    All,
    /// The lanes whose nodes have finished, those that they came out of, and those from the number `made` on.
    Some {
        lanes: Vec<LaneId>,
        made: LaneId,
    },
}

impl Moved {
    /// Adds a lane whose node has finished, before the result is recorded.
    fn add(&mut self, fold: &Fold, lane: LaneId) {
        if let Self::Some { lanes, .. } = self {
            lanes.push(lane);
            lanes.extend(fold.around(lane));
        }
    }

    /// Returns the lanes, of a thread that has made `all` lanes so far.
    fn lanes(&self, all: LaneId) -> impl Iterator<Item = LaneId> + '_ {
        let (lanes, made) = match self {
            Self::All => (&[][..], all),
            Self::Some { lanes, made } => (lanes.as_slice(), *made),
        };
        lanes.iter().copied().chain(made..all)
    }

    /// Returns no lanes, in the allocation of these.
    fn emptied(self, made: LaneId) -> Self {
        let mut lanes = match self {
            Self::All => Vec::new(),
            Self::Some { lanes, .. } => lanes,
        };
        lanes.clear();
        Self::Some { lanes, made }
    }
}

/// The first step of a lane that is ready.
enum First {
    /// Its node runs.
    Node,
    /// The review before its node.
    Review(Opening),
    /// Nothing: its node must not begin on a rule's signature, for this reason.
    Refused(SignatureError),
}

/// The way in which a review opens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// The node is reached: the condition of the review is evaluated, and the rule signs if it may.
    First,
    /// The condition by which a rule had signed is true, so a person is asked.
    RuleAsks,
    /// A person had signed in a role that the review does not require for these values any more.
    OtherRole,
}

/// Returns the first step of a lane. What a rule has signed in another process is permitted by this program, and not by
/// the journal: each condition by which a rule has signed for the node is evaluated here, unless this process has done so
/// before.
fn first_of(writer: &mut ThreadWriter, id: LaneId) -> Result<First, Error> {
    let graph = writer.engine.graph;
    let Some(lane) = writer.fold.lanes.get(&id) else { return Ok(First::Node) };
    let LaneState::Ready { activation, .. } = &lane.at else { return Ok(First::Node) };
    let (_, entry) = find(graph, &writer.fold, &activation.node)?;
    let own = entry.spec.interrupt.map(|interrupt| interrupt.field);
    if own.is_some() && !activation.signed {
        return Ok(First::Review(Opening::First));
    }
    let mut evaluated = Vec::new();
    let chooses = entry.expressions.role.is_some() || entry.expressions.risk.is_some();
    for (field, signature) in signatures_of(lane, entry) {
        let is_of_rule = signature.is_of_rule();
        // A constant of the program may have changed the role or the risk that the review chooses.
        let depends = is_of_rule || chooses && own == Some(field);
        if !depends || lane.evaluated.contains(&signature.place) {
            continue;
        }
        match check(writer, lane, entry, activation, field, signature) {
            Ok(()) => evaluated.push(signature.place),
            // A new signature would give an effect that may have happened a second idempotency key.
            Err(SignatureError::WeakerRule { .. })
                if own == Some(field)
                    && !(entry.spec.idempotent
                        && has_begun(graph.spec, &entry.spec, Some(activation.entered), signature)) =>
            {
                return Ok(First::Review(if is_of_rule { Opening::RuleAsks } else { Opening::OtherRole }));
            }
            Err(error) => return Ok(First::Refused(error)),
        }
    }
    if let Some(lane) = writer.fold.lanes.get_mut(id) {
        evaluated.into_iter().for_each(|place| lane.note_evaluated(place));
    }
    Ok(First::Node)
}

/// Returns the signatures that a lane has for the fields that its node takes as signed.
fn signatures_of<'a>(
    lane: &'a Lane,
    entry: &NodeTable,
) -> impl Iterator<Item = (&'static str, &'a Signature)> + use<'a> {
    let approved = entry.spec.reads.iter().filter(|read| read.kind == ReadKind::Approved);
    approved.filter_map(|read| Some((read.field, lane.signatures.get(read.field)?)))
}

/// Checks that a node may begin on a signature that its lane has.
fn check(
    writer: &ThreadWriter,
    lane: &Lane,
    entry: &NodeTable,
    activation: &Activation,
    field: &'static str,
    signature: &Signature,
) -> Result<(), SignatureError> {
    let graph = writer.engine.graph;
    let rules = LaneRules::new(graph, &writer.fold, lane, field).once(signature);
    check_signature(graph.spec, &entry.spec, Some(activation.entered), field, signature, &rules)
}

/// The result of moving a lane that is ready.
enum Advanced {
    /// It has paused or failed.
    Stands,
    /// Its node is to run.
    Runs(Box<Attempt>),
    /// It is ready again: its review was signed by a rule, or by an edit that was proposed before.
    Again,
    /// A `for` around it has no free permit.
    Waits(FullFor),
}

fn advance_ready(
    writer: &mut ThreadWriter,
    lane: LaneId,
    first: First,
    permits: &mut ItemPermits,
) -> Result<Advanced, Error> {
    let Some(stands) = writer.fold.lanes.get(&lane) else { return Ok(Advanced::Stands) };
    let LaneState::Ready { activation, again } = &stands.at else { return Ok(Advanced::Stands) };
    let (node, entry) = find(writer.engine.graph, &writer.fold, &activation.node)?;
    if let First::Review(opening) = first {
        let activation = activation.clone();
        pause(writer, lane, entry, &activation, opening)?;
        let is_active = writer.fold.lanes.get(&lane).is_some_and(|lane| lane.at.is_active());
        return Ok(if is_active { Advanced::Again } else { Advanced::Stands });
    }
    let steps = writer.fold.steps(lane);
    let problem = if steps >= writer.engine.step_limit {
        Some(format!(
            "{steps} nodes have run since a person last acted on this thread; resume it if this is no endless loop"
        ))
    } else if let First::Refused(error) = first {
        Some(error.to_string())
    } else {
        signature_problem(writer, stands, entry, activation, |_| true)
    };
    if let Some(error) = problem {
        let node = activation.node.clone();
        writer.push(Event::Failed { node, lane, error, again: None, withheld: false })?;
        return Ok(Advanced::Stands);
    }
    if let Err(full) = permits.take(&writer.fold, lane) {
        return Ok(Advanced::Waits(full));
    }
    let (activation, again) = (activation.clone(), *again);
    let cx = context(&writer.fold, lane, entry, &activation);
    if entry.spec.effect {
        let key = cx.idempotency_key().to_owned();
        writer.push(Event::Began { node: activation.node.clone(), lane, key })?;
    }
    let wait = again.map_or(Duration::ZERO, |at| at.saturating_since(writer.engine.clock.now()));
    let attempt = new_attempt(writer, lane, node, entry, activation, cx, wait);
    Ok(attempt.map_or(Advanced::Stands, Advanced::Runs))
}

/// Runs an idempotent effect again that another runner began, or records that the effect is in doubt.
fn take_over(
    writer: &mut ThreadWriter,
    lane: LaneId,
    stopped: bool,
    permits: &mut ItemPermits,
) -> Result<Option<Box<Attempt>>, Error> {
    let Some(stands) = writer.fold.lanes.get(&lane) else { return Ok(None) };
    let LaneState::Began { activation, key, .. } = &stands.at else { return Ok(None) };
    let (activation, key) = (activation.clone(), key.clone());
    let (node, entry) = find(writer.engine.graph, &writer.fold, &activation.node)?;
    // The entry that began it does not vouch for a rule's signature.
    let refused = signature_problem(writer, stands, entry, &activation, Signature::is_of_rule);
    let is_refused = refused.is_some();
    let error = refused.unwrap_or_else(|| UNRENEWED.to_owned());
    if !entry.spec.idempotent || writer.fold.is_closed() || is_refused {
        writer.push(Event::InDoubt { node: activation.node, lane, key, error })?;
        return Ok(None);
    }
    if stopped {
        // It begins again once the pause is lifted; until then it is as unknown as before if it happened.
        return Ok(None);
    }
    if permits.take(&writer.fold, lane).is_err() {
        return Ok(None);
    }
    writer.push(Event::Began { node: activation.node.clone(), lane, key: key.clone() })?;
    let cx = context(&writer.fold, lane, entry, &activation).with_key(key);
    Ok(new_attempt(writer, lane, node, entry, activation, cx, Duration::ZERO))
}

fn find(graph: &'static GraphTable, fold: &Fold, name: &str) -> Result<(usize, &'static NodeTable), Error> {
    graph.node(name).ok_or_else(|| incompatible(&fold.thread, gone(graph, name)))
}

/// Returns why a node must not begin on those of the lane's signatures that are meant, if there is a reason. The signed
/// values are compared later, when the node reads them.
fn signature_problem(
    writer: &ThreadWriter,
    lane: &Lane,
    entry: &NodeTable,
    activation: &Activation,
    is_meant: impl Fn(&Signature) -> bool,
) -> Option<String> {
    let refused = signatures_of(lane, entry)
        .filter(|(_, signature)| is_meant(signature))
        .find_map(|(field, signature)| check(writer, lane, entry, activation, field, signature).err());
    refused.map(|error| error.to_string())
}

fn new_attempt(
    writer: &ThreadWriter,
    id: LaneId,
    node: usize,
    entry: &'static NodeTable,
    activation: Activation,
    cx: Cx,
    wait: Duration,
) -> Option<Box<Attempt>> {
    let (graph, fold) = (writer.engine.graph, &writer.fold);
    let lane = fold.lanes.get(&id)?;
    let (thread, by_field) = (fold.thread.clone(), Arc::clone(&lane.signatures));
    let (graph, spec, entered) = (graph.spec, &entry.spec, activation.entered);
    let requesters = Arc::clone(&fold.requesters);
    let signatures =
        Signatures { thread, id: fold.id.clone(), requesters, by_field, graph, node: spec, entered };
    let fields = Arc::clone(&lane.fields);
    Some(Box::new(Attempt { lane: id, node, entry, fields, signatures, cx, activation, wait }))
}

/// Opens a review, or signs by its rule if the rule may sign and the condition is false. A draft about which a person has
/// been asked is always reviewed. If the draft cannot be signed, for example because it breaks its invariants, the node fails instead.
pub(super) fn pause(
    writer: &mut ThreadWriter,
    id: LaneId,
    entry: &NodeTable,
    activation: &Activation,
    opening: Opening,
) -> Result<(), Error> {
    let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
    let node = activation.node.clone();
    let (covers, shows) = covered_and_shown(entry.spec.name, &interrupt);
    let draft = take_draft(&mut writer.fold, id, interrupt.field, reviewed);
    let digest = match draft {
        Ok(draft) => {
            let terms = ReviewTerms {
                node: &node,
                field: interrupt.field,
                place: writer.fold.next,
                covers: &covers,
                shows: &shows,
            };
            let digest = terms.digest(&writer.fold, id, &draft);
            if let Some(lane) = writer.fold.lanes.get_mut(id) {
                lane.drafted = Some(CheckedDraft { field: interrupt.field, draft });
            }
            digest.map_err(|e| e.to_string())
        }
        Err(Error::Invalid { violations, .. }) => {
            let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Err(list.join("; "))
        }
        Err(error @ Error::UserCodeFailed { .. }) => Err(text_without_thread(&error)),
        Err(error) => return Err(error),
    };
    let now = writer.engine.clock.now();
    let evaluated = digest.and_then(|digest| {
        let Some(lane) = writer.fold.lanes.get(&id) else { return Err(format!("lane {id} is not open")) };
        let when = match opening {
            Opening::First => condition(entry, &lane.fields).map_err(|error| error.to_string())?,
            // It has been evaluated, and is evaluated once.
            Opening::RuleAsks => interrupt.when.map(|when| Condition::new(when.text, true)),
            Opening::OtherRole => None,
        };
        let mut rule = ReviewRule::new(writer.engine.graph, entry, &lane.fields, now)
            .map_err(|error| error.to_string())?;
        // An edit that leads back to its own review extends no deadline.
        let edit = lane.pending.as_deref().filter(|pending| pending.is_of_review(interrupt.field, &node));
        let until = edit.and_then(|edit| edit.until).filter(|until| *until > now);
        rule.deadline = rule.deadline.into_iter().chain(until).min();
        if opening == Opening::RuleAsks && rule.risk.is_high() {
            // The condition may be false: what changed may be the risk.
            return Ok((digest, DraftSigner::Person(rule, None)));
        }
        if let Some(Condition { expr, value: false, .. }) = &when
            && !rule.risk.is_high()
            && writer.fold.may_sign_by_rule(lane, interrupt.field)
        {
            return Ok((digest, DraftSigner::Rule(expr.clone(), rule.role)));
        }
        Ok((digest, DraftSigner::Person(rule, when)))
    });
    match evaluated {
        Ok((digest, DraftSigner::Rule(expr, role))) => {
            let place = writer.fold.next;
            writer.push(Event::Signed {
                node,
                lane: id,
                field: interrupt.field.to_owned(),
                digest,
                by: Signer::Rule(expr),
                role,
                proposed: writer.fold.proposer(id, interrupt.field),
                covers,
                shows,
            })?;
            if let Some(lane) = writer.fold.lanes.get_mut(id) {
                lane.note_evaluated(place);
            }
            Ok(())
        }
        Ok((digest, DraftSigner::Person(rule, when))) => {
            writer.push(Event::Paused {
                node,
                lane: id,
                field: interrupt.field.to_owned(),
                digest,
                role: rule.role,
                deadline: rule.deadline,
                remind: rule.remind,
                covers,
                shows,
                edit: interrupt.edit,
                proposed: writer.fold.proposer(id, interrupt.field),
                when,
                risk: rule.risk.level,
                irreversible: rule.risk.irreversible,
                not_requester: rule.not_requester,
            })?;
            let drafted = writer.fold.lanes.get(&id).and_then(|lane| lane.drafted.as_ref());
            match drafted
                .and_then(|drafted| writer.engine.signature_of_edit(&writer.fold, id, &drafted.draft))
            {
                Some(signature) => writer.push(signature),
                None => Ok(()),
            }
        }
        Err(problem) => {
            let error = format!("`{}` cannot be signed: {problem}", interrupt.field);
            writer.push(Event::Failed { node, lane: id, error, again: None, withheld: false })
        }
    }
}

/// The signer of a draft.
enum DraftSigner {
    /// A person, under this rule, and the condition of the review with its value.
    Person(ReviewRule, Option<Condition>),
    /// The rule, because this condition is false, in place of a person of this role.
    Rule(String, Option<String>),
}

pub(in crate::engine) fn context(
    fold: &Fold,
    lane: LaneId,
    entry: &NodeTable,
    activation: &Activation,
) -> Cx {
    let cx = Cx::new(fold.thread.clone(), fold.id.clone(), entry.spec.name, activation)
        .of_effect(entry.spec.effect);
    if fold.items(lane).next().is_some() { cx.in_lane(lane) } else { cx }
}
