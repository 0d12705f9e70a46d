//! The built program, as somebody at a shell has it.

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

/// More than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `examples/refund`, built like this test. `cargo test --test journey` alone does not build it, so cargo is asked.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test.ancestors().nth(2).expect("a test is in `target/debug/deps`");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--example", "refund", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.arg("--target-dir").arg(profile.parent().expect("a profile is in `target`"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "{cargo:?} failed");
    profile.join("examples/refund")
});

/// A directory of its own with a store in it.
pub struct Desk {
    dir: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Desk {
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
        // A shell of its own: what the machine exports (`HITL_MODEL`, `EDITOR`, `NO_COLOR`) must change nothing.
        command.env_clear();
        command.envs(
            ["PATH", "HOME", "TMPDIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        command.env("USER", "mara").env("TERM", "dumb").env("LANG", "C.UTF-8");
        command
    }

    /// A command to its end, with nobody at a terminal.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ended {
        self.start(args).end()
    }

    /// The same with a variable set.
    #[track_caller]
    pub fn run_with(&self, variable: (&str, &str), args: &[&str]) -> Ended {
        let mut command = self.command(args);
        command.env(variable.0, variable.1);
        Running::new(command, None).end()
    }

    /// A command to its end, which must have this exit code; its JSON.
    #[track_caller]
    pub fn json(&self, code: i32, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert_eq!(ended.err, "", "{args:?}");
        ended.json()
    }

    /// What a person does with a line that they are shown.
    #[track_caller]
    pub fn paste(&self, line: &str) -> Ended {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        Running::new(self.set_up(shell), None).end()
    }

    /// Where no file may grow, and a write that would make it is an error.
    #[track_caller]
    pub fn run_on_full_disk(&self, args: &[&str]) -> Ended {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]).arg(&*PROGRAM).args(args);
        Running::new(self.set_up(shell), None).end()
    }

    /// To root, no permission is an obstacle. So root's command is nobody's, out of a copy that nobody may read.
    #[track_caller]
    pub fn run_without_privileges(&self, args: &[&str]) -> Ended {
        const NOBODY: u32 = 65_534;
        let program = self.path("program");
        // By a process of its own: what another thread starts meanwhile would hold the copy open, and so busy.
        let copy = Command::new("cp").arg(&*PROGRAM).arg(&program).status().expect("cp runs");
        assert!(copy.success(), "{copy}");
        // Whatever the umask of whoever built it, and of whoever tests it.
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

    /// A command on a terminal of its own.
    pub fn start_on_terminal(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Running {
        let (ours, command) = self.on_terminal(args, change);
        Running::new(command, Some(ours))
    }

    /// The same on one that is gone before anybody has said anything. Returns the exit code.
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
            panic!("it does not end");
        });
        status.expect("it has ended").code()
    }

    fn on_terminal(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> (File, Command) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours = openpt(flags).expect("a terminal");
        // Or the program would hold our side too, and its terminal would never be gone.
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC).expect("a flag");
        grantpt(&ours).expect("a terminal");
        unlockpt(&ours).expect("a terminal");
        let name = ptsname(&ours, Vec::new()).expect("a terminal has a name").into_string().expect("a path");
        let theirs = || File::options().read(true).write(true).open(&name).expect("the other side");
        let mut command = self.command(args);
        command.stdin(theirs()).stdout(theirs()).stderr(theirs());
        change(&mut command);
        (File::from(ours), command)
    }

    /// What somebody does who can write to the file.
    pub fn tamper(&self, sql: &str) -> usize {
        let file = Connection::open(self.path("refund.db")).expect("a file");
        file.execute(sql, ()).expect("a change")
    }

    /// What has been paid, as order and cents, and how many calls asked for it.
    pub fn ledger(&self) -> (Vec<(String, i64)>, i64) {
        let ledger = Connection::open(self.path("refund.db")).expect("a ledger");
        ledger.busy_timeout(PATIENCE).expect("a ledger");
        let Ok(mut refunds) = ledger.prepare("SELECT order_id, cents FROM refunds ORDER BY number") else {
            return (Vec::new(), 0); // Nobody has asked for a refund, so there is no table.
        };
        let refunds = refunds.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).expect("refunds");
        let calls = ledger.query_row("SELECT count(*) FROM calls", (), |row| row.get(0)).expect("calls");
        (refunds.collect::<Result<_, _>>().expect("refunds"), calls)
    }
}

/// What a program has said so far, and how many of its ends are still open.
type Said = Arc<(Mutex<(Vec<u8>, usize)>, Condvar)>;

/// A program that runs. Dropped, it is killed.
pub struct Running {
    child: Child,
    terminal: Option<File>,
    out: Said,
    err: Said,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listen(mut end: impl Read + Send + 'static) -> Said {
    let said = Said::default();
    said.0.lock().unwrap_or_else(PoisonError::into_inner).1 = 1;
    let heard = Arc::clone(&said);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            // A terminal ends with an error, and not with nothing.
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
        // The command still has the terminal's other side open, and its end would never come.
        drop(command);
        let out = match &terminal {
            Some(terminal) => listen(terminal.try_clone().expect("a terminal")),
            None => listen(child.stdout.take().expect("piped")),
        };
        let err = child.stderr.take().map(listen).unwrap_or_default();
        Self { child, terminal, out, err }
    }

    /// Waits until the program has said this since the last wait, and gives what it said up to there.
    #[track_caller]
    pub fn wait_for(&self, words: &str) -> String {
        self.heard(&self.out, |said| {
            let at = said.find(words)? + words.len();
            Some(said.get(..at)?.to_owned())
        })
    }

    #[track_caller]
    fn heard(&self, said: &Said, until: impl Fn(&str) -> Option<String>) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut all = said.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let text = String::from_utf8_lossy(&all.0).into_owned();
            if let Some(found) = until(&text) {
                let heard = found.len().min(all.0.len());
                all.0.drain(..heard);
                return found;
            }
            assert!(all.1 > 0, "it ended, and said only: {text}");
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it hangs, and said only: {text}");
            all = said.1.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types, once the program has asked with these words.
    #[track_caller]
    pub fn answer(&self, asked: &str, keys: &str) {
        self.wait_for(asked);
        self.terminal
            .as_ref()
            .expect("a terminal")
            .write_all(keys.as_bytes())
            .expect("a terminal takes keys");
    }

    /// SIGKILL: no handler runs, nothing is tidied up.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let rest = |said: &Said| {
            let deadline = Instant::now() + PATIENCE;
            let mut all = said.0.lock().unwrap_or_else(PoisonError::into_inner);
            while all.1 > 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "it hangs, and said only: {}", String::from_utf8_lossy(&all.0));
                all = said.1.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            String::from_utf8_lossy(&all.0).into_owned()
        };
        let (out, err) = (rest(&self.out), rest(&self.err));
        let code = self.child.wait().expect("it has ended").code();
        Ended { code, out, err }
    }
}
