//! Migration of a thread in the middle of a `for` to a state version that renames every field and reshapes the items.

use hitl::{ThreadId, prelude::*};

mod v1 {
    use hitl::prelude::*;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    pub struct Order {
        #[garde(skip)]
        pub id: u32,
        #[garde(range(max = 500))]
        pub dollars: u32,
    }

    #[state]
    pub struct Batch {
        #[input]
        pub orders: Vec<Order>,
        pub order: Order,
        pub note: String,
        #[reduce(append)]
        #[output]
        pub log: Vec<String>,
    }

    #[node(Batch, writes = note)]
    async fn look_up(order: &Order) -> Result<String> {
        Ok(format!("order {}", order.id))
    }

    #[interrupt_before(unsigned(note))]
    #[node(Batch, writes = log, effect)]
    async fn refund(order: &Approved<Order>, note: &str) -> Result<Vec<String>> {
        Ok(vec![format!("{} dollars for {note}", order.dollars)])
    }

    #[node(Batch, writes = log)]
    async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.draft.to_string()])
    }

    graph! {
        pub Refunds<Batch> {
            start -> for order in orders { look_up -> refund } -> end;
            refund { reject -> skip }
            skip -> end;
        }
    }
}

mod v2 {
    use hitl::{journal::Map, prelude::*};
    use serde_json::Value;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    pub struct Claim {
        #[garde(skip)]
        pub id: u32,
        #[garde(range(max = 50_000))]
        pub cents: u32,
    }

    #[state(version = 2, migrate = migrate)]
    pub struct Batch {
        #[input]
        pub claims: Vec<Claim>,
        pub claim: Claim,
        pub remark: String,
        #[reduce(append)]
        #[output]
        pub results: Vec<String>,
    }

    fn cents(order: &mut Value) {
        let order = order.as_object_mut().expect("an order");
        let dollars = order.remove("dollars").and_then(|dollars| dollars.as_u64()).expect("dollars");
        order.insert("cents".into(), (dollars * 100).into());
    }

    fn migrate(_: u32, fields: &mut Map) -> Result<()> {
        fields.get_mut("orders").and_then(Value::as_array_mut).into_iter().flatten().for_each(cents);
        fields.get_mut("order").into_iter().for_each(cents);
        let names = [("orders", "claims"), ("order", "claim"), ("note", "remark"), ("log", "results")];
        for (old, new) in names {
            if let Some(value) = fields.remove(old) {
                fields.insert(new.into(), value);
            }
        }
        Ok(())
    }

    #[node(Batch, writes = remark)]
    async fn look_up(claim: &Claim) -> Result<String> {
        Ok(format!("claim {}", claim.id))
    }

    #[interrupt_before(unsigned(remark))]
    #[node(Batch, writes = results, effect)]
    async fn refund(claim: &Approved<Claim>, remark: &str) -> Result<Vec<String>> {
        Ok(vec![format!("{} cents for {remark}", claim.cents)])
    }

    #[node(Batch, writes = results)]
    async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.draft.to_string()])
    }

    graph! {
        pub Refunds<Batch> {
            start -> for claim in claims { look_up -> refund } -> end;
            refund { reject -> skip }
            skip -> end;
        }
    }
}

fn reviews(turn: v2::RefundsTurn) -> Vec<hitl::Review<v2::Refunds, v2::Claim>> {
    let v2::RefundsTurn::Several(reviews) = turn else { panic!("{turn}") };
    reviews.into_iter().map(|v2::RefundsReview::Refund(review)| review).collect()
}

/// With 3 items the new program reads the journal from its first entry, with 40 from a snapshot in the middle of the
/// `for`.
#[tokio::test]
async fn items_and_their_writes_are_migrated() {
    for count in [3, 40] {
        let (store, mara, id) = (MemoryStore::new(), Operator::new("mara"), ThreadId::new("t").unwrap());
        let old = v1::Refunds::new(store.clone());
        let orders = (0..count).map(|id| v1::Order { id, dollars: id + 1 }).collect();
        let v1::RefundsTurn::Several(mut open) = old.start(&id, v1::BatchInput { orders }).await.unwrap()
        else {
            panic!()
        };
        assert_eq!(open.len(), count as usize);
        // The first order is signed and paid under the old version.
        let v1::RefundsReview::Refund(first) = open.remove(0);
        let _ = first.approve(&mara).await.unwrap();

        let new = v2::Refunds::new(store.clone());
        let mut open = reviews(new.turn(&id).await.unwrap());
        assert_eq!(open.len(), count as usize - 1);
        assert_eq!(open[0].draft(), &v2::Claim { id: 1, cents: 200 });
        let _ = open.remove(0).reject(&mara, Reason::BadPlan, "").await.unwrap();
        // A claim that is approved keeps the note of the old `look_up`; an edit runs the new code's `look_up` again.
        for review in open {
            let _ = match review.draft().id % 2 {
                0 => review.approve(&mara).await.unwrap(),
                _ => review.edit(&mara, |claim| claim.cents += 1).await.unwrap(),
            };
        }
        let v2::RefundsTurn::Done(results) = new.turn(&id).await.unwrap() else { panic!() };
        let paid = (2..count).map(|id| match id % 2 {
            0 => format!("{} cents for order {id}", (id + 1) * 100),
            _ => format!("{} cents for claim {id}", (id + 1) * 100 + 1),
        });
        // The rejected draft is kept as the operator saw it, which is in cents.
        let first = ["1 dollars for order 0".to_owned(), r#"{"cents":200,"id":1}"#.to_owned()];
        assert_eq!(results, first.into_iter().chain(paid).collect::<Vec<_>>());
        // The journal is intact, and reading it from the first entry gives the same results as reading it from the last
        // snapshot.
        let head = new.verify(&id).await.unwrap();
        assert_eq!(new.snapshot_at(&id, head.place).await.unwrap().fields.results, Some(results));
    }
}

#[tokio::test]
async fn an_empty_list_migrates_to_an_empty_list() {
    let (store, id) = (MemoryStore::new(), ThreadId::new("t").unwrap());
    let old = v1::Refunds::new(store.clone());
    assert!(matches!(
        old.start(&id, v1::BatchInput { orders: vec![] }).await.unwrap(),
        v1::RefundsTurn::Done(_)
    ));
    let new = v2::Refunds::new(store);
    assert!(matches!(new.turn(&id).await.unwrap(), v2::RefundsTurn::Done(results) if results.is_empty()));
}
