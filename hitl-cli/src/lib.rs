//! The command-line interface of an agent.
//!
//! ```no_run
//! # use hitl::Agent;
//! use hitl_runtime::agent::Graph;
//! # async fn main_of<G: Graph>(agent: Agent<G>) -> std::process::ExitCode {
//! hitl::cli::run(agent).await
//! # }
//! ```
//!
//! The program has the commands `start`, `inbox`, `show`, `approve`, `edit`, `reject`, `ask`, `history`, `resume`,
//! `pause`, `unpause`, `cancel`, `stops`, `settle`, `fork`, `check`, `verify`, `adopt`, `sweep`, `metrics` and `draw`,
//! and with the feature `agentcore` also `serve`. On a terminal and without a command, it leads a person interactively
//! from the message to the result. Without a terminal it never prompts: missing arguments are errors, a run stops at
//! the review, and the commands that decide it are printed. `--json` prints one document; `--help` lists the exit
//! codes.
//!
//! Drafts and errors cannot control the terminal: control characters, characters that change the reading direction and
//! invisible ones are shown as escapes, a right-to-left value is isolated, and a value that could be confused with
//! another one is marked: `pаypal (mixed scripts: Cyrillic, Latin)`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

mod args;
mod assignment;
mod bidi;
mod check;
mod editor;
mod escape;
mod execution;
mod exit;
mod input;
mod inspect;
mod interactive;
mod invocation;
mod metrics;
mod process;
mod render;
mod schema;
mod select_review;
mod stops;
mod subcommand;
mod suggestions;
mod sweep;
mod terminal;
impl<G: Graph> fmt::Debug for Cli<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cli")
            .field("graph", &G::SPEC.name)
            .field("added", &self.added)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
mod time;
mod verdict;
mod verify;

use std::{ffi::OsString, fmt, marker::PhantomData, process::ExitCode, sync::Arc};

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use futures_util::future::BoxFuture;
use hitl_runtime::{
    Agent, Error, Front,
    agent::Graph,
    graph::GraphSpec,
    journal::JournalKeys,
    plumbing::{Engine, engine, front_engine},
};

pub use exit::Exit;
#[doc(hidden)]
pub use process::open_from_env;
pub use subcommand::Subcommand;
#[doc(hidden)]
pub use subcommand::SubcommandError;
pub use terminal::Io;

use self::{
    args::{Args, Global},
    execution::Execution,
    exit::CliError,
    invocation::Invocation,
    subcommand::Run,
    terminal::Terminal,
};

/// The command-line interface of an agent.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::ffi::OsString;
/// use hitl::cli::{Cli, Exit, Io};
///
/// let program = Cli::new(RefundAgent::new(MemoryStore::new())).greeting("The refund desk.");
/// // `program.run().await` is all that a `main` needs. A test passes arguments and streams:
/// let mut io = Io::process();
/// io.stdin = Box::new(&b"order A-9133 arrived broken"[..]);
/// io.stdin_is_terminal = false;
/// let args = ["refund", "start", "--json"].map(OsString::from);
/// assert_eq!(program.run_on(args, false, io).await, Exit::Waiting);
/// # }
/// ```
pub struct Cli<G: Graph> {
    opened: Opened,
    greeting: Option<String>,
    added: Vec<Subcommand>,
    graph: PhantomData<fn() -> G>,
}

/// The engine of the agent, and that of its front, which are created when they are needed.
struct Opened {
    engine: BoxFuture<'static, Result<Arc<Engine>, Error>>,
    /// `None` if the front is that of the agent.
    front: Option<BoxFuture<'static, Result<Arc<Engine>, Error>>>,
}

impl<G: Graph> Cli<G> {
    /// Creates the interface of an agent. The graph's name and doc comment are its greeting.
    pub fn new(agent: Agent<G>) -> Self {
        Self::open(std::future::ready(Ok::<_, Error>(agent)))
    }

    /// Creates the interface of an agent that is opened when it is needed: `--help` opens no store, and an error of the
    /// store is printed like any other error.
    ///
    /// ```no_run
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::{StoreError, cli::Cli};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::process::ExitCode {
    /// let agent = async { Ok::<_, StoreError>(RefundAgent::new(SqliteStore::open("tickets.db").await?)) };
    /// Cli::open(agent).run().await
    /// # }
    /// ```
    pub fn open<E: Into<Error>>(agent: impl Future<Output = Result<Agent<G>, E>> + Send + 'static) -> Self {
        let opened = async { agent.await.map(|agent| Arc::clone(engine(&agent))).map_err(Into::into) };
        let opened = Opened { engine: Box::pin(opened), front: None };
        Self { opened, greeting: None, added: Vec::new(), graph: PhantomData }
    }

    /// Sets the front of the agent: the same graph and store, without the dependencies of the nodes. A command that
    /// runs no node, `serve --front`, works on it, and its process needs no credentials of an effect. Without this, the
    /// agent is opened, and its dependencies are dropped.
    ///
    /// ```no_run
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// use hitl::{Front, StoreError, cli::{Cli, serve}};
    ///
    /// # fn main() -> std::process::ExitCode {
    /// let agent = async { Ok::<_, StoreError>(RefundAgent::new(SqliteStore::open("tickets.db").await?)) };
    /// let front = async { Ok::<_, StoreError>(Front::<RefundAgent>::new(SqliteStore::open("tickets.db").await?)) };
    /// Cli::open(agent).front(front).subcommand(serve()).main()
    /// # }
    /// ```
    #[must_use]
    pub fn front<E: Into<Error>>(
        mut self,
        front: impl Future<Output = Result<Front<G>, E>> + Send + 'static,
    ) -> Self {
        let opened = async { front.await.map(|front| Arc::clone(front_engine(&front))).map_err(Into::into) };
        self.opened.front = Some(Box::pin(opened));
        self
    }

    /// Sets the text with which the interactive mode and `--help` begin.
    #[must_use]
    pub fn greeting(mut self, greeting: impl Into<String>) -> Self {
        self.greeting = Some(greeting.into());
        self
    }

    /// Adds a command, such as `hitl::cli::serve()`.
    #[must_use]
    pub fn subcommand(mut self, added: Subcommand) -> Self {
        self.added.push(added);
        self
    }

    /// Executes the program's arguments, and returns its exit code.
    #[must_use = "the exit code is the result of the command: return it from `main`"]
    pub async fn run(self) -> ExitCode {
        let by_cargo = std::env::var_os("CARGO").is_some();
        self.run_on(std::env::args_os(), by_cargo, Io::process()).await.into()
    }

    /// Executes the given arguments (the program's name first) on the given streams. `by_cargo` means that `cargo run`
    /// started the program; the commands that it prints then begin with `cargo run`.
    pub async fn run_on(self, args: impl IntoIterator<Item = OsString>, by_cargo: bool, io: Io) -> Exit {
        let Self { opened, greeting, added, .. } = self;
        execute(G::SPEC, opened, greeting, added, args.into_iter().collect(), by_cargo, io).await
    }
}

/// Executes arguments: [`Cli::run_on`] without the graph's type.
async fn execute(
    graph: &GraphSpec,
    opened: Opened,
    greeting: Option<String>,
    added: Vec<Subcommand>,
    args: Vec<OsString>,
    by_cargo: bool,
    io: Io,
) -> Exit {
    let invocation =
        Invocation::from_argv0(args.first().map(OsString::as_os_str).unwrap_or_default(), by_cargo);
    let wants_json = wants_json(&args);
    let (args, added) = match parse(graph, greeting.as_deref(), added, &args, &invocation) {
        Ok(parsed) => parsed,
        Err(error) => return report_parse_error(&error, wants_json, io),
    };
    let invocation = invocation.with_operator(args.global.operator_options());
    let json = args.global.json;
    let mut terminal = Terminal::new(io, args.global.color, json);
    if let Some((Subcommand { run: Run::Missing(reason), .. }, _)) = added {
        return report(&mut terminal, &CliError::usage(reason), wants_json);
    }
    let needs_front = added.as_ref().is_some_and(|(added, matches)| (added.needs_front)(matches));
    let engine = match (needs_front, opened.front) {
        (true, Some(front)) => front,
        _ => opened.engine,
    };
    let engine = match engine.await {
        Ok(engine) => engine,
        Err(error) => return report(&mut terminal, &CliError::from(error), json),
    };
    if engine.keys.is_none() && JournalKeys::are_asked_for() {
        let problem = "HITL_JOURNAL_KEY is set, but this program's agent has no journal keys; call \
                       `.journal_keys(…)` with `JournalKeys::from_env()`, or unset the variable";
        let error = Error::NotSetUp { problem: problem.to_owned() };
        return report(&mut terminal, &CliError::from(error), json);
    }
    if let Some((Subcommand { run: Run::OnEngine(run), .. }, matches)) = added {
        return match run(Arc::clone(&engine), matches).await {
            Ok(()) => Exit::Done,
            Err(error) => report(&mut terminal, &error.into(), json),
        };
    }
    let mut execution = Execution::new(&engine, greeting.as_deref(), invocation, args.global, terminal);
    match execution.command(args.command).await {
        Ok(exit) => exit,
        Err(error) => report(&mut execution.terminal, &error, json),
    }
}

/// Parses the arguments, with the graph's name and the greeting in `--help`. An added command has its work and its own
/// arguments beside the common ones.
fn parse(
    graph: &GraphSpec,
    greeting: Option<&str>,
    added: Vec<Subcommand>,
    args: &[OsString],
    invocation: &Invocation,
) -> Result<(Args, Option<(Subcommand, ArgMatches)>), clap::Error> {
    let about = greeting.unwrap_or(graph.docs.trim());
    let command = Args::command()
        .bin_name(invocation.as_str())
        .about(format!("{}: {about}", graph.name))
        .subcommand_required(false)
        .subcommands(added.iter().map(|added| added.command.clone()));
    let mut matches = command.try_get_matches_from(args)?;
    if let Some(name) = matches.subcommand_name()
        && let Some(added) = added.into_iter().find(|added| added.command.get_name() == name)
        && let Some((_, own)) = matches.remove_subcommand()
    {
        let args = Args { command: None, global: Global::from_arg_matches(&own)? };
        return Ok((args, Some((added, own))));
    }
    Ok((Args::from_arg_matches(&matches)?, None))
}

/// Prints `--help`, or an error in the arguments.
fn report_parse_error(error: &clap::Error, json: bool, io: Io) -> Exit {
    let mut terminal = Terminal::new(io, args::Color::Auto, json);
    if !error.use_stderr() {
        let text = error.render().ansi().to_string();
        return terminal.out(&text).map_or(Exit::Io, |()| Exit::Done);
    }
    // The error quotes the arguments, so their control characters are escaped. Without any, keep clap's colors.
    let plain = error.to_string();
    let escaped: Vec<_> = plain.lines().map(escape::escape_sentence).collect();
    if json {
        return report(&mut terminal, &CliError::usage(escaped.join("\n").trim()), true);
    }
    let has_escapes = !plain.lines().all(escape::is_plain);
    if has_escapes {
        terminal.err(&format!("{}\n", escaped.join("\n")));
    } else {
        terminal.err(&error.render().ansi().to_string());
    }
    Exit::Usage
}

fn report(terminal: &mut Terminal, error: &CliError, json: bool) -> Exit {
    if json {
        let text = error.json().to_string();
        if terminal.raw(&format!("{}\n", escape::escape_json(&text))).is_err() {
            return Exit::Io;
        }
    } else {
        let width = terminal.width;
        terminal.err(&render::error::format(error, width));
    }
    error.exit
}

/// Returns whether arguments that could not be parsed ask for JSON.
fn wants_json(args: &[OsString]) -> bool {
    args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}
