//! The macros of [`hitl`](https://docs.rs/hitl). Use them through that crate: their output names it.
//!
//! Each reads what it is given (`parse`), makes plain data of it (`model`), and writes code from that (`emit`). What
//! a macro can know it says itself, on the word that is wrong; what takes the whole program (which fields are written
//! on which path) it leaves to `const fn`s of the runtime, which rustc runs.
//!
//! `HITL_EXPAND=plan cargo check` prints what the macros make of the item called `plan`.

#![warn(missing_docs)]

mod diagnostics;
mod draft;
mod entrypoint;
mod graph;
mod names;
mod node;
mod spans;
mod state;

use proc_macro::TokenStream;

/// Describes what a graph knows about one thread.
///
/// It stands on a struct with named fields, none of which is an `Option`: the graph proves when each is set.
///
/// | on a field | |
/// |---|---|
/// | `#[input]` | `start` takes it |
/// | `#[output]` | the run ends with it; several make a tuple, in their order |
/// | `#[reduce(append)]` | a second write does not replace the first: the list grows |
/// | `#[reduce(f)]` | the same with a function or closure of yours, `fn f(old: T, new: T) -> T` |
///
/// | on the struct | |
/// |---|---|
/// | `#[state(version = 2, migrate = f)]` | its fields were others before; `fn f(from: u32, fields: &mut hitl::journal::Map) -> Result<(), E>` brings over what was written then |
///
/// Besides the struct itself, for `Ticket` it makes `TicketInput`, with the fields that `start` takes, and
/// `TicketFields`, where each field is what is known of it so far. A field's type must be `Serialize` and
/// `Deserialize`: the journal keeps it as JSON.
#[proc_macro_attribute]
pub fn state(args: TokenStream, item: TokenStream) -> TokenStream {
    state::expand(args.into(), item.into()).into()
}

/// Makes a type one that a person can sign.
///
/// It stands on a struct or an enum in place of the derives of `Serialize`, `Deserialize` and `JsonSchema`, and takes
/// the attributes of serde and schemars. Every field's type must be a draft too.
///
/// | on a field | |
/// |---|---|
/// | `#[draft(foreign)]` | its type comes from another crate, and whoever writes this vouches for it: nothing can change it behind a signature, and its JSON says all of it |
#[proc_macro_attribute]
pub fn draft(args: TokenStream, item: TokenStream) -> TokenStream {
    draft::expand(args.into(), item.into()).into()
}

/// Makes a node of an `async fn`, which stays the function it is.
///
/// The first argument is the state. The others:
///
/// | argument | |
/// |---|---|
/// | `writes = plan`, `writes = (plan, notes)` | the field that the function returns; the fields, as a tuple |
/// | `effect` | it changes the world, so a person has signed before it runs, or `risk = low` says why not |
/// | `idempotent` | an effect that may run twice with one idempotency key |
/// | `risk = low` | an effect that needs no signature |
/// | `retries = 3`, `backoff = "1s"`, `timeout = "30s"` | what happens when it fails, or takes too long |
///
/// What a parameter stands for is said by its name and its type:
///
/// | parameter | |
/// |---|---|
/// | `message: &str`, `count: u32` | the field of that name, written on every path here; borrowed or cloned |
/// | `plan: Option<&str>` | the field, if it is written yet |
/// | `draft: &Approved<Draft>` | the field as a person has signed it, for this node; only an effect takes it, and spends it |
/// | `rejection: &Rejection`, `question: &Question` | what the verdict that led here brought; in an `Option` where other edges lead here too |
/// | `desk: Deps<Desk>` | the graph's dependencies, or a part of them |
/// | `cx: &Cx` | the thread, the attempt, the idempotency key |
///
/// It returns a `Result`, with an error of any type.
///
/// A node's name is a type as well as a function, which is how a graph speaks of it: `mod plan; use plan::plan;` is
/// therefore one name twice (E0255). Name the module otherwise.
#[proc_macro_attribute]
pub fn node(args: TokenStream, item: TokenStream) -> TokenStream {
    node::expand(args.into(), item.into()).into()
}

/// Stops before a node until a person has signed what it takes as `&Approved<…>`.
///
/// It stands with `#[node]`, in either order. Its arguments may all be left out:
///
/// | argument | |
/// |---|---|
/// | `role = "refund-approver"` | the role that an operator must hold |
/// | `expires = "24h"` | how long the review stays open; then it counts as rejected, or goes where `expire -> …` leads |
/// | `remind = "4h"` | how long until an open review is brought up again, and again after as long |
/// | `edit = false` | the review takes no edit: the draft is signed as it is, or not at all |
/// | `review = draft` | the field that is signed, where the node takes several as `&Approved<…>` |
/// | `covers = (hold, wire)` | the later effects that run on the same signature, each once; the node itself always does |
/// | `show = (iban)` | fields that are shown beside the draft and signed with it, but not edited |
/// | `unsigned(message)` | fields that the node, or one that is covered, reads though nobody signs them |
///
/// Every field that the node or a covered one reads beside `&Approved<…>` is in `show` or in `unsigned`.
#[proc_macro_attribute]
pub fn interrupt_before(args: TokenStream, item: TokenStream) -> TokenStream {
    node::expand_interrupt(args.into(), item.into()).into()
}

/// Makes a program of a graph: `main`, with its command line and its server.
///
/// It stands on a function that makes what the graph's nodes depend on, and that is called once they are needed. Its
/// argument is the graph: `#[entrypoint(RefundAgent)]`.
#[proc_macro_attribute]
pub fn entrypoint(args: TokenStream, item: TokenStream) -> TokenStream {
    entrypoint::expand(args.into(), item.into()).into()
}

/// Declares a graph, and has rustc prove it.
///
/// ```text
/// graph! {
///     /// Refunds a customer once a person has signed the exact refund.
///     pub RefundAgent<Ticket, Desk> {
///         start -> plan -> draft -> execute -> end;
///         execute { reject -> cancel, ask -> draft }
///         cancel -> end;
///     }
/// }
/// ```
///
/// | statement | |
/// |---|---|
/// | `start -> plan -> end;` | one after the other |
/// | `triage -> match risk { Risk::High => draft, Risk::Low => reply };` | a Rust `match` on a field, which rustc checks |
/// | `draft -> (fraud, stock -> restock) -> execute;` | side by side, until all of them have met in `execute` |
/// | `plan -> for order in orders, at_most = 4 { look_up -> refund } -> report;` | for each item of a list, so many at once |
/// | `execute { reject -> cancel, ask -> draft }` | where the verdicts on a review lead; approved, it runs |
/// | `execute { reject -> cancel, expire -> escalate }` | where a review leads that nobody decided in time |
/// | `renamed execute -> pay;` | what a node was called in earlier code, for the threads that still stand there |
///
/// A node may be a path, and then goes by its last word. For `RefundAgent` it makes the type of that name, with
/// `RefundAgent::new(deps, store)`, and `RefundAgentTurn`, which says whose turn it is.
#[proc_macro]
pub fn graph(input: TokenStream) -> TokenStream {
    graph::expand(input.into()).into()
}
