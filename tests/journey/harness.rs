//! A harness that runs the built program as a user at a shell does.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, LazyLock, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

/// A timeout longer than any step takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `examples/refund`, built in the profile of this test. `cargo test --test journey` alone does not build it, so cargo
/// is called.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("the path of the test binary");
    let profile = test.ancestors().nth(2).expect("the test binary is in `target/debug/deps`");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--example", "refund", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.arg("--target-dir").arg(profile.parent().expect("the profile directory is in `target`"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "{cargo:?} failed");
    profile.join("examples/refund")
});

/// A shell in a temporary directory with a store.
pub struct Shell {
    dir: TempDir,
}

/// The result of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    /// Returns the one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Shell {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&*PROGRAM);
        command.args(args);
        self.set_up(command)
    }

    fn set_up(&self, mut command: Command) -> Command {
        command.current_dir(&self.dir).stdin(Stdio::null());
        // A clean environment: the variables of the machine (`HITL_MODEL`, `EDITOR`, `NO_COLOR`) must change nothing.
        command.env_clear();
        command.envs(
            ["PATH", "HOME", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        command.env("USER", "mara").env("TERM", "dumb").env("LANG", "C.UTF-8");
        command
    }

    /// Runs a command to its end, without a terminal.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> CommandOutput {
        self.start(args).end()
    }

    /// Runs a command to its end, with a variable set.
    #[track_caller]
    pub fn run_with(&self, variable: (&str, &str), args: &[&str]) -> CommandOutput {
        let mut command = self.command(args);
        command.env(variable.0, variable.1);
        Running::new(command, None).end()
    }

    /// Runs a command to its end and checks its exit code. Returns its JSON.
    #[track_caller]
    pub fn json(&self, code: i32, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert_eq!(ended.err, "", "{args:?}");
        ended.json()
    }

    /// Runs a line in a shell, as a user does who pastes it.
    #[track_caller]
    pub fn paste(&self, line: &str) -> CommandOutput {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        Running::new(self.set_up(shell), None).end()
    }

    /// Runs a command under a file size limit of zero: a write that extends a file is an error.
    #[track_caller]
    pub fn run_on_full_disk(&self, args: &[&str]) -> CommandOutput {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]).arg(&*PROGRAM).args(args);
        Running::new(self.set_up(shell), None).end()
    }

    /// Runs a command as a user without privileges, because file permissions do not restrict root. It runs a copy of
    /// the program, because that user may not be able to read the original.
    #[track_caller]
    pub fn run_without_privileges(&self, args: &[&str]) -> CommandOutput {
        const NOBODY: u32 = 65_534;
        let program = self.path("program");
        // A separate process copies the program: a child process that another thread spawns during the copy would
        // inherit the open file, and an open file cannot be executed (`ETXTBSY`).
        let copy = Command::new("cp").arg(&*PROGRAM).arg(&program).status().expect("cp runs");
        assert!(copy.success(), "{copy}");
        // The mode must not depend on the umask of the build or of the test.
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
        let mut command = Command::new(&program);
        if fs::metadata(&program).expect("a copy").uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(args);
        Running::new(self.set_up(command), None).end()
    }

    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, |_| ())
    }

    pub fn start_with(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Running {
        let mut command = self.command(args);
        change(&mut command);
        Running::new(command, None)
    }

    /// Starts a command on a terminal of its own.
    pub fn start_on_terminal(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Running {
        let (ours, command) = self.on_terminal(args, change);
        Running::new(command, Some(ours))
    }

    /// Runs a command on a terminal that is closed before any input. Returns the exit code.
    #[track_caller]
    pub fn end_on_lost_terminal(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Option<i32> {
        let (ours, mut command) = self.on_terminal(args, change);
        let mut child = command.spawn().expect("the program runs");
        drop((ours, command));
        let pid = rustix::process::Pid::from_child(&child);
        let (send, ended) = std::sync::mpsc::channel();
        thread::spawn(move || send.send(child.wait()));
        let status = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            panic!("the program does not exit");
        });
        status.expect("the program has exited").code()
    }

    fn on_terminal(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> (File, Command) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours = openpt(flags).expect("a terminal");
        // Otherwise the program would inherit our side too, and its terminal would never hang up.
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC).expect("a flag");
        grantpt(&ours).expect("a terminal");
        unlockpt(&ours).expect("a terminal");
        let name = ptsname(&ours, Vec::new()).expect("a terminal has a name").into_string().expect("a path");
        let theirs =
            || File::options().read(true).write(true).open(&name).expect("the slave side of the pty");
        let mut command = self.command(args);
        command.stdin(theirs()).stdout(theirs()).stderr(theirs());
        change(&mut command);
        (File::from(ours), command)
    }

    /// Changes the file, as an attacker with write access could.
    pub fn tamper(&self, sql: &str) -> usize {
        let file = Connection::open(self.path("refund.db")).expect("a file");
        file.execute(sql, ()).expect("a change")
    }

    /// Returns the refunds, as order and cents, and the number of calls that requested them.
    pub fn ledger(&self) -> (Vec<(String, i64)>, i64) {
        let ledger = Connection::open(self.path("refund.ledger.db")).expect("a ledger");
        ledger.busy_timeout(PATIENCE).expect("a ledger");
        let Ok(mut refunds) = ledger.prepare("SELECT order_id, cents FROM refunds ORDER BY number") else {
            return (Vec::new(), 0); // No refund was requested, so there is no table.
        };
        let refunds = refunds.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).expect("refunds");
        let calls = ledger.query_row("SELECT count(*) FROM calls", (), |row| row.get(0)).expect("calls");
        (refunds.collect::<Result<_, _>>().expect("refunds"), calls)
    }
}

/// The output of a program so far, and the number of its streams that are still open.
type Captured = Arc<(Mutex<(Vec<u8>, usize)>, Condvar)>;

/// A running program. It is killed on drop.
pub struct Running {
    child: Child,
    terminal: Option<File>,
    out: Captured,
    err: Captured,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn capture(mut end: impl Read + Send + 'static) -> Captured {
    let said = Captured::default();
    said.0.lock().unwrap_or_else(PoisonError::into_inner).1 = 1;
    let heard = Arc::clone(&said);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            // A terminal reports its end as an error, not as an empty read.
            let count = end.read(&mut bytes).unwrap_or(0);
            let mut all = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.0.extend_from_slice(bytes.get(..count).unwrap_or_default());
            all.1 = usize::from(count > 0);
            heard.1.notify_all();
            if count == 0 {
                return;
            }
        }
    });
    said
}

impl Running {
    fn new(mut command: Command, terminal: Option<File>) -> Self {
        if terminal.is_none() {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().expect("the program runs");
        // The command still holds the terminal's other side open, which would keep the end from being reported.
        drop(command);
        let out = match &terminal {
            Some(terminal) => capture(terminal.try_clone().expect("a terminal")),
            None => capture(child.stdout.take().expect("piped")),
        };
        let err = child.stderr.take().map(capture).unwrap_or_default();
        Self { child, terminal, out, err }
    }

    /// Waits until the program has written these words since the last wait. Returns its output up to them.
    #[track_caller]
    pub fn wait_for(&self, words: &str) -> String {
        self.wait_until(&self.out, |said| {
            let at = said.find(words)? + words.len();
            Some(said.get(..at)?.to_owned())
        })
    }

    #[track_caller]
    fn wait_until(&self, said: &Captured, until: impl Fn(&str) -> Option<String>) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut all = said.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let text = String::from_utf8_lossy(&all.0).into_owned();
            if let Some(found) = until(&text) {
                let heard = found.len().min(all.0.len());
                all.0.drain(..heard);
                return found;
            }
            assert!(all.1 > 0, "the program exited with the output: {text}");
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the program hangs with the output: {text}");
            all = said.1.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types these keys once the program has written the words of `asked`.
    #[track_caller]
    pub fn answer(&self, asked: &str, keys: &str) {
        self.wait_for(asked);
        self.terminal
            .as_ref()
            .expect("a terminal")
            .write_all(keys.as_bytes())
            .expect("the terminal accepts input");
    }

    /// Sends SIGKILL: no handler runs, and nothing is cleaned up.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the program ends.
    #[track_caller]
    pub fn end(mut self) -> CommandOutput {
        let rest = |said: &Captured| {
            let deadline = Instant::now() + PATIENCE;
            let mut all = said.0.lock().unwrap_or_else(PoisonError::into_inner);
            while all.1 > 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                assert!(
                    !left.is_zero(),
                    "the program hangs with the output: {}",
                    String::from_utf8_lossy(&all.0)
                );
                all = said.1.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            String::from_utf8_lossy(&all.0).into_owned()
        };
        let (out, err) = (rest(&self.out), rest(&self.err));
        let code = self.child.wait().expect("the program has exited").code();
        CommandOutput { code, out, err }
    }
}
