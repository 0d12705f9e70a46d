//! Command lines for people to copy, beginning as this program was called.

use std::{ffi::OsStr, path::Path};

/// The commands that need an operator.
const SIGNED: [&str; 5] = ["approve", "edit", "reject", "ask", "settle"];

/// The beginning of this program's command lines.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    /// The program's name, quoted.
    program: String,
    /// The options that name the operator.
    operator: Vec<String>,
}

impl Invocation {
    /// Takes the name from the first argument; under `cargo run`, returns that command instead.
    pub(super) fn from_argv0(argv0: &OsStr, by_cargo: bool) -> Self {
        let typed = argv0.to_string_lossy();
        if by_cargo && let Some(cargo) = cargo_run(Path::new(argv0)) {
            return Self::new(cargo);
        }
        Self::new(if typed.is_empty() { "agent".to_owned() } else { quote(&typed) })
    }

    fn new(program: String) -> Self {
        Self { program, operator: Vec::new() }
    }

    /// Adds the options that name the operator to the commands that need one.
    pub(super) fn with_operator(self, operator: Vec<String>) -> Self {
        Self { operator, ..self }
    }

    /// Returns a command line such as `refund approve ticket-A-9133 --digest …`.
    pub(super) fn command<S: AsRef<str>>(&self, words: impl IntoIterator<Item = S>) -> String {
        let words = words.into_iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>();
        format!("{} {}", self.program, words.join(" "))
    }

    /// Returns a command on a thread. A thread whose name looks like an option is placed after `--`.
    pub(super) fn on_thread(&self, command: &str, thread: &str, options: &[&str]) -> String {
        let mut words = vec![command];
        let operator = self.operator.iter().map(String::as_str).filter(|_| SIGNED.contains(&command));
        let options: Vec<&str> = operator.chain(options.iter().copied()).collect();
        if thread.starts_with('-') {
            // Positional arguments follow the thread, as in `ask THREAD QUESTION`.
            let mut rest = options.as_slice();
            while let [option, value, after @ ..] = rest
                && option.starts_with("--")
            {
                words.extend([option, value]);
                rest = after;
            }
            words.extend(["--", thread]);
            words.extend_from_slice(rest);
        } else {
            words.push(thread);
            words.extend_from_slice(&options);
        }
        self.command(words)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.program
    }
}

/// Returns the `cargo run` command of an executable: `target/[triple/]debug/examples/refund` is run by `cargo run
/// --example refund`.
fn cargo_run(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    let mut folder = path.parent()?;
    let is_example = folder.file_name()? == "examples";
    if is_example {
        folder = folder.parent()?;
    }
    let profile = match folder.file_name()?.to_str()? {
        "debug" => String::new(),
        "release" => " --release".to_owned(),
        other => format!(" --profile {}", quote(other)),
    };
    let which = if is_example { "--example" } else { "--bin" };
    Some(format!("cargo run{profile} {which} {} --", quote(name)))
}

/// Quotes a word for a POSIX shell. Characters that a terminal would interpret are escaped in the syntax of bash and
/// zsh: `$'\u202e'`.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() && c.is_ascii() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if super::escape::is_plain(word) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if (c as u32) < 0x100 && c.is_ascii() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c as u32 <= 0xffff => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(argv0: &str, by_cargo: bool) -> String {
        Invocation::from_argv0(OsStr::new(argv0), by_cargo).program
    }

    #[test]
    fn a_command_begins_with_the_name_of_the_program() {
        assert_eq!(called("refund", false), "refund");
        assert_eq!(called("target/debug/examples/refund", false), "target/debug/examples/refund");
        assert_eq!(called("/opt/my agents/refund", false), "'/opt/my agents/refund'");
        assert_eq!(called("", false), "agent");
    }

    #[test]
    fn under_cargo_run_a_command_begins_with_cargo_run() {
        assert_eq!(called("target/debug/examples/refund", true), "cargo run --example refund --");
        assert_eq!(
            called("/t/x86_64-unknown-linux-gnu/release/examples/refund", true),
            "cargo run --release --example refund --"
        );
        assert_eq!(called("target/debug/refund", true), "cargo run --bin refund --");
        assert_eq!(called("refund", true), "refund");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        let invocation = Invocation::new("refund".to_owned());
        assert_eq!(invocation.on_thread("show", "ticket-A-9133", &[]), "refund show ticket-A-9133");
        assert_eq!(invocation.on_thread("show", "two words", &[]), "refund show 'two words'");
        assert_eq!(invocation.on_thread("show", "it's $HOME", &[]), r"refund show 'it'\''s $HOME'");
        assert_eq!(
            invocation.on_thread("ask", "-x", &["--digest", "3b1f09ac", "why?"]),
            "refund ask --digest 3b1f09ac -- -x 'why?'"
        );
        assert_eq!(
            invocation.on_thread("approve", "--yes", &["--digest", "3b1f09ac"]),
            "refund approve --digest 3b1f09ac -- --yes"
        );
        assert_eq!(invocation.on_thread("show", "a\u{202e}b", &[]), r"refund show $'a\u202eb'");
        assert_eq!(invocation.on_thread("show", "ש", &[]), r"refund show $'\u05e9'");
        assert_eq!(invocation.on_thread("show", "订单 1", &[]), "refund show '订单 1'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn a_command_that_needs_an_operator_names_the_same_one() {
        let operator = ["--operator", "mara", "--role", "desk"].map(str::to_owned).to_vec();
        let invocation = Invocation::new("refund".to_owned()).with_operator(operator);
        assert_eq!(invocation.on_thread("show", "t", &[]), "refund show t");
        assert_eq!(
            invocation.on_thread("ask", "-x", &["--digest", "3b1f09ac", "why?"]),
            "refund ask --operator mara --role desk --digest 3b1f09ac -- -x 'why?'"
        );
    }
}
