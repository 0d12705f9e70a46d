//! Interactive output.

use super::{
    fixture::desk,
    harness::{call, type_in},
};
use crate::Exit;

/// Replaces generated names, so that output can be compared. Digests need no replacement: they depend only on the
/// thread and the draft.
fn normalize(text: &str) -> String {
    let Some(at) = text.find("refund-agent-") else { return text.to_owned() };
    text.replace(&text[at..at + 21], "refund-agent-XXXXXXXX")
}

#[tokio::test]
async fn an_interactive_session_goes_from_message_to_result() {
    let (agent, _) = desk();
    let keys = "it broke\nk\nIs there a photo?\ne\namount=20000\n\ne\namount=99\n\ny\n";
    let run = type_in(&agent, &[], keys).await;
    let out = normalize(&run.out);
    let (head, rest) = out.split_once("question › ").unwrap_or_default();
    let digest =
        |text: &str| text.split("digest ").nth(1).map(|rest| rest[..16].to_owned()).unwrap_or_default();
    assert_eq!(
        head,
        format!(
            "\
RefundAgent
Refunds a customer once a person has signed.

message › 
● refund-agent-XXXXXXXX waits before execute
  for refund-approver · opened just now · expires in 24h
  digest {}

  order_id  A-9133
  amount    149
  reason    it broke

[a]pprove  [e]dit  [r]eject  as[k]  [l]eave › ",
            digest(head)
        )
    );
    assert!(rest.contains("  reason    it broke (Is there a photo? yes)\n"), "{rest}");
    assert_eq!(
        run.err,
        format!(
            "error: `draft` of thread `{}` cannot be signed\n  amount  greater than 10000\n",
            thread(&run.out)
        )
    );
    let diff = "
    order_id  A-9133
  - amount    149
  + amount    99
    reason    it broke (Is there a photo? yes)

Sign this instead? [y/n] › 
✓ refund-agent-XXXXXXXX has ended

  outcome  refunded 99 for A-9133, signed by mara
";
    assert!(rest.ends_with(diff), "{rest}");
    assert_eq!(run.exit, Exit::Done);
}

fn thread(text: &str) -> String {
    text.find("refund-agent-").map(|at| text[at..at + 21].to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn leaving_a_session_prints_the_commands_to_continue() {
    let (agent, _) = desk();
    for keys in ["it broke\nl\n", "it broke\n", "it broke\na b c\n"] {
        let run = type_in(&agent, &[], keys).await;
        assert_eq!(run.exit, Exit::Waiting);
        let out = normalize(&run.out);
        assert!(out.contains("refund-agent-XXXXXXXX waits; continue here or on another terminal:\n\n  approve  refund approve refund-agent-XXXXXXXX --operator mara --digest "), "{out}");
    }
    let no_input = type_in(&agent, &[], "").await;
    assert!(no_input.out.ends_with("message › \nNothing was started.\n"), "{}", no_input.out);
    assert_eq!(no_input.exit, Exit::Done);
}

#[tokio::test]
async fn a_verdict_on_a_terminal_shows_the_draft_and_asks() {
    let (agent, _) = desk();
    call(&agent, &["start", "--thread", "t", "it broke"], "").await;
    let no = type_in(&agent, &["approve", "t"], "what\nn\n").await;
    assert_eq!(no.exit, Exit::Waiting);
    assert!(no.out.contains("  amount    149\n"));
    assert!(
        no.out.ends_with("Sign this? [y/n] › Sign this? [y/n] › Nothing was signed; t waits.\n"),
        "{}",
        no.out
    );
    let gone = type_in(&agent, &["approve", "t"], "").await;
    assert_eq!(gone.exit, Exit::Waiting);
    let yes = type_in(&agent, &["approve", "t"], "y\n").await;
    assert_eq!(yes.exit, Exit::Done);
    assert!(
        yes.out.ends_with("✓ t has ended\n\n  outcome  refunded 149 for A-9133, signed by mara\n"),
        "{}",
        yes.out
    );
}

#[tokio::test]
async fn hostile_text_cannot_fake_output() {
    let (agent, _) = desk();
    let evil = "ok\u{1b}[2J\n  amount    1\n\u{202e}fake\r✓ t has ended";
    let start = call(&agent, &["start", "--thread", "t", evil], "").await;
    assert!(
        start.out.contains("  reason    ok\\u{1b}[2J\\n\n              amount    1\\n\n            \\u{202e}fake\\r✓ t has ended\n"),
        "{}",
        start.out
    );
    let json = call(&agent, &["show", "t", "--json"], "").await;
    assert!(!json.out.contains(['\u{1b}', '\u{202e}', '\r']), "{}", json.out);
    assert_eq!(json.json()["reviews"][0]["draft"]["reason"], evil);
    let failed = call(&agent, &["start", "--thread", "f", "fail"], "").await;
    assert_eq!(failed.exit, Exit::Failed);
    assert_eq!(
        failed.out,
        "✗ f failed in draft\n  │ the model is asleep\n  │ \\u{1b}[2Jall is well\n\n  try again  refund resume f\n"
    );
}

#[tokio::test]
async fn hidden_characters_are_escaped_in_every_command() {
    let (agent, _) = desk();
    let evil = "A\u{200b}B\u{fff9} p\u{430}y שלום 12 \u{e0041}\u{115f}👩\u{200d}🚀";
    let start = call(&agent, &["start", "--thread", "t", evil], "").await;
    let shown = "\u{2068}A\\u{200b}B\\u{fff9} p\u{430}y שלום 12 \\u{e0041}\\u{115f}👩\u{200d}🚀\u{2069} (mixed scripts: Cyrillic, Latin)";
    assert!(start.out.contains(shown), "{}", start.out);
    call(&agent, &["reject", "t", "--yes", "--reason", "other", "--note", evil, "--operator", "אבי"], "")
        .await;
    let old = ["show", "t\u{200b}x"];
    let shows = [&["show", "t"][..], &["history", "t"], &["verify"], &["check"], &old];
    for words in shows {
        for seen in [call(&agent, words, "").await, type_in(&agent, words, "").await] {
            let seen = seen.out + &seen.err;
            assert!(!seen.contains(['\u{200b}', '\u{fff9}', '\u{e0041}', '\u{115f}']), "{words:?}: {seen}");
            for line in seen.lines() {
                let (on, off) = (line.matches('\u{2068}').count(), line.matches('\u{2069}').count());
                assert_eq!(on, off, "{words:?}: {line}");
                assert!(on > 0 || !line.contains('ש'), "{words:?}: {line}");
            }
        }
    }
    let history = call(&agent, &["history", "t"], "").await.out;
    assert!(history.contains("\u{2068}אבי\u{2069} (unverified)"), "{history}");
    let refused = call(&agent, &["show", "t\u{200b}x"], "").await;
    assert!(refused.err.contains("`t\\u{200b}x`"), "{}", refused.err);
}

#[tokio::test]
async fn the_inbox_and_the_history_are_tables() {
    let (agent, clock) = desk();
    assert_eq!(call(&agent, &["inbox"], "").await.out, "No open reviews.\n");
    for thread in ["ticket-1", "ticket-10"] {
        call(&agent, &["start", "--thread", thread, "it broke"], "").await;
        clock.advance(std::time::Duration::from_secs(150));
    }
    let inbox = call(&agent, &["inbox"], "").await.out;
    let digests: Vec<&str> =
        inbox.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(
        inbox,
        format!(
            "\
thread     waits before  opened  for              deadline    digest
ticket-1   execute       5m ago  refund-approver  in 23h 55m  {}
ticket-10  execute       2m ago  refund-approver  in 23h 58m  {}
",
            digests[0], digests[1]
        )
    );
    let page = call(&agent, &["inbox", "--limit", "1"], "").await.out;
    let more = page.lines().last().unwrap_or_default();
    assert!(more.starts_with("more  refund inbox --limit 1 --after "), "{page}");

    call(&agent, &["edit", "ticket-1", "--yes", "--set", "amount=99"], "").await;
    let history = call(&agent, &["history", "ticket-1"], "").await.out;
    let what: Vec<String> = history
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty() && cell.len() != 16)
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect();
    assert_eq!(
        what,
        [
            "# | UTC | hash | who | what",
            "0 | 2026-11-22 10:10:00 | mara (unverified) | started: message it broke",
            "1 | 2026-11-22 10:10:00 | draft wrote draft",
            "2 | 2026-11-22 10:10:00 | waits before execute for refund-approver",
            "3 | 2026-11-22 10:15:00 | mara (unverified) | edited and approved execute: amount 149 → 99",
            "4 | 2026-11-22 10:15:00 | execute began",
            "5 | 2026-11-22 10:15:00 | execute wrote outcome",
            "6 | 2026-11-22 10:15:00 | ended",
        ]
    );
}

/// With `--yes` or `--digest`, the draft is not shown before the verdict.
#[tokio::test]
async fn a_verdict_records_whether_the_draft_was_shown() {
    for (keys, words, previewed) in [
        ("y\n", &["approve", "t"][..], true),
        ("", &["approve", "t", "--yes"], false),
        ("y\n", &["edit", "t", "--set", "amount=99"], true),
        ("", &["edit", "t", "--yes", "--set", "amount=99"], false),
    ] {
        let (agent, _) = desk();
        call(&agent, &["start", "--thread", "t", "it broke"], "").await;
        if keys.is_empty() {
            call(&agent, words, "").await
        } else {
            type_in(&agent, words, keys).await
        };
        let history = call(&agent, &["history", "t", "--json"], "").await.json();
        let entries = history["entries"].as_array().cloned().unwrap_or_default();
        let decided = entries.iter().find_map(|entry| entry["event"].get("decided"));
        let evidence = decided.map(|decided| decided["evidence"]["previewed"] == true);
        assert_eq!(evidence, Some(previewed), "{words:?}: {history}");
    }
}
