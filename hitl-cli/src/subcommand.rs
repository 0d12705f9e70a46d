//! Commands that other parts of a program add to the command line of an agent.

use std::{fmt, sync::Arc};

use clap::{Arg, ArgMatches, Command};
use futures_util::future::BoxFuture;
use hitl_runtime::plumbing::Engine;

use crate::exit::{CliError, Exit};

type Work =
    Box<dyn FnOnce(Arc<Engine>, ArgMatches) -> BoxFuture<'static, Result<(), SubcommandError>> + Send>;

/// The work of a command.
pub(crate) enum Run {
    /// It works on the engine of the agent.
    OnEngine(Work),
    /// It is not in this program, for this reason.
    Missing(&'static str),
}

/// A command that another part of a program adds to the command line of an agent, such as the server's `serve`.
pub struct Subcommand {
    pub(crate) command: Command,
    pub(crate) run: Run,
    /// Returns whether these arguments need only a front, which has no dependencies.
    pub(crate) needs_front: fn(&ArgMatches) -> bool,
}

impl Subcommand {
    /// Creates a command from its arguments and its work on the engine of the agent.
    #[doc(hidden)]
    pub fn new<F>(command: Command, run: impl FnOnce(Arc<Engine>, ArgMatches) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), SubcommandError>> + Send + 'static,
    {
        let run = Run::OnEngine(Box::new(|engine, args| Box::pin(run(engine, args))));
        Self { command, run, needs_front: |_| false }
    }

    /// Lets the command work on the engine of a front if its arguments need no more: see
    /// [`Cli::front`](crate::Cli::front).
    #[doc(hidden)]
    #[must_use]
    pub fn on_front_if(self, needs_front: fn(&ArgMatches) -> bool) -> Self {
        Self { needs_front, ..self }
    }

    /// Creates a command that only says why it is not in this program.
    #[doc(hidden)]
    pub fn missing(name: &'static str, reason: &'static str) -> Self {
        let anything = Arg::new("options").num_args(..).trailing_var_arg(true).allow_hyphen_values(true);
        let command = Command::new(name).hide(true).disable_help_flag(true).arg(anything);
        Self { command, run: Run::Missing(reason), needs_front: |_| false }
    }
}

impl fmt::Debug for Subcommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subcommand").field(&self.command.get_name()).finish()
    }
}

/// The error of an added command.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub enum SubcommandError {
    /// An argument or a setting is invalid.
    Usage(String),
    /// The system failed.
    Io(String),
}

impl From<SubcommandError> for CliError {
    fn from(error: SubcommandError) -> Self {
        match error {
            SubcommandError::Usage(problem) => Self::usage(problem),
            SubcommandError::Io(problem) => Self::new(Exit::Io, "io", problem),
        }
    }
}
