//! Items for the command line and the servers of hitl. They are no part of the API, and change in any release.

use std::sync::Arc;

use crate::{Agent, agent::Graph};
pub use crate::{
    engine::{Engine, GivenVerdict, Starter, VerdictInput, is_same_owner, may_settle},
    journal::Fold,
    json::exact,
    node::RequestHeaders,
    review::schema::Schema,
    telemetry::plain,
    user_code::panic_message,
};

/// Returns the engine of an agent.
pub fn engine<G: Graph>(agent: &Agent<G>) -> &Arc<Engine> {
    &agent.engine
}
