//! The commands of the four verdicts.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    args::Named,
    editor::{self, Edited},
    exit::{Exit, Refusal},
    render::{
        self,
        diff::diff,
        style::{BOLD, paint},
    },
    schema::Schema,
    session::Session,
    set,
};
use crate::{
    Digest, Error, Operator, Reason, Reproposal, ThreadId, Verdict,
    journal::Evidence,
    run::{Graph, Preview, ReviewView, ThreadView},
};

/// A review chosen by the operator, and the operator.
pub(super) struct Chosen {
    pub(super) view: ThreadView,
    pub(super) digest: Digest,
    /// The open review; `None` if it is no longer open.
    pub(super) review: Option<ReviewView>,
    pub(super) operator: Operator,
    /// `true` if no confirmation is needed: with `--yes` or `--digest`, and in the interactive mode.
    pub(super) sure: bool,
    /// `true` if the operator is shown the draft before they confirm.
    pub(super) shown: bool,
}

impl<G: Graph> Session<'_, G> {
    pub(super) async fn approve(&mut self, named: Named) -> Result<Exit, Refusal> {
        let chosen = self.chosen(&named, "approve", &[]).await?;
        if !self.shown_and_confirmed(&chosen, "Sign this?").await? {
            return self.left(&chosen.view);
        }
        self.give(&chosen, Verdict::Approve).await
    }

    pub(super) async fn reject(
        &mut self,
        named: Named,
        reason: Option<Reason>,
        note: String,
    ) -> Result<Exit, Refusal> {
        let Some(reason) = reason else {
            let words = Reason::GIVEN.map(Reason::as_str).join(", ");
            return Err(Refusal::usage(format_args!("say why: --reason with one of {words}")).try_this(
                self.program.on_thread("reject", &named.thread, &["--reason", "other", "--note", "…"]),
            ));
        };
        let mut options = vec!["--reason", reason.as_str()];
        if !note.is_empty() {
            options.extend(["--note", &note]);
        }
        let chosen = self.chosen(&named, "reject", &options).await?;
        if !self.shown_and_confirmed(&chosen, "Reject this?").await? {
            return self.left(&chosen.view);
        }
        self.give(&chosen, Verdict::Reject { reason, note }).await
    }

    pub(super) async fn ask(&mut self, named: Named, question: Vec<String>) -> Result<Exit, Refusal> {
        let question = question.join(" ");
        if question.trim().is_empty() {
            return Err(Refusal::usage("there is no question").try_this(self.program.on_thread(
                "ask",
                &named.thread,
                &["…"],
            )));
        }
        let chosen = self.chosen(&named, "ask", &[&question]).await?;
        if !self.shown_and_confirmed(&chosen, "Ask this?").await? {
            return self.left(&chosen.view);
        }
        self.give(&chosen, Verdict::Ask { question }).await
    }

    pub(super) async fn edit(
        &mut self,
        named: Named,
        sets: Vec<String>,
        patch: Option<String>,
    ) -> Result<Exit, Refusal> {
        let by_hand = sets.is_empty() && patch.is_none();
        if by_hand && !self.screen.interactive {
            return Err(Refusal::usage(
                "there is no terminal for an editor: say what to change with --set or --patch",
            )
            .try_this(self.program.on_thread("edit", &named.thread, &["--set", "PATH=VALUE"])));
        }
        // A patch from standard input appears as `-` in the suggested command, because its text is not known yet.
        let mut options: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
        options.extend(patch.iter().flat_map(|patch| ["--patch", patch.as_str()]));
        let chosen = self.chosen(&named, "edit", &options).await?;
        if chosen.review.as_ref().is_some_and(|review| !review.verdicts.contains(&"edit")) {
            // The preview reports the reason, before the operator types anything.
            self.previewed(&chosen, &Value::Object(serde_json::Map::new())).await?;
        }
        let patch = match (patch, &chosen.review) {
            (Some(json), _) => self.json_argument("--patch", &json).await?,
            (None, Some(review)) if by_hand => match self.edited(&chosen, review).await? {
                Some(patch) => patch,
                None => return self.left(&chosen.view),
            },
            (None, Some(review)) => assigned(review, &sets)?,
            // The review has been decided: the engine reports who decided it.
            (None, None) => Value::Object(serde_json::Map::new()),
        };
        let preview = self.previewed(&chosen, &patch).await?;
        let after = preview.draft.clone().unwrap_or_default();
        if let Some(review) = &chosen.review {
            self.show_diff(&chosen.view, review, &after)?;
            self.show_way(&preview)?;
        }
        if !chosen.sure && !self.confirmed(&confirmation(&preview)).await? {
            return self.left(&chosen.view);
        }
        self.give(&chosen, Verdict::Edit { patch }).await
    }

    /// Previews an edit: returns the draft that it would sign or propose, or an error if the draft breaks its
    /// invariants.
    pub(super) async fn previewed(&self, chosen: &Chosen, patch: &Value) -> Result<Preview, Refusal> {
        let verdict = Verdict::Edit { patch: patch.clone() };
        let preview = self.agent.preview(&chosen.view.thread, chosen.digest, &chosen.operator, verdict).await;
        let approve = || {
            let digest = chosen.digest.short();
            self.program.on_thread("approve", chosen.view.thread.as_str(), &["--digest", &digest])
        };
        match self.mended(preview) {
            Err(refusal) if refusal.code == "unchanged" => Err(refusal.try_this(approve())),
            preview => preview,
        }
    }

    /// Shows the destination of an edit that does not sign here.
    pub(super) fn show_way(&mut self, preview: &Preview) -> Result<(), Refusal> {
        match &preview.again {
            Some(again) if !self.global.json => {
                let text = super::escape::escape(&again.to_string()).into_owned();
                let mut letters = text.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                let text: String = first.into_iter().chain(letters).collect();
                self.screen.out(&format!("{text}.\n\n"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn show_diff(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
        after: &Value,
    ) -> Result<(), Refusal> {
        if self.global.json {
            return Ok(());
        }
        let head = format!(
            "{} before {}, edited\n\n",
            paint(BOLD, super::escape::escape(view.thread.as_str())),
            paint(BOLD, super::escape::escape(&review.node))
        );
        let width = self.screen.width;
        self.screen.out(&format!("{head}{}\n", diff(review, after, width)))
    }

    /// Opens the editor until its result can be signed or the operator gives up, and returns the patch. The editor is
    /// reopened only after confirmation; otherwise an editor that exits without a person would make this loop endless.
    pub(super) async fn edited(
        &mut self,
        chosen: &Chosen,
        review: &ReviewView,
    ) -> Result<Option<Value>, Refusal> {
        let before = &review.draft;
        let mut text = editor::pretty(before, &review.schema);
        let mut error: Option<String> = None;
        loop {
            let page = editor::page(chosen.view.thread.as_str(), review, &text, error.as_deref());
            let left = editor::open(page.clone()).await?;
            // The file was left unchanged after an error, so the operator gives up.
            if error.is_some() && left == page {
                return Ok(None);
            }
            text = editor::without_page(&left);
            let problem = match editor::read(&left, before) {
                Edited::Nothing => return Ok(None),
                // The engine reports this, with the same error as in the other interfaces.
                Edited::Unchanged => {
                    return self
                        .previewed(chosen, &Value::Object(serde_json::Map::new()))
                        .await
                        .map(|_| None);
                }
                Edited::Unreadable(problem) => problem,
                Edited::Draft(draft) => {
                    let patch = set::patch(before, &draft);
                    match self.previewed(chosen, &patch).await {
                        Ok(_) => return Ok(Some(patch)),
                        Err(refusal) if matches!(refusal.code, "invalid" | "unknown_key") => {
                            problems(&refusal)
                        }
                        Err(refusal) => return Err(refusal),
                    }
                }
            };
            let lines = problem.lines().map(|line| format!("! {}\n", super::escape::escape_sentence(line)));
            self.screen.out(&lines.collect::<String>())?;
            if !self.confirmed("Open the editor again?").await? {
                return Ok(None);
            }
            error = Some(problem);
        }
    }

    /// Finds the review, and returns an error if the operator can neither be shown the draft nor has named it.
    async fn chosen(&mut self, named: &Named, verdict: &str, options: &[&str]) -> Result<Chosen, Refusal> {
        let thread = self.thread_id(&named.thread)?;
        let view = self.movable(&thread).await?;
        let (digest, review) = self.choose(&view, named.digest.as_deref()).await?;
        let operator = self.operator(review.as_ref().and_then(|review| review.role.as_deref()))?;
        let sure = named.yes || named.digest.is_some();
        if !sure && !self.screen.interactive {
            let mut words = vec!["--digest".to_owned(), digest.short()];
            words.extend(options.iter().map(|&option| option.to_owned()));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            return Err(Refusal::usage(
                "without a terminal, name the draft that you saw with --digest (or say --yes to decide it unseen)",
            )
            .detail("thread", thread.as_str())
            .detail("digest", digest.to_string())
            .try_this(self.program.on_thread(verdict, thread.as_str(), &words)));
        }
        Ok(Chosen { view, digest, review, operator, sure, shown: !sure })
    }

    /// Shows the draft and asks for confirmation, unless the arguments confirm it.
    async fn shown_and_confirmed(&mut self, chosen: &Chosen, question: &str) -> Result<bool, Refusal> {
        if chosen.sure {
            return Ok(true);
        }
        if let Some(review) = &chosen.review {
            let text = render::thread::review(&chosen.view, review, self.frame());
            self.screen.out(&format!("{text}\n"))?;
        }
        self.confirmed(question).await
    }

    pub(super) async fn give(&mut self, chosen: &Chosen, verdict: Verdict) -> Result<Exit, Refusal> {
        self.decide(chosen, verdict).await?;
        self.stands(&chosen.view.thread).await
    }

    pub(super) async fn decide(&mut self, chosen: &Chosen, verdict: Verdict) -> Result<(), Refusal> {
        let thread: &ThreadId = &chosen.view.thread;
        let agent = self.agent.clone();
        let evidence = Evidence { previewed: chosen.shown, ..Evidence::through("cli") };
        let operator = chosen.operator.clone().with_evidence(evidence);
        let decided = self.running(thread, agent.decide(thread, chosen.digest, &operator, verdict)).await?;
        if let Err(Error::Expired { .. }) = &decided {
            // A review that has expired is rejected, so the thread has moved despite the error.
            return self.mended(decided.map(drop)).map_err(|refusal| refusal.detail("moved", true));
        }
        self.mended(decided).map(drop)
    }

    /// Reports that nothing was signed.
    fn left(&mut self, view: &ThreadView) -> Result<Exit, Refusal> {
        let thread = super::escape::escape(view.thread.as_str()).into_owned();
        self.screen.out(&format!("Nothing was signed; {thread} waits.\n"))?;
        Ok(Exit::Waits)
    }
}

/// Returns the prompt that confirms an edit.
pub(super) fn confirmation(preview: &Preview) -> Cow<'static, str> {
    match &preview.again {
        None => "Sign this instead?".into(),
        Some(again) if again.opens.as_ref().is_some_and(|opens| opens.signs) => {
            "Propose and sign this instead?".into()
        }
        // The edit may sign yet: after nodes have run, where the same review opens again.
        Some(Reproposal { signs_only: Some(node), .. }) => {
            format!("Propose this instead, and sign it if `{}` is next again?", super::escape::escape(node))
                .into()
        }
        Some(_) => "Propose this instead?".into(),
    }
}

/// Returns the merge patch of `--set` options.
pub(super) fn assigned(review: &ReviewView, sets: &[String]) -> Result<Value, Refusal> {
    let mut draft = review.draft.clone();
    for text in sets {
        set::assignment(text)?.apply(&mut draft, Some(Schema::new(&review.schema)))?;
    }
    Ok(set::patch(&review.draft, &draft))
}

/// Formats the violations of a refusal, one per line.
fn problems(refusal: &Refusal) -> String {
    let violations = refusal.details.get("violations").and_then(Value::as_array);
    let word = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let lines = violations.into_iter().flatten().map(|v| match word(v, "path").as_str() {
        "" => word(v, "message"),
        path => format!("{path}: {}", word(v, "message")),
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { refusal.message.clone() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::{Source, To},
        run::Opens,
    };

    #[test]
    fn it_is_asked_what_an_edit_may_sign() {
        let again = |opens, signs_only: Option<&str>| {
            let (from, to) = (Source::After("draft".to_owned()), To::Node("rate".to_owned()));
            let signs_only = signs_only.map(str::to_owned);
            let again = Some(Reproposal { field: "draft".to_owned(), from, to, opens, signs_only });
            confirmation(&Preview { draft: None, again }).into_owned()
        };
        let opens = |signs| Some(Opens { node: "pay".to_owned(), role: None, signs });
        assert_eq!(again(opens(true), None), "Propose and sign this instead?");
        assert_eq!(again(opens(false), None), "Propose this instead?");
        assert_eq!(again(None, Some("pay")), "Propose this instead, and sign it if `pay` is next again?");
        assert_eq!(again(None, None), "Propose this instead?");
    }
}
