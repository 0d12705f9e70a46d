//! A graph as plain data, as `#[state]`, `#[node]` and `graph!` write it down.

/// A field of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// Its type as the user wrote it.
    pub ty: &'static str,
    /// Whether `start` gives it.
    pub input: bool,
    /// Whether the run ends with it.
    pub output: bool,
    /// Whether a reducer joins a new value with the old one.
    pub reduced: bool,
    /// Whether that reducer is `append`, so that the field is a list, which may be empty.
    pub appends: bool,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpec {
    /// The struct's name.
    pub name: &'static str,
    /// Its version: 1, or what `#[state(version = …)]` says.
    pub version: u32,
    /// Its fields in the order of their declaration. At most [`StateSpec::MAX_FIELDS`].
    pub fields: &'static [FieldSpec],
}

impl StateSpec {
    /// The most fields a state may have.
    pub const MAX_FIELDS: usize = 256;
}

/// How a node reads a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// `message: &str`: written on every path to the node.
    Required,
    /// `plan: Option<&str>`: perhaps not written yet.
    Optional,
    /// `draft: &Approved<T>`: written, signed since for this very node, and not spent by it, on every path.
    Approved,
}

/// One parameter of a node that is a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSpec {
    /// The field's name.
    pub field: &'static str,
    /// How it is read.
    pub kind: ReadKind,
}

/// Whether a node takes what a verdict brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// No such parameter.
    No,
    /// `Option<&Rejection>`: with or without.
    Optional,
    /// `&Rejection`: only a verdict may lead here.
    Required,
}

/// `#[interrupt_before]`: a person signs a field before the node runs.
///
/// The signature is for this node, which spends it, and for the later effects that it covers, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptSpec {
    /// The field that is signed.
    pub field: &'static str,
    /// The role that an operator must hold.
    pub role: Option<&'static str>,
    /// How long the review stays open, in milliseconds.
    pub expires_ms: Option<u64>,
    /// How long until an open review is brought up again, in milliseconds.
    pub remind_ms: Option<u64>,
    /// Whether the operator may change what they sign.
    pub edit: bool,
    /// The later effects that run on the same signature, by their names in the graph.
    pub covers: &'static [&'static str],
    /// The fields that are shown beside the draft, and signed with it, but not edited.
    pub shows: &'static [&'static str],
    /// The fields that the node, or a covered one, reads though nobody signs them.
    pub unsigned: &'static [&'static str],
}

impl InterruptSpec {
    /// A review of a field, of which nothing else is said.
    #[must_use]
    pub const fn of(field: &'static str) -> Self {
        Self {
            field,
            role: None,
            expires_ms: None,
            remind_ms: None,
            edit: true,
            covers: &[],
            shows: &[],
            unsigned: &[],
        }
    }
}

/// What happens when a node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySpec {
    /// How often the node is tried again after its first failure.
    pub retries: u32,
    /// The wait before the first retry, in milliseconds; it doubles each time.
    pub backoff_ms: u64,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// A node, as `#[node]` describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The function's name.
    pub name: &'static str,
    /// The fields it reads, in the order of its parameters.
    pub reads: &'static [ReadSpec],
    /// The fields it writes.
    pub writes: &'static [&'static str],
    /// Whether it changes the world.
    pub effect: bool,
    /// Whether running it twice with one idempotency key does what running it once does.
    pub idempotent: bool,
    /// Whether `risk = low` declares that it needs no signature.
    pub low_risk: bool,
    /// Whether it takes a `Rejection`.
    pub rejection: Payload,
    /// Whether it takes a `Question`.
    pub question: Payload,
    /// The review before it, if there is one.
    pub interrupt: Option<InterruptSpec>,
    /// Its retries and timeout.
    pub retry: RetrySpec,
}

impl NodeSpec {
    /// A node of which nothing is known: it reads and writes nothing, and nobody signs it.
    pub const BLANK: Self = Self {
        name: "",
        reads: &[],
        writes: &[],
        effect: false,
        idempotent: false,
        low_risk: false,
        rejection: Payload::No,
        question: Payload::No,
        interrupt: None,
        retry: RetrySpec { retries: 0, backoff_ms: 0, timeout_ms: None },
    };
}

/// A place in a graph that an edge leaves or enters. Nodes are numbered in the order of their first mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Where a thread begins.
    Start,
    /// A node, by its number.
    Node(usize),
    /// Where a thread ends.
    End,
}

/// Why an edge is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// The node before it has run.
    Next,
    /// The node before it has run and case `case` of route `route` holds.
    Case {
        /// The number of the `match`.
        route: usize,
        /// The number of the arm.
        case: usize,
    },
    /// The node before it has run; this is branch `branch` of fork `fork`.
    Fork {
        /// The number of the fork.
        fork: usize,
        /// The number of the branch.
        branch: usize,
    },
    /// The node before it has run, and the list of the `for` that fork `fork` stands for is empty.
    Empty {
        /// The number of the fork.
        fork: usize,
    },
    /// The review before the node was rejected; the node has not run.
    Reject,
    /// The operator asked; the node has not run.
    Ask,
    /// Nobody decided in time; the node has not run.
    Expire,
}

impl EdgeKind {
    /// Whether it is taken from an open review, before the node has run.
    pub const fn leaves_review(self) -> bool {
        matches!(self, Self::Reject | Self::Ask | Self::Expire)
    }
}

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeSpec {
    /// Where it leaves.
    pub from: Point,
    /// Where it enters.
    pub to: Point,
    /// Why it is taken.
    pub kind: EdgeKind,
    /// Set where the edge ends a branch: the fork and the branch it ends. `to` is then the fork's join.
    pub joins: Option<(usize, usize)>,
}

/// A `match` on a state field. Its cases are edges of kind [`EdgeKind::Case`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// The point it follows.
    pub from: Point,
    /// The field it looks at.
    pub field: &'static str,
    /// The patterns as the user wrote them, one for each case.
    pub cases: &'static [&'static str],
}

/// One branch of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchSpec {
    /// Every node that runs in it, nested forks' nodes included.
    pub nodes: &'static [usize],
}

/// What makes a fork a `for`: its one branch runs once for each item of a list.
///
/// What it writes to a field with a reducer is merged at the join, in the order of the items; what it writes to another
/// field is the item's own, and gone after the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EachSpec {
    /// The field that holds the item.
    pub item: &'static str,
    /// The field that holds the list.
    pub list: &'static str,
    /// For how many items a node runs at once.
    pub at_most: usize,
}

impl EachSpec {
    /// `at_most`, where the graph does not say it, and where a journal does not: so it is never another.
    pub const AT_MOST: usize = 8;
}

/// The most items that a `for` goes through. A step that leads a longer list into one fails.
///
/// ```
/// use hitl::MAX_ITEMS;
///
/// /// A node that asks for more than one `for` can take hands it on in pieces.
/// fn pages(orders: &[String]) -> Vec<&[String]> {
///     orders.chunks(MAX_ITEMS).collect()
/// }
/// assert_eq!(pages(&vec![String::new(); 2_500]).len(), 3);
/// ```
pub const MAX_ITEMS: usize = 1_000;

/// A fork: its branches run side by side, each on its own view of the state, and meet again at `join`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkSpec {
    /// The point it follows.
    pub from: Point,
    /// Where the branches meet: a node or the end.
    pub join: Point,
    /// Set where it is a `for`. It has one branch then, and an edge of kind [`EdgeKind::Empty`] past it.
    pub each: Option<EachSpec>,
    /// Its branches, in the order in which their writes are merged.
    pub branches: &'static [BranchSpec],
}

/// A graph, without the functions behind its nodes.
#[derive(Clone, Copy, Debug)]
pub struct GraphSpec {
    /// Its name.
    pub name: &'static str,
    /// What its doc comment says.
    pub docs: &'static str,
    /// The state it works on.
    pub state: StateSpec,
    /// Its nodes, `NodeSpec::name` being the name in the graph.
    pub nodes: &'static [NodeSpec],
    /// Its edges.
    pub edges: &'static [EdgeSpec],
    /// Its `match`es.
    pub routes: &'static [RouteSpec],
    /// Its forks. An inner fork comes after the one around it.
    pub forks: &'static [ForkSpec],
    /// What nodes were called in earlier code, and what they are called now.
    pub renamed: &'static [(&'static str, &'static str)],
}

impl GraphSpec {
    /// The most edges a graph may have.
    pub const MAX_EDGES: usize = 16_384;
}
