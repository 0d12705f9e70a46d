//! The proof that a value was signed.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Place, ThreadId,
    graph::{GraphSpec, NodeSpec, ReadKind, ReviewRisk},
    journal::{Digest, DigestError, Requesters, Signature, Signer, Subject, shown},
    json::exact::{Integers, normal},
    state::Slots,
};

/// A value that has been signed and that has not changed since.
///
/// The signer is an operator, or the rule of the review (`#[interrupt_before(when = …)]`), if its condition was false and no
/// person was asked. Only a verdict or the rule creates one: the type has no public constructor and implements neither `Clone` nor `Deserialize`. It
/// dereferences to the value.
///
/// It is valid for one activation of one node: the node that the review precedes, or a later effect that the review
/// covers (`#[interrupt_before(covers = (hold, wire))]`). The fields that are shown with the value (`show = (iban)`)
/// are signed with it.
///
/// A node takes `&Approved<T>`. The runtime owns the proof and lends it for one call, so that it cannot be stored,
/// moved into a task, swapped with another one or used twice.
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
/// /// Refunds the order. Requires the proof, so that it cannot be called without a signature.
/// async fn refund(draft: &Approved<Refund>, key: &str) -> Result<String> {
///     Ok(format!("{} dollars, signed by {} as {} ({key})", draft.dollars, draft.signer(), draft.digest()))
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
    /// Returns the thread in which it was signed.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// Returns the node in whose review it was signed, by the name that the node had then.
    pub fn node(&self) -> &str {
        &self.signature.node
    }

    /// Returns the state field that holds it.
    pub fn field(&self) -> &str {
        self.field
    }

    /// Returns the role that the review required, if any. `None` if a rule signed.
    ///
    /// Also `None` if the verdict was recorded by a version of hitl that did not record the role.
    pub fn role(&self) -> Option<&str> {
        self.signature.role.as_deref().filter(|_| !self.signature.is_of_rule())
    }

    /// Returns who signed it: an operator, or a rule.
    pub fn signer(&self) -> &Signer {
        &self.signature.by
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
            .field("signer", &self.signature.by)
            .finish_non_exhaustive()
    }
}

/// The signatures on the fields of a thread, as seen by one activation of a node.
#[derive(Clone, Debug)]
pub struct Signatures {
    pub(crate) thread: ThreadId,
    pub(crate) id: Arc<str>,
    pub(crate) requesters: Arc<Requesters>,
    pub(crate) by_field: Arc<BTreeMap<String, Signature>>,
    pub(crate) graph: &'static GraphSpec,
    pub(crate) node: &'static NodeSpec,
    /// The place of the entry that led to the node.
    pub(crate) entered: Place,
}

impl Signatures {
    /// Returns the value with its proof if the field's signature is for exactly this value, this node and this
    /// activation.
    pub(crate) fn verify<T>(
        &self,
        field: &'static str,
        value: &T,
        fields: &Slots,
    ) -> Result<Approved<T>, SignatureError>
    where
        T: Serialize + DeserializeOwned,
    {
        let signature = self.by_field.get(field).ok_or(SignatureError::Missing { field })?;
        // An effect begins before it reads its signature, and the runner has checked the rule.
        check_signature(self.graph, self.node, Some(self.entered), field, signature, &Checked)?;
        let shown = shown(fields, &signature.shows)
            .map_err(|error| DigestError { path: error.field, problem: error.problem })?;
        let encoding = |source| SignatureError::Encoding { field, source };
        let json = serde_json::to_string(value).map_err(encoding)?;
        // The node's value is read from the normalized JSON, with one spelling for each number, that the digest is
        // computed from.
        let json = normal(&json, Integers::Canonical)?;
        let draft: Value = serde_json::from_str(&json).map_err(encoding)?;
        let subject = Subject {
            thread: self.thread.as_str(),
            id: &self.id,
            node: &signature.node,
            field,
            place: signature.place.get(),
            requester: self.requesters.name(),
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

/// Checks that an activation of a node may run on a signature. It does not check the value. The conditions are:
///
/// - The signature is from the node's own review, or from one that covers the node, both by what was signed and by what
///   this graph declares.
/// - No other activation has spent it.
/// - This graph's rule for the review is not stricter than the rule under which the signature was given. If a rule
///   signed, this graph's rule signs the same values. `rules` evaluates the expressions of a review on them.
/// - Each other field that the node reads was shown with the draft or is declared `unsigned`.
///
/// An effect that has begun in this activation is finished under the signature of the person with which it began, even
/// if the rule is stricter by now: a new signature would give it a second idempotency key.
///
/// `entered` is the place of the entry that led to the node, if the thread is already there.
pub(crate) fn check_signature(
    graph: &GraphSpec,
    node: &NodeSpec,
    entered: Option<Place>,
    field: &'static str,
    signature: &Signature,
    rules: &impl CurrentRules,
) -> Result<(), SignatureError> {
    // A journal may have the node under an earlier name.
    let is = |name: &str, node: &NodeSpec| is_called(graph, name, node);
    let is_own = is(&signature.node, node);
    let wants_own = node.interrupt.is_some_and(|interrupt| interrupt.field == field);
    if !is_own && (wants_own || !signature.covers.iter().any(|name| is(name, node))) {
        return Err(SignatureError::NotForNode { field, node: node.name, review: signature.node.clone() });
    }
    // A name that neither this graph nor the review has may be this node's name in a later version, so it counts as
    // this node.
    let is_known = |name: &str| {
        let of_review = name == signature.node || signature.covers.iter().any(|covered| covered == name);
        of_review || graph.node_index(name).is_some() || graph.renamed.iter().any(|(old, _)| *old == name)
    };
    let spends = |name: &str| is(name, node) || !is_known(name);
    if signature.spent.iter().any(|(name, entry)| spends(name) && Some(*entry) != entered) {
        return Err(SignatureError::Spent { field, node: node.name });
    }
    let has_begun = has_begun(graph, node, entered, signature);
    let reviews = applicable_reviews(graph, node, field, signature);
    // The entries that spend a signature are a runner's. So is that of a rule's signature, which is therefore checked each
    // time.
    if !has_begun || signature.is_of_rule() {
        let covers = |reviewed: &NodeSpec| {
            is_own || reviewed.interrupt.is_some_and(|review| review.covers.contains(&node.name))
        };
        if !reviews.clone().all(covers) {
            return Err(SignatureError::NotForNode {
                field,
                node: node.name,
                review: signature.node.clone(),
            });
        }
        // A rule must be there to have signed.
        let is_satisfied = !signature.is_of_rule() || reviews.clone().next().is_some();
        if !is_satisfied || !reviews.clone().all(|reviewed| satisfies(reviewed, signature, rules)) {
            let signed_by = signature.by.to_string();
            return Err(SignatureError::WeakerRule { field, node: node.name, signed_by });
        }
    }
    if node.interrupt.is_some() && !is_own {
        // The node's own review determines which of the fields that it reads must be shown.
        return Ok(());
    }
    let unsigned = reviews.clone().next().and_then(|reviewed| reviewed.interrupt);
    let unsigned = unsigned.map_or(&[][..], |review| review.unsigned);
    for read in node.reads.iter().filter(|read| read.kind != ReadKind::Approved) {
        if !signature.shows.iter().any(|shown| shown == read.field) && !unsigned.contains(&read.field) {
            return Err(SignatureError::NotShown { field, node: node.name, read: read.field });
        }
    }
    Ok(())
}

/// Returns whether an effect has begun on a signature in the activation that the entry at `entered` led to.
pub(crate) fn has_begun(
    graph: &GraphSpec,
    node: &NodeSpec,
    entered: Option<Place>,
    signature: &Signature,
) -> bool {
    signature.spent.iter().any(|(name, entry)| is_called(graph, name, node) && Some(*entry) == entered)
}

/// Returns whether `name` is the node's name or an earlier name of it.
fn is_called(graph: &GraphSpec, name: &str, node: &NodeSpec) -> bool {
    name == node.name || graph.renamed.iter().any(|(old, new)| *old == name && *new == node.name)
}

/// Returns the nodes of this graph whose reviews apply to a signature: the one before which it was given, or, if that
/// has no longer a review of the field, each one whose review of the field covers the node now.
pub(crate) fn applicable_reviews<'g>(
    graph: &'g GraphSpec,
    node: &'g NodeSpec,
    field: &'g str,
    signature: &Signature,
) -> impl Iterator<Item = &'g NodeSpec> + Clone + use<'g> {
    let review_of = move |reviewed: &NodeSpec| reviewed.interrupt.filter(|review| review.field == field);
    let signed_before = graph.nodes.iter().find(|reviewed| is_called(graph, &signature.node, reviewed));
    let review = signed_before.filter(|reviewed| review_of(reviewed).is_some());
    let covers = move |reviewed: &&NodeSpec| {
        review_of(reviewed).is_some_and(|review| review.covers.contains(&node.name))
    };
    let covering = graph.nodes.iter().filter(covers);
    review.into_iter().chain(covering.filter(move |_| review.is_none()))
}

/// Returns whether a signature was given under a rule at least as strict as that of the review before this node: with
/// each field shown that the review shows, no lower risk, in the role that it requires and by no person that it
/// excludes, or, if a rule signed, for values about which this review does not ask a person either.
pub(crate) fn satisfies(reviewed: &NodeSpec, signature: &Signature, rules: &impl CurrentRules) -> bool {
    let Some(review) = reviewed.interrupt else { return false };
    let is_permitted = match (&signature.by, review.role) {
        (Signer::Operator(_), None) => true,
        (Signer::Operator(_), Some(_)) => {
            rules.role(reviewed).is_ok_and(|role| role.is_none() || role == signature.role.as_deref())
        }
        (Signer::Rule(_), _) => review.when.is_some() && !rules.asks(reviewed),
    };
    // A rule has seen its values, and a person what the review showed.
    let is_known = signature.is_of_rule()
        || rules.risk(reviewed).is_ok_and(|risk| risk.is_within(signature.shown_risk()));
    let is_excluded =
        review.not_requester && !signature.is_of_rule() && signature.by_requester != Some(false);
    is_permitted
        && is_known
        && !is_excluded
        && review.shows.iter().all(|field| signature.shows.iter().any(|shown| shown == field))
}

/// The rules of this program's reviews for the values of one lane.
pub(crate) trait CurrentRules {
    /// Returns whether the review before a node asks a person about the values.
    fn asks(&self, reviewed: &NodeSpec) -> bool;

    /// Returns the role that the review before a node requires.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    fn role(&self, reviewed: &NodeSpec) -> Result<Option<&'static str>, String>;

    /// Returns the risk of what is signed in the review before a node.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    fn risk(&self, reviewed: &NodeSpec) -> Result<ReviewRisk, String>;
}

/// The rules of an effect that has begun: its runner has checked that the rule signs, and no role is checked again.
struct Checked;

impl CurrentRules for Checked {
    fn asks(&self, _: &NodeSpec) -> bool {
        false
    }

    fn role(&self, _: &NodeSpec) -> Result<Option<&'static str>, String> {
        Err("the role was checked before the effect began".to_owned())
    }

    fn risk(&self, _: &NodeSpec) -> Result<ReviewRisk, String> {
        Err("the risk was checked before the effect began".to_owned())
    }
}

/// The reason that a field has no valid signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The field is not signed.
    #[error("field `{field}` is not signed")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The value of the field, or of a field that was shown with it, is not the signed value.
    #[error("field `{field}`, or a field that was shown with it, is not what was signed")]
    Altered {
        /// The field.
        field: &'static str,
    },
    /// The field was signed in a review that does not cover the node.
    #[error(
        "field `{field}` was signed in the review before node `{review}`, which does not cover node `{node}`"
    )]
    NotForNode {
        /// The field.
        field: &'static str,
        /// The node that would run on the signature.
        node: &'static str,
        /// The node whose review signed it.
        review: String,
    },
    /// The node has spent the signature in an earlier activation.
    #[error("node `{node}` has already spent the signature on `{field}`; each activation needs a new review")]
    Spent {
        /// The field.
        field: &'static str,
        /// The node.
        node: &'static str,
    },
    /// The field was signed under a weaker rule than this program's.
    #[error(
        "{signed_by} signed `{field}` under a weaker rule than this program has before node `{node}`; it \
         must be signed again"
    )]
    WeakerRule {
        /// The field.
        field: &'static str,
        /// The node.
        node: &'static str,
        /// The operator, or the rule, that signed it.
        signed_by: String,
    },
    /// The node reads a field that was not shown when the draft was signed.
    #[error(
        "node `{node}` reads `{read}`, which was not shown when `{field}` was signed; declare it in `show` or \
         `unsigned`"
    )]
    NotShown {
        /// The field that was signed.
        field: &'static str,
        /// The node.
        node: &'static str,
        /// The field that it reads.
        read: &'static str,
    },
    /// The field's value cannot be serialized to JSON.
    #[error("field `{field}` cannot be serialized to JSON")]
    Encoding {
        /// The field.
        field: &'static str,
        /// The error of the serializer.
        source: serde_json::Error,
    },
    /// The field's value has no canonical JSON form.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::graph::{ExpressionSpec, InterruptSpec, Point, ReadSpec, RiskSpec, RoleSpec, StateSpec};

    /// The rules of these graphs, with the value of each condition.
    struct Rules(bool);

    impl CurrentRules for Rules {
        fn asks(&self, _: &NodeSpec) -> bool {
            self.0
        }

        fn role(&self, reviewed: &NodeSpec) -> Result<Option<&'static str>, String> {
            match reviewed.interrupt.and_then(|interrupt| interrupt.role) {
                Some(RoleSpec::Fixed(role)) => Ok(Some(role)),
                Some(RoleSpec::Chosen { .. }) => Err("it panicked".to_owned()),
                None => Ok(None),
            }
        }

        fn risk(&self, reviewed: &NodeSpec) -> Result<ReviewRisk, String> {
            match reviewed.interrupt.and_then(|interrupt| interrupt.risk) {
                Some(RiskSpec::Fixed(risk)) => Ok(ReviewRisk { level: Some(risk), irreversible: false }),
                Some(RiskSpec::Chosen { .. }) => Err("it panicked".to_owned()),
                None => Ok(ReviewRisk::default()),
            }
        }
    }

    const fn read(field: &'static str, kind: ReadKind) -> ReadSpec {
        ReadSpec { field, kind }
    }

    /// `hold` covers `wire` and `file`; `file` reads the memo, which is unsigned, and the IBAN.
    const NODES: &[NodeSpec] = &[
        NodeSpec {
            name: "hold",
            reads: &[read("draft", ReadKind::Approved)],
            interrupt: Some(InterruptSpec {
                covers: &["wire", "file"],
                unsigned: &["memo"],
                ..InterruptSpec::new("draft")
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
            interrupt: Some(InterruptSpec::new("draft")),
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

    /// The same graph, except that `hold` covers only `file` and has a stricter rule: a role, and `iban` shown.
    const NARROW: GraphSpec = GraphSpec {
        nodes: &[
            NodeSpec {
                name: "hold",
                reads: &[read("draft", ReadKind::Approved)],
                interrupt: Some(InterruptSpec {
                    role: Some(RoleSpec::Fixed("director")),
                    covers: &["file"],
                    shows: &["iban"],
                    unsigned: &["memo"],
                    ..InterruptSpec::new("draft")
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
    fn a_signature_under_a_weaker_rule_permits_no_new_effect() {
        let given = |role: Option<&str>, shows: &[&str], spent: &[(&str, Place)]| Signature {
            role: role.map(str::to_owned),
            ..signature("hold", &["file"], shows, spent)
        };
        for node in [0, 2] {
            let ask = |signature: &Signature| {
                check_signature(
                    &NARROW,
                    &NARROW.nodes[node],
                    Some(7.into()),
                    "draft",
                    signature,
                    &Rules(true),
                )
            };
            let name = NARROW.nodes[node].name;
            for weaker in [
                given(None, &["iban"], &[]),
                given(Some("clerk"), &["iban"], &[]),
                given(Some("director"), &[], &[]),
            ] {
                let refused = ask(&weaker);
                assert!(matches!(refused, Err(SignatureError::WeakerRule { .. })), "{name} {refused:?}");
            }
            assert!(ask(&given(Some("director"), &["iban"], &[])).is_ok(), "{name}");
            assert!(ask(&given(Some("clerk"), &["iban"], &[(name, 7.into())])).is_ok(), "{name} has begun");
        }
    }

    /// Creates a signature from the review of `node`, with the nodes that it covers, the fields that it shows, and the
    /// activations that have spent it.
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
        check_signature(&GRAPH, &NODES[number], Some(7.into()), "draft", signature, &Rules(true))
    }

    #[test]
    fn a_rule_permits_what_it_does_not_ask_about() {
        let when = Some(ExpressionSpec { text: "draft.cents > 100", reads: &["draft"] });
        let hold = InterruptSpec { covers: &["wire"], when, ..InterruptSpec::new("draft") };
        let nodes: &'static [NodeSpec] =
            Box::leak(Box::new([NodeSpec { interrupt: Some(hold), ..NODES[0] }, NODES[1]]));
        let graph = GraphSpec { nodes, ..GRAPH };
        let by_rule = |spent: &[(&str, Place)]| Signature {
            by: Signer::Rule("draft.cents > 100".to_owned()),
            ..signature("hold", &["wire"], &[], spent)
        };
        for node in nodes {
            let ask = |graph, signature: &Signature, asks: bool| {
                check_signature(graph, node, Some(7.into()), "draft", signature, &Rules(asks))
            };
            assert!(ask(&graph, &by_rule(&[]), false).is_ok(), "{}", node.name);
            // The rule asks now, or the graph has no rule: a person must sign.
            for refused in [ask(&graph, &by_rule(&[]), true), ask(&GRAPH, &by_rule(&[]), false)] {
                assert!(matches!(refused, Err(SignatureError::WeakerRule { .. })), "{refused:?}");
            }
            let begun = ask(&graph, &by_rule(&[(node.name, 7.into())]), true);
            assert!(matches!(begun, Err(SignatureError::WeakerRule { .. })), "{begun:?}");
            assert!(ask(&graph, &signature("hold", &["wire"], &[], &[]), true).is_ok(), "a person signed");
        }
    }

    #[test]
    fn a_signature_is_for_its_node_and_those_that_it_covers() {
        let covering = signature("hold", &["wire"], &[], &[]);
        assert!(permitted("hold", &covering).is_ok() && permitted("wire", &covering).is_ok());
        for node in ["file", "book"] {
            let refused = permitted(node, &covering);
            assert!(matches!(refused, Err(SignatureError::NotForNode { .. })), "{node} {refused:?}");
        }
        // A node with its own review does not run on the signature of another review, even if that covers it.
        let all = signature("hold", &["wire", "file", "book"], &[], &[]);
        assert!(matches!(permitted("book", &all), Err(SignatureError::NotForNode { .. })));
        // According to the journal, the signature covers the node, and according to the code, it does not.
        let forged = check_signature(&NARROW, &NODES[1], Some(7.into()), "draft", &covering, &Rules(true));
        assert!(matches!(forged, Err(SignatureError::NotForNode { .. })), "{forged:?}");
        // An effect that has begun is finished.
        let begun = signature("hold", &["wire"], &[], &[("wire", 7.into())]);
        assert!(check_signature(&NARROW, &NODES[1], Some(7.into()), "draft", &begun, &Rules(true)).is_ok());
        // According to the code, the review covers `wire`, and according to the journal, the signature does not.
        let narrow = signature("hold", &[], &[], &[]);
        assert!(matches!(permitted("wire", &narrow), Err(SignatureError::NotForNode { .. })));
    }

    #[test]
    fn a_signature_permits_one_activation_of_each_effect() {
        let spent = |activations: &[(&str, Place)]| signature("hold", &["wire"], &[], activations);
        assert!(permitted("wire", &spent(&[("wire", 7.into())])).is_ok(), "the activation that began it");
        assert!(permitted("wire", &spent(&[("hold", 2.into())])).is_ok(), "another node's");
        let refused = permitted("wire", &spent(&[("wire", 5.into())]));
        assert!(matches!(refused, Err(SignatureError::Spent { .. })), "{refused:?}");
        // The signature was spent under the node's earlier name.
        let refused = permitted("wire", &spent(&[("send", 5.into())]));
        assert!(matches!(refused, Err(SignatureError::Spent { .. })), "{refused:?}");
        // The signature was spent under a name that this graph does not have, which may be the node's name in a later
        // version.
        let refused = permitted("wire", &spent(&[("transfer", 5.into())]));
        assert!(matches!(refused, Err(SignatureError::Spent { .. })), "{refused:?}");
        assert!(permitted("wire", &spent(&[("transfer", 7.into())])).is_ok(), "this activation");
        // A name that the review itself covers is another effect, although this graph no longer has it.
        let gone = signature("hold", &["wire", "notify"], &[], &[("notify", 5.into())]);
        assert!(permitted("wire", &gone).is_ok());
        let renamed = signature("reserve", &["send"], &[], &[]);
        assert!(permitted("wire", &renamed).is_ok() && permitted("hold", &renamed).is_ok());
    }

    #[test]
    fn a_field_read_by_an_effect_must_be_shown_or_unsigned() {
        let refused = permitted("file", &signature("hold", &["file"], &[], &[]));
        assert!(matches!(refused, Err(SignatureError::NotShown { read: "iban", .. })), "{refused:?}");
        assert!(permitted("file", &signature("hold", &["file"], &["iban"], &[])).is_ok());
    }
}
