//! Next commands for a thread, ready to copy.

use hitl_runtime::{
    Timestamp,
    agent::{ReviewView, ThreadView},
    journal::{StopKind, StopScope},
    store::ThreadStatus,
};
use serde_json::Value;

use super::invocation::Invocation;

/// A command that may come next, with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    pub(super) label: &'static str,
    pub(super) command: String,
}

/// Returns the commands that are possible in a thread's current status.
pub(super) fn suggestions(view: &ThreadView, invocation: &Invocation, now: Timestamp) -> Vec<Suggestion> {
    let thread = view.thread.as_str();
    let suggestion = |label, command: &str, options: &[&str]| Suggestion {
        label,
        command: invocation.on_thread(command, thread, options),
    };
    // An incompatible thread cannot continue in this program.
    if !view.differences.is_empty() {
        return Vec::new();
    }
    let lift = view.stop.as_ref().filter(|stop| stop.kind == StopKind::Pause).map(|stop| Suggestion {
        label: "lift the pause",
        command: match &stop.scope {
            StopScope::Graph(_) => invocation.command(["unpause", "--graph"]),
            StopScope::Store => invocation.command(["unpause", "--store"]),
            _ => invocation.on_thread("unpause", thread, &[]),
        },
    });
    let possible = match view.standing {
        ThreadStatus::Waiting => {
            view.reviews.iter().flat_map(|review| verdicts(view, review, invocation, now)).collect()
        }
        ThreadStatus::InDoubt => settlements(view, invocation),
        ThreadStatus::Failed if view.failure.as_ref().is_some_and(|failure| !failure.stopped) => {
            vec![suggestion("try again", "resume", &[])]
        }
        ThreadStatus::Running if view.stalled => vec![suggestion("resume", "resume", &[])],
        ThreadStatus::Running if lift.is_none() => vec![suggestion("show again", "show", &[])],
        ThreadStatus::Running | ThreadStatus::Failed | ThreadStatus::Ended => Vec::new(),
    };
    possible.into_iter().chain(lift).collect()
}

/// Returns the commands for the verdicts that a review currently accepts.
pub(super) fn verdicts(
    view: &ThreadView,
    review: &ReviewView,
    invocation: &Invocation,
    now: Timestamp,
) -> Vec<Suggestion> {
    let thread = view.thread.as_str();
    let suggestion = |label, command: &str, options: &[&str]| Suggestion {
        label,
        command: invocation.on_thread(command, thread, options),
    };
    // After its deadline a review accepts no verdict; resuming the thread rejects it.
    if review.deadline.is_some_and(|deadline| deadline <= now) {
        return vec![suggestion("continue", "resume", &[])];
    }
    let digest = review.digest.short();
    let example = example(&review.draft);
    review
        .verdicts
        .iter()
        .map(|verdict| match *verdict {
            "edit" => suggestion("edit", "edit", &["--digest", &digest, "--set", &example]),
            "reject" => {
                suggestion("reject", "reject", &["--digest", &digest, "--reason", "other", "--note", "…"])
            }
            "ask" => suggestion("ask", "ask", &["--digest", &digest, "…"]),
            other => suggestion("approve", other, &["--digest", &digest]),
        })
        .collect()
}

/// Returns an example for `--set` from the draft, preferably of a number: numbers are edited most often.
fn example(draft: &Value) -> String {
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    let fields = draft.as_object();
    let of = |wanted: &dyn Fn(&Value) -> bool| {
        fields.into_iter().flatten().find(|(_, value)| wanted(value)).map(|(key, value)| {
            let text = super::render::value::text(value);
            format!("{key}={}", if value.is_string() { "…".to_owned() } else { text })
        })
    };
    of(&Value::is_number).or_else(|| of(&scalar)).unwrap_or_else(|| "PATH=VALUE".to_owned())
}

fn settlements(view: &ThreadView, invocation: &Invocation) -> Vec<Suggestion> {
    let thread = view.thread.as_str();
    let Some(doubt) = &view.in_doubt else { return Vec::new() };
    let wrote: Vec<String> = doubt.writes.iter().map(|field| format!("{field}=…")).collect();
    let happened = wrote.iter().flat_map(|wrote| ["--set", wrote.as_str()]);
    let happened: Vec<&str> = std::iter::once("happened").chain(happened).collect();
    let digest = doubt.digest.short();
    let settlement = |label, how: &[&str]| {
        let options: Vec<&str> = ["--digest", &digest].into_iter().chain(how.iter().copied()).collect();
        Suggestion { label, command: invocation.on_thread("settle", thread, &options) }
    };
    vec![
        settlement("it happened", &happened),
        settlement("run it again", &["run-again"]),
        settlement("stop it", &["stop", "--note", "…"]),
    ]
}
