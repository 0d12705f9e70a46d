//! The cost of a refund in calls, items, bytes and capacity units, as the service counts them. The numbers are those in
//! the documentation of `hitl_runtime::store::dynamo`.

use serde_json::{Value, json};

use crate::{
    emulator::{Emulator, store},
    graphs::{RefundAgent, RefundAgentTurn, mara, suspended},
    proxy::{Call, CallOutcome, Proxy},
};

/// The total cost of some calls.
#[derive(Debug, Default, PartialEq)]
struct Cost {
    reads: usize,
    read_units: f64,
    writes: usize,
    items: usize,
    write_units: f64,
    bytes: usize,
}

impl Cost {
    fn of(calls: &[Call]) -> Self {
        let mut cost = Self::default();
        for call in calls {
            if !call.is_write() {
                cost.reads += 1;
                cost.read_units += call.units;
                continue;
            }
            cost.writes += 1;
            cost.write_units += call.units;
            match call.request["TransactItems"].as_array() {
                Some(items) => {
                    cost.items += items.len();
                    cost.bytes += items.iter().map(|item| size(&item["Put"]["Item"])).sum::<usize>();
                }
                None => {
                    cost.items += 1;
                    cost.bytes += size(&call.request["Item"]);
                }
            }
        }
        cost
    }
}

/// Returns an item's size as DynamoDB computes it: the bytes of its names and values.
fn size(item: &Value) -> usize {
    let value = |value: &Value| match (&value["S"], &value["B"], &value["N"]) {
        (Value::String(text), ..) => text.len(),
        (_, Value::String(base64), _) => base64.trim_end_matches('=').len() * 3 / 4,
        (.., Value::String(number)) => number.len().div_ceil(2) + 1,
        _ => panic!("an attribute of another kind: {value}"),
    };
    item.as_object().into_iter().flatten().map(|(name, each)| name.len() + value(each)).sum()
}

/// Returns the kind and the key of each item that a call writes.
fn keys(call: &Call) -> Vec<String> {
    let alone = vec![json!({ "Put": { "Item": call.request["Item"] } })];
    let items = call.request["TransactItems"].as_array().unwrap_or(&alone);
    let text = |item: &Value| format!("{} {}", item["pk"]["S"], item["sk"]["S"]);
    let key = |item: &Value| match item.get("Put") {
        Some(put) => format!("put {} ({} bytes)", text(&put["Item"]), size(&put["Item"])),
        None => format!("delete {}", text(&item["Delete"]["Key"])),
    };
    items.iter().map(key).collect()
}

/// A refund takes three appends until its review: the start, the plan, and the draft with the open review.
#[tokio::test]
async fn a_refund_costs_what_the_documentation_states() {
    let emulator = Emulator::start().await;
    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let agent = RefundAgent::new(store(&proxy.endpoint, emulator.table()));
    let _ = suspended(&agent, "ticket-A-9133".to_owned()).await;
    let started = proxy.calls();

    // The verdict comes later, from another process with an empty cache.
    let later = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let agent = RefundAgent::new(store(&later.endpoint, emulator.table()));
    let RefundAgentTurn::Execute(review) = agent.turn("ticket-A-9133").await.unwrap() else { panic!() };
    let turn = review.approve(&mara()).await.unwrap();
    assert!(matches!(turn, RefundAgentTurn::Done(_)), "{turn}");

    // The numbers of bytes vary a little, because random ids do not compress always in the same way.
    let until_review =
        Cost { reads: 4, read_units: 4.0, writes: 3, items: 8, write_units: 15.0, bytes: 1_850 };
    let until_end = Cost { reads: 5, read_units: 5.0, writes: 2, items: 8, write_units: 16.0, bytes: 1_900 };
    for (calls, expected) in [(started, until_review), (later.calls(), until_end)] {
        let found = Cost::of(&calls);
        println!("{found:?}");
        for call in calls.iter().filter(|call| call.is_write()) {
            println!("{} units: {}", call.units, keys(call).join(", "));
        }
        assert!(found.bytes <= expected.bytes, "{found:?}");
        let mut counted = Cost { bytes: expected.bytes, ..found };
        if !emulator.counts_units() {
            (counted.read_units, counted.write_units) = (expected.read_units, expected.write_units);
        }
        assert_eq!(counted, expected);
    }
}
