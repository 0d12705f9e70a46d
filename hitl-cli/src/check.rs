//! `check`: the threads that are compatible with this program, before it is deployed.

use hitl_runtime::{Error, Incompatibility, ThreadId, ThreadStatus, agent::CompatibilityReport};
use serde_json::{Value, json};

use super::{
    escape::escape,
    execution::Execution,
    exit::{CliError, Exit},
    render::{
        error::bullet,
        style::{BOLD, DIM, GREEN, RED, paint},
    },
};

/// The results so far.
#[derive(Default)]
struct Results {
    threads: Vec<Value>,
    /// The threads of other graphs in the same store, which belong to other programs.
    others: Vec<Value>,
    incompatible: usize,
}

impl Execution<'_> {
    pub(super) async fn check(&mut self, thread: Option<String>) -> Result<Exit, CliError> {
        let mut results = Results::default();
        match thread {
            Some(name) => {
                let thread = self.thread_id(&name)?;
                let check = self.engine.check(&thread).await;
                let check = self.with_suggestion(check)?;
                self.record(&check, &mut results)?;
            }
            None => self.check_all(&mut results).await?,
        }
        if self.global.json {
            self.json(&json!({ "threads": results.threads, "others": results.others }))?;
        } else if results.threads.is_empty() && results.others.is_empty() {
            self.terminal.out("No unfinished threads.\n")?;
        } else if !results.others.is_empty() {
            let text = format!("  {} more of other graphs, which are not checked\n", results.others.len());
            self.terminal.out(&paint(DIM, text))?;
        }
        Ok(if results.incompatible == 0 { Exit::Done } else { Exit::Refused })
    }

    /// Checks every thread that has not ended.
    async fn check_all(&mut self, results: &mut Results) -> Result<(), CliError> {
        for standing in
            [ThreadStatus::Waiting, ThreadStatus::InDoubt, ThreadStatus::Failed, ThreadStatus::Running]
        {
            let mut after = None;
            loop {
                let page = self
                    .engine
                    .store
                    .threads(Some(standing), after.as_deref(), 100)
                    .await
                    .map_err(Error::from);
                let page = self.with_suggestion(page)?;
                for (thread, _) in page.items {
                    self.check_one(&thread, results).await?;
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn check_one(&mut self, thread: &ThreadId, results: &mut Results) -> Result<(), CliError> {
        match self.engine.check(thread).await {
            Ok(check) => match check.differences.as_slice() {
                [Incompatibility::OtherGraph { graph, .. }] => {
                    results.others.push(json!({ "thread": thread, "graph": graph }));
                    Ok(())
                }
                _ => self.record(&check, results),
            },
            // Deleted since the page was read.
            Err(Error::UnknownThread { .. }) => Ok(()),
            Err(error @ (Error::Damaged { .. } | Error::Unauthenticated { .. })) => {
                results.incompatible += 1;
                let (code, message) = (error.code(), error.to_string());
                results.threads.push(json!({
                    "thread": thread,
                    "can_go_on": false,
                    "differences": [{ "code": code, "message": message }],
                }));
                self.print(thread, "incompatible", false, &[message])
            }
            Err(error) => Err(error.into()),
        }
    }

    fn record(&mut self, check: &CompatibilityReport, results: &mut Results) -> Result<(), CliError> {
        let mut document = json!(check);
        document["can_go_on"] = check.can_go_on().into();
        results.threads.push(document);
        results.incompatible += usize::from(!check.can_go_on());
        let again = check.reopened.join(" and ");
        let verdict = match check {
            CompatibilityReport { standing: ThreadStatus::Ended, .. } => "ended".to_owned(),
            check if !check.can_go_on() => "incompatible".to_owned(),
            _ if !again.is_empty() => format!("compatible; the review before {again} is reopened"),
            CompatibilityReport { new_code: true, .. } => "compatible, with new code".to_owned(),
            _ => "compatible".to_owned(),
        };
        let changes = check.changes.iter().map(ToString::to_string);
        let reasons: Vec<String> = check.differences.iter().map(ToString::to_string).chain(changes).collect();
        self.print(&check.thread, &verdict, check.can_go_on(), &reasons)
    }

    fn print(
        &mut self,
        thread: &ThreadId,
        verdict: &str,
        is_compatible: bool,
        reasons: &[String],
    ) -> Result<(), CliError> {
        if self.global.json {
            return Ok(());
        }
        let sign = if is_compatible { paint(GREEN, "✓") } else { paint(RED, "✗") };
        let mut text = format!("{sign} {}  {}\n", paint(BOLD, escape(thread.as_str())), escape(verdict));
        for reason in reasons {
            text.push_str(&bullet(reason, self.terminal.width));
        }
        self.terminal.out(&text)
    }
}
