//! Edits as new proposals over the JSON API and on the command line.

use std::{
    io::{Cursor, Write},
    sync::{Arc, Mutex},
};

use hitl::{
    api::{self, ApiError, Reply, Request},
    cli::{Cli, Exit, Io},
    prelude::*,
};
use serde_json::{Value, json};

use super::by_tier::{Bank, OrderInput, Till, TillTurn};
use crate::kit::operators::{both, clerk, director};

async fn act(agent: &Agent<Till>, request: Value, operator: &Operator) -> Result<Value, ApiError> {
    let reply = api::dispatch(agent, Request::parse(request, None)?, Some(operator)).await?;
    assert!(matches!(reply, Reply::Thread(_) | Reply::Preview { .. }));
    Ok(serde_json::to_value(reply).unwrap())
}

async fn waiting(agent: &Agent<Till>) -> String {
    let turn = agent.start("t", OrderInput { cents: 100 }).await.unwrap();
    let TillTurn::PaySmall(review) = turn else { panic!("{turn}") };
    review.digest().to_string()
}

fn edit(action: &str, digest: &str) -> Value {
    let patch = json!({ "draft": { "cents": 999_999 } });
    match action {
        "preview" => json!({
            "action": action, "thread_id": "t", "digest": digest, "verdict": { "edit": { "patch": patch } },
        }),
        _ => json!({ "action": action, "thread_id": "t", "digest": digest, "patch": patch }),
    }
}

#[tokio::test]
async fn an_edit_over_the_api_waits_for_the_required_role() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    let digest = waiting(&agent).await;
    let view = act(&agent, edit("edit", &digest), &clerk()).await.unwrap();
    let review = &view["reviews"][0];
    assert_eq!(
        (&review["node"], &review["role"], &review["proposed_by"]),
        (&json!("pay_large"), &json!("director"), &json!("carl"))
    );
    assert!(bank.paid().is_empty());
    let again = act(&agent, edit("edit", &digest), &clerk()).await.unwrap_err();
    assert_eq!(again.code, "already_decided");
    let approve = json!({ "action": "approve", "thread_id": "t", "digest": review["digest"] });
    let refused = act(&agent, approve.clone(), &clerk()).await.unwrap_err();
    assert_eq!(refused.code, "role_missing");
    let view = act(&agent, approve, &director()).await.unwrap();
    assert_eq!(view["output"], json!({ "outcome": "999999 by dora at large" }));
}

#[tokio::test]
async fn one_verdict_over_the_api_signs_if_permitted() {
    let agent = Till::new(Bank::default(), MemoryStore::new());
    let digest = waiting(&agent).await;
    let view = act(&agent, edit("edit", &digest), &both()).await.unwrap();
    assert_eq!(view["output"], json!({ "outcome": "999999 by bea at large" }));
}

/// A preview reports what the edit will do: it signs for an operator who may sign, and otherwise only proposes.
#[tokio::test]
async fn a_preview_over_the_api_reports_if_the_edit_signs() {
    let agent = Till::new(Bank::default(), MemoryStore::new());
    let digest = waiting(&agent).await;
    let draft = json!({ "cents": 999_999, "to": "" });
    for (operator, signs) in [(clerk(), Value::Null), (both(), draft.clone())] {
        let preview = act(&agent, edit("preview", &digest), &operator).await.unwrap();
        assert_eq!((&preview["signs"], &preview["proposes"]), (&signs, &draft), "{preview}");
        assert_eq!(preview["again"]["opens"]["signs"], json!(!signs.is_null()), "{preview}");
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a command as operator `carl`, with `keys` as terminal input unless it is empty; returns the exit code and the
/// output.
async fn call(agent: &Agent<Till>, words: &[&str], keys: &'static str) -> (Exit, String) {
    let page = Page::default();
    let mut io = Io::process();
    io.stdin = Box::new(Cursor::new(keys.as_bytes()));
    io.stdout = Box::new(page.clone());
    io.stderr = Box::new(page.clone());
    io.stdin_is_terminal = !keys.is_empty();
    io.stdout_is_terminal = !keys.is_empty();
    io.width = None;
    io.colors = (false, false);
    let words = ["till"].iter().chain(words).chain(&["--operator", "carl"]).map(Into::into);
    let exit = Cli::new(agent.clone()).run_on(words.collect::<Vec<_>>(), false, io).await;
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    (exit, text)
}

#[tokio::test]
async fn the_command_line_confirms_an_edit_and_opens_its_review() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    waiting(&agent).await;
    let (exit, text) = call(&agent, &["edit", "t", "--set", "cents=999999"], "n\n").await;
    assert_eq!(exit, Exit::Waiting, "{text}");
    let warning = "The edit is a new proposal of `draft`: the thread returns to `draft` and continues to `pay_large`, where the review before \
                   `pay_large` waits for a signature of role `director`.";
    assert!(text.contains(warning), "{text}");
    assert!(text.contains("Propose this instead? [y/n]"), "{text}");
    let (exit, text) = call(&agent, &["edit", "t", "--set", "cents=999999"], "y\n").await;
    assert_eq!(exit, Exit::Waiting, "{text}");
    assert!(text.contains("waits before pay_large") && text.contains("proposed by carl"), "{text}");
    let (_, text) = call(&agent, &["history", "t"], "").await;
    assert!(text.contains("edited before pay_small, proposed again from `draft` to pay_large"), "{text}");
    assert!(text.contains("waits before pay_large for director, proposed by carl"), "{text}");
    assert!(bank.paid().is_empty());
}

#[tokio::test]
async fn the_interactive_mode_confirms_an_edit() {
    let agent = Till::new(Bank::default(), MemoryStore::new());
    let (exit, text) = call(&agent, &[], "100\ne\ncents=999999\n\ny\nl\n").await;
    assert_eq!(exit, Exit::Waiting, "{text}");
    assert!(text.contains("Propose this instead? [y/n]"), "{text}");
    assert!(text.contains("waits before pay_large"), "{text}");
}
