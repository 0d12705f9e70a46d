//! The proof that a person signed a value.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Place, ThreadId,
    graph::{GraphSpec, InterruptSpec, NodeSpec, ReadKind},
    journal::{
        Digest, DigestError, Signature, Subject,
        exact::{Integers, normal},
        shown,
    },
    state::Fields,
};

/// A value that an operator has signed, and that nothing has changed since.
///
/// Only a verdict makes one: it has no public constructor, it is not `Clone`, and it does not deserialize. It
/// dereferences to the value.
///
/// It is for one run of one node: the one that the review stands before, or a later effect that the review covers
/// (`#[interrupt_before(covers = (hold, wire))]`). What is shown beside the value (`show = (iban)`) is signed with it.
///
/// A node takes `&Approved<T>`. The runtime owns the proof and lends it for one call, so that it cannot be stored, moved
/// into a task, swapped with another one or used up twice.
///
/// ```compile_fail
/// fn twice<T>(draft: hitl::Approved<T>) -> (hitl::Approved<T>, hitl::Approved<T>) {
///     (draft.clone(), draft)
/// }
/// ```
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::prelude::*;
///
/// /// What touches the world asks for the proof, and so cannot be called without one.
/// async fn refund(draft: &Approved<Refund>, key: &str) -> Result<String> {
///     Ok(format!("{} dollars, signed by {} as {} ({key})", draft.dollars, draft.operator(), draft.digest()))
/// }
///
/// #[interrupt_before]
/// #[node(Ticket, writes = outcome, effect)]
/// async fn execute(draft: &Approved<Refund>, cx: &Cx) -> Result<String> {
///     refund(draft, cx.idempotency_key()).await
/// }
/// # Ok(())
/// # }
/// ```
pub struct Approved<T> {
    value: T,
    thread: ThreadId,
    field: &'static str,
    signature: Signature,
}

impl<T> Approved<T> {
    /// Returns the thread that it was signed in.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// Returns the node whose review signed it, under the name that the node had then.
    pub fn node(&self) -> &str {
        &self.signature.node
    }

    /// Returns the state field that holds it.
    pub fn field(&self) -> &str {
        self.field
    }

    /// Returns the role that the review asked for, if it asked for one.
    ///
    /// `None` also where a hitl that did not keep the role recorded the verdict.
    pub fn role(&self) -> Option<&str> {
        self.signature.role.as_deref()
    }

    /// Returns the name of the operator who signed it.
    pub fn operator(&self) -> &str {
        &self.signature.operator
    }

    /// Returns the digest of what was signed.
    pub fn digest(&self) -> Digest {
        self.signature.digest
    }
}

impl<T> Deref for Approved<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Approved<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approved")
            .field("value", &self.value)
            .field("field", &self.field)
            .field("operator", &self.signature.operator)
            .finish_non_exhaustive()
    }
}

/// The signatures that the fields of a thread bear, as one visit to a node sees them.
#[derive(Clone, Debug)]
pub struct Signatures {
    pub(crate) thread: ThreadId,
    pub(crate) id: Arc<str>,
    pub(crate) requester: Option<Arc<str>>,
    pub(crate) by_field: Arc<BTreeMap<String, Signature>>,
    pub(crate) graph: &'static GraphSpec,
    pub(crate) node: &'static NodeSpec,
    /// The place of the entry that led to the node.
    pub(crate) entered: Place,
}

impl Signatures {
    /// Returns the value with its proof, if the signature is for this very value, for this node and for this visit.
    pub(crate) fn mint<T, F>(
        &self,
        field: &'static str,
        value: &T,
        fields: &F,
    ) -> Result<Approved<T>, SignatureError>
    where
        T: Serialize + DeserializeOwned,
        F: Fields,
    {
        let signature = self.by_field.get(field).ok_or(SignatureError::Missing { field })?;
        permits(self.graph, self.node, Some(self.entered), field, signature)?;
        let shown = shown(fields, &signature.shows)
            .map_err(|error| DigestError { path: error.field, problem: error.problem })?;
        let encoding = |source| SignatureError::Encoding { field, source };
        let json = serde_json::to_string(value).map_err(encoding)?;
        // What the node gets is read out of the one spelling that the digest is made of, and out of nothing else.
        let json = normal(&json, Integers::Canonical)?;
        let draft: Value = serde_json::from_str(&json).map_err(encoding)?;
        let subject = Subject {
            thread: self.thread.as_str(),
            id: &self.id,
            node: &signature.node,
            field,
            place: signature.place,
            requester: self.requester.as_deref(),
            draft: &draft,
            covers: &signature.covers,
            shown: shown.as_ref(),
        };
        if subject.digest()? != signature.digest {
            return Err(SignatureError::Altered { field });
        }
        let value = serde_json::from_str(&json).map_err(encoding)?;
        Ok(Approved { value, thread: self.thread.clone(), field, signature: signature.clone() })
    }
}

/// Checks that a visit to a node may run on a signature, whatever its value: that its review was the node's own or covers
/// it, by what was signed and by what this graph says, that no other visit has spent it, that this graph asks for no more
/// than the rule that it was given under, and that what the node reads beside it was shown.
///
/// An effect that has begun in this visit is finished under the signature that it began on, whatever the rule is by now:
/// asking anew would give it a second idempotency key.
///
/// `entered` is the place of the entry that led to the node, if the thread is there by now.
pub(crate) fn permits(
    graph: &GraphSpec,
    node: &NodeSpec,
    entered: Option<Place>,
    field: &'static str,
    signature: &Signature,
) -> Result<(), SignatureError> {
    // A journal may know the node by an older name.
    let is = |name: &str, node: &NodeSpec| is_called(graph, name, node);
    let is_own = is(&signature.node, node);
    let wants_own = node.interrupt.is_some_and(|interrupt| interrupt.field == field);
    if !is_own && (wants_own || !signature.covers.iter().any(|name| is(name, node))) {
        return Err(SignatureError::NotForNode { field, node: node.name, review: signature.node.clone() });
    }
    // A name that neither this graph nor the review knows may be what a later version calls this very node.
    let is_known = |name: &str| {
        let of_review = name == signature.node || signature.covers.iter().any(|covered| covered == name);
        of_review || graph.node_index(name).is_some() || graph.renamed.iter().any(|(old, _)| *old == name)
    };
    let spends = |name: &str| is(name, node) || !is_known(name);
    if signature.spent.iter().any(|(name, visit)| spends(name) && Some(*visit) != entered) {
        return Err(SignatureError::Spent { field, node: node.name });
    }
    let has_begun = signature.spent.iter().any(|(name, visit)| is(name, node) && Some(*visit) == entered);
    let reviews = reviews_of(graph, node, field, signature);
    if !has_begun {
        let covers = |review: &InterruptSpec| is_own || review.covers.contains(&node.name);
        if !reviews.clone().all(|review| covers(&review)) {
            return Err(SignatureError::NotForNode {
                field,
                node: node.name,
                review: signature.node.clone(),
            });
        }
        if !reviews.clone().all(|review| satisfies(&review, signature)) {
            return Err(SignatureError::Weaker {
                field,
                node: node.name,
                operator: signature.operator.clone(),
            });
        }
    }
    if node.interrupt.is_some() && !is_own {
        // What it reads is its own review's business.
        return Ok(());
    }
    let unsigned = reviews.clone().next().map_or(&[][..], |review| review.unsigned);
    for read in node.reads.iter().filter(|read| read.kind != ReadKind::Approved) {
        if !signature.shows.iter().any(|shown| shown == read.field) && !unsigned.contains(&read.field) {
            return Err(SignatureError::NotShown { field, node: node.name, read: read.field });
        }
    }
    Ok(())
}

/// Whether a node of this graph is meant by a name, which may be an older one.
fn is_called(graph: &GraphSpec, name: &str, node: &NodeSpec) -> bool {
    name == node.name || graph.renamed.iter().any(|(old, new)| *old == name && *new == node.name)
}

/// The reviews of a graph whose signature another one counts for: the one that it was given before, or, where that is no
/// more, each that covers the node now.
pub(crate) fn reviews_of<'g>(
    graph: &'g GraphSpec,
    node: &'g NodeSpec,
    field: &'g str,
    signature: &Signature,
) -> impl Iterator<Item = InterruptSpec> + Clone + use<'g> {
    let signed_before = graph.nodes.iter().find(|reviewed| is_called(graph, &signature.node, reviewed));
    let review = signed_before.and_then(|reviewed| reviewed.interrupt).filter(|review| review.field == field);
    let all = graph.nodes.iter().filter_map(|reviewed| reviewed.interrupt);
    let covering = all.filter(move |review| review.field == field && review.covers.contains(&node.name));
    review.into_iter().chain(covering.filter(move |_| review.is_none()))
}

/// Whether a signature was given under no weaker rule than this one: in its role, and beside all that it shows.
pub(crate) fn satisfies(review: &InterruptSpec, signature: &Signature) -> bool {
    review.role.is_none_or(|role| signature.role.as_deref() == Some(role))
        && review.shows.iter().all(|field| signature.shows.iter().any(|shown| shown == field))
}

/// Why a field has no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Nobody has signed it.
    #[error("`{field}` bears no signature")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Somebody has signed something else.
    #[error("`{field}`, or what was shown beside it, is not what was signed")]
    Altered {
        /// The field.
        field: &'static str,
    },
    /// It was signed for another node.
    #[error("`{field}` was signed before `{review}`, whose review does not cover `{node}`")]
    NotForNode {
        /// The field.
        field: &'static str,
        /// The node that would run on the signature.
        node: &'static str,
        /// The node whose review signed it.
        review: String,
    },
    /// The node has run on the signature in an earlier visit.
    #[error("`{node}` has spent the signature on `{field}` already: each round needs a review of its own")]
    Spent {
        /// The field.
        field: &'static str,
        /// The node.
        node: &'static str,
    },
    /// It was signed under a weaker rule than this program's.
    #[error(
        "{operator} signed `{field}` under a weaker rule than this program asks for before `{node}` runs"
    )]
    Weaker {
        /// The field.
        field: &'static str,
        /// The node.
        node: &'static str,
        /// The operator who signed it.
        operator: String,
    },
    /// The node reads a field that nobody was shown.
    #[error("`{node}` reads `{read}`, which was not shown when `{field}` was signed")]
    NotShown {
        /// The field that was signed.
        field: &'static str,
        /// The node.
        node: &'static str,
        /// The field that it reads.
        read: &'static str,
    },
    /// Its value has no JSON form.
    #[error("`{field}` has no JSON form")]
    Encoding {
        /// The field.
        field: &'static str,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// Its value has no canonical JSON.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::graph::{InterruptSpec, Point, ReadSpec, StateSpec};

    const fn read(field: &'static str, kind: ReadKind) -> ReadSpec {
        ReadSpec { field, kind }
    }

    /// `hold` covers `wire` and `file`; `file` reads the memo, which nobody signs, and the account.
    const NODES: &[NodeSpec] = &[
        NodeSpec {
            name: "hold",
            reads: &[read("draft", ReadKind::Approved)],
            interrupt: Some(InterruptSpec {
                covers: &["wire", "file"],
                unsigned: &["memo"],
                ..InterruptSpec::of("draft")
            }),
            ..NodeSpec::BLANK
        },
        NodeSpec { name: "wire", reads: &[read("draft", ReadKind::Approved)], ..NodeSpec::BLANK },
        NodeSpec {
            name: "file",
            reads: &[
                read("draft", ReadKind::Approved),
                read("memo", ReadKind::Optional),
                read("iban", ReadKind::Optional),
            ],
            ..NodeSpec::BLANK
        },
        NodeSpec {
            name: "book",
            reads: &[read("draft", ReadKind::Approved)],
            interrupt: Some(InterruptSpec::of("draft")),
            ..NodeSpec::BLANK
        },
    ];

    const GRAPH: GraphSpec = GraphSpec {
        name: "Graph",
        docs: "",
        state: StateSpec { name: "State", version: 1, fields: &[] },
        nodes: NODES,
        edges: &[],
        routes: &[],
        forks: &[],
        renamed: &[("send", "wire"), ("reserve", "hold")],
    };

    /// The same graph, in which `hold` covers `file` alone, and asks for more.
    const NARROW: GraphSpec = GraphSpec {
        nodes: &[
            NodeSpec {
                name: "hold",
                reads: &[read("draft", ReadKind::Approved)],
                interrupt: Some(InterruptSpec {
                    role: Some("director"),
                    covers: &["file"],
                    shows: &["iban"],
                    unsigned: &["memo"],
                    ..InterruptSpec::of("draft")
                }),
                ..NodeSpec::BLANK
            },
            NODES[1],
            NODES[2],
            NODES[3],
        ],
        ..GRAPH
    };

    #[test]
    fn a_signature_under_a_weaker_rule_permits_nothing_new() {
        let given = |role: Option<&str>, shows: &[&str], spent: &[(&str, Place)]| Signature {
            role: role.map(str::to_owned),
            ..signature("hold", &["file"], shows, spent)
        };
        for node in [0, 2] {
            let ask =
                |signature: &Signature| permits(&NARROW, &NARROW.nodes[node], Some(7), "draft", signature);
            let name = NARROW.nodes[node].name;
            for weaker in [
                given(None, &["iban"], &[]),
                given(Some("clerk"), &["iban"], &[]),
                given(Some("director"), &[], &[]),
            ] {
                let refused = ask(&weaker);
                assert!(matches!(refused, Err(SignatureError::Weaker { .. })), "{name} {refused:?}");
            }
            assert!(ask(&given(Some("director"), &["iban"], &[])).is_ok(), "{name}");
            assert!(ask(&given(Some("clerk"), &["iban"], &[(name, 7)])).is_ok(), "{name} has begun");
        }
    }

    /// A signature of the review before a node, for these others, with what has run on it.
    fn signature(node: &str, covers: &[&str], shows: &[&str], spent: &[(&str, Place)]) -> Signature {
        serde_json::from_value(json!({
            "node": node,
            "place": 3,
            "operator": "mara",
            "digest": Digest::of(b""),
            "covers": covers,
            "shows": shows,
            "spent": spent.iter().copied().collect::<BTreeMap<_, _>>(),
        }))
        .unwrap()
    }

    fn permitted(node: &str, signature: &Signature) -> Result<(), SignatureError> {
        let number = GRAPH.node_index(node).unwrap();
        assert_eq!(Point::Node(number).name(&GRAPH), node);
        permits(&GRAPH, &NODES[number], Some(7), "draft", signature)
    }

    #[test]
    fn a_signature_is_for_its_node_and_those_that_it_covers() {
        let covering = signature("hold", &["wire"], &[], &[]);
        assert!(permitted("hold", &covering).is_ok() && permitted("wire", &covering).is_ok());
        for node in ["file", "book"] {
            let refused = permitted(node, &covering);
            assert!(matches!(refused, Err(SignatureError::NotForNode { .. })), "{node} {refused:?}");
        }
        // A node with a review of its own runs on no other one, whatever that says.
        let all = signature("hold", &["wire", "file", "book"], &[], &[]);
        assert!(matches!(permitted("book", &all), Err(SignatureError::NotForNode { .. })));
        // The journal says that what was signed covers it, and the code does not.
        let forged = permits(&NARROW, &NODES[1], Some(7), "draft", &covering);
        assert!(matches!(forged, Err(SignatureError::NotForNode { .. })), "{forged:?}");
        // What has begun is finished.
        let begun = signature("hold", &["wire"], &[], &[("wire", 7)]);
        assert!(permits(&NARROW, &NODES[1], Some(7), "draft", &begun).is_ok());
        // The code covers `wire`, and the journal says that what was signed did not.
        let narrow = signature("hold", &[], &[], &[]);
        assert!(matches!(permitted("wire", &narrow), Err(SignatureError::NotForNode { .. })));
    }

    #[test]
    fn a_signature_is_spent_by_one_visit_of_each() {
        let spent = |visits: &[(&str, Place)]| signature("hold", &["wire"], &[], visits);
        assert!(permitted("wire", &spent(&[("wire", 7)])).is_ok(), "the visit that began it");
        assert!(permitted("wire", &spent(&[("hold", 2)])).is_ok(), "another node's");
        let refused = permitted("wire", &spent(&[("wire", 5)]));
        assert!(matches!(refused, Err(SignatureError::Spent { .. })), "{refused:?}");
        // Under the name that the node had when it ran.
        let refused = permitted("wire", &spent(&[("send", 5)]));
        assert!(matches!(refused, Err(SignatureError::Spent { .. })), "{refused:?}");
        // Under one that this graph does not know: a later version may have called it so.
        let refused = permitted("wire", &spent(&[("transfer", 5)]));
        assert!(matches!(refused, Err(SignatureError::Spent { .. })), "{refused:?}");
        assert!(permitted("wire", &spent(&[("transfer", 7)])).is_ok(), "this very visit");
        // What the review itself names is another effect, though this graph has it no more.
        let gone = signature("hold", &["wire", "notify"], &[], &[("notify", 5)]);
        assert!(permitted("wire", &gone).is_ok());
        let renamed = signature("reserve", &["send"], &[], &[]);
        assert!(permitted("wire", &renamed).is_ok() && permitted("hold", &renamed).is_ok());
    }

    #[test]
    fn what_a_node_reads_was_shown_or_is_unsigned() {
        let refused = permitted("file", &signature("hold", &["file"], &[], &[]));
        assert!(matches!(refused, Err(SignatureError::NotShown { read: "iban", .. })), "{refused:?}");
        assert!(permitted("file", &signature("hold", &["file"], &["iban"], &[])).is_ok());
    }
}
