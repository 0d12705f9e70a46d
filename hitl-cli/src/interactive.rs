//! The interactive mode: from the input to the result, on one terminal.

use std::sync::Arc;

use hitl_runtime::{
    Digest, Reason, ThreadId, Timestamp, Verdict,
    agent::{ReviewView, ThreadView},
    store::ThreadStatus,
};

use super::{
    execution::Execution,
    exit::{CliError, Exit},
    render::{
        self,
        style::{BOLD, DIM, paint},
    },
    suggestions::suggestions,
    terminal::Input,
    verdict::{SelectedReview, confirmation_prompt, patch_from_assignments},
};

/// The next step after a prompt: show the thread again, or quit.
enum NextStep {
    Refresh,
    Quit,
}

impl Execution<'_> {
    pub(super) async fn run_interactive(&mut self) -> Result<Exit, CliError> {
        let docs = self.greeting.unwrap_or(self.engine.graph.spec.docs.trim()).to_owned();
        let head = if docs.is_empty() { String::new() } else { format!("{docs}\n") };
        self.terminal.out(&format!("{}\n{head}\n", paint(BOLD, self.engine.graph.spec.name)))?;
        let Some(input) = self.ask_input().await? else {
            self.terminal.out("Nothing was started.\n")?;
            return Ok(Exit::Done);
        };
        let thread = self.new_thread(None).await?;
        self.begin(&thread, &input).await?;
        let mut shown = None;
        loop {
            self.terminal.out("\n")?;
            let view = self.view(&thread).await?;
            let next = match view.standing {
                ThreadStatus::Waiting if !view.reviews.is_empty() => {
                    self.decide_review(&view, &mut shown).await?
                }
                ThreadStatus::Failed if view.failure.as_ref().is_some_and(|failure| !failure.stopped) => {
                    self.retry_or_quit(&view).await?
                }
                _ => {
                    self.print_view(&view, false)?;
                    return Ok(Exit::from_view(&view));
                }
            };
            if matches!(next, NextStep::Quit) {
                return self.leave(&thread).await;
            }
        }
    }

    /// Leaves the thread as it is, and prints the commands that continue it.
    async fn leave(&mut self, thread: &ThreadId) -> Result<Exit, CliError> {
        let view = self.view(thread).await?;
        let name = super::escape::escape(thread.as_str()).into_owned();
        let waits = match view.standing {
            ThreadStatus::Waiting => "waits; continue here or on another terminal:",
            _ => "is unchanged; continue here or on another terminal:",
        };
        let text = render::thread::suggestions(&suggestions(&view, &self.invocation, self.engine.now()));
        self.terminal.out(&format!("{} {waits}\n\n{text}", paint(BOLD, name)))?;
        Ok(Exit::from_view(&view))
    }

    /// Shows the first open review, and asks for its verdict. `shown` is the review that was shown before, if any.
    async fn decide_review(
        &mut self,
        view: &ThreadView,
        shown: &mut Option<(Digest, Timestamp)>,
    ) -> Result<NextStep, CliError> {
        let Some(review) = view.reviews.first() else { return Ok(NextStep::Refresh) };
        let text = render::thread::review(view, review, self.render_context());
        self.terminal.out(&format!("{text}\n"))?;
        let shown_at = first_shown(shown, review.digest, self.engine.now());
        if view.reviews.len() > 1 {
            let more = format!("  and {} more open reviews\n\n", view.reviews.len() - 1);
            self.terminal.out(&paint(DIM, more))?;
        }
        loop {
            let (asks, edits) = (review.verdicts.contains(&"ask"), review.verdicts.contains(&"edit"));
            let words = [
                ("[a]pprove", true),
                ("[e]dit", edits),
                ("[r]eject", true),
                ("as[k]", asks),
                ("[l]eave", true),
            ];
            let words = words.into_iter().filter_map(|(word, is_available)| is_available.then_some(word));
            let menu = words.collect::<Vec<_>>().join("  ");
            let Some(answer) = self.prompt(&menu).await? else { return Ok(NextStep::Quit) };
            let verdict = match answer.to_lowercase().as_str() {
                "a" | "approve" => Some(Verdict::Approve),
                "e" | "edit" if edits => self.prompt_edit(view, review, shown_at).await?,
                "r" | "reject" => self.prompt_reject().await?,
                "k" | "ask" if asks => self.prompt_ask().await?,
                "l" | "leave" | "q" | "quit" => return Ok(NextStep::Quit),
                "" => None,
                _ => {
                    self.terminal.out("Enter one of the letters in brackets.\n")?;
                    None
                }
            };
            if let Some(verdict) = verdict {
                return self.submit(view, review, verdict, shown_at).await;
            }
        }
    }

    /// Decides the review. An error is printed, and the review is then shown again.
    async fn submit(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
        verdict: Verdict,
        shown_at: Timestamp,
    ) -> Result<NextStep, CliError> {
        let decided = match self.select(view, review, shown_at).await {
            Ok(Some(selected)) => self.decide(&selected, verdict).await,
            Ok(None) => return Ok(NextStep::Quit),
            Err(error) => Err(error),
        };
        match decided {
            Err(error) if error.exit == Exit::Refused => self.print_error(&error),
            other => other?,
        }
        Ok(NextStep::Refresh)
    }

    fn print_error(&mut self, error: &CliError) {
        let text = render::error::format(error, self.terminal.width);
        self.terminal.err(&text);
    }

    /// Returns the review with the operator at the terminal. `None` if they leave instead of giving their name.
    async fn select(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
        shown_at: Timestamp,
    ) -> Result<Option<SelectedReview>, CliError> {
        if self.operator(None).is_err() {
            match self.prompt("your name, for the journal").await? {
                Some(name) if !name.is_empty() => self.set_operator(name),
                _ => return Ok(None),
            }
        }
        let operator = self.operator(review.role.as_deref())?;
        let (view, digest) = (view.clone(), review.digest);
        Ok(Some(SelectedReview {
            view,
            digest,
            review: Some(review.clone()),
            operator,
            is_confirmed: true,
            shown: true,
            shown_at: Some(shown_at),
        }))
    }

    /// Asks for changes or opens the editor. `None` returns to the menu.
    async fn prompt_edit(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
        shown_at: Timestamp,
    ) -> Result<Option<Verdict>, CliError> {
        let editor = super::editor::command().to_string_lossy().into_owned();
        let question =
            format!("change, as in amount=99, or Enter to open {}", super::escape::escape(&editor));
        let mut sets = Vec::new();
        let Some(selected) = self.select(view, review, shown_at).await? else { return Ok(None) };
        loop {
            let prompt = if sets.is_empty() { question.as_str() } else { "another change, or Enter" };
            match self.prompt(prompt).await? {
                None => return Ok(None),
                Some(text) if text.is_empty() => break,
                Some(text) => match patch_from_assignments(review, std::slice::from_ref(&text)) {
                    Ok(_) => sets.push(text),
                    Err(error) => self.print_error(&error),
                },
            }
        }
        let patch = if sets.is_empty() {
            self.edit_in_editor(&selected, review).await
        } else {
            patch_from_assignments(review, &sets).map(Some)
        };
        let after = match patch {
            Ok(None) => {
                self.terminal.out("Nothing was changed.\n")?;
                return Ok(None);
            }
            Ok(Some(patch)) => self.preview_edit(&selected, &patch).await.map(|after| (patch, after)),
            Err(error) => Err(error),
        };
        match after {
            Ok((patch, preview)) => {
                self.terminal.out("\n")?;
                self.show_diff(view, review, preview.draft.as_ref().unwrap_or_default())?;
                self.show_destination(&preview)?;
                Ok(self.confirm(&confirmation_prompt(&preview)).await?.then_some(Verdict::Edit { patch }))
            }
            Err(error) if matches!(error.exit, Exit::Refused | Exit::Usage | Exit::Io) => {
                self.terminal.out("\n")?;
                self.print_error(&error);
                self.terminal.out("\n")?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn prompt_reject(&mut self) -> Result<Option<Verdict>, CliError> {
        let menu = "reason: [b]ad plan  [w]rong tool  [p]olicy violation  [h]allucinated entity  [o]ther";
        let reason = loop {
            let Some(answer) = self.prompt(menu).await? else { return Ok(None) };
            match answer.to_lowercase().as_str() {
                "" => return Ok(None),
                "b" | "bad plan" => break Reason::BadPlan,
                "w" | "wrong tool" => break Reason::WrongTool,
                "p" | "policy violation" => break Reason::PolicyViolation,
                "h" | "hallucinated entity" => break Reason::HallucinatedEntity,
                "o" | "other" => break Reason::Other,
                word => {
                    if let Ok(reason) = word.parse() {
                        break reason;
                    }
                }
            }
        };
        let note = self.prompt("note, or Enter").await?;
        Ok(note.map(|note| Verdict::Reject { reason, note }))
    }

    async fn prompt_ask(&mut self) -> Result<Option<Verdict>, CliError> {
        let question = self.prompt("question").await?;
        Ok(question.filter(|question| !question.is_empty()).map(|question| Verdict::Ask { question }))
    }

    async fn retry_or_quit(&mut self, view: &ThreadView) -> Result<NextStep, CliError> {
        let text = render::thread::thread(view, self.render_context());
        self.terminal.out(&format!("{text}\n"))?;
        loop {
            let Some(answer) = self.prompt("[t]ry again  [l]eave").await? else { return Ok(NextStep::Quit) };
            match answer.to_lowercase().as_str() {
                "t" | "try again" => break,
                "l" | "leave" | "q" | "quit" => return Ok(NextStep::Quit),
                "" => {}
                _ => self.terminal.out("Enter one of the letters in brackets.\n")?,
            }
        }
        let engine = Arc::clone(self.engine);
        let resumed = self.run_interruptible(&view.thread, engine.resume(view.thread.clone(), None)).await?;
        self.with_suggestion(resumed)?;
        Ok(NextStep::Refresh)
    }

    /// Prompts for one answer and trims it; `None` if the person has left.
    pub(super) async fn prompt(&mut self, question: &str) -> Result<Option<String>, CliError> {
        match self.terminal.prompt(&format!("{question} {} ", paint(DIM, "›"))).await? {
            Input::Text(text) => Ok(Some(text)),
            Input::Eof => Ok(None),
        }
    }

    /// Prompts for yes or no. The end of input counts as no.
    pub(super) async fn confirm(&mut self, question: &str) -> Result<bool, CliError> {
        loop {
            match self
                .prompt(&format!("{question} [y/n]"))
                .await?
                .map(|answer| answer.to_lowercase())
                .as_deref()
            {
                Some("y" | "yes") => return Ok(true),
                Some("n" | "no") | None => return Ok(false),
                Some(_) => {}
            }
        }
    }
}

/// Returns the time at which a review was first shown, and remembers it: showing it again is no new beginning.
fn first_shown(shown: &mut Option<(Digest, Timestamp)>, review: Digest, now: Timestamp) -> Timestamp {
    match *shown {
        Some((digest, at)) if digest == review => at,
        _ => shown.insert((review, now)).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_that_is_shown_again_keeps_its_first_time() {
        let (mut shown, at) = (None, Timestamp::from_millis);
        let [one, other] = [b"1", b"2"].map(|text| Digest::of(text));
        assert_eq!(first_shown(&mut shown, one, at(10)), at(10));
        assert_eq!(first_shown(&mut shown, one, at(20)), at(10));
        assert_eq!(first_shown(&mut shown, other, at(30)), at(30));
    }
}
