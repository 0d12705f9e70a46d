//! What is asked for.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::Refusal;
use crate::{
    Digest, Operator, Place, Reason, ThreadId, Verdict,
    journal::{Settlement, Values},
    prose::nearest,
};

/// A request, read and found to have everything it needs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The thread that it is about.
    pub thread: ThreadId,
    /// What is to be done.
    pub action: Action,
    /// Who says to have sent it. Nobody has verified that.
    pub claimed: Option<Operator>,
}

/// What is to be done. The words are those of [the table](crate::serve::wire).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Begin the thread.
    Start {
        /// The inputs.
        input: Value,
    },
    /// Show the thread.
    Get,
    /// Sign the draft.
    Approve {
        /// The draft as the operator saw it.
        digest: Digest,
    },
    /// Sign another draft.
    Edit {
        /// The draft as the operator saw it.
        digest: Digest,
        /// A merge patch (RFC 7396), by the field that is signed.
        patch: Map<String, Value>,
    },
    /// Refuse the draft.
    Reject {
        /// The draft as the operator saw it.
        digest: Digest,
        /// Why.
        reason: Reason,
        /// Why, in the operator's words.
        note: String,
    },
    /// Have it drafted again.
    Ask {
        /// The draft as the operator saw it.
        digest: Digest,
        /// The question.
        question: String,
    },
    /// Say what a verdict would sign, and sign nothing.
    Preview {
        /// The draft as the operator saw it.
        digest: Digest,
        /// The verdict. An edit's patch is by the field that is signed, as in [`Action::Edit`].
        verdict: Verdict,
    },
    /// Say how an effect ended.
    Settle {
        /// The doubt.
        digest: Digest,
        /// How it ended.
        how: Box<Settlement>,
    },
    /// Take the thread up.
    Resume,
    /// Page through the journal.
    History {
        /// From this place on.
        from: Place,
        /// How many entries at most.
        limit: usize,
    },
}

const ACTIONS: [&str; 10] =
    ["start", "get", "approve", "edit", "reject", "ask", "preview", "settle", "resume", "history"];

/// The actions that decide a review, of which a preview is one.
const VERDICTS: [&str; 4] = ["approve", "edit", "reject", "ask"];

/// The most entries that a page of a history has.
const LONGEST_PAGE: usize = 1000;

impl Request {
    /// Reads a request. Without an `action` it is a start. Without a `thread_id` it is about `thread`, if there is one.
    ///
    /// A start may have its inputs in `input` or beside the action; a lone text input may be called `prompt` in
    /// [`Request::read_for`], which knows the graph.
    ///
    /// ```
    /// use hitl::wire::{Action, Request};
    /// use serde_json::json;
    ///
    /// let request = Request::read(json!({ "action": "start", "thread_id": "t", "message": "It is broken." }), None)?;
    /// assert!(matches!(request.action, Action::Start { input } if input == json!({ "message": "It is broken." })));
    ///
    /// let refusal = Request::read(json!({ "action": "aprove", "thread_id": "t" }), None).unwrap_err();
    /// assert_eq!(refusal.code, "unknown_action");
    /// assert_eq!(refusal.message, "there is no action `aprove`; did you mean `approve`?");
    /// # Ok::<(), hitl::wire::Refusal>(())
    /// ```
    ///
    /// # Errors
    /// With status 400, and a code that says what is missing or wrong: `invalid_request`, `unknown_action`,
    /// `invalid_thread_id`.
    pub fn read(payload: Value, thread: Option<ThreadId>) -> Result<Self, Refusal> {
        let Value::Object(mut rest) = payload else {
            return Err(invalid("a request is a JSON object with an `action` and a `thread_id`"));
        };
        let action = take_text(&mut rest, "action")?;
        let thread = match take_text(&mut rest, "thread_id")? {
            // One that no new thread may have is refused where a thread is started.
            Some(name) => ThreadId::existing(&name).map_err(|e| Refusal::from(crate::Error::from(e)))?,
            None => thread.ok_or_else(|| invalid("`thread_id` is missing: say which thread"))?,
        };
        let action = action.as_deref().unwrap_or("start");
        let claimed = if action == "start" { None } else { claimed(&mut rest)? };
        let action = read(action, rest).map_err(|refusal| refusal.detail("thread", thread.as_str()))?;
        Ok(Self { thread, action, claimed })
    }

    /// As [`Request::read`], for a graph whose only input is a text: that may be called `prompt` as well, as callers of
    /// hosted agents do.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # fn main() -> Result<(), hitl::wire::Refusal> {
    /// use hitl::wire::{Action, Request};
    /// use serde_json::json;
    ///
    /// let request = Request::read_for::<RefundAgent>(json!({ "prompt": "A-9133 is broken" }), "t".try_into().ok())?;
    /// assert!(matches!(request.action, Action::Start { input } if input == json!({ "message": "A-9133 is broken" })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As `read`.
    pub fn read_for<G: crate::run::Graph>(payload: Value, thread: Option<ThreadId>) -> Result<Self, Refusal> {
        let mut request = Self::read(payload, thread)?;
        if let Action::Start { input: Value::Object(input) } = &mut request.action
            && let Some(only) = only_input::<G>()
            && input.len() == 1
            && let Some(prompt) = input.remove("prompt")
        {
            input.insert(only.to_owned(), prompt);
        }
        Ok(request)
    }
}

fn only_input<G: crate::run::Graph>() -> Option<&'static str> {
    let mut inputs =
        <G::State as crate::state::State>::SPEC.fields.iter().filter(|field| field.input).map(|f| f.name);
    inputs.next().filter(|_| inputs.next().is_none())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    digest: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    digest: Digest,
    patch: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reject {
    digest: Digest,
    reason: Reason,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    digest: Digest,
    question: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    digest: Digest,
    how: How,
    wrote: Option<Values>,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Happened,
    RunAgain,
    Stop,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    #[serde(default)]
    from: Place,
    #[serde(default = "page")]
    limit: usize,
}

fn page() -> usize {
    100
}

/// The action of a name, out of what stands beside it.
fn read(action: &str, rest: Map<String, Value>) -> Result<Action, Refusal> {
    Ok(match action {
        "start" => Action::Start { input: input(rest)? },
        "get" => {
            let Nothing {} = parse(rest)?;
            Action::Get
        }
        "approve" => {
            let Named { digest } = parse(rest)?;
            Action::Approve { digest }
        }
        "edit" => {
            let Edit { digest, patch } = parse(rest)?;
            Action::Edit { digest, patch }
        }
        "reject" => {
            let Reject { digest, reason, note } = parse(rest)?;
            Action::Reject { digest, reason, note }
        }
        "ask" => {
            let Ask { digest, question } = parse(rest)?;
            Action::Ask { digest, question }
        }
        "preview" => preview(rest)?,
        "settle" => {
            let Settle { digest, how, wrote, note } = parse(rest)?;
            Action::Settle { digest, how: Box::new(settlement(how, wrote, note)?) }
        }
        "resume" => {
            let Nothing {} = parse(rest)?;
            Action::Resume
        }
        "history" => {
            let Pages { from, limit } = parse(rest)?;
            if limit == 0 || limit > LONGEST_PAGE {
                return Err(invalid(format!("`limit` is between 1 and {LONGEST_PAGE}")));
            }
            Action::History { from, limit }
        }
        other => return Err(unknown(other)),
    })
}

/// A verdict that is not given: by its name, with what it needs beside it, or as an object of its own that names its
/// `action`, or that has all of it under the verdict's name.
fn preview(mut rest: Map<String, Value>) -> Result<Action, Refusal> {
    let is_verdict = |name: &String| VERDICTS.contains(&name.as_str());
    let (name, rest) = match rest.remove("verdict") {
        None => return Err(invalid("`verdict` is missing: say which is to be previewed")),
        Some(Value::String(name)) => (name, rest),
        Some(Value::Object(mut verdict)) => {
            let name = match take_text(&mut verdict, "action")? {
                Some(name) => name,
                None => {
                    let mut only = verdict.into_iter();
                    match (only.next(), only.next()) {
                        (Some((name, Value::Object(inner))), None) => {
                            verdict = inner;
                            name
                        }
                        _ => return Err(invalid("`verdict` is an object that names its `action`")),
                    }
                }
            };
            for (key, value) in rest {
                if verdict.insert(key.clone(), value).is_some() {
                    return Err(invalid(format!("`{}` stands in `verdict` and beside it", shown(&key))));
                }
            }
            (name, verdict)
        }
        Some(_) => return Err(invalid("`verdict` is a text or an object")),
    };
    if !is_verdict(&name) {
        let verdicts = crate::prose::or_list(VERDICTS);
        return Err(invalid(format!("`{}` is no verdict; there is {verdicts}", shown(&name))));
    }
    Ok(match read(&name, rest)? {
        Action::Approve { digest } => Action::Preview { digest, verdict: Verdict::Approve },
        Action::Edit { digest, patch } => {
            Action::Preview { digest, verdict: Verdict::Edit { patch: Value::Object(patch) } }
        }
        Action::Reject { digest, reason, note } => {
            Action::Preview { digest, verdict: Verdict::Reject { reason, note } }
        }
        Action::Ask { digest, question } => Action::Preview { digest, verdict: Verdict::Ask { question } },
        _ => return Err(invalid("this is no verdict")),
    })
}

fn settlement(how: How, wrote: Option<Values>, note: String) -> Result<Settlement, Refusal> {
    match (how, wrote) {
        (How::Happened, Some(wrote)) if note.is_empty() => Ok(Settlement::Happened { wrote }),
        (How::Happened, None) => {
            Err(invalid("`wrote` is missing: what the effect would have written, by field"))
        }
        (How::RunAgain, None) if note.is_empty() => Ok(Settlement::RunAgain),
        (How::Stop, None) => Ok(Settlement::Stop { note }),
        (_, Some(_)) => Err(invalid("only what `happened` has `wrote` something")),
        (_, None) => Err(invalid("only a `stop` has a `note`")),
    }
}

/// What a start begins with: all of `input`, or all that stands beside the action.
fn input(mut rest: Map<String, Value>) -> Result<Value, Refusal> {
    if !matches!(rest.get("input"), Some(Value::Object(_))) {
        return Ok(Value::Object(rest));
    }
    let input = rest.remove("input").unwrap_or_default();
    match rest.keys().next() {
        Some(key) => Err(invalid(format!("`{}` stands beside `input`: put it inside", shown(key)))),
        None => Ok(input),
    }
}

/// Who says to have sent it.
fn claimed(rest: &mut Map<String, Value>) -> Result<Option<Operator>, Refusal> {
    let name = take_text(rest, "operator")?;
    let roles: Option<Vec<String>> = rest
        .remove("roles")
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| invalid("`roles` is a list of texts"))?;
    let Some(name) = name else {
        return match roles {
            Some(_) => Err(invalid("`roles` are an operator's: say whose, in `operator`")),
            None => Ok(None),
        };
    };
    Ok(Some(roles.unwrap_or_default().into_iter().fold(Operator::claimed(name), Operator::role)))
}

fn take_text(rest: &mut Map<String, Value>, key: &str) -> Result<Option<String>, Refusal> {
    match rest.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("`{key}` is a text"))),
    }
}

fn parse<T: DeserializeOwned>(rest: Map<String, Value>) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(Value::Object(rest)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match path.as_str() {
            "." => invalid(inner.to_string()),
            path => invalid(format!("`{}`: {inner}", shown(path))).detail("path", shown(path)),
        }
    })
}

fn unknown(action: &str) -> Refusal {
    let near = nearest(action, ACTIONS);
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is {}", crate::prose::or_list(ACTIONS)),
    };
    Refusal::malformed("unknown_action", format!("there is no action `{}`; {hint}", shown(action)))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::malformed("invalid_request", message)
}

/// What somebody sent, short enough to be sent back.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
