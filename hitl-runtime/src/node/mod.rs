//! The trait that `#[node]` implements for a function, with the function's arguments and results.

use std::{any::Any, fmt, marker::PhantomData, ops::Deref, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

mod context;
pub(crate) mod conversion;
mod error;
pub(crate) mod reporter;
mod request_headers;
mod table;

pub use context::Cx;
pub use error::NodeError;
pub(crate) use reporter::{ModelListener, Reporter};
pub use request_headers::RequestHeaders;
pub use table::{Bind, Evaluate, GraphTable, NodeEntry, NodeTable, ReviewExpressions, RunNode, specs};

use crate::{
    graph::NodeSpec,
    journal::{Question, Rejection},
    review::{Approved, DraftVtable, Signatures},
    sealed::SealedNode,
    state::Slots,
};

/// A node: a function with the `#[node]` attribute.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node: a graph is made of functions with `#[hitl::node(State, writes = field)]`",
    label = "a type, and not a node",
    note = "another graph cannot be a node of this one: name its nodes here"
)]
pub trait Node: SealedNode + 'static {
    /// The state it reads and writes. The code of the node requires that it is a [`State`](crate::state::State), so that rustc reports another
    /// type once.
    type State;
    /// The static description that the graph's proof reads.
    const SPEC: NodeSpec;
    /// The type of the draft that a person signs before the node runs; `()` if the node has no review.
    type Draft;
    /// [`CanEdit`](super::CanEdit), or [`NoEdit`](super::NoEdit) if the review takes no edit.
    type Edits;
    /// The checks of the draft; `None` if the node has no review.
    const REVIEWED: Option<DraftVtable> = None;
    /// The expressions of the review.
    const EXPRESSIONS: ReviewExpressions = ReviewExpressions::NONE;
}

/// A node that can run with the dependencies `D`.
// A node implements it if the dependencies provide what it takes, or rustc reports `Provides`. So a type that lacks it is
// no node.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node: a graph is made of functions with `#[hitl::node(State, writes = field)]`",
    label = "a type, and not a node",
    note = "another graph cannot be a node of this one: name its nodes here"
)]
pub trait Run<D>: Node {
    /// Reads the parameters from the state, calls the function, and encodes the fields that it wrote.
    fn run<'a>(args: Args<'a, Self::State, D>) -> NodeFuture<'a>;
}

/// A node of the state `S`.
#[diagnostic::on_unimplemented(
    message = "node `{Self}` belongs to another state than `{S}`: a graph has one state, and all of its nodes are of that state",
    label = "not a node of state `{S}`",
    note = "write `#[node({S}, …)]` on the node, or give the graph the state of the node"
)]
pub trait NodeOf<S> {}

#[diagnostic::do_not_recommend]
impl<N: Node<State = S>, S> NodeOf<S> for N {}

/// The future of one node call.
pub type NodeFuture<'a> = BoxFuture<'a, Result<Writes, NodeError>>;

/// The arguments of a node's function, without the types of the state and the dependencies.
pub struct ErasedArgs<'a> {
    pub(crate) slots: &'a Slots,
    pub(crate) deps: &'a Arc<dyn Any + Send + Sync>,
    pub(crate) cx: &'a Cx,
    pub(crate) rejection: Option<&'a Rejection>,
    pub(crate) question: Option<&'a Question>,
    pub(crate) signatures: &'a Signatures,
}

impl<'a> ErasedArgs<'a> {
    /// Returns the arguments with their types.
    ///
    /// # Errors
    /// If the dependencies are of another type, which only a hand-written graph can have.
    pub fn typed<S, D: Send + Sync + 'static>(self) -> Result<Args<'a, S, D>, NodeError> {
        let Self { slots, deps, cx, rejection, question, signatures } = self;
        let deps = Arc::clone(deps).downcast();
        let deps = deps.map_err(|_| NodeError::not_done("the graph's dependencies are of another type"))?;
        Ok(Args { state: PhantomData, slots, deps, cx, rejection, question, signatures })
    }
}

/// The arguments of a node's function.
pub struct Args<'a, S, D> {
    state: PhantomData<fn() -> S>,
    slots: &'a Slots,
    deps: Arc<D>,
    cx: &'a Cx,
    rejection: Option<&'a Rejection>,
    question: Option<&'a Question>,
    signatures: &'a Signatures,
}

impl<'a, S, D> Args<'a, S, D> {
    /// Returns the values of the fields that are written so far.
    pub fn slots(&self) -> &'a Slots {
        self.slots
    }

    /// Returns the part `T` of the graph's dependencies.
    pub fn deps<T: ?Sized>(&self) -> Deps<T>
    where
        D: Provides<T>,
    {
        D::provide(&self.deps)
    }

    /// Returns the context of the node: its thread, its idempotency key and so on.
    pub fn cx(&self) -> &'a Cx {
        self.cx
    }

    /// Returns the rejection that led to this node, if there is one.
    pub fn rejection(&self) -> Option<&'a Rejection> {
        self.rejection
    }

    /// Returns the question that led to this node, if there is one.
    pub fn question(&self) -> Option<&'a Question> {
        self.question
    }

    /// Unwraps a value that the graph's proof guarantees to be written.
    ///
    /// # Errors
    /// If the value is missing, because the thread was written by another graph.
    pub fn need<T>(&self, name: &'static str, value: Option<T>) -> Result<T, NodeError> {
        value.ok_or_else(|| NodeError::missing(name))
    }

    /// Returns the field's value together with its signature.
    ///
    /// # Errors
    /// If the value has no signature, or the signature is for another value, node or activation, or was given with
    /// other fields shown.
    pub fn approved<T>(&self, field: &'static str, value: Option<&T>) -> Result<Approved<T>, NodeError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let value = self.need(field, value)?;
        self.signatures.verify(field, value, self.slots).map_err(NodeError::not_done)
    }
}

/// The fields that a node wrote, as JSON.
#[derive(Default, Debug)]
pub struct Writes(pub(crate) Vec<(&'static str, Box<RawValue>)>);

impl Writes {
    /// Adds a field, as JSON.
    pub(crate) fn set(mut self, field: &'static str, json: Box<RawValue>) -> Self {
        self.0.reserve_exact(1);
        self.0.push((field, json));
        self
    }
}

/// The graph's dependencies, or a part of them: clients, settings, and everything else that a node needs and that is
/// not state.
///
/// It dereferences to `T`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::prelude::*;
/// use std::sync::Arc;
///
/// struct Desk {
///     greeting: String,
/// }
///
/// # #[state]
/// # struct Letter {
/// #     #[input]
/// #     name: String,
/// #     #[output]
/// #     text: String,
/// # }
/// #[node(Letter, writes = text)]
/// async fn write(name: &str, desk: Deps<Desk>) -> Result<String> {
///     Ok(format!("{} {name}", desk.greeting))
/// }
/// # graph! { Writer<Letter, Desk> { start -> write -> end; } }
///
/// // A node is a function, which a test can call.
/// let desk = Deps::new(Arc::new(Desk { greeting: "Dear".into() }));
/// assert!(write("Ada", desk).await.is_ok_and(|text| text == "Dear Ada"));
/// # Ok(())
/// # }
/// ```
pub struct Deps<T: ?Sized>(Arc<T>);

impl<T: ?Sized> Deps<T> {
    /// Creates a dependency from a shared value.
    pub fn new(value: Arc<T>) -> Self {
        Self(value)
    }
}

impl<T: ?Sized> Clone for Deps<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for Deps<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Dependencies that contain a `T`. Every type provides itself.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::prelude::*;
/// use std::sync::Arc;
///
/// struct Payments;
///
/// struct Desk {
///     payments: Arc<Payments>,
/// }
///
/// impl Provides<Payments> for Desk {
///     fn provide(this: &Arc<Self>) -> Deps<Payments> {
///         Deps::new(Arc::clone(&this.payments))
///     }
/// }
///
/// # #[state]
/// # struct Ticket {
/// #     #[output]
/// #     receipt: String,
/// # }
/// /// Takes only the part of the desk that it needs.
/// #[node(Ticket, writes = receipt)]
/// async fn look_up(payments: Deps<Payments>) -> Result<String> {
/// #   let _ = &*payments;
///     Ok("none yet".into())
/// }
///
/// graph! { Lookup<Ticket, Desk> { start -> look_up -> end; } }
/// # let agent = Lookup::new(Desk { payments: Arc::new(Payments) }, MemoryStore::new());
/// # assert!(matches!(agent.start("t", TicketInput {}).await?, LookupTurn::Done(_)));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not provide `{T}`",
    label = "a node takes `Deps<{T}>`, and the graph's dependencies are `{Self}`",
    note = "the second type of a graph is what its nodes get as `Deps<…>`: write `graph! {{ Agent<State, {T}> {{ … }} }}`",
    note = "if the nodes take several, make that type a struct of yours, and implement `hitl::Provides<{T}>` for it"
)]
pub trait Provides<T: ?Sized> {
    /// Returns the part.
    fn provide(this: &Arc<Self>) -> Deps<T>;
}

impl<T> Provides<T> for T {
    fn provide(this: &Arc<T>) -> Deps<T> {
        Deps(Arc::clone(this))
    }
}

impl fmt::Debug for ErasedArgs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErasedArgs").finish_non_exhaustive()
    }
}

impl<S, D> fmt::Debug for Args<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args").finish_non_exhaustive()
    }
}

/// Does not show the dependency, which may hold a secret.
impl<T: ?Sized> fmt::Debug for Deps<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deps<{}>", std::any::type_name::<T>())
    }
}
