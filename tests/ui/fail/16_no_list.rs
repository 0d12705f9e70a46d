//! A `for` over a field that is not a list, over a list of another type, over an unwritten list, over the item in place of
//! the list, and over no field.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Batch {
    #[input]
    pub message: String,
    #[input]
    pub numbers: Vec<u32>,
    pub orders: Vec<String>,
    pub order: String,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Batch, writes = log)]
async fn look_up(order: &str) -> Result<Vec<String>> {
    Ok(vec![order.to_owned()])
}

graph! {
    NoList<Batch> {
        start -> for order in message { look_up } -> end;
//                            ^^^^^^^ a `for` with items of type `String` iterates over a `Vec<String>`, but this field is a `String`
    }
}

graph! {
    AnotherItem<Batch> {
        start -> for order in numbers { look_up } -> end;
//                            ^^^^^^^ a `for` with items of type `String` iterates over a `Vec<String>`, but this field is a `Vec<u32>`
    }
}

graph! {
    Unwritten<Batch> {
        start -> for order in orders { look_up } -> end;
//                            ^^^^^^ `for` after `start` iterates over `orders`, but a path reaches it unwritten; no other node writes it: add one with `writes = orders`, or make the field `#[input]`
    }
}

graph! {
    Exchanged<Batch> {
        start -> for orders in order { look_up } -> end;
//                             ^^^^^ a `for` with items of type `Vec<String>` iterates over a `Vec<Vec<String>>`, but this field is a `String`
//  | exchange them if they are the other way round
    }
}

graph! {
    NoField<Batch> {
        start -> for order in order_list { look_up } -> end;
//                            ^^^^^^^^^^ no field `order_list` on type `&BatchFields`
//  | available fields are: `message`, `numbers`, `orders`, `order`, `log`
    }
}

fn main() {}
