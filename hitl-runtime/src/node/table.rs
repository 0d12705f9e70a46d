//! The tables that `graph!` makes of a graph: its description with the functions of its nodes, without their types.

use std::{fmt, marker::PhantomData, time::Duration};

use super::{ErasedArgs, Node, NodeError, NodeFuture, NodeOf, Run, Writes};
use crate::{
    graph::{GraphSpec, NodeSpec, RiskLevel},
    journal::{Runs, Values},
    review::DraftVtable,
    state::{FieldError, Slots, StateTable},
};

/// The function that runs a node: [`Run::run`], without the types of its state and its dependencies.
pub type RunNode = for<'a> fn(ErasedArgs<'a>) -> NodeFuture<'a>;

/// The function that evaluates an expression of a review on the fields of a lane; `None` while a field that it reads is
/// unwritten.
pub type Evaluate<T> = fn(&Slots) -> Result<Option<T>, FieldError>;

/// The function that returns what an arm binds.
pub type Bind = fn(&Slots) -> Result<Writes, NodeError>;

/// The expressions of a review.
#[derive(Clone, Copy)]
pub struct ReviewExpressions {
    /// The condition; `None` if a person is always asked.
    pub when: Option<Evaluate<bool>>,
    /// The role, if the review chooses it.
    pub role: Option<Evaluate<&'static str>>,
    /// The time until the review expires, if the review chooses it.
    pub expires: Option<Evaluate<Duration>>,
    /// The risk, if the review chooses it.
    pub risk: Option<Evaluate<RiskLevel>>,
}

impl ReviewExpressions {
    /// No expressions.
    pub const NONE: Self = Self { when: None, role: None, expires: None, risk: None };
}

/// A node of a graph: its description and its functions.
pub struct NodeTable {
    /// The description, under the node's name in the graph.
    pub spec: NodeSpec,
    /// The check of the draft under review, if the node has a review.
    pub reviewed: Option<DraftVtable>,
    /// The expressions of the review.
    pub expressions: ReviewExpressions,
    /// The function that runs the node.
    pub run: RunNode,
    /// The function of the node of an arm that binds fields, which returns what it writes.
    pub bind: Option<Bind>,
}

/// Creates the tables of nodes with the state `S` and the dependencies `D`.
pub struct NodeEntry<S, D>(PhantomData<fn() -> (S, D)>);

impl<S, D: Send + Sync + 'static> NodeEntry<S, D> {
    /// Creates the table of the node `N` under the name that the graph gives it.
    #[track_caller]
    pub const fn table<N>(name: &'static str, _node: PhantomData<N>) -> NodeTable
    where
        N: Node + NodeOf<S> + Run<D>,
    {
        let mut spec = N::SPEC;
        spec.name = name;
        NodeTable { spec, reviewed: N::REVIEWED, expressions: N::EXPRESSIONS, run: run::<N, D>, bind: None }
    }

    /// As `table`, for a node whose runs a guard counts.
    #[track_caller]
    pub const fn counted<N>(name: &'static str, node: PhantomData<N>) -> NodeTable
    where
        N: Node + NodeOf<S> + Run<D>,
    {
        let mut table = Self::table(name, node);
        table.spec.counted = true;
        table
    }

    /// Creates the table of a junction.
    pub const fn junction(name: &'static str) -> NodeTable {
        let spec = NodeSpec { name, junction: true, ..NodeSpec::BLANK };
        NodeTable {
            spec,
            reviewed: None,
            expressions: ReviewExpressions::NONE,
            run: write_nothing,
            bind: None,
        }
    }

    /// Creates the table of the node of an arm that binds fields.
    pub const fn binding(spec: NodeSpec, run: RunNode, bind: Bind) -> NodeTable {
        let expressions = ReviewExpressions::NONE;
        NodeTable { spec, reviewed: None, expressions, run, bind: Some(bind) }
    }
}

fn write_nothing(_: ErasedArgs<'_>) -> NodeFuture<'_> {
    Box::pin(std::future::ready(Ok(Writes::default())))
}

fn run<N: Run<D>, D: Send + Sync + 'static>(args: ErasedArgs<'_>) -> NodeFuture<'_> {
    match args.typed::<N::State, D>() {
        Ok(args) => N::run(args),
        Err(error) => Box::pin(std::future::ready(Err(error))),
    }
}

/// Returns only the descriptions, for the proof.
pub const fn specs<const N: usize>(nodes: &[NodeTable; N]) -> [NodeSpec; N] {
    let mut out = [NodeSpec::BLANK; N];
    let mut i = 0;
    while i < N {
        out[i] = nodes[i].spec;
        i += 1;
    }
    out
}

/// All that the engine needs of a graph whose Rust type it does not know.
pub struct GraphTable {
    /// The description that was proved.
    pub spec: &'static GraphSpec,
    /// The nodes, in the order of `spec.nodes`.
    pub nodes: &'static [NodeTable],
    /// The state.
    pub state: &'static StateTable,
    /// Returns the index of the case of a `match` that holds; `None` while its field is unwritten.
    pub route: fn(usize, &Slots, &Runs) -> Result<Option<usize>, FieldError>,
    /// Parses an input and encodes its fields. An error says why the JSON is not the graph's input.
    pub read_input: fn(&serde_json::Value) -> Result<Values, String>,
}

impl GraphTable {
    /// Returns a node and its index, by its name.
    pub(crate) fn node(&self, name: &str) -> Option<(usize, &'static NodeTable)> {
        self.nodes.iter().enumerate().find(|(_, entry)| entry.spec.name == name)
    }

    /// Returns a node and its index by its name, or by a former name that old threads may use.
    pub(crate) fn current(&self, name: &str) -> Option<(usize, &'static NodeTable)> {
        let renamed =
            |name: &str| self.spec.renamed.iter().find(|(old, _)| *old == name).map(|(_, new)| *new);
        self.node(name).or_else(|| self.node(renamed(name)?)).or_else(|| {
            // The name of an arm begins with that of the node before its `match`.
            let (before, rest) = name.strip_prefix("bind:")?.split_once(':')?;
            self.node(&format!("bind:{}:{rest}", renamed(before)?))
        })
    }

    /// Returns whether a node is declared idempotent: running it twice with one idempotency key has the same effect as
    /// running it once.
    pub(crate) fn is_idempotent(&self, name: &str) -> bool {
        self.current(name).is_some_and(|(_, entry)| entry.spec.idempotent)
    }
}

impl fmt::Debug for ReviewExpressions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReviewExpressions").finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeTable").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for GraphTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphTable").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

impl<S, D> fmt::Debug for NodeEntry<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeEntry").finish_non_exhaustive()
    }
}
