//! Test harness: runs the program with in-memory streams.

use std::{
    ffi::OsString,
    io::{self, Cursor, Write},
    sync::{Arc, Mutex, PoisonError},
};

use hitl_runtime::{Agent, agent::Graph};
use serde_json::Value;

use crate::{Cli, Exit, Io};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The result of a command.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

impl Output {
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.err, "", "nothing but the document");
        serde_json::from_str(&self.out).unwrap_or_default()
    }
}

/// Runs a command as a program does: without a terminal, with `input` on standard input.
pub(super) async fn call<G: Graph>(agent: &Agent<G>, words: &[&str], input: &str) -> Output {
    with(agent, words, input, false).await
}

/// Runs a command as a person does: on a terminal, with these lines typed before the end of input.
pub(super) async fn type_in<G: Graph>(agent: &Agent<G>, words: &[&str], keys: &str) -> Output {
    with(agent, words, keys, true).await
}

async fn with<G: Graph>(agent: &Agent<G>, words: &[&str], input: &str, terminal: bool) -> Output {
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut io = Io::process();
    io.stdin = Box::new(Cursor::new(input.as_bytes().to_vec()));
    io.stdout = Box::new(out.clone());
    io.stderr = Box::new(err.clone());
    io.stdin_is_terminal = terminal;
    io.stdout_is_terminal = terminal;
    io.width = terminal.then_some(80);
    io.colors = (false, false);
    let mut args: Vec<OsString> = vec!["refund".into()];
    args.extend(words.iter().map(OsString::from));
    // Do not depend on the user of the machine.
    if !words.contains(&"--operator") {
        args.extend(["--operator".into(), "mara".into()]);
    }
    let exit = Cli::new(agent.clone()).run_on(args, false, io).await;
    Output { exit, out: out.text(), err: err.text() }
}
