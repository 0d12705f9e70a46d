//! Output for programs: exit codes, one JSON document, and no prompts.

use serde_json::{Value, json};

use super::{
    fixture::desk,
    harness::{call, type_in},
};
use crate::Exit;

#[tokio::test]
async fn a_run_without_a_terminal_prints_the_verdict_commands() {
    let (agent, _) = desk();
    let start = call(&agent, &["start", "--thread", "t"], "it broke\n").await;
    assert_eq!(start.exit, Exit::Waiting);
    let command =
        start.out.lines().find_map(|line| line.strip_prefix("  approve  refund ")).unwrap_or_default();
    let words: Vec<&str> = command.split(' ').collect();
    let approve = call(&agent, &words, "").await;
    assert_eq!((approve.exit, approve.err.as_str()), (Exit::Done, ""));
    // No command means `start`.
    let bare = call(&agent, &[], "it broke").await;
    assert_eq!(bare.exit, Exit::Waiting);
    for words in [&["start"][..], &[], &["start", " "]] {
        let empty = call(&agent, words, "").await;
        assert_eq!(empty.exit, Exit::Usage);
        assert_eq!(
            empty.err,
            "error: the message is missing: give it as an argument or on standard input\n  try  refund start '…'\n"
        );
    }
}

#[tokio::test]
async fn a_verdict_without_a_terminal_needs_a_digest() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let blind = call(&agent, &["approve", "t"], "").await;
    assert_eq!(blind.exit, Exit::Usage);
    assert!(blind.err.contains("try  refund approve t --operator mara --digest "), "{}", blind.err);
    let edit = call(&agent, &["edit", "t", "--set", "amount=99"], "").await;
    assert!(edit.err.contains(" --set amount=99\n") && edit.err.contains("--digest "), "{}", edit.err);
    let editor = call(&agent, &["edit", "t", "--yes"], "").await;
    assert_eq!(editor.exit, Exit::Usage);
    // `--json` does not prompt on a terminal either.
    assert_eq!(type_in(&agent, &["approve", "t", "--json"], "y\n").await.json()["error"]["code"], "usage");
    assert_eq!(type_in(&agent, &["--json"], "it broke\n").await.json()["error"]["code"], "usage");
    assert_eq!(call(&agent, &["show", "t", "--json"], "").await.json()["standing"], "waiting");
}

/// The commands that are suggested name the review and the operator that were given.
#[tokio::test]
async fn a_suggested_command_can_be_run_as_it_is() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let digest = call(&agent, &["show", "t", "--json"], "").await.json()["reviews"][0]["digest"].clone();
    let digest = &digest.as_str().unwrap_or_default()[..8];
    let no_reason = call(&agent, &["reject", "t", "--digest", digest, "--role", "refund-approver"], "").await;
    let command = format!(
        "try  refund reject t --operator mara --role refund-approver --digest {digest} --reason other --note '…'\n"
    );
    assert!(no_reason.err.ends_with(&command), "{}", no_reason.err);
    let no_question = call(&agent, &["ask", "t", "--digest", digest], "").await;
    let command = format!("try  refund ask t --operator mara --digest {digest} '…'\n");
    assert!(no_question.err.ends_with(&command), "{}", no_question.err);
    let unchanged = call(&agent, &["edit", "t", "--digest", digest, "--set", "amount=149"], "").await;
    assert!(unchanged.err.contains("try  refund approve t --operator mara --digest "), "{}", unchanged.err);
}

#[tokio::test]
async fn errors_have_a_code_and_an_exit_code_and_change_nothing() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let before = call(&agent, &["show", "t", "--json"], "").await.json();
    let cases: &[(&[&str], &str, u64)] = &[
        (&["show", "u"], "unknown_thread", 5),
        (&["show", "two\nlines"], "invalid_thread_id", 2),
        (&["start", "--thread", "t", "another"], "thread_exists", 4),
        (&["start", "--input", "{"], "usage", 2),
        (&["start", "--input", "{\"mesage\": 1}"], "invalid_input", 4),
        (&["start", "--set", "mesage=x"], "usage", 2),
        (&["start", "x", "--set", "message=x"], "usage", 2),
        (&["approve", "t", "--digest", "1234567"], "usage", 2),
        (&["approve", "t", "--digest", "12345678"], "stale", 4),
        (&["approve", "t", "--yes", "--role", "janitor"], "role_missing", 4),
        (&["approve", "t", "--yes", "--operator", ""], "usage", 2),
        (&["edit", "t", "--yes", "--set", "amuont=9"], "unknown_key", 4),
        (&["edit", "t", "--yes", "--set", "amount=20000"], "invalid", 4),
        (&["edit", "t", "--yes", "--set", "amount=many"], "invalid", 4),
        (&["edit", "t", "--yes", "--set", "amount=149"], "unchanged", 4),
        (&["edit", "t", "--yes", "--patch", "[1]"], "invalid", 4),
        (&["edit", "t", "--yes", "--patch", "{"], "usage", 2),
        (&["reject", "t", "--yes"], "usage", 2),
        (&["reject", "t", "--yes", "--reason", "expired"], "usage", 2),
        (&["ask", "t", "--yes"], "usage", 2),
        (&["settle", "t", "run-again"], "not_in_doubt", 4),
        (&["fork", "t", "--at", "9"], "no_such_place", 5),
        (&["inbox", "--after", "x"], "store", 2),
        (&["frobnicate"], "usage", 2),
        (&["draw", "t", "-o", "/nowhere/x.svg"], "io", 1),
    ];
    for (words, code, exit) in cases {
        let mut words = words.to_vec();
        words.push("--json");
        let refused = call(&agent, &words, "").await;
        let error = &refused.json()["error"];
        assert_eq!((&error["code"], &error["exit"]), (&json!(code), &json!(exit)), "{words:?}: {error}");
        assert_eq!(u64::from(refused.exit.code()), *exit, "{words:?}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(call(&agent, &["show", "t", "--json"], "").await.json(), before);
}

#[tokio::test]
async fn json_errors_contain_their_details() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let error = |ended: super::harness::Output| ended.json()["error"].clone();
    let invalid = error(call(&agent, &["edit", "t", "--yes", "--set", "amount=0", "--json"], "").await);
    assert_eq!(invalid["violations"], json!([{ "path": "amount", "message": "lower than 0.01" }]));
    let unknown = error(call(&agent, &["edit", "t", "--yes", "--set", "amuont=9", "--json"], "").await);
    assert_eq!((&unknown["path"], &unknown["near"]), (&json!("amuont"), &json!("amount")));

    let shown = call(&agent, &["show", "t", "--json"], "").await.json();
    let digest = shown["reviews"][0]["digest"].as_str().unwrap_or_default().to_owned();
    call(&agent, &["ask", "t", "--digest", &digest[..8].to_uppercase(), "a photo?"], "").await;
    let decided = error(call(&agent, &["approve", "t", "--digest", &digest[..8], "--json"], "").await);
    assert_eq!(
        (&decided["code"], &decided["by"], &decided["verdict"], &decided["next"]),
        (&json!("already_decided"), &json!("mara"), &json!("ask"), &json!(["refund show t"]))
    );
    call(&agent, &["approve", "t", "--yes"], "").await;
    let closed = call(&agent, &["approve", "t", "--yes"], "").await;
    assert_eq!(
        closed.err,
        "error: thread `t` has no open review: it has ended; the last verdict was `approve` by mara, just now\n  try  refund show t\n"
    );
}

#[tokio::test]
async fn a_note_is_kept_and_shown() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    // It is a part of the command that is suggested.
    let unseen = call(&agent, &["approve", "t", "--note", "she called"], "").await;
    assert!(unseen.err.contains(" --note 'she called'\n"), "{}", unseen.err);
    call(&agent, &["approve", "t", "--yes", "--note", "she\u{202e} called\ntwice"], "").await;
    let history = call(&agent, &["history", "t"], "").await.out;
    assert!(history.contains("approved execute; note: she\\u{202e} called\\ntwice"), "{history}");
}

#[tokio::test]
async fn a_thread_as_json_lists_the_next_commands() {
    let (agent, clock) = desk();
    let start = call(&agent, &["start", "--thread", "t", "it broke", "--json"], "").await;
    let view = start.json();
    assert_eq!(start.exit, Exit::Waiting);
    let review = &view["reviews"][0];
    assert_eq!(review["draft"], json!({ "order_id": "A-9133", "amount": 149.0, "reason": "it broke" }));
    let digest = &review["digest"].as_str().unwrap_or_default()[..16];
    assert_eq!(
        view["next"],
        json!([
            format!("refund approve t --operator mara --digest {digest}"),
            format!("refund edit t --operator mara --digest {digest} --set amount=149"),
            format!("refund reject t --operator mara --digest {digest} --reason other --note '…'"),
            format!("refund ask t --operator mara --digest {digest} '…'"),
        ])
    );
    clock.advance(std::time::Duration::from_secs(90_000));
    let overdue = call(&agent, &["show", "t"], "").await.out;
    assert!(
        overdue.contains("expired 1h ago") && overdue.ends_with("  continue  refund resume t\n"),
        "{overdue}"
    );
    let late = call(&agent, &["approve", "t", "--yes", "--json"], "").await.json();
    assert_eq!(late["error"]["code"], "expired");
    let view = call(&agent, &["show", "t", "--json"], "").await.json();
    assert_eq!(view["output"], json!({ "outcome": "cancelled, expired: " }));
}

#[tokio::test]
async fn an_effect_in_doubt_is_settled() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let doubt = call(&agent, &["edit", "t", "--yes", "--set", "amount=13"], "").await;
    assert_eq!(doubt.exit, Exit::Failed);
    let pasted = doubt.out.lines().find_map(|line| line.strip_prefix("  run it again  refund ")).unwrap();
    let happened = pasted.replace("run-again", "happened --set 'outcome=…'");
    assert!(doubt.out.contains(&format!("  it happened   refund {happened}\n")), "{}", doubt.out);
    let incomplete = call(&agent, &["settle", "t", "happened"], "").await;
    assert_eq!(incomplete.exit, Exit::Refused);
    assert!(
        incomplete
            .err
            .starts_with("error: the given result of `execute` in thread `t` is invalid\n  outcome  "),
        "{}",
        incomplete.err
    );
    let words: Vec<&str> = pasted.split(' ').collect();
    assert_eq!(call(&agent, &words, "").await.exit, Exit::Failed);
    // It ran again and its result is unknown again; the pasted digest is that of the earlier doubt.
    let stale = call(&agent, &words, "").await;
    assert!(stale.exit == Exit::Refused && stale.err.contains("doubt"), "{stale:?}");
    assert_eq!(
        call(&agent, &["settle", "t", "--digest", "1234567", "run-again"], "").await.exit,
        Exit::Usage
    );
    // A text field accepts a number as typed.
    let settled = call(&agent, &["settle", "t", "happened", "--set", "outcome=13", "--json"], "").await;
    assert_eq!((settled.exit, &settled.json()["output"]), (Exit::Done, &json!({ "outcome": "13" })));
    call(&agent, &["start", "--thread", "u", "it broke"], "").await;
    call(&agent, &["edit", "u", "--yes", "--set", "amount=13"], "").await;
    let stopped = call(&agent, &["settle", "u", "stop", "--note", "the bank called"], "").await;
    assert_eq!(
        (stopped.exit, stopped.out.lines().next()),
        (Exit::Failed, Some("✗ u was stopped at execute"))
    );
}

#[tokio::test]
async fn a_journal_can_be_listed_verified_and_forked() {
    let (agent, _) = desk();
    assert_eq!(call(&agent, &["verify"], "").await.out, "The store is empty.\n");
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    call(&agent, &["approve", "t", "--yes"], "").await;
    let page = call(&agent, &["history", "t", "--limit", "2", "--json"], "").await.json();
    assert_eq!((page["entries"].as_array().map(Vec::len), &page["next"]), (Some(2), &json!(2)));
    let rest = call(&agent, &["history", "t", "--from", "2", "--json"], "").await.json();
    assert_eq!((&rest["entries"][0]["place"], &rest["next"]), (&json!(2), &Value::Null));
    let fork = call(&agent, &["fork", "t", "--at", "1", "--as", "t-again"], "").await;
    assert_eq!(fork.exit, Exit::Waiting, "{fork:?}");
    let verified = call(&agent, &["verify", "--json"], "").await.json();
    assert_eq!((verified["verified"].as_array().map(Vec::len), &verified["damaged"]), (Some(2), &json!([])));
    let drawn = call(&agent, &["draw", "t-again", "--json"], "").await.json();
    assert!(drawn["drawing"].as_str().is_some_and(|text| text.contains("class n1 here")), "{drawn}");
}

#[tokio::test]
async fn verify_compares_kept_heads_with_the_store() {
    let (agent, _) = desk();
    for thread in ["t", "u"] {
        call(&agent, &["start", "--thread", thread, "it broke"], "").await;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(path, call(&agent, &["verify", "--json"], "").await.out).unwrap();
    call(&agent, &["approve", "t", "--yes"], "").await;
    let held = call(&agent, &["verify", "--against", path], "").await;
    assert_eq!((held.exit, held.out.lines().count()), (Exit::Done, 2), "{held:?}");
    assert_eq!(call(&agent, &["verify", "u", "--against", path], "").await.out.lines().count(), 1);
    // A thread without a stored head is new: it is listed, and verified like the others.
    call(&agent, &["start", "--thread", "v", "it broke"], "").await;
    let more = call(&agent, &["verify", "--against", path], "").await;
    assert_eq!((more.exit, more.out.lines().count()), (Exit::Done, 4), "{more:?}");
    assert!(more.out.contains("v  new: it has no stored head"), "{more:?}");
    agent.store().delete(&"u".try_into().unwrap()).await.unwrap();
    let gone = call(&agent, &["verify", "--against", path, "--json"], "").await;
    assert_eq!((gone.exit, &gone.json()["damaged"][0]["code"]), (Exit::Store, &json!("unknown_thread")));
    assert_eq!((&gone.json()["missing"], &gone.json()["new"]), (&json!(["u"]), &json!(["v"])));
    let named = call(&agent, &["verify", "--against", path], "").await;
    assert!(named.out.contains("thread `u` does not exist, but its head at place"), "{named:?}");
    // Another store with a thread of the same name.
    let (anew, _) = desk();
    call(&anew, &["start", "--thread", "t", "it broke"], "").await;
    let forged = call(&anew, &["verify", "t", "--against", path], "").await;
    assert!(forged.exit == Exit::Store && forged.out.contains("the entry was rewritten"), "{forged:?}");
    std::fs::write(path, "[]").unwrap();
    let no_heads = call(&agent, &["verify", "--against", path], "").await;
    assert!(
        no_heads.exit == Exit::Usage && no_heads.err.contains("is not the output of `verify --json`"),
        "{no_heads:?}"
    );
}

#[tokio::test]
async fn a_sweep_prints_its_events() {
    let (agent, clock) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    assert_eq!(call(&agent, &["sweep"], "").await.out, "Nothing was due.\n");
    clock.advance(std::time::Duration::from_secs(14_400));
    assert_eq!(call(&agent, &["sweep"], "").await.out, "t  still waits before execute, opened 4h ago\n");
    clock.advance(std::time::Duration::from_secs(86_400));
    let expired = call(&agent, &["sweep", "--json"], "").await;
    assert_eq!(expired.json(), json!({ "noticed": [{ "thread": "t", "is": "moved", "standing": "ended" }] }));
    let history = call(&agent, &["history", "t"], "").await.out;
    assert!(
        history.contains("reminder of the review before execute") && history.contains("expired"),
        "{history}"
    );
    for every in ["10", "0s", "s", "ten", "1d"] {
        assert_eq!(call(&agent, &["sweep", "--every", every], "").await.exit, Exit::Usage, "{every}");
    }
}

/// The program exits when the watch ends, so that its supervisor can restart it.
#[tokio::test]
async fn a_watch_that_panics_ends_with_the_exit_code_of_the_store() {
    struct Stopped;
    impl hitl_runtime::Clock for Stopped {
        fn now(&self) -> hitl_runtime::Timestamp {
            panic!("the clock has stopped")
        }
    }
    let (agent, _) = desk();
    let watch = call(&agent.clock(Stopped), &["sweep", "--every", "1s", "--json"], "").await;
    assert_eq!(watch.exit, Exit::Store);
    let error = watch.json()["error"].clone();
    assert_eq!((&error["code"], &error["exit"]), (&json!("sweep_ended"), &json!(8)), "{error}");
    assert!(
        error["message"].as_str().is_some_and(|message| message.contains("the clock has stopped")),
        "{error}"
    );
}

#[tokio::test]
async fn help_goes_to_standard_output_and_names_the_exit_codes() {
    let (agent, _) = desk();
    let help = call(&agent, &["--help"], "").await;
    assert_eq!((help.exit, help.err.as_str()), (Exit::Done, ""));
    for words in [
        "RefundAgent: Refunds a customer",
        "Usage: refund [OPTIONS] [COMMAND]",
        "  3  done, and the thread waits",
    ] {
        assert!(help.out.contains(words), "{}", help.out);
    }
    let wrong = call(&agent, &["frobnicate"], "").await;
    assert_eq!((wrong.exit, wrong.out.as_str()), (Exit::Usage, ""));
}

#[tokio::test]
async fn a_thread_is_paused_unpaused_and_cancelled() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let paused = call(&agent, &["pause", "t", "--reason", "she \u{1b}[2J called"], "").await;
    assert_eq!((paused.exit, paused.err.as_str()), (Exit::Waiting, ""));
    assert!(paused.out.contains("the thread was paused by mara: she \\u{1b}[2J called"), "{}", paused.out);
    let approved = call(&agent, &["approve", "t", "--yes"], "").await;
    assert_eq!(approved.exit, Exit::Waiting);
    assert!(approved.out.contains("  lift the pause  refund unpause t\n"), "{}", approved.out);
    let again = call(&agent, &["show", "t"], "").await;
    assert!(
        again.out.contains("waits at execute") && again.out.contains("was paused by mara"),
        "{}",
        again.out
    );
    let lifted = call(&agent, &["unpause", "t"], "").await;
    assert!(lifted.out.contains("refund resume t"), "{}", lifted.out);
    assert_eq!(call(&agent, &["resume", "t"], "").await.exit, Exit::Done);
    let history = call(&agent, &["history", "t"], "").await.out;
    assert!(
        history.contains("the thread paused: she") && history.contains("the thread unpaused"),
        "{history}"
    );

    call(&agent, &["start", "--thread", "u", "it broke"], "").await;
    let cancelled = call(&agent, &["cancel", "u", "--reason", "fraud"], "").await;
    assert_eq!(cancelled.exit, Exit::Failed);
    assert!(cancelled.out.contains("u was stopped at execute"), "{}", cancelled.out);
    let late = call(&agent, &["approve", "u", "--yes", "--json"], "").await;
    assert_eq!((late.exit.code(), &late.json()["error"]["code"]), (4, &json!("cancelled")));
}

#[tokio::test]
async fn a_graph_is_stopped() {
    let (agent, _) = desk();
    assert_eq!(call(&agent, &["stops"], "").await.out, "nothing is stopped\n");
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let stopped = call(&agent, &["cancel", "--graph", "--reason", "wrong prompt"], "").await;
    assert_eq!(stopped.out, "1 thread cancelled; nothing starts until it is unpaused\n");
    let refused = call(&agent, &["start", "--thread", "u", "it broke", "--json"], "").await;
    assert_eq!((refused.exit.code(), &refused.json()["error"]["code"]), (7, &json!("stopped")));
    let stops = call(&agent, &["stops"], "").await.out;
    assert!(stops.contains("was cancelled by mara: wrong prompt"), "{stops}");
    let verified = call(&agent, &["verify"], "").await;
    assert!(verified.exit == Exit::Done && verified.out.contains("hitl:stops  1 entry"), "{}", verified.out);
    assert_eq!(call(&agent, &["unpause", "--graph"], "").await.out, "nothing is stopped\n");
    for (words, code) in [
        (&["pause"][..], "usage"),
        (&["pause", "t", "--graph"], "usage"),
        (&["pause", "--graph", "--store"], "usage"),
        (&["unpause", "--store"], "not_paused"),
        (&["pause", "--store", "--role", "janitor"], "may_not_stop"),
        (&["pause", "u"], "unknown_thread"),
        (&["cancel", "t"], "cancelled"),
        (&["approve", "hitl:stops"], "unknown_thread"),
        (&["start", "--thread", "hitl:stops", "it broke"], "invalid_thread_id"),
    ] {
        let refused = call(&agent, &[words, &["--json"]].concat(), "").await;
        assert_eq!(refused.json()["error"]["code"], code, "{words:?}");
    }
}
