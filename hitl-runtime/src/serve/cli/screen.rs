//! Where a command reads and prints.

use std::{
    fmt,
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use tokio::sync::{oneshot, watch};

use super::{args::Colour, exit::Refusal};

/// What a command may read and print to: the process's own streams, or a test's.
pub struct Io {
    /// Standard input.
    pub stdin: Box<dyn BufRead + Send>,
    /// Standard output.
    pub stdout: Box<dyn Write + Send>,
    /// Standard error.
    pub stderr: Box<dyn Write + Send>,
    /// Whether a person types at standard input.
    pub stdin_is_terminal: bool,
    /// Whether a person reads standard output.
    pub stdout_is_terminal: bool,
    /// How many columns the terminal has; `None` where nothing wraps.
    pub width: Option<usize>,
    /// Whether colours are wanted where `--color` does not say: on standard output, and on standard error.
    pub colours: (bool, bool),
}

impl Io {
    /// The process's own. Colours follow `NO_COLOR`, `CLICOLOR` and the terminal.
    pub fn process() -> Self {
        let colour = |choice| choice != anstream::ColorChoice::Never;
        let stdout_is_terminal = io::stdout().is_terminal();
        Self {
            stdin: Box::new(BufReader::new(io::stdin())),
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            stdin_is_terminal: io::stdin().is_terminal(),
            stdout_is_terminal,
            width: stdout_is_terminal.then(|| {
                terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0).clamp(40, 110))
            }),
            colours: (
                colour(anstream::AutoStream::choice(&io::stdout())),
                colour(anstream::AutoStream::choice(&io::stderr())),
            ),
        }
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("stdin_is_terminal", &self.stdin_is_terminal).finish_non_exhaustive()
    }
}

/// What a person answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(String),
    /// End of input, or Ctrl-C.
    Gone,
}

pub(super) struct Screen {
    stdin: Arc<Mutex<Box<dyn BufRead + Send>>>,
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    colours: (bool, bool),
    pub(super) stdin_is_terminal: bool,
    /// Whether there is a person to ask.
    pub(super) interactive: bool,
    pub(super) width: Option<usize>,
    interrupts: Option<watch::Receiver<u64>>,
    /// Nobody reads standard output any more.
    closed: bool,
}

impl Screen {
    /// The longest text that is read from standard input.
    const LONGEST: u64 = 1 << 20;
    /// What a terminal gives of one line, at most: the kernel drops the rest.
    const LONGEST_LINE: usize = 4_095;
    /// How long a first byte is waited for, where nobody said that standard input holds one.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub(super) fn new(io: Io, color: Colour, json: bool) -> Self {
        let interactive = io.stdin_is_terminal && io.stdout_is_terminal && !json;
        Self {
            stdin: Arc::new(Mutex::new(io.stdin)),
            stdout: io.stdout,
            stderr: io.stderr,
            colours: match color {
                Colour::Auto => io.colours,
                Colour::Always => (true, true),
                Colour::Never => (false, false),
            },
            stdin_is_terminal: io.stdin_is_terminal,
            interactive,
            width: io.width,
            interrupts: None,
            closed: false,
        }
    }

    /// From here on Ctrl-C is an answer, and no longer the end of the process.
    pub(super) fn catch_interrupts(&mut self) {
        let (sender, receiver) = watch::channel(0);
        // A program with a handler of its own keeps it.
        if ctrlc::try_set_handler(move || sender.send_modify(|count| *count += 1)).is_ok() {
            self.interrupts = Some(receiver);
        }
    }

    /// Comes back on the next Ctrl-C; never where they are not caught.
    pub(super) fn interrupt(&self) -> impl Future<Output = ()> + Send + use<> {
        let receiver = self.interrupts.clone();
        async move {
            if let Some(mut receiver) = receiver {
                receiver.mark_unchanged();
                if receiver.changed().await.is_ok() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        }
    }

    /// Prints a result.
    pub(super) fn out(&mut self, text: &str) -> Result<(), Refusal> {
        if self.closed {
            return Ok(());
        }
        let written = if self.colours.0 {
            self.stdout.write_all(text.as_bytes())
        } else {
            self.stdout.write_all(anstream::adapter::strip_str(text).to_string().as_bytes())
        };
        self.settle(written)
    }

    /// Prints bytes that are no prose: JSON, a drawing.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), Refusal> {
        if self.closed {
            return Ok(());
        }
        let written = self.stdout.write_all(text.as_bytes());
        self.settle(written)
    }

    /// `| head` has what it wanted, and that is no failure.
    fn settle(&mut self, written: io::Result<()>) -> Result<(), Refusal> {
        match written.and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Refusal::from),
        }
    }

    /// Prints what is not a result. Where even that fails, nobody is left to tell.
    pub(super) fn err(&mut self, text: &str) {
        let text =
            if self.colours.1 { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() };
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }

    /// Whether what is printed may be overwritten.
    pub(super) fn redraws(&self) -> bool {
        self.interactive && self.colours.0
    }

    /// Asks a person for a line.
    pub(super) async fn ask(&mut self, prompt: &str) -> Result<Line, Refusal> {
        self.out(prompt)?;
        let interrupt = self.interrupt();
        let read = self.read(|stdin| {
            let mut line = Vec::new();
            stdin.by_ref().take(Self::LONGEST).read_until(b'\n', &mut line)?;
            Ok(line)
        });
        let line = match select(read, Box::pin(interrupt)).await {
            Either::Left((line, _)) => line?,
            Either::Right(_) => Vec::new(),
        };
        if line.is_empty() {
            self.out("\n")?;
            return Ok(Line::Gone);
        }
        if line.len() > Self::LONGEST_LINE {
            return Err(Refusal::usage(
                "a terminal cuts lines at 4095 bytes; give a longer text on standard input, as in `… start < FILE`",
            ));
        }
        Ok(Line::Text(utf8(line)?.trim().to_owned()))
    }

    /// The whole of standard input. Unless `expected`, it must begin to speak within ten seconds: a pipe that nobody
    /// writes to is no reason to hang.
    pub(super) async fn read_all(&mut self, expected: bool) -> Result<String, Refusal> {
        if !expected {
            let first = self.read(|stdin| Ok(!stdin.fill_buf()?.is_empty()));
            match tokio::time::timeout(Self::PATIENCE, first).await {
                Ok(something) => {
                    something?;
                }
                Err(_) => {
                    return Err(Refusal::usage(
                        "standard input is open and says nothing; give the message as an argument, or `-` to wait however long it takes",
                    ));
                }
            }
        }
        let text = self
            .read(|stdin| {
                let mut text = Vec::new();
                stdin.by_ref().take(Self::LONGEST + 1).read_to_end(&mut text)?;
                Ok(text)
            })
            .await?;
        if text.len() as u64 > Self::LONGEST {
            return Err(Refusal::usage("standard input holds more than 1 MiB; that is no message"));
        }
        utf8(text)
    }

    /// Reads on a thread of its own, which no runtime waits for: a read that never ends keeps nothing alive.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Box<dyn BufRead + Send>) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Refusal>> {
        let (sender, receiver) = oneshot::channel();
        let stdin = Arc::clone(&self.stdin);
        let spawned = std::thread::Builder::new().name("hitl-stdin".to_owned()).spawn(move || {
            let mut stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = sender.send(read(&mut stdin));
        });
        async move {
            spawned?;
            match receiver.await {
                Ok(read) => Ok(read?),
                Err(_) => Err(io::Error::other("standard input cannot be read").into()),
            }
        }
        .boxed()
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Refusal> {
    String::from_utf8(bytes).map_err(|_| Refusal::usage("standard input is not UTF-8"))
}
