//! Paths of broken invariants: they use the JSON names of fields and variants, not the Rust names.

use std::collections::BTreeMap;

use hitl::{MemoryStore, Verdict, prelude::*};
use serde_json::{Value, json};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    #[serde(rename = "no")]
    #[garde(length(min = 1))]
    order_number: String,
    #[garde(dive)]
    #[serde(rename = "positions")]
    lines: Vec<Line>,
    #[garde(dive)]
    #[serde(rename = "byShop")]
    shops: BTreeMap<String, Line>,
    #[garde(dive)]
    #[serde(rename(serialize = "ship", deserialize = "ship"))]
    delivery: Option<Delivery>,
    #[garde(dive)]
    swapped: Swapped,
    #[garde(range(max = 9))]
    plain_number: u8,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Line {
    #[serde(default, rename = "price-in-cents")]
    #[garde(range(max = 9))]
    cents: u32,
    // `Order` has a field of the same Rust name, which is renamed there but not here.
    #[garde(length(max = 9))]
    order_number: String,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub enum Delivery {
    #[serde(rename = "on-day")]
    On {
        #[serde(rename = "d")]
        #[garde(range(max = 31))]
        day: u8,
    },
    Boxed(#[garde(dive)] Box<Line>),
}

/// A type in which each field has the other one's Rust name as its JSON name.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Swapped {
    #[serde(rename = "b")]
    #[garde(range(max = 9))]
    a: u8,
    #[serde(rename = "a")]
    #[garde(range(max = 9))]
    b: u8,
}

#[state]
pub struct Sale {
    pub order: Order,
    #[output]
    pub outcome: String,
}

#[node(Sale, writes = order)]
async fn propose() -> Result<Order> {
    let line = || Line { cents: 1, order_number: "x".to_owned() };
    Ok(Order {
        order_number: "A-1".to_owned(),
        lines: vec![line(), line()],
        shops: [("north".to_owned(), line())].into(),
        delivery: Some(Delivery::On { day: 1 }),
        swapped: Swapped { a: 1, b: 2 },
        plain_number: 1,
    })
}

#[interrupt_before(role = "clerk")]
#[node(Sale, writes = outcome, effect)]
async fn sell(order: &Approved<Order>) -> Result<String> {
    Ok(order.order_number.clone())
}

#[node(Sale, writes = outcome)]
async fn cancel(_rejection: &Rejection) -> Result<String> {
    Ok("cancelled".to_owned())
}

graph! {
    pub Seller<Sale> {
        start -> propose -> sell -> end;
        sell { reject -> cancel }
        cancel -> end;
    }
}

/// Returns the paths of the violations in an error, which every channel reports.
fn paths(error: &hitl::Error) -> Vec<String> {
    let hitl::Error::Invalid { violations, .. } = error else { panic!("{error}") };
    violations.iter().map(|violation| violation.path.clone()).collect()
}

#[tokio::test]
async fn violations_use_the_json_names_of_fields() {
    let agent = Seller::new(MemoryStore::new());
    let SellerTurn::Sell(review) = agent.start("t", SaleInput {}).await.unwrap() else { panic!() };
    let (mara, digest) = (Operator::new("mara").role("clerk"), review.digest());
    let thread = hitl::ThreadId::new("t").unwrap();
    let line = |cents: u32, number: &str| json!({ "price-in-cents": cents, "order_number": number });
    let cases: [(Value, &str); 9] = [
        (json!({ "no": "" }), "no"),
        (json!({ "positions": [line(1, "x"), line(99, "x")] }), "positions[1].price-in-cents"),
        (json!({ "positions": [line(1, "0123456789")] }), "positions[0].order_number"),
        (json!({ "byShop": { "a.b": line(99, "x") } }), "byShop.a.b.price-in-cents"),
        (json!({ "ship": { "on-day": { "d": 32 } } }), "ship.on-day.d"),
        (json!({ "ship": { "on-day": null, "Boxed": line(99, "x") } }), "ship.Boxed.price-in-cents"),
        (json!({ "swapped": { "b": 10 } }), "swapped.b"),
        (json!({ "swapped": { "a": 10 } }), "swapped.a"),
        (json!({ "plainNumber": 10 }), "plainNumber"),
    ];
    for (patch, path) in cases {
        let verdict = || Verdict::Edit { patch: patch.clone() };
        let error = agent.preview(&thread, digest, &mara, verdict()).await.unwrap_err();
        assert_eq!(paths(&error), [path], "{patch}");
        assert_eq!(error.details()["violations"][0]["path"], path, "{patch}");
        let error = agent.decide(&thread, digest, &mara, verdict()).await.unwrap_err();
        assert_eq!(paths(&error), [path], "{patch}");
    }
    // An edit by closure reports the same path.
    let error = review.edit(&mara, |order| order.lines[1].cents = 99).await.unwrap_err();
    assert_eq!(paths(&error), ["positions[1].price-in-cents"]);
}
