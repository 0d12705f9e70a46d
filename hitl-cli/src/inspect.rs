//! Read-only commands: `show`, `inbox`, `history`, `draw`.

use std::path::PathBuf;

use hitl_runtime::{Error, Place, ThreadId, ThreadStatus};
use serde_json::json;

use super::{
    args::Format,
    execution::Execution,
    exit::{CliError, Exit},
    render::{lists, table::pairs, value::Row},
};

impl Execution<'_> {
    pub(super) async fn show(&mut self, thread: &str) -> Result<Exit, CliError> {
        let thread = self.thread_id(thread)?;
        let view = self.view(&thread).await?;
        self.print_view(&view, true)?;
        Ok(Exit::Done)
    }

    /// Returns threads that have not ended and wait for no review: in doubt, failed, or with a process that may have
    /// died.
    async fn unsettled(&mut self, limit: usize) -> Result<Vec<(ThreadId, ThreadStatus)>, CliError> {
        let mut all = Vec::new();
        for standing in [ThreadStatus::InDoubt, ThreadStatus::Failed, ThreadStatus::Running] {
            let page = self.engine.store.threads(Some(standing), None, limit).await.map_err(Error::from);
            all.extend(self.with_suggestion(page)?.items);
        }
        Ok(all)
    }

    pub(super) async fn inbox(&mut self, limit: u64, after: Option<String>) -> Result<Exit, CliError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = self.engine.inbox(after.as_deref(), limit).await;
        let page = self.with_suggestion(page)?;
        // Only on the first page, for operators who look nowhere else.
        let unsettled = if after.is_none() { self.unsettled(limit).await? } else { Vec::new() };
        if self.global.json {
            let unsettled: Vec<_> = unsettled
                .iter()
                .map(|(thread, standing)| json!({ "thread": thread, "standing": standing }))
                .collect();
            self.json(&json!({ "items": page.items, "next": page.next, "unsettled": unsettled }))?;
            return Ok(Exit::Done);
        }
        let mut text = match (page.items.is_empty(), after.is_some()) {
            (false, _) => lists::inbox(&page.items, self.engine.graph.spec, self.render_context()),
            (true, true) => "No more open reviews.\n".to_owned(),
            (true, false) => "No open reviews.\n".to_owned(),
        };
        if !unsettled.is_empty() {
            text.push_str(&format!("\n{}", lists::unsettled(&unsettled)));
        }
        if let Some(next) = &page.next {
            let limit = limit.to_string();
            let command = self.invocation.command(["inbox", "--limit", &limit, "--after", next]);
            text.push_str(&format!("\n{}", pairs(&[Row::new("more", command)], "", None)));
        }
        self.terminal.out(&text)?;
        Ok(Exit::Done)
    }

    pub(super) async fn history(&mut self, thread: &str, from: Place, limit: u64) -> Result<Exit, CliError> {
        let thread = self.thread_id(thread)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let entries = self.engine.history(&thread, from, limit.saturating_add(1)).await;
        let mut entries = self.with_suggestion(entries)?;
        let next = (entries.len() > limit).then(|| entries.pop().map(|entry| entry.place)).flatten();
        if self.global.json {
            self.json(&json!({ "thread": thread, "entries": entries, "next": next }))?;
            return Ok(Exit::Done);
        }
        if entries.is_empty() {
            self.terminal.out("No entries.\n")?;
            return Ok(Exit::Done);
        }
        let mut text = lists::history(&entries, self.render_context());
        if let Some(next) = next {
            let command =
                self.invocation.on_thread("history", thread.as_str(), &["--from", &next.to_string()]);
            text.push_str(&format!("\n{}", pairs(&[Row::new("more", command)], "", None)));
        }
        self.terminal.out(&text)?;
        Ok(Exit::Done)
    }

    pub(super) async fn draw(
        &mut self,
        thread: Option<String>,
        format: Option<Format>,
        file: Option<PathBuf>,
    ) -> Result<Exit, CliError> {
        let highlight = match &thread {
            Some(name) => {
                let thread = self.thread_id(name)?;
                let view = self.view(&thread).await?;
                hitl_diagram::Highlight::of(self.engine.graph.spec, &view)
            }
            None => hitl_diagram::Highlight::default(),
        };
        let is_svg = file
            .as_ref()
            .and_then(|file| file.extension())
            .is_some_and(|ext| ext.eq_ignore_ascii_case("svg"));
        let format = format.unwrap_or(if is_svg { Format::Svg } else { Format::Mermaid });
        let drawing = match format {
            Format::Mermaid => hitl_diagram::mermaid(self.engine.graph.spec, &highlight),
            Format::Svg => hitl_diagram::svg(self.engine.graph.spec, &highlight),
        };
        let Some(file) = file else {
            if self.global.json {
                self.json(&json!({ "format": format.name(), "drawing": drawing }))?;
            } else {
                self.terminal.raw(&drawing)?;
            }
            return Ok(Exit::Done);
        };
        std::fs::write(&file, drawing)
            .map_err(|e| CliError::new(Exit::Io, "io", format_args!("{}: {e}", file.display())))?;
        if self.global.json {
            self.json(&json!({ "format": format.name(), "file": file.display().to_string() }))?;
        }
        Ok(Exit::Done)
    }
}
