//! The commands of the four verdicts.

use std::{borrow::Cow, sync::Arc};

use hitl_runtime::{
    Digest, Error, NotedVerdict, Operator, Reason, Reproposal, ThreadId, Timestamp, Verdict,
    agent::{Preview, ReviewView, ThreadView},
    journal::Evidence,
    plumbing::VerdictInput,
};
use serde_json::Value;

use super::{
    args::ReviewArgs,
    assignment::{Assignment, merge_patch},
    editor::{self, EditOutcome},
    execution::Execution,
    exit::{CliError, Exit},
    render::{
        self,
        diff::diff,
        style::{BOLD, paint},
    },
    schema::Schema,
};

/// A review selected by the operator, and the operator.
pub(super) struct SelectedReview {
    pub(super) view: ThreadView,
    pub(super) digest: Digest,
    /// The open review; `None` if it is no longer open.
    pub(super) review: Option<ReviewView>,
    pub(super) operator: Operator,
    /// `true` if no confirmation is needed: with `--yes` or `--digest`, and in the interactive mode.
    pub(super) is_confirmed: bool,
    /// `true` if the operator is shown the draft before they confirm.
    pub(super) shown: bool,
    /// The time at which this command began to show the draft, if it did.
    pub(super) shown_at: Option<Timestamp>,
}

impl Execution<'_> {
    pub(super) async fn approve(&mut self, named: ReviewArgs) -> Result<Exit, CliError> {
        let selected = self.select_named(&named, "approve", &[]).await?;
        if !self.show_and_confirm(&selected, "Sign this?").await? {
            return self.report_unsigned(&selected.view);
        }
        self.decide_and_report(&selected, Verdict::Approve.with_note(named.note)).await
    }

    pub(super) async fn reject(
        &mut self,
        named: ReviewArgs,
        reason: Option<Reason>,
    ) -> Result<Exit, CliError> {
        let Some(reason) = reason else {
            let words = Reason::GIVEN.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
            return Err(CliError::usage(format_args!(
                "the reason is missing: give --reason with one of {words}"
            ))
            .suggest(self.invocation.on_thread(
                "reject",
                &named.thread,
                &named.options(&["--reason", "other", "--note", "…"]),
            )));
        };
        let selected = self.select_named(&named, "reject", &["--reason", reason.as_str()]).await?;
        if !self.show_and_confirm(&selected, "Reject this?").await? {
            return self.report_unsigned(&selected.view);
        }
        self.decide_and_report(&selected, Verdict::Reject { reason, note: named.note }).await
    }

    pub(super) async fn ask(&mut self, named: ReviewArgs, question: Vec<String>) -> Result<Exit, CliError> {
        let question = question.join(" ");
        if question.trim().is_empty() {
            return Err(CliError::usage("the question is missing").suggest(self.invocation.on_thread(
                "ask",
                &named.thread,
                &named.options(&["…"]),
            )));
        }
        let selected = self.select_named(&named, "ask", &[&question]).await?;
        if !self.show_and_confirm(&selected, "Ask this?").await? {
            return self.report_unsigned(&selected.view);
        }
        self.decide_and_report(&selected, Verdict::Ask { question }.with_note(named.note)).await
    }

    pub(super) async fn edit(
        &mut self,
        named: ReviewArgs,
        sets: Vec<String>,
        patch: Option<String>,
    ) -> Result<Exit, CliError> {
        let by_hand = sets.is_empty() && patch.is_none();
        if by_hand && !self.terminal.interactive {
            return Err(CliError::usage(
                "the editor requires a terminal: give the changes with --set or --patch",
            )
            .suggest(self.invocation.on_thread(
                "edit",
                &named.thread,
                &named.options(&["--set", "PATH=VALUE"]),
            )));
        }
        // A patch from standard input appears as `-` in the suggested command, because its text is not known yet.
        let mut options: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
        options.extend(patch.iter().flat_map(|patch| ["--patch", patch.as_str()]));
        let selected = self.select_named(&named, "edit", &options).await?;
        if selected.review.as_ref().is_some_and(|review| !review.verdicts.contains(&"edit")) {
            // The preview reports the reason, before the operator types anything.
            self.preview_edit(&selected, &Value::Object(serde_json::Map::new())).await?;
        }
        let patch = match (patch, &selected.review) {
            (Some(json), _) => self.json_argument("--patch", &json).await?,
            (None, Some(review)) if by_hand => match self.edit_in_editor(&selected, review).await? {
                Some(patch) => patch,
                None => return self.report_unsigned(&selected.view),
            },
            (None, Some(review)) => patch_from_assignments(review, &sets)?,
            // The review has been decided: the engine reports who decided it.
            (None, None) => Value::Object(serde_json::Map::new()),
        };
        let preview = self.preview_edit(&selected, &patch).await?;
        let after = preview.draft.clone().unwrap_or_default();
        if let Some(review) = &selected.review {
            self.show_diff(&selected.view, review, &after)?;
            self.show_destination(&preview)?;
        }
        if !selected.is_confirmed && !self.confirm(&confirmation_prompt(&preview)).await? {
            return self.report_unsigned(&selected.view);
        }
        self.decide_and_report(&selected, Verdict::Edit { patch }.with_note(named.note)).await
    }

    /// Previews an edit: returns the draft that it would sign or propose, or an error if the draft breaks its
    /// invariants.
    pub(super) async fn preview_edit(
        &self,
        selected: &SelectedReview,
        patch: &Value,
    ) -> Result<Preview, CliError> {
        let verdict = Verdict::Edit { patch: patch.clone() };
        let preview = self
            .engine
            .preview(
                &selected.view.thread,
                selected.digest,
                &selected.operator,
                &VerdictInput::given(verdict),
            )
            .await;
        let approve = || {
            let digest = selected.digest.short();
            self.invocation.on_thread("approve", selected.view.thread.as_str(), &["--digest", &digest])
        };
        match self.with_suggestion(preview) {
            Err(error) if error.code == "unchanged" => Err(error.suggest(approve())),
            preview => preview,
        }
    }

    /// Shows the destination of an edit that does not sign here.
    pub(super) fn show_destination(&mut self, preview: &Preview) -> Result<(), CliError> {
        match &preview.again {
            Some(again) if !self.global.json => {
                let text = super::escape::escape(&again.to_string()).into_owned();
                let mut letters = text.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                let text: String = first.into_iter().chain(letters).collect();
                self.terminal.out(&format!("{text}.\n\n"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn show_diff(
        &mut self,
        view: &ThreadView,
        review: &ReviewView,
        after: &Value,
    ) -> Result<(), CliError> {
        if self.global.json {
            return Ok(());
        }
        let head = format!(
            "{} before {}, edited\n\n",
            paint(BOLD, super::escape::escape(view.thread.as_str())),
            paint(BOLD, super::escape::escape(&review.node))
        );
        let width = self.terminal.width;
        self.terminal.out(&format!("{head}{}\n", diff(review, after, width)))
    }

    /// Opens the editor until its result can be signed or the operator gives up, and returns the patch. The editor is
    /// reopened only after confirmation; otherwise an editor that exits without a person would make this loop endless.
    pub(super) async fn edit_in_editor(
        &mut self,
        selected: &SelectedReview,
        review: &ReviewView,
    ) -> Result<Option<Value>, CliError> {
        let before = &review.draft;
        let mut text = editor::pretty(before, &review.schema);
        let mut error: Option<String> = None;
        loop {
            let contents =
                editor::file_contents(selected.view.thread.as_str(), review, &text, error.as_deref());
            let edited = editor::open(contents.clone()).await?;
            // The file was left unchanged after an error, so the operator gives up.
            if error.is_some() && edited == contents {
                return Ok(None);
            }
            text = editor::strip_header(&edited);
            let problem = match editor::parse(&edited, before) {
                EditOutcome::Empty => return Ok(None),
                // The engine reports this, with the same error as in the other interfaces.
                EditOutcome::Unchanged => {
                    return self
                        .preview_edit(selected, &Value::Object(serde_json::Map::new()))
                        .await
                        .map(|_| None);
                }
                EditOutcome::InvalidJson(problem) => problem,
                EditOutcome::Draft(draft) => {
                    let patch = merge_patch(before, &draft);
                    match self.preview_edit(selected, &patch).await {
                        Ok(_) => return Ok(Some(patch)),
                        Err(error) if matches!(error.code, "invalid" | "unknown_key") => {
                            violation_lines(&error)
                        }
                        Err(error) => return Err(error),
                    }
                }
            };
            let lines = problem.lines().map(|line| format!("! {}\n", super::escape::escape_sentence(line)));
            self.terminal.out(&lines.collect::<String>())?;
            if !self.confirm("Open the editor again?").await? {
                return Ok(None);
            }
            error = Some(problem);
        }
    }

    /// Finds the review, and returns an error if the operator can neither be shown the draft nor has named it.
    async fn select_named(
        &mut self,
        named: &ReviewArgs,
        verdict: &str,
        options: &[&str],
    ) -> Result<SelectedReview, CliError> {
        let thread = self.thread_id(&named.thread)?;
        let view = self.compatible_view(&thread).await?;
        let (digest, review) = self.select_review(&view, named.digest.as_deref()).await?;
        let operator = self.operator(review.as_ref().and_then(|review| review.role.as_deref()))?;
        let is_confirmed = named.yes || named.digest.is_some();
        if !is_confirmed && !self.terminal.interactive {
            let mut words = vec!["--digest".to_owned(), digest.short()];
            words.extend(options.iter().map(|&option| option.to_owned()));
            if !named.note.is_empty() {
                words.extend(["--note".to_owned(), named.note.clone()]);
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            return Err(CliError::usage(
                "without a terminal, name the draft that you saw with --digest, or decide without seeing it with --yes",
            )
            .detail("thread", thread.as_str())
            .detail("digest", digest.to_string())
            .suggest(self.invocation.on_thread(verdict, thread.as_str(), &words)));
        }
        let shown_at = (!is_confirmed).then(|| self.engine.now());
        Ok(SelectedReview { view, digest, review, operator, is_confirmed, shown: !is_confirmed, shown_at })
    }

    /// Shows the draft and asks for confirmation, unless the arguments confirm it.
    async fn show_and_confirm(
        &mut self,
        selected: &SelectedReview,
        question: &str,
    ) -> Result<bool, CliError> {
        if selected.is_confirmed {
            return Ok(true);
        }
        if let Some(review) = &selected.review {
            let text = render::thread::review(&selected.view, review, self.render_context());
            self.terminal.out(&format!("{text}\n"))?;
        }
        self.confirm(question).await
    }

    pub(super) async fn decide_and_report(
        &mut self,
        selected: &SelectedReview,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<Exit, CliError> {
        self.decide(selected, verdict).await?;
        self.print_status(&selected.view.thread).await
    }

    pub(super) async fn decide(
        &mut self,
        selected: &SelectedReview,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<(), CliError> {
        let thread: &ThreadId = &selected.view.thread;
        let engine = Arc::clone(self.engine);
        let evidence =
            Evidence::through("cli").with_previewed(selected.shown).with_shown_at(selected.shown_at);
        let operator = selected.operator.clone().with_evidence(evidence);
        let decided = self
            .run_interruptible(thread, engine.decide(thread.clone(), selected.digest, &operator, verdict))
            .await?;
        if let Err(Error::Expired { .. }) = &decided {
            // A review that has expired is rejected, so the thread has moved despite the error.
            return self.with_suggestion(decided.map(drop)).map_err(|error| error.detail("moved", true));
        }
        self.with_suggestion(decided).map(drop)
    }

    /// Reports that nothing was signed.
    fn report_unsigned(&mut self, view: &ThreadView) -> Result<Exit, CliError> {
        let thread = super::escape::escape(view.thread.as_str()).into_owned();
        self.terminal.out(&format!("Nothing was signed; {thread} waits.\n"))?;
        Ok(Exit::Waiting)
    }
}

/// Returns the prompt that confirms an edit.
pub(super) fn confirmation_prompt(preview: &Preview) -> Cow<'static, str> {
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
pub(super) fn patch_from_assignments(review: &ReviewView, sets: &[String]) -> Result<Value, CliError> {
    let mut draft = review.draft.clone();
    for text in sets {
        Assignment::parse(text)?.apply(&mut draft, Some(Schema::new(&review.schema)))?;
    }
    Ok(merge_patch(&review.draft, &draft))
}

/// Formats the violations of an error, one per line.
fn violation_lines(error: &CliError) -> String {
    let violations = error.details.get("violations").and_then(Value::as_array);
    let word = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let lines = violations.into_iter().flatten().map(|v| match word(v, "path").as_str() {
        "" => word(v, "message"),
        path => format!("{path}: {}", word(v, "message")),
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { error.message.clone() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use hitl_runtime::journal::{Source, Transition};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_prompt_says_what_an_edit_may_sign() {
        let again = |opens, signs_only: Option<&str>| {
            let (from, to) = (Source::After("draft".to_owned()), Transition::Node("rate".to_owned()));
            let again =
                json!({ "field": "draft", "from": from, "to": to, "opens": opens, "signs_only": signs_only });
            let preview: Preview = serde_json::from_value(json!({ "again": again })).unwrap();
            confirmation_prompt(&preview).into_owned()
        };
        let opens = |signs| json!({ "node": "pay", "signs": signs });
        assert_eq!(again(opens(true), None), "Propose and sign this instead?");
        assert_eq!(again(opens(false), None), "Propose this instead?");
        assert_eq!(
            again(Value::Null, Some("pay")),
            "Propose this instead, and sign it if `pay` is next again?"
        );
        assert_eq!(again(Value::Null, None), "Propose this instead?");
    }
}
