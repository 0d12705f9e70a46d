//! The JSON Schemas of the drafts that a graph has reviewed, for a description of its API.

use serde_json::Value;

use crate::engine::Engine;

/// The draft of a review, as the graph declares it.
#[derive(Clone, Debug)]
pub struct ReviewSchema {
    /// The node that the review is before.
    pub node: &'static str,
    /// The field that is signed.
    pub field: &'static str,
    /// The JSON Schema of the draft's type.
    pub schema: Value,
}

impl Engine {
    /// Returns the schema of each review's draft. A schema whose function panics is left out.
    pub fn review_schemas(&self) -> Vec<ReviewSchema> {
        let reviewed = self.graph.nodes.iter().filter_map(|entry| {
            let field = entry.spec.interrupt?.field;
            let schema = entry.reviewed.as_ref()?.schema_of(field).ok()?;
            Some(ReviewSchema { node: entry.spec.name, field, schema })
        });
        reviewed.collect()
    }
}
