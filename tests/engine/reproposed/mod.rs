//! Edits as new proposals: an edited draft takes the path that it would have taken had the node proposed it.

mod by_tier;
mod by_variant;
mod concurrent;
mod expired;
#[cfg(feature = "cli")]
mod interfaces;
mod limits;
mod nodes_between;
mod other_review;
mod versions;

use hitl::{Agent, Graph, HistoryEntry, journal::Event};

/// Returns the entries of a thread as text: event, node and, where recorded, role or operator. Start, end, resumption
/// and renewals are left out.
async fn summary<G: Graph>(agent: &Agent<G>, thread: &str) -> Vec<String> {
    let entries = agent.history(thread, 0, 1_000).await.unwrap();
    entries.iter().filter_map(summarize).collect()
}

fn summarize(entry: &HistoryEntry) -> Option<String> {
    Some(match &entry.event {
        Event::Ran { node, .. } => format!("ran {node}"),
        Event::Began { node, .. } => format!("began {node}"),
        Event::Paused { node, role, proposed, .. } => {
            let role = role.as_deref().unwrap_or("anybody");
            match proposed {
                Some(by) => format!("paused {node} for {role}, proposed by {}", by.operator),
                None => format!("paused {node} for {role}"),
            }
        }
        Event::Decided { node, verdict, operator, to, proposal, .. } => {
            let what = match proposal.as_deref() {
                Some(hitl::journal::Proposal::Made { from, .. }) => format!(" from {from} to {to}"),
                Some(hitl::journal::Proposal::Signed { .. }) => " by the edit".to_owned(),
                _ => String::new(),
            };
            format!("{operator} {} {node}{what}", verdict.name())
        }
        Event::Started { .. } | Event::Ended { .. } | Event::Renewed { .. } | Event::Resumed { .. } => {
            return None;
        }
        event => format!("{} {}", event.name(), event.node().unwrap_or_default()),
    })
}
