//! Lists of threads and of journal entries.

use std::time::Duration;

use hitl_runtime::{
    OpenReview, ThreadId, ThreadStatus,
    agent::HistoryEntry,
    graph::GraphSpec,
    journal::{
        Decision, Event, NodeRenames, Proposal, Requester, Settlement, StopScope, Transition, Usage,
        VoidedSignature,
    },
};

use super::{
    style::{BOLD, DIM, RED, paint},
    table::{columns, short},
    thread::RenderContext,
    value::text,
};
use crate::{
    escape::{escape, escape_name},
    time::{ago, deadline, remaining, utc},
};

/// Formats the open reviews. Those of graphs other than `graph`, which is this program's, get an extra column.
pub(crate) fn inbox(reviews: &[OpenReview], graph: &GraphSpec, context: RenderContext) -> String {
    let other_graphs = reviews.iter().any(|review| review.graph != graph.name);
    // Name all effects that the signature covers.
    let before = |review: &OpenReview| {
        let node = graph.nodes.iter().find(|node| review.graph == graph.name && node.name == review.node);
        let covers = node.and_then(|node| node.interrupt).map_or(&[][..], |interrupt| interrupt.covers);
        let others = covers.iter().filter(|name| **name != review.node);
        others.fold(escape(&review.node).into_owned(), |all, other| format!("{all} + {other}"))
    };
    let mut heads = vec!["thread", "waits before", "opened", "for", "deadline", "digest"];
    if other_graphs {
        heads.push("agent");
    }
    let rows: Vec<Vec<String>> = reviews
        .iter()
        .map(|review| {
            let overdue = review.deadline.is_some_and(|at| at <= context.now);
            let until = match review.deadline {
                None => "none".to_owned(),
                Some(at) if overdue => deadline(at, context.now),
                Some(at) => format!("in {}", remaining(at, context.now)),
            };
            let mut row = vec![
                paint(BOLD, escape(review.thread.as_str())),
                before(review),
                ago(review.opened, context.now),
                review.role.as_deref().map_or("anyone".into(), escape).into_owned(),
                if overdue { paint(RED, until) } else { until },
                paint(DIM, review.digest.short()),
            ];
            if other_graphs {
                row.push(escape(&review.graph).into_owned());
            }
            row
        })
        .collect();
    columns(&heads, &rows)
}

/// Formats threads that have not ended and wait for no review.
pub(crate) fn unsettled(threads: &[(ThreadId, ThreadStatus)]) -> String {
    let rows: Vec<Vec<String>> = threads
        .iter()
        .map(|(thread, standing)| {
            let how = match standing {
                ThreadStatus::InDoubt => paint(RED, "in doubt: find out what happened, then `settle`"),
                ThreadStatus::Failed => paint(RED, "failed"),
                ThreadStatus::Running => "running or stalled: see `show`".to_owned(),
                ThreadStatus::Waiting | ThreadStatus::Ended => standing.as_str().to_owned(),
            };
            vec![paint(BOLD, escape(thread.as_str())), how]
        })
        .collect();
    columns(&["thread", "status"], &rows)
}

/// Formats a journal, one line per entry.
pub(crate) fn history(entries: &[HistoryEntry], context: RenderContext) -> String {
    let wide = entries.last().map_or(1, |entry| entry.place.to_string().len());
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let what = format!(
                "{}{}{}",
                describe(&entry.event),
                evidence_text(&entry.event),
                model_usage(&entry.spent)
            );
            vec![
                format!("{:>wide$}", entry.place),
                utc(entry.at),
                paint(DIM, entry.hash.short()),
                operator_name(entry).unwrap_or_default(),
                short(&what, context.width.map(|width| width.saturating_sub(wide + 67).max(24))),
            ]
        })
        .collect();
    columns(&["#", "UTC", "hash", "who", "what"], &rows)
}

/// Formats the use of models, if there was any: `, by nova-lite: 812 + 64 tokens, 0.9 s`.
fn model_usage(spent: &[Usage]) -> String {
    let Some(first) = spent.first() else { return String::new() };
    let sum =
        |tokens: fn(&Usage) -> Option<u64>| spent.iter().filter_map(tokens).fold(0, u64::saturating_add);
    let (read, wrote) = (sum(|usage| usage.input_tokens), sum(|usage| usage.output_tokens));
    let seconds =
        spent.iter().map(|usage| usage.duration).fold(Duration::ZERO, Duration::saturating_add).as_secs_f64();
    let times = if spent.len() > 1 { format!(" in {} calls", spent.len()) } else { String::new() };
    format!(", by {}: {read} + {wrote} tokens, {seconds:.1} s{times}", escape(&first.model))
}

/// Returns the operator of an entry: `mara`, or `mara (unverified)`.
fn operator_name(entry: &HistoryEntry) -> Option<String> {
    match &entry.event {
        Event::Decided { operator, unverified, .. }
        | Event::Settled { operator, unverified, .. }
        | Event::Stopped { operator, unverified, .. }
        | Event::Unpaused { operator, unverified, .. }
        | Event::Adopted { operator, unverified, .. }
        | Event::Started { requester: Some(Requester { operator, unverified, .. }), .. }
        | Event::Resumed { by: Some(Requester { operator, unverified, .. }), .. } => Some(format!(
            "{}{}",
            escape_name(operator, &entry.marks),
            if *unverified { " (unverified)" } else { "" }
        )),
        _ => None,
    }
}

/// Formats the evidence, if there was a token: ` (identified by https://login.example, key 2026-01, over http)`.
fn evidence_text(event: &Event) -> String {
    let evidence = match event {
        Event::Decided { evidence, .. }
        | Event::Settled { evidence, .. }
        | Event::Stopped { evidence, .. }
        | Event::Unpaused { evidence, .. }
        | Event::Adopted { evidence, .. } => evidence,
        Event::Started { requester: Some(Requester { evidence, .. }), .. }
        | Event::Resumed { by: Some(Requester { evidence, .. }), .. } => evidence,
        _ => return String::new(),
    };
    let Some(evidence) = evidence else { return String::new() };
    let words = [("by", &evidence.issuer), ("key", &evidence.key), ("over", &evidence.channel)];
    let words: Vec<String> = words
        .into_iter()
        .filter_map(|(word, value)| Some(format!("{word} {}", escape(value.as_deref()?))))
        .collect();
    // A channel alone does not identify a person.
    if evidence.token.is_none() && evidence.issuer.is_none() {
        return String::new();
    }
    format!(" (identified {})", words.join(", "))
}

fn describe(event: &Event) -> String {
    let node = escape(event.node().unwrap_or_default());
    match event {
        Event::Started { from: Some(from), .. } => {
            format!("forked from {} at {}", escape(&from.thread), from.place)
        }
        Event::Started { input, .. } => {
            let fields: Vec<String> =
                input.iter().map(|(field, json)| field_and_value(field, json.get())).collect();
            if fields.is_empty() { "started".to_owned() } else { format!("started: {}", fields.join(", ")) }
        }
        Event::Ran { wrote, run, .. } => {
            let fields: Vec<_> = wrote.keys().map(|field| escape(field)).collect();
            let run = run.map(|run| format!(" (run {run})")).unwrap_or_default();
            if fields.is_empty() {
                format!("{node} ran{run}")
            } else {
                format!("{node} wrote {}{run}", fields.join(", "))
            }
        }
        Event::Began { .. } => format!("{node} began"),
        Event::Paused { role, covers, shows, proposed, when, risk, irreversible, not_requester, .. } => {
            let list = |word: &str, names: &[String]| {
                let names = names.iter().map(|name| escape(name)).collect::<Vec<_>>().join(", ");
                if names.is_empty() { names } else { format!("; {word} {names}") }
            };
            let role = role.as_deref().map(|role| format!(" for {}", escape(role))).unwrap_or_default();
            let by = proposed.as_ref().map(|by| format!(", proposed by {}", escape(&by.operator)));
            let by = by.unwrap_or_default();
            let when =
                when.as_ref().map(|when| format!("; {}", escape(&when.to_string()))).unwrap_or_default();
            let risk = risk.map(|risk| format!("; risk {risk}")).unwrap_or_default();
            let undone = if *irreversible { "; cannot be undone" } else { "" };
            let but = if *not_requester { ", but not by who started the thread" } else { "" };
            format!(
                "waits before {node}{role}{but}{by}{}{}{when}{risk}{undone}",
                list("covers", covers),
                list("shows", shows)
            )
        }
        Event::Signed { field, by, .. } => {
            format!("{} signed {field} before {node}", escape(&by.to_string()))
        }
        Event::Reminded { .. } => format!("reminder of the review before {node}"),
        Event::Decided { verdict, note, to, proposal, when, .. } => {
            let mut decided = decision(verdict, &node, to, proposal.as_deref());
            if let Some(when) = when {
                decided = format!("{decided}; then {}", escape(&when.to_string()));
            }
            if note.is_empty() { decided } else { format!("{decided}; note: {}", escape(note)) }
        }
        Event::Failed { error, again, .. } => {
            let again = if again.is_some() { " (will be retried)" } else { "" };
            format!("{node} failed{again}: {}", escape(error))
        }
        Event::InDoubt { error, .. } => format!("{node} is in doubt: {}", escape(error)),
        Event::Settled { how, .. } => match how {
            Settlement::Happened { .. } => format!("{node} happened"),
            Settlement::RunAgain => format!("{node} did not happen, and is run again"),
            Settlement::Stop { note } if note.is_empty() => format!("stopped at {node}"),
            Settlement::Stop { note } => format!("stopped at {node}: {}", escape(note)),
            other => format!("{node} was settled: {}", other.name()),
        },
        Event::Migrated { version, renamed, void, .. } => migration(*version, renamed, void),
        Event::Resumed { .. } => "resumed".to_owned(),
        Event::Stopped { kind, scope, reason, .. } => stop(&kind.to_string(), scope, reason),
        Event::Unpaused { scope, reason, .. } => stop("unpaused", scope, reason),
        Event::Adopted { .. } => "earlier entries adopted".to_owned(),
        Event::Renewed { .. } => "lease renewed".to_owned(),
        Event::Ended { .. } => "ended".to_owned(),
        other => other.name().to_owned(),
    }
}

/// Formats a stop: `graph `RefundAgent` paused: the model invents orders`.
fn stop(what: &str, scope: &StopScope, reason: &str) -> String {
    let scope = scope.to_string();
    let scope = escape(&scope);
    if reason.is_empty() { format!("{scope} {what}") } else { format!("{scope} {what}: {}", escape(reason)) }
}

/// Formats a migration: `new code: version 2 of its state, execute is now pay, draft must be signed again`.
fn migration(version: Option<u32>, renamed: &NodeRenames, void: &[VoidedSignature]) -> String {
    let mut news: Vec<String> =
        version.map(|version| format!("version {version} of its state")).into_iter().collect();
    news.extend(renamed.iter().map(|(old, new)| format!("{} is now {}", escape(old), escape(new))));
    news.extend(void.iter().map(|void| format!("{} must be signed again", escape(&void.field))));
    if news.is_empty() { "new code".to_owned() } else { format!("new code: {}", news.join(", ")) }
}

fn decision(verdict: &Decision, node: &str, to: &Transition, proposal: Option<&Proposal>) -> String {
    match verdict {
        Decision::Edit { before, after, .. } if let Some(Proposal::Made { from, .. }) = proposal => {
            let changes = field_changes(before.get(), after.get());
            let (from, to) = (from.to_string(), to.to_string());
            format!(
                "edited before {node}, proposed again from {} to {}: {changes}",
                escape(&from),
                escape(&to)
            )
        }
        Decision::Approve if let Some(Proposal::Signed { edit, .. }) = proposal => {
            format!("approved {node} by the edit at {edit}")
        }
        Decision::Approve => format!("approved {node}"),
        Decision::Edit { before, after, .. } => {
            format!("edited and approved {node}: {}", field_changes(before.get(), after.get()))
        }
        Decision::Reject { reason, note, .. } if note.is_empty() => format!("rejected {node}, {reason}"),
        Decision::Reject { reason, note, .. } => format!("rejected {node}, {reason}: {}", escape(note)),
        Decision::Ask { question, .. } => format!("asked before {node}: {}", escape(question)),
        other => format!("{} before {node}", other.name()),
    }
}

fn field_and_value(field: &str, json: &str) -> String {
    let value = serde_json::from_str(json).unwrap_or_default();
    format!("{} {}", escape(field), text(&value))
}

/// Formats a change: `amount 149 → 99`.
fn field_changes(before: &str, after: &str) -> String {
    let parse = |json: &str| serde_json::from_str(json).unwrap_or_default();
    let (old, new) =
        (super::value::rows("draft", &parse(before), None), super::value::rows("draft", &parse(after), None));
    let value = |rows: &[super::value::Row], key: &str| {
        rows.iter().find(|row| row.key == key).map(|row| row.value.clone())
    };
    let mut out: Vec<String> = new
        .iter()
        .filter_map(|row| match value(&old, &row.key) {
            Some(before) if before == row.value => None,
            Some(before) => Some(format!("{} {before} → {}", row.key, row.value)),
            None => Some(format!("{} → {}", row.key, row.value)),
        })
        .collect();
    out.extend(
        old.iter().filter(|row| value(&new, &row.key).is_none()).map(|row| format!("removed {}", row.key)),
    );
    if out.is_empty() { "nothing changed".to_owned() } else { out.join(", ") }
}
