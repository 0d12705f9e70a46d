//! Requests of the HTTP API as the payloads of actions: [`Request::parse`](crate::api::Request::parse) checks them.

use axum::extract::{FromRequestParts, Path, rejection::PathRejection};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{ApiError, VERDICTS, beside_input, excerpt, invalid};

/// An action with its members that the path of a request gives.
#[derive(Clone, Debug)]
pub(super) struct Route {
    action: &'static str,
    /// The members in the path.
    path: Map<String, Value>,
    body: Body,
}

/// The form of a body, where it differs from the members of the action.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// The members of the action.
    Members,
    /// The name of a thread, and its `input`.
    Start,
    /// The members of the action, with the name of a verdict as `verdict`.
    Named,
    /// A verdict: its name as `verdict`, and its members.
    Verdict,
    /// A list of verdicts on reviews of one thread.
    Verdicts,
}

impl Route {
    pub(super) fn new(action: &'static str) -> Self {
        Self { action, path: Map::new(), body: Body::Members }
    }

    pub(super) fn thread(self, thread: String) -> Self {
        self.with("thread_id", thread)
    }

    pub(super) fn digest(self, digest: String) -> Self {
        self.with("digest", digest)
    }

    pub(super) fn scope(self, scope: &str) -> Self {
        self.with("scope", scope.to_owned())
    }

    /// The start of a thread.
    pub(super) fn start() -> Self {
        Self { body: Body::Start, ..Self::new("start") }
    }

    /// An action with a verdict that it does not give.
    pub(super) fn with_verdict(action: &'static str) -> Self {
        Self { body: Body::Named, ..Self::new(action) }
    }

    /// One verdict, whose action the body names.
    pub(super) fn verdict(thread: String, digest: String) -> Self {
        Self { body: Body::Verdict, ..Self::new("decide").thread(thread).digest(digest) }
    }

    /// Several verdicts on one thread.
    pub(super) fn verdicts(thread: String) -> Self {
        Self { body: Body::Verdicts, ..Self::new("decide").thread(thread) }
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.path.insert(name.to_owned(), Value::String(value));
        self
    }

    /// Returns the payload of the action, with the members of a body or a query.
    ///
    /// # Errors
    /// 400 if a member is in the path already, or a verdict has no name.
    pub(super) fn payload(self, members: Value) -> Result<Value, ApiError> {
        let Value::Object(mut members) = members else {
            return Err(invalid("the body of the request must be a JSON object"));
        };
        let mut action = Value::from(self.action);
        if members.contains_key("action") {
            return Err(invalid("`action` is given by the path: remove it from the request"));
        }
        for (name, value) in self.path {
            if members.insert(name.clone(), value).is_some() {
                return Err(invalid(format!("`{name}` is given by the path: remove it from the request")));
            }
        }
        match self.body {
            Body::Members => {}
            Body::Start => check_start(&members)?,
            Body::Named => {
                verdict_name(members.get("verdict"))?;
            }
            Body::Verdict => action = take_verdict(&mut members)?,
            Body::Verdicts => {
                let Some(Value::Array(verdicts)) = members.get_mut("verdicts") else {
                    return Err(invalid(
                        "`verdicts` must be a list of verdicts, each with the `digest` of its review",
                    ));
                };
                for verdict in verdicts {
                    let Value::Object(members) = verdict else {
                        return Err(invalid("each of the `verdicts` must be an object"));
                    };
                    if members.contains_key("action") {
                        return Err(invalid("each of the `verdicts` is named by `verdict`, not by `action`"));
                    }
                    let name = take_verdict(members)?;
                    members.insert("action".to_owned(), name);
                }
            }
        }
        members.insert("action".to_owned(), action);
        Ok(Value::Object(members))
    }
}

/// Checks that the inputs of a start are in its `input`. Beside it they could be taken for an operator.
fn check_start(members: &Map<String, Value>) -> Result<(), ApiError> {
    let is_other = |name: &&str| !matches!(*name, "thread_id" | "input");
    let operator = ["operator", "roles"].into_iter().find(|name| members.contains_key(*name));
    if let Some(name) = operator.or_else(|| members.keys().map(String::as_str).find(is_other)) {
        return Err(beside_input(name).detail("path", excerpt(name)));
    }
    match members.get("input") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(invalid("`input` must be an object with the inputs by name").detail("path", "input")),
        None => {
            Err(invalid("`input` is missing: give an object with the inputs by name").detail("path", "input"))
        }
    }
}

/// Removes the name of a verdict.
fn take_verdict(members: &mut Map<String, Value>) -> Result<Value, ApiError> {
    Ok(verdict_name(members.remove("verdict").as_ref())?.into())
}

/// Returns the name of a verdict. The name of any other action is refused.
fn verdict_name(verdict: Option<&Value>) -> Result<&'static str, ApiError> {
    match verdict {
        Some(Value::String(name)) => VERDICTS.into_iter().find(|verdict| verdict == name).ok_or_else(|| {
            let verdicts = hitl_core::text::or_list(VERDICTS);
            invalid(format!("`{}` is not a verdict; use {verdicts}", excerpt(name))).detail("path", "verdict")
        }),
        Some(_) => Err(invalid("`verdict` must be a string").detail("path", "verdict")),
        None => Err(invalid("`verdict` is missing: name the verdict").detail("path", "verdict")),
    }
}

/// Returns the members in a query. `limit`, `from` and `since_ms` are numbers, and `roles` is a list.
///
/// # Errors
/// 400 if a name other than `roles` is given twice, or the query is not UTF-8.
pub(super) fn members_of_query(query: &str) -> Result<Value, ApiError> {
    if !is_utf8_once_decoded(query) {
        let problem = "the query is not valid UTF-8 once it is percent-decoded";
        return Err(ApiError::new(400, "invalid_encoding", problem));
    }
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "limit" | "from" | "since_ms" => {
                value.parse::<u64>().map_or_else(|_| value.into_owned().into(), Value::from)
            }
            "roles" => {
                let roles = members.entry("roles").or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(roles) = roles {
                    roles.push(value.into_owned().into());
                }
                continue;
            }
            _ => Value::String(value.into_owned()),
        };
        if members.insert(name.clone().into_owned(), value).is_some() {
            return Err(invalid(format!("`{}` is given twice in the query", excerpt(&name))));
        }
    }
    Ok(Value::Object(members))
}

/// Returns whether a query is UTF-8 once it is percent-decoded. The parser would replace what is not.
fn is_utf8_once_decoded(query: &str) -> bool {
    let (mut decoded, mut rest) = (Vec::with_capacity(query.len()), query.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let digits =
            tail.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// The parameters in a path.
pub(super) struct PathMembers<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathMembers<T> {
    type Rejection = axum::response::Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        found.map(|Path(found)| Self(found)).map_err(|_| {
            let problem = "the path is not valid UTF-8 once it is percent-decoded";
            crate::server::response::error(&ApiError::new(400, "invalid_encoding", problem))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(payload: Result<Value, ApiError>) -> String {
        payload.unwrap_err().message
    }

    #[test]
    fn the_path_and_the_body_make_one_payload() {
        let verdict = Route::verdict("t".into(), "ab".into());
        assert_eq!(
            verdict.clone().payload(json!({ "verdict": "approve", "note": "n" })).unwrap(),
            json!({ "action": "approve", "thread_id": "t", "digest": "ab", "note": "n" })
        );
        let all = json!({ "verdicts": [{ "verdict": "ask", "digest": "ab", "question": "?" }] });
        assert_eq!(
            Route::verdicts("t".into()).payload(all).unwrap(),
            json!({ "action": "decide", "thread_id": "t", "verdicts": [
                { "action": "ask", "digest": "ab", "question": "?" },
            ] })
        );
        for (body, problem) in [
            (json!([]), "must be a JSON object"),
            (json!({ "verdict": "start" }), "`start` is not a verdict"),
            (json!({ "verdict": "sweep", "action": "sweep" }), "`action` is given by the path"),
            (json!({ "verdict": "approve", "thread_id": "u" }), "`thread_id` is given by the path"),
            (json!({ "verdict": "approve", "digest": "cd" }), "`digest` is given by the path"),
            (json!({ "verdict": 1 }), "must be a string"),
            (json!({}), "`verdict` is missing"),
        ] {
            assert!(error(verdict.clone().payload(body.clone())).contains(problem), "{body}");
        }
        for body in [json!({}), json!({ "verdicts": [1] }), json!({ "verdicts": [{ "action": "sweep" }] })] {
            assert!(Route::verdicts("t".into()).payload(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_query_has_numbers_and_roles() {
        assert_eq!(
            members_of_query("limit=7&roles=clerk&roles=a%20b&node=pay").unwrap(),
            json!({ "limit": 7, "roles": ["clerk", "a b"], "node": "pay" })
        );
        assert_eq!(members_of_query("limit=all").unwrap(), json!({ "limit": "all" }));
        assert!(error(members_of_query("node=pay&node=draft")).contains("`node` is given twice"));
        assert_eq!(members_of_query("node=%C3%9C%zz%").unwrap(), json!({ "node": "\u{dc}%zz%" }));
        for query in ["operator=m%ff", "%c3=1", "node=%c3&role=%9c", "operator=%ED%A0%80"] {
            assert!(error(members_of_query(query)).contains("not valid UTF-8"), "{query}");
        }
    }
}
