//! The execution of one command.

use std::sync::Arc;

use futures_util::future::{Either, select};
use hitl_runtime::{
    Error, Operator, Place, ThreadId,
    agent::ThreadView,
    journal::{Evidence, Settlement, StopKind, Values},
    plumbing::Engine,
};
use serde::Serialize;

use super::{
    args::{Command, Global, How},
    assignment::{self, Assignment},
    escape::escape_json,
    exit::{CliError, Exit},
    invocation::Invocation,
    render::{
        style::{DIM, paint},
        thread::{self, RenderContext},
    },
    schema::Schema,
    suggestions::{suggestions, verdicts},
    terminal::Terminal,
};

pub(super) struct Execution<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) greeting: Option<&'a str>,
    pub(super) invocation: Invocation,
    pub(super) global: Global,
    pub(super) terminal: Terminal,
}

impl<'a> Execution<'a> {
    pub(super) fn new(
        engine: &'a Arc<Engine>,
        greeting: Option<&'a str>,
        invocation: Invocation,
        global: Global,
        terminal: Terminal,
    ) -> Self {
        Self { engine, greeting, invocation, global, terminal }
    }

    pub(super) async fn command(&mut self, command: Option<Command>) -> Result<Exit, CliError> {
        if self.terminal.interactive {
            self.terminal.catch_interrupts();
        }
        match command {
            None if self.terminal.interactive => self.run_interactive().await,
            None => self.start(Vec::new(), None, None, Vec::new()).await,
            Some(Command::Start { message, thread, input, set }) => {
                self.start(message, thread, input, set).await
            }
            Some(Command::Inbox { limit, after }) => self.inbox(limit, after).await,
            Some(Command::Show { thread }) => self.show(&thread).await,
            Some(Command::Approve { review }) => self.approve(review).await,
            Some(Command::Edit { review, set, patch }) => self.edit(review, set, patch).await,
            Some(Command::Reject { review, reason }) => self.reject(review, reason).await,
            Some(Command::Ask { review, question }) => self.ask(review, question).await,
            Some(Command::History { thread, from, limit }) => self.history(&thread, from, limit).await,
            Some(Command::Resume { thread }) => self.resume(&thread).await,
            Some(Command::Pause { stop }) => self.stop(stop, Some(StopKind::Pause)).await,
            Some(Command::Unpause { stop }) => self.stop(stop, None).await,
            Some(Command::Cancel { stop }) => self.stop(stop, Some(StopKind::Cancel)).await,
            Some(Command::Stops) => self.stops().await,
            Some(Command::Settle { thread, digest, how }) => self.settle(&thread, digest, how).await,
            Some(Command::Fork { thread, at, new }) => self.fork(&thread, at, new).await,
            Some(Command::Check { thread }) => self.check(thread).await,
            Some(Command::Adopt { thread, against }) => self.adopt(&thread, against.as_deref()).await,
            Some(Command::Verify { thread, against }) => self.verify(thread, against.as_deref()).await,
            Some(Command::Sweep { every }) => self.sweep(every).await,
            Some(Command::Metrics { metrics }) => self.metrics(metrics).await,
            Some(Command::Draw { thread, format, output }) => self.draw(thread, format, output).await,
        }
    }

    async fn resume(&mut self, thread: &str) -> Result<Exit, CliError> {
        let thread = self.thread_id(thread)?;
        let (engine, requester) = (Arc::clone(self.engine), self.requester());
        let resumed = engine.resume(thread.clone(), requester.as_ref());
        let resumed = self.run_interruptible(&thread, resumed).await?;
        self.with_suggestion(resumed)?;
        self.print_status(&thread).await
    }

    async fn fork(&mut self, thread: &str, at: Place, new: Option<String>) -> Result<Exit, CliError> {
        let thread = self.thread_id(thread)?;
        let new = self.new_thread(new).await?;
        let (engine, requester) = (Arc::clone(self.engine), self.requester());
        let forked = engine.fork(&thread, at, new.clone(), requester.as_ref());
        let forked = self.run_interruptible(&new, forked).await?;
        self.with_suggestion(forked)?;
        self.print_status(&new).await
    }

    async fn settle(&mut self, thread: &str, digest: Option<String>, how: How) -> Result<Exit, CliError> {
        let thread = self.thread_id(thread)?;
        let view = self.compatible_view(&thread).await?;
        let Some(doubt) = &view.in_doubt else {
            return self.with_suggestion(Err(Error::NotInDoubt { thread }));
        };
        if let Some(digest) = digest {
            if digest.len() < 8 {
                return Err(CliError::usage("the digest is too short: give at least its first 8 digits"));
            }
            if !doubt.digest.to_string().starts_with(&digest) {
                return self.with_suggestion(Err(Error::NotInDoubt { thread }));
            }
        }
        let any = doubt.any_role.iter().take(1).filter(|_| doubt.role.is_none());
        let roles = doubt.role.iter().chain(doubt.roles.iter().skip(1)).chain(any).map(String::as_str);
        let operator = self.operator(roles)?;
        let how = match how {
            How::RunAgain => Settlement::RunAgain,
            How::Stop { note } => Settlement::Stop { note },
            How::Happened { set } => {
                Settlement::Happened { wrote: self.written_values(&doubt.writes, &set)? }
            }
        };
        let engine = Arc::clone(self.engine);
        let settled = self
            .run_interruptible(&thread, engine.settle(thread.clone(), doubt.digest, &operator, how))
            .await?;
        if let Err(error) = self.with_suggestion(settled) {
            let message = format!("the given result of `{}` in thread `{thread}` is invalid", doubt.node);
            return Err(if error.code == "invalid" { CliError { message, ..error } } else { error });
        }
        self.print_status(&thread).await
    }

    /// Reads the values that an effect would have written from `--set` options.
    fn written_values(&self, writes: &[&str], set: &[String]) -> Result<Values, CliError> {
        let given = self.fields(set, writes, "the node writes")?;
        serde_json::from_value(given)
            .map_err(|e| CliError::usage(format_args!("the values are not valid JSON: {e}")))
    }

    /// Reads fields of the state from assignments, each according to its type.
    pub(super) fn fields(
        &self,
        set: &[String],
        known: &[&str],
        what: &str,
    ) -> Result<serde_json::Value, CliError> {
        let mut out = serde_json::Value::Object(serde_json::Map::new());
        for text in set {
            let assignment = Assignment::parse(text)?;
            let name = assignment.field();
            if !known.contains(&name) {
                let near = hitl_core::text::nearest(name, known.iter().copied());
                let known = hitl_core::text::or_list(known);
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(CliError::usage(format_args!(
                    "`{name}` cannot be set here: {what} {known}{near}"
                )));
            }
            let is_text =
                self.engine.graph.spec.state.field(name).is_some_and(|field| assignment::is_text(field.ty));
            let kind = is_text.then(|| serde_json::json!({ "properties": { name: { "type": "string" } } }));
            assignment.apply(&mut out, kind.as_ref().map(Schema::new))?;
        }
        Ok(out)
    }

    /// Waits for the engine, shows the running node on a terminal, and returns early on Ctrl-C.
    pub(super) async fn run_interruptible<T>(
        &mut self,
        thread: &ThreadId,
        work: impl Future<Output = T>,
    ) -> Result<T, CliError> {
        let interrupt = self.terminal.interrupt();
        let progress = self.progress(thread.clone());
        let can_redraw = self.terminal.can_redraw();
        let end = select(Box::pin(work), select(Box::pin(interrupt), Box::pin(progress))).await;
        if can_redraw {
            self.terminal.raw("\r\u{1b}[K")?;
        }
        match end {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(CliError::new(
                Exit::Interrupted,
                "interrupted",
                format_args!("interrupted while thread `{thread}` ran; its progress is stored"),
            )
            .detail("thread", thread.as_str())
            .suggest(self.invocation.on_thread("resume", thread.as_str(), &[]))),
        }
    }

    /// Shows the running node after a short delay. Never completes.
    fn progress(&self, thread: ThreadId) -> impl Future<Output = ()> + use<> {
        let (engine, can_redraw) = (Arc::clone(self.engine), self.terminal.can_redraw());
        async move {
            if !can_redraw {
                std::future::pending::<()>().await;
            }
            let mut every = tokio::time::interval(std::time::Duration::from_millis(400));
            every.tick().await;
            loop {
                every.tick().await;
                if let Ok(view) = engine.view(&thread).await
                    && let Some(node) = view.nodes.first()
                {
                    use std::io::Write as _;
                    let line = paint(DIM, format_args!("… {}", super::escape::escape(node)));
                    let _ = write!(std::io::stdout(), "\r\u{1b}[K{line}")
                        .and_then(|()| std::io::stdout().flush());
                }
            }
        }
    }

    /// Prints a thread's status after a command, with the next commands.
    pub(super) async fn print_status(&mut self, thread: &ThreadId) -> Result<Exit, CliError> {
        let view = self.view(thread).await?;
        self.print_view(&view, false)?;
        Ok(Exit::from_view(&view))
    }

    pub(super) fn print_view(&mut self, view: &ThreadView, details: bool) -> Result<(), CliError> {
        let next = suggestions(view, &self.invocation, self.engine.now());
        if self.global.json {
            let next: Vec<String> = next.into_iter().map(|suggestion| suggestion.command).collect();
            return self.json(&StatusDocument { view, next });
        }
        let context = self.render_context();
        let mut parts = Vec::new();
        // Each review with its own commands, so that they are not confused.
        let alone = view.reviews.len() < 2 || !view.differences.is_empty();
        if alone {
            parts.push(thread::thread(view, context));
        } else {
            for review in &view.reviews {
                parts.push(thread::review(view, review, context));
                parts.push(thread::suggestions(&verdicts(view, review, &self.invocation, self.engine.now())));
            }
        }
        if details {
            parts.push(thread::details(view, context));
        }
        if alone && !next.is_empty() {
            parts.push(thread::suggestions(&next));
        }
        self.terminal.out(&parts.join("\n"))
    }

    /// Prints a JSON document.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).map_err(|e| {
            CliError::new(Exit::Io, "io", format_args!("the output cannot be serialized as JSON: {e}"))
        })?;
        self.terminal.raw(&format!("{}\n", escape_json(&text)))
    }

    pub(super) fn render_context(&self) -> RenderContext {
        RenderContext {
            now: self.engine.now(),
            width: self.terminal.width,
            fields: self.engine.graph.spec.state.fields,
        }
    }

    pub(super) async fn view(&self, thread: &ThreadId) -> Result<ThreadView, CliError> {
        let view = self.engine.view(thread).await;
        self.with_suggestion(view)
    }

    /// Returns a thread that a command is about to change, or an error if it is incompatible, before the person is
    /// prompted.
    pub(super) async fn compatible_view(&self, thread: &ThreadId) -> Result<ThreadView, CliError> {
        let view = self.view(thread).await?;
        if view.differences.is_empty() {
            return Ok(view);
        }
        let differences = view.differences;
        self.with_suggestion(Err(Error::GraphChanged { thread: thread.clone(), differences }))
    }

    /// Parses the name of a thread that may exist already, even if new threads may not have such a name.
    pub(super) fn thread_id(&self, name: &str) -> Result<ThreadId, CliError> {
        self.with_suggestion(ThreadId::existing(name).map_err(Error::from))
    }

    /// Converts an error of the agent, and adds a command that may solve the problem.
    pub(super) fn with_suggestion<T>(&self, result: Result<T, Error>) -> Result<T, CliError> {
        result.map_err(|error| {
            let on = |command: &str, thread: &ThreadId| {
                Some(self.invocation.on_thread(command, thread.as_str(), &[]))
            };
            let next = match &error {
                Error::UnknownThread { .. } => Some(self.invocation.command(["inbox"])),
                Error::Stopped { .. } | Error::NotPaused { .. } => Some(self.invocation.command(["stops"])),
                Error::ThreadExists { thread }
                | Error::Cancelled { thread, .. }
                | Error::ThreadEnded { thread, .. }
                | Error::Stale { thread, .. }
                | Error::AlreadyDecided { thread, .. }
                | Error::Expired { thread, .. }
                | Error::GraphChanged { thread, .. }
                | Error::OtherCode { thread, .. }
                | Error::NotInDoubt { thread } => on("show", thread),
                Error::NoSuchPlace { thread, .. } | Error::SignatureNotCarried { thread, .. } => {
                    on("history", thread)
                }
                Error::Damaged { thread, .. } | Error::Unauthenticated { thread, .. } => on("verify", thread),
                _ => None,
            };
            let error = CliError::from(error);
            match next {
                Some(command) => error.suggest(command),
                None => error,
            }
        })
    }

    /// Returns the operator. Without `--role`, a local operator holds the roles in `default_roles`.
    pub(super) fn operator<'r>(
        &self,
        default_roles: impl IntoIterator<Item = &'r str>,
    ) -> Result<Operator, CliError> {
        let name = self.global.operator_name().ok_or_else(|| {
            CliError::usage(
                "the operator is unknown: give --operator NAME or set HITL_OPERATOR; the journal records the name",
            )
        })?;
        let mut operator = Operator::claimed(name.trim());
        for role in &self.global.roles {
            operator = operator.role(role.as_str());
        }
        for role in default_roles.into_iter().filter(|_| self.global.roles.is_empty()) {
            operator = operator.role(role);
        }
        Ok(operator.with_evidence(Evidence::through("cli")))
    }

    /// Sets the operator's name, also for the commands that are printed.
    pub(super) fn set_operator(&mut self, name: String) {
        self.global.operator = Some(name);
        self.invocation = self.invocation.clone().with_operator(self.global.operator_options());
    }

    /// Returns the operator who starts, forks or resumes a thread, if `--operator` names one, or if a review of the
    /// graph depends on who they are.
    pub(super) fn requester(&self) -> Option<Operator> {
        let mut nodes = self.engine.graph.spec.nodes.iter();
        let is_named = self.global.operator.is_some() || nodes.any(|node| node.excludes_requester());
        self.operator(None).ok().filter(|_| is_named)
    }
}

#[derive(Serialize)]
struct StatusDocument<'a> {
    #[serde(flatten)]
    view: &'a ThreadView,
    next: Vec<String>,
}
