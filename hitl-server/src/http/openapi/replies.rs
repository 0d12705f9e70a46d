//! The schemas of the replies whose members are those of a variant of [`Reply`](crate::api::Reply).
#![allow(dead_code, reason = "only their schemas are used")]

use hitl_runtime::{Digest, OpenReview, Place, Reproposal, ThreadId, Timestamp, journal::Stop};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::ThreadRow;

/// A page of the open reviews that the operator may decide.
#[derive(Serialize, JsonSchema)]
pub(super) struct ReviewPage {
    /// The reviews, oldest first.
    reviews: Vec<OpenReview>,
    /// The `after` of the next page; null after the last page.
    next: Option<String>,
}

/// A page of the threads of the store.
#[derive(Serialize, JsonSchema)]
pub(super) struct ThreadPage {
    /// The threads, in the byte order of their names.
    threads: Vec<ThreadRow>,
    /// The `after` of the next page; null after the last page.
    next: Option<String>,
}

/// A page of a thread's journal.
#[derive(Serialize, JsonSchema)]
pub(super) struct HistoryPage {
    /// The thread.
    thread: ThreadId,
    /// The entries, oldest first.
    entries: Vec<HistoryRow>,
    /// The `from` of the next page; null after the last page.
    next: Option<Place>,
}

/// An entry of a thread's journal.
#[derive(Serialize, JsonSchema)]
pub(super) struct HistoryRow {
    /// The place of the entry.
    place: Place,
    /// The time at which the entry was written.
    #[serde(rename = "at_ms")]
    at: Timestamp,
    /// The hash of the entry, which covers every entry before it.
    hash: Digest,
    /// The event: its name, such as `started` or `decided`, as the only member, with its data.
    #[schemars(schema_with = "one_member")]
    event: Map<String, Value>,
    /// The model usage of the attempt that led to this entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spent: Vec<Map<String, Value>>,
    /// Warnings about the person's name in the entry, if it could be mistaken for another name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<String>,
}

/// The result that a verdict would have.
#[derive(Serialize, JsonSchema)]
pub(super) struct VerdictPreview {
    /// The thread.
    thread: ThreadId,
    /// The digest of the review.
    digest: Digest,
    /// The draft that the verdict would sign at once; null if it signs nothing.
    signs: Option<Value>,
    /// The value that would be proposed again, if the verdict is an edit that does not sign at this review.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposes: Option<Value>,
    /// The destination of that edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<Reproposal>,
}

/// The stops of graphs and of the store that are in force.
#[derive(Serialize, JsonSchema)]
pub(super) struct StopList {
    /// The stops.
    stops: Vec<Stop>,
    /// The number of threads that the request has cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<u64>,
    /// `true` if another operator has lifted the stop during the request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    was_lifted: bool,
    /// The threads that could not be cancelled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<ThreadId>,
}

/// Returns the schema of an object with one member, which is an object.
fn one_member(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": { "type": "object" },
    })
}
