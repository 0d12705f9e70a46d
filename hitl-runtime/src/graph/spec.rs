//! The description of a graph as plain data, which `#[state]`, `#[node]` and `graph!` generate.

use std::time::Duration;

use super::RiskLevel;

/// A field of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// Its type as the user wrote it.
    pub ty: &'static str,
    /// `true` if the field is an input, set by `start`.
    pub input: bool,
    /// `true` if the field is an output, returned at the end of the run.
    pub output: bool,
    /// `true` if a reducer combines a new value with the old one.
    pub reduced: bool,
    /// `true` if that reducer is `append`, so that the field is a list, which may be empty.
    pub appends: bool,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpec {
    /// The struct's name.
    pub name: &'static str,
    /// Its version: that of `#[state(version = …)]`, or 1.
    pub version: u32,
    /// Its fields in the order of their declaration. At most [`StateSpec::MAX_FIELDS`].
    pub fields: &'static [FieldSpec],
}

impl StateSpec {
    /// The maximum number of fields in a state.
    pub const MAX_FIELDS: usize = 256;
}

/// The kind of a node's access to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// `message: &str`: the field must be written on every path to the node.
    Required,
    /// `plan: Option<&str>`: the field may be unwritten.
    Optional,
    /// `draft: &Approved<T>`: on every path to the node, the field must be written and then signed for this node, and
    /// the node must not have used that signature.
    Approved,
}

/// A parameter of a node that is a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSpec {
    /// The field's name.
    pub field: &'static str,
    /// The kind of access.
    pub kind: ReadKind,
}

/// A node's parameter for the payload of a verdict: a `Rejection` or a `Question`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// None: the node does not take it.
    No,
    /// `Option<&Rejection>`: the node may be entered with or without it.
    Optional,
    /// `&Rejection`: every edge to the node must bring it.
    Required,
}

/// A review of a field before a node runs, as declared by `#[interrupt_before]`.
///
/// The signature is valid once for this node, and once for each later effect that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptSpec {
    /// The field that is signed.
    pub field: &'static str,
    /// The role that the operator must hold.
    pub role: Option<RoleSpec>,
    /// The time until the review expires.
    pub expires: Option<ExpirySpec>,
    /// The interval of reminders while the review is open.
    pub remind: Option<Duration>,
    /// `true` if the operator may edit the draft.
    pub edit: bool,
    /// The later effects that run on the same signature, by their names in the graph.
    pub covers: &'static [&'static str],
    /// The fields that are shown with the draft and signed with it, but cannot be edited.
    pub shows: &'static [&'static str],
    /// The fields that the node, or a covered one, reads without a signature.
    pub unsigned: &'static [&'static str],
    /// The condition under which a person is asked. `None` if a person is always asked.
    pub when: Option<ExpressionSpec>,
    /// The risk of the action. An effect that runs on the signature may declare a higher one.
    pub risk: Option<RiskSpec>,
    /// `true` if the action cannot be undone.
    pub irreversible: bool,
    /// `true` if the person who started the thread may not sign.
    pub not_requester: bool,
}

/// A Rust expression of a review over the fields that are signed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionSpec {
    /// The expression as the user wrote it.
    pub text: &'static str,
    /// The fields that it reads: the signed field, and fields that are shown with it. So a signature covers all that the
    /// review has depended on.
    pub reads: &'static [&'static str],
}

/// The role that a review requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleSpec {
    /// Always the same one.
    Fixed(&'static str),
    /// One that depends on the signed fields.
    Chosen {
        /// The expression that chooses.
        by: ExpressionSpec,
        /// Every role that it can choose.
        roles: &'static [&'static str],
    },
}

impl RoleSpec {
    /// Returns every role that the review can require.
    pub const fn all(&self) -> &[&'static str] {
        match self {
            Self::Fixed(role) => std::slice::from_ref(role),
            Self::Chosen { roles, .. } => roles,
        }
    }
}

/// The time until a review expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpirySpec {
    /// Always the same one.
    Fixed(Duration),
    /// One that depends on the signed fields.
    Chosen {
        /// The expression that chooses.
        by: ExpressionSpec,
        /// Every duration that it can choose.
        values: &'static [Duration],
    },
}

/// The risk of an action under review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskSpec {
    /// Always the same one.
    Fixed(RiskLevel),
    /// One that depends on the signed fields.
    Chosen {
        /// The expression that chooses.
        by: ExpressionSpec,
        /// Every risk that it can choose.
        values: &'static [RiskLevel],
    },
}

impl InterruptSpec {
    /// The expressions of the review.
    pub(super) const fn expressions(&self) -> [Option<ExpressionSpec>; 4] {
        let role = match self.role {
            Some(RoleSpec::Chosen { by, .. }) => Some(by),
            _ => None,
        };
        let expires = match self.expires {
            Some(ExpirySpec::Chosen { by, .. }) => Some(by),
            _ => None,
        };
        let risk = match self.risk {
            Some(RiskSpec::Chosen { by, .. }) => Some(by),
            _ => None,
        };
        [self.when, role, expires, risk]
    }
}

impl InterruptSpec {
    /// Creates a review of a field, with no other attributes.
    #[must_use]
    pub const fn new(field: &'static str) -> Self {
        Self {
            field,
            role: None,
            expires: None,
            remind: None,
            edit: true,
            covers: &[],
            shows: &[],
            unsigned: &[],
            when: None,
            risk: None,
            irreversible: false,
            not_requester: false,
        }
    }
}

/// The retry policy of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySpec {
    /// The maximum number of retries after the first attempt.
    pub retries: u32,
    /// The backoff before the first retry. It doubles with each retry.
    pub backoff: Duration,
    /// The timeout of one attempt.
    pub timeout: Option<Duration>,
}

/// A node, as declared by `#[node]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The function's name.
    pub name: &'static str,
    /// The fields that it reads, in the order of its parameters.
    pub reads: &'static [ReadSpec],
    /// The fields that it writes.
    pub writes: &'static [&'static str],
    /// `true` if it has side effects outside of the thread.
    pub effect: bool,
    /// `true` if several runs with one idempotency key have the same effect as a single run.
    pub idempotent: bool,
    /// `true` if `risk = low` declares that it needs no signature.
    pub low_risk: bool,
    /// The risk that an effect declares, `medium` or `high`. Of the effects that run on one signature, the highest risk
    /// is that of the review.
    pub risk: Option<RiskLevel>,
    /// Its parameter for a `Rejection`.
    pub rejection: Payload,
    /// Its parameter for a `Question`.
    pub question: Payload,
    /// The review before it, if it has one.
    pub interrupt: Option<InterruptSpec>,
    /// Its retry policy and timeout.
    pub retry: RetrySpec,
    /// `true` if the guard of a `match` counts its runs.
    pub counted: bool,
    /// `true` for a junction: a point without code, which `graph!` adds before a `match`, a `for` or a fork that does
    /// not follow a node, and where an inner fork joins at the end of a branch. For the proof and the journal it is a
    /// node that reads and writes nothing; or, in an arm that binds fields, one that reads the matched field and writes
    /// those.
    pub junction: bool,
    /// `true` for an arm that binds a part of the value which the `match` looks at, so that another value of it could
    /// lead to another arm.
    pub inspected: bool,
}

impl NodeSpec {
    /// Returns whether it has a review that takes no signature of the thread's requester.
    pub fn excludes_requester(&self) -> bool {
        self.interrupt.is_some_and(|review| review.not_requester)
    }

    /// Returns whether it is the node of an arm that binds fields.
    pub(crate) const fn is_binding(&self) -> bool {
        self.junction && !self.writes.is_empty()
    }

    /// An empty node: it reads and writes nothing, and has no review.
    pub const BLANK: Self = Self {
        name: "",
        reads: &[],
        writes: &[],
        effect: false,
        idempotent: false,
        low_risk: false,
        risk: None,
        rejection: Payload::No,
        question: Payload::No,
        interrupt: None,
        retry: RetrySpec { retries: 0, backoff: Duration::ZERO, timeout: None },
        counted: false,
        junction: false,
        inspected: false,
    };
}

/// A point in a graph that an edge leaves or enters. Nodes are numbered in the order of their first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The start of a thread.
    Start,
    /// A node, by its number.
    Node(usize),
    /// The end of a thread.
    End,
}

/// The condition under which an edge is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// The source node has run.
    Next,
    /// The source node has run, and case `case` of route `route` matches.
    Case {
        /// The number of the `match`.
        route: usize,
        /// The number of the arm.
        case: usize,
    },
    /// The source node has run. The edge enters branch `branch` of fork `fork`.
    Fork {
        /// The number of the fork.
        fork: usize,
        /// The number of the branch.
        branch: usize,
    },
    /// The source node has run, and the list of fork `fork`, a `for`, is empty.
    Empty {
        /// The number of the fork.
        fork: usize,
    },
    /// The operator rejected the draft at the source node's review. The node has not run.
    Reject,
    /// The operator asked a question at the source node's review. The node has not run.
    Ask,
    /// The source node's review expired. The node has not run.
    Expire,
}

impl EdgeKind {
    /// Returns whether the edge leaves an open review, before the node has run.
    pub const fn leaves_review(self) -> bool {
        matches!(self, Self::Reject | Self::Ask | Self::Expire)
    }
}

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeSpec {
    /// The source point.
    pub from: Point,
    /// The target point.
    pub to: Point,
    /// The condition under which it is taken.
    pub kind: EdgeKind,
    /// Set if the edge ends a branch: the fork and the branch. `to` is then the fork's join.
    pub joins: Option<(usize, usize)>,
}

/// A `match` on a state field. Its cases are edges of kind [`EdgeKind::Case`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// The point that it follows.
    pub from: Point,
    /// The field that it matches on.
    pub field: &'static str,
    /// The patterns as the user wrote them, one for each case.
    pub cases: &'static [&'static str],
    /// The names in the patterns that the guards use, so that they write no field.
    pub guarded: &'static [&'static str],
}

/// One branch of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchSpec {
    /// The nodes that run in it, including those of nested forks.
    pub nodes: &'static [usize],
}

/// The part of a fork that makes it a `for`: its one branch runs once for each item of a list.
///
/// What an item writes to a field with a reducer is merged at the join, in the order of the items. What it writes to
/// any other field is local to the item, and discarded at the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EachSpec {
    /// The field that holds the item.
    pub item: &'static str,
    /// The field that holds the list.
    pub list: &'static str,
    /// The maximum number of items whose nodes run concurrently.
    pub at_most: usize,
}

impl EachSpec {
    /// The value of `at_most` if the graph does not set it, and if a journal does not have it. It must never change.
    pub const AT_MOST: usize = 8;
}

/// The maximum number of items of a `for`. A step that enters a `for` with a longer list fails.
///
/// ```
/// use hitl::MAX_ITEMS;
///
/// /// Splits a long list into pieces that a `for` can take.
/// fn pages(orders: &[String]) -> Vec<&[String]> {
///     orders.chunks(MAX_ITEMS).collect()
/// }
/// assert_eq!(pages(&vec![String::new(); 25_000]).len(), 3);
/// ```
pub const MAX_ITEMS: usize = 10_000;

/// A fork: its branches run concurrently, each on its own view of the state, and join at `join`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkSpec {
    /// The point that it follows.
    pub from: Point,
    /// The point at which the branches join: a node or the end.
    pub join: Point,
    /// Set if the fork is a `for`. It then has one branch, and an edge of kind [`EdgeKind::Empty`] that bypasses it.
    pub each: Option<EachSpec>,
    /// Its branches, in the order in which their writes are merged.
    pub branches: &'static [BranchSpec],
}

/// A graph without the functions of its nodes.
#[derive(Clone, Copy, Debug)]
pub struct GraphSpec {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment.
    pub docs: &'static str,
    /// The state of its threads.
    pub state: StateSpec,
    /// Its nodes. [`NodeSpec::name`] is the name in the graph.
    pub nodes: &'static [NodeSpec],
    /// Its edges.
    pub edges: &'static [EdgeSpec],
    /// Its `match`es.
    pub routes: &'static [RouteSpec],
    /// Its forks. An inner fork comes after the fork around it.
    pub forks: &'static [ForkSpec],
    /// The renamed nodes: pairs of the name in earlier code and the present name.
    pub renamed: &'static [(&'static str, &'static str)],
}

impl GraphSpec {
    /// The maximum number of edges in a graph.
    pub const MAX_EDGES: usize = 16_384;
}
