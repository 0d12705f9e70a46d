//! The commands that stop threads, and list the stops.

use hitl_runtime::{Scope, ThreadId, journal::StopKind};
use serde_json::json;

use super::{
    args::StopArgs,
    escape::{escape, escape_sentence},
    execution::Execution,
    exit::{CliError, Exit},
    time::utc,
};

impl Execution<'_> {
    /// Stops a thread, the graph or the store, or lifts a stop.
    pub(super) async fn stop(&mut self, args: StopArgs, kind: Option<StopKind>) -> Result<Exit, CliError> {
        let StopArgs { thread, graph, reason, .. } = args;
        let thread = thread.map(|thread| self.thread_id(&thread)).transpose()?;
        let scope = match &thread {
            Some(thread) => Scope::Thread(thread.clone()),
            None if graph => Scope::Graph,
            None => Scope::Store,
        };
        let roles = self.with_suggestion(self.engine.roles_to_stop(&scope, kind))?;
        // A local operator also holds the role in which it was stopped.
        let stopped_in = self.roles_of_stops(thread.as_ref()).await?;
        let operator = self.operator(roles.iter().chain(&stopped_in).map(String::as_str))?;
        let report = match kind {
            Some(StopKind::Cancel) => {
                self.with_suggestion(self.engine.cancel(scope, &operator, reason).await).map(Some)?
            }
            Some(_) => {
                self.with_suggestion(self.engine.pause(scope, &operator, reason).await).map(|()| None)?
            }
            None => {
                self.with_suggestion(self.engine.unpause(scope, &operator, reason).await).map(|()| None)?
            }
        };
        if let Some(thread) = thread {
            return self.print_status(&thread).await;
        }
        let Some(report) = report else { return self.stops().await };
        if self.global.json {
            let failed = report.failed.iter().map(|(thread, error)| {
                json!({ "thread": thread.as_str(), "error": error.code(), "message": error.to_string() })
            });
            self.json(&json!({
                "cancelled": report.cancelled,
                "failed": failed.collect::<Vec<_>>(),
                "was_lifted": report.was_lifted,
            }))?;
        } else {
            let threads = if report.cancelled == 1 { "thread" } else { "threads" };
            let then = match report.was_lifted {
                true => "then another operator lifted the stop",
                false => "nothing starts until it is unpaused",
            };
            let mut lines = format!("{} {threads} cancelled; {then}\n", report.cancelled);
            for (thread, error) in &report.failed {
                lines += &format!(
                    "{} was not cancelled: {}\n",
                    escape(thread.as_str()),
                    escape_sentence(&error.to_string())
                );
            }
            self.terminal.out(&lines)?;
        }
        Ok(if report.failed.is_empty() { Exit::Done } else { Exit::Failed })
    }

    /// Returns the roles in which the stops that are in force were given.
    async fn roles_of_stops(&self, thread: Option<&ThreadId>) -> Result<Vec<String>, CliError> {
        let stops = match thread {
            Some(thread) => self.view(thread).await?.stop.into_iter().collect(),
            None => self.with_suggestion(self.engine.stops().await)?,
        };
        Ok(stops.into_iter().flat_map(|stop| stop.roles).collect())
    }

    /// Lists the stops of graphs and of the store.
    pub(super) async fn stops(&mut self) -> Result<Exit, CliError> {
        let stops = self.with_suggestion(self.engine.stops().await)?;
        if self.global.json {
            self.json(&json!({ "stops": stops }))?;
        } else if stops.is_empty() {
            self.terminal.out("nothing is stopped\n")?;
        } else {
            let line = |stop: &hitl_runtime::journal::Stop| {
                format!("{} {}\n", utc(stop.since), escape_sentence(&stop.to_string()))
            };
            self.terminal.out(&stops.iter().map(line).collect::<String>())?;
        }
        Ok(Exit::Done)
    }
}
