//! The command line that every agent gets.
//!
//! ```no_run
//! # use hitl::Agent;
//! use hitl_runtime::run::Graph;
//! # async fn main_of<G: Graph>(agent: Agent<G>) -> std::process::ExitCode {
//! hitl::cli::run(agent).await
//! # }
//! ```
//!
//! The program then has `start`, `inbox`, `show`, `approve`, `edit`, `reject`, `ask`, `history`, `resume`, `settle`,
//! `fork`, `check`, `verify`, `sweep` and `draw`. On a terminal and with no command it walks a person from the message to
//! the result.
//! Without a terminal it asks nothing: what is missing is an error, a run stops at the review, and the commands that
//! decide it are printed. `--json` prints one document; `--help` lists the exit codes.
//!
//! Whatever a draft or an error holds, it cannot act on the terminal: control characters, characters that turn the
//! reading direction and those that cannot be seen are spelt out, a right-to-left value is kept to itself, and one that
//! could pass for another is pointed out: `pаypal (mixed scripts: Cyrillic, Latin)`.

mod ages;
mod args;
mod check;
mod choose;
#[cfg(feature = "agentcore")]
mod container;
mod draw;
mod editor;
mod escape;
mod exit;
mod input;
mod look;
mod main;
mod next;
mod program;
mod render;
mod schema;
mod screen;
mod session;
mod set;
mod sweep;
#[cfg(test)]
mod tests;
mod verdict;
mod verify;
mod visible;
mod walk;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches};
use futures_util::future::BoxFuture;

pub use exit::Exit;
pub use main::main;
pub use screen::Io;

use self::{args::Args, exit::Refusal, program::Program, screen::Screen, session::Session};
use crate::{Agent, Error, journal::JournalKeys, run::Graph};

/// Does what the program's arguments say, and gives the program's exit code.
pub async fn run<G: Graph>(agent: Agent<G>) -> ExitCode {
    Cli::new(agent).run().await
}

/// An agent as a program.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::ffi::OsString;
/// use hitl::cli::{Cli, Exit, Io};
///
/// let program = Cli::new(RefundAgent::new(MemoryStore::new())).greeting("The refund desk.");
/// // `program.run().await` is the whole of a `main`. A test gives it arguments and streams of its own:
/// let io = Io { stdin: Box::new(&b"order A-9133 arrived broken"[..]), stdin_is_terminal: false, ..Io::process() };
/// let args = ["refund", "start", "--json"].map(OsString::from);
/// assert_eq!(program.run_on(args, false, io).await, Exit::Waits);
/// # }
/// ```
pub struct Cli<G: Graph> {
    agent: BoxFuture<'static, Result<Agent<G>, Error>>,
    greeting: Option<String>,
}

impl<G: Graph> Cli<G> {
    /// The agent's own name and doc comment are its greeting.
    pub fn new(agent: Agent<G>) -> Self {
        Self::open(std::future::ready(Ok::<_, Error>(agent)))
    }

    /// With an agent that is made once it is needed: `--help` opens no store, and a store that does not open is told
    /// as every other error is.
    ///
    /// ```no_run
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// use hitl::{StoreError, cli::Cli};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::process::ExitCode {
    /// let agent = async { Ok::<_, StoreError>(RefundAgent::new(SqliteStore::open("tickets.db").await?)) };
    /// Cli::open(agent).run().await
    /// # }
    /// ```
    pub fn open<E: Into<Error>>(agent: impl Future<Output = Result<Agent<G>, E>> + Send + 'static) -> Self {
        Self { agent: Box::pin(async { agent.await.map_err(Into::into) }), greeting: None }
    }

    /// What the walk and `--help` begin with.
    #[must_use]
    pub fn greeting(mut self, greeting: impl Into<String>) -> Self {
        self.greeting = Some(greeting.into());
        self
    }

    /// Does what the program's arguments say, and gives the program's exit code.
    pub async fn run(self) -> ExitCode {
        let by_cargo = std::env::var_os("CARGO").is_some();
        self.run_on(std::env::args_os(), by_cargo, Io::process()).await.into()
    }

    /// The same with arguments (the program's name first) and streams of one's own. `by_cargo` says that `cargo run`
    /// has started the program, so that the commands it prints begin so.
    pub async fn run_on(self, args: impl IntoIterator<Item = OsString>, by_cargo: bool, io: Io) -> Exit {
        let args: Vec<OsString> = args.into_iter().collect();
        let program = Program::called(args.first().map(OsString::as_os_str).unwrap_or_default(), by_cargo);
        let args = match self.parse(&args, &program) {
            Ok(args) => args,
            Err(error) => return misread(&error, wants_json(&args), io),
        };
        let json = args.global.json;
        let mut screen = Screen::new(io, args.global.color, json);
        let agent = match self.agent.await {
            Ok(agent) if agent.inner.keys.is_none() && JournalKeys::are_asked_for() => {
                let problem = "HITL_JOURNAL_KEY is set, but this program's agent has no journal keys; call \
                               `.journal_keys(…)` with `JournalKeys::from_env()`, or unset the variable";
                let error = Error::NotSetUp { problem: problem.to_owned() };
                return refuse(&mut screen, &Refusal::from(error), json);
            }
            Ok(agent) => agent,
            Err(error) => return refuse(&mut screen, &Refusal::from(error), json),
        };
        let mut session = Session::new(&agent, self.greeting.as_deref(), program, args.global, screen);
        match session.command(args.command).await {
            Ok(exit) => exit,
            Err(refusal) => refuse(&mut session.screen, &refusal, json),
        }
    }

    fn parse(&self, args: &[OsString], program: &Program) -> Result<Args, clap::Error> {
        let about = self.greeting.as_deref().unwrap_or(G::SPEC.docs.trim());
        let command = Args::command()
            .bin_name(program.as_str())
            .about(format!("{}: {about}", G::SPEC.name))
            .subcommand_required(false);
        Args::from_arg_matches(&command.try_get_matches_from(args)?)
    }
}

/// `--help`, or arguments that are none.
fn misread(error: &clap::Error, json: bool, io: Io) -> Exit {
    let mut screen = Screen::new(io, args::Colour::Auto, json);
    if !error.use_stderr() {
        let text = error.render().ansi().to_string();
        return screen.out(&text).map_or(Exit::Broken, |()| Exit::Done);
    }
    // What was typed is said again, and must not act on the terminal either. Colours, where nothing would.
    let plain = error.to_string();
    let said: Vec<_> = plain.lines().map(escape::escape_sentence).collect();
    if json {
        return refuse(&mut screen, &Refusal::usage(said.join("\n").trim()), true);
    }
    let acts = !plain.lines().all(escape::is_plain);
    if acts {
        screen.err(&format!("{}\n", said.join("\n")));
    } else {
        screen.err(&error.render().ansi().to_string());
    }
    Exit::Usage
}

fn refuse(screen: &mut Screen, refusal: &Refusal, json: bool) -> Exit {
    if json {
        let text = refusal.json().to_string();
        if screen.raw(&format!("{}\n", escape::escape_json(&text))).is_err() {
            return Exit::Broken;
        }
    } else {
        let width = screen.width;
        screen.err(&render::refusal::refusal(refusal, width));
    }
    refusal.exit
}

/// Whether arguments that could not be read ask for JSON.
fn wants_json(args: &[OsString]) -> bool {
    args.iter().skip(1).take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}
