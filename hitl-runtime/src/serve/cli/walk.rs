//! The interactive mode: from the input to the result, on one terminal.

use super::{
    exit::{Exit, Refusal},
    next::steps,
    render::{
        self,
        style::{BOLD, DIM, paint},
    },
    screen::Line,
    session::Session,
    verdict::{Chosen, assigned, confirmation},
};
use crate::{
    Reason, ThreadId, Verdict,
    run::{Graph, ReviewView, ThreadView},
    store::Standing,
};

/// The next step after a prompt: show the thread again, or leave.
enum Move {
    Again,
    Leave,
}

impl<G: Graph> Session<'_, G> {
    pub(super) async fn walk(&mut self) -> Result<Exit, Refusal> {
        let docs = self.greeting.unwrap_or(G::SPEC.docs.trim()).to_owned();
        let head = if docs.is_empty() { String::new() } else { format!("{docs}\n") };
        self.screen.out(&format!("{}\n{head}\n", paint(BOLD, G::SPEC.name)))?;
        let Some(input) = self.ask_input().await? else {
            self.screen.out("Nothing was started.\n")?;
            return Ok(Exit::Done);
        };
        let thread = self.new_thread(None).await?;
        self.begin(&thread, &input).await?;
        loop {
            self.screen.out("\n")?;
            let view = self.view(&thread).await?;
            let turn = match view.standing {
                Standing::Waiting if !view.reviews.is_empty() => self.review(&view).await?,
                Standing::Failed if view.failure.as_ref().is_some_and(|failure| !failure.stopped) => {
                    self.failed(&view).await?
                }
                _ => {
                    self.print_view(&view, false)?;
                    return Ok(Exit::of(&view));
                }
            };
            if matches!(turn, Move::Leave) {
                return self.leave(&thread).await;
            }
        }
    }

    /// Leaves the thread as it is, and prints the commands that continue it.
    async fn leave(&mut self, thread: &ThreadId) -> Result<Exit, Refusal> {
        let view = self.view(thread).await?;
        let name = super::escape::escape(thread.as_str()).into_owned();
        let waits = match view.standing {
            Standing::Waiting => "waits; from here or from another terminal:",
            _ => "stands as it is; from here or from another terminal:",
        };
        let text = render::thread::steps(&steps(&view, &self.program, self.agent.now_ms()));
        self.screen.out(&format!("{} {waits}\n\n{text}", paint(BOLD, name)))?;
        Ok(Exit::of(&view))
    }

    async fn review(&mut self, view: &ThreadView) -> Result<Move, Refusal> {
        let Some(review) = view.reviews.first() else { return Ok(Move::Again) };
        let text = render::thread::review(view, review, self.frame());
        self.screen.out(&format!("{text}\n"))?;
        if view.reviews.len() > 1 {
            let more = format!("  and {} more after this one\n\n", view.reviews.len() - 1);
            self.screen.out(&paint(DIM, more))?;
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
            let words = words.into_iter().filter_map(|(word, is_there)| is_there.then_some(word));
            let menu = words.collect::<Vec<_>>().join("  ");
            let Some(answer) = self.prompt(&menu).await? else { return Ok(Move::Leave) };
            let verdict = match answer.to_lowercase().as_str() {
                "a" | "approve" => Some(Verdict::Approve),
                "e" | "edit" if edits => self.edit_here(view, review).await?,
                "r" | "reject" => self.reject_here().await?,
                "k" | "ask" if asks => self.ask_here().await?,
                "l" | "leave" | "q" | "quit" => return Ok(Move::Leave),
                "" => None,
                _ => {
                    self.screen.out("One of the letters in brackets, please.\n")?;
                    None
                }
            };
            if let Some(verdict) = verdict {
                return self.signed(view, review, verdict).await;
            }
        }
    }

    /// Decides the review. A refusal is printed, and the review is then shown again.
    async fn signed(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
        verdict: Verdict,
    ) -> Result<Move, Refusal> {
        let decided = match self.here(view, review).await {
            Ok(Some(chosen)) => self.decide(&chosen, verdict).await,
            Ok(None) => return Ok(Move::Leave),
            Err(refusal) => Err(refusal),
        };
        match decided {
            Err(refusal) if refusal.exit == Exit::Refused => self.told(&refusal),
            other => other?,
        }
        Ok(Move::Again)
    }

    fn told(&mut self, refusal: &Refusal) {
        let text = render::refusal::refusal(refusal, self.screen.width);
        self.screen.err(&text);
    }

    /// Returns the review with the operator at the terminal. `None` if they leave instead of giving their name.
    async fn here(&mut self, view: &ThreadView, review: &ReviewView) -> Result<Option<Chosen>, Refusal> {
        if self.operator(None).is_err() {
            match self.prompt("your name, for the journal").await? {
                Some(name) if !name.is_empty() => self.global.operator = Some(name),
                _ => return Ok(None),
            }
        }
        let operator = self.operator(review.role.as_deref())?;
        let (view, digest) = (view.clone(), review.digest);
        Ok(Some(Chosen { view, digest, review: Some(review.clone()), operator, sure: true, shown: true }))
    }

    /// Asks for changes or opens the editor. `None` returns to the menu.
    async fn edit_here(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
    ) -> Result<Option<Verdict>, Refusal> {
        let editor = super::editor::command().to_string_lossy().into_owned();
        let question =
            format!("change, as in amount=99; Enter alone opens {}", super::escape::escape(&editor));
        let mut sets = Vec::new();
        let Some(chosen) = self.here(view, review).await? else { return Ok(None) };
        loop {
            let prompt = if sets.is_empty() { question.as_str() } else { "another change, or Enter" };
            match self.prompt(prompt).await? {
                None => return Ok(None),
                Some(text) if text.is_empty() => break,
                Some(text) => match assigned(review, std::slice::from_ref(&text)) {
                    Ok(_) => sets.push(text),
                    Err(refusal) => self.told(&refusal),
                },
            }
        }
        let patch = if sets.is_empty() {
            self.edited(&chosen, review).await
        } else {
            assigned(review, &sets).map(Some)
        };
        let after = match patch {
            Ok(None) => {
                self.screen.out("Nothing was changed.\n")?;
                return Ok(None);
            }
            Ok(Some(patch)) => self.previewed(&chosen, &patch).await.map(|after| (patch, after)),
            Err(refusal) => Err(refusal),
        };
        match after {
            Ok((patch, preview)) => {
                self.screen.out("\n")?;
                self.show_diff(view, review, preview.draft.as_ref().unwrap_or_default())?;
                self.show_way(&preview)?;
                Ok(self.confirmed(&confirmation(&preview)).await?.then_some(Verdict::Edit { patch }))
            }
            Err(refusal) if matches!(refusal.exit, Exit::Refused | Exit::Usage | Exit::Broken) => {
                self.told(&refusal);
                Ok(None)
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn reject_here(&mut self) -> Result<Option<Verdict>, Refusal> {
        let menu = "why: [b]ad plan  [w]rong tool  [p]olicy violation  [h]allucinated entity  [o]ther";
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
        let note = self.prompt("in your words, or Enter").await?;
        Ok(note.map(|note| Verdict::Reject { reason, note }))
    }

    async fn ask_here(&mut self) -> Result<Option<Verdict>, Refusal> {
        let question = self.prompt("question").await?;
        Ok(question.filter(|question| !question.is_empty()).map(|question| Verdict::Ask { question }))
    }

    async fn failed(&mut self, view: &ThreadView) -> Result<Move, Refusal> {
        let text = render::thread::thread(view, self.frame());
        self.screen.out(&format!("{text}\n"))?;
        loop {
            let Some(answer) = self.prompt("[t]ry again  [l]eave").await? else { return Ok(Move::Leave) };
            match answer.to_lowercase().as_str() {
                "t" | "try again" => break,
                "l" | "leave" | "q" | "quit" => return Ok(Move::Leave),
                "" => {}
                _ => self.screen.out("One of the letters in brackets, please.\n")?,
            }
        }
        let agent = self.agent.clone();
        let resumed = self.running(&view.thread, agent.resume(&view.thread)).await?;
        self.mended(resumed)?;
        Ok(Move::Again)
    }

    /// Prompts for one answer and trims it; `None` if the person has left.
    pub(super) async fn prompt(&mut self, question: &str) -> Result<Option<String>, Refusal> {
        match self.screen.ask(&format!("{question} {} ", paint(DIM, "›"))).await? {
            Line::Text(text) => Ok(Some(text)),
            Line::Gone => Ok(None),
        }
    }

    /// Prompts for yes or no. The end of input counts as no.
    pub(super) async fn confirmed(&mut self, question: &str) -> Result<bool, Refusal> {
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
