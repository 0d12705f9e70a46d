//! Emulators that somebody else wrote, as processes of their own.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running emulator. It ends with this value.
pub struct Emulator {
    pub url: String,
    _process: Child,
}

/// Starts what a script under `.ci/` fetches and starts; it is ready when it says its address. Without `CI=true` a part
/// that cannot be fetched is no failure: it says how to get it, and the test is not run.
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
            // It goes on to speak: nobody who listens would be a broken pipe.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(Emulator { url, _process: process });
        }
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{script} did not start");
    eprintln!("not run: {script} did not start. Run it by hand: it says what it lacks.");
    None
}
