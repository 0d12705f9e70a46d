//! Third-party emulators, each as a child process.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running emulator. It ends when this value is dropped.
pub struct Emulator {
    pub url: String,
    _process: Child,
}

/// Runs a script under `.ci/` that fetches and starts an emulator, and waits until it prints its address. Without
/// `CI=true`, an emulator that cannot be fetched is not a failure: the script says how to get it, and the test is
/// skipped.
pub async fn start(script: &str, arguments: &[&str]) -> Option<Emulator> {
    let script = format!("{}/../.ci/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut process = Command::new(&script)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{script}: {error}"));
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let address = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
        if let Some(url) = address.map(str::to_owned) {
            // The emulator goes on to print: without a reader, its pipe would break.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(Emulator { url, _process: process });
        }
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{script} did not start");
    eprintln!("not run: {script} did not start. Run it by hand: it says what it lacks.");
    None
}
