//! Parsing requests.

use hitl_core::text::nearest;
use hitl_runtime::{
    Digest, NotedVerdict, Operator, Place, Reason, Scope, ThreadId, ThreadStatus, Timestamp, Verdict,
    agent::Graph,
    journal::{Settlement, StopKind, Values},
    metrics::By,
    state::StateTable,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

#[cfg(feature = "http")]
use schemars::JsonSchema;

use super::{ApiError, Batch, InboxFilter};

/// A parsed request with all its parameters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The thread that the action applies to.
    pub thread: ThreadId,
    /// The action.
    pub action: Action,
    /// The operator that the request claims. The claim is not verified.
    pub claimed: Option<Operator>,
}

/// An action of a request. The names are those of [the table](crate::api).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Starts the thread.
    Start {
        /// The inputs.
        input: Value,
    },
    /// Returns the thread.
    Get,
    /// Decides a review: `approve`, `edit`, `reject` or `ask`.
    Decide {
        /// The digest of the draft that the operator saw.
        digest: Digest,
        /// The verdict. An edit's patch (RFC 7396) has the signed field as its only member.
        verdict: NotedVerdict,
    },
    /// Decides several reviews, all of them or none.
    DecideAll {
        /// The verdicts, each with the digest of the draft that the operator saw.
        verdicts: Vec<(Digest, NotedVerdict)>,
    },
    /// Returns the value that a verdict would sign, without signing it.
    Preview {
        /// The digest of the draft that the operator saw.
        digest: Digest,
        /// The verdict, as in [`Action::Decide`].
        verdict: NotedVerdict,
    },
    /// Records how an effect in doubt ended.
    Settle {
        /// The digest of the effect in doubt.
        digest: Digest,
        /// The resolution.
        how: Box<Settlement>,
    },
    /// Resumes the thread.
    Resume,
    /// Continues the thread after a verdict, and retries no failed node.
    Continue,
    /// Pauses or cancels the thread, the graph or the store, or lifts a pause.
    Stop {
        /// The part of the store.
        scope: Scope,
        /// The kind of the stop; `None` to lift it.
        kind: Option<StopKind>,
        /// The operator's reason.
        reason: String,
    },
    /// Returns the stops of graphs and of the store that are in force.
    Stops,
    /// Returns a page of the open reviews that the operator may decide.
    Inbox {
        /// The reviews that are wanted.
        filter: InboxFilter,
        /// The `next` of the page before; `None` for the first page.
        after: Option<String>,
        /// The maximum number of reviews.
        limit: usize,
    },
    /// Returns a page of the threads of the store.
    Threads {
        /// The status of the threads; `None` for all.
        status: Option<ThreadStatus>,
        /// The `next` of the page before; `None` for the first page.
        after: Option<String>,
        /// The maximum number of threads.
        limit: usize,
    },
    /// Returns the numbers of the reviews in the store.
    Metrics {
        /// A time of the first day, in UTC; `None` for all days.
        since: Option<Timestamp>,
        /// The property by which they are grouped; `None` for their sum alone.
        by: Option<By>,
    },
    /// Previews or gives one verdict on reviews of many threads.
    Batch(Batch),
    /// Sweeps the store once.
    Sweep,
    /// Returns a page of the journal.
    History {
        /// The place of the first entry.
        from: Place,
        /// The maximum number of entries.
        limit: usize,
    },
}

const ACTIONS: [&str; 21] = [
    "start", "get", "approve", "edit", "reject", "ask", "decide", "preview", "settle", "resume", "continue",
    "pause", "unpause", "cancel", "stops", "history", "inbox", "sweep", "threads", "metrics", "batch",
];

/// The actions that decide a review, and that can be previewed: the names of [`Verdict`].
pub(crate) const VERDICTS: [&str; 4] = ["approve", "edit", "reject", "ask"];

/// The actions that stop a thread, a graph or a store, or lift a stop.
const STOPS: [&str; 3] = ["pause", "unpause", "cancel"];

/// The actions that are about no thread.
const WITHOUT_THREAD: [&str; 6] = ["stops", "inbox", "sweep", "threads", "metrics", "batch"];

/// The maximum number of entries in a page of a history, or of reviews in a page of an inbox.
pub(crate) const MAX_PAGE: usize = 1000;

/// The number of entries or of threads in a page, if a request has no limit.
pub(crate) const DEFAULT_PAGE: usize = 100;

/// The number of reviews in a page, if a request has no limit.
pub(crate) const DEFAULT_REVIEWS: usize = 50;

impl Request {
    /// Creates a request without an operator.
    pub fn new(thread: ThreadId, action: Action) -> Self {
        Self { thread, action, claimed: None }
    }

    /// Sets the operator that the request claims.
    #[must_use]
    pub fn with_claimed(self, claimed: Option<Operator>) -> Self {
        Self { claimed, ..self }
    }

    /// Parses a request. Without an `action` it is a start. Without a `thread_id` it applies to `thread`, if there is
    /// one.
    ///
    /// A start has its inputs in `input` or as members of the request itself; [`Request::parse_for`], which knows the
    /// graph, also accepts `prompt` for a single input.
    ///
    /// ```
    /// use hitl::api::{Action, Request};
    /// use serde_json::json;
    ///
    /// let request = Request::parse(json!({ "action": "start", "thread_id": "t", "message": "It is broken." }), None)?;
    /// assert!(matches!(request.action, Action::Start { input } if input == json!({ "message": "It is broken." })));
    ///
    /// let error = Request::parse(json!({ "action": "aprove", "thread_id": "t" }), None).unwrap_err();
    /// assert_eq!(error.code, "unknown_action");
    /// assert_eq!(error.message, "there is no action `aprove`; did you mean `approve`?");
    /// # Ok::<(), hitl::api::ApiError>(())
    /// ```
    ///
    /// # Errors
    /// With status 400, and a code for the missing or invalid member: `invalid_request`, `unknown_action`,
    /// `invalid_thread_id`.
    pub fn parse(payload: Value, thread: Option<ThreadId>) -> Result<Self, ApiError> {
        let Value::Object(mut rest) = payload else {
            return Err(invalid("the request must be a JSON object with an `action` and a `thread_id`"));
        };
        let action = take_text(&mut rest, "action")?;
        let action = action.as_deref().unwrap_or("start");
        let thread = match take_text(&mut rest, "thread_id")? {
            None if is_about_all(action, &rest) => ThreadId::of_stops(),
            Some(_) if is_about_all(action, &rest) => {
                let or_scope = if STOPS.contains(&action) { " or `scope`" } else { "" };
                return Err(invalid(format!(
                    "`thread_id` is given, but `{action}` is about all threads here: remove `thread_id`{or_scope}"
                )));
            }
            // A name that new threads may not have is refused only when a thread is started.
            Some(name) => {
                ThreadId::existing(&name).map_err(|e| ApiError::from(hitl_runtime::Error::from(e)))?
            }
            None => thread.ok_or_else(|| invalid("`thread_id` is missing"))?,
        };
        let claimed = if action == "start" { None } else { claimed_operator(&mut rest)? };
        let action =
            parse_action(action, &thread, rest).map_err(|error| error.detail("thread", thread.as_str()))?;
        Ok(Self { thread, action, claimed })
    }

    /// Returns whether the request is about a graph or a store, and not about a thread.
    #[cfg(feature = "http")]
    pub(crate) fn is_about_all(&self) -> bool {
        matches!(
            self.action,
            Action::Stops
                | Action::Inbox { .. }
                | Action::Threads { .. }
                | Action::Metrics { .. }
                | Action::Batch(_)
                | Action::Sweep
                | Action::Stop { scope: Scope::Graph | Scope::Store, .. }
        )
    }

    /// Parses a request as [`Request::parse`] does. If the graph has a single input, it may also be called `prompt`, as
    /// callers of hosted agents do.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// # fn main() -> Result<(), hitl::api::ApiError> {
    /// use hitl::api::{Action, Request};
    /// use serde_json::json;
    ///
    /// let request = Request::parse_for::<RefundAgent>(json!({ "prompt": "A-9133 is broken" }), "t".try_into().ok())?;
    /// assert!(matches!(request.action, Action::Start { input } if input == json!({ "message": "A-9133 is broken" })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As `parse`.
    pub fn parse_for<G: Graph>(payload: Value, thread: Option<ThreadId>) -> Result<Self, ApiError> {
        Self::parse_for_state(G::TABLE.state, payload, thread)
    }

    /// Parses a request as [`Request::parse_for`] does, for a graph with this state.
    pub(crate) fn parse_for_state(
        state: &StateTable,
        payload: Value,
        thread: Option<ThreadId>,
    ) -> Result<Self, ApiError> {
        let mut request = Self::parse(payload, thread)?;
        if let Action::Start { input: Value::Object(input) } = &mut request.action
            && let Some(only) = only_input(state)
            && input.len() == 1
            && let Some(prompt) = input.remove("prompt")
        {
            input.insert(only.to_owned(), prompt);
        }
        Ok(request)
    }
}

/// Returns the name of the action that a payload requests, if there is such an action.
#[cfg(feature = "http")]
pub(crate) fn action_name(payload: &Value) -> Option<&'static str> {
    let name = match payload.as_object()?.get("action") {
        None => "start",
        Some(name) => name.as_str()?,
    };
    ACTIONS.into_iter().find(|known| *known == name)
}

fn only_input(state: &StateTable) -> Option<&'static str> {
    let mut inputs = state.spec.fields.iter().filter(|field| field.input).map(|field| field.name);
    inputs.next().filter(|_| inputs.next().is_none())
}

#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct NoMembers {}

/// Returns the schema of the reasons that an operator may give.
#[cfg(feature = "http")]
fn reasons(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": Reason::GIVEN })
}

#[derive(Deserialize)]
struct DigestMember {
    digest: Digest,
}

/// Signs the draft as it is.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Approve {
    /// A note in the operator's words, which the journal keeps.
    #[serde(default)]
    note: String,
}

/// Signs a changed draft instead.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// A JSON merge patch (RFC 7396) whose only member is the field under review.
    patch: Map<String, Value>,
    /// A note in the operator's words, which the journal keeps.
    #[serde(default)]
    note: String,
}

/// Rejects the draft.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Reject {
    /// The reason.
    #[cfg_attr(feature = "http", schemars(schema_with = "reasons"))]
    reason: Reason,
    /// A note in the operator's words, which the journal keeps.
    #[serde(default)]
    note: String,
}

/// Has the draft made again, with a question.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// The question.
    question: String,
    /// A note in the operator's words, which the journal keeps.
    #[serde(default)]
    note: String,
}

/// Records how an effect in doubt ended.
#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct Settle {
    /// The digest of the effect in doubt.
    digest: Digest,
    /// The outcome.
    how: How,
    /// With `happened`, the values that the effect would have written, by field.
    #[cfg_attr(feature = "http", schemars(with = "Option<Map<String, Value>>"))]
    wrote: Option<Values>,
    /// A note in the operator's words, which the journal keeps.
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "http", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
enum How {
    /// It happened.
    Happened,
    /// It did not happen, and is to run again.
    RunAgain,
    /// The thread stops.
    Stop,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecideMembers {
    verdicts: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopMembers {
    scope: Option<ScopeName>,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ScopeName {
    Thread,
    Graph,
    Store,
}

/// Returns whether an action is about a graph or a store, and not about a thread.
fn is_about_all(action: &str, rest: &Map<String, Value>) -> bool {
    let names_all = || rest.get("scope").is_some_and(|scope| scope != "thread");
    WITHOUT_THREAD.contains(&action) || STOPS.contains(&action) && names_all()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryMembers {
    #[serde(default)]
    from: Place,
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    DEFAULT_PAGE
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboxMembers {
    node: Option<String>,
    role: Option<String>,
    thread_prefix: Option<String>,
    after: Option<String>,
    #[serde(default = "default_inbox_limit")]
    limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThreadsMembers {
    status: Option<ThreadStatus>,
    after: Option<String>,
    #[serde(default = "default_limit")]
    limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsMembers {
    since_ms: Option<Timestamp>,
    by: Option<By>,
}

fn default_inbox_limit() -> usize {
    DEFAULT_REVIEWS
}

fn check_limit(limit: usize) -> Result<(), ApiError> {
    if limit == 0 || limit > MAX_PAGE {
        return Err(invalid(format!("`limit` must be between 1 and {MAX_PAGE}")));
    }
    Ok(())
}

/// Parses an action from its name and the other members.
fn parse_action(action: &str, thread: &ThreadId, rest: Map<String, Value>) -> Result<Action, ApiError> {
    Ok(match action {
        "start" => Action::Start { input: input(rest)? },
        "get" => {
            let NoMembers {} = parse_members(rest)?;
            Action::Get
        }
        name if VERDICTS.contains(&name) => {
            let (digest, verdict) = parse_verdict(name, rest)?;
            Action::Decide { digest, verdict }
        }
        "decide" => {
            let DecideMembers { verdicts } = parse_members(rest)?;
            let parsed = verdicts.into_iter().map(|mut verdict| {
                let name = take_text(&mut verdict, "action")?;
                let name = name.ok_or_else(|| invalid("each of the `verdicts` must have an `action`"))?;
                parse_verdict(&name, verdict)
            });
            Action::DecideAll { verdicts: parsed.collect::<Result<_, _>>()? }
        }
        "preview" => preview(rest)?,
        "settle" => {
            let Settle { digest, how, wrote, note } = parse_members(rest)?;
            Action::Settle { digest, how: Box::new(settlement(how, wrote, note)?) }
        }
        "resume" => {
            let NoMembers {} = parse_members(rest)?;
            Action::Resume
        }
        "continue" => {
            let NoMembers {} = parse_members(rest)?;
            Action::Continue
        }
        name if STOPS.contains(&name) => {
            let StopMembers { scope, reason } = parse_members(rest)?;
            let scope = match scope.unwrap_or(ScopeName::Thread) {
                ScopeName::Thread => Scope::Thread(thread.clone()),
                ScopeName::Graph => Scope::Graph,
                ScopeName::Store => Scope::Store,
            };
            let kind = match name {
                "pause" => Some(StopKind::Pause),
                "cancel" => Some(StopKind::Cancel),
                _ => None,
            };
            Action::Stop { scope, kind, reason }
        }
        "stops" => {
            let NoMembers {} = parse_members(rest)?;
            Action::Stops
        }
        "history" => {
            let HistoryMembers { from, limit } = parse_members(rest)?;
            check_limit(limit)?;
            Action::History { from, limit }
        }
        "inbox" => {
            let InboxMembers { node, role, thread_prefix, after, limit } = parse_members(rest)?;
            check_limit(limit)?;
            Action::Inbox { filter: InboxFilter { node, role, thread_prefix }, after, limit }
        }
        "threads" => {
            let ThreadsMembers { status, after, limit } = parse_members(rest)?;
            check_limit(limit)?;
            Action::Threads { status, after, limit }
        }
        "metrics" => {
            let MetricsMembers { since_ms: since, by } = parse_members(rest)?;
            Action::Metrics { since, by }
        }
        "batch" => Action::Batch(Batch::parse(rest, |rest| {
            let (name, rest) = named_verdict(rest)?;
            verdict_of(&name, rest)
        })?),
        "sweep" => {
            let NoMembers {} = parse_members(rest)?;
            Action::Sweep
        }
        other => return Err(unknown_action(other)),
    })
}

/// Parses a verdict on one review from its name and the other members.
fn parse_verdict(name: &str, mut rest: Map<String, Value>) -> Result<(Digest, NotedVerdict), ApiError> {
    is_verdict(name)?;
    let DigestMember { digest } = parse_members(rest.remove_entry("digest").into_iter().collect())?;
    Ok((digest, verdict_of(name, rest)?))
}

fn is_verdict(name: &str) -> Result<(), ApiError> {
    if VERDICTS.contains(&name) {
        return Ok(());
    }
    let verdicts = hitl_core::text::or_list(VERDICTS);
    Err(invalid(format!("`{}` is not a verdict; use {verdicts}", excerpt(name))))
}

/// Parses a verdict from its name and the other members, without the digest. All names but those in [`VERDICTS`] are
/// refused.
fn verdict_of(name: &str, rest: Map<String, Value>) -> Result<NotedVerdict, ApiError> {
    is_verdict(name)?;
    Ok(match name {
        "approve" => {
            let Approve { note } = parse_members(rest)?;
            Verdict::Approve.with_note(note)
        }
        "edit" => {
            let Edit { patch, note } = parse_members(rest)?;
            Verdict::Edit { patch: Value::Object(patch) }.with_note(note)
        }
        "reject" => {
            let Reject { reason, note } = parse_members(rest)?;
            Verdict::Reject { reason, note }.into()
        }
        _ => {
            let Ask { question, note } = parse_members(rest)?;
            Verdict::Ask { question }.with_note(note)
        }
    })
}

/// Parses a preview.
fn preview(rest: Map<String, Value>) -> Result<Action, ApiError> {
    let (name, rest) = named_verdict(rest)?;
    let (digest, verdict) = parse_verdict(&name, rest)?;
    Ok(Action::Preview { digest, verdict })
}

/// Returns the name of the `verdict` of a request, and its members. A `verdict` is a name, with the parameters beside
/// it; an object with an `action`; or an object with the parameters under the verdict's name.
fn named_verdict(mut rest: Map<String, Value>) -> Result<(String, Map<String, Value>), ApiError> {
    Ok(match rest.remove("verdict") {
        None => return Err(invalid("`verdict` is missing: name the verdict")),
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
                        _ => return Err(invalid("`verdict` must be an object with an `action`")),
                    }
                }
            };
            for (key, value) in rest {
                if verdict.insert(key.clone(), value).is_some() {
                    return Err(invalid(format!(
                        "`{}` is given both in `verdict` and beside it: remove one",
                        excerpt(&key)
                    )));
                }
            }
            (name, verdict)
        }
        Some(_) => return Err(invalid("`verdict` must be a string or an object")),
    })
}

fn settlement(how: How, wrote: Option<Values>, note: String) -> Result<Settlement, ApiError> {
    match (how, wrote) {
        (How::Happened, Some(wrote)) if note.is_empty() => Ok(Settlement::Happened { wrote }),
        (How::Happened, None) => {
            Err(invalid("`wrote` is missing: give the values that the effect would have written, by field"))
        }
        (How::RunAgain, None) if note.is_empty() => Ok(Settlement::RunAgain),
        (How::Stop, None) => Ok(Settlement::Stop { note }),
        (_, Some(_)) => Err(invalid("`wrote` is allowed only with `happened`")),
        (_, None) => Err(invalid("`note` is allowed only with `stop`")),
    }
}

/// Returns the inputs of a start: the whole of `input`, or all other members of the request.
fn input(mut rest: Map<String, Value>) -> Result<Value, ApiError> {
    if !matches!(rest.get("input"), Some(Value::Object(_))) {
        return Ok(Value::Object(rest));
    }
    let input = rest.remove("input").unwrap_or_default();
    match rest.keys().next() {
        Some(key) => Err(beside_input(key)),
        None => Ok(input),
    }
}

/// Returns the error of a start with a member beside its `input`. A thread belongs to the subject of a verified token,
/// so no name that a request claims is its owner.
pub(crate) fn beside_input(key: &str) -> ApiError {
    let fix = match key {
        "operator" | "roles" => {
            "a start takes no operator, because only a verified token gives a thread an owner; remove it"
        }
        _ => "move it into `input`",
    };
    invalid(format!("`{}` is given beside `input`: {fix}", excerpt(key)))
}

/// Returns the operator that the request claims.
fn claimed_operator(rest: &mut Map<String, Value>) -> Result<Option<Operator>, ApiError> {
    let name = take_text(rest, "operator")?;
    let roles: Option<Vec<String>> = rest
        .remove("roles")
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| invalid("`roles` must be a list of strings"))?;
    let Some(name) = name else {
        return match roles {
            Some(_) => Err(invalid("`roles` requires an `operator`")),
            None => Ok(None),
        };
    };
    Ok(Some(roles.unwrap_or_default().into_iter().fold(Operator::claimed(name), Operator::role)))
}

fn take_text(rest: &mut Map<String, Value>, key: &str) -> Result<Option<String>, ApiError> {
    match rest.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("`{key}` must be a string"))),
    }
}

pub(super) fn parse_members<T: DeserializeOwned>(rest: Map<String, Value>) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(Value::Object(rest)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match path.as_str() {
            "." => invalid(inner.to_string()),
            path => invalid(format!("`{}`: {inner}", excerpt(path))).detail("path", excerpt(path)),
        }
    })
}

fn unknown_action(action: &str) -> ApiError {
    let near = nearest(action, ACTIONS);
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the actions are {}", hitl_core::text::or_list(ACTIONS)),
    };
    ApiError::malformed("unknown_action", format!("there is no action `{}`; {hint}", excerpt(action)))
}

pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::malformed("invalid_request", message)
}

/// Shortens text from a request so that an error can quote it.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
