//! `verify`: checks that journals are unchanged, by their own hash chains and by heads that were stored elsewhere.

use std::{collections::BTreeSet, path::Path};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    exit::{Exit, Refusal},
    render::style::{DIM, GREEN, RED, paint},
    session::Session,
};
use crate::{
    Error, ThreadId,
    run::{Audit, Graph, Head, Unchecked},
};

/// The output of an earlier `verify --json`.
#[derive(Deserialize)]
struct Kept {
    verified: Vec<Head>,
}

/// The results, for `--json`.
#[derive(Default)]
struct Found {
    verified: Vec<Head>,
    damaged: Vec<Value>,
    unchecked: Vec<Value>,
    /// Threads that have a stored head and are gone.
    missing: Vec<ThreadId>,
    /// Threads without a stored head.
    new: Vec<ThreadId>,
}

impl<G: Graph> Session<'_, G> {
    pub(super) async fn verify(
        &mut self,
        thread: Option<String>,
        against: Option<&Path>,
    ) -> Result<Exit, Refusal> {
        let mut found = Found::default();
        let only = thread.map(|thread| self.thread_id(&thread)).transpose()?;
        let kept = against.map(heads).transpose()?;
        match (&only, &kept) {
            (Some(thread), None) => {
                let audit = self.agent.audit(thread, None).await;
                let audit = self.mended(audit)?;
                self.judged(&mut found, &audit)?;
            }
            (only, Some(kept)) => {
                for head in kept.iter().filter(|head| only.as_ref().is_none_or(|only| *only == head.thread)) {
                    match self.agent.audit(&head.thread, Some(head)).await {
                        Err(error @ Error::UnknownThread { .. }) => self.missing(&mut found, head, &error)?,
                        audit => {
                            let audit = self.mended(audit)?;
                            self.judged(&mut found, &audit)?;
                        }
                    }
                }
                if only.is_none() {
                    self.verify_all(&mut found, kept).await?;
                }
            }
            (None, None) => self.verify_all(&mut found, &[]).await?,
        }
        if against.is_none() {
            found.new.clear();
        }
        let exit = if found.damaged.is_empty() { Exit::Done } else { Exit::Store };
        if self.global.json {
            let Found { verified, damaged, unchecked, missing, new } = &found;
            let mut json = json!({ "verified": verified, "damaged": damaged, "unchecked": unchecked });
            if against.is_some() {
                json["missing"] = json!(missing);
                json["new"] = json!(new);
            }
            self.json(&json)?;
        } else if found.verified.is_empty() && found.damaged.is_empty() {
            let nothing =
                if against.is_some() { "No head is in that file.\n" } else { "The store is empty.\n" };
            self.screen.out(nothing)?;
        }
        Ok(exit)
    }

    pub(super) async fn adopt(&mut self, thread: &str, against: Option<&Path>) -> Result<Exit, Refusal> {
        let (thread, operator) = (self.thread_id(thread)?, self.operator(None)?);
        let kept = against.map(heads).transpose()?;
        let kept = match &kept {
            Some(kept) => Some(kept.iter().find(|head| head.thread == thread).ok_or_else(|| {
                Refusal::usage(format_args!("no head of thread `{thread}` is in that file"))
            })?),
            None => None,
        };
        let adopted: BoxFuture<'_, _> = Box::pin(self.agent.adopt(&thread, &operator, kept));
        let head = self.mended(adopted.await)?;
        let mut found = Found::default();
        self.whole(&mut found, head)?;
        if self.global.json {
            self.json(&json!({ "adopted": found.verified }))?;
        }
        Ok(Exit::Done)
    }

    /// Verifies every thread in the store that has no stored head.
    async fn verify_all(&mut self, found: &mut Found, kept: &[Head]) -> Result<(), Refusal> {
        let known: BTreeSet<&ThreadId> = kept.iter().map(|head| &head.thread).collect();
        let mut after = None;
        loop {
            let page = self.agent.store().threads(None, after.as_deref(), 100).await.map_err(Error::from);
            let page = self.mended(page)?;
            for (thread, _) in page.items {
                if known.contains(&thread) {
                    continue;
                }
                match self.agent.audit(&thread, None).await {
                    // Deleted since the page was read.
                    Err(Error::UnknownThread { .. }) => {}
                    audit => {
                        let audit = self.mended(audit)?;
                        if !kept.is_empty() && !self.global.json {
                            let name = super::escape::escape(thread.as_str()).into_owned();
                            self.screen
                                .out(&format!("{} {name}  new: no kept head names it\n", paint(DIM, "+")))?;
                        }
                        found.new.push(thread);
                        self.judged(found, &audit)?;
                    }
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn missing(&mut self, found: &mut Found, head: &Head, error: &Error) -> Result<(), Refusal> {
        let place = head.place;
        let message = format!("{error}; its head was kept at place {place}: it was deleted, or is missing");
        self.wrong(&message)?;
        found.damaged.push(json!({ "thread": head.thread, "code": error.code(), "message": message }));
        found.missing.push(head.thread.clone());
        Ok(())
    }

    fn wrong(&mut self, message: &str) -> Result<(), Refusal> {
        if !self.global.json {
            let text = super::escape::escape_sentence(message).into_owned();
            self.screen.out(&format!("{} {text}\n", paint(RED, "✗")))?;
        }
        Ok(())
    }

    fn judged(&mut self, found: &mut Found, audit: &Audit) -> Result<(), Refusal> {
        let thread = &audit.head.thread;
        for Unchecked { from, to, reason, .. } in &audit.unchecked {
            if !self.global.json {
                let text = format!("{thread}: the meaning of places {from} to {to} is not checked: {reason}");
                let text = super::escape::escape_sentence(&text).into_owned();
                self.screen.out(&format!("{} {text}\n", paint(DIM, "?")))?;
            }
            found.unchecked.push(json!({ "thread": thread, "from": from, "to": to, "reason": reason }));
        }
        if audit.findings.is_empty() {
            return self.whole(found, audit.head.clone());
        }
        for finding in &audit.findings {
            let one = Audit { findings: vec![finding.clone()], ..audit.clone() };
            let Err(error) = one.sound() else { continue };
            self.wrong(&error.to_string())?;
            found.damaged.push(json!({
                "thread": thread,
                "place": finding.place,
                "kind": finding.kind,
                "code": error.code(),
                "message": error.to_string(),
            }));
        }
        Ok(())
    }

    fn whole(&mut self, found: &mut Found, head: Head) -> Result<(), Refusal> {
        if !self.global.json {
            let name = super::escape::escape(head.thread.as_str()).into_owned();
            let entries = match head.place {
                0 => "1 entry".to_owned(),
                place => format!("{} entries", place.saturating_add(1)),
            };
            let hash = paint(DIM, format_args!("head {}", head.hash));
            self.screen.out(&format!("{} {name}  {entries}, as written  {hash}\n", paint(GREEN, "✓")))?;
        }
        found.verified.push(head);
        Ok(())
    }
}

/// Reads the heads from a file with the output of `verify --json`.
fn heads(file: &Path) -> Result<Vec<Head>, Refusal> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| Refusal::usage(format_args!("{name}: {e}")))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|e| {
        Refusal::usage(format_args!("{name} is not what `verify --json` prints, to be kept elsewhere: {e}"))
    })?;
    Ok(kept.verified)
}
