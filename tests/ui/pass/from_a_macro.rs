//! States, nodes and graphs that a `macro_rules!` generates.
#![deny(warnings)]
#![allow(dead_code)]
use hitl::prelude::*;

macro_rules! relay {
    ($state:ident, $ty:ty, $first:ident, $second:ident, $graph:ident) => {
        #[state]
        struct $state {
            #[input]
            #[output]
            value: $ty,
        }

        #[node($state, writes = value)]
        async fn $first(value: &$ty) -> Result<$ty> {
            Ok(value.clone())
        }

        #[node($state, writes = value)]
        async fn $second(value: Option<&$ty>) -> Result<$ty> {
            Ok(value.cloned().unwrap_or_default())
        }

        graph! {
            $graph<$state> {
                start -> $first -> match value { v if v.is_empty() => $second, _ => end };
                $second -> end;
            }
        }
    };
}

relay!(Words, String, hear, say, Talk);
relay!(Bytes, Vec<u8>, read, write, Copy);

fn main() {}
