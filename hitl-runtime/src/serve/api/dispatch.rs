//! Executing requests.

use serde::Serialize;

use super::{Action, ApiError, Request};
use crate::{
    Agent, Digest, Error, Operator, Place, Preview, Reproposal, ThreadId, Verdict,
    run::{Graph, HistoryEntry, ThreadView},
};

/// The response to a request.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Reply {
    /// The thread, with its status and open reviews.
    Thread(Box<ThreadView>),
    /// A preview of a verdict.
    Preview {
        /// The thread.
        thread: ThreadId,
        /// The digest of the review that the verdict would decide.
        digest: Digest,
        /// The draft that the verdict would sign at once; `None` if it signs nothing. `again.signs_only` names the review that
        /// an edit may still sign after nodes have run.
        signs: Option<serde_json::Value>,
        /// The value that would be proposed again, if the verdict is an edit that does not sign at this review.
        #[serde(skip_serializing_if = "Option::is_none")]
        proposes: Option<serde_json::Value>,
        /// The destination of that edit.
        #[serde(skip_serializing_if = "Option::is_none")]
        again: Option<Box<Reproposal>>,
    },
    /// A page of the thread's journal.
    History {
        /// The thread.
        thread: ThreadId,
        /// The entries, oldest first.
        entries: Vec<HistoryEntry>,
        /// The first place of the next page; `None` after the last page.
        next: Option<Place>,
    },
}

impl<G: Graph> Agent<G> {
    /// Executes a request on behalf of an operator. A verdict without an operator is refused. A thread that an operator
    /// starts belongs to them if their name is verified. If the returned future is dropped, work that has begun
    /// continues in the background. For an example, see [`api`](crate::serve::api).
    ///
    /// # Errors
    /// Those of the method behind the action, and `operator_missing` for a verdict without an operator.
    pub async fn dispatch(&self, request: Request, operator: Option<&Operator>) -> Result<Reply, ApiError> {
        let Request { thread, action, .. } = request;
        let by = || operator.ok_or_else(|| operator_missing(&thread));
        match action {
            Action::Get => {}
            Action::History { from, limit } => return self.history_page(thread, from, limit).await,
            Action::Start { input } => {
                self.start_for(operator, thread.clone(), &input).await?;
            }
            Action::Resume => {
                match operator {
                    Some(operator) => self.resume_as(operator, &thread).await?,
                    None => self.resume(&thread).await?,
                };
            }
            Action::Settle { digest, how } => {
                self.settle(&thread, digest, by()?, *how).await?;
            }
            Action::Preview { digest, mut verdict } => {
                let operator = by()?;
                if let Verdict::Edit { patch } = &mut verdict
                    && let serde_json::Value::Object(outer) = patch.take()
                {
                    *patch = self.inner_patch(&thread, digest, outer).await?;
                }
                let shown = self.preview(&thread, digest, operator, verdict.clone()).await?;
                self.note_preview(&thread, digest, operator, &verdict);
                let Preview { draft, again } = shown;
                let opens = again.as_ref().and_then(|again| again.opens.as_ref());
                let signs =
                    draft.clone().filter(|_| again.is_none() || opens.is_some_and(|opens| opens.signs));
                let proposes = draft.filter(|_| again.is_some());
                return Ok(Reply::Preview { thread, digest, signs, proposes, again: again.map(Box::new) });
            }
            Action::Approve { digest } => {
                self.decide_with_evidence(&thread, digest, by()?, Verdict::Approve).await?;
            }
            Action::Reject { digest, reason, note } => {
                self.decide_with_evidence(&thread, digest, by()?, Verdict::Reject { reason, note }).await?;
            }
            Action::Ask { digest, question } => {
                self.decide_with_evidence(&thread, digest, by()?, Verdict::Ask { question }).await?;
            }
            Action::Edit { digest, patch } => {
                let operator = by()?;
                let patch = self.inner_patch(&thread, digest, patch).await?;
                self.decide_with_evidence(&thread, digest, operator, Verdict::Edit { patch }).await?;
            }
        }
        Ok(Reply::Thread(Box::new(self.view(&thread).await?)))
    }

    /// Decides a review, and records as evidence whether this verdict was previewed here.
    async fn decide_with_evidence(
        &self,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: Verdict,
    ) -> Result<(), Error> {
        let operator = self.previewed(thread, digest, operator, &verdict);
        self.decide(thread, digest, &operator, verdict).await.map(drop)
    }

    /// Extracts the patch of the draft from a patch that names the signed field.
    async fn inner_patch(
        &self,
        thread: &ThreadId,
        digest: Digest,
        mut patch: serde_json::Map<String, serde_json::Value>,
    ) -> Result<serde_json::Value, ApiError> {
        let view = self.view(thread).await?;
        let Some(review) = view.reviews.iter().find(|review| review.digest == digest) else {
            // The review is not open. The verdict itself reports who decided first.
            return Ok(serde_json::Value::Object(patch));
        };
        let field = &review.field;
        match patch.remove(field) {
            Some(inner) if patch.is_empty() => Ok(inner),
            _ => Err(ApiError::new(
                422,
                "invalid_patch",
                format!("the patch must contain exactly the signed field: {{\"{field}\": {{ … }}}}"),
            )
            .detail("thread", thread.as_str())
            .detail("field", field.as_str())),
        }
    }

    async fn history_page(&self, thread: ThreadId, from: Place, limit: usize) -> Result<Reply, ApiError> {
        let mut entries = self.history(&thread, from, limit + 1).await?;
        let next = entries.get(limit).map(|entry| entry.place);
        entries.truncate(limit);
        Ok(Reply::History { thread, entries, next })
    }
}

fn operator_missing(thread: &ThreadId) -> ApiError {
    ApiError::new(
        401,
        "operator_missing",
        "a verdict requires an operator, but the request has none: send a verified token, or, if claimed operators are \
         accepted, an `operator` and its `roles`",
    )
    .detail("thread", thread.as_str())
}

impl From<crate::InvalidThreadId> for ApiError {
    fn from(error: crate::InvalidThreadId) -> Self {
        Error::from(error).into()
    }
}
