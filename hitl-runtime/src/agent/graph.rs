//! The trait that `graph!` implements: the description of a graph, its functions, and its type of turns.

use super::{ThreadState, input};
use crate::{
    Error,
    graph::GraphSpec,
    journal::Runs,
    node::{GraphTable, NodeTable},
    sealed::SealedGraph,
    state::{FieldError, Slots, State},
};

/// A graph that `graph!` has declared and the compiler has proved.
///
/// Only `graph!` implements this trait, because its description is what was proved: it is sealed, and its items may
/// change without notice.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Agent, Error, Graph};
///
/// /// For code that serves any graph.
/// async fn waiting_for_anybody<G: Graph>(agent: &Agent<G>) -> Result<usize, Error> {
///     Ok(agent.inbox(None, 1000).await?.items.iter().filter(|open| open.role.is_none()).count())
/// }
/// assert_eq!(waiting_for_anybody(&RefundAgent::new(MemoryStore::new())).await?, 0);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a graph",
    note = "declare it with `hitl::graph! {{ {Self}<State, Deps> {{ … }} }}`"
)]
pub trait Graph: SealedGraph + Sized + Send + Sync + 'static {
    /// The state of its threads.
    type State: State;
    /// The dependencies of its nodes, which they take as `Deps<…>`.
    type Deps: Send + Sync + 'static;
    /// The turn of a thread: an enum with `Done`, a variant for each interrupt, and in doubt, failed and running.
    type Turn: Send;
    /// The description that was proved.
    const SPEC: &'static GraphSpec;
    /// The nodes with their functions, in the order of `SPEC.nodes`.
    const NODES: &'static [NodeTable];
    /// The description with the functions, without the types.
    #[doc(hidden)]
    const TABLE: &'static GraphTable = &GraphTable {
        spec: Self::SPEC,
        nodes: Self::NODES,
        state: Self::State::TABLE,
        route: route::<Self>,
        read_input: input::read::<Self::State>,
    };

    /// Returns the index of the case of a `match` that holds; `None` while its field is unwritten.
    fn route(route: usize, fields: &<Self::State as State>::View<'_>, runs: &Runs) -> Option<usize>;

    /// Converts a [`ThreadState`] into the graph's own turn type.
    ///
    /// # Errors
    /// If the thread waits for a review that this graph does not have.
    fn turn(thread_state: ThreadState<Self>) -> Result<Self::Turn, Error>;
}

/// Marks a [`Review`](super::Review) whose node's verdict block declares `ask`: `node { reject -> …, ask -> … }`.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{CanAsk, Review};
///
/// /// A function that takes a review of `pay { reject -> decline, ask -> draft }`.
/// async fn ask_for_photo(review: Review<RefundAgent, Refund, CanAsk>) -> Result<RefundAgentTurn, hitl::Error> {
///     review.ask(&Operator::new("mara").role("refund-approver"), "Is there a photo?").await
/// }
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = ask_for_photo(waiting(&agent, "A-9133").await?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum CanAsk {}

/// Marks a [`Review`](super::Review) whose node's verdict block declares no `ask`.
///
/// ```
/// use hitl::{Graph, NoAsk, Review};
///
/// /// `NoAsk` is the default of `Review`; a function that is generic over `A` takes both.
/// fn titles<G: Graph, D, A>(open: &[Review<G, D, A>]) -> Vec<String> {
///     open.iter().map(ToString::to_string).collect()
/// }
/// # fn titles_of_no_ask<G: Graph, D>(open: &[Review<G, D>]) -> Vec<String> { titles::<G, D, NoAsk>(open) }
/// ```
#[derive(Debug)]
pub enum NoAsk {}

/// A marker for reviews whose graph declares `ask`. Implemented by [`CanAsk`].
#[diagnostic::on_unimplemented(
    message = "the graph declares no `ask` for this review, so there is nowhere for a question to go",
    label = "declare it in the node's verdict block: `node {{ reject -> …, ask -> … }}`"
)]
pub trait Asks: marker::Sealed {}

impl Asks for CanAsk {}

/// Marks a [`Review`](super::Review) whose operator may change the draft before signing it, which is the default.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{CanAsk, CanEdit, Review};
///
/// async fn halve(review: Review<RefundAgent, Refund, CanAsk, CanEdit>) -> Result<RefundAgentTurn, hitl::Error> {
///     review.edit(&mara(), |draft| draft.dollars /= 2).await
/// }
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = halve(waiting(&agent, "A-9133").await?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum CanEdit {}

/// Marks a [`Review`](super::Review) that takes no edit: `#[interrupt_before(edit = false)]`.
///
/// ```
/// use hitl::{Graph, NoAsk, NoEdit, Review};
///
/// fn titles<G: Graph, D>(open: &[Review<G, D, NoAsk, NoEdit>]) -> Vec<String> {
///     open.iter().map(ToString::to_string).collect()
/// }
/// ```
#[derive(Debug)]
pub enum NoEdit {}

/// A marker for reviews that take an edit. Implemented by [`CanEdit`].
#[diagnostic::on_unimplemented(
    message = "this review takes no edit: the node says `#[interrupt_before(edit = false)]`",
    label = "approve the draft as it is, or reject it"
)]
pub trait Edits: marker::Sealed {}

impl Edits for CanEdit {}

/// The seal of the markers of reviews: no crate adds one.
mod marker {
    pub trait Sealed {}
    impl Sealed for super::CanAsk {}
    impl Sealed for super::CanEdit {}
}

fn route<G: Graph>(route: usize, slots: &Slots, runs: &Runs) -> Result<Option<usize>, FieldError> {
    Ok(G::route(route, &G::State::view(slots)?, runs))
}
