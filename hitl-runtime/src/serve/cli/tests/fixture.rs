//! A handwritten equivalent of what `graph!` generates, as a fixture: draft, signature, payment.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Agent, Error, ManualClock, MemoryStore, NodeError, Rejection,
    agent::{Graph, ThreadState},
    graph::{
        EdgeKind, EdgeSpec, FieldSpec, GraphSpec, InterruptSpec, NodeSpec, Point, ReadKind, ReadSpec,
        StateSpec,
    },
    node::{Args, NodeTable, Writes},
    review::DraftVtable,
    state::{FieldError, FieldTable, Slots, State, StateTable, View, unmigrated},
};

/// The draft that a person signs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub(super) struct Refund {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    order_id: String,
    #[garde(range(min = 0.01, max = 10_000.0))]
    amount: f64,
    #[garde(length(chars, min = 1))]
    reason: String,
}

pub(super) struct Ticket;

pub(super) struct TicketFields {
    outcome: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TicketInput {
    message: String,
}

pub(super) struct TicketView<'a> {
    message: &'a Option<String>,
    draft: &'a Option<Refund>,
}

impl View for TicketView<'_> {
    const STATE: &'static StateTable = Ticket::TABLE;
}

const fn table<T: Serialize + DeserializeOwned + Send + Sync + 'static>() -> FieldTable {
    FieldTable::new::<T>(None, |_, _, _| Ok(()))
}

const fn field(name: &'static str, ty: &'static str, input: bool, output: bool) -> FieldSpec {
    FieldSpec { name, ty, input, output, reduced: false, appends: false }
}

impl State for Ticket {
    type Fields = TicketFields;
    type View<'a> = TicketView<'a>;
    type Input = TicketInput;
    type Output = String;
    const SPEC: StateSpec = StateSpec {
        name: "Ticket",
        version: 1,
        fields: &[
            field("message", "String", true, false),
            field("draft", "Refund", false, false),
            field("outcome", "String", false, true),
        ],
    };

    const TABLE: &'static StateTable = &StateTable {
        spec: Self::SPEC,
        fields: &[table::<String>(), table::<Refund>(), table::<String>()],
        migrate: unmigrated,
    };

    fn view(slots: &Slots) -> Result<TicketView<'_>, FieldError> {
        Ok(TicketView { message: slots.get(0)?, draft: slots.get(1)? })
    }

    fn fields(mut slots: Slots) -> Result<TicketFields, FieldError> {
        Ok(TicketFields { outcome: slots.take(2)? })
    }

    fn output(fields: Self::Fields) -> Option<String> {
        fields.outcome
    }
}

pub(super) struct RefundAgent;

pub(super) const fn node(name: &'static str, writes: &'static [&'static str]) -> NodeSpec {
    NodeSpec { name, writes, ..NodeSpec::BLANK }
}

pub(super) const EXECUTE: NodeSpec = NodeSpec {
    reads: &[ReadSpec { field: "draft", kind: ReadKind::Approved }],
    effect: true,
    interrupt: Some(InterruptSpec {
        role: Some("refund-approver"),
        expires_ms: Some(86_400_000),
        remind_ms: Some(14_400_000),
        ..InterruptSpec::new("draft")
    }),
    ..node("execute", &["outcome"])
};

const fn edge(from: Point, to: Point, kind: EdgeKind) -> EdgeSpec {
    EdgeSpec { from, to, kind, joins: None }
}

impl Graph for RefundAgent {
    type State = Ticket;
    type Deps = ();
    type Turn = ();
    const SPEC: &'static GraphSpec = &GraphSpec {
        name: "RefundAgent",
        docs: " Refunds a customer once a person has signed.",
        state: Ticket::SPEC,
        nodes: &[node("draft", &["draft"]), EXECUTE, node("cancel", &["outcome"])],
        edges: &[
            edge(Point::Start, Point::Node(0), EdgeKind::Next),
            edge(Point::Node(0), Point::Node(1), EdgeKind::Next),
            edge(Point::Node(1), Point::End, EdgeKind::Next),
            edge(Point::Node(1), Point::Node(2), EdgeKind::Reject),
            edge(Point::Node(1), Point::Node(0), EdgeKind::Ask),
            edge(Point::Node(2), Point::End, EdgeKind::Next),
        ],
        routes: &[],
        forks: &[],
        renamed: &[],
    };
    const NODES: &'static [NodeTable] = &[
        NodeTable {
            spec: node("draft", &["draft"]),
            reviewed: None,
            run: |args| Box::pin(async move { draft(&args.typed()?) }),
        },
        NodeTable {
            spec: EXECUTE,
            reviewed: Some(DraftVtable::new::<Refund>()),
            run: |args| Box::pin(async move { execute(&args.typed()?) }),
        },
        NodeTable {
            spec: node("cancel", &["outcome"]),
            reviewed: None,
            run: |args| Box::pin(async move { cancel(&args.typed()?) }),
        },
    ];

    fn route(_: usize, _: &TicketView<'_>) -> Option<usize> {
        None
    }

    fn turn(_: ThreadState<Self>) -> Result<(), Error> {
        Ok(())
    }
}

pub(super) type NodeArgs<'a, 'b> = &'b Args<'a, Ticket, ()>;

crate::review::drafts!(Refund);

fn writes<T: serde::Serialize>(field: &'static str, value: &T) -> Result<Writes, NodeError> {
    Ok(Writes::default().set(field, serde_json::value::to_raw_value(value)?))
}

/// Fails if the message contains `fail`. Otherwise the message is the reason, followed by the answer to a question.
pub(super) fn draft(args: NodeArgs<'_, '_>) -> Result<Writes, NodeError> {
    let message = args.need("message", args.fields()?.message.as_deref())?;
    if message.contains("fail") {
        return Err(NodeError::msg("the model is asleep\n\u{1b}[2Jall is well"));
    }
    let asked = args.question().map(|question| format!(" ({}? yes)", question.text.trim_end_matches('?')));
    let reason = format!("{message}{}", asked.unwrap_or_default());
    let draft = Refund { order_id: "A-9133".to_owned(), amount: 149.0, reason };
    writes("draft", &draft)
}

/// A refund of 13 fails after it has begun, which leaves the effect in doubt.
pub(super) fn execute(args: NodeArgs<'_, '_>) -> Result<Writes, NodeError> {
    let draft = args.approved("draft", args.fields()?.draft.as_ref())?;
    if draft.amount == 13.0 {
        return Err(NodeError::msg("connection reset by peer"));
    }
    let outcome = format!("refunded {} for {}, signed by {}", draft.amount, draft.order_id, draft.operator());
    writes("outcome", &outcome)
}

pub(super) fn cancel(args: NodeArgs<'_, '_>) -> Result<Writes, NodeError> {
    let Rejection { reason, note, .. } = args.need("rejection", args.rejection())?.clone();
    writes("outcome", &format!("cancelled, {reason}: {note}"))
}

/// Creates the fixture on a new store, with its clock at 10:10.
pub(super) fn desk() -> (Agent<RefundAgent>, ManualClock) {
    desk_on(MemoryStore::new())
}

/// Creates the fixture on a given store.
pub(super) fn desk_on(store: MemoryStore) -> (Agent<RefundAgent>, ManualClock) {
    let clock = ManualClock::at_ms(1_795_342_200_000);
    (Agent::new((), store).clock(clock.clone()), clock)
}
