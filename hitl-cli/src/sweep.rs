//! `sweep`: resuming abandoned threads, expiring reviews, and reporting reminders.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use hitl_runtime::{Error, ThreadStatus, Timestamp, agent::SweepEvent, plumbing::panic_message};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    escape::{escape, escape_json, escape_sentence},
    execution::Execution,
    exit::{CliError, Exit},
    time::ago,
};

impl Execution<'_> {
    pub(super) async fn sweep(&mut self, every: Option<Duration>) -> Result<Exit, CliError> {
        match every {
            None => self.sweep_once().await,
            Some(every) => self.sweep_repeatedly(every).await,
        }
    }

    async fn sweep_once(&mut self) -> Result<Exit, CliError> {
        let events = self.engine.sweep().await;
        let events = self.with_suggestion(events)?;
        let exit = exit(&events);
        if self.global.json {
            let events: Vec<_> = events.iter().map(document).collect();
            self.json(&json!({ "noticed": events }))?;
        } else if events.is_empty() {
            self.terminal.out("Nothing was due.\n")?;
        } else {
            let now = self.engine.now();
            let lines: String = events.iter().map(|event| line(event, now)).collect();
            self.terminal.out(&lines)?;
        }
        Ok(exit)
    }

    /// Sweeps repeatedly and prints a line for each event, with `--json` a document for each, until Ctrl-C.
    async fn sweep_repeatedly(&mut self, every: Duration) -> Result<Exit, CliError> {
        let (engine, as_json) = (Arc::clone(self.engine), self.global.json);
        let interrupt = self.terminal.interrupt();
        let (fail, failed) = oneshot::channel();
        let (terminal, mut fail) = (&mut self.terminal, Some(fail));
        let watch = engine.watch(every, |event| {
            let printed = match (event, as_json) {
                (Ok(event), true) => {
                    terminal.raw(&format!("{}\n", escape_json(&document(&event).to_string())))
                }
                (Ok(event), false) => terminal.out(&line(&event, engine.now())),
                // Continue: the store may be available again at the next sweep.
                (Err(error), _) => {
                    terminal.err(&format!("{}\n", escape_sentence(&error.to_string())));
                    Ok(())
                }
            };
            if let Err(error) = printed
                && let Some(fail) = fail.take()
            {
                let _ = fail.send(error);
            }
        });
        // `watch` ends only by a panic, for example in the store. Restarting is left to the program's supervisor.
        let watch = AssertUnwindSafe(watch).catch_unwind();
        match select(Box::pin(watch), select(Box::pin(interrupt), failed)).await {
            Either::Left((Ok(never), _)) => never,
            Either::Left((Err(panic), _)) => {
                let problem = format!("the sweep panicked: {}", panic_message(panic));
                Err(CliError::new(Exit::Store, "sweep_ended", problem))
            }
            Either::Right((Either::Right((Ok(error), _)), _)) => Err(error),
            Either::Right(_) => Ok(Exit::Interrupted),
        }
    }
}

/// Returns the exit status for the worst event: a thread that failed, a thread that is incompatible with this program,
/// or neither. A store that cannot be read is an error of the command itself.
fn exit(events: &[SweepEvent]) -> Exit {
    let failed = |event: &SweepEvent| match event {
        SweepEvent::Moved { standing, .. } => is_failure(*standing),
        SweepEvent::Refused { error, .. } => matches!(error, Error::UserCodeFailed { .. }),
        _ => false,
    };
    if events.iter().any(failed) {
        Exit::Failed
    } else if events.iter().any(|event| matches!(event, SweepEvent::Refused { .. })) {
        Exit::Refused
    } else {
        Exit::Done
    }
}

fn is_failure(standing: ThreadStatus) -> bool {
    matches!(standing, ThreadStatus::Failed | ThreadStatus::InDoubt)
}

fn line(event: &SweepEvent, now: Timestamp) -> String {
    match event {
        SweepEvent::Moved { thread, standing, .. } if is_failure(*standing) => {
            format!("{}  is {}\n", escape(thread.as_str()), standing.as_str().replace('_', " "))
        }
        SweepEvent::Moved { thread, .. } => format!("{}  continued\n", escape(thread.as_str())),
        SweepEvent::Waits { review, .. } => format!(
            "{}  still waits before {}, opened {}\n",
            escape(review.thread.as_str()),
            escape(&review.node),
            ago(review.opened, now)
        ),
        SweepEvent::Refused { error, .. } => format!("{}\n", escape_sentence(&error.to_string())),
        _ => String::new(),
    }
}

fn document(event: &SweepEvent) -> Value {
    match event {
        SweepEvent::Moved { thread, standing, .. } => {
            json!({ "thread": thread, "is": "moved", "standing": standing })
        }
        SweepEvent::Waits { review, .. } => {
            json!({ "thread": review.thread, "is": "waits", "review": review })
        }
        SweepEvent::Refused { thread, error, .. } => {
            json!({ "thread": thread, "is": "refused", "code": error.code(), "message": error.to_string() })
        }
        _ => json!({ "is": "other" }),
    }
}
