//! The error type of the public API.

mod details;
mod incompatibility;
mod kind;
mod violation;

pub(crate) use incompatibility::Difference;
pub use incompatibility::Incompatibility;
pub use kind::ErrorKind;
pub use violation::Violation;

use hitl_core::{
    Digest, InvalidThreadId, Place, ThreadId, Timestamp,
    store::StoreError,
    text::{list, or_list},
};

/// The error of an operation on an agent or a thread. A verdict or an input that is rejected is not recorded. An error
/// that ends a run later on, such as one of the store or of user code, keeps the entries written until then.
///
/// Each variant has a stable [`code`](Error::code) for programs; the text is for people and may be improved.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::Error;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let (mara, digest) = (mara(), waiting(&agent, "A-9133").await?.digest());
/// match agent.decide("ticket-A-9133", digest, &mara, Verdict::Approve).await {
///     Ok(turn) => println!("{turn}"),
///     Err(Error::AlreadyDecided { by, verdict, .. }) => println!("{by} was first: {verdict}"),
///     Err(Error::Invalid { violations, .. }) => violations.iter().for_each(|wrong| println!("{wrong}")),
///     Err(error) => println!("{} ({})", error, error.code()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The thread does not exist.
    #[error("thread `{thread}` does not exist")]
    UnknownThread {
        /// The name in the request.
        thread: ThreadId,
    },
    /// A thread of this name exists, with another input or on another graph.
    #[error(
        "thread `{thread}` already exists, with a different input or graph; choose another name, or load that thread"
    )]
    ThreadExists {
        /// The thread.
        thread: ThreadId,
    },
    /// The name of a thread is not valid.
    #[error(transparent)]
    InvalidThreadId(#[from] InvalidThreadId),
    /// The input is not of the type that the graph's `start` takes.
    #[error("the input is invalid: {problem}")]
    InvalidInput {
        /// A description of the problem.
        problem: String,
    },
    /// No open review of this thread has this digest.
    #[error(
        "{}; {}",
        if *reopened {
            format!(
                "review {} of thread `{thread}` was reopened under another digest, because the program changed what is \
                 signed",
                digest.short()
            )
        } else {
            format!("thread `{thread}` has no open review with digest {}", digest.short())
        },
        if open.is_empty() {
            "no review is open; reload the thread".to_owned()
        } else {
            format!("read the open review {} before you sign", or_list(open.iter().map(Digest::short)))
        }
    )]
    Stale {
        /// The thread.
        thread: ThreadId,
        /// The digest in the verdict.
        digest: Digest,
        /// The digests of the open reviews.
        open: Vec<Digest>,
        /// `true` if a review had this digest, and was opened again because the program changed.
        reopened: bool,
    },
    /// The review has been decided already.
    #[error(
        "the review before `{node}` of thread `{thread}` was already decided by {by} ({verdict}); reload the thread"
    )]
    AlreadyDecided {
        /// The thread.
        thread: ThreadId,
        /// The node after the review.
        node: String,
        /// The name of the operator who decided.
        by: String,
        /// The verdict: `approve`, `edit`, `reject` or `ask`.
        verdict: String,
        /// The time of the verdict.
        at: Timestamp,
    },
    /// The review has expired.
    #[error(
        "the review before `{node}` of thread `{thread}` has expired, so nothing was signed; reload the thread"
    )]
    Expired {
        /// The thread.
        thread: ThreadId,
        /// The node after the review.
        node: String,
        /// The deadline.
        deadline: Timestamp,
    },
    /// The operator lacks the role that the decision requires.
    #[error("operator {operator} lacks the role `{role}`, which node `{node}` of thread `{thread}` requires")]
    RoleMissing {
        /// The thread.
        thread: ThreadId,
        /// The node after the review, or the effect in doubt.
        node: String,
        /// The required role.
        role: String,
        /// The name of the operator.
        operator: String,
    },
    /// The review takes no signature of the person who started the thread, `not = requester`, and the operator may be
    /// that person: they have the same subject or a name that looks the same, or cannot be compared.
    #[error(
        "operator {operator} may be the requester of thread `{thread}`, and the review before `{node}` takes no signature of \
         theirs; another operator must sign, who is told from the requester by a token of the same issuer or, if neither has \
         one, by a name that is verified as the requester's is; {operator} may reject or ask"
    )]
    OwnRequest {
        /// The thread.
        thread: ThreadId,
        /// The node after the review.
        node: String,
        /// The name of the operator.
        operator: String,
    },
    /// The review takes no signature of the person who started the thread, and it is not known who that is.
    #[error(
        "the review before `{node}` takes no signature of its requester, and it is not known for certain who the requester of \
         thread `{thread}` is, so that no one can sign; start a thread in the name of its requester: `start_as`, `fork_as`, \
         `--operator`, or with a token"
    )]
    RequesterUnknown {
        /// The thread.
        thread: ThreadId,
        /// The node after the review.
        node: String,
    },
    /// The operator's name cannot sign: it could pass for another one, or is reserved for the runtime.
    #[error(
        "operator `{}` cannot sign in thread `{thread}`: the name {problem}; sign under another name",
        hitl_core::unicode::escape_hidden(operator)
    )]
    BadOperator {
        /// The thread.
        thread: ThreadId,
        /// The name as given.
        operator: String,
        /// A description of the problem.
        problem: String,
    },
    /// The draft violates its invariants.
    #[error("`{field}` of thread `{thread}` cannot be signed: {}", list(violations))]
    Invalid {
        /// The thread.
        thread: ThreadId,
        /// The field under review.
        field: String,
        /// The violations, each with its path.
        violations: Vec<Violation>,
    },
    /// An edit names a key that the draft does not have.
    #[error(
        "`{field}` of thread `{thread}` has no key `{path}`{}",
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The thread.
        thread: ThreadId,
        /// The field under review.
        field: String,
        /// The path of the unknown key in the draft.
        path: String,
        /// The key that is probably meant.
        near: Option<String>,
    },
    /// The patch of an edit over HTTP does not name the field under review, or names more than it.
    #[error("the patch must contain exactly the signed field: {{\"{field}\": {{ … }}}}")]
    InvalidPatch {
        /// The thread.
        thread: ThreadId,
        /// The field under review.
        field: String,
    },
    /// An edit does not change the draft. To sign the draft as it is, approve it.
    #[error("the edit does not change `{field}` of thread `{thread}`; to sign it unchanged, approve it")]
    Unchanged {
        /// The thread.
        thread: ThreadId,
        /// The field under review.
        field: String,
    },
    /// The review does not accept this verdict: the graph has no edge for it, the review takes no edit, or the verdict
    /// is incomplete.
    #[error("the review before `{node}` of thread `{thread}` does not accept this verdict: {problem}")]
    BadVerdict {
        /// The thread.
        thread: ThreadId,
        /// The node after the review.
        node: String,
        /// A description of the problem.
        problem: String,
    },
    /// An operator has cancelled the thread, so it takes no verdict any more.
    #[error(
        "thread `{thread}` was cancelled by {}{}; nothing more begins in it",
        hitl_core::unicode::escape_hidden(by),
        because(reason)
    )]
    Cancelled {
        /// The thread.
        thread: ThreadId,
        /// The name of the operator who cancelled it.
        by: String,
        /// The operator's reason.
        reason: String,
        /// The time of the cancellation.
        at: Timestamp,
    },
    /// An operator has stopped the graph or the store, so no thread starts.
    #[error(
        "thread `{thread}` was not started: {scope} was stopped by {}{}; start it when the stop is lifted",
        hitl_core::unicode::escape_hidden(by),
        because(reason)
    )]
    Stopped {
        /// The thread.
        thread: ThreadId,
        /// The graph or the store.
        scope: String,
        /// The name of the operator who stopped it.
        by: String,
        /// The operator's reason.
        reason: String,
        /// The time of the stop.
        at: Timestamp,
    },
    /// The thread has ended, so there is nothing to stop.
    #[error("thread `{thread}` {how}, so there is nothing to stop")]
    ThreadEnded {
        /// The thread.
        thread: ThreadId,
        /// The way in which it ended: `has ended`, or `was stopped by …`.
        how: String,
    },
    /// Nothing is paused that could be unpaused.
    #[error("{scope} is not paused")]
    NotPaused {
        /// The thread, the graph or the store.
        scope: String,
    },
    /// The operator may not stop a thread, a graph or a store, or not lift its stop.
    #[error("operator {operator} may not stop threads: that requires the role {}", or_list(roles))]
    MayNotStop {
        /// The name of the operator.
        operator: String,
        /// The roles of which one is required.
        roles: Vec<String>,
    },
    /// No effect with this digest is in doubt.
    #[error("thread `{thread}` has no in-doubt effect with this digest; reload the thread")]
    NotInDoubt {
        /// The thread.
        thread: ThreadId,
    },
    /// The thread began under other code, and is incompatible with this program.
    #[error("thread `{thread}` is incompatible with this program:{}", lines(differences))]
    GraphChanged {
        /// The thread.
        thread: ThreadId,
        /// Every incompatibility between the thread and this program.
        differences: Vec<Incompatibility>,
    },
    /// User code failed on the thread: a reducer, serializer, deserializer, validator, schema or `match` guard. Other
    /// threads are not affected.
    ///
    /// A panic is caught only under `panic = "unwind"`, Cargo's default. A program that is built with `panic = "abort"`
    /// ends instead, and another process resumes its threads after their leases have run out.
    #[error("thread `{thread}`: the {place} {problem}; fix that code and retry")]
    UserCodeFailed {
        /// The thread.
        thread: ThreadId,
        /// The code, such as ``reducer of `total` ``.
        place: String,
        /// The failure: `panicked: …` or `failed: …`.
        problem: String,
    },
    /// A runner with other code holds the thread's lease, so this program may not change the thread yet.
    #[error("thread `{thread}` is leased by a program with different code; retry when that run has finished")]
    OtherCode {
        /// The thread.
        thread: ThreadId,
        /// The end of that lease unless it is renewed.
        until: Timestamp,
    },
    /// The journal has been altered or corrupted.
    #[error(
        "the journal of thread `{thread}` is damaged at place {place}: {problem}; restore the thread from a backup"
    )]
    Damaged {
        /// The thread.
        thread: ThreadId,
        /// The place of the first damaged entry.
        place: Place,
        /// A description of the damage.
        problem: String,
    },
    /// An entry was not written by a holder of the journal keys, or was written for another thread or place.
    #[error(
        "entry {place} of thread `{thread}` is not authentic: {problem}; nothing was run; check who can write to the \
         store"
    )]
    Unauthenticated {
        /// The thread.
        thread: ThreadId,
        /// The place of the first entry that is not authentic.
        place: Place,
        /// A description of the mismatch.
        problem: String,
    },
    /// The journal has no entry at this place.
    #[error("thread `{thread}` has no entry at place {place}; its last entry is at place {head}")]
    NoSuchPlace {
        /// The thread.
        thread: ThreadId,
        /// The requested place.
        place: Place,
        /// The place of the last entry.
        head: Place,
    },
    /// A fork would use a signature that was given in another thread.
    #[error(
        "a fork at place {place} of thread `{thread}` would reuse the signature for `{field}`, which is valid in that \
         thread only; fork before that review"
    )]
    SignatureNotCarried {
        /// The thread.
        thread: ThreadId,
        /// The place of the fork.
        place: Place,
        /// The signed field.
        field: String,
    },
    /// A fork would run an effect again that may have happened already.
    #[error(
        "a fork at place {place} of thread `{thread}` would run effect `{node}` again, which may have happened already; \
         fork before that effect"
    )]
    EffectUnderWay {
        /// The thread.
        thread: ThreadId,
        /// The place of the fork.
        place: Place,
        /// The node of the effect.
        node: String,
    },
    /// The runner of an effect has died, and no runner has recorded yet that the effect is in doubt, as a front may not.
    #[error(
        "the runner of thread `{thread}` has died in an effect: another runner must record first that the effect is in \
         doubt; settle it after that runner's next sweep"
    )]
    NeedsRunner {
        /// The thread.
        thread: ThreadId,
    },
    /// The operating system provided no random bytes, which a new thread or runner needs.
    #[error("the operating system provided no random bytes: {problem}")]
    NoRandomness {
        /// The error of the operating system.
        problem: String,
    },
    /// The program lacks a setting that it needs before any thread can run.
    #[error("this program is not configured: {problem}")]
    NotSetUp {
        /// A description of the missing setting, and how to provide it.
        problem: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Formats a reason, if there is one.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", hitl_core::unicode::escape_hidden(reason)) }
}

/// Formats one difference on the same line, several on a line each.
fn lines(differences: &[Incompatibility]) -> String {
    match differences {
        [only] => format!(" {only}"),
        all => all.iter().map(|difference| format!("\n- {difference}")).collect(),
    }
}

impl Error {
    /// Returns a stable identifier of the kind of error, for programs.
    ///
    /// ```
    /// use hitl::{Error, ThreadId};
    ///
    /// let error = Error::UnknownThread { thread: ThreadId::new("ticket-A-9133")? };
    /// assert_eq!(error.code(), "unknown_thread");
    /// # Ok::<(), hitl::InvalidThreadId>(())
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownThread { .. } => "unknown_thread",
            Self::ThreadExists { .. } => "thread_exists",
            Self::InvalidThreadId(_) => "invalid_thread_id",
            Self::InvalidInput { .. } => "invalid_input",
            Self::Stale { .. } => "stale",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::Expired { .. } => "expired",
            Self::RoleMissing { .. } => "role_missing",
            Self::OwnRequest { .. } => "own_request",
            Self::RequesterUnknown { .. } => "requester_unknown",
            Self::BadOperator { .. } => "bad_operator",
            Self::Invalid { .. } => "invalid",
            Self::UnknownKey { .. } => "unknown_key",
            Self::InvalidPatch { .. } => "invalid_patch",
            Self::Unchanged { .. } => "unchanged",
            Self::BadVerdict { .. } => "bad_verdict",
            Self::Cancelled { .. } => "cancelled",
            Self::Stopped { .. } => "stopped",
            Self::ThreadEnded { .. } => "thread_ended",
            Self::NotPaused { .. } => "not_paused",
            Self::MayNotStop { .. } => "may_not_stop",
            Self::NotInDoubt { .. } => "not_in_doubt",
            Self::GraphChanged { .. } => "graph_changed",
            Self::UserCodeFailed { .. } => "user_code_failed",
            Self::OtherCode { .. } => "other_code",
            Self::NeedsRunner { .. } => "needs_runner",
            Self::Damaged { .. } => "damaged",
            Self::Unauthenticated { .. } => "unauthenticated_entry",
            Self::NoSuchPlace { .. } => "no_such_place",
            Self::SignatureNotCarried { .. } => "signature_not_carried",
            Self::EffectUnderWay { .. } => "effect_under_way",
            Self::NoRandomness { .. } => "no_randomness",
            Self::NotSetUp { .. } => "not_set_up",
            Self::Store(_) => "store",
        }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
