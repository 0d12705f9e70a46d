//! Human-in-the-loop agents whose graph the compiler proves and whose journal survives the process.
//!
//! The steps are async functions, the graph is written as a graph, and rustc proves it: nothing reads what is not
//! there, nothing acts unsigned, every review has somewhere for a "no" to go. A journal keeps the thread: the process
//! may die while it waits, and a person may answer hours later, from another process. What they sign is what runs.
//!
//! A whole agent, which stops before it pays:
//!
//! ```
//! use hitl::prelude::*;
//!
//! /// What the operator signs.
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
//! /// What the graph knows of one ticket.
//! #[state]
//! struct Ticket {
//!     #[input]
//!     message: String,
//!     draft: Refund,
//!     #[output]
//!     outcome: String,
//! }
//!
//! /// An agent of yours asks a model; this one reads.
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
//!     Ok(format!("{} dollars for {}, signed by {}", draft.dollars, draft.order, draft.operator()))
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
//!     // Hours later, with a store on disk in another process:
//!     if let RefundAgentTurn::Pay(review) = agent.thread("ticket-A-9133").await? {
//!         let mara = Operator::new("mara").role("refund-approver");
//!         let turn = review.approve(&mara).await?;
//!         assert!(matches!(turn, RefundAgentTurn::Done(paid) if paid == "149 dollars for A-9133, signed by mara"));
//!     }
//!     Ok(())
//! }
//! ```
//!
//! `#[draft]` says that a person can sign a `Refund`: it derives what that takes, and rustc refuses a field that could
//! change behind the signature. `Validate` names the crate `garde`, so a crate that writes it depends on that besides
//! `hitl`, with its features `derive` and, for `pattern`, `regex`.
//!
//! # The five macros
//!
//! - [`#[draft]`](macro@draft) stands on a struct or an enum that a person signs, and on what it holds.
//! - [`#[state]`](macro@state) stands on a struct: what a graph knows of one thread. No field is an `Option`; the graph
//!   proves when each is set.
//! - [`#[node]`](macro@node) stands on an `async fn`: it reads the fields that its parameters name, and writes what it
//!   returns.
//! - [`#[interrupt_before]`](macro@interrupt_before) stops before a node until a person has signed what the node takes
//!   as [`Approved`].
//! - [`graph!`] draws the ways from `start` to `end`, and where a verdict leads.
//!
//! # The turn
//!
//! Whose move it is, is a type, which `graph!` writes: for `RefundAgent` it is `RefundAgentTurn`, with one variant for
//! each review. A [`Review`] takes one verdict and is gone. What can happen to a thread is all there:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/hitl-runtime/doc/refunds.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = RefundAgent::new(MemoryStore::new());
//! # let _ = waiting(&agent, "A-9133").await?;
//! match agent.thread("ticket-A-9133").await? {
//!     // A person must move: approve, edit, reject, or ask where the graph says where a question leads.
//!     RefundAgentTurn::Pay(review) => println!("sign this? {:?}", review.draft()),
//!     RefundAgentTurn::Done(outcome) => println!("{outcome}"),
//!     // Nobody saw how an effect ended; it is not run again before a person has said so.
//!     RefundAgentTurn::InDoubt(doubt) => println!("look for {} at the bank", doubt.idempotency_key()),
//!     RefundAgentTurn::Failed(failed) => println!("{}: {}", failed.node(), failed.error()),
//!     // Another process has the thread, or had it when it died.
//!     RefundAgentTurn::Running(running) => println!("at {}", running.node()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Where a fork lets several reviews be open at once there is also `Several`, with all of them. From outside, where
//! there are no types, a verdict names the [`Digest`] of the review that it saw: [`Agent::decide`], [`Agent::view`].
//!
//! # When your own code panics
//!
//! A panic in a node, a reducer, a serializer, a validator, a schema or the guard of a `match` fails its own thread and no
//! other: the node is `failed` and says the place, or the call ends in [`Error::UserCodeFailed`]. With the code mended,
//! `resume` goes on. It needs `panic = "unwind"`, which is Cargo's default; under `panic = "abort"` the process ends.
//!
//! # Stores
//!
//! A [`Store`] keeps the journals. [`MemoryStore`] is for tests and short lives; `SqliteStore` (feature `sqlite`, on
//! by default) is one file, which several processes may have open at once. Whoever writes a third runs
//! [`store::conformance`] on it. With the feature `kms`, `store::Sealed` stands before any of them and encrypts every
//! entry under data keys of AWS KMS, or of a vault of yours.
//!
//! # New code, old threads
//!
//! A thread may wait for weeks, and the program is changed meanwhile. Before the new one moves it, it holds the thread
//! against its own graph, types and invariants. Either the thread goes on, and its journal says where it met the new
//! code; or nothing runs, and [`Error::GraphChanged`] lists every [`Difference`] that stands in the way. A node that is
//! called otherwise is brought over with a `renamed` statement in [`graph!`], a field with a
//! [version](macro@state#versions) of the state. [`Agent::check`], which is `check` on the command line, says beforehand
//! which threads a program can take.
//!
//! # The command line
//!
//! With the feature `cli`, on by default, an agent is a program: `start`, `inbox`, `show`, `approve`, `edit`,
//! `reject`, `ask`, `history`, `check` and more. On a terminal it walks a person through; without one it asks nothing.
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

#![warn(missing_docs)]

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
///     // `start` takes the inputs, as a `TicketInput`.
///     #[input]
///     message: String,
///     #[input]
///     customer: u64,
///     // A second write takes the place of the first.
///     plan: String,
///     // A second write is added to the list. Branches that run side by side may both write such a field.
///     #[reduce(append)]
///     notes: Vec<String>,
///     // Two writes become one by a function of `(old, new)`, or by a closure.
///     #[reduce(u32::max)]
///     risk: u32,
///     #[reduce(|old, new| old + "\n" + &new)]
///     letter: String,
///     // The run ends with the outputs: here with a `(String, u64)`.
///     #[output]
///     receipt: String,
///     #[output]
///     cents: u64,
/// }
///
/// let input = TicketInput { message: "It arrived broken.".into(), customer: 7 };
/// // What is known so far, as `Agent::get` gives it: each field an `Option`.
/// let known = TicketFields::default();
/// assert_eq!((known.plan, known.notes), (None, None));
/// ```
///
/// # Versions
///
/// A thread outlives the program that it began in. Where a field is new, goes, is called otherwise or has another type,
/// the state has another version, and a function says how to read what earlier ones wrote:
///
/// ```
/// use hitl::{journal::Map, prelude::*};
///
/// /// Version 1 had no `language`, called the `scheme` a `plan`, counted in dollars, and kept a `mood`.
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
///         // Added: where a field is seen that was always there by then.
///         if fields.contains_key("message") {
///             fields.insert("language".into(), "en".into());
///         }
///         // Renamed.
///         if let Some(plan) = fields.remove("plan") {
///             fields.insert("scheme".into(), plan);
///         }
///         // Renamed, and of another type.
///         if let Some(dollars) = fields.remove("dollars") {
///             let dollars = dollars.as_u64().ok_or_else(|| NodeError::msg("no whole dollars"))?;
///             fields.insert("cents".into(), (dollars * 100).into());
///         }
///         // Gone.
///         fields.remove("mood");
///     }
///     Ok(())
/// }
/// ```
///
/// It is called with the fields that one write brought: the input, what one node wrote, what an operator made of a
/// draft, or all that a snapshot holds. `from` is the version they were written under. The journal is not rewritten:
/// old entries stay as they are, still verify, and pass through here whenever they are read. So the function looks at
/// nothing but its arguments, and at no two fields that were not written together. Which node is called otherwise, the
/// graph says: see [`graph!`].
///
/// What a verdict brought, a `&Rejection` or a `&Question`, holds the draft as its operator saw it. A signature is for
/// one value: where this makes another one of it, the review is opened again, or, if it is over, the signature is void.
pub use hitl_macros::state;

/// Makes a type one that a person can sign: [`Draft`].
///
/// It stands in place of the derives of `Serialize`, `Deserialize` and `JsonSchema`, on a struct or an enum, with the
/// attributes of serde and schemars that they take. `Validate` of garde stays beside it on the type that is signed.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use hitl::prelude::*;
///
/// /// What the operator signs.
/// #[draft]
/// #[derive(Clone, Debug, Validate)]
/// #[serde(rename_all = "camelCase")]
/// struct Transfer {
///     #[garde(length(min = 1))]
///     purpose: String,
///     /// What each account gets, in cents.
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
/// Every field's type must be a `Draft` too, so that no field can change behind a signature and none is left out of it:
///
/// ```compile_fail
/// # use hitl::prelude::*;
/// #[draft]
/// struct Transfer {
///     cents: std::sync::atomic::AtomicU64, // not a `Draft`
/// }
/// ```
///
/// For a type of another crate that hitl does not know there is `#[draft(foreign)]` on the field: whoever writes it
/// vouches that nothing can change the value behind a signature, and that its JSON says all of it. That it comes back
/// out of its JSON as it was is still looked at whenever a node writes it.
pub use hitl_macros::draft;

/// Makes an async function a step of a graph.
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
/// // Fields, borrowed or cloned, and the graph's dependencies. Three more tries, after 1, 2 and 4 s, of 30 s each.
/// #[node(Ticket, writes = plan, retries = 3, backoff = "1s", timeout = "30s")]
/// async fn plan(message: &str, customer: u64, desk: Deps<Desk>) -> Result<String> {
/// #   let _ = &desk.bank;
///     Ok(format!("refund {customer}, who writes: {message}"))
/// }
///
/// // Two fields, as a tuple. What is in an `Option` is perhaps not there: not written yet, or not what led here.
/// #[node(Ticket, writes = (draft, notes))]
/// async fn draft(plan: &str, notes: Option<&[String]>, question: Option<&Question>) -> Result<(Refund, Vec<String>)> {
///     let asked = question.map(|question| question.text.clone());
///     let dollars = if notes.is_none() { 149 } else { 99 };
///     Ok((Refund { dollars }, vec![asked.unwrap_or_else(|| plan.to_owned())]))
/// }
///
/// // It changes the world, so it takes what a person has signed. The bank knows the key again, so it may be retried.
/// #[interrupt_before]
/// #[node(Ticket, writes = receipt, effect, idempotent, retries = 2)]
/// async fn pay(draft: &Approved<Refund>, bank: Deps<Bank>, cx: &Cx) -> Result<String> {
/// #   let _ = &*bank;
///     Ok(format!("{} dollars, under {}", draft.dollars, cx.idempotency_key()))
/// }
///
/// // It changes the world a little, which nobody need sign. Only a rejection leads here, and it writes no field.
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

/// Puts a review before a node.
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
/// // Whoever holds the role signs within a day, or it counts as rejected. The signature is for `pay`, and for `send` too.
/// #[interrupt_before(role = "refund-approver", expires = "24h", covers = (send))]
/// #[node(Ticket, effect)]
/// async fn pay(draft: &Approved<Refund>) -> Result<()> {
/// #   let _ = draft;
///     Ok(())
/// }
///
/// // Anybody signs, at any time. Of the two the review is about the letter: the refund was signed before `pay`. The
/// // address is shown and signed with the letter; the note is read though nobody signs it.
/// #[interrupt_before(review = letter, show = (address), unsigned(note))]
/// #[node(Ticket, effect)]
/// async fn send(
///     letter: &Approved<Letter>,
///     draft: &Approved<Refund>,
///     address: &str,
///     note: Option<&str>,
/// ) -> Result<()> {
///     println!("{}: {} dollars, as {} has signed", letter.text, draft.dollars, draft.operator());
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
///     /// Answers letters. This comment is the graph's own, and what its command line begins with.
///     pub Mailroom<Letter, Office> {
///         // A Rust `match` on a field, which rustc checks; an arm goes on like a statement, and may have a guard.
///         start -> sort -> match kind {
///             Kind::Question { urgent } if *urgent => draft_at_once,
///             Kind::Question { .. } => look_up,
///             Kind::Advertisement => desk::file -> end,
///         };
///         // Side by side, each on its own view of the state, until all of them have met in `draft`.
///         look_up -> (ask_warehouse, ask_carrier -> translate) -> draft;
///         draft_at_once -> draft;
///         // What is matched may be more than a field, as long as it begins with one.
///         draft -> match reply.text.len() {
///             0..=500 => send -> end,
///             _ => shorten -> send,
///         };
///         // What a node was called in an earlier program, for the threads that still stand there.
///         renamed archive -> desk::file;
///         // Where the verdicts on a review lead: `reject` always, `ask` where a question can be answered. Approved,
///         // as it was or edited, `send` runs and goes on as above.
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
///     // `new` takes the dependencies and a store; one that is declared `Mailroom<Letter>` takes a store.
///     let mailroom = Mailroom::new(Office, MemoryStore::new());
///     let turn = mailroom.start("letter-1", LetterInput { message: "Where is A-9133?".into() }).await?;
///     assert!(matches!(turn, MailroomTurn::Send(review) if review.draft().text.contains("Thursday")));
///     Ok(())
/// }
/// ```
///
/// # For each item of a list
///
/// A `for` runs its chain once for each item of a field that is a `Vec`, side by side, and goes on when all have come to
/// its end. Each has its own review where one of its nodes has; an item that waits for a person takes up no room.
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
///     // One of the list. What an item writes is its own, and goes with it …
///     refund: Refund,
///     // … but for what it appends here, which comes out in the order of the list, whoever was done first.
///     #[reduce(append)]
///     #[output]
///     receipts: Vec<String>,
/// }
///
/// graph! {
///     Refunds<Day> {
///         // At most 4 at once; 8 if nothing is said. An empty list leads past it, and leaves empty lists.
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
///     let RefundsTurn::Done(receipts) = agent.thread("monday").await? else { panic!("both were paid") };
///     assert_eq!(receipts, ["149 dollars", "99 dollars"]);
///     Ok(())
/// }
/// ```
pub use hitl_macros::graph;

/// Makes a program of a graph: a `main` with its [command line](cli), and with the feature `agentcore` the server that
/// Amazon Bedrock AgentCore Runtime calls.
///
/// It stands on a function that makes what the nodes depend on. Where threads are kept the environment says
/// ([`store::from_env`]); if it does not, in a file beside the program that is named like the graph.
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

pub use hitl_runtime::graph::MAX_ITEMS;
pub use hitl_runtime::run::{
    Audit, CLOCK_SKEW_MS, FailureView, Finding, FindingKind, Graph, Head, Heard, HistoryEntry, InDoubtView,
    ItemView, Listener, Noticed, ReviewChange, ReviewView, Unchecked,
};
pub use hitl_runtime::{
    Activity, Agent, Approved, CanAsk, CanEdit, Check, Clock, Cx, Deps, Difference, Digest, Draft, Error,
    Failed, InDoubt, InvalidThreadId, ManualClock, MemoryStore, NoAsk, NoEdit, NodeError, OpenReview, Opens,
    Operator, Page, Place, Preview, Provides, Question, Reason, Rejection, Reproposal, Review, Running,
    Snapshot, Standing, Store, StoreError, SystemClock, ThreadId, ThreadView, Verdict, Violation,
};
pub use hitl_runtime::{journal, model, store};

#[cfg(feature = "sqlite")]
pub use hitl_runtime::SqliteStore;
#[cfg(feature = "agentcore")]
pub use hitl_runtime::serve::agentcore;
#[cfg(feature = "cli")]
pub use hitl_runtime::serve::cli;
pub use hitl_runtime::serve::wire;

/// What a node returns. Any error fits, by `?`.
///
/// ```
/// fn order(text: &str) -> hitl::Result<u32> {
///     Ok(text.parse()?)
/// }
/// assert!(order("9133").is_ok_and(|number| number == 9133));
/// assert!(order("A-9133").is_err());
/// ```
pub type Result<T, E = NodeError> = std::result::Result<T, E>;

/// Everything that a file which declares an agent names.
pub mod prelude {
    pub use garde::Validate;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "sqlite")]
    pub use crate::SqliteStore;
    pub use crate::{
        Agent, Approved, Cx, Deps, MemoryStore, NodeError, Operator, Provides, Question, Reason, Rejection,
        Result, Verdict, draft, graph, interrupt_before,
        model::{Model, ModelExt},
        node, state,
    };
}

#[doc(hidden)]
pub use hitl_runtime::__private;
