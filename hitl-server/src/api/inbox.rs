//! The open reviews that an operator may decide.

use hitl_runtime::{Error, OpenReview, Operator, ThreadId, plumbing::Engine};

/// The number of reviews that are read from the store at a time.
const PAGE: usize = 100;

/// The rule which reviews and threads an operator may see, besides that of their roles.
pub(crate) trait ReviewFilter: Sync {
    fn accepts(&self, review: &OpenReview) -> impl Future<Output = bool> + Send;

    /// Returns whether the operator may see a thread. To others it does not exist.
    fn sees(&self, thread: &ThreadId) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// The reviews that a request for an inbox is about; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxFilter {
    /// The node of the reviews.
    pub node: Option<String>,
    /// The role that their operator must hold.
    pub role: Option<String>,
    /// The beginning of the names of their threads.
    pub thread_prefix: Option<String>,
}

impl InboxFilter {
    fn matches(&self, review: &OpenReview) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let prefix = self.thread_prefix.as_deref().unwrap_or_default();
        is(&self.node, Some(&review.node))
            && is(&self.role, review.role.as_deref())
            && review.thread.as_str().starts_with(prefix)
    }
}

/// Accepts every review.
pub(super) struct AllReviews;

impl ReviewFilter for AllReviews {
    async fn accepts(&self, _: &OpenReview) -> bool {
        true
    }

    async fn sees(&self, _: &ThreadId) -> Result<bool, Error> {
        Ok(true)
    }
}

/// Returns a page of the open reviews of this graph that an operator may decide, oldest first, and the token of the next
/// page. A review counts if it is `wanted`, it has not expired, the operator holds its role, and `filter` accepts it.
///
/// A token has the name of a thread in it, so it is always that of the last review returned, and never that of a review
/// that was left out.
///
/// # Errors
/// That of the store, if the list fails before a review was found. If it fails later, the page ends at the last review.
pub(crate) async fn inbox(
    engine: &Engine,
    operator: &Operator,
    wanted: &InboxFilter,
    mut after: Option<String>,
    limit: usize,
    filter: &impl ReviewFilter,
) -> Result<(Vec<OpenReview>, Option<String>), Error> {
    let mut reviews: Vec<OpenReview> = Vec::new();
    // The position of the last review: the token of its page, and its row in it.
    let mut last: Option<(Option<String>, usize)> = None;
    loop {
        let page = match engine.inbox(after.as_deref(), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                let Some((after, row)) = last else { return Err(error) };
                // The next page reports the failure, if it lasts.
                #[cfg(feature = "http")]
                tracing::warn!(code = error.code(), "the list of reviews failed; its first part is returned");
                let again = engine.inbox(after.as_deref(), row + 1).await?;
                // Another review of the page was decided or opened in between, so there is no token.
                return if again.items.last() == reviews.last() {
                    Ok((reviews, again.next))
                } else {
                    Err(error)
                };
            }
        };
        let (earlier, rows) = (reviews.len(), page.items.len());
        let mut read = rows;
        for (row, review) in page.items.into_iter().enumerate() {
            if wanted.matches(&review) && has_role(engine, operator, &review) && filter.accepts(&review).await
            {
                reviews.push(review);
                last = Some((after.clone(), row));
                if reviews.len() == limit {
                    read = row + 1;
                    break;
                }
            }
        }
        if reviews.len() < limit {
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((reviews, None)),
            }
        } else if read == rows {
            return Ok((reviews, page.next));
        } else {
            // A store returns a token only for the last row of a page, so read the page up to the last review.
            let again = engine.inbox(after.as_deref(), read).await?;
            if again.items.last() == reviews.last() {
                return Ok((reviews, again.next));
            }
            // Another review of the page was decided or opened in between.
            reviews.truncate(earlier);
        }
    }
}

fn has_role(engine: &Engine, operator: &Operator, review: &OpenReview) -> bool {
    // Several graphs may share a store.
    review.graph == engine.graph.spec.name
        && review.role.as_deref().is_none_or(|role| operator.has_role(role))
        && review.deadline.is_none_or(|deadline| engine.now() < deadline)
}
