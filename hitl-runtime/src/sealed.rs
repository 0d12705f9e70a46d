//! The traits that seal the traits of declarations: `Graph`, `State` and `Node`.
//!
//! A graph's description is its proof, so only the macro that has proved it may implement `Graph`. The code that a macro
//! generates names these traits through `__private`, which has an alias where it evaluates the expressions of a user.
//! Neither is public API, and an implementation by hand voids the proof.

/// Seals [`Graph`](crate::agent::Graph).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared by `graph!`, so nothing proves its description",
    label = "only `graph!` implements `Graph`",
    note = "declare it with `hitl::graph! {{ {Self}<State, Deps> {{ … }} }}`"
)]
pub trait SealedGraph {}

/// Seals [`State`](crate::state::State).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared by `#[state]`",
    label = "only `#[state]` implements `State`",
    note = "put `#[hitl::state]` on the struct"
)]
pub trait SealedState {}

/// Seals [`Node`](crate::node::Node).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared by `#[node]`",
    label = "only `#[node]` implements `Node`",
    note = "put `#[hitl::node(State, writes = field)]` on the function"
)]
pub trait SealedNode {}
