//! The compatibility of a thread with this program's graph: everything that keeps the thread from going on, and what
//! changes if it goes on. Nothing is written, and nothing runs.

use serde_json::Value;

use super::{review_expressions::LaneRules, review_terms::ReviewTerms, unreadable::value_incompatibility};
use crate::{
    Incompatibility, Place, Violation,
    graph::{
        LaneFacts, LanePosition, Payload, Point, ReadKind, UnmetRequirement, next_review, unmet_requirements,
    },
    journal::{
        Activation, Feedback, Fold, Lane, LaneId, LaneState, NodeRenames, ROOT, Runs, Signature, Transition,
        VoidedSignature,
    },
    node::GraphTable,
    review::{SignatureError, applicable_reviews, check_signature, has_begun, satisfies},
    text,
};

/// The result of a compatibility check: the incompatibilities, the renamed nodes, and the signatures that are void.
#[derive(Default)]
pub(super) struct Compatibility {
    pub(in crate::engine) differences: Vec<Incompatibility>,
    pub(in crate::engine) renamed: NodeRenames,
    pub(in crate::engine) void: Vec<VoidedSignature>,
    /// The lanes whose node was signed under a weaker rule than this program's and has not begun: it must be signed
    /// again.
    pub(in crate::engine) again: Vec<LaneId>,
}

/// Checks a thread, which may be a lenient fold, against this program.
pub(super) fn check_compatibility(graph: &'static GraphTable, fold: &Fold) -> Compatibility {
    let mut fit = Compatibility::default();
    if let Some(difference) = stranger(graph, fold) {
        fit.differences.push(difference);
    } else if !fold.ended {
        fit.find(graph, fold);
    }
    fit
}

/// Returns the incompatibility of a thread of another graph, or of a newer state. Any further one would mislead.
fn stranger(graph: &'static GraphTable, fold: &Fold) -> Option<Incompatibility> {
    let known = graph.state.spec.version;
    if fold.graph != graph.spec.name {
        Some(Incompatibility::OtherGraph { graph: fold.graph.clone(), this: graph.spec.name.to_owned() })
    } else if fold.version > known {
        Some(Incompatibility::FromTheFuture {
            state: graph.state.spec.name.to_owned(),
            version: fold.version,
            known,
        })
    } else {
        None
    }
}

impl Compatibility {
    fn find(&mut self, graph: &'static GraphTable, fold: &Fold) {
        let mut stands: Vec<(LaneId, Option<LanePosition>)> =
            fold.lanes.iter().map(|(id, lane)| (*id, self.stand(graph, &lane.at))).collect();
        for (id, lane) in fold.lanes.iter() {
            self.signatures(fold, *id, lane);
            self.runs(graph, &lane.runs);
        }
        for (id, stand) in &mut stands {
            if let (Some(LanePosition::Before(node) | LanePosition::At(node)), Some(lane)) =
                (*stand, fold.lanes.get(id))
            {
                let own = graph.nodes[node].spec.interrupt.map(|interrupt| interrupt.field);
                for (field, signature) in weak(graph, fold, lane, node) {
                    let void = VoidedSignature { field: field.to_owned(), lane: *id };
                    if self.void.contains(&void) {
                        // The changed value is reported instead.
                    } else if own == Some(field) {
                        self.void.push(void);
                        self.again.push(*id);
                        *stand = Some(LanePosition::Before(node));
                    } else {
                        self.note(Incompatibility::WeaklySigned {
                            node: graph.nodes[node].spec.name.to_owned(),
                            field: field.to_owned(),
                            signed_by: signature.by.to_string(),
                        });
                    }
                }
            }
        }
        let stands: Option<Vec<(LaneId, LanePosition)>> =
            stands.into_iter().map(|(id, stand)| Some((id, stand?))).collect();
        // If a lane has no position in this graph, there is no path ahead to check.
        let Some(stands) = stands else { return };
        for (id, stand) in &stands {
            if let Some(lane) = fold.lanes.get(id) {
                self.activation(graph, &lane.at, *stand);
                self.drafts(graph, fold, lane, *stand);
            }
        }
        if self.places(graph, fold, &stands) {
            self.ahead(graph, fold, &stands);
        }
    }

    /// Adds an incompatibility if it is new: the branches of a fork may hold the same draft, and all items of a `for`
    /// may be at one node.
    fn note(&mut self, difference: Incompatibility) {
        if !self.differences.contains(&difference) {
            self.differences.push(difference);
        }
    }

    /// Returns the position of a lane in this graph; `None` if the graph has it no longer.
    fn stand(&mut self, graph: &'static GraphTable, at: &LaneState) -> Option<LanePosition> {
        match at {
            LaneState::Joined => Some(LanePosition::Joined),
            LaneState::Ended | LaneState::Failed { stopped: true, .. } => Some(LanePosition::Ended),
            at => {
                if let Some(join) = at.join() {
                    return self.join(graph, join).map(LanePosition::Forked);
                }
                let activation = at.activation()?;
                let node = self.node(graph, &activation.node, || gone(graph, &activation.node))?;
                let over =
                    activation.signed || matches!(at, LaneState::Began { .. } | LaneState::InDoubt { .. });
                Some(if over { LanePosition::At(node) } else { LanePosition::Before(node) })
            }
        }
    }

    /// Returns the point of this graph at which the branches of a lane meet.
    fn join(&mut self, graph: &'static GraphTable, join: &Transition) -> Option<Point> {
        let Transition::Node(join) = join else { return Some(Point::End) };
        let gone = || Incompatibility::JoinGone {
            node: join.clone(),
            graph: graph.spec.name.to_owned(),
            near: near(graph, join),
        };
        self.node(graph, join, gone).map(Point::Node)
    }

    /// Returns the index of a node that an old thread names, and notes its new name if it was renamed.
    fn node(
        &mut self,
        graph: &'static GraphTable,
        name: &str,
        gone: impl FnOnce() -> Incompatibility,
    ) -> Option<usize> {
        match graph.current(name) {
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

    /// Notes the new names of the nodes whose runs are counted. The count of a node that is gone is not read again.
    fn runs(&mut self, graph: &'static GraphTable, runs: &Runs) {
        for name in runs.nodes() {
            if let Some((_, entry)) = graph.current(name)
                && entry.spec.name != name
            {
                self.renamed.insert(name.to_owned(), entry.spec.name.to_owned());
            }
        }
    }

    /// Notes the signatures that are void because the migration has changed the signed value.
    fn signatures(&mut self, fold: &Fold, id: LaneId, lane: &Lane) {
        let void = lane.signatures.iter().filter(|(field, signature)| !holds(fold, id, field, signature));
        self.void.extend(void.map(|(field, _)| VoidedSignature { field: field.clone(), lane: id }));
    }

    /// Checks that the graph still has the effect or the review that a lane is at, and that the lane feedback the
    /// rejection or the question that the node requires.
    fn activation(&mut self, graph: &'static GraphTable, at: &LaneState, stand: LanePosition) {
        let (LanePosition::Before(number) | LanePosition::At(number)) = stand else { return };
        let Some(Activation { feedback, .. }) = at.activation() else { return };
        let spec = &graph.nodes[number].spec;
        let node = spec.name.to_owned();
        match at {
            LaneState::Began { .. } | LaneState::InDoubt { .. } if !spec.effect => {
                self.note(Incompatibility::NotAnEffect { node: node.clone() });
            }
            LaneState::Paused(_) if spec.interrupt.is_none() => {
                self.note(Incompatibility::NoReview { node: node.clone() });
            }
            _ => {}
        }
        let brought = [
            (spec.rejection, matches!(feedback.as_deref(), Some(Feedback::Rejection(_))), "rejection"),
            (spec.question, matches!(feedback.as_deref(), Some(Feedback::Question(_))), "question"),
        ];
        for (payload, there, what) in brought {
            if payload == Payload::Required && !there {
                self.note(Incompatibility::Unbrought { node: node.clone(), what });
            }
        }
    }

    /// Checks that each draft that reaches a review unchanged satisfies its invariants and has a digest.
    fn drafts(&mut self, graph: &'static GraphTable, fold: &Fold, lane: &Lane, stand: LanePosition) {
        for field in graph.state.spec.fields.iter().map(|field| field.name) {
            let Some(node) = next_review(graph.spec, stand, field) else { continue };
            let reviewed = graph.node(node).and_then(|(_, entry)| entry.reviewed);
            let Some(reviewed) = reviewed else { continue };
            let json = match lane.fields.read(field) {
                Ok(Some(json)) => json,
                Ok(None) => continue,
                Err(error) => {
                    self.note(value_incompatibility(graph, fold.version, &error));
                    continue;
                }
            };
            let violations = match (reviewed.check)(json) {
                Ok(draft) => unsignable(fold, node, field, &draft),
                Err(violations) => violations,
            };
            if violations.is_empty() {
                continue;
            }
            let (field, node) = (field.to_owned(), node.to_owned());
            self.note(Incompatibility::InvariantTightened { field, node, violations });
        }
    }

    /// Checks that each lane is in a branch of the fork that it came out of, and, outside of a `for`, that no other
    /// lane is in the same branch.
    fn places(&mut self, graph: &'static GraphTable, fold: &Fold, stands: &[(LaneId, LanePosition)]) -> bool {
        let before = self.differences.len();
        let mut taken: Vec<(LaneId, usize, usize, &str)> = Vec::new();
        for (id, stand) in stands {
            // A lane that has forked is at the join of its branches.
            let (LanePosition::Before(node)
            | LanePosition::At(node)
            | LanePosition::Forked(Point::Node(node))) = *stand
            else {
                continue;
            };
            let name = graph.spec.nodes[node].name;
            let around = graph.spec.enclosing_branches(node);
            let parents = fold.parents(*id);
            let problem = match (around.last(), parents.first()) {
                (None, None) => None,
                (Some(_), None) => Some("is in a branch of a fork, but was in none".to_owned()),
                (None, Some(_)) => Some("is in no branch of a fork, but was in one".to_owned()),
                (Some(&(fork, branch)), Some(&parent)) => {
                    let join = stands.iter().find(|(id, _)| *id == parent).map(|(_, stand)| *stand);
                    let meets = graph.spec.forks[fork].join;
                    let here = graph.spec.forks[fork].each.map(|each| (each.item, each.list));
                    let there = fold.lanes.get(&parent).and_then(|lane| lane.at.each());
                    let there = there.map(|each| (each.item.as_str(), each.list.as_str()));
                    let twin = taken.iter().find(|(of, f, b, _)| (*of, *f, *b) == (parent, fork, branch));
                    let twin = twin.filter(|_| here.is_none());
                    let problem = if around.len() != parents.len() {
                        Some("is nested in a different number of forks than".to_owned())
                    } else if here != there {
                        Some(format!("runs {}, but ran {}", run_of(here), run_of(there)))
                    } else if join != Some(LanePosition::Forked(meets)) {
                        Some(format!(
                            "is in a branch that joins at `{}`, but was in another",
                            meets.name(graph.spec)
                        ))
                    } else {
                        twin.map(|(.., twin)| {
                            format!("is in the same branch as `{twin}`, but was in another")
                        })
                    };
                    taken.push((parent, fork, branch, name));
                    problem
                }
            };
            if let Some(problem) = problem {
                self.note(Incompatibility::Misplaced { node: name.to_owned(), problem });
            }
        }
        self.differences.len() == before
    }

    /// Checks that each field that a node on the remaining path needs, and each output, is available or will be on
    /// every path, and is signed where it must be.
    fn ahead(&mut self, graph: &'static GraphTable, fold: &Fold, stands: &[(LaneId, LanePosition)]) {
        let written = |lane: &Lane| {
            let fields = graph.state.spec.fields.iter().map(|field| field.name);
            fields.filter(|name| lane.fields.is_written(name)).collect()
        };
        let is_void = |id: LaneId, field: &str| self.void.iter().any(|v| v.lane == id && v.field == field);
        let lanes: Vec<LaneFacts<'_>> = stands
            .iter()
            .filter_map(|&(id, stand)| {
                let lane = fold.lanes.get(&id)?;
                let there = match stand {
                    LanePosition::Before(node) | LanePosition::At(node) => {
                        lane.at.activation().map(|activation| (node, activation.entered))
                    }
                    LanePosition::Joined | LanePosition::Forked(_) | LanePosition::Ended => None,
                };
                let valid = |field: &str| lane.signatures.get(field).filter(|_| !is_void(id, field));
                let signed = graph.spec.nodes.iter().enumerate().flat_map(|(number, node)| {
                    let entered = there.filter(|(here, _)| *here == number).map(|(_, entered)| entered);
                    let approved = node.reads.iter().filter(|read| read.kind == ReadKind::Approved);
                    let may_run = approved.filter(move |read| {
                        valid(read.field).is_some_and(|signature| {
                            let rules = LaneRules::new(graph, fold, lane, read.field);
                            // What has begun is settled, or is checked again before it begins once more.
                            has_begun(graph.spec, node, entered, signature)
                                || check_signature(graph.spec, node, entered, read.field, signature, &rules)
                                    .is_ok()
                        })
                    });
                    may_run.map(move |read| (number, read.field))
                });
                Some(LaneFacts {
                    id,
                    parent: lane.parent,
                    position: stand,
                    written: written(lane),
                    signed: signed.collect(),
                    touched: lane.wrote.iter().map(|arrival| arrival.field.as_str()).collect(),
                    appended_lists: lane.at.each().map(|each| each.into.iter().map(String::as_str).collect()),
                })
            })
            .collect();
        let version = (fold.version, graph.state.spec.version);
        for unmet in unmet_requirements(graph.spec, &lanes) {
            self.note(match unmet {
                UnmetRequirement::Unwritten { node, field } => {
                    Incompatibility::Unwritten { node: node.to_owned(), field: field.to_owned(), version }
                }
                UnmetRequirement::Unsigned { node, field } => match weak_signer(graph, fold, node, field) {
                    Some(signed_by) => Incompatibility::WeaklySigned {
                        node: node.to_owned(),
                        field: field.to_owned(),
                        signed_by,
                    },
                    None => Incompatibility::Unsigned {
                        node: node.to_owned(),
                        field: field.to_owned(),
                        signed_by: self.signer(fold, field),
                    },
                },
                UnmetRequirement::Output { field } => {
                    Incompatibility::OutputUnwritten { field: field.to_owned(), version }
                }
            });
        }
    }

    /// Returns who signed a field whose signature is void.
    fn signer(&self, fold: &Fold, field: &str) -> Option<String> {
        let void = self.void.iter().find(|void| void.field == field)?;
        Some(fold.lanes.get(&void.lane)?.signatures.get(field)?.by.to_string())
    }
}

/// Returns the signatures on which the node of a lane would run next, and which were given under a weaker rule than
/// this program's.
///
/// An effect that has begun is finished under the signature that it began with, since a new signature would give it a
/// second idempotency key. An effect that is not idempotent runs again only if it is known not to have happened, and so
/// counts as not begun.
fn weak<'a>(
    graph: &'static GraphTable,
    fold: &Fold,
    lane: &'a Lane,
    node: usize,
) -> Vec<(&'static str, &'a Signature)> {
    let activation = match &lane.at {
        LaneState::Ready { activation, .. } | LaneState::Failed { activation, stopped: false, .. } => {
            activation
        }
        _ => return Vec::new(),
    };
    let spec = &graph.nodes[node].spec;
    let approved = spec.reads.iter().filter(|read| read.kind == ReadKind::Approved).map(|read| read.field);
    let own = spec.interrupt.map(|interrupt| interrupt.field).filter(|_| activation.signed);
    let fields =
        own.into_iter().chain(approved.filter(|field| spec.interrupt.is_none_or(|own| own.field != *field)));
    let signed = fields.filter_map(|field| Some((field, lane.signatures.get(field)?)));
    let is_weak = |(field, signature): &(&'static str, &Signature)| {
        let rules = LaneRules::new(graph, fold, lane, field);
        let permitted = check_signature(graph.spec, spec, Some(activation.entered), field, signature, &rules);
        match permitted {
            Ok(()) => {
                !spec.idempotent
                    && !applicable_reviews(graph.spec, spec, field, signature)
                        .all(|reviewed| satisfies(reviewed, signature, &rules))
            }
            // A second idempotency key could repeat it.
            Err(SignatureError::WeakerRule { .. }) => {
                !spec.idempotent || !has_begun(graph.spec, spec, Some(activation.entered), signature)
            }
            Err(_) => false,
        }
    };
    signed.filter(is_weak).collect()
}

/// Returns the signer of a signature that only this program's stricter rule keeps from being used by a node.
fn weak_signer(graph: &'static GraphTable, fold: &Fold, node: &str, field: &'static str) -> Option<String> {
    let spec = &graph.node(node)?.1.spec;
    fold.lanes.values().find_map(|lane| {
        let rules = LaneRules::new(graph, fold, lane, field);
        match check_signature(graph.spec, spec, None, field, lane.signatures.get(field)?, &rules) {
            Err(SignatureError::WeakerRule { signed_by, .. }) => Some(signed_by),
            _ => None,
        }
    })
}

/// Returns the incompatibility for a node that this graph does not have.
pub(in crate::engine) fn gone(graph: &'static GraphTable, node: &str) -> Incompatibility {
    Incompatibility::NodeGone {
        node: node.to_owned(),
        graph: graph.spec.name.to_owned(),
        near: near(graph, node),
    }
}

/// Returns a node with a similar name, which may be the same node.
fn near(graph: &'static GraphTable, node: &str) -> Option<String> {
    text::nearest(node, graph.spec.nodes.iter().map(|node| node.name)).map(str::to_owned)
}

/// Returns the text for a `for`, such as ``for each `order` of `orders` ``, or for a branch without one.
fn run_of(each: Option<(&str, &str)>) -> String {
    match each {
        Some((item, list)) => format!("for each `{item}` of `{list}`"),
        None => "once in a branch".to_owned(),
    }
}

/// Returns the violation that keeps a draft from having a digest; empty if it has one.
fn unsignable(fold: &Fold, node: &str, field: &str, draft: &Value) -> Vec<Violation> {
    let terms = ReviewTerms { node, field, place: Place::START, covers: &[], shows: &[] };
    terms
        .digest(fold, ROOT, draft)
        .err()
        .map(|e| Violation { path: e.path, message: e.problem })
        .into_iter()
        .collect()
}

/// Returns whether a signature is for the present value of its field.
pub(in crate::engine) fn holds(fold: &Fold, id: LaneId, field: &str, signature: &Signature) -> bool {
    let draft = match fold.lanes.get(&id).map(|lane| lane.fields.read(field)) {
        Some(Ok(Some(json))) => serde_json::from_str(json),
        _ => return false,
    };
    let Ok(draft) = draft else { return false };
    let digest = ReviewTerms::from_signature(field, signature).digest(fold, id, &draft);
    digest.is_ok_and(|signed| signed == signature.digest)
}
