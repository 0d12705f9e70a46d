//! Choosing the review that a verdict decides.

use super::{exit::Refusal, session::Session};
use crate::{
    Digest, ThreadId,
    journal::Event,
    run::{Graph, ReviewView, ThreadView},
    serve::cli::ages::ago,
    store::Standing,
};

/// The minimum length of a digest prefix.
const SHORTEST: usize = 8;

impl<G: Graph> Session<'_, G> {
    /// Returns the open review that a digest or its prefix names; without one, the only open review.
    ///
    /// A digest that is no longer open is looked up in the journal, so that the engine can report who decided it.
    pub(super) async fn choose(
        &self,
        view: &ThreadView,
        named: Option<&str>,
    ) -> Result<(Digest, Option<ReviewView>), Refusal> {
        let thread = &view.thread;
        let Some(text) = named else {
            return match view.reviews.as_slice() {
                [review] => Ok((review.digest, Some(review.clone()))),
                [] => Err(self.nothing_open(view).await),
                several => {
                    let open: Vec<String> = several
                        .iter()
                        .map(|review| format!("{} before `{}`", review.digest.short(), review.node))
                        .collect();
                    Err(Refusal::refused(
                        "several_open",
                        format_args!(
                            "thread `{thread}` has {} open reviews ({}); say which one with --digest",
                            several.len(),
                            open.join(", ")
                        ),
                    )
                    .detail("thread", thread.as_str())
                    .detail("open", digests(view))
                    .try_this(self.program.on_thread("show", thread.as_str(), &[])))
                }
            };
        };
        let prefix = prefix(text)?;
        let open: Vec<&ReviewView> =
            view.reviews.iter().filter(|review| starts(&review.digest, &prefix)).collect();
        match open.as_slice() {
            [review] => Ok((review.digest, Some((*review).clone()))),
            [] => match self.closed(thread, &prefix).await? {
                Some(digest) => Ok((digest, None)),
                None => match prefix.parse() {
                    Ok(digest) => Ok((digest, None)),
                    Err(_) => Err(self.stale(view, &prefix)),
                },
            },
            several => Err(Refusal::refused(
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

    fn stale(&self, view: &ThreadView, prefix: &str) -> Refusal {
        let thread = &view.thread;
        let open: Vec<String> = view.reviews.iter().map(|review| review.digest.short()).collect();
        let open =
            if open.is_empty() { "none is open".to_owned() } else { format!("open: {}", open.join(", ")) };
        Refusal::refused(
            "stale",
            format_args!("no review of thread `{thread}` has a digest that begins with {prefix}; {open}"),
        )
        .detail("thread", thread.as_str())
        .detail("open", digests(view))
        .try_this(self.program.on_thread("show", thread.as_str(), &[]))
    }

    async fn nothing_open(&self, view: &ThreadView) -> Refusal {
        let thread = &view.thread;
        let stands = match view.standing {
            Standing::Running if view.stalled => "its process does not renew its lease",
            Standing::Running => "it is running",
            Standing::Waiting => "it waits for something else",
            Standing::InDoubt => "it is in doubt",
            Standing::Failed => "it has failed",
            Standing::Ended => "it has ended",
        };
        let mut message = format!("thread `{thread}` waits for no signature: {stands}");
        if let Ok(Some((what, by, at_ms))) = self.last_verdict(thread).await {
            message.push_str(&format!("; {by} decided it {}: {what}", ago(at_ms, self.agent.now_ms())));
        }
        Refusal::refused("no_open_review", message)
            .detail("thread", thread.as_str())
            .detail("standing", view.standing.as_str())
            .try_this(self.program.on_thread("show", thread.as_str(), &[]))
    }

    async fn last_verdict(&self, thread: &ThreadId) -> Result<Option<(String, String, u64)>, Refusal> {
        let mut last = None;
        self.each(thread, |event, at_ms| {
            if let Event::Decided { verdict, operator, .. } = event {
                last = Some((verdict.name().to_owned(), operator.clone(), at_ms));
            }
        })
        .await?;
        Ok(last)
    }

    /// Returns the digest in the journal with this prefix.
    async fn closed(&self, thread: &ThreadId, prefix: &str) -> Result<Option<Digest>, Refusal> {
        let mut found = None;
        self.each(thread, |event, _| {
            // Decided, or reopened by new code.
            if let Event::Decided { digest, .. } | Event::Paused { digest, .. } = event
                && starts(digest, prefix)
            {
                found = Some(*digest);
            }
        })
        .await?;
        Ok(found)
    }

    async fn each(&self, thread: &ThreadId, mut see: impl FnMut(&Event, u64)) -> Result<(), Refusal> {
        let mut from = 0;
        loop {
            let page = self.mended(self.agent.history(thread, from, 256).await)?;
            page.iter().for_each(|entry| see(&entry.event, entry.at_ms));
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

fn starts(digest: &Digest, prefix: &str) -> bool {
    digest.to_string().starts_with(prefix)
}

/// Validates a digest or a prefix of one.
fn prefix(text: &str) -> Result<String, Refusal> {
    let text = text.trim().to_ascii_lowercase();
    if !(SHORTEST..=64).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refusal::usage(format_args!(
            "`{text}` is no digest; give at least its first {SHORTEST} hexadecimal digits"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_named_by_eight_digits_or_more() {
        let full = Digest::of(b"draft").to_string();
        assert_eq!(prefix(&full).ok(), Some(full.clone()));
        assert_eq!(prefix(&full[..8].to_uppercase()).ok(), Some(full[..8].to_owned()));
        for text in ["", "1234567", "xyzxyzxy", &format!("{full}0"), "12345678é"] {
            assert!(prefix(text).is_err(), "{text}");
        }
        assert!(starts(&Digest::of(b"draft"), &full[..9]));
    }
}
