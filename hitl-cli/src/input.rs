//! The input of a new thread.

use std::sync::Arc;

use hitl_runtime::{
    Error, ThreadId, Violation, graph::FieldSpec, node::GraphTable, plumbing::Starter, plumbing::exact,
};
use serde_json::{Map, Value};

use super::{
    assignment,
    execution::Execution,
    exit::{CliError, Exit},
};

impl Execution<'_> {
    pub(super) async fn start(
        &mut self,
        message: Vec<String>,
        thread: Option<String>,
        input: Option<String>,
        set: Vec<String>,
    ) -> Result<Exit, CliError> {
        let input = self.input(message, input, set).await?;
        let thread = match thread {
            Some(name) => self.thread_id(&name)?,
            None => self.new_thread(None).await?,
        };
        self.begin(&thread, &input).await?;
        self.print_status(&thread).await
    }

    /// Starts a thread, and waits until it needs a person, fails or ends.
    pub(super) async fn begin(&mut self, thread: &ThreadId, input: &Value) -> Result<(), CliError> {
        let (engine, requester) = (Arc::clone(self.engine), self.requester());
        let starter =
            requester.as_ref().map_or(Starter::Program, |requester| Starter::Caller(Some(requester)));
        let started = engine.start_json(thread.clone(), input, starter);
        let started = self.run_interruptible(thread, started).await?;
        self.with_suggestion(started).map(drop)
    }

    async fn input(
        &mut self,
        message: Vec<String>,
        input: Option<String>,
        set: Vec<String>,
    ) -> Result<Value, CliError> {
        let fields: Vec<&FieldSpec> = inputs(self.engine.graph).collect();
        if let Some(json) = input {
            return self.json_argument("--input", &json).await;
        }
        if !set.is_empty() {
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            return self.fields(&set, &names, "this agent takes");
        }
        let text = match message.as_slice() {
            [dash] if dash == "-" => self.terminal.read_all(true).await?,
            [] if fields.is_empty() => return Ok(Value::Object(Map::new())),
            [] if self.terminal.interactive => match self.ask_input().await? {
                Some(input) => return Ok(input),
                None => return Err(CliError::usage("no input was given, and nothing was started")),
            },
            [] if self.terminal.stdin_is_terminal => String::new(),
            [] => self.terminal.read_all(false).await?,
            words => words.join(" "),
        };
        let Some(field) = only_text(self.engine.graph) else {
            return Err(CliError::usage(format_args!(
                "this agent takes {}: give --set FIELD=VALUE for each, or --input JSON",
                list(&fields)
            )));
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(CliError::usage(format_args!(
                "the {} is missing: give it as an argument or on standard input",
                field.name
            ))
            .suggest(self.invocation.command(["start", "…"])));
        }
        Ok(object(field.name, text.into()))
    }

    /// Prompts for every input. Returns `None` if the operator leaves.
    pub(super) async fn ask_input(&mut self) -> Result<Option<Value>, CliError> {
        let mut out = Map::new();
        for field in inputs(self.engine.graph) {
            let text = loop {
                match self.prompt(field.name).await? {
                    None => return Ok(None),
                    Some(text) if text.is_empty() => {}
                    Some(text) => break text,
                }
            };
            out.insert(field.name.to_owned(), assignment::parse_value(&text, assignment::is_text(field.ty)));
        }
        Ok(Some(Value::Object(out)))
    }

    /// Parses JSON from an argument, or from standard input if the argument is `-`.
    pub(super) async fn json_argument(&mut self, option: &str, json: &str) -> Result<Value, CliError> {
        let text = if json == "-" { self.terminal.read_all(true).await? } else { json.to_owned() };
        exact::parse(&text)
            .map_err(|e| CliError::usage(format_args!("{option} is not valid JSON: {}", Violation::from(e))))
    }

    /// Returns the given name, or generates an unused one such as `refund-agent-7f3a2c9k`.
    pub(super) async fn new_thread(&self, name: Option<String>) -> Result<ThreadId, CliError> {
        if let Some(name) = name {
            return self.thread_id(&name);
        }
        loop {
            let thread =
                self.thread_id(&format!("{}-{}", kebab(self.engine.graph.spec.name), random_suffix()?))?;
            match self.engine.view(&thread).await {
                Err(Error::UnknownThread { .. }) => return Ok(thread),
                Err(Error::Store(error)) => return Err(Error::Store(error).into()),
                _ => {}
            }
        }
    }
}

/// Returns the fields that `start` takes.
pub(super) fn inputs(graph: &GraphTable) -> impl Iterator<Item = &'static FieldSpec> {
    graph.spec.state.fields.iter().filter(|field| field.input)
}

/// Returns the only input, if there is exactly one and it is text.
pub(super) fn only_text(graph: &GraphTable) -> Option<&'static FieldSpec> {
    let mut fields = inputs(graph);
    fields.next().filter(|field| assignment::is_text(field.ty) && fields.next().is_none())
}

fn object(field: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(field.to_owned(), value)]))
}

fn list(fields: &[&FieldSpec]) -> String {
    fields.iter().map(|field| format!("`{}` ({})", field.name, field.ty)).collect::<Vec<_>>().join(", ")
}

/// Converts `RefundAgent` to `refund-agent`.
pub(super) fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 && !out.ends_with('-') {
            out.push('-');
        }
        out.extend(if c == '_' { '-'.to_lowercase() } else { c.to_lowercase() });
    }
    out
}

/// Returns 40 random bits in letters that are not easily confused.
fn random_suffix() -> Result<String, CliError> {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_generated_in_lowercase() {
        assert_eq!(kebab("RefundAgent"), "refund-agent");
        assert_eq!(kebab("HTTPDesk_2"), "h-t-t-p-desk-2");
        assert_eq!(random_suffix().map(|name| name.len()).ok(), Some(8));
    }
}
