//! `verify`: checks that journals are unchanged, by their own hash chains and by heads that were stored elsewhere.

use std::{collections::BTreeSet, path::Path};

use futures_util::future::BoxFuture;
use hitl_runtime::{
    Error, Place, ThreadId,
    agent::{Audit, JournalHead, UncheckedRange},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    execution::Execution,
    exit::{CliError, Exit},
    render::style::{DIM, GREEN, RED, paint},
};

/// The output of an earlier `verify --json`.
#[derive(Deserialize)]
struct HeadsFile {
    verified: Vec<JournalHead>,
}

/// The results, for `--json`.
#[derive(Default)]
struct Results {
    verified: Vec<JournalHead>,
    damaged: Vec<Value>,
    unchecked: Vec<Value>,
    /// Threads that have a stored head and are gone.
    missing: Vec<ThreadId>,
    /// Threads without a stored head.
    new: Vec<ThreadId>,
}

impl Execution<'_> {
    pub(super) async fn verify(
        &mut self,
        thread: Option<String>,
        against: Option<&Path>,
    ) -> Result<Exit, CliError> {
        let mut results = Results::default();
        let only = thread.map(|thread| self.thread_id(&thread)).transpose()?;
        let stored = against.map(read_heads).transpose()?;
        match (&only, &stored) {
            (Some(thread), None) => {
                let audit = self.engine.audit(thread, None).await;
                let audit = self.with_suggestion(audit)?;
                self.record_audit(&mut results, &audit)?;
            }
            (only, Some(stored)) => {
                for head in stored.iter().filter(|head| only.as_ref().is_none_or(|only| *only == head.thread))
                {
                    match self.engine.audit(&head.thread, Some(head)).await {
                        Err(error @ Error::UnknownThread { .. }) => {
                            self.record_missing(&mut results, head, &error)?
                        }
                        audit => {
                            let audit = self.with_suggestion(audit)?;
                            self.record_audit(&mut results, &audit)?;
                        }
                    }
                }
                if only.is_none() {
                    self.verify_all(&mut results, stored).await?;
                }
            }
            (None, None) => self.verify_all(&mut results, &[]).await?,
        }
        if against.is_none() {
            results.new.clear();
        }
        let exit = if results.damaged.is_empty() { Exit::Done } else { Exit::Store };
        if self.global.json {
            let Results { verified, damaged, unchecked, missing, new } = &results;
            let mut json = json!({ "verified": verified, "damaged": damaged, "unchecked": unchecked });
            if against.is_some() {
                json["missing"] = json!(missing);
                json["new"] = json!(new);
            }
            self.json(&json)?;
        } else if results.verified.is_empty() && results.damaged.is_empty() {
            let nothing =
                if against.is_some() { "The file contains no heads.\n" } else { "The store is empty.\n" };
            self.terminal.out(nothing)?;
        }
        Ok(exit)
    }

    pub(super) async fn adopt(&mut self, thread: &str, against: Option<&Path>) -> Result<Exit, CliError> {
        let (thread, operator) = (self.thread_id(thread)?, self.operator(None)?);
        let stored = against.map(read_heads).transpose()?;
        let stored = match &stored {
            Some(stored) => Some(stored.iter().find(|head| head.thread == thread).ok_or_else(|| {
                CliError::usage(format_args!("the file contains no head of thread `{thread}`"))
            })?),
            None => None,
        };
        let adopted: BoxFuture<'_, _> = Box::pin(self.engine.adopt(&thread, &operator, stored));
        let head = self.with_suggestion(adopted.await)?;
        let mut results = Results::default();
        self.record_verified(&mut results, head)?;
        if self.global.json {
            self.json(&json!({ "adopted": results.verified }))?;
        }
        Ok(Exit::Done)
    }

    /// Verifies every thread in the store that has no stored head, and the journal of stops.
    async fn verify_all(&mut self, results: &mut Results, stored: &[JournalHead]) -> Result<(), CliError> {
        let known: BTreeSet<&ThreadId> = stored.iter().map(|head| &head.thread).collect();
        // The journal of stops is in no list of threads.
        let stops = ThreadId::of_stops();
        if !known.contains(&stops) {
            match self.engine.audit(&stops, None).await {
                Err(Error::UnknownThread { .. }) => {}
                audit => {
                    let audit = self.with_suggestion(audit)?;
                    self.record_audit(results, &audit)?;
                }
            }
        }
        let mut after = None;
        loop {
            let page = self.engine.store.threads(None, after.as_deref(), 100).await.map_err(Error::from);
            let page = self.with_suggestion(page)?;
            for (thread, _) in page.items {
                if known.contains(&thread) {
                    continue;
                }
                match self.engine.audit(&thread, None).await {
                    // Deleted since the page was read.
                    Err(Error::UnknownThread { .. }) => {}
                    audit => {
                        let audit = self.with_suggestion(audit)?;
                        if !stored.is_empty() && !self.global.json {
                            let name = super::escape::escape(thread.as_str()).into_owned();
                            self.terminal
                                .out(&format!("{} {name}  new: it has no stored head\n", paint(DIM, "+")))?;
                        }
                        results.new.push(thread);
                        self.record_audit(results, &audit)?;
                    }
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn record_missing(
        &mut self,
        results: &mut Results,
        head: &JournalHead,
        error: &Error,
    ) -> Result<(), CliError> {
        let place = head.place;
        let message =
            format!("{error}, but its head at place {place} was stored: the thread was deleted or lost");
        self.print_problem(&message)?;
        results.damaged.push(json!({ "thread": head.thread, "code": error.code(), "message": message }));
        results.missing.push(head.thread.clone());
        Ok(())
    }

    fn print_problem(&mut self, message: &str) -> Result<(), CliError> {
        if !self.global.json {
            let text = super::escape::escape_sentence(message).into_owned();
            self.terminal.out(&format!("{} {text}\n", paint(RED, "✗")))?;
        }
        Ok(())
    }

    fn record_audit(&mut self, results: &mut Results, audit: &Audit) -> Result<(), CliError> {
        let thread = &audit.head.thread;
        for UncheckedRange { from, to, reason, .. } in &audit.unchecked {
            if !self.global.json {
                let text =
                    format!("{thread}: the entries at places {from} to {to} were not replayed: {reason}");
                let text = super::escape::escape_sentence(&text).into_owned();
                self.terminal.out(&format!("{} {text}\n", paint(DIM, "?")))?;
            }
            results.unchecked.push(json!({ "thread": thread, "from": from, "to": to, "reason": reason }));
        }
        if audit.findings.is_empty() {
            return self.record_verified(results, audit.head.clone());
        }
        for finding in &audit.findings {
            let error = finding.error(thread);
            self.print_problem(&error.to_string())?;
            results.damaged.push(json!({
                "thread": thread,
                "place": finding.place,
                "kind": finding.kind,
                "code": error.code(),
                "message": error.to_string(),
            }));
        }
        Ok(())
    }

    fn record_verified(&mut self, results: &mut Results, head: JournalHead) -> Result<(), CliError> {
        if !self.global.json {
            let name = super::escape::escape(head.thread.as_str()).into_owned();
            let entries = match head.place {
                Place::START => "1 entry".to_owned(),
                place => format!("{} entries", place.saturating_add(1)),
            };
            let hash = paint(DIM, format_args!("head {}", head.hash));
            self.terminal.out(&format!("{} {name}  {entries}, unchanged  {hash}\n", paint(GREEN, "✓")))?;
        }
        results.verified.push(head);
        Ok(())
    }
}

/// Reads the heads from a file with the output of `verify --json`.
fn read_heads(file: &Path) -> Result<Vec<JournalHead>, CliError> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| CliError::usage(format_args!("{name}: {e}")))?;
    let stored: HeadsFile = serde_json::from_str(&text)
        .map_err(|e| CliError::usage(format_args!("{name} is not the output of `verify --json`: {e}")))?;
    Ok(stored.verified)
}
