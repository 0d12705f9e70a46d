//! Results of a command for programs: an exit code, and errors with stable codes.

use std::{fmt, io, process::ExitCode};

use hitl_runtime::{Error, ErrorKind, StoreError, agent::ThreadView, store::ThreadStatus};
use serde_json::{Map, Value, json};

/// The exit status of a command.
///
/// ```
/// assert_eq!(hitl::cli::Exit::Waiting.code(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// The thread has ended, or the requested information was shown.
    Done = 0,
    /// Standard output or the editor failed.
    Io = 1,
    /// The command was not understood.
    Usage = 2,
    /// The command succeeded, and the thread waits for a person.
    Waiting = 3,
    /// The command was refused and changed nothing.
    Refused = 4,
    /// The thread or place does not exist.
    NotFound = 5,
    /// The thread failed or is in doubt.
    Failed = 6,
    /// Another process runs the thread.
    Running = 7,
    /// The store failed, or the journal is damaged.
    Store = 8,
    /// The numbers of the reviews raise an alarm.
    Alarm = 9,
    /// Ctrl-C was pressed while a node ran.
    Interrupted = 130,
}

/// The section on exit codes in `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes of start, approve, edit, reject, ask, resume, settle and fork, and of pause, unpause and cancel of a thread:
  0  the thread has ended
  3  done, and the thread waits for a person
  6  the thread failed, was cancelled, or is in doubt
  7  another process runs the thread
Exit codes of every command:
  0  done
  1  standard output or the editor failed
  2  the command was not understood
  4  refused, and nothing has changed; `check`: a thread is incompatible
  5  the thread or place does not exist
  6  a type or the graph of this program failed on the thread; `sweep`: a thread failed
  8  the store failed, or the journal is damaged
  9  `metrics`: an alarm
130  interrupted by Ctrl-C while a node ran";

impl Exit {
    /// Returns the exit status for a thread's status.
    pub(super) fn from_view(view: &ThreadView) -> Self {
        match view.standing {
            ThreadStatus::Ended if view.failure.is_some() => Self::Failed,
            ThreadStatus::Ended => Self::Done,
            ThreadStatus::Waiting => Self::Waiting,
            ThreadStatus::InDoubt | ThreadStatus::Failed => Self::Failed,
            ThreadStatus::Running => Self::Running,
        }
    }

    /// Returns the number of the exit code.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The exit status of a command that ends with this error.
impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match (error, error.kind()) {
            (Error::InvalidInput { .. }, _) => Self::Refused,
            (Error::Store(StoreError::InvalidPageToken(_)), _) => Self::Usage,
            (Error::Store(_), _) => Self::Store,
            (_, ErrorKind::Malformed) => Self::Usage,
            (_, ErrorKind::NotFound) => Self::NotFound,
            (_, ErrorKind::Busy) => Self::Running,
            (_, ErrorKind::UserCode) => Self::Failed,
            (_, ErrorKind::Corrupt) => Self::Store,
            _ => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The error of a command.
#[derive(Debug)]
pub(super) struct CliError {
    pub(super) exit: Exit,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Further data for programs, by name.
    pub(super) details: Map<String, Value>,
    /// Commands that may solve the problem.
    pub(super) next: Vec<String>,
}

impl CliError {
    pub(super) fn new(exit: Exit, code: &'static str, message: impl fmt::Display) -> Self {
        Self { exit, code, message: message.to_string(), details: Map::new(), next: Vec::new() }
    }

    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(super) fn refused(code: &'static str, message: impl fmt::Display) -> Self {
        Self::new(Exit::Refused, code, message)
    }

    pub(super) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn suggest(mut self, command: String) -> Self {
        self.next.push(command);
        self
    }

    /// Returns the error as `--json` prints it.
    pub(super) fn json(&self) -> Value {
        let mut error = self.details.clone();
        error.insert("code".to_owned(), self.code.into());
        error.insert("message".to_owned(), self.message.clone().into());
        error.insert("exit".to_owned(), self.exit.code().into());
        error.insert("next".to_owned(), self.next.clone().into());
        json!({ "error": error })
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Io, "io", error)
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let exit = Exit::from(&error);
        let mut converted = Self::new(exit, error.code(), &error);
        converted.details = error.details();
        // Shorter messages where the details already list the problems.
        match &error {
            Error::Invalid { field, thread, .. } => {
                converted.message = format!("`{field}` of thread `{thread}` cannot be signed");
            }
            Error::GraphChanged { thread, .. } => {
                converted.message = format!("thread `{thread}` is incompatible with this program");
            }
            _ => {}
        }
        converted
    }
}
