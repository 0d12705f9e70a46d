//! `verify`: whether journals are as they were written, by themselves and by heads that were kept elsewhere.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    exit::{Exit, Refusal},
    render::style::{DIM, GREEN, RED, paint},
    session::Session,
};
use crate::{
    Error, ThreadId,
    run::{Graph, Head},
};

/// What `verify --json` printed.
#[derive(Deserialize)]
struct Kept {
    verified: Vec<Head>,
}

/// What was found, for `--json`.
#[derive(Default)]
struct Found {
    verified: Vec<Head>,
    damaged: Vec<Value>,
}

impl<G: Graph> Session<'_, G> {
    pub(super) async fn verify(
        &mut self,
        thread: Option<String>,
        against: Option<&Path>,
    ) -> Result<Exit, Refusal> {
        let mut found = Found::default();
        match (thread, against) {
            (Some(thread), None) => {
                let thread = self.thread_id(&thread)?;
                let head = self.agent.verify(&thread).await.map_err(|error| match error {
                    // The command that mends it is not the one that found it.
                    damaged @ Error::Damaged { .. } => Refusal::from(damaged),
                    other => self.mended::<()>(Err(other)).err().unwrap_or_else(|| Refusal::usage("")),
                })?;
                self.whole(&mut found, head)?;
            }
            (thread, Some(file)) => {
                let only = thread.map(|thread| self.thread_id(&thread)).transpose()?;
                for head in heads(file)? {
                    if only.as_ref().is_none_or(|only| *only == head.thread) {
                        let held = self.agent.holds(&head).await;
                        self.judged(&mut found, &head.thread, held)?;
                    }
                }
            }
            (None, None) => self.verify_all(&mut found).await?,
        }
        let exit = if found.damaged.is_empty() { Exit::Done } else { Exit::Store };
        if self.global.json {
            self.json(&json!({ "verified": found.verified, "damaged": found.damaged }))?;
        } else if found.verified.is_empty() && found.damaged.is_empty() {
            let nothing =
                if against.is_some() { "No head is in that file.\n" } else { "The store is empty.\n" };
            self.screen.out(nothing)?;
        }
        Ok(exit)
    }

    async fn verify_all(&mut self, found: &mut Found) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let page = self.agent.store().threads(None, after.as_deref(), 100).await.map_err(Error::from);
            let page = self.mended(page)?;
            for (thread, _) in page.items {
                match self.agent.verify(&thread).await {
                    // Deleted since the page was read.
                    Err(Error::UnknownThread { .. }) => {}
                    walked => self.judged(found, &thread, walked)?,
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn judged(
        &mut self,
        found: &mut Found,
        thread: &ThreadId,
        walked: Result<Head, Error>,
    ) -> Result<(), Refusal> {
        match walked {
            Ok(head) => self.whole(found, head),
            Err(error @ (Error::Damaged { .. } | Error::UnknownThread { .. })) => {
                if !self.global.json {
                    let text = super::escape::escape_sentence(&error.to_string()).into_owned();
                    self.screen.out(&format!("{} {text}\n", paint(RED, "✗")))?;
                }
                found
                    .damaged
                    .push(json!({ "thread": thread, "code": error.code(), "message": error.to_string() }));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
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

/// The heads in a file that `verify --json` was printed to.
fn heads(file: &Path) -> Result<Vec<Head>, Refusal> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| Refusal::usage(format_args!("{name}: {e}")))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|e| {
        Refusal::usage(format_args!("{name} is not what `verify --json` prints, to be kept elsewhere: {e}"))
    })?;
    Ok(kept.verified)
}
