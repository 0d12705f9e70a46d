//! The emulator `dynoxide` as a child process. It is a separate package, built on first use.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// A running emulator. It ends when its standard input is closed, and so when this value is dropped.
pub struct Dynoxide {
    child: Child,
    pub endpoint: String,
}

impl Dynoxide {
    /// Starts the emulator on a free port, from the package with this `Cargo.toml`.
    pub fn start(package: &str) -> Self {
        let mut child =
            Command::new(program(package)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut endpoint = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut endpoint).unwrap();
        Self { child, endpoint: endpoint.trim().to_owned() }
    }
}

impl Drop for Dynoxide {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn program(package: &str) -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path", package, "--target-dir"])
            .arg(&target)
            .status()
            .unwrap();
        assert!(built.success(), "the emulator cannot be built: {built}");
        target.join("debug/dynamodb-emulator")
    })
}
