//! The macros of [`hitl`](https://docs.rs/hitl). Use them through that crate: their output names it.
//!
//! Each macro parses its input (`parse`), builds plain data from it (`model`), and generates code (`emit`). A macro
//! reports the errors that it can detect itself, at the offending word. Checks that need the whole program, such as
//! which fields are written on which path, are `const fn`s of the runtime, which rustc evaluates.
//!
//! The output refers to `::hitl`. Each macro takes `crate = path` for a crate that has hitl under another name or through
//! a facade: `#[state(crate = facade::hitl)]`, `graph! { crate = facade::hitl; … }`.
//!
//! `HITL_EXPAND=plan cargo check` prints the output of the macros for the item `plan`.

#![warn(missing_docs, missing_debug_implementations)]

mod crate_path;
mod diagnostics;
mod draft;
mod editor;
mod entrypoint;
mod expr_text;
mod graph;
mod names;
mod node;
mod spans;
mod stand_in;
mod state;

use proc_macro::TokenStream;

/// Makes a struct the state of a graph.
///
/// The struct has named fields. None of them needs to be an `Option`, because the graph proves when each is set. rustc
/// warns about a field that no node names and that is no input (`dead_code`).
///
/// | on a field | meaning |
/// |---|---|
/// | `#[input]` | an input, which `start` takes |
/// | `#[output]` | the output of the run; several outputs are a tuple, in their order |
/// | `#[reduce(append)]` | a second write appends to the list and does not replace it |
/// | `#[reduce(f)]` | a second write is merged with a function or closure of yours, `fn f(old: T, new: T) -> T` |
///
/// | on the struct | meaning |
/// |---|---|
/// | `#[state(version = 2, migrate = f)]` | the version of the fields; `fn f(from: u32, fields: &mut hitl::journal::Map) -> Result<(), E>` migrates what earlier versions wrote |
///
/// For a struct `Ticket` it also generates `TicketInput`, with the fields that `start` takes, and `TicketFields`, in
/// which each field is an `Option`: `None` until it is written. A field's type must be `Serialize` and `Deserialize`,
/// because the journal keeps it as JSON.
#[proc_macro_attribute]
pub fn state(args: TokenStream, item: TokenStream) -> TokenStream {
    crate_path::expand(args, item, |args, item, _| state::expand(args, item))
}

/// Makes a type signable by a person.
///
/// It takes the place of the derives of `Serialize`, `Deserialize` and `JsonSchema` on a struct or enum, and accepts
/// the attributes of serde and schemars. Every field's type must be a draft too.
///
/// | on a field | meaning |
/// |---|---|
/// | `#[draft(foreign)]` | its type comes from another crate; the author guarantees that the value cannot change after signing and that its JSON is complete |
#[proc_macro_attribute]
pub fn draft(args: TokenStream, item: TokenStream) -> TokenStream {
    crate_path::expand(args, item, |args, item, _| draft::expand(args, item))
}

/// Makes a node of an `async fn`. The function itself is unchanged.
///
/// The first argument is the type of the state. The others:
///
/// | argument | meaning |
/// |---|---|
/// | `writes = plan`, `writes = (plan, notes)` | the field that the function returns; several fields as a tuple |
/// | `effect` | it changes the world, so a person signs before it runs, unless `risk = low` |
/// | `idempotent` | an effect that may run twice with one idempotency key |
/// | `risk = low` | an effect that needs no signature |
/// | `risk = medium`, `risk = high` | the risk of an effect, for the review on whose signature it runs |
/// | `retries = 3`, `backoff = "1s"`, `timeout = "30s"` | retries after a failure, the wait before the first one, and the limit for each attempt |
///
/// The name and the type of a parameter determine its meaning:
///
/// | parameter | meaning |
/// |---|---|
/// | `message: &str`, `count: u32` | the field of that name, written on every path to the node; borrowed or cloned |
/// | `plan: Option<&str>` | the field, or `None` if it is not written yet |
/// | `note: &Option<String>`, `note: Option<String>` | a field whose type is an `Option`, borrowed or cloned; its `None` is a value that was written |
/// | `draft: &Approved<Draft>` | the field as it was signed for this node; only an effect takes it, and its run spends the signature |
/// | `rejection: &Rejection`, `question: &Question` | the content of the verdict that led here; in an `Option` if other edges lead here too |
/// | `desk: Deps<Desk>` | the graph's dependencies, or a part of them |
/// | `cx: &Cx` | the thread, the attempt, the idempotency key |
///
/// It returns a `Result` with an error of any type.
///
/// The name of a node is both a type and a function, so that a graph can refer to it. `mod plan; use plan::plan;`
/// therefore defines one name twice (E0255): give the module another name.
#[proc_macro_attribute]
pub fn node(args: TokenStream, item: TokenStream) -> TokenStream {
    crate_path::expand(args, item, node::expand)
}

/// Requires a review before a node runs: a person signs what the node takes as `&Approved<…>`, or the rule of the review
/// does, if it is not to be asked about.
///
/// It is used with `#[node]`, in either order. All of its arguments are optional:
///
/// | argument | meaning |
/// |---|---|
/// | `when = draft.amount > 100.0` | the condition under which a person is asked. If it is false when the node is reached, the rule signs, and the node runs |
/// | `risk = high` | the risk of the action, `low`, `medium` or `high`, or one that is chosen, `if draft.amount > 1000.0 { high } else { low }`. It is shown. Of high risk, a person always signs, even if `when` is false. The highest risk counts: a covered effect may declare its own, `#[node(…, effect, risk = high)]`, or have a review with one. Who was shown a lower risk has not signed a higher one |
/// | `reversible = false` | the action cannot be undone, which is shown |
/// | `role = "refund-approver"` | the role that an operator must hold: text, a constant, or one that is chosen, `if draft.amount > 1000.0 { "director" } else { "clerk" }` |
/// | `not = requester` | the person who started the thread may not sign, but may reject or ask. Two people are told apart by the subjects of their tokens from one issuer, or, if neither has a token, by names that are both verified or both only claimed (as on the command line); who cannot be told from the requester may not sign. A thread starts only in someone's name, `start_as`. The same holds for the settlement of an effect in doubt that the review guards, and for who forks the thread, `fork_as` |
/// | `expires = "24h"` | the time that the review stays open; then it counts as rejected, or follows the `expire -> …` edge. It can be a constant `Duration` or chosen, as the role |
/// | `remind = "4h"` | the interval of reminders while the review is open |
/// | `edit = false` | the draft cannot be edited: it is signed as it is, or not at all |
/// | `review = draft` | the field that is signed, if the node takes several as `&Approved<…>` |
/// | `covers = (hold, wire)` | later effects that run on the same signature, once each; it always covers the node itself |
/// | `show = (iban)` | fields that are shown beside the draft and signed with it, but cannot be edited |
/// | `unsigned(message)` | fields that the node or a covered one reads although they are not signed |
///
/// Every field that the node or a covered one reads, except as `&Approved<…>`, must be in `show` or in `unsigned`.
///
/// A condition, and the `if` or `match` that chooses a role, a deadline or a risk, is Rust in which the signed field
/// and the shown ones are values: `risk == Risk::High`, `is_large(&draft)`. It reads no other field, so that the
/// signature covers what it depends on, and it must depend on nothing else: a rule's signature that another process
/// finds, and each one that `verify` reads, is evaluated again. A rule signs nothing about whose current value a person
/// has been asked, and nothing in a fork of a thread. A condition that panics fails the node. The roles and durations
/// of a choice are written in it, so that text of a model is never a role; an edit that leads to another role is a new
/// proposal for that role.
#[proc_macro_attribute]
pub fn interrupt_before(args: TokenStream, item: TokenStream) -> TokenStream {
    node::expand_interrupt(args.into(), item.into()).into()
}

/// Does not exist: a person signs before an effect. It only reports that, and what to use.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn interrupt_after(_args: TokenStream, item: TokenStream) -> TokenStream {
    node::expand_interrupt_after(item.into()).into()
}

/// Makes a program of a graph: a `main` with a command line and a server.
///
/// The function creates the dependencies of the graph's nodes, and is called when they are first needed. The argument
/// is the graph: `#[entrypoint(RefundAgent)]`.
#[proc_macro_attribute]
pub fn entrypoint(args: TokenStream, item: TokenStream) -> TokenStream {
    crate_path::expand(args, item, |args, item, _| entrypoint::expand(args, item))
}

/// Declares a graph, which rustc proves at compile time.
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
/// | statement | meaning |
/// |---|---|
/// | `start -> plan -> end;` | a sequence |
/// | `triage -> match risk { Risk::High => draft, Risk::Low => reply };` | a Rust `match` on a field, which rustc checks |
/// | `plan -> match call { Call::Refund(draft) => refund, Call::Say(answer) => end };` | a name for a part of the value writes the field of that name, unless the guard uses it or it begins with `_`. What it writes is a draft like any other. A review of it takes an edit if the `match` only tells variants apart, and nothing else has seen the whole value: choose after it is written, `Call::Refund(draft) => match draft.amount { … }` |
/// | `draft -> (fraud, stock -> restock) -> execute;` | a fork: concurrent branches, which join in `execute` |
/// | `plan -> for order in orders, at_most = 4 { look_up -> refund } -> report;` | once for each item of a list, at most 4 items at once |
/// | `execute { reject -> cancel, ask -> draft }` | the edges of the verdicts on a review; once approved, the node runs |
/// | `execute { reject -> cancel, expire -> escalate }` | the edge of a review that is not decided in time |
/// | `renamed execute -> pay;` | an old name of a node, for threads that still wait at it |
///
/// A node may be given as a path; its name is the last segment. For `RefundAgent` the macro generates the type of that
/// name, with `RefundAgent::new(deps, store)`, and `RefundAgentTurn`, the status of a thread.
#[proc_macro]
pub fn graph(input: TokenStream) -> TokenStream {
    graph::expand(input.into()).into()
}
