//! Input and output of a command.

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

use super::{args::Color, exit::CliError};

/// The streams of a command: the process's own, or those of a test, which replaces fields of [`Io::process`].
#[non_exhaustive]
pub struct Io {
    /// Standard input.
    pub stdin: Box<dyn BufRead + Send>,
    /// Standard output.
    pub stdout: Box<dyn Write + Send>,
    /// Standard error.
    pub stderr: Box<dyn Write + Send>,
    /// `true` if standard input is a terminal.
    pub stdin_is_terminal: bool,
    /// `true` if standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// The width of the terminal in columns; `None` disables wrapping.
    pub width: Option<usize>,
    /// The default for colors without `--color`: on standard output, and on standard error.
    pub colors: (bool, bool),
}

impl Io {
    /// Returns the process's own streams. Colors follow `NO_COLOR`, `CLICOLOR` and the terminal.
    pub fn process() -> Self {
        let color = |choice| choice != anstream::ColorChoice::Never;
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
            colors: (
                color(anstream::AutoStream::choice(&io::stdout())),
                color(anstream::AutoStream::choice(&io::stderr())),
            ),
        }
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("stdin_is_terminal", &self.stdin_is_terminal).finish_non_exhaustive()
    }
}

/// The answer to a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Text(String),
    /// End of input, or Ctrl-C.
    Eof,
}

pub(super) struct Terminal {
    stdin: Arc<Mutex<Box<dyn BufRead + Send>>>,
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    colors: (bool, bool),
    pub(super) stdin_is_terminal: bool,
    /// `true` if a person can be prompted.
    pub(super) interactive: bool,
    pub(super) width: Option<usize>,
    interrupts: Option<watch::Receiver<u64>>,
    /// `true` once the reader of standard output has closed it.
    closed: bool,
}

impl Terminal {
    /// The maximum number of bytes read from standard input.
    const MAX_BYTES: u64 = 1 << 20;
    /// The maximum length of a line on a terminal: the kernel discards the rest.
    const MAX_LINE: usize = 4_095;
    /// The time to wait for the first byte of standard input, unless the caller has requested it with `-`.
    const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);

    pub(super) fn new(io: Io, color: Color, json: bool) -> Self {
        let interactive = io.stdin_is_terminal && io.stdout_is_terminal && !json;
        Self {
            stdin: Arc::new(Mutex::new(io.stdin)),
            stdout: io.stdout,
            stderr: io.stderr,
            colors: match color {
                Color::Auto => io.colors,
                Color::Always => (true, true),
                Color::Never => (false, false),
            },
            stdin_is_terminal: io.stdin_is_terminal,
            interactive,
            width: io.width,
            interrupts: None,
            closed: false,
        }
    }

    /// From now on, Ctrl-C is delivered to [`Self::interrupt`] instead of ending the process.
    pub(super) fn catch_interrupts(&mut self) {
        let (sender, receiver) = watch::channel(0);
        // Fails if the program has its own handler, which stays.
        if ctrlc::try_set_handler(move || sender.send_modify(|count| *count += 1)).is_ok() {
            self.interrupts = Some(receiver);
        }
    }

    /// Resolves at the next Ctrl-C; never if interrupts are not caught.
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
    pub(super) fn out(&mut self, text: &str) -> Result<(), CliError> {
        if self.closed {
            return Ok(());
        }
        let written = if self.colors.0 {
            self.stdout.write_all(text.as_bytes())
        } else {
            self.stdout.write_all(anstream::adapter::strip_str(text).to_string().as_bytes())
        };
        self.finish_write(written)
    }

    /// Prints output that is not styled text, such as JSON or a drawing.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), CliError> {
        if self.closed {
            return Ok(());
        }
        let written = self.stdout.write_all(text.as_bytes());
        self.finish_write(written)
    }

    /// Flushes standard output. A broken pipe, as with `| head`, is not an error.
    fn finish_write(&mut self, written: io::Result<()>) -> Result<(), CliError> {
        match written.and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(CliError::from),
        }
    }

    /// Prints text that is not a result. An error is ignored, because there is no other stream to report it on.
    pub(super) fn err(&mut self, text: &str) {
        let text =
            if self.colors.1 { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() };
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }

    /// Returns whether printed text may be overwritten.
    pub(super) fn can_redraw(&self) -> bool {
        self.interactive && self.colors.0
    }

    /// Prompts a person for a line.
    pub(super) async fn prompt(&mut self, prompt: &str) -> Result<Input, CliError> {
        self.out(prompt)?;
        let interrupt = self.interrupt();
        let read = self.read(|stdin| {
            let mut line = Vec::new();
            stdin.by_ref().take(Self::MAX_BYTES).read_until(b'\n', &mut line)?;
            Ok(line)
        });
        let line = match select(read, Box::pin(interrupt)).await {
            Either::Left((line, _)) => line?,
            Either::Right(_) => Vec::new(),
        };
        if line.is_empty() {
            self.out("\n")?;
            return Ok(Input::Eof);
        }
        if line.len() > Self::MAX_LINE {
            return Err(CliError::usage(
                "the line is too long: a terminal cuts it at 4095 bytes; give the text on standard input, as in `… start < FILE`",
            ));
        }
        Ok(Input::Text(utf8(line)?.trim().to_owned()))
    }

    /// Reads standard input to its end. Unless `expected`, the first byte must arrive within ten seconds, so that an
    /// open pipe without a writer does not block the program.
    pub(super) async fn read_all(&mut self, expected: bool) -> Result<String, CliError> {
        if !expected {
            let first = self.read(|stdin| Ok(!stdin.fill_buf()?.is_empty()));
            match tokio::time::timeout(Self::FIRST_BYTE_TIMEOUT, first).await {
                Ok(first_byte) => {
                    first_byte?;
                }
                Err(_) => {
                    return Err(CliError::usage(
                        "no data arrived on standard input in time; give the message as an argument, or `-` to wait without a limit",
                    ));
                }
            }
        }
        let text = self
            .read(|stdin| {
                let mut text = Vec::new();
                stdin.by_ref().take(Self::MAX_BYTES + 1).read_to_end(&mut text)?;
                Ok(text)
            })
            .await?;
        if text.len() as u64 > Self::MAX_BYTES {
            return Err(CliError::usage("standard input is larger than the maximum of 1 MiB"));
        }
        utf8(text)
    }

    /// Reads on a dedicated thread that no runtime waits for, so that a read that never ends does not keep the process
    /// alive.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Box<dyn BufRead + Send>) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, CliError>> {
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

fn utf8(bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|_| CliError::usage("standard input is not UTF-8"))
}
