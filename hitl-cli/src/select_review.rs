//! Selecting the review that a verdict decides.

use hitl_runtime::{
    Digest, Error, Place, ThreadId, Timestamp,
    agent::{ReviewView, ThreadView},
    journal::{Event, StopKind},
    store::ThreadStatus,
};

use super::{execution::Execution, exit::CliError};
use crate::time::ago;

/// The minimum length of a digest prefix.
const MIN_PREFIX: usize = 8;

impl Execution<'_> {
    /// Returns the open review that a digest or its prefix names; without one, the only open review.
    ///
    /// A digest that is no longer open is looked up in the journal, so that the engine can report who decided it.
    pub(super) async fn select_review(
        &self,
        view: &ThreadView,
        named: Option<&str>,
    ) -> Result<(Digest, Option<ReviewView>), CliError> {
        let thread = &view.thread;
        let Some(text) = named else {
            return match view.reviews.as_slice() {
                [review] => Ok((review.digest, Some(review.clone()))),
                [] => Err(self.no_open_review(view).await),
                several => {
                    let open: Vec<String> = several
                        .iter()
                        .map(|review| format!("{} before `{}`", review.digest.short(), review.node))
                        .collect();
                    Err(CliError::refused(
                        "several_open",
                        format_args!(
                            "thread `{thread}` has {} open reviews ({}); name one with --digest",
                            several.len(),
                            open.join(", ")
                        ),
                    )
                    .detail("thread", thread.as_str())
                    .detail("open", digests(view))
                    .suggest(self.invocation.on_thread("show", thread.as_str(), &[])))
                }
            };
        };
        let prefix = parse_prefix(text)?;
        let open: Vec<&ReviewView> =
            view.reviews.iter().filter(|review| has_prefix(&review.digest, &prefix)).collect();
        match open.as_slice() {
            [review] => Ok((review.digest, Some((*review).clone()))),
            [] => match self.find_in_journal(thread, &prefix).await? {
                Some(digest) => Ok((digest, None)),
                None => match prefix.parse() {
                    Ok(digest) => Ok((digest, None)),
                    Err(_) => Err(self.stale(view, &prefix)),
                },
            },
            several => Err(CliError::refused(
                "several_open",
                format_args!(
                    "{} open reviews of thread `{thread}` begin with {prefix}; give more digits",
                    several.len()
                ),
            )
            .detail("thread", thread.as_str())
            .detail("open", digests(view))),
        }
    }

    fn stale(&self, view: &ThreadView, prefix: &str) -> CliError {
        let thread = &view.thread;
        let open: Vec<String> = view.reviews.iter().map(|review| review.digest.short()).collect();
        let open =
            if open.is_empty() { "none is open".to_owned() } else { format!("open: {}", open.join(", ")) };
        CliError::refused(
            "stale",
            format_args!("no review of thread `{thread}` has a digest that begins with {prefix}; {open}"),
        )
        .detail("thread", thread.as_str())
        .detail("open", digests(view))
        .suggest(self.invocation.on_thread("show", thread.as_str(), &[]))
    }

    async fn no_open_review(&self, view: &ThreadView) -> CliError {
        let thread = &view.thread;
        if let Some(stop) = view.stop.as_ref().filter(|stop| stop.kind == StopKind::Cancel) {
            let (thread, by, reason, at) =
                (thread.clone(), stop.operator.clone(), stop.reason.clone(), stop.since);
            return Error::Cancelled { thread, by, reason, at }.into();
        }
        let status = match view.standing {
            ThreadStatus::Running if view.stalled => "it has stalled, its process does not renew the lease",
            ThreadStatus::Running => "it is running",
            ThreadStatus::Waiting => "it is waiting",
            ThreadStatus::InDoubt => "it is in doubt",
            ThreadStatus::Failed => "it has failed",
            ThreadStatus::Ended => "it has ended",
        };
        let mut message = format!("thread `{thread}` has no open review: {status}");
        if let Ok(Some((verdict, by, at))) = self.last_verdict(thread).await {
            message.push_str(&format!(
                "; the last verdict was `{verdict}` by {by}, {}",
                ago(at, self.engine.now())
            ));
        }
        CliError::refused("no_open_review", message)
            .detail("thread", thread.as_str())
            .detail("standing", view.standing.as_str())
            .suggest(self.invocation.on_thread("show", thread.as_str(), &[]))
    }

    async fn last_verdict(&self, thread: &ThreadId) -> Result<Option<(String, String, Timestamp)>, CliError> {
        let mut last = None;
        self.for_each_event(thread, |event, at| {
            if let Event::Decided { verdict, operator, .. } = event {
                last = Some((verdict.name().to_owned(), operator.clone(), at));
            }
        })
        .await?;
        Ok(last)
    }

    /// Returns the digest in the journal with this prefix.
    async fn find_in_journal(&self, thread: &ThreadId, prefix: &str) -> Result<Option<Digest>, CliError> {
        let mut found = None;
        self.for_each_event(thread, |event, _| {
            // Decided, or reopened by new code.
            if let Event::Decided { digest, .. } | Event::Paused { digest, .. } = event
                && has_prefix(digest, prefix)
            {
                found = Some(*digest);
            }
        })
        .await?;
        Ok(found)
    }

    async fn for_each_event(
        &self,
        thread: &ThreadId,
        mut visit: impl FnMut(&Event, Timestamp),
    ) -> Result<(), CliError> {
        let mut from = Place::START;
        loop {
            let page = self.with_suggestion(self.engine.history(thread, from, 256).await)?;
            page.iter().for_each(|entry| visit(&entry.event, entry.at));
            match page.last() {
                Some(last) => from = last.place + 1,
                None => return Ok(()),
            }
        }
    }
}

fn digests(view: &ThreadView) -> Vec<String> {
    view.reviews.iter().map(|review| review.digest.to_string()).collect()
}

fn has_prefix(digest: &Digest, prefix: &str) -> bool {
    digest.to_string().starts_with(prefix)
}

/// Validates a digest or a prefix of one.
fn parse_prefix(text: &str) -> Result<String, CliError> {
    let text = text.trim().to_ascii_lowercase();
    if !(MIN_PREFIX..=64).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(CliError::usage(format_args!(
            "`{text}` is not a digest; give at least its first {MIN_PREFIX} hexadecimal digits"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_prefix_has_at_least_eight_digits() {
        let full = Digest::of(b"draft").to_string();
        assert_eq!(parse_prefix(&full).ok(), Some(full.clone()));
        assert_eq!(parse_prefix(&full[..8].to_uppercase()).ok(), Some(full[..8].to_owned()));
        for text in ["", "1234567", "xyzxyzxy", &format!("{full}0"), "12345678é"] {
            assert!(parse_prefix(text).is_err(), "{text}");
        }
        assert!(has_prefix(&Digest::of(b"draft"), &full[..9]));
    }
}
