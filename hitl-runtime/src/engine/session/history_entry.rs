//! One journal entry in the form that history, subscribers and the API show.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Error, Place, ThreadId, Timestamp,
    journal::{Entry, Event, Requester, Usage},
    store::Record,
    unicode,
};

/// One entry of a thread's journal, as [`Agent::history`](crate::Agent::history) returns it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::journal::Event;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?.approve(&mara()).await?;
/// for entry in agent.history("ticket-A-9133", 0, 100).await? {
///     if let Event::Decided { operator, verdict, .. } = &entry.event {
///         println!("place {}, at {} ms: {operator} said {}", entry.place, entry.at.as_millis(), verdict.name());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The place of the entry in the journal.
    pub place: Place,
    /// The time at which the entry was written.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
    /// The hash of the entry, which covers every entry before it.
    pub hash: Digest,
    /// The event that the entry records.
    pub event: Event,
    /// The model usage (tokens and time) of the node attempt that led to this entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Usage>,
    /// Warnings about the person's name in the entry, if it could be mistaken for another name:
    /// `look-alike letters: …`, ``looks like `ceo`, another name here``. A user interface that shows the name must show
    /// these warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
}

impl HistoryEntry {
    /// Returns the name of the person in the entry, if it has one.
    pub(in crate::engine) fn name(&self) -> Option<&str> {
        name(&self.event)
    }
}

fn name(event: &Event) -> Option<&str> {
    match event {
        Event::Decided { operator, .. }
        | Event::Settled { operator, .. }
        | Event::Stopped { operator, .. }
        | Event::Unpaused { operator, .. }
        | Event::Adopted { operator, .. }
        | Event::Started { requester: Some(Requester { operator, .. }), .. }
        | Event::Resumed { by: Some(Requester { operator, .. }) } => Some(operator),
        Event::Paused { proposed: Some(by), .. } | Event::Signed { proposed: Some(by), .. } => {
            Some(&by.operator)
        }
        _ => None,
    }
}

/// Decodes a stored record into a history entry.
pub(in crate::engine) fn shown(thread: &ThreadId, record: &Record) -> Result<HistoryEntry, Error> {
    let entry: Entry = serde_json::from_slice(&record.body).map_err(|e| Error::Damaged {
        thread: thread.clone(),
        place: record.place,
        problem: format!("it cannot be parsed as an entry: {e}"),
    })?;
    let Entry { at, event, spent, .. } = entry;
    let marks = name(&event).map(|name| unicode::marks(name, [])).unwrap_or_default();
    Ok(HistoryEntry { place: record.place, at, hash: record.hash, event, spent, marks })
}
