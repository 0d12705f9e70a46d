//! Child processes of a test: the test binary, started again to run one of its own tests.
//!
//! A crash can only be tested on a process that is killed. The test that is the child's entry point gets its orders by
//! [`orders`], and does nothing if there are none, as in an ordinary run of the tests:
//!
//! ```no_run
//! use hitl::testkit::child::{self, ChildProcess};
//!
//! # fn main() {}
//! #[test]
//! fn worker() {
//!     let Some(name) = child::orders::<String>() else { return };
//!     child::say(format!("{name} is ready"));
//!     child::wait();
//! }
//!
//! #[test]
//! fn a_killed_worker_loses_nothing() {
//!     let mut process = ChildProcess::start("worker", &"Ada");
//!     assert_eq!(process.line().as_deref(), Some("Ada is ready"));
//!     process.kill();
//! }
//! ```

use std::{
    env,
    fmt::Display,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

const ORDERS: &str = "HITL_TESTKIT_ORDERS";

/// The line by which a child says that it has orders.
const HELLO: &str = "hello, this is the child process";

/// The time after which a child ends itself, so that it does not outlive a parent that was killed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns the orders that the parent process gives; `None` in a process that no [`ChildProcess`] started. From then on,
/// the child has 120 seconds.
///
/// # Panics
/// If the orders are not of this type.
pub fn orders<T: DeserializeOwned>() -> Option<T> {
    let orders = env::var(ORDERS).ok()?;
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("the child process does not finish");
        std::process::abort();
    });
    say(HELLO);
    Some(serde_json::from_str(&orders).unwrap_or_else(|error| panic!("the orders {orders}: {error}")))
}

/// Prints a line for the parent process, which gets it by [`ChildProcess::line`]. A line break in it is a space there.
pub fn say(line: impl Display) {
    println!("\n@{}", line.to_string().replace(['\r', '\n'], " "));
}

/// Waits for a line from the parent process: [`ChildProcess::send`]. Returns `None` once there is none any more.
pub fn wait() -> Option<String> {
    std::io::stdin().lines().next()?.ok()
}

/// A child process, which is killed when this is dropped.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    output: BufReader<ChildStdout>,
    /// `true` once the child has asked for its orders.
    has_orders: bool,
}

impl ChildProcess {
    /// Starts the test of this name, with its modules as in `processes::child`, in a process of its own.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn start(test: &str, orders: &impl Serialize) -> Self {
        let program = env::current_exe().unwrap_or_else(|error| panic!("the test binary: {error}"));
        Self::start_as(Command::new(program), test, orders)
    }

    /// Starts a test as [`start`](Self::start) does, by a command to which the arguments of the test binary are added.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn start_as(mut command: Command, test: &str, orders: &impl Serialize) -> Self {
        let orders = serde_json::to_string(orders).unwrap_or_else(|error| panic!("the orders: {error}"));
        command.args([test, "--exact", "--nocapture"]).env(ORDERS, orders);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        match child.stdout.take() {
            Some(output) => Self { child, output: BufReader::new(output), has_orders: false },
            None => unreachable!("its output is piped"),
        }
    }

    /// Returns the next line that the child [says](say); `None` at the end of its output. After [`kill`](Self::kill),
    /// the lines that it said before are still there.
    ///
    /// # Panics
    /// If the output is not UTF-8.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        while self
            .output
            .read_line(&mut line)
            .unwrap_or_else(|error| panic!("the output of the child: {error}"))
            > 0
        {
            match line.trim_end().strip_prefix('@') {
                Some(HELLO) => self.has_orders = true,
                Some(said) => return Some(said.to_owned()),
                None => {}
            }
            line.clear();
        }
        None
    }

    /// Sends a line, for which the child [waits](wait).
    ///
    /// # Panics
    /// If the child has ended.
    pub fn send(&mut self, line: impl Display) {
        let Some(input) = &mut self.child.stdin else { unreachable!("its input is piped") };
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("the child process has ended: {error}"));
    }

    /// Kills the child, and returns its exit status.
    pub fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill();
        self.status()
    }

    /// Ends the child's input, and returns the remaining lines that it says, and its exit status.
    ///
    /// # Panics
    /// If the child has never asked for its [`orders`]: the binary has no such test.
    pub fn finish(mut self) -> (Vec<String>, ExitStatus) {
        drop(self.child.stdin.take());
        let said = std::iter::from_fn(|| self.line()).collect();
        let status = self.status();
        assert!(self.has_orders, "no test of this name asks for orders; name it with its modules: {status}");
        (said, status)
    }

    /// Returns the remaining lines of a child as [`finish`](Self::finish) does.
    ///
    /// # Panics
    /// If the child has failed. Its output is above.
    #[track_caller]
    pub fn succeed(self) -> Vec<String> {
        let (said, status) = self.finish();
        assert!(status.success(), "the child process has failed, {status}: {said:?}");
        said
    }

    fn status(&mut self) -> ExitStatus {
        self.child.wait().unwrap_or_else(|error| panic!("the child process: {error}"))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
