//! Human-in-the-loop agents with a graph that is checked at compile time and a journal that survives the process.
//!
//! The steps are async functions, and `graph!` connects them. rustc proves the graph: every field is written before it
//! is read, every effect is signed before it runs, and every review has an edge for a rejection. The state of a thread
//! is kept in a journal, so the process may crash while a thread waits, and a person may decide hours later from
//! another process. The effect runs on exactly the values that were signed.
//!
//! A whole agent, which stops before it pays:
//!
//! ```
//! use hitl::prelude::*;
//!
//! /// The draft that the operator signs.
//! #[draft]
//! #[derive(Clone, Debug, PartialEq, Validate)]
//! struct Refund {
//!     #[garde(pattern(r"^A-[0-9]{4}$"))]
//!     order: String,
//!     /// US dollars.
//!     #[garde(range(min = 1, max = 500))]
//!     dollars: u32,
//! }
//!
//! /// The state of one ticket.
//! #[state]
//! struct Ticket {
//!     #[input]
//!     message: String,
//!     draft: Refund,
//!     #[output]
//!     outcome: String,
//! }
//!
//! /// A real agent asks a model here; this one only parses the message.
//! #[node(Ticket, writes = draft)]
//! async fn draft(message: &str) -> Result<Refund> {
//!     let order = message.split_whitespace().find(|word| word.starts_with("A-"));
//!     let order = order.ok_or_else(|| NodeError::msg("the message names no order"))?;
//!     Ok(Refund { order: order.to_owned(), dollars: 149 })
//! }
//!
//! #[interrupt_before(role = "refund-approver", expires = "24h")]
//! #[node(Ticket, writes = outcome, effect)]
//! async fn pay(draft: &Approved<Refund>) -> Result<String> {
//!     Ok(format!("{} dollars for {}, signed by {}", draft.dollars, draft.order, draft.signer()))
//! }
//!
//! #[node(Ticket, writes = outcome)]
//! async fn decline(rejection: &Rejection) -> Result<String> {
//!     Ok(format!("{} said no: {}", rejection.operator, rejection.reason))
//! }
//!
//! graph! {
//!     /// Refunds a customer once a person has signed the exact refund.
//!     RefundAgent<Ticket> {
//!         start -> draft -> pay -> end;
//!         pay { reject -> decline }
//!         decline -> end;
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let agent = RefundAgent::new(MemoryStore::new());
//!     let message = "order A-9133 arrived broken".to_owned();
//!     match agent.start("ticket-A-9133", TicketInput { message }).await? {
//!         RefundAgentTurn::Pay(review) => assert_eq!(review.draft().dollars, 149),
//!         turn => panic!("{turn}"),
//!     }
//!
//!     // Hours later; with a store on disk, also from another process:
//!     if let RefundAgentTurn::Pay(review) = agent.turn("ticket-A-9133").await? {
//!         let mara = Operator::new("mara").role("refund-approver");
//!         let turn = review.approve(&mara).await?;
//!         assert!(matches!(turn, RefundAgentTurn::Done(paid) if paid == "149 dollars for A-9133, signed by mara"));
//!     }
//!     Ok(())
//! }
//! ```
//!
//! `#[draft]` makes `Refund` a type that a person can sign: it derives the traits that this takes, and rustc rejects a
//! field that could change after signing. `Validate` comes from the crate `garde`: a crate that uses it depends on
//! `garde` besides `hitl`, with the feature `derive` and, for `pattern`, the feature `regex`.
//!
//! # The five macros
//!
//! - [`#[draft]`](macro@draft), on a struct or enum that a person signs, and on the types of its fields.
//! - [`#[state]`](macro@state), on a struct: the state of a thread. Its fields need no `Option`, because the graph
//!   proves when each of them is set.
//! - [`#[node]`](macro@node), on an `async fn`: it reads the fields that its parameters name, and writes the fields
//!   that it returns.
//! - [`#[interrupt_before]`](macro@interrupt_before), on a node: the thread stops before it until a person has signed
//!   the values that the node takes as [`Approved`].
//! - [`graph!`] declares the edges from `start` to `end`, and the edges of each verdict.
//!
//! # The turn
//!
//! The result of each call is an enum that `graph!` generates: for `RefundAgent` it is `RefundAgentTurn`, with one
//! variant for each review. A [`Review`] is consumed by its verdict. Every status of a thread is a variant:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/hitl-runtime/doc/refunds.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = RefundAgent::new(MemoryStore::new());
//! # let _ = waiting(&agent, "A-9133").await?;
//! match agent.turn("ticket-A-9133").await? {
//!     // A person must decide: approve, edit, reject, or ask if the graph has an edge for a question.
//!     RefundAgentTurn::Pay(review) => println!("sign this? {:?}", review.draft()),
//!     RefundAgentTurn::Done(outcome) => println!("{outcome}"),
//!     // The outcome of an effect is unknown. It does not run again until a person has checked.
//!     RefundAgentTurn::InDoubt(doubt) => println!("look for {} at the bank", doubt.idempotency_key()),
//!     RefundAgentTurn::Failed(failed) => println!("{}: {}", failed.node(), failed.error()),
//!     // Another process is running the thread, or crashed while it was.
//!     RefundAgentTurn::Running(running) => println!("at {}", running.node()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! If a fork allows several reviews to be open at once, there is also a variant `Several` with all of them. Code
//! without these types, such as an HTTP client, decides by the [`Digest`] of the review that it saw: [`Agent::decide`],
//! [`Agent::view`].
//!
//! # Panics in your code
//!
//! A panic in a node, a reducer, a serializer, a validator, a schema or the guard of a `match` fails its own thread
//! only: the node becomes `failed` and reports the location, or the call returns [`Error::UserCodeFailed`]. After a fix
//! of the code, `resume` continues the thread. This requires `panic = "unwind"`, Cargo's default; under
//! `panic = "abort"` the process ends.
//!
//! # Stores
//!
//! A [`Store`] keeps the journals. [`MemoryStore`] is for tests and for threads that need not survive the process;
//! `SqliteStore` (feature `sqlite`, on by default) is one file, which several processes may open at once. For a store
//! of your own, run the conformance suite of the module `testkit` on it. With the feature `kms`,
//! `store::encrypted::EncryptedStore` wraps any store and encrypts every entry under data keys of AWS KMS, or of a key
//! service of your own.
//!
//! # Code changes with open threads
//!
//! A thread may wait for weeks, and the program may change in that time. Before a new version runs a thread, it checks
//! the thread against its own graph, types and invariants. If they are compatible, the thread continues, and its
//! journal records at which entry the new code took over. If not, nothing runs, and [`Error::GraphChanged`] lists every
//! [`Incompatibility`]. Renamed nodes are mapped with a `renamed` statement in [`graph!`], changed fields with a
//! [version](macro@state#versions) of the state. [`Agent::check`], or `check` on the command line, reports in advance
//! which threads a program can continue.
//!
//! # The command line
//!
//! With the feature `cli`, on by default, an agent is a program with the commands `start`, `inbox`, `show`, `approve`,
//! `edit`, `reject`, `ask`, `history`, `check` and more. On a terminal it is interactive; without one it prompts for
//! nothing.
//!
//! ```no_run
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/hitl-runtime/doc/refunds.rs"));
//! # #[cfg(all(feature = "cli", feature = "sqlite"))]
//! #[tokio::main]
//! async fn main() -> std::process::ExitCode {
//!     let agent = async { Ok::<_, hitl::StoreError>(RefundAgent::new(SqliteStore::open("tickets.db").await?)) };
//!     hitl::cli::Cli::open(agent).run().await
//! }
//! # #[cfg(not(all(feature = "cli", feature = "sqlite")))]
//! # fn main() {}
//! ```
//!
//! # Paths
//!
//! Every item has one path. The exceptions are the [`prelude`], and the items of [`store`] that most programs name,
//! which are at the root too: [`MemoryStore`], `SqliteStore`, [`OpenReview`], [`Page`], [`Store`], [`StoreError`] and
//! [`ThreadStatus`]. Items of the hidden module `__private` are for generated code, and no part of the API.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Makes a struct the state of a graph.
///
/// ```
/// use hitl::prelude::*;
///
/// #[state]
/// struct Ticket {
///     // The fields of `TicketInput`, which `start` takes.
///     #[input]
///     message: String,
///     #[input]
///     customer: u64,
///     // A second write replaces the first.
///     plan: String,
///     // A second write appends to the list. Concurrent branches may both write such a field.
///     #[reduce(append)]
///     notes: Vec<String>,
///     // A second write is merged by a function of `(old, new)`, or by a closure.
///     #[reduce(u32::max)]
///     risk: u32,
///     #[reduce(|old, new| old + "\n" + &new)]
///     letter: String,
///     // The output of the run: here a `(String, u64)`.
///     #[output]
///     receipt: String,
///     #[output]
///     cents: u64,
/// }
///
/// let input = TicketInput { message: "It arrived broken.".into(), customer: 7 };
/// // A snapshot of the fields, as `Agent::snapshot` returns it: each an `Option`.
/// let known = TicketFields::default();
/// assert_eq!((known.plan, known.notes), (None, None));
/// ```
///
/// # Versions
///
/// A thread may outlive the program that started it. If a field is added, removed, renamed or changes its type, the
/// state gets a new version, and a function migrates the values that earlier versions wrote:
///
/// ```
/// use hitl::{journal::Map, prelude::*};
///
/// /// Version 1 had no `language`, named `scheme` `plan`, counted in dollars, and had a field `mood`.
/// #[state(version = 2, migrate = migrate_ticket)]
/// struct Ticket {
///     #[input]
///     message: String,
///     language: String,
///     scheme: String,
///     cents: u64,
/// }
///
/// fn migrate_ticket(from: u32, fields: &mut Map) -> Result<()> {
///     if from < 2 {
///         // Added wherever `message` is: in the input and in snapshots.
///         if fields.contains_key("message") {
///             fields.insert("language".into(), "en".into());
///         }
///         // Renamed.
///         if let Some(plan) = fields.remove("plan") {
///             fields.insert("scheme".into(), plan);
///         }
///         // Renamed, with another type.
///         if let Some(dollars) = fields.remove("dollars") {
///             let dollars = dollars.as_u64().ok_or_else(|| NodeError::msg("no whole dollars"))?;
///             fields.insert("cents".into(), (dollars * 100).into());
///         }
///         // Removed.
///         fields.remove("mood");
///     }
///     Ok(())
/// }
/// ```
///
/// The function is called with the fields of one write: the input, the fields that one node wrote, a draft that an
/// operator edited, or all fields of a snapshot. `from` is the version that wrote them. The journal is not rewritten:
/// old entries stay as they are, still verify, and are migrated whenever they are read. The function must therefore
/// depend on its arguments alone, and must not combine fields that were not written together. Renamed nodes are
/// declared in the graph: see [`graph!`].
///
/// A `&Rejection` or `&Question` contains the draft as its operator saw it. A signature is for one value: if the
/// migration changes the signed value, an open review is opened again, and the signature of a decided review becomes
/// void.
pub use hitl_macros::state;

/// Makes a type signable, by implementing [`Draft`].
///
/// It takes the place of the derives of `Serialize`, `Deserialize` and `JsonSchema` on a struct or enum, with the
/// attributes of serde and schemars for them. The type that is signed also derives `Validate` of garde.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use hitl::prelude::*;
///
/// /// The draft that the operator signs.
/// #[draft]
/// #[derive(Clone, Debug, Validate)]
/// #[serde(rename_all = "camelCase")]
/// struct Transfer {
///     #[garde(length(min = 1))]
///     purpose: String,
///     /// The amount for each account, in cents.
///     #[garde(length(min = 1))]
///     to_accounts: BTreeMap<String, u64>,
///     #[garde(skip)]
///     when: When,
/// }
///
/// #[draft]
/// #[derive(Clone, Debug)]
/// enum When {
///     Now,
///     AtHour(u8),
/// }
/// # let _ = |t: Transfer| (t.purpose, t.to_accounts, t.when, When::Now, When::AtHour(1));
/// ```
///
/// Every field's type must be a `Draft` too, so that no field can change after signing and none is missing from the
/// signature:
///
/// ```compile_fail
/// # use hitl::prelude::*;
/// #[draft]
/// struct Transfer {
///     cents: std::sync::atomic::AtomicU64, // not a `Draft`
/// }
/// ```
///
/// For a field whose type comes from another crate and is unknown to hitl, there is `#[draft(foreign)]`. Its author
/// guarantees that the value cannot change after signing, and that its JSON is complete. Whenever a node writes the
/// value, hitl still checks that it survives a round trip through its JSON.
pub use hitl_macros::draft;

/// Makes an async function a node of a graph.
///
/// ```
/// use hitl::prelude::*;
/// # use std::sync::Arc;
/// #
/// # #[draft]
/// # #[derive(Clone, Debug, Validate)]
/// # struct Refund {
/// #     #[garde(range(max = 500))]
/// #     dollars: u32,
/// # }
/// # #[state]
/// # struct Ticket {
/// #     #[input]
/// #     message: String,
/// #     #[input]
/// #     customer: u64,
/// #     plan: String,
/// #     draft: Refund,
/// #     #[reduce(append)]
/// #     notes: Vec<String>,
/// #     receipt: String,
/// # }
/// # struct Bank;
/// # struct Desk {
/// #     bank: Arc<Bank>,
/// # }
/// # impl Provides<Bank> for Desk {
/// #     fn provide(this: &Arc<Self>) -> Deps<Bank> {
/// #         Deps::new(Arc::clone(&this.bank))
/// #     }
/// # }
///
/// // Fields, borrowed or cloned, and dependencies of the graph. 3 retries, after 1, 2 and 4 s; 30 s for each attempt.
/// #[node(Ticket, writes = plan, retries = 3, backoff = "1s", timeout = "30s")]
/// async fn plan(message: &str, customer: u64, desk: Deps<Desk>) -> Result<String> {
/// #   let _ = &desk.bank;
///     Ok(format!("refund {customer}, who writes: {message}"))
/// }
///
/// // Two fields, as a tuple. An `Option` is `None` if the field is not written yet, or if another edge led here.
/// #[node(Ticket, writes = (draft, notes))]
/// async fn draft(plan: &str, notes: Option<&[String]>, question: Option<&Question>) -> Result<(Refund, Vec<String>)> {
///     let asked = question.map(|question| question.text.clone());
///     let dollars = if notes.is_none() { 149 } else { 99 };
///     Ok((Refund { dollars }, vec![asked.unwrap_or_else(|| plan.to_owned())]))
/// }
///
/// // An effect takes a signed draft. The bank deduplicates by the idempotency key, so `pay` may be retried.
/// #[interrupt_before]
/// #[node(Ticket, writes = receipt, effect, idempotent, retries = 2)]
/// async fn pay(draft: &Approved<Refund>, bank: Deps<Bank>, cx: &Cx) -> Result<String> {
/// #   let _ = &*bank;
///     Ok(format!("{} dollars, under {}", draft.dollars, cx.idempotency_key()))
/// }
///
/// // An effect with a risk so low that it needs no signature. Only a rejection leads here, and it writes no field.
/// #[node(Ticket, effect, risk = low)]
/// async fn log(rejection: &Rejection) -> Result<()> {
///     println!("{}: {}", rejection.operator, rejection.note);
///     Ok(())
/// }
/// #
/// # graph! {
/// #     RefundAgent<Ticket, Desk> {
/// #         start -> plan -> draft -> pay -> end;
/// #         pay { reject -> log -> end, ask -> draft }
/// #     }
/// # }
/// ```
///
/// An error of an effect leaves the thread in doubt, unless it is [`NodeError::not_done`].
pub use hitl_macros::node;

/// Requires a review before a node runs.
///
/// ```
/// use hitl::prelude::*;
/// #
/// # #[draft]
/// # #[derive(Clone, Debug, Validate)]
/// # struct Refund {
/// #     #[garde(range(max = 500))]
/// #     dollars: u32,
/// # }
/// # #[draft]
/// # #[derive(Clone, Debug, Validate)]
/// # struct Letter {
/// #     #[garde(length(min = 1))]
/// #     text: String,
/// # }
/// # #[state]
/// # struct Ticket {
/// #     #[input]
/// #     dollars: u32,
/// #     #[input]
/// #     address: String,
/// #     note: String,
/// #     draft: Refund,
/// #     letter: Letter,
/// # }
/// # #[node(Ticket, writes = draft)]
/// # async fn propose(dollars: u32) -> Result<Refund> {
/// #     Ok(Refund { dollars })
/// # }
/// # #[node(Ticket, writes = letter)]
/// # async fn write() -> Result<Letter> {
/// #     Ok(Letter { text: "Dear Ada".into() })
/// # }
///
/// // Up to 100 dollars the rule signs. Above, a holder of the role decides within a day, or it counts as rejected. The
/// // signature is for `pay` and for `send`.
/// #[interrupt_before(
///     when = draft.dollars > 100,
///     role = if draft.dollars > 1_000 { "director" } else { "refund-approver" },
///     expires = "24h",
///     covers = (send),
/// )]
/// #[node(Ticket, effect)]
/// async fn pay(draft: &Approved<Refund>) -> Result<()> {
/// #   let _ = draft;
///     Ok(())
/// }
///
/// // Anybody may sign, at any time. The review is about the letter: the refund was signed before `pay`. The address is
/// // shown and signed with the letter; the note is read although it is not signed.
/// #[interrupt_before(review = letter, show = (address), unsigned(note))]
/// #[node(Ticket, effect)]
/// async fn send(
///     letter: &Approved<Letter>,
///     draft: &Approved<Refund>,
///     address: &str,
///     note: Option<&str>,
/// ) -> Result<()> {
///     println!("{}: {} dollars, as {} has signed", letter.text, draft.dollars, draft.signer());
/// #   let _ = (address, note);
///     Ok(())
/// }
///
/// graph! {
///     RefundAgent<Ticket> {
///         start -> propose -> pay -> write -> send -> end;
///         pay { reject -> end }
///         send { reject -> end }
///     }
/// }
/// ```
pub use hitl_macros::interrupt_before;

#[doc(hidden)]
pub use hitl_macros::interrupt_after;

/// Declares a graph.
///
/// ```
/// use hitl::prelude::*;
/// #
/// # #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// # enum Kind {
/// #     Question { urgent: bool },
/// #     Advertisement,
/// # }
/// # #[draft]
/// # #[derive(Clone, Debug, PartialEq, Validate)]
/// # struct Reply {
/// #     #[garde(length(min = 1))]
/// #     text: String,
/// # }
/// # #[state]
/// # pub struct Letter {
/// #     #[input]
/// #     message: String,
/// #     kind: Kind,
/// #     #[reduce(append)]
/// #     facts: Vec<String>,
/// #     reply: Reply,
/// #     #[output]
/// #     outcome: String,
/// # }
/// # pub struct Office;
/// # #[node(Letter, writes = kind)]
/// # async fn sort(message: &str) -> Result<Kind> {
/// #     Ok(if message.contains('?') { Kind::Question { urgent: false } } else { Kind::Advertisement })
/// # }
/// # #[node(Letter, writes = facts)]
/// # async fn look_up() -> Result<Vec<String>> {
/// #     Ok(vec!["Order A-9133".into()])
/// # }
/// # #[node(Letter, writes = facts)]
/// # async fn ask_warehouse() -> Result<Vec<String>> {
/// #     Ok(vec!["left the warehouse on Monday".into()])
/// # }
/// # #[node(Letter, writes = facts)]
/// # async fn ask_carrier() -> Result<Vec<String>> {
/// #     Ok(vec!["comes on Thursday".into()])
/// # }
/// # #[node(Letter, writes = facts)]
/// # async fn translate(facts: &[String]) -> Result<Vec<String>> {
/// #     Ok(facts.iter().map(|fact| fact.to_lowercase()).collect())
/// # }
/// # #[node(Letter, writes = reply)]
/// # async fn draft(facts: &[String], question: Option<&Question>) -> Result<Reply> {
/// #     let _ = question;
/// #     Ok(Reply { text: facts.join(", ") })
/// # }
/// # #[interrupt_before]
/// # #[node(Letter, writes = outcome, effect)]
/// # async fn send(reply: &Approved<Reply>) -> Result<String> {
/// #     Ok(format!("sent: {}", reply.text))
/// # }
/// # mod desk {
/// #     use hitl::prelude::*;
/// #     use super::Letter;
/// #     #[node(Letter, writes = outcome)]
/// #     pub async fn file(rejection: Option<&Rejection>) -> Result<String> {
/// #         Ok(rejection.map_or("filed", |rejection| rejection.reason.as_str()).to_owned())
/// #     }
/// # }
///
/// graph! {
///     /// Answers letters. This comment documents the graph and is shown in the help of its command line.
///     pub Mailroom<Letter, Office> {
///         // A Rust `match` on a field, checked by rustc. An arm continues like a statement, and may have a guard.
///         start -> sort -> match kind {
///             Kind::Question { urgent } if *urgent => draft_at_once,
///             Kind::Question { .. } => look_up,
///             Kind::Advertisement => desk::file -> end,
///         };
///         // A fork: concurrent branches, each on its own view of the state, until all of them join in `draft`.
///         look_up -> (ask_warehouse, ask_carrier -> translate) -> draft;
///         draft_at_once -> draft;
///         // A `match` takes an expression that begins with a field.
///         draft -> match reply.text.len() {
///             0..=500 => send -> end,
///             _ => shorten -> send,
///         };
///         // A renamed node, for threads that still wait at it under its old name.
///         renamed archive -> desk::file;
///         // The edges of the verdicts: `reject` always, `ask` if a question can be answered. Once approved, as it was
///         // or edited, `send` runs and continues as above.
///         send { reject -> desk::file, ask -> draft }
///     }
/// }
/// #
/// # #[node(Letter, writes = facts)]
/// # async fn draft_at_once() -> Result<Vec<String>> {
/// #     Ok(vec!["We are on our way.".into()])
/// # }
/// # #[node(Letter, writes = reply)]
/// # async fn shorten(reply: &Reply) -> Result<Reply> {
/// #     Ok(Reply { text: reply.text.chars().take(500).collect() })
/// # }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // `new` takes the dependencies and a store; for a graph declared as `Mailroom<Letter>`, only a store.
///     let mailroom = Mailroom::new(Office, MemoryStore::new());
///     let turn = mailroom.start("letter-1", LetterInput { message: "Where is A-9133?".into() }).await?;
///     assert!(matches!(turn, MailroomTurn::Send(review) if review.draft().text.contains("Thursday")));
///     Ok(())
/// }
/// ```
///
/// In the guard of a `match`, `runs(node)` is the number of times that the node has run. So a loop has a limit without a
/// counter in the state, and rustc checks that an arm without the guard is left for the time after:
///
/// ```
/// use hitl::prelude::*;
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// enum Found {
///     Nothing,
///     Answer,
/// }
/// # #[state]
/// # struct Search {
/// #     #[input]
/// #     question: String,
/// #     found: Found,
/// #     #[output]
/// #     reply: String,
/// # }
/// # #[node(Search, writes = found)]
/// # async fn research(question: &str) -> Result<Found> {
/// #     Ok(if question.is_empty() { Found::Answer } else { Found::Nothing })
/// # }
/// # #[node(Search, writes = reply)]
/// # async fn answer() -> Result<String> {
/// #     Ok("this is it".into())
/// # }
/// # #[node(Search, writes = reply)]
/// # async fn give_up() -> Result<String> {
/// #     Ok("I do not know".into())
/// # }
///
/// graph! {
///     Researcher<Search> {
///         start -> research -> match found {
///             Found::Nothing if runs(research) < 3 => research,
///             Found::Nothing => give_up -> end,
///             Found::Answer => answer -> end,
///         };
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let agent = Researcher::new(MemoryStore::new());
/// let turn = agent.start("q-1", SearchInput { question: "Where is A-9133?".into() }).await?;
/// assert!(matches!(turn, ResearcherTurn::Done(reply) if reply == "I do not know"));
/// # Ok(())
/// # }
/// ```
///
/// The count is that of the thread, over processes and verdicts; retries of a failed run do not count. A branch of a fork
/// and an item of a `for` begin at 0 and count their own runs, so the node must be one of the same branch. Runs before
/// the guard was added are not counted, nor are those under a new name if older code runs the thread again. An edit
/// evaluates the guards on its path with the runs so far.
///
/// A `match`, a `for` or a fork may also begin an arm or a branch, and follow a fork or a `for`, where its parts join.
/// `continue` ends a branch, or an item of a `for`, early: it leads to the join. A thread may wait at such a place, for
/// example for the other branches: the journal then has a name like `match:risk:pay`, of the word, its field and the first
/// node after it. Where these may change while threads wait, put a node.
///
/// ```
/// use hitl::prelude::*;
/// #
/// # #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// # struct Parcel {
/// #     lost: bool,
/// #     cents: u32,
/// # }
/// # #[state]
/// # struct Day {
/// #     #[input]
/// #     parcels: Vec<Parcel>,
/// #     parcel: Parcel,
/// #     #[reduce(append)]
/// #     #[output]
/// #     log: Vec<String>,
/// # }
/// # #[node(Day, writes = log)]
/// # async fn search(parcel: &Parcel) -> Result<Vec<String>> {
/// #     Ok(vec![format!("searched for {} cents", parcel.cents)])
/// # }
/// # #[node(Day, writes = log)]
/// # async fn apologize() -> Result<Vec<String>> {
/// #     Ok(vec!["sorry".into()])
/// # }
/// # #[node(Day, writes = log)]
/// # async fn report(log: &[String]) -> Result<Vec<String>> {
/// #     Ok(vec![format!("{} lines", log.len())])
/// # }
///
/// graph! {
///     Claims<Day> {
///         start -> for parcel in parcels {
///             match parcel.lost {
///                 true => match parcel.cents {
///                     0..=500 => apologize,
///                     _ => search -> continue,
///                 },
///                 false => apologize,
///             }
///         } -> match log.len() {
///             0 => end,
///             _ => report -> end,
///         };
///         apologize -> continue;
///     }
/// }
/// #
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = Claims::new(MemoryStore::new());
/// # let parcels = vec![Parcel { lost: true, cents: 900 }, Parcel { lost: false, cents: 900 }];
/// # let ClaimsTurn::Done(log) = agent.start("monday", DayInput { parcels }).await? else { panic!("no review") };
/// # assert_eq!(log, ["searched for 900 cents", "sorry", "2 lines"]);
/// # Ok(())
/// # }
/// ```
///
/// # Items of a list
///
/// A `for` runs its chain once for each item of a field that is a `Vec`, concurrently, and continues when all of them
/// have reached its end. If one of its nodes has a review, each item has its own; items that wait for a person do not
/// count towards `at_most`.
///
/// ```
/// use hitl::prelude::*;
/// #
/// # #[draft]
/// # #[derive(Clone, Debug, Validate)]
/// # struct Refund {
/// #     #[garde(range(max = 500))]
/// #     dollars: u32,
/// # }
///
/// #[state]
/// struct Day {
///     #[input]
///     refunds: Vec<Refund>,
///     // One item of the list. A field that an item writes is its own and is dropped at the end of the `for` …
///     refund: Refund,
///     // … except for what it appends here: in the order of the list, whichever item ended first.
///     #[reduce(append)]
///     #[output]
///     receipts: Vec<String>,
/// }
///
/// graph! {
///     Refunds<Day> {
///         // At most 4 items at once; the default is 8. With an empty list the `for` is skipped, and the lists it
///         // writes are empty.
///         start -> for refund in refunds, at_most = 4 { pay } -> end;
///         pay { reject -> skip }
///         skip -> end;
///     }
/// }
/// #
/// # #[interrupt_before]
/// # #[node(Day, writes = receipts, effect)]
/// # async fn pay(refund: &Approved<Refund>, cx: &Cx) -> Result<Vec<String>> {
/// #     let _ = cx.idempotency_key();
/// #     Ok(vec![format!("{} dollars", refund.dollars)])
/// # }
/// # #[node(Day, writes = receipts)]
/// # async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
/// #     Ok(vec![format!("nothing: {}", rejection.note)])
/// # }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let agent = Refunds::new(MemoryStore::new());
///     let refunds = [149, 99].map(|dollars| Refund { dollars }).to_vec();
///     let RefundsTurn::Several(reviews) = agent.start("monday", DayInput { refunds }).await? else {
///         panic!("two refunds wait for a person")
///     };
///     let mara = Operator::new("mara");
///     // The last one first.
///     for RefundsReview::Pay(review) in reviews.into_iter().rev() {
///         let _ = review.approve(&mara).await?;
///     }
///     let RefundsTurn::Done(receipts) = agent.turn("monday").await? else { panic!("both were paid") };
///     assert_eq!(receipts, ["149 dollars", "99 dollars"]);
///     Ok(())
/// }
/// ```
pub use hitl_macros::graph;

/// Makes a program of a graph: a `main` with its [command line](cli) and, with the feature `http` or `agentcore`, the
/// server that Amazon Bedrock AgentCore Runtime calls.
///
/// The function that it is on creates the dependencies of the nodes. The environment names the store
/// ([`store::from_env`]); without one, threads are kept in a file named after the graph, in the current directory.
///
/// ```no_run
/// use hitl::prelude::*;
/// # #[state]
/// # pub struct Job {
/// #     #[input]
/// #     wish: String,
/// #     #[output]
/// #     receipt: String,
/// # }
/// # pub struct Desk {
/// #     greeting: String,
/// # }
/// # #[node(Job, writes = receipt)]
/// # async fn greet(wish: &str, desk: Deps<Desk>) -> Result<String> {
/// #     Ok(format!("{}: {wish}", desk.greeting))
/// # }
/// # graph! { pub Greeter<Job, Desk> { start -> greet -> end; } }
///
/// #[hitl::entrypoint(Greeter)]
/// async fn desk() -> Result<Desk> {
///     Ok(Desk { greeting: std::env::var("GREETING")? })
/// }
/// ```
#[cfg(feature = "cli")]
pub use hitl_macros::entrypoint;

#[doc = include_str!("../SECURITY.md")]
pub mod security {}

#[cfg(feature = "cli")]
#[doc = include_str!("codes.md")]
pub mod codes {}

#[doc = include_str!("telemetry.md")]
pub mod telemetry {}

pub use hitl_runtime::agent::{
    Audit, CLOCK_SKEW, FailureView, Finding, FindingKind, Graph, HistoryEntry, InDoubtView, ItemView,
    JournalHead, ReviewChange, ReviewView, Subscription, SweepEvent, ThreadEvent, UncheckedRange,
};
pub use hitl_runtime::graph::{MAX_ITEMS, RiskLevel};
pub use hitl_runtime::{
    Activity, Agent, Approved, CanAsk, CanEdit, CancelReport, Clock, CompatibilityReport, Cx, Deps, Digest,
    Draft, Error, ErrorKind, Failed, Front, InDoubt, Incompatibility, IntoThreadId, InvalidThreadId,
    ManualClock, MemoryStore, NextReview, NoAsk, NoEdit, NodeError, NotedVerdict, OpenReview, Operator, Page,
    ParseDigestError, Place, Preview, Provides, Question, Reason, Rejection, Reproposal, Review, Running,
    Scope, Snapshot, Store, StoreError, SystemClock, ThreadId, ThreadStatus, ThreadView, Timestamp, Verdict,
    Violation,
};
pub use hitl_runtime::{journal, metrics, model, store};
#[cfg(feature = "testkit")]
pub use hitl_testkit as testkit;

#[cfg(feature = "sqlite")]
pub use hitl_runtime::SqliteStore;
#[cfg(feature = "cli")]
pub mod cli;

#[cfg(feature = "agentcore")]
pub use hitl_server::agentcore;
pub use hitl_server::api;
#[cfg(feature = "http")]
pub use hitl_server::http;

/// The result of an operation on an agent or a thread.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/hitl-runtime/doc/refunds.rs"));
/// async fn is_waiting(agent: &Agent<RefundAgent>, thread: &str) -> hitl::Result<bool> {
///     Ok(matches!(agent.turn(thread).await?, RefundAgentTurn::Pay(_)))
/// }
/// # fn main() {}
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The result of a node. `?` converts any error. The [`prelude`] has it as `Result`, because a file with nodes has no
/// other.
///
/// ```
/// fn order(text: &str) -> hitl::NodeResult<u32> {
///     Ok(text.parse()?)
/// }
/// assert!(order("9133").is_ok_and(|number| number == 9133));
/// assert!(order("A-9133").is_err());
/// ```
pub type NodeResult<T, E = NodeError> = std::result::Result<T, E>;

/// The items that a file with an agent commonly uses.
// The nouns among them are types that every such file writes: `Approved`, `Rejection` and `Question` are parameters of
// nodes, and `Operator`, `Verdict` and `Reason` are arguments of a decision. A type of the user's own with one of these
// names takes precedence, because the prelude is imported by a glob.
pub mod prelude {
    pub use garde::Validate;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "sqlite")]
    pub use crate::SqliteStore;
    #[doc(hidden)]
    pub use crate::interrupt_after;
    pub use crate::{
        Agent, Approved, Cx, Deps, MemoryStore, NodeError, NodeResult as Result, Operator, Provides,
        Question, Reason, Rejection, Verdict, draft, graph, interrupt_before,
        model::{Model, ModelExt},
        node, state,
    };
}

#[doc(hidden)]
pub use hitl_runtime::__private;
