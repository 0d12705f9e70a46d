//! Tests of parsing requests.

use hitl_runtime::{NotedVerdict, Place, Reason, Scope, Verdict, journal::StopKind};
use serde_json::{Value, json};

use super::{Action, Request};

fn error_of(payload: Value) -> (&'static str, String) {
    let error = Request::parse(payload, None).unwrap_err();
    assert_eq!(error.status, 400);
    (error.code, error.message)
}

fn decides(action: &Action, expected: impl Into<NotedVerdict>) -> bool {
    let expected = expected.into();
    matches!(action, Action::Decide { verdict, .. } if *verdict == expected)
}

fn previews(action: &Action, expected: impl Into<NotedVerdict>) -> bool {
    let expected = expected.into();
    matches!(action, Action::Preview { verdict, .. } if *verdict == expected)
}

#[test]
fn every_action_is_parsed() {
    let digest = "ab".repeat(32);
    for (mut payload, is_it) in [
        (json!({ "action": "get" }), (|a| matches!(a, Action::Get)) as fn(&Action) -> bool),
        (json!({ "action": "resume" }), |a| matches!(a, Action::Resume)),
        (json!({ "action": "approve", "digest": digest }), |a| decides(a, Verdict::Approve)),
        (json!({ "action": "approve", "digest": digest, "note": "called" }), |a| {
            decides(a, Verdict::Approve.with_note("called"))
        }),
        (
            json!({ "action": "edit", "digest": digest, "patch": { "draft": { "amount": 99 } }, "note": "half" }),
            |a| {
                let patch = json!({ "draft": { "amount": 99 } });
                decides(a, Verdict::Edit { patch }.with_note("half"))
            },
        ),
        (json!({ "action": "reject", "digest": digest, "reason": "wrong_tool" }), |a| {
            decides(a, Verdict::Reject { reason: Reason::WrongTool, note: String::new() })
        }),
        (json!({ "action": "reject", "digest": digest, "reason": "other", "note": "no" }), |a| {
            decides(a, Verdict::Reject { reason: Reason::Other, note: "no".into() })
        }),
        (json!({ "action": "ask", "digest": digest, "question": "Why?", "note": "for the bank" }), |a| {
            decides(a, Verdict::Ask { question: "Why?".into() }.with_note("for the bank"))
        }),
        (
            json!({ "action": "settle", "digest": digest, "how": "run_again" }),
            |a| matches!(a, Action::Settle { how, .. } if how.name() == "run_again"),
        ),
        (
            json!({ "action": "settle", "digest": digest, "how": "stop", "note": "called" }),
            |a| matches!(a, Action::Settle { how, .. } if how.name() == "stop"),
        ),
        (
            json!({ "action": "settle", "digest": digest, "how": "happened", "wrote": { "outcome": "paid" } }),
            |a| matches!(a, Action::Settle { how, .. } if how.name() == "happened"),
        ),
        (json!({ "action": "preview", "digest": digest, "verdict": "approve" }), |a| {
            previews(a, Verdict::Approve)
        }),
        (
            json!({ "action": "preview", "digest": digest, "verdict": "edit", "patch": { "draft": {} } }),
            |a| previews(a, Verdict::Edit { patch: json!({ "draft": {} }) }),
        ),
        (
            json!({ "action": "preview", "digest": digest, "verdict": { "action": "ask", "question": "Why?" } }),
            |a| previews(a, Verdict::Ask { question: "Why?".into() }),
        ),
        (
            json!({ "action": "preview", "digest": digest, "verdict": { "reject": { "reason": "other" } } }),
            |a| previews(a, Verdict::Reject { reason: Reason::Other, note: String::new() }),
        ),
        (
            json!({ "action": "pause", "reason": "wait" }),
            |a| matches!(a, Action::Stop { scope: Scope::Thread(_), kind: Some(StopKind::Pause), reason } if reason == "wait"),
        ),
        (json!({ "action": "cancel", "scope": "thread" }), |a| {
            matches!(a, Action::Stop { scope: Scope::Thread(_), kind: Some(StopKind::Cancel), .. })
        }),
        (
            json!({ "action": "decide", "verdicts": [
                { "action": "approve", "digest": digest },
                { "action": "reject", "digest": digest, "reason": "other" },
            ] }),
            |a| matches!(a, Action::DecideAll { verdicts } if verdicts.len() == 2),
        ),
        (json!({ "action": "unpause" }), |a| {
            matches!(a, Action::Stop { scope: Scope::Thread(_), kind: None, .. })
        }),
        (json!({ "action": "history" }), |a| matches!(a, Action::History { from: Place::START, limit: 100 })),
        (
            json!({ "action": "start", "input": { "message": "m" } }),
            |a| matches!(a, Action::Start { input } if *input == json!({ "message": "m" })),
        ),
        (
            json!({ "message": "m", "customer": 7 }),
            |a| matches!(a, Action::Start { input } if *input == json!({ "message": "m", "customer": 7 })),
        ),
        // An input whose name is `input`.
        (
            json!({ "input": "text" }),
            |a| matches!(a, Action::Start { input } if *input == json!({ "input": "text" })),
        ),
    ] {
        payload["thread_id"] = "t".into();
        let request = Request::parse(payload.clone(), None).unwrap_or_else(|e| panic!("{payload}: {e}"));
        assert!(is_it(&request.action), "{payload}: {:?}", request.action);
    }
}

#[test]
fn an_invalid_member_is_named_in_the_error() {
    let digest = "ab".repeat(32);
    for (payload, code, words) in [
        (json!([]), "invalid_request", "a JSON object"),
        (json!(null), "invalid_request", "a JSON object"),
        (json!({ "action": "get" }), "invalid_request", "`thread_id` is missing"),
        (json!({ "action": 3, "thread_id": "t" }), "invalid_request", "`action` must be a string"),
        (json!({ "action": "get", "thread_id": 3 }), "invalid_request", "`thread_id` must be a string"),
        (json!({ "action": "get", "thread_id": "two\nlines" }), "invalid_thread_id", ""),
        (json!({ "action": "wipe", "thread_id": "t" }), "unknown_action", "the actions are `start`, `get`"),
        (json!({ "action": "Approve", "thread_id": "t" }), "unknown_action", "did you mean `approve`?"),
        (json!({ "action": "approve", "thread_id": "t" }), "invalid_request", "missing field `digest`"),
        (json!({ "action": "approve", "thread_id": "t", "digest": "3b1f" }), "invalid_request", "`digest`: "),
        (
            json!({ "action": "approve", "thread_id": "t", "digest": digest, "ammount": 3 }),
            "invalid_request",
            "`ammount`",
        ),
        (
            json!({ "action": "edit", "thread_id": "t", "digest": digest, "patch": [] }),
            "invalid_request",
            "`patch`: ",
        ),
        (
            json!({ "action": "reject", "thread_id": "t", "digest": digest, "reason": "because" }),
            "invalid_request",
            "`reason`: ",
        ),
        (
            json!({ "action": "settle", "thread_id": "t", "digest": digest, "how": "happened" }),
            "invalid_request",
            "`wrote` is missing",
        ),
        (
            json!({ "action": "settle", "thread_id": "t", "digest": digest, "how": "stop", "wrote": {} }),
            "invalid_request",
            "only with `happened`",
        ),
        (
            json!({ "action": "history", "thread_id": "t", "limit": 0 }),
            "invalid_request",
            "`limit` must be between",
        ),
        (json!({ "action": "preview", "thread_id": "t", "digest": digest }), "invalid_request", "`verdict`"),
        (
            json!({ "action": "preview", "thread_id": "t", "digest": digest, "verdict": "resume" }),
            "invalid_request",
            "not a verdict",
        ),
        (
            json!({ "action": "preview", "thread_id": "t", "digest": digest, "verdict": { "action": "approve", "digest": digest } }),
            "invalid_request",
            "beside it",
        ),
        (
            json!({ "action": "preview", "thread_id": "t", "digest": digest, "verdict": "approve", "patch": {} }),
            "invalid_request",
            "`patch`",
        ),
        (
            json!({ "action": "get", "thread_id": "t", "roles": ["a"] }),
            "invalid_request",
            "requires an `operator`",
        ),
        (
            json!({ "action": "start", "thread_id": "t", "input": {}, "message": "m" }),
            "invalid_request",
            "move it into `input`",
        ),
    ] {
        let (found, message) = error_of(payload.clone());
        assert_eq!(found, code, "{payload}: {message}");
        assert!(message.contains(words), "{payload}: {message}");
    }
}

#[test]
fn long_input_is_truncated_in_errors() {
    let (_, message) = error_of(json!({ "action": "x\u{1b}[2J".repeat(10_000), "thread_id": "t" }));
    assert!(message.len() < 400 && !message.contains('\u{1b}'), "{message}");
}

#[test]
fn a_claimed_operator_is_unverified() {
    let payload = json!({ "action": "get", "thread_id": "t", "operator": "mara", "roles": ["clerk"] });
    let claimed = Request::parse(payload, None).unwrap().claimed.unwrap();
    assert!(claimed.is_unverified() && claimed.has_role("clerk") && claimed.name() == "mara");
}

#[cfg(feature = "http")]
#[test]
fn the_error_of_a_store_goes_to_the_log_only() {
    use super::ApiError;

    let message =
        ApiError::new(503, "store", "User: arn:aws:sts::111122223333:assumed-role/refunds is not authorized")
            .detail("thread", "t");
    let redacted = message.redacted();
    assert_eq!(
        (redacted.status, redacted.code, &redacted.details["thread"]),
        (503, "store", &Value::from("t"))
    );
    assert!(!redacted.message.contains("arn:"), "{redacted}");
    let late = ApiError::new(409, "stale", "already decided");
    assert_eq!(late.clone().redacted(), late);
}

#[test]
fn a_stop_of_all_threads_names_none() {
    for (payload, scope) in [
        (json!({ "action": "pause", "scope": "graph" }), Scope::Graph),
        (json!({ "action": "cancel", "scope": "store", "reason": "keys" }), Scope::Store),
    ] {
        let request = Request::parse(payload.clone(), None).unwrap();
        assert!(matches!(request.action, Action::Stop { scope: ref of, .. } if *of == scope), "{payload}");
        let mut named = payload;
        named["thread_id"] = json!("t");
        let (code, message) = error_of(named);
        assert_eq!(code, "invalid_request");
        assert!(message.starts_with("`thread_id` is given, but"), "{message}");
    }
    let parsed = |payload| Request::parse(payload, None).unwrap().action;
    assert!(matches!(parsed(json!({ "action": "stops" })), Action::Stops));
    assert!(matches!(parsed(json!({ "action": "sweep" })), Action::Sweep));
    assert!(matches!(parsed(json!({ "action": "inbox" })), Action::Inbox { after: None, limit: 50, .. }));
    let page = json!({ "action": "inbox", "after": "token", "limit": 7 });
    assert!(matches!(parsed(page), Action::Inbox { after: Some(after), limit: 7, .. } if after == "token"));
    for action in ["stops", "inbox", "sweep"] {
        let (_, message) = error_of(json!({ "action": action, "thread_id": "t" }));
        assert!(message.ends_with("is about all threads here: remove `thread_id`"), "{message}");
    }
    for wrong in [json!("everything"), json!(1), json!(["graph"])] {
        let (code, message) = error_of(json!({ "action": "pause", "thread_id": "t", "scope": wrong }));
        assert_eq!(code, "invalid_request", "{message}");
    }
    assert_eq!(error_of(json!({ "action": "pause" })).1, "`thread_id` is missing");
}

#[test]
fn each_of_several_verdicts_is_complete() {
    let digest = "ab".repeat(32);
    for (verdict, problem) in [
        (json!({ "digest": digest }), "each of the `verdicts` must have an `action`"),
        (json!({ "action": "settle", "digest": digest }), "`settle` is not a verdict"),
        (json!({ "action": "approve" }), "missing field `digest`"),
        (json!("approve"), "`verdicts[1]`"),
    ] {
        let approve = json!({ "action": "approve", "digest": digest });
        let all = json!({ "action": "decide", "thread_id": "t", "verdicts": [approve, verdict] });
        let (code, message) = error_of(all);
        assert_eq!(code, "invalid_request");
        assert!(message.contains(problem), "{message}");
    }
}
