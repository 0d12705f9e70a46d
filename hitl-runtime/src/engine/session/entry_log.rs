//! The log events of a thread's journal. An entry is logged after it is stored, so that the log never says more than the
//! journal.

use std::time::Duration;

use hitl_core::millis;
use tracing::Level;

use super::thread_writer::ThreadWriter;
use crate::{
    Digest, Place, Reason, ThreadId, Timestamp,
    journal::{Decision, EntryRef, Event, EventRef, Fold, LaneId, ROOT, StopKind},
    node::GraphTable,
    telemetry::plain,
};

/// The log event of an entry that is not stored yet.
pub(in crate::engine) struct EntryLog {
    place: Place,
    /// The lane, if it is not the root lane.
    lane: Option<LaneId>,
    node: Option<String>,
    fact: Fact,
}

/// The kind of the entry, with what is logged of it.
enum Fact {
    Started,
    Ran { effect: bool },
    Began { key: String },
    Paused { digest: Digest },
    Signed { digest: Digest },
    Reminded { times: u64 },
    Expired { digest: Digest },
    Decided { verdict: &'static str, by: Person, digest: Digest },
    Failed { attempt: Option<u32> },
    Retried { attempt: Option<u32>, backoff: Duration },
    InDoubt { key: String },
    Settled { settlement: &'static str, by: Person },
    Migrated,
    Resumed,
    Stopped { kind: StopKind, by: Person },
    Unpaused { by: Person },
    Adopted { by: Person },
    Renewed,
    Ended,
}

/// An operator, and whether their identity was verified.
struct Person {
    name: String,
    unverified: bool,
}

impl Person {
    fn new(name: &str, unverified: &bool) -> Self {
        Self { name: plain(name).into_owned(), unverified: *unverified }
    }
}

impl EntryLog {
    /// Returns the log event of an entry that has just been applied to the thread; `None` if no subscriber wants any.
    pub(in crate::engine) fn of(
        graph: &'static GraphTable,
        fold: &Fold,
        entry: &EntryRef<'_>,
    ) -> Option<Box<Self>> {
        if !tracing::enabled!(target: "hitl::thread", Level::WARN) {
            return None;
        }
        let is_debug = || tracing::enabled!(target: "hitl::thread", Level::DEBUG);
        let (node, lane, fact) = match &entry.event {
            EventRef::Event(Event::Renewed {}) if !is_debug() => return None,
            EventRef::Event(event) => {
                (event.node(), event.lane().unwrap_or(ROOT), fact(event, fold, entry.at)?)
            }
            EventRef::Ran { ran } => {
                let effect = graph.node(ran.node).is_some_and(|(_, entry)| entry.spec.effect);
                if !effect && !is_debug() {
                    return None;
                }
                (Some(ran.node), ran.lane, Fact::Ran { effect })
            }
        };
        let lane = (lane != ROOT).then_some(lane);
        Some(Box::new(Self { place: fold.next, lane, node: node.map(str::to_owned), fact }))
    }

    /// Logs the entry, which is stored.
    pub(in crate::engine) fn emit(&self, thread: &ThreadId, graph: &str) {
        let Self { place, lane, node, fact } = self;
        let (place, lane, node, thread) = (place.get(), *lane, node.as_deref(), &*plain(thread.as_str()));
        macro_rules! log {
            ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
                tracing::$level!(target: "hitl::thread", thread, graph, place, node, lane, $($name = $value,)* $message)
            };
        }
        match fact {
            Fact::Started => log!(info, "thread started"),
            Fact::Ran { effect: true } => log!(info, "effect done"),
            Fact::Ran { effect: false } => log!(debug, "node done"),
            Fact::Began { key } => log!(info, "effect begun", idempotency_key = key.as_str()),
            Fact::Paused { digest } => log!(info, "review opened", digest = digest.to_string()),
            Fact::Signed { digest } => log!(info, "draft signed by a rule", digest = digest.to_string()),
            Fact::Reminded { times } => log!(info, "reminder due", times = *times),
            Fact::Expired { digest } => log!(info, "review expired", digest = digest.to_string()),
            Fact::Decided { verdict, by: Person { name, unverified }, digest } => log!(
                info,
                "review decided",
                verdict = *verdict,
                operator = name.as_str(),
                unverified = *unverified,
                digest = digest.to_string()
            ),
            Fact::Failed { attempt } => log!(warn, "node failed", attempt = *attempt),
            Fact::Retried { attempt, backoff } => {
                log!(
                    warn,
                    "node failed; it is retried",
                    attempt = *attempt,
                    backoff_ms = millis::of(*backoff)
                );
            }
            Fact::InDoubt { key } => log!(warn, "effect in doubt", idempotency_key = key.as_str()),
            Fact::Settled { settlement, by: Person { name, unverified } } => log!(
                info,
                "effect settled",
                settlement = *settlement,
                operator = name.as_str(),
                unverified = *unverified
            ),
            Fact::Migrated => log!(info, "thread migrated"),
            Fact::Resumed => log!(info, "thread resumed"),
            Fact::Stopped { kind: StopKind::Pause, by: Person { name, unverified } } => {
                log!(warn, "thread paused", operator = name.as_str(), unverified = *unverified);
            }
            Fact::Stopped { kind: StopKind::Cancel, by: Person { name, unverified } } => {
                log!(warn, "thread cancelled", operator = name.as_str(), unverified = *unverified);
            }
            Fact::Unpaused { by: Person { name, unverified } } => {
                log!(info, "thread unpaused", operator = name.as_str(), unverified = *unverified);
            }
            Fact::Adopted { by: Person { name, unverified } } => {
                log!(info, "thread adopted", operator = name.as_str(), unverified = *unverified);
            }
            Fact::Renewed => log!(debug, "lease renewed"),
            Fact::Ended => log!(info, "thread ended"),
        }
    }
}

/// Returns what is logged of an event. `None` for an [`Event::Ran`], which is written as an [`EventRef::Ran`].
fn fact(event: &Event, fold: &Fold, at: Timestamp) -> Option<Fact> {
    Some(match event {
        Event::Started { .. } => Fact::Started,
        Event::Ran { .. } => return None,
        Event::Began { key, .. } => Fact::Began { key: key.clone() },
        Event::Paused { digest, .. } => Fact::Paused { digest: *digest },
        Event::Signed { digest, .. } => Fact::Signed { digest: *digest },
        Event::Reminded { times, .. } => Fact::Reminded { times: *times },
        Event::Decided { verdict: Decision::Reject { reason: Reason::Expired, .. }, digest, .. } => {
            Fact::Expired { digest: *digest }
        }
        Event::Decided { verdict, operator, unverified, digest, .. } => {
            Fact::Decided { verdict: verdict.name(), by: Person::new(operator, unverified), digest: *digest }
        }
        Event::Failed { lane, again, .. } => {
            // The entry is applied, so its failure is among those of the activation.
            let activation = fold.lanes.get(lane).and_then(|lane| lane.at.activation());
            let attempt = activation.map(|activation| activation.failures);
            match again {
                Some(again) => Fact::Retried { attempt, backoff: again.saturating_since(at) },
                None => Fact::Failed { attempt },
            }
        }
        Event::InDoubt { key, .. } => Fact::InDoubt { key: key.clone() },
        Event::Settled { how, operator, unverified, .. } => {
            Fact::Settled { settlement: how.name(), by: Person::new(operator, unverified) }
        }
        Event::Migrated { .. } => Fact::Migrated,
        Event::Resumed { .. } => Fact::Resumed,
        Event::Stopped { kind, operator, unverified, .. } => {
            Fact::Stopped { kind: *kind, by: Person::new(operator, unverified) }
        }
        Event::Unpaused { operator, unverified, .. } => {
            Fact::Unpaused { by: Person::new(operator, unverified) }
        }
        Event::Adopted { operator, unverified, .. } => {
            Fact::Adopted { by: Person::new(operator, unverified) }
        }
        Event::Renewed {} => Fact::Renewed,
        Event::Ended {} => Fact::Ended,
    })
}

/// Writes a log event about the thread of a writer, with its name and its graph.
macro_rules! log_thread {
    ($writer:ident, $level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
        tracing::$level!(
            target: "hitl::thread",
            thread = &*plain($writer.fold.thread.as_str()),
            graph = $writer.engine.graph.spec.name,
            $($name = $value,)*
            $message
        )
    };
}

impl ThreadWriter {
    /// Logs an append that is stored. `took_over` is `true` if it takes the thread over from another runner.
    pub(super) fn log_stored(&self, logs: &[Box<EntryLog>], took_over: bool) {
        if took_over {
            log_thread!(self, warn, "lease taken over");
        }
        for log in logs {
            log.emit(&self.fold.thread, self.engine.graph.spec.name);
        }
    }

    /// Logs a conflict of the append at a place.
    pub(super) fn log_conflict(&self, place: Place) {
        log_thread!(self, debug, "append conflict", place = place.get());
    }

    /// Logs that the append at a place failed and is retried, with the number of its failures so far.
    pub(super) fn log_retry(&self, place: Place, failures: u32) {
        log_thread!(self, warn, "append failed; it is retried", place = place.get(), failures = failures);
    }

    /// Logs that another runner has the thread.
    pub(in crate::engine) fn log_lost_lease(&self) {
        log_thread!(self, warn, "lease lost");
    }
}
