//! One verdict on reviews of many threads, given in two steps: a preview of all, and the same request with its
//! `confirm`.
//!
//! Each verdict is an append of its own, so a batch is not atomic: a review that another operator decides in between
//! has an error of its own in the reply, and the others are decided.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt as _, stream};
use hitl_runtime::{
    Digest, Error, NotedVerdict, Operator, ThreadId, ThreadStatus, Verdict,
    agent::ReviewView,
    graph::RiskLevel,
    plumbing::{Engine, GivenVerdict, VerdictInput},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ApiError, inbox::ReviewFilter, request::parse_members};

/// The maximum number of reviews in a batch.
const MAX_REVIEWS: usize = 100;

/// The number of threads of a batch that are read, decided or run at a time.
const AT_ONCE: usize = 8;

/// One verdict on reviews of many threads, which have the same node and the same rule.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The reviews, each once.
    pub reviews: Vec<BatchReview>,
    /// The verdict on each of them.
    pub verdict: NotedVerdict,
    /// The `confirm` of the preview of the same batch; `None` for the preview.
    pub confirm: Option<Digest>,
}

/// A review of a batch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchReview {
    /// The thread. `thread`, its name in a list of reviews, is accepted too.
    #[serde(alias = "thread")]
    pub thread_id: ThreadId,
    /// The digest of the draft that the operator saw.
    pub digest: Digest,
}

/// The result of a batch for one review.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchResult {
    /// The review.
    #[serde(flatten)]
    pub review: BatchReview,
    /// In a preview, the draft that the verdict would sign or propose; null if it signs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft: Option<Value>,
    /// After the verdict, the status of the thread, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<ThreadStatus>,
    /// The error for this review, which is then unchanged; only if the store failed, code `store`, the verdict may have
    /// been recorded, and the thread must be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(with = "Option<Map<String, Value>>"))]
    pub refused: Option<ApiError>,
}

/// The reply to a batch.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BatchReply {
    /// `true` if the verdicts were given; `false` for a preview.
    pub decided: bool,
    /// The number of reviews that the verdict decides, or has decided.
    pub count: usize,
    /// The node of the reviews; `None` if none of them is open.
    pub node: Option<String>,
    /// The role that their operator must hold.
    pub role: Option<String>,
    /// The risk of each of the actions. Left out if the program declares none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskLevel>,
    /// `true` if the program declares that the actions cannot be undone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// The digest of the exact set of threads, drafts and the verdict. The same request with this `confirm` gives the
    /// verdicts.
    pub confirm: Digest,
    /// The result for each review, in the order of the request.
    pub results: Vec<BatchResult>,
}

/// The part of a review that must be the same in all reviews of a batch: what is confirmed for all is the same for
/// each.
#[derive(PartialEq)]
struct Rule {
    node: String,
    field: String,
    role: Option<String>,
    risk: Option<RiskLevel>,
    irreversible: bool,
    verdicts: Vec<&'static str>,
}

impl Rule {
    fn of(review: ReviewView) -> Self {
        let ReviewView { node, field, role, risk, irreversible, verdicts, .. } = review;
        Self { node, field, role, risk, irreversible, verdicts }
    }
}

#[derive(Deserialize)]
struct BatchMembers {
    reviews: Vec<BatchReview>,
    #[serde(default)]
    confirm: Option<Digest>,
}

impl Batch {
    /// Parses the members of a batch, except for those of its verdict, which `verdict` parses.
    pub(super) fn parse(
        mut rest: Map<String, Value>,
        verdict: impl FnOnce(Map<String, Value>) -> Result<NotedVerdict, ApiError>,
    ) -> Result<Self, ApiError> {
        let own: Map<String, Value> =
            ["reviews", "confirm"].into_iter().filter_map(|name| rest.remove_entry(name)).collect();
        let BatchMembers { reviews, confirm } = parse_members(own)?;
        if reviews.is_empty() || reviews.len() > MAX_REVIEWS {
            return Err(ApiError::malformed(
                "invalid_request",
                format!("`reviews` has {} reviews; give 1 to {MAX_REVIEWS}", reviews.len()),
            ));
        }
        if reviews.iter().collect::<BTreeSet<_>>().len() < reviews.len() {
            return Err(ApiError::malformed("invalid_request", "`reviews` has a review twice: remove one"));
        }
        Ok(Self { reviews, verdict: verdict(rest)?, confirm })
    }

    /// Returns the digest of the exact set of threads, drafts and the verdict, independent of the order of the reviews.
    pub(super) fn digest(&self) -> Digest {
        let mut reviews: Vec<&BatchReview> = self.reviews.iter().collect();
        reviews.sort_unstable();
        // Serialization cannot fail: these are our own types, whose keys are strings.
        let set = serde_json::to_vec(&("hitl batch 1", reviews, self.verdict.verdict(), self.verdict.note()));
        Digest::of(&set.unwrap_or_default())
    }
}

/// Previews a batch, or records its verdicts if it has its `confirm`. The threads are then run in the background, or by
/// the runner that a front wakes.
///
/// # Errors
/// `confirm_mismatch` if `confirm` is that of another set or verdict; `mixed_batch` if the open reviews differ in node
/// or rule; and the errors of the store that concern all threads. Nothing was decided then.
pub(crate) async fn batch(
    engine: &Arc<Engine>,
    operator: &Operator,
    batch: Batch,
    filter: &impl ReviewFilter,
) -> Result<BatchReply, ApiError> {
    let confirm = batch.digest();
    if batch.confirm.is_some_and(|given| given != confirm) {
        return Err(ApiError::new(
            409,
            "confirm_mismatch",
            "`confirm` is that of another set of reviews, or of another verdict: preview this batch, and repeat the request \
             with the `confirm` of its preview",
        ));
    }
    let (decided, verdict) = (batch.confirm.is_some(), &batch.verdict);
    let is_edit = matches!(verdict.verdict(), Verdict::Edit { .. });
    // In a preview, the whole of what the verdict would do; before the verdicts, the rules, and where an edit would
    // lead.
    let read = stream::iter(batch.reviews.iter().cloned()).map(|review| async move {
        let rule = rule(engine, &review, filter).await;
        // The preview of a review that is not open says who decided it, or that it is stale.
        let preview = match &rule {
            Ok(rule) if !decided || is_edit || rule.is_none() => {
                Some(preview(engine, &review, operator, verdict).await)
            }
            _ => None,
        };
        (review, rule, preview)
    });
    let read: Vec<_> = read.buffered(AT_ONCE).collect().await;
    let mut rules = read.iter().filter_map(|(_, rule, _)| rule.as_ref().ok()?.as_ref());
    let first = rules.next();
    if let Some(first) = first
        && let Some(other) = rules.find(|rule| *rule != first)
    {
        return Err(ApiError::new(
            422,
            "mixed_batch",
            "the reviews of a batch must have the same node and the same rule: give the others in another batch",
        )
        .detail("nodes", vec![first.node.clone(), other.node.clone()]));
    }
    let (node, role) = first.map(|rule| (rule.node.clone(), rule.role.clone())).unzip();
    let (risk, irreversible) = first.map_or((None, false), |rule| (rule.risk, rule.irreversible));
    let results: Vec<BatchResult> = stream::iter(read)
        .map(|(review, rule, preview)| async move {
            let (mut draft, mut standing) = (None, None);
            let result = match (rule, preview) {
                (Err(error), _) => Err(error),
                // It was opened after its rule was read.
                (Ok(None), Some(Ok(_))) => Err(stale(&review)),
                (Ok(_), Some(Err(error))) => Err(error),
                (Ok(_), Some(Ok(found))) if !decided => {
                    draft = Some(found);
                    Ok(())
                }
                (Ok(_), _) => record(engine, &review, operator, verdict).await.map(|found| standing = found),
            };
            BatchResult { review, draft, standing, refused: result.err() }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let is_done = |result: &&BatchResult| result.refused.is_none();
    let count = results.iter().filter(is_done).count();
    if decided && !engine.is_front() {
        let threads = results.iter().filter(is_done).map(|result| result.review.thread_id.clone()).collect();
        engine.continue_in_background(threads, AT_ONCE);
    }
    Ok(BatchReply { decided, count, node, role: role.flatten(), risk, irreversible, confirm, results })
}

/// Returns the rule of a review; `None` if it is not open.
async fn rule(
    engine: &Arc<Engine>,
    review: &BatchReview,
    filter: &impl ReviewFilter,
) -> Result<Option<Rule>, ApiError> {
    let thread = &review.thread_id;
    if !filter.sees(thread).await.map_err(redacted)? {
        return Err(Error::UnknownThread { thread: thread.clone() }.into());
    }
    let view = engine.view(thread).await.map_err(redacted)?;
    Ok(view.reviews.into_iter().find(|open| open.digest == review.digest).map(Rule::of))
}

fn stale(review: &BatchReview) -> ApiError {
    let BatchReview { thread_id: thread, digest } = review.clone();
    Error::Stale { thread, digest, open: Vec::new(), reopened: true }.into()
}

async fn preview(
    engine: &Arc<Engine>,
    review: &BatchReview,
    operator: &Operator,
    verdict: &NotedVerdict,
) -> Result<Value, ApiError> {
    let (thread, digest) = (&review.thread_id, review.digest);
    let input = VerdictInput::by_field(verdict.clone());
    let preview = engine.preview(thread, digest, operator, &input).await.map_err(redacted)?;
    if preview.again.is_some() {
        return Err(ApiError::new(
            422,
            "proposed_again",
            "this edit signs nothing at this review, because the draft is proposed again: edit it by itself, and see where \
             that leads",
        ));
    }
    engine.note_preview(thread, digest, operator, verdict.verdict());
    Ok(preview.draft.unwrap_or_default())
}

/// Records a verdict, and returns the status of its thread, if that can be read: the verdict is recorded then.
async fn record(
    engine: &Arc<Engine>,
    review: &BatchReview,
    operator: &Operator,
    verdict: &NotedVerdict,
) -> Result<Option<ThreadStatus>, ApiError> {
    let BatchReview { thread_id: thread, digest } = review.clone();
    let operator = engine.previewed(&thread, digest, operator, verdict.verdict());
    let given = GivenVerdict { digest, operator, verdict: VerdictInput::by_field(verdict.clone()) };
    let fold = engine.record_all(thread, vec![given]).await.map_err(redacted)?;
    Ok(engine.view_of(fold).ok().map(|view| view.standing))
}

/// Converts the error of one review. The reply has it beside the results of the others, so it is redacted here.
fn redacted(error: Error) -> ApiError {
    let error = ApiError::from(error);
    #[cfg(feature = "http")]
    return error.redacted();
    #[cfg(not(feature = "http"))]
    error
}
