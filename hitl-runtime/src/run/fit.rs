//! Whether a thread fits this program's graph, wherever it stands: everything that does not, and what changes if it
//! goes on. Nothing is written here, and nothing runs.

use serde_json::Value;

use super::{Difference, Graph, route, terms::Terms};
use crate::{
    Violation,
    graph::{Lack, LaneAhead, Payload, Point, ReadKind, Stand, lacks, review_ahead},
    journal::{At, Brings, Fold, Lane, LaneId, ROOT, Renamed, Signature, To, Visit, Voided},
    prose,
    review::{SignatureError, permits, reviews_of, satisfies},
    state::{Fields, State},
};

/// What became of a thread's nodes and signatures, and why it cannot go on, if it cannot.
#[derive(Default)]
pub(super) struct Fit {
    pub(super) differences: Vec<Difference>,
    pub(super) renamed: Renamed,
    pub(super) void: Vec<Voided>,
    /// The lanes whose node was signed under a weaker rule than this program's, and has not begun: it is signed again.
    pub(super) again: Vec<LaneId>,
}

/// Holds a thread against this program. `S` is the graph's state, or a loose one.
pub(super) fn fit<G: Graph, S: State>(fold: &Fold<S>) -> Fit {
    let mut fit = Fit::default();
    if let Some(difference) = stranger::<G, S>(fold) {
        fit.differences.push(difference);
    } else if !fold.ended {
        fit.find::<G, S>(fold);
    }
    fit
}

/// A thread of another graph, or from the future: whatever else is to be said of it would mislead.
fn stranger<G: Graph, S: State>(fold: &Fold<S>) -> Option<Difference> {
    let known = S::SPEC.version;
    if fold.graph != G::SPEC.name {
        Some(Difference::OtherGraph { graph: fold.graph.clone(), this: G::SPEC.name.to_owned() })
    } else if fold.version > known {
        Some(Difference::FromTheFuture { state: S::SPEC.name.to_owned(), version: fold.version, known })
    } else {
        None
    }
}

impl Fit {
    fn find<G: Graph, S: State>(&mut self, fold: &Fold<S>) {
        let mut stands: Vec<(LaneId, Option<Stand>)> =
            fold.lanes.iter().map(|(id, lane)| (*id, self.stand::<G>(&lane.at))).collect();
        for (id, lane) in &fold.lanes {
            self.signatures(fold, *id, lane);
        }
        for (id, stand) in &mut stands {
            if let (Some(Stand::Before(node) | Stand::At(node)), Some(lane)) = (*stand, fold.lanes.get(id)) {
                let own = G::NODES[node].spec.interrupt.map(|interrupt| interrupt.field);
                for (field, signature) in weak::<G, _>(lane, node) {
                    let void = Voided { field: field.to_owned(), lane: *id };
                    if self.void.contains(&void) {
                        // What the migration has changed is told as such.
                    } else if own == Some(field) {
                        self.void.push(void);
                        self.again.push(*id);
                        *stand = Some(Stand::Before(node));
                    } else {
                        self.note(Difference::WeaklySigned {
                            node: G::NODES[node].spec.name.to_owned(),
                            field: field.to_owned(),
                            signed_by: signature.operator.clone(),
                        });
                    }
                }
            }
        }
        let stands: Option<Vec<(LaneId, Stand)>> =
            stands.into_iter().map(|(id, stand)| Some((id, stand?))).collect();
        // Where it stands nowhere, nothing is ahead of it.
        let Some(stands) = stands else { return };
        for (id, stand) in &stands {
            if let Some(lane) = fold.lanes.get(id) {
                self.visit::<G>(&lane.at, *stand);
                self.drafts::<G, S>(fold, lane, *stand);
            }
        }
        if self.places::<G, S>(fold, &stands) {
            self.ahead::<G, S>(fold, &stands);
        }
    }

    /// Says it once: the branches of a fork may hold the same draft, and all items of a `for` stand at one node.
    fn note(&mut self, difference: Difference) {
        if !self.differences.contains(&difference) {
            self.differences.push(difference);
        }
    }

    /// Where a lane stands in this graph; none if that is gone.
    fn stand<G: Graph>(&mut self, at: &At) -> Option<Stand> {
        match at {
            At::Joined => Some(Stand::Joined),
            At::Ended | At::Failed { stopped: true, .. } => Some(Stand::Over),
            at => {
                if let Some(join) = at.join() {
                    return self.join::<G>(join).map(Stand::Forked);
                }
                let visit = at.visit()?;
                let node = self.node::<G>(&visit.node, || gone::<G>(&visit.node))?;
                let over = visit.signed || matches!(at, At::Began { .. } | At::InDoubt { .. });
                Some(if over { Stand::At(node) } else { Stand::Before(node) })
            }
        }
    }

    /// Where what runs side by side will meet in this graph.
    fn join<G: Graph>(&mut self, join: &To) -> Option<Point> {
        let To::Node(join) = join else { return Some(Point::End) };
        let gone = || Difference::JoinGone {
            node: join.clone(),
            graph: G::SPEC.name.to_owned(),
            near: near::<G>(join),
        };
        self.node::<G>(join, gone).map(Point::Node)
    }

    /// The number of a node that an old thread names; notes what it is called now.
    fn node<G: Graph>(&mut self, name: &str, gone: impl FnOnce() -> Difference) -> Option<usize> {
        match route::current::<G>(name) {
            Some((number, entry)) => {
                if entry.spec.name != name {
                    self.renamed.insert(name.to_owned(), entry.spec.name.to_owned());
                }
                Some(number)
            }
            None => {
                self.note(gone());
                None
            }
        }
    }

    /// A signature is for one value: where the migration has made another one of it, it is void.
    fn signatures<S: State>(&mut self, fold: &Fold<S>, id: LaneId, lane: &Lane<S::Fields>) {
        let void = lane.signatures.iter().filter(|(field, signature)| !holds(fold, id, field, signature));
        self.void.extend(void.map(|(field, _)| Voided { field: field.clone(), lane: id }));
    }

    /// What the lane waits for must still be asked for, and what it was brought must be there.
    fn visit<G: Graph>(&mut self, at: &At, stand: Stand) {
        let (Stand::Before(number) | Stand::At(number)) = stand else { return };
        let Some(Visit { brings, .. }) = at.visit() else { return };
        let spec = &G::NODES[number].spec;
        let node = spec.name.to_owned();
        match at {
            At::Began { .. } | At::InDoubt { .. } if !spec.effect => {
                self.note(Difference::NotAnEffect { node: node.clone() });
            }
            At::Paused(_) if spec.interrupt.is_none() => {
                self.note(Difference::NoReview { node: node.clone() });
            }
            _ => {}
        }
        let brought = [
            (spec.rejection, matches!(brings.as_deref(), Some(Brings::Rejection(_))), "rejection"),
            (spec.question, matches!(brings.as_deref(), Some(Brings::Question(_))), "question"),
        ];
        for (payload, there, what) in brought {
            if payload == Payload::Required && !there {
                self.note(Difference::Unbrought { node: node.clone(), what });
            }
        }
    }

    /// Whatever comes to a review as it is must be what may be signed there.
    fn drafts<G: Graph, S: State>(&mut self, fold: &Fold<S>, lane: &Lane<S::Fields>, stand: Stand) {
        for field in S::SPEC.fields.iter().map(|field| field.name) {
            let Some(node) = review_ahead(G::SPEC, stand, field) else { continue };
            let reviewed = route::node::<G>(node).and_then(|(_, entry)| entry.reviewed);
            let (Some(reviewed), Ok(Some(json))) = (reviewed, lane.fields.read(field)) else { continue };
            let violations = match (reviewed.check)(&json) {
                Ok(draft) => unsignable(fold, node, field, &draft),
                Err(violations) => violations,
            };
            if violations.is_empty() {
                continue;
            }
            let (field, node) = (field.to_owned(), node.to_owned());
            self.note(Difference::InvariantTightened { field, node, violations });
        }
    }

    /// Each lane must stand in a branch of the fork that it came out of, and alone there.
    fn places<G: Graph, S: State>(&mut self, fold: &Fold<S>, stands: &[(LaneId, Stand)]) -> bool {
        let before = self.differences.len();
        let mut taken: Vec<(LaneId, usize, usize, &str)> = Vec::new();
        for (id, stand) in stands {
            // A lane that has forked is where its branches meet.
            let (Stand::Before(node) | Stand::At(node) | Stand::Forked(Point::Node(node))) = *stand else {
                continue;
            };
            let name = G::SPEC.nodes[node].name;
            let around = G::SPEC.around(node);
            let parents = parents(fold, *id);
            let problem = match (around.last(), parents.first()) {
                (None, None) => None,
                (Some(_), None) => Some("is in a branch of a fork, and was in none".to_owned()),
                (None, Some(_)) => Some("is in no branch of a fork, and was in one".to_owned()),
                (Some(&(fork, branch)), Some(&parent)) => {
                    let join = stands.iter().find(|(id, _)| *id == parent).map(|(_, stand)| *stand);
                    let meets = G::SPEC.forks[fork].join;
                    let here = G::SPEC.forks[fork].each.map(|each| (each.item, each.list));
                    let there = fold.lanes.get(&parent).and_then(|lane| lane.at.each());
                    let there = there.map(|each| (each.item.as_str(), each.list.as_str()));
                    let twin = taken.iter().find(|(of, f, b, _)| (*of, *f, *b) == (parent, fork, branch));
                    let twin = twin.filter(|_| here.is_none());
                    let problem = if around.len() != parents.len() {
                        Some("is inside another number of forks than".to_owned())
                    } else if here != there {
                        Some(format!("runs {}, and ran {}", for_whom(here), for_whom(there)))
                    } else if join != Some(Stand::Forked(meets)) {
                        Some(format!(
                            "is in a branch that ends before `{}`, and was in another",
                            meets.name(G::SPEC)
                        ))
                    } else {
                        twin.map(|(.., twin)| format!("is in one branch with `{twin}`, and was in another"))
                    };
                    taken.push((parent, fork, branch, name));
                    problem
                }
            };
            if let Some(problem) = problem {
                self.note(Difference::Misplaced { node: name.to_owned(), problem });
            }
        }
        self.differences.len() == before
    }

    /// Every field that a node ahead needs is there, or will be on every way to it.
    fn ahead<G: Graph, S: State>(&mut self, fold: &Fold<S>, stands: &[(LaneId, Stand)]) {
        let written = |lane: &Lane<S::Fields>| {
            let fields = S::SPEC.fields.iter().map(|field| field.name);
            fields.filter(|name| matches!(lane.fields.read(name), Ok(Some(_)))).collect()
        };
        let is_void = |id: LaneId, field: &str| self.void.iter().any(|v| v.lane == id && v.field == field);
        let lanes: Vec<LaneAhead<'_>> = stands
            .iter()
            .filter_map(|&(id, stand)| {
                let lane = fold.lanes.get(&id)?;
                let there = match stand {
                    Stand::Before(node) | Stand::At(node) => {
                        lane.at.visit().map(|visit| (node, visit.entered))
                    }
                    Stand::Joined | Stand::Forked(_) | Stand::Over => None,
                };
                let valid = |field: &str| lane.signatures.get(field).filter(|_| !is_void(id, field));
                let signed = G::SPEC.nodes.iter().enumerate().flat_map(|(number, node)| {
                    let entered = there.filter(|(here, _)| *here == number).map(|(_, entered)| entered);
                    let approved = node.reads.iter().filter(|read| read.kind == ReadKind::Approved);
                    let may_run = approved.filter(move |read| {
                        valid(read.field).is_some_and(|signature| {
                            permits(G::SPEC, node, entered, read.field, signature).is_ok()
                        })
                    });
                    may_run.map(move |read| (number, read.field))
                });
                Some(LaneAhead {
                    id,
                    parent: lane.parent,
                    stand,
                    written: written(lane),
                    signed: signed.collect(),
                    touched: lane.wrote.iter().map(|arrival| arrival.field.as_str()).collect(),
                    into: lane.at.each().map(|each| each.into.iter().map(String::as_str).collect()),
                })
            })
            .collect();
        let version = (fold.version, S::SPEC.version);
        for lack in lacks(G::SPEC, &lanes) {
            self.note(match lack {
                Lack::Unwritten { node, field } => {
                    Difference::Unwritten { node: node.to_owned(), field: field.to_owned(), version }
                }
                Lack::Unsigned { node, field } => match weak_signer::<G, S>(fold, node, field) {
                    Some(signed_by) => {
                        Difference::WeaklySigned { node: node.to_owned(), field: field.to_owned(), signed_by }
                    }
                    None => Difference::Unsigned {
                        node: node.to_owned(),
                        field: field.to_owned(),
                        signed_by: self.signer(fold, field),
                    },
                },
                Lack::Output { field } => Difference::OutputUnwritten { field: field.to_owned(), version },
            });
        }
    }

    /// Who signed a field whose signature is void.
    fn signer<S: State>(&self, fold: &Fold<S>, field: &str) -> Option<String> {
        let void = self.void.iter().find(|void| void.field == field)?;
        Some(fold.lanes.get(&void.lane)?.signatures.get(field)?.operator.clone())
    }
}

/// The signatures that the node of a lane is to run on next, and that were given under a weaker rule than this program's.
///
/// What has begun is finished as it was signed: asking anew would give it a second idempotency key. An effect that is not
/// idempotent and runs again is known not to have been done, so it begins.
fn weak<G: Graph, F>(lane: &Lane<F>, node: usize) -> Vec<(&'static str, &Signature)> {
    let visit = match &lane.at {
        At::Ready { visit, .. } | At::Failed { visit, stopped: false, .. } => visit,
        _ => return Vec::new(),
    };
    let spec = &G::NODES[node].spec;
    let approved = spec.reads.iter().filter(|read| read.kind == ReadKind::Approved).map(|read| read.field);
    let own = spec.interrupt.map(|interrupt| interrupt.field).filter(|_| visit.signed);
    let fields =
        own.into_iter().chain(approved.filter(|field| spec.interrupt.is_none_or(|own| own.field != *field)));
    let signed = fields.filter_map(|field| Some((field, lane.signatures.get(field)?)));
    let is_weak = |(field, signature): &(&'static str, &Signature)| {
        let permitted = permits(G::SPEC, spec, Some(visit.entered), field, signature);
        match permitted {
            Ok(()) => {
                !spec.idempotent
                    && !reviews_of(G::SPEC, spec, field, signature)
                        .all(|review| satisfies(&review, signature))
            }
            Err(error) => matches!(error, SignatureError::Weaker { .. }),
        }
    };
    signed.filter(is_weak).collect()
}

/// Who has signed a field in a way that only the rule of this program keeps a node from running on.
fn weak_signer<G: Graph, S: State>(fold: &Fold<S>, node: &str, field: &'static str) -> Option<String> {
    let spec = &route::node::<G>(node)?.1.spec;
    let signatures = fold.lanes.values().filter_map(|lane| lane.signatures.get(field));
    signatures.into_iter().find_map(|signature| match permits(G::SPEC, spec, None, field, signature) {
        Err(SignatureError::Weaker { operator, .. }) => Some(operator),
        _ => None,
    })
}

/// A node that this graph does not have.
pub(super) fn gone<G: Graph>(node: &str) -> Difference {
    Difference::NodeGone { node: node.to_owned(), graph: G::SPEC.name.to_owned(), near: near::<G>(node) }
}

/// A node that may be the same under another name.
fn near<G: Graph>(node: &str) -> Option<String> {
    prose::nearest(node, G::SPEC.nodes.iter().map(|node| node.name)).map(str::to_owned)
}

/// `for each order of orders`, or once for all of them.
fn for_whom(each: Option<(&str, &str)>) -> String {
    match each {
        Some((item, list)) => format!("for each `{item}` of `{list}`"),
        None => "once in a branch".to_owned(),
    }
}

/// The lanes that a lane came out of, the nearest first.
fn parents<S: State>(fold: &Fold<S>, id: LaneId) -> Vec<LaneId> {
    let parent = |id: &LaneId| fold.lanes.get(id).and_then(|lane| lane.parent);
    std::iter::successors(parent(&id), parent).collect()
}

/// Why a draft has no digest, if it has none.
fn unsignable<S: State>(fold: &Fold<S>, node: &str, field: &str, draft: &Value) -> Vec<Violation> {
    let terms = Terms { node, field, place: 0, covers: &[], shows: &[] };
    terms
        .digest(fold, ROOT, draft)
        .err()
        .map(|e| Violation { path: e.path, message: e.problem })
        .into_iter()
        .collect()
}

/// Whether a signature is for the value that stands in its field.
pub(super) fn holds<S: State>(fold: &Fold<S>, id: LaneId, field: &str, signature: &Signature) -> bool {
    let draft = match fold.lanes.get(&id).map(|lane| lane.fields.read(field)) {
        Some(Ok(Some(json))) => serde_json::from_str(&json),
        _ => return false,
    };
    let Ok(draft) = draft else { return false };
    let digest = Terms::of_signature(field, signature).digest(fold, id, &draft);
    digest.is_ok_and(|signed| signed == signature.digest)
}
