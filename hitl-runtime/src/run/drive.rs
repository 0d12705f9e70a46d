//! Moving a thread until a person must, or until it ends.

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
    each::{self, Slots},
    fit::gone,
    graph::{GraphFold, LaneOf},
    post::Post,
    refused::changed,
    repropose::proposer,
    review_rule::ReviewRule,
    route,
    step::{self, End, Tried, Try},
    terms::{self, Terms},
    turn,
};
use crate::{
    Error, ThreadId,
    graph::{Point, ReadKind},
    journal::{At, Drafted, Event, LaneId, ROOT, Visit},
    review::{Signatures, permits},
};

/// Why a drive did not come to rest.
pub(crate) enum Stopped {
    /// Somebody else appended first, and nothing of this drive has happened.
    Taken(ThreadId),
    /// Another runner has the thread now.
    Overtaken(ThreadId),
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Runs a thread from the entries in `post` on, which this runner must have claimed.
///
/// Every entry is stored before what it announces begins: a node runs after the entry that led to it, an effect after
/// its `Began`. The place in the journal is the fence: a runner that was overtaken fails to append, and stops. An effect is
/// not called once the lease that stands in the journal has run out, by this process's clock: somebody else may have taken
/// the thread over, and be told by a person that the effect did not happen.
pub(crate) async fn run<G: Graph>(agent: &Agent<G>, mut post: Box<Post<G>>) -> Result<GraphFold<G>, Stopped> {
    let _under_way = Drive::begin(agent);
    if !post.holds() && post.fold.runs() {
        // The entry that moved the thread is under a key for verdicts alone, which says no lease.
        post.push(Event::Renewed {})?;
    }
    // Until when this runner has the thread, as it is stored.
    let leased_until_ms = AtomicU64::new(u64::MAX);
    // Made for the first node that does not end at once.
    let mut running = None;
    let end = run_all(agent, &leased_until_ms, post, &mut running).await;
    if let (Err(Stopped::Error(_)), Some(mut running)) = (&end, running) {
        // What runs is not cut in the middle; the journal says that it began.
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
) -> Result<GraphFold<G>, Stopped> {
    let thread = post.fold.thread.clone();
    let renewal = agent.inner.lease / 3;
    let mut busy = BTreeSet::new();
    // What nodes have ended with since the last flush, in case the flush finds the place taken.
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
            // A node that ends at once needs no place among those that run, no timer, and no waker of its own.
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

/// Writes down how a try ended. A node whose values the thread cannot take, because a reducer, a serializer or the guard
/// of a `match` fails on them, is the one that failed: the journal never gets them.
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

/// Whether the program's own types or graph are why a thread cannot take what a node wrote.
fn is_of_user_code(error: &Error) -> bool {
    matches!(error, Error::UserCodeFailed { .. } | Error::GraphChanged { .. })
}

/// The same error without the thread, which is known where it is read.
fn untaken(error: &Error) -> String {
    match error {
        Error::UserCodeFailed { place, problem, .. } => format!("the {place} {problem}"),
        Error::GraphChanged { differences, .. } => crate::prose::list(differences),
        error => error.to_string(),
    }
}

/// Whether nobody vouches for what a second run of a node would do.
fn is_unsure<G: Graph>(node: usize) -> bool {
    G::SPEC.nodes.get(node).is_some_and(|spec| spec.effect && !spec.idempotent)
}

fn record_once<G: Graph>(agent: &Agent<G>, post: &mut Post<G>, tried: &mut Tried) -> Result<(), Error> {
    let lane = tried.lane;
    if post.fold.lanes.get(&lane).and_then(|lane| lane.at.visit()) != Some(&tried.visit) {
        // The store took this very entry before it said that the place was taken.
        return Ok(());
    }
    if let Some(end) = refused(post, tried) {
        tried.end = end;
    }
    let node = || tried.visit.node.clone();
    // A try may be written down twice: again where the place of the first time was taken.
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

/// How a try ends that would lead more items into a `for` than it goes through: none of them runs.
fn refused<G: Graph>(post: &Post<G>, tried: &Tried) -> Option<End> {
    let End::Wrote { writes, .. } = &tried.end else { return None };
    let fields = &post.fold.lanes.get(&tried.lane)?.fields;
    let wrote = |field: &str| writes.0.iter().find(|(wrote, _)| *wrote == field).map(|(_, json)| json.get());
    let problem = each::fits::<G>(Point::Node(tried.node), fields, wrote).err()?;
    let spec = &G::NODES.get(tried.node)?.spec;
    Some(step::failed(&NodeError::msg(problem), spec.effect && !spec.idempotent))
}

/// Moves every lane as far as it goes with no node running, and says which nodes are to run next.
fn advance<G: Graph>(
    agent: &Agent<G>,
    post: &mut Post<G>,
    busy: &BTreeSet<LaneId>,
) -> Result<Vec<Try<G>>, Error> {
    let mut tries = Vec::new();
    let mut slots = Slots::of::<G>(&post.fold, busy);
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
        // What is to happen is copied only where it happens: of a long `for` most items wait for a slot.
        match &stands.at {
            At::Ready { visit, again_ms } => {
                let (node, entry) = find::<G>(&post.fold, &visit.node)?;
                if entry.spec.interrupt.is_some() && !visit.signed {
                    let visit = visit.clone();
                    pause(agent, post, lane, entry, &visit)?;
                    // An edit that was proposed anew may have signed it.
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
            // Nobody runs it here, and its runner's lease is over.
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

fn find<G: Graph>(fold: &GraphFold<G>, name: &str) -> Result<(usize, &'static route::Entry<G>), Error> {
    route::node::<G>(name).ok_or_else(|| changed(&fold.thread, gone::<G>(name)))
}

/// Why a node must not begin on the signatures that there are. That the values are the ones that were signed is seen where
/// the node asks for them.
fn barred<G: Graph>(lane: &LaneOf<G>, entry: &route::Entry<G>, visit: &Visit) -> Option<String> {
    let approved = entry.spec.reads.iter().filter(|read| read.kind == ReadKind::Approved);
    let mut signed = approved.filter_map(|read| Some((read.field, lane.signatures.get(read.field)?)));
    let refused = signed.find_map(|(field, signature)| {
        permits(G::SPEC, &entry.spec, Some(visit.entered), field, signature).err()
    });
    refused.map(|error| error.to_string())
}

fn attempt<G: Graph>(
    fold: &GraphFold<G>,
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

/// Opens a review, unless what is to be signed breaks its own invariants.
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

pub(super) fn context<G: Graph>(
    fold: &GraphFold<G>,
    lane: LaneId,
    entry: &route::Entry<G>,
    visit: &Visit,
) -> Cx {
    let cx = Cx::new(fold.thread.clone(), fold.id.clone(), entry.spec.name, visit);
    if fold.items(lane).next().is_some() { cx.of_item(lane) } else { cx }
}
