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

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, Either, select},
    poll,
    stream::FuturesUnordered,
};

use super::{
    Agent, Cx, Graph, NodeError,
    activity::Drive,
    each::{self, Running},
    fit::gone,
    post::Post,
    refused::changed,
    repropose::proposer,
    review_rule::ReviewRule,
    route,
    step::{self, End, Tried, Try},
    terms::{self, Terms},
    turn,
};
use crate::journal::Fold;
use crate::journal::Lane;
use crate::{
    Error, ThreadId,
    graph::{Point, ReadKind},
    journal::{At, Drafted, Event, LaneId, ROOT, Visit},
    review::{Signatures, permits},
};

/// The reason why a run of a thread was stopped.
pub(crate) enum Stopped {
    /// The first append had a conflict, and nothing of this run has happened.
    Taken(ThreadId),
    /// The lease is lost: another runner has the thread.
    Overtaken(ThreadId),
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Runs a thread from the entries in `post` on. This runner must have claimed the thread.
///
/// Every entry is stored before what it announces begins: a node runs after the entry that led to it, an effect after
/// its `Began`. The place in the journal is the fence: a runner that has lost its lease fails to append, and stops. An
/// effect is not called once the stored lease has expired by this process's clock, because another runner may have
/// taken the thread over, and a person may have told it that the effect did not happen.
pub(crate) async fn run<G: Graph>(agent: &Agent<G>, mut post: Box<Post<G>>) -> Result<Fold, Stopped> {
    let _under_way = Drive::begin(agent);
    if !post.holds() && post.fold.runs() {
        // The entry that moved the thread is signed by a key for verdicts alone, and such an entry contains no lease.
        post.push(Event::Renewed {})?;
    }
    // The end of this runner's lease, as it is stored.
    let leased_until_ms = AtomicU64::new(u64::MAX);
    // Created for the first node that does not complete on its first poll.
    let mut running = None;
    let end = run_all(agent, &leased_until_ms, post, &mut running).await;
    if let (Err(Stopped::Error(_)), Some(mut running)) = (&end, running) {
        // Nodes in flight are awaited, not cancelled, so that no effect is interrupted. The journal says which effects
        // began.
        while running.next().await.is_some() {}
    }
    end
}

type Tries<'a> = FuturesUnordered<BoxFuture<'a, Tried>>;

async fn run_all<'a, G: Graph>(
    agent: &'a Agent<G>,
    leased_until_ms: &'a AtomicU64,
    mut post: Box<Post<G>>,
    running: &mut Option<Tries<'a>>,
) -> Result<Fold, Stopped> {
    let thread = post.fold.thread.clone();
    let renewal = agent.inner.lease / 3;
    let mut busy = BTreeSet::new();
    // The results of nodes since the last flush, recorded again if the flush has a conflict.
    let mut ended: Vec<Tried> = Vec::with_capacity(1);
    let mut first = true;
    loop {
        let tries = advance(agent, &mut post, &busy)?;
        if !post.flush(!first).await? {
            if first {
                return Err(Stopped::Taken(thread));
            }
            match agent.load(&thread).await? {
                Some(fold) => post.reset(fold),
                None => return Err(Error::UnknownThread { thread }.into()),
            }
            if !post.holds() {
                return Err(Stopped::Overtaken(thread));
            }
            post.admit()?;
            for tried in &mut ended {
                record(agent, &mut post, tried).await?;
            }
            continue;
        }
        first = false;
        ended.clear();
        let until_ms = post.fold.lease.as_ref().map_or(u64::MAX, |lease| lease.until_ms);
        leased_until_ms.store(until_ms, Ordering::Relaxed);
        for this in tries {
            let lane = this.lane;
            let mut work = step::run(agent, this, leased_until_ms).boxed();
            // A node that completes on its first poll needs no slot in `running`, no timer and no waker.
            if busy.is_empty()
                && let Poll::Ready(mut tried) = poll!(&mut work)
            {
                record(agent, &mut post, &mut tried).await?;
                ended.push(tried);
            } else {
                busy.insert(lane);
                running.get_or_insert_default().push(work);
            }
        }
        if !ended.is_empty() {
            continue;
        }
        if busy.is_empty() {
            return Ok(post.fold);
        }
        match select(running.get_or_insert_default().next(), Box::pin(tokio::time::sleep(renewal))).await {
            Either::Left((Some(mut tried), _)) => {
                busy.remove(&tried.lane);
                record(agent, &mut post, &mut tried).await?;
                ended.push(tried);
            }
            Either::Left((None, _)) => {}
            Either::Right(_) => post.push(Event::Renewed {})?,
        }
    }
}

/// Records the result of an attempt. If the thread cannot take the node's values, because a reducer, a serializer or
/// the guard of a `match` fails on them, the node counts as failed, and the values are never stored.
async fn record<G: Graph>(agent: &Agent<G>, post: &mut Post<G>, tried: &mut Tried) -> Result<(), Error> {
    match record_once(agent, post, tried) {
        Err(error) if is_of_user_code(&error) && matches!(tried.end, End::Wrote { .. }) => {
            post.rewind().await?;
            tried.end = step::failed(&NodeError::msg(untaken(&error)), is_unsure::<G>(tried.node));
            record_once(agent, post, tried)
        }
        recorded => recorded,
    }
}

/// Returns whether the program's own types or graph are the reason why a thread cannot take a node's values.
fn is_of_user_code(error: &Error) -> bool {
    matches!(error, Error::UserCodeFailed { .. } | Error::GraphChanged { .. })
}

/// Returns the error's text without the thread, which the reader of a thread's failure knows.
fn untaken(error: &Error) -> String {
    match error {
        Error::UserCodeFailed { place, problem, .. } => format!("the {place} {problem}"),
        Error::GraphChanged { differences, .. } => crate::prose::list(differences),
        error => error.to_string(),
    }
}

/// Returns whether a second run of a node may repeat its effect: the node is an effect and not idempotent.
fn is_unsure<G: Graph>(node: usize) -> bool {
    G::SPEC.nodes.get(node).is_some_and(|spec| spec.effect && !spec.idempotent)
}

fn record_once<G: Graph>(agent: &Agent<G>, post: &mut Post<G>, tried: &mut Tried) -> Result<(), Error> {
    let lane = tried.lane;
    if post.fold.lanes.get(&lane).and_then(|lane| lane.at.visit()) != Some(&tried.visit) {
        // The store had taken this entry before it reported the conflict.
        return Ok(());
    }
    if let Some(end) = refused(post, tried) {
        tried.end = end;
    }
    let node = || tried.visit.node.clone();
    // A result is recorded a second time after a conflict.
    match &mut tried.end {
        End::Wrote { writes, drafted } => {
            post.push_ran(lane, tried.node, &writes.0, drafted.take(), &tried.spent)
        }
        End::Unknown { error } => {
            let key = tried.cx.idempotency_key().to_owned();
            let event = Event::InDoubt { node: node(), lane, key, error: error.clone() };
            post.push_spent(event, tried.spent.clone())
        }
        End::Failed { error } => {
            let retry = G::SPEC.nodes[tried.node].retry;
            let failures = tried.visit.failures;
            let again_ms = (failures < retry.retries).then(|| {
                let backoff = retry.backoff_ms.saturating_mul(1 << failures.min(20));
                agent.inner.clock.now_ms().saturating_add(backoff)
            });
            let event = Event::Failed { node: node(), lane, error: error.clone(), again_ms };
            post.push_spent(event, tried.spent.clone())
        }
    }
}

/// Returns a failure for a result that would lead more items into a `for` than it takes, so that none of the items
/// runs.
fn refused<G: Graph>(post: &Post<G>, tried: &Tried) -> Option<End> {
    let End::Wrote { writes, .. } = &tried.end else { return None };
    let fields = &post.fold.lanes.get(&tried.lane)?.fields;
    let wrote = |field: &str| writes.0.iter().find(|(wrote, _)| *wrote == field).map(|(_, json)| json.get());
    let problem = each::fits::<G>(Point::Node(tried.node), fields, wrote).err()?;
    let spec = &G::NODES.get(tried.node)?.spec;
    Some(step::failed(&NodeError::msg(problem), spec.effect && !spec.idempotent))
}

/// Moves every lane as far as it goes without running a node, and returns the attempts to run next.
fn advance<G: Graph>(
    agent: &Agent<G>,
    post: &mut Post<G>,
    busy: &BTreeSet<LaneId>,
) -> Result<Vec<Try<G>>, Error> {
    let mut tries = Vec::new();
    let mut slots = Running::of::<G>(&post.fold, busy);
    let stopped = post.fold.stop().is_some();
    let mut next = ROOT;
    while let Some((&lane, stands)) = post.fold.lanes.range(next..).next() {
        next = lane + 1;
        if busy.contains(&lane) || !stands.at.is_active() {
            continue;
        }
        if stopped && matches!(stands.at, At::Ready { .. }) {
            continue;
        }
        // Cloned only for a node that runs now: in a long `for`, most items wait for a slot.
        match &stands.at {
            At::Ready { visit, again_ms } => {
                let (node, entry) = find::<G>(&post.fold, &visit.node)?;
                if entry.spec.interrupt.is_some() && !visit.signed {
                    let visit = visit.clone();
                    pause(agent, post, lane, entry, &visit)?;
                    // The review may be signed already, by an edit that was proposed again.
                    if post.fold.lanes.get(&lane).is_some_and(|lane| lane.at.is_active()) {
                        next = lane;
                    }
                } else if post.fold.steps >= agent.inner.step_limit {
                    let error = format!(
                        "{} nodes have run since a person last moved this thread; if that is no endless loop, resume it",
                        post.fold.steps
                    );
                    let node = visit.node.clone();
                    post.push(Event::Failed { node, lane, error, again_ms: None })?;
                } else if let Some(error) = barred::<G>(stands, entry, visit) {
                    let node = visit.node.clone();
                    post.push(Event::Failed { node, lane, error, again_ms: None })?;
                } else if slots.take::<G>(&post.fold, lane) {
                    let (visit, again_ms) = (visit.clone(), *again_ms);
                    let cx = context::<G>(&post.fold, lane, entry, &visit);
                    if entry.spec.effect {
                        let key = cx.idempotency_key().to_owned();
                        post.push(Event::Began { node: visit.node.clone(), lane, key })?;
                    }
                    let wait = again_ms.map_or(0, |at_ms| at_ms.saturating_sub(agent.inner.clock.now_ms()));
                    let wait = Duration::from_millis(wait);
                    tries.reserve_exact(1);
                    tries.extend(attempt(&post.fold, lane, node, entry, visit, cx, wait));
                }
            }
            // This process does not run it, and the lease of the runner that began it has expired.
            At::Began { visit, key, .. } => {
                let (node, entry) = find::<G>(&post.fold, &visit.node)?;
                if !entry.spec.idempotent || stopped {
                    let error = turn::UNRENEWED.to_owned();
                    let (node, key) = (visit.node.clone(), key.clone());
                    post.push(Event::InDoubt { node, lane, key, error })?;
                } else if slots.take::<G>(&post.fold, lane) {
                    let (visit, key) = (visit.clone(), key.clone());
                    post.push(Event::Began { node: visit.node.clone(), lane, key: key.clone() })?;
                    let cx = context::<G>(&post.fold, lane, entry, &visit).keyed(key);
                    tries.reserve_exact(1);
                    tries.extend(attempt(&post.fold, lane, node, entry, visit, cx, Duration::ZERO));
                }
            }
            _ => {}
        }
    }
    if post.fold.is_at_end() {
        post.push(Event::Ended {})?;
    }
    Ok(tries)
}

fn find<G: Graph>(fold: &Fold, name: &str) -> Result<(usize, &'static route::Entry<G>), Error> {
    route::node::<G>(name).ok_or_else(|| changed(&fold.thread, gone::<G>(name)))
}

/// Returns why a node must not begin on the signatures that the lane has, if there is a reason. The signed values are
/// compared later, when the node reads them.
fn barred<G: Graph>(lane: &Lane, entry: &route::Entry<G>, visit: &Visit) -> Option<String> {
    let approved = entry.spec.reads.iter().filter(|read| read.kind == ReadKind::Approved);
    let mut signed = approved.filter_map(|read| Some((read.field, lane.signatures.get(read.field)?)));
    let refused = signed.find_map(|(field, signature)| {
        permits(G::SPEC, &entry.spec, Some(visit.entered), field, signature).err()
    });
    refused.map(|error| error.to_string())
}

fn attempt<G: Graph>(
    fold: &Fold,
    id: LaneId,
    node: usize,
    entry: &'static route::Entry<G>,
    visit: Visit,
    cx: Cx,
    wait: Duration,
) -> Option<Try<G>> {
    let lane = fold.lanes.get(&id)?;
    let (thread, by_field) = (fold.thread.clone(), Arc::clone(&lane.signatures));
    let (graph, spec, entered) = (G::SPEC, &entry.spec, visit.entered);
    let requester = fold.requester.clone();
    let signatures =
        Signatures { thread, id: fold.id.clone(), requester, by_field, graph, node: spec, entered };
    Some(Try { lane: id, node, entry, fields: lane.fields.clone(), signatures, cx, visit, wait })
}

/// Opens a review. If the draft cannot be signed, for example because it breaks its invariants, the node fails instead.
pub(super) fn pause<G: Graph>(
    agent: &Agent<G>,
    post: &mut Post<G>,
    id: LaneId,
    entry: &route::Entry<G>,
    visit: &Visit,
) -> Result<(), Error> {
    let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
    let node = visit.node.clone();
    let (covers, shows) = terms::of(entry.spec.name, &interrupt);
    let draft = turn::take_draft::<G>(&mut post.fold, id, interrupt.field, reviewed);
    let digest = match draft {
        Ok(draft) => {
            let terms = Terms {
                node: &node,
                field: interrupt.field,
                place: post.fold.next,
                covers: &covers,
                shows: &shows,
            };
            let digest = terms.digest(&post.fold, id, &draft);
            if let Some(lane) = post.fold.lanes.get_mut(&id) {
                lane.drafted = Some(Drafted { field: interrupt.field, draft });
            }
            digest.map_err(|e| e.to_string())
        }
        Err(Error::Invalid { violations, .. }) => {
            let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Err(list.join("; "))
        }
        Err(error @ Error::UserCodeFailed { .. }) => Err(untaken(&error)),
        Err(error) => return Err(error),
    };
    let rule = ReviewRule::new(&interrupt, agent.inner.clock.now_ms());
    match digest {
        Ok(digest) => {
            post.push(Event::Paused {
                node,
                lane: id,
                field: interrupt.field.to_owned(),
                digest,
                role: rule.role,
                deadline_ms: rule.deadline_ms,
                remind_ms: rule.remind_ms,
                covers,
                shows,
                edit: interrupt.edit,
                proposed: proposer::<G>(&post.fold, id, interrupt.field),
            })?;
            let drafted = post.fold.lanes.get(&id).and_then(|lane| lane.drafted.as_ref());
            match drafted.and_then(|drafted| agent.signature_of_edit(&post.fold, id, &drafted.draft)) {
                Some(signature) => post.push(signature),
                None => Ok(()),
            }
        }
        Err(problem) => {
            let error = format!("`{}` cannot be signed: {problem}", interrupt.field);
            post.push(Event::Failed { node, lane: id, error, again_ms: None })
        }
    }
}

pub(super) fn context<G: Graph>(fold: &Fold, lane: LaneId, entry: &route::Entry<G>, visit: &Visit) -> Cx {
    let cx = Cx::new(fold.thread.clone(), fold.id.clone(), entry.spec.name, visit);
    if fold.items(lane).next().is_some() { cx.of_item(lane) } else { cx }
}
