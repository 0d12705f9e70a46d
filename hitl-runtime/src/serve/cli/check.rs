//! `check`: the threads that are compatible with this program, before it is deployed.

use serde_json::{Value, json};

use super::{
    escape::escape,
    exit::{Exit, Refusal},
    render::{
        refusal::bullet,
        style::{BOLD, DIM, GREEN, RED, paint},
    },
    session::Session,
};
use crate::{
    Error, Standing, ThreadId,
    run::{Check, Difference, Graph},
};

/// The results so far.
#[derive(Default)]
struct Found {
    threads: Vec<Value>,
    /// The threads of other graphs in the same store, which belong to other programs.
    others: Vec<Value>,
    refused: usize,
}

impl<G: Graph> Session<'_, G> {
    pub(super) async fn check(&mut self, thread: Option<String>) -> Result<Exit, Refusal> {
        let mut found = Found::default();
        match thread {
            Some(name) => {
                let thread = self.thread_id(&name)?;
                let check = self.agent.check(&thread).await;
                let check = self.mended(check)?;
                self.checked(&check, &mut found)?;
            }
            None => self.check_all(&mut found).await?,
        }
        if self.global.json {
            self.json(&json!({ "threads": found.threads, "others": found.others }))?;
        } else if found.threads.is_empty() && found.others.is_empty() {
            self.screen.out("No thread is under way.\n")?;
        } else if !found.others.is_empty() {
            let text = format!("  {} more of other graphs: not this program's\n", found.others.len());
            self.screen.out(&paint(DIM, text))?;
        }
        Ok(if found.refused == 0 { Exit::Done } else { Exit::Refused })
    }

    /// Checks every thread that has not ended.
    async fn check_all(&mut self, found: &mut Found) -> Result<(), Refusal> {
        for standing in [Standing::Waiting, Standing::InDoubt, Standing::Failed, Standing::Running] {
            let mut after = None;
            loop {
                let page = self
                    .agent
                    .store()
                    .threads(Some(standing), after.as_deref(), 100)
                    .await
                    .map_err(Error::from);
                let page = self.mended(page)?;
                for (thread, _) in page.items {
                    self.check_one(&thread, found).await?;
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn check_one(&mut self, thread: &ThreadId, found: &mut Found) -> Result<(), Refusal> {
        match self.agent.check(thread).await {
            Ok(check) => match check.differences.as_slice() {
                [Difference::OtherGraph { graph, .. }] => {
                    found.others.push(json!({ "thread": thread, "graph": graph }));
                    Ok(())
                }
                _ => self.checked(&check, found),
            },
            // Deleted since the page was read.
            Err(Error::UnknownThread { .. }) => Ok(()),
            Err(error @ (Error::Damaged { .. } | Error::Unauthenticated { .. })) => {
                found.refused += 1;
                let (code, message) = (error.code(), error.to_string());
                found.threads.push(json!({
                    "thread": thread,
                    "can_go_on": false,
                    "differences": [{ "code": code, "message": message }],
                }));
                self.say(thread, "cannot go on", false, &[message])
            }
            Err(error) => Err(error.into()),
        }
    }

    fn checked(&mut self, check: &Check, found: &mut Found) -> Result<(), Refusal> {
        let mut told = json!(check);
        told["can_go_on"] = check.can_go_on().into();
        found.threads.push(told);
        found.refused += usize::from(!check.can_go_on());
        let again = check.reopened.join(" and ");
        let says = match check {
            Check { standing: Standing::Ended, .. } => "has ended".to_owned(),
            check if !check.can_go_on() => "cannot go on".to_owned(),
            _ if !again.is_empty() => format!("can go on; the review before {again} is opened again"),
            Check { new_code: true, .. } => "can go on, under new code".to_owned(),
            _ => "can go on".to_owned(),
        };
        let changes = check.changes.iter().map(ToString::to_string);
        let reasons: Vec<String> = check.differences.iter().map(ToString::to_string).chain(changes).collect();
        self.say(&check.thread, &says, check.can_go_on(), &reasons)
    }

    fn say(&mut self, thread: &ThreadId, says: &str, can: bool, reasons: &[String]) -> Result<(), Refusal> {
        if self.global.json {
            return Ok(());
        }
        let sign = if can { paint(GREEN, "✓") } else { paint(RED, "✗") };
        let mut text = format!("{sign} {}  {}\n", paint(BOLD, escape(thread.as_str())), escape(says));
        for reason in reasons {
            text.push_str(&bullet(reason, self.screen.width));
        }
        self.screen.out(&text)
    }
}
