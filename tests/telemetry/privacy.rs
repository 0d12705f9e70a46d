//! Values that are never logged, and names that look like other fields or lines.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use hitl::{ThreadId, prelude::*};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::{
    capture::{begin, seen},
    refund_agent::{Desk, RefundAgent, RefundAgentTurn, input, mara, review},
};

#[tokio::test]
async fn no_value_of_a_thread_is_logged() {
    begin();
    let desk = Desk {
        problem: "MARKER-error".into(),
        ..Desk::new([
            r#"{"payee": "MARKER-payee", "dollars": 9999}"#,
            r#"{"payee": "MARKER-payee", "dollars": 149}"#,
            r#"{"payee": "MARKER-second", "dollars": 149}"#,
        ])
    };
    desk.failures.store(1, Ordering::SeqCst);
    let agent = RefundAgent::new(desk, MemoryStore::new());
    let first = review(agent.start("secret", input("MARKER-input")).await.unwrap());
    let second = review(first.ask(&mara(), "MARKER-question").await.unwrap());
    let turn = second.reject(&mara(), Reason::PolicyViolation, "MARKER-note").await.unwrap();
    assert!(matches!(turn, RefundAgentTurn::Done(_)), "{turn}");

    // The values are in the journal.
    let history = agent.history("secret", 0, 100).await.unwrap();
    let journal = serde_json::to_string(&history).unwrap();
    for value in ["input", "error", "payee", "second", "question", "note"] {
        assert!(journal.contains(&format!("MARKER-{value}")), "{value}: {journal}");
    }
    let seen = seen();
    let logged = seen.text();
    assert!(!logged.contains("MARKER"), "{logged}");
    // The run itself was logged.
    for event in ["node failed; it is retried", "response rejected", "thread ended"] {
        assert_eq!(seen.events_of("secret", event).len(), 1, "{event}");
    }
    assert_eq!(seen.events_of("secret", "review decided").len(), 2);
}

#[tokio::test]
async fn no_value_of_an_edit_is_logged() {
    begin();
    let agent =
        RefundAgent::new(Desk::new([r#"{"payee": "MARKED-before", "dollars": 149}"#]), MemoryStore::new());
    let review = review(agent.start("edited", input("a lamp")).await.unwrap());
    let turn = review.edit(&mara(), |refund| refund.payee = "MARKED-after".into()).await.unwrap();
    assert!(matches!(turn, RefundAgentTurn::Done(ref paid) if paid.contains("MARKED-after")), "{turn}");
    let seen = seen();
    assert!(!seen.text().contains("MARKED"), "{}", seen.text());
    assert_eq!(seen.events_of("edited", "review decided")[0].fields["verdict"], "edit");
}

/// The lines that a subscriber writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_name_cannot_pass_for_another_field_or_line() {
    let lines = Lines::default();
    let output = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || output.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let agent = RefundAgent::new(Desk::new([crate::refund_agent::RESPONSE]), MemoryStore::new());
    let thread = r#"t" verdict="approve"#;
    let review = review(agent.start(thread, input("a lamp")).await.unwrap());
    let operator = Operator::claimed(r#"mara" operator="the boss"#).role("refund-approver");
    let _ = review.approve(&operator).await.unwrap();
    // Such a thread cannot be started, but an old one may be read.
    let old = ThreadId::existing("old\u{202e}\u{2028}name").unwrap();
    assert!(agent.turn(old).await.is_err());

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains(r#"thread="t\" verdict=\"approve""#), "{text}");
    assert!(text.contains(r#"operator="mara\" operator=\"the boss""#), "{text}");
    assert!(text.contains("unverified=true"), "{text}");
    assert!(!text.contains(r#" operator="the boss""#), "{text}");
    assert!(text.contains("202e"), "{text}");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{2028}'), "{text}");
    let starts = |line: &str| line.starts_with("20") && line.contains('Z');
    assert!(text.lines().all(starts), "each line begins with a time: {text}");
}
