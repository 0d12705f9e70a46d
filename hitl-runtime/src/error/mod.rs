//! What can go wrong from the outside.

mod details;

use crate::{
    Difference, Digest, InvalidThreadId, Place, StoreError, ThreadId, Violation,
    journal::UnusableJournalKeys,
    model::UnusableModel,
    prose::{list, or_list},
    store::UnusableStore,
};

/// Why an agent did not do what it was asked. Whatever it was, the thread stands as it stood before.
///
/// Each has a stable [`code`](Error::code) for programs; the text is for people and may be improved.
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
    /// No such thread.
    #[error("there is no thread `{thread}`")]
    UnknownThread {
        /// The name that was asked for.
        thread: ThreadId,
    },
    /// The thread exists, and was started with another input or on another graph.
    #[error("thread `{thread}` exists already, with another input; choose another name, or look at it first")]
    ThreadExists {
        /// The thread.
        thread: ThreadId,
    },
    /// The text names no thread.
    #[error(transparent)]
    InvalidThreadId(#[from] InvalidThreadId),
    /// The input is not what the graph's `start` takes.
    #[error("the input does not fit: {problem}")]
    InvalidInput {
        /// What is wrong with it.
        problem: String,
    },
    /// The digest names no open review of this thread.
    #[error(
        "{}; {}",
        if *reopened { format!("the review {} of thread `{thread}` was opened again, because the program has changed, and with it what is signed", digest.short()) } else { format!("no open review of thread `{thread}` has the digest {}", digest.short()) },
        if open.is_empty() { "none is open".to_owned() } else { format!("open: {}; look at it before you sign", or_list(open.iter().map(Digest::short))) }
    )]
    Stale {
        /// The thread.
        thread: ThreadId,
        /// The digest that the verdict named.
        digest: Digest,
        /// The digests of the reviews that are open.
        open: Vec<Digest>,
        /// Whether there was such a review, until new code made another one of it.
        reopened: bool,
    },
    /// Somebody else was first.
    #[error("{by} has decided this review of thread `{thread}` already, before `{node}`: {verdict}")]
    AlreadyDecided {
        /// The thread.
        thread: ThreadId,
        /// The node that the review stood before.
        node: String,
        /// Who decided.
        by: String,
        /// What they decided: `approve`, `edit`, `reject` or `ask`.
        verdict: String,
        /// When, in milliseconds since the epoch.
        at_ms: u64,
    },
    /// The review's time has run out.
    #[error("the review before `{node}` of thread `{thread}` has expired; nothing was signed")]
    Expired {
        /// The thread.
        thread: ThreadId,
        /// The node that the review stood before.
        node: String,
        /// When it expired, in milliseconds since the epoch.
        deadline_ms: u64,
    },
    /// The operator may not decide this.
    #[error("{operator} does not hold the role `{role}`, which `{node}` of thread `{thread}` asks for")]
    RoleMissing {
        /// The thread.
        thread: ThreadId,
        /// The node that the review stands before.
        node: String,
        /// The role.
        role: String,
        /// The operator.
        operator: String,
    },
    /// The operator's name cannot sign: it could pass for another one, or is the runtime's own.
    #[error(
        "the operator `{}` of thread `{thread}` cannot sign: the name {problem}",
        crate::unicode::spelled(operator)
    )]
    BadOperator {
        /// The thread.
        thread: ThreadId,
        /// The name, as it was given.
        operator: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A draft breaks its invariants.
    #[error("`{field}` of thread `{thread}` cannot be signed: {}", list(violations))]
    Invalid {
        /// The thread.
        thread: ThreadId,
        /// The field that is to be signed.
        field: String,
        /// What is wrong with it, field by field.
        violations: Vec<Violation>,
    },
    /// An edit names a key that the draft does not have.
    #[error(
        "`{field}` of thread `{thread}` has no `{path}`{}",
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The thread.
        thread: ThreadId,
        /// The field that is to be signed.
        field: String,
        /// The path inside it.
        path: String,
        /// The key that was probably meant.
        near: Option<String>,
    },
    /// An edit leaves the draft as it is, so that it is no edit: to sign the draft, approve it.
    #[error("this edit leaves `{field}` of thread `{thread}` as it is; to sign it as it is, approve it")]
    Unchanged {
        /// The thread.
        thread: ThreadId,
        /// The field that is to be signed.
        field: String,
    },
    /// A verdict that the graph does not have, or that says nothing.
    #[error("`{node}` of thread `{thread}` cannot take this verdict: {problem}")]
    BadVerdict {
        /// The thread.
        thread: ThreadId,
        /// The node that the review stands before.
        node: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing to settle.
    #[error("nothing of the kind is in doubt in thread `{thread}`, or not any more; look at it anew")]
    NotInDoubt {
        /// The thread.
        thread: ThreadId,
    },
    /// The thread began under other code, and cannot go on under this program's.
    #[error("thread `{thread}` cannot go on in this program:{}", lines(differences))]
    GraphChanged {
        /// The thread.
        thread: ThreadId,
        /// What has changed: all that stands in the way.
        differences: Vec<Difference>,
    },
    /// Code of this program's types or graph failed on the thread: a reducer, a serializer, a deserializer, a validator, a
    /// schema or the guard of a `match`. Other threads are not touched by it.
    ///
    /// A panic is caught only under `panic = "unwind"`, which is Cargo's default. In a program that is built with
    /// `panic = "abort"` it ends the process, and another one takes its threads up once their leases have run out.
    #[error("thread `{thread}`: the {place} {problem}; mend that code, and ask again")]
    UserCodeFailed {
        /// The thread.
        thread: ThreadId,
        /// The code, such as ``reducer of `total` ``.
        place: String,
        /// What happened there: `panicked: …` or `failed: …`.
        problem: String,
    },
    /// A runner with other code has the thread, so what this program would change of it has to wait.
    #[error("thread `{thread}` is run by a program with other code; try again once it rests")]
    OtherCode {
        /// The thread.
        thread: ThreadId,
        /// Until when that runner has it unless it gives a sign of life, in milliseconds since the epoch.
        until_ms: u64,
    },
    /// The journal is not as it was written.
    #[error("the journal of thread `{thread}` is damaged at place {place}: {problem}")]
    Damaged {
        /// The thread.
        thread: ThreadId,
        /// The first entry that is not as it was written.
        place: Place,
        /// How that shows.
        problem: String,
    },
    /// An entry was not written by a holder of the journal keys, or not for this thread and place.
    #[error(
        "entry {place} of thread `{thread}` is not authentic: {problem}; nothing runs; see who can write to the store"
    )]
    Unauthenticated {
        /// The thread.
        thread: ThreadId,
        /// The first entry that is not authentic.
        place: Place,
        /// How that shows.
        problem: String,
    },
    /// The journal has no such place.
    #[error("thread `{thread}` has no place {place}; its journal ends at {head}")]
    NoSuchPlace {
        /// The thread.
        thread: ThreadId,
        /// The place that was asked for.
        place: Place,
        /// The last place.
        head: Place,
    },
    /// A fork would go on after a signature that was given to another thread.
    #[error(
        "a fork at place {place} of thread `{thread}` would run on a signature for `{field}` that was given there; fork before that review"
    )]
    SignatureNotCarried {
        /// The thread.
        thread: ThreadId,
        /// The place.
        place: Place,
        /// The signed field.
        field: String,
    },
    /// A fork would do once more what may have been done already.
    #[error(
        "a fork at place {place} of thread `{thread}` would run effect `{node}` again, and nobody knows that it did not happen; fork before it"
    )]
    EffectUnderWay {
        /// The thread.
        thread: ThreadId,
        /// The place.
        place: Place,
        /// The effect.
        node: String,
    },
    /// The operating system gave no random number, and a thread or a runner needs one.
    #[error("the operating system gives no randomness: {problem}")]
    NoRandomness {
        /// What it said.
        problem: String,
    },
    /// The program lacks something that it needs before any thread can run.
    #[error("this program is not set up: {problem}")]
    NotSetUp {
        /// What it lacks, and how to give it that.
        problem: String,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One on the same line, several on lines of their own.
fn lines(differences: &[Difference]) -> String {
    match differences {
        [only] => format!(" {only}"),
        all => all.iter().map(|difference| format!("\n- {difference}")).collect(),
    }
}

impl Error {
    /// A stable word for programs.
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
            Self::BadOperator { .. } => "bad_operator",
            Self::Invalid { .. } => "invalid",
            Self::UnknownKey { .. } => "unknown_key",
            Self::Unchanged { .. } => "unchanged",
            Self::BadVerdict { .. } => "bad_verdict",
            Self::NotInDoubt { .. } => "not_in_doubt",
            Self::GraphChanged { .. } => "graph_changed",
            Self::UserCodeFailed { .. } => "user_code_failed",
            Self::OtherCode { .. } => "other_code",
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

impl From<UnusableStore> for Error {
    fn from(error: UnusableStore) -> Self {
        match error {
            UnusableStore::Store(error) => Self::Store(error),
            error => Self::NotSetUp { problem: error.to_string() },
        }
    }
}

impl From<UnusableJournalKeys> for Error {
    fn from(error: UnusableJournalKeys) -> Self {
        Self::NotSetUp { problem: error.to_string() }
    }
}

impl From<UnusableModel> for Error {
    fn from(error: UnusableModel) -> Self {
        Self::NotSetUp { problem: error.to_string() }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
