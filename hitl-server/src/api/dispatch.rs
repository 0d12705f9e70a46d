//! Executing requests.

use std::sync::Arc;

use hitl_runtime::{
    Agent, Digest, Error, NotedVerdict, OpenReview, Operator, Place, Preview, Reproposal, Scope, ThreadId,
    ThreadStatus, ThreadView,
    agent::{Graph, HistoryEntry},
    journal::{Stop, StopKind},
    plumbing::{Engine, Fold, GivenVerdict, Starter, VerdictInput, engine},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    Action, ApiError, BatchReply, Request, SweepCounts,
    batch::batch,
    inbox::{AllReviews, inbox},
    metrics::MetricsReply,
    sweep::sweep,
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
        signs: Option<Value>,
        /// The value that would be proposed again, if the verdict is an edit that does not sign at this review.
        #[serde(skip_serializing_if = "Option::is_none")]
        proposes: Option<Value>,
        /// The destination of that edit.
        #[serde(skip_serializing_if = "Option::is_none")]
        again: Option<Box<Reproposal>>,
    },
    /// The stops of graphs and of the store that are in force.
    Stops {
        /// The stops.
        stops: Vec<Stop>,
        /// The number of threads that the request has cancelled.
        #[serde(skip_serializing_if = "Option::is_none")]
        cancelled: Option<u64>,
        /// `true` if another operator has lifted the stop during the request: the rest of the threads was not cancelled.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        was_lifted: bool,
        /// The threads that could not be cancelled. Nothing begins in them while the stop is in force.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failed: Vec<ThreadId>,
    },
    /// A page of the open reviews that the operator may decide.
    Inbox {
        /// The reviews, oldest first.
        reviews: Vec<OpenReview>,
        /// The `after` of the next page; `None` after the last page.
        next: Option<String>,
    },
    /// A page of the threads of the store.
    Threads {
        /// The threads, in the byte order of their names.
        threads: Vec<ThreadRow>,
        /// The `after` of the next page; `None` after the last page.
        next: Option<String>,
    },
    /// The numbers of the reviews in the store.
    Metrics(Box<MetricsReply>),
    /// The results of a batch.
    Batch(Box<BatchReply>),
    /// The events of one sweep.
    Sweep {
        /// Their numbers.
        sweep: SweepCounts,
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

/// A thread in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ThreadRow {
    /// The thread.
    pub thread: ThreadId,
    /// Its status.
    pub standing: ThreadStatus,
}

/// Executes a request on behalf of an operator. A verdict, an inbox and a list of threads without an operator are
/// refused. A thread that an operator starts belongs to them if their name is verified. If the returned future is
/// dropped, work that has begun continues in the background. For an example, see [the module](super).
///
/// # Errors
/// Those of the method of [`Agent`] behind the action, and `operator_missing` for a verdict or an inbox without an operator.
pub async fn dispatch<G: Graph>(
    agent: &Agent<G>,
    request: Request,
    operator: Option<&Operator>,
) -> Result<Reply, ApiError> {
    dispatch_on(engine(agent), request, operator).await
}

/// Executes a request: [`dispatch`], without the graph's type.
pub(crate) async fn dispatch_on(
    engine: &Arc<Engine>,
    request: Request,
    operator: Option<&Operator>,
) -> Result<Reply, ApiError> {
    let Request { thread, action, .. } = request;
    if engine.is_front() && matches!(action, Action::Start { .. } | Action::Continue | Action::Sweep) {
        return Err(not_a_runner(&thread));
    }
    let by = || operator.ok_or_else(|| operator_missing(&thread));
    let verdicts = match action {
        Action::Get => return Ok(Reply::Thread(Box::new(engine.view(&thread).await?))),
        Action::History { from, limit } => return history_page(engine, thread, from, limit).await,
        Action::Start { input } => {
            let fold = engine.start_json(thread, &input, Starter::Caller(operator)).await?;
            return seen(engine, fold).await;
        }
        Action::Resume => return seen(engine, engine.resume(thread, operator).await?).await,
        Action::Continue => return seen(engine, engine.continue_thread(thread).await?).await,
        Action::Settle { digest, how } => {
            let operator = by()?;
            return seen(engine, engine.settle(thread.clone(), digest, operator, *how).await?).await;
        }
        Action::Stop { scope, kind, reason } => return stop(engine, scope, kind, by()?, reason).await,
        Action::Stops => {
            let stops = engine.stops().await?;
            return Ok(Reply::Stops { stops, cancelled: None, was_lifted: false, failed: Vec::new() });
        }
        Action::Inbox { filter, after, limit } => {
            let (reviews, next) = inbox(engine, by()?, &filter, after, limit, &AllReviews).await?;
            return Ok(Reply::Inbox { reviews, next });
        }
        Action::Threads { status, after, limit } => {
            by()?;
            return threads(engine, status, after, limit).await;
        }
        Action::Metrics { since, by: grouping } => {
            by()?;
            let metrics = engine.metrics(since).await?;
            return Ok(Reply::Metrics(Box::new(MetricsReply::new(&metrics, grouping))));
        }
        Action::Batch(given) => {
            return Ok(Reply::Batch(Box::new(batch(engine, by()?, given, &AllReviews).await?)));
        }
        Action::Sweep => {
            let mut counts = SweepCounts::default();
            sweep(engine, &mut counts, drop).await?;
            return Ok(Reply::Sweep { sweep: counts });
        }
        Action::Preview { digest, verdict } => {
            return preview(engine, &thread, digest, by()?, verdict).await;
        }
        Action::Decide { digest, verdict } => vec![(digest, verdict)],
        Action::DecideAll { verdicts } => verdicts,
    };
    let operator = by()?;
    let given = |(digest, verdict): (Digest, NotedVerdict)| GivenVerdict {
        digest,
        // The evidence of a verdict records if it was previewed here.
        operator: engine.previewed(&thread, digest, operator, verdict.verdict()),
        verdict: VerdictInput::by_field(verdict),
    };
    let given: Vec<GivenVerdict> = verdicts.into_iter().map(given).collect();
    GivenVerdict::are_few(&given)?;
    seen(engine, engine.answer_all(thread, given).await?).await
}

/// Executes a stop, and returns the thread, or the stops of all threads.
async fn stop(
    engine: &Arc<Engine>,
    scope: Scope,
    kind: Option<StopKind>,
    operator: &Operator,
    reason: String,
) -> Result<Reply, ApiError> {
    // A retry cannot succeed before the configuration is changed, so this is no temporary failure of the server.
    if scope == Scope::Store
        && kind == Some(StopKind::Cancel)
        && matches!(engine.roles_to_stop(&scope, kind), Err(Error::NotSetUp { .. }))
    {
        return Err(ApiError::new(
            403,
            "role_missing",
            "no operator may cancel the threads of all graphs, because this program has no role for it: set the agent's \
             `stop_role`, or cancel the threads of one graph",
        ));
    }
    let report = match kind {
        None => engine.unpause(scope.clone(), operator, reason).await.map(|()| None)?,
        Some(StopKind::Cancel) => Some(engine.cancel(scope.clone(), operator, reason).await?),
        Some(_) => engine.pause(scope.clone(), operator, reason).await.map(|()| None)?,
    };
    if let Scope::Thread(thread) = scope {
        return Ok(Reply::Thread(Box::new(engine.view(&thread).await?)));
    }
    let cancelled = report.as_ref().map(|report| report.cancelled);
    let was_lifted = report.as_ref().is_some_and(|report| report.was_lifted);
    let failed = report.into_iter().flat_map(|report| report.failed);
    let failed = failed.map(|(thread, _)| thread).collect();
    Ok(Reply::Stops { stops: engine.stops().await?, cancelled, was_lifted, failed })
}

/// Returns the thread as a move has left it. It is read again only if this program cannot show all of it.
async fn seen(engine: &Arc<Engine>, fold: Fold) -> Result<Reply, ApiError> {
    let thread = fold.thread.clone();
    let view = match engine.view_of(fold) {
        Err(Error::GraphChanged { .. } | Error::Invalid { .. } | Error::UserCodeFailed { .. }) => {
            engine.view(&thread).await?
        }
        view => view?,
    };
    Ok(Reply::Thread(Box::new(view)))
}

async fn preview(
    engine: &Arc<Engine>,
    thread: &ThreadId,
    digest: Digest,
    operator: &Operator,
    verdict: NotedVerdict,
) -> Result<Reply, ApiError> {
    let Preview { draft, again, .. } =
        engine.preview(thread, digest, operator, &VerdictInput::by_field(verdict.clone())).await?;
    engine.note_preview(thread, digest, operator, verdict.verdict());
    let opens = again.as_ref().and_then(|again| again.opens.as_ref());
    let signs = draft.clone().filter(|_| again.is_none() || opens.is_some_and(|opens| opens.signs));
    let proposes = draft.filter(|_| again.is_some());
    Ok(Reply::Preview { thread: thread.clone(), digest, signs, proposes, again: again.map(Box::new) })
}

async fn threads(
    engine: &Engine,
    status: Option<ThreadStatus>,
    after: Option<String>,
    limit: usize,
) -> Result<Reply, ApiError> {
    let page = engine.store.threads(status, after.as_deref(), limit).await.map_err(Error::from)?;
    let threads = page.items.into_iter().filter(|(thread, _)| !thread.is_reserved());
    let threads = threads.map(|(thread, standing)| ThreadRow { thread, standing }).collect();
    Ok(Reply::Threads { threads, next: page.next })
}

async fn history_page(
    engine: &Engine,
    thread: ThreadId,
    from: Place,
    limit: usize,
) -> Result<Reply, ApiError> {
    let mut entries = engine.history(&thread, from, limit + 1).await?;
    let next = entries.get(limit).map(|entry| entry.place);
    entries.truncate(limit);
    Ok(Reply::History { thread, entries, next })
}

fn not_a_runner(thread: &ThreadId) -> ApiError {
    let error = ApiError::new(
        409,
        "not_a_runner",
        "this process is a front, which starts and runs no thread: send the request to a runner of the same store",
    );
    if thread.is_reserved() { error } else { error.detail("thread", thread.as_str()) }
}

fn operator_missing(thread: &ThreadId) -> ApiError {
    ApiError::new(
        401,
        "operator_missing",
        "the action requires an operator, but the request has none: send a verified token, or, if claimed operators are \
         accepted, an `operator` and its `roles`",
    )
    .detail("thread", thread.as_str())
}

impl From<hitl_runtime::InvalidThreadId> for ApiError {
    fn from(error: hitl_runtime::InvalidThreadId) -> Self {
        Error::from(error).into()
    }
}
