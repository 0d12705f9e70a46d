//! The command line: arguments, one per line, and standard input after an empty line.

use std::{
    ffi::OsString,
    io::{Cursor, Write},
    sync::{Arc, Mutex, PoisonError},
};

use hitl::{
    cli::{Cli, Io},
    store::MemoryStore,
};

use crate::fixture::{TicketInput, agent_on, block_on};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Checks that no command prints a control character other than a line feed, and that the journal stays intact.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (words, input) = text.split_once("\n\n").unwrap_or((text, ""));
    let words: Vec<&str> = words.split('\n').collect();
    // These options read or write files, keep running, or ask for colors.
    if words
        .iter()
        .any(|word| ["-o", "--o", "--ag", "--ev", "--c"].iter().any(|option| word.starts_with(option)))
    {
        return;
    }
    block_on(async {
        let agent = agent_on(MemoryStore::new());
        let start = agent.start("t", TicketInput { message: "it broke".into() }).await;
        drop(start.expect("the thread starts"));
        let (out, err) = (Page::default(), Page::default());
        let mut io = Io::process();
        io.stdin = Box::new(Cursor::new(input.as_bytes().to_vec()));
        io.stdout = Box::new(out.clone());
        io.stderr = Box::new(err.clone());
        io.stdin_is_terminal = false;
        io.stdout_is_terminal = false;
        io.width = Some(80);
        io.colors = (false, false);
        let args = ["desk", "--operator", "mara"].into_iter().chain(words).map(OsString::from);
        Cli::new(agent.clone()).run_on(args, false, io).await;
        for page in [out, err] {
            let page = page.0.lock().unwrap_or_else(PoisonError::into_inner);
            let text = std::str::from_utf8(&page).expect("the output is UTF-8");
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        }
        agent.verify("t").await.expect("the journal verifies");
    });
}
