//! Refused requests, and their line in the log.

use std::sync::Arc;

use hitl_runtime::{ThreadId, plumbing::plain};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::api::{ApiError, action_name};

/// The codes of failed authentication.
#[cfg(feature = "agentcore")]
const UNAUTHENTICATED: [&str; 4] = ["operator_missing", "token_expired", "token_invalid", "token_missing"];

/// The parts of a request that a log line may have: names, and no values.
#[derive(Debug, Default)]
pub(crate) struct RequestInfo {
    action: Option<&'static str>,
    thread: Option<ThreadId>,
    operator: Option<String>,
}

impl RequestInfo {
    /// Reads the names from a payload that may be invalid. `session` is the thread of the session, and `operator` the
    /// name in the token.
    pub(crate) fn read(payload: &Value, session: Option<&ThreadId>, operator: Option<&str>) -> Self {
        let named = payload.get("thread_id").and_then(Value::as_str);
        let thread = match named {
            Some(name) => ThreadId::existing(name).ok(),
            None => session.cloned(),
        };
        Self { action: action_name(payload), thread, operator: operator.map(str::to_owned) }
    }

    /// Sets the thread and the operator of a request that has been parsed.
    pub(crate) fn parsed(self, thread: &ThreadId, operator: Option<&str>) -> Self {
        let thread = Some(thread.clone()).filter(|thread| !thread.is_reserved());
        Self { thread, operator: operator.map(str::to_owned), ..self }
    }
}

/// The error of a request, with what is known about the request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: ApiError,
    info: Option<Arc<RequestInfo>>,
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self { error, info: None }
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.error.serialize(serializer)
    }
}

impl Refusal {
    pub(crate) fn new(error: ApiError, info: &Arc<RequestInfo>) -> Self {
        Self { error, info: Some(Arc::clone(info)) }
    }

    /// Logs the refusal at `WARN`. The message of a client error may quote anything that was sent, so it goes to the
    /// caller only; the log has the names in the request, and the names and digests that would have been accepted.
    pub(crate) fn log(&self) {
        let (error, nothing) = (&self.error, RequestInfo::default());
        let info = self.info.as_deref().unwrap_or(&nothing);
        let thread = info.thread.as_ref().map(|thread| plain(thread.as_str()));
        let operator = info.operator.as_deref().map(plain);
        let (code, status, action) = (error.code, error.status, info.action);
        let (thread, operator) = (thread.as_deref(), operator.as_deref());
        if status >= 500 {
            tracing::warn!(code, status, action, thread, operator, "{error}");
            return;
        }
        let [node, role, roles, open, by, verdict, deadline_ms, field, scope, limit] =
            ["node", "role", "roles", "open", "by", "verdict", "deadline_ms", "field", "scope", "limit"]
                .map(|name| error.details.get(name).and_then(text));
        tracing::warn!(
            code,
            status,
            action,
            thread,
            operator,
            node,
            role,
            roles,
            open,
            by,
            verdict,
            deadline_ms,
            field,
            scope,
            limit,
            "request refused"
        );
    }

    /// Returns whether the service would replace the response although the container works, and a caller reads it. A token
    /// that is missing, invalid or expired is not meant: AgentCore's authorizer answers for it itself. If the container
    /// refuses one, the runtime is not set up for tokens, and no caller should take that for an answer of the agent. A
    /// refused sweep is not meant either: a schedule reads the status and not the body.
    #[cfg(feature = "agentcore")]
    pub(crate) fn is_for_the_caller(&self) -> bool {
        let action = self.info.as_ref().and_then(|info| info.action);
        (400..500).contains(&self.error.status)
            && !UNAUTHENTICATED.contains(&self.error.code)
            && action != Some("sweep")
    }
}

/// Returns a name, a digest or a number as a field of a log line, and a list of these in one string.
fn text(detail: &Value) -> Option<String> {
    match detail {
        Value::Null => None,
        Value::String(text) => Some(plain(text).into_owned()),
        Value::Array(list) => Some(list.iter().filter_map(text).collect::<Vec<_>>().join(", ")),
        other => Some(other.to_string()),
    }
}
