//! Items for the command line and the servers of hitl. They are no part of the API, and change in any release.

use std::sync::Arc;

use crate::{Agent, Cx, Front, agent::Graph};
pub use crate::{
    engine::{Engine, GivenVerdict, ReviewSchema, Starter, VerdictInput, is_same_owner, may_settle},
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

/// Returns the engine of a front.
pub fn front_engine<G: Graph>(front: &Front<G>) -> &Arc<Engine> {
    &front.agent.engine
}

/// Returns a header of the request that runs a node, in an effect too. The header must have a credential, and no parameter
/// of the node.
pub fn request_credential<'a>(cx: &'a Cx, name: &str) -> Option<&'a str> {
    cx.request_credential(name)
}
