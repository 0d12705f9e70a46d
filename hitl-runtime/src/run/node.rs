//! What `#[node]` makes of a function, and what such a function is given and gives back.

use std::{ops::Deref, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use super::{Cx, NodeError};
use crate::{
    graph::NodeSpec,
    journal::{Question, Rejection},
    review::{Approved, Reviewed, Signatures},
    state::State,
};

/// A function that `#[node]` has described.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node",
    label = "not a node",
    note = "put `#[hitl::node(State, writes = field)]` on the function"
)]
pub trait Node: 'static {
    /// The state it reads and writes.
    type State: State;
    /// The static description that the graph's proof reads.
    const SPEC: NodeSpec;
    /// What a person signs before it runs; `()` where nothing stops before it.
    type Draft;
    /// [`CanEdit`](super::CanEdit), or [`NoEdit`](super::NoEdit) where the review takes no edit.
    type Edits;
    /// How the draft is checked; `None` where nothing stops before it.
    const REVIEWED: Option<Reviewed> = None;
}

/// A node that can run with the dependencies `D`.
#[diagnostic::on_unimplemented(
    message = "node `{Self}` cannot run on the dependencies `{D}`",
    label = "wants `Deps<…>` of a type that `{D}` does not provide",
    note = "a graph's second type parameter is what its nodes get as `Deps<…>`; implement `hitl::Provides` for a part of it"
)]
pub trait Run<D>: Node {
    /// Takes the parameters out of the state, calls the function, and encodes what it wrote.
    fn run<'a>(args: Args<'a, Self::State, D>) -> NodeFuture<'a>;
}

/// A node that runs.
pub type NodeFuture<'a> = BoxFuture<'a, Result<Writes, NodeError>>;

/// What a node's function is called with.
pub struct Args<'a, S: State, D> {
    /// What is known so far.
    pub fields: &'a S::Fields,
    pub(crate) deps: &'a Arc<D>,
    pub(crate) cx: &'a Cx,
    pub(crate) rejection: Option<&'a Rejection>,
    pub(crate) question: Option<&'a Question>,
    pub(crate) signatures: &'a Signatures,
}

impl<'a, S: State, D> Args<'a, S, D> {
    /// The part `T` of the graph's dependencies.
    pub fn deps<T>(&self) -> Deps<T>
    where
        D: Provides<T>,
    {
        D::provide(self.deps)
    }

    /// Where and when the node runs.
    pub fn cx(&self) -> &'a Cx {
        self.cx
    }

    /// The rejection that led here, if one did.
    pub fn rejection(&self) -> Option<&'a Rejection> {
        self.rejection
    }

    /// The question that led here, if one did.
    pub fn question(&self) -> Option<&'a Question> {
        self.question
    }

    /// What the graph's proof says is there.
    ///
    /// # Errors
    /// When it is not: the thread was written by another graph.
    pub fn need<T>(&self, name: &'static str, value: Option<T>) -> Result<T, NodeError> {
        value.ok_or_else(|| NodeError::missing(name))
    }

    /// The field's value with the signature that it bears.
    ///
    /// # Errors
    /// When it bears none, one for another value, node or visit, or one beside which something else was shown.
    pub fn approved<T>(&self, field: &'static str, value: Option<&T>) -> Result<Approved<T>, NodeError>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let value = self.need(field, value)?;
        self.signatures.mint(field, value, self.fields).map_err(NodeError::not_done)
    }
}

/// The fields that a node wrote, as JSON.
#[derive(Default)]
pub struct Writes(pub(crate) Vec<(&'static str, Box<RawValue>)>);

impl Writes {
    /// Adds a field, as JSON.
    pub(crate) fn set(mut self, field: &'static str, json: Box<RawValue>) -> Self {
        self.0.reserve_exact(1);
        self.0.push((field, json));
        self
    }
}

/// The graph's dependencies, or a part of them: clients, settings, whatever a node needs that is no state.
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
    /// Shares a dependency with the nodes.
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

/// Dependencies that a `T` can be taken from. Everything provides itself.
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
/// /// Asks for no more of the desk than it needs.
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
    note = "implement `hitl::Provides<{T}>` for `{Self}`"
)]
pub trait Provides<T: ?Sized> {
    /// The part.
    fn provide(this: &Arc<Self>) -> Deps<T>;
}

impl<T> Provides<T> for T {
    fn provide(this: &Arc<T>) -> Deps<T> {
        Deps(Arc::clone(this))
    }
}
