//! One entry of a journal, to be looked at.

use serde::Serialize;

use crate::{
    Digest, Error, Place, ThreadId,
    journal::{Entry, Event, Requester, Usage},
    store::Record,
    unicode,
};

/// One entry of a thread's journal, as history shows it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::journal::Event;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?.approve(&mara()).await?;
/// for entry in agent.history(&"ticket-A-9133".try_into()?, 0, 100).await? {
///     if let Event::Decided { operator, verdict, .. } = &entry.event {
///         println!("place {}, at {} ms: {operator} said {}", entry.place, entry.at_ms, verdict.name());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct HistoryEntry {
    /// Where it stands.
    pub place: Place,
    /// When it was written, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Its hash, which covers every entry before it.
    pub hash: Digest,
    /// What happened.
    pub event: Event,
    /// What the node's models took to get here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Usage>,
    /// What is to be said beside the name in it, where that could pass for another one: `look-alike letters: …`,
    /// ``looks like `ceo`, another name here``. Whoever shows the name shows this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
}

impl HistoryEntry {
    /// The name of a person in it.
    pub(super) fn name(&self) -> Option<&str> {
        name(&self.event)
    }
}

fn name(event: &Event) -> Option<&str> {
    match event {
        Event::Decided { operator, .. }
        | Event::Settled { operator, .. }
        | Event::Adopted { operator, .. }
        | Event::Started { requester: Some(Requester { operator, .. }), .. }
        | Event::Resumed { by: Some(Requester { operator, .. }) } => Some(operator),
        Event::Paused { proposed: Some(by), .. } => Some(&by.operator),
        _ => None,
    }
}

/// An entry out of its record.
pub(super) fn shown(thread: &ThreadId, record: &Record) -> Result<HistoryEntry, Error> {
    let entry: Entry = serde_json::from_slice(&record.body).map_err(|e| Error::Damaged {
        thread: thread.clone(),
        place: record.place,
        problem: format!("it is no entry that this program can read: {e}"),
    })?;
    let Entry { at_ms, event, spent, .. } = entry;
    let marks = name(&event).map(|name| unicode::marks(name, [])).unwrap_or_default();
    Ok(HistoryEntry { place: record.place, at_ms, hash: record.hash, event, spent, marks })
}
