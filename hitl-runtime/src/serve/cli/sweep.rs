//! `sweep`: resuming abandoned threads, expiring reviews, and reporting reminders.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    ages::ago,
    escape::{escape, escape_json, escape_sentence},
    exit::{Exit, Refusal},
    session::Session,
};
use crate::{
    Error, Standing,
    guard::said,
    run::{Graph, Noticed},
};

impl<G: Graph> Session<'_, G> {
    pub(super) async fn sweep(&mut self, every: Option<Duration>) -> Result<Exit, Refusal> {
        match every {
            None => self.sweep_once().await,
            Some(every) => self.keep_watch(every).await,
        }
    }

    async fn sweep_once(&mut self) -> Result<Exit, Refusal> {
        let noticed = self.agent.sweep().await;
        let noticed = self.mended(noticed)?;
        let exit = exit(&noticed);
        if self.global.json {
            let noticed: Vec<_> = noticed.iter().map(document).collect();
            self.json(&json!({ "noticed": noticed }))?;
        } else if noticed.is_empty() {
            self.screen.out("Nothing was due.\n")?;
        } else {
            let now_ms = self.agent.now_ms();
            let lines: String = noticed.iter().map(|noticed| line(noticed, now_ms)).collect();
            self.screen.out(&lines)?;
        }
        Ok(exit)
    }

    /// Sweeps repeatedly and prints a line for each event, with `--json` a document for each, until Ctrl-C.
    async fn keep_watch(&mut self, every: Duration) -> Result<Exit, Refusal> {
        let (agent, as_json) = (self.agent.clone(), self.global.json);
        let interrupt = self.screen.interrupt();
        let (fail, failed) = oneshot::channel();
        let (screen, mut fail) = (&mut self.screen, Some(fail));
        let watch = agent.watch(every, |noticed| {
            let told = match (noticed, as_json) {
                (Ok(noticed), true) => {
                    screen.raw(&format!("{}\n", escape_json(&document(&noticed).to_string())))
                }
                (Ok(noticed), false) => screen.out(&line(&noticed, agent.now_ms())),
                // Continue: the store may be available again at the next sweep.
                (Err(error), _) => {
                    screen.err(&format!("{}\n", escape_sentence(&error.to_string())));
                    Ok(())
                }
            };
            if let Err(refusal) = told
                && let Some(fail) = fail.take()
            {
                let _ = fail.send(refusal);
            }
        });
        // `watch` ends only by a panic, for example in the store. Restarting is left to the program's supervisor.
        let watch = AssertUnwindSafe(watch).catch_unwind();
        match select(Box::pin(watch), select(Box::pin(interrupt), failed)).await {
            Either::Left((Ok(never), _)) => never,
            Either::Left((Err(panic), _)) => {
                let problem = format!("the sweep panicked: {}", said(panic));
                Err(Refusal::new(Exit::Store, "sweep_ended", problem))
            }
            Either::Right((Either::Right((Ok(refusal), _)), _)) => Err(refusal),
            Either::Right(_) => Ok(Exit::Interrupted),
        }
    }
}

/// Returns the exit status for the worst event: a thread that failed, a thread that is incompatible with this program,
/// or neither. A store that cannot be read is an error of the command itself.
fn exit(noticed: &[Noticed]) -> Exit {
    let failed = |noticed: &Noticed| match noticed {
        Noticed::Moved { standing, .. } => ended_badly(*standing),
        Noticed::Refused { error, .. } => matches!(error, Error::UserCodeFailed { .. }),
        Noticed::Waits { .. } => false,
    };
    if noticed.iter().any(failed) {
        Exit::Failed
    } else if noticed.iter().any(|noticed| matches!(noticed, Noticed::Refused { .. })) {
        Exit::Refused
    } else {
        Exit::Done
    }
}

fn ended_badly(standing: Standing) -> bool {
    matches!(standing, Standing::Failed | Standing::InDoubt)
}

fn line(noticed: &Noticed, now_ms: u64) -> String {
    match noticed {
        Noticed::Moved { thread, standing } if ended_badly(*standing) => {
            format!("{}  is {}\n", escape(thread.as_str()), standing.as_str().replace('_', " "))
        }
        Noticed::Moved { thread, .. } => format!("{}  goes on\n", escape(thread.as_str())),
        Noticed::Waits { review } => format!(
            "{}  still waits before {}, opened {}\n",
            escape(review.thread.as_str()),
            escape(&review.node),
            ago(review.opened_ms, now_ms)
        ),
        Noticed::Refused { error, .. } => format!("{}\n", escape_sentence(&error.to_string())),
    }
}

fn document(noticed: &Noticed) -> Value {
    match noticed {
        Noticed::Moved { thread, standing } => {
            json!({ "thread": thread, "is": "moved", "standing": standing })
        }
        Noticed::Waits { review } => json!({ "thread": review.thread, "is": "waits", "review": review }),
        Noticed::Refused { thread, error } => {
            json!({ "thread": thread, "is": "refused", "code": error.code(), "message": error.to_string() })
        }
    }
}
