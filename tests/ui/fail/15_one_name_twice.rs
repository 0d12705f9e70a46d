//! Two nodes with one name in a module. rustc reports the name once, and not once for the function and once for the type.
#[path = "../fixture.rs"]
mod fixture;

mod nodes {
    use super::fixture::*;

    #[node(Ticket, writes = plan)]
    async fn summarize(message: &str) -> Result<String> {
        Ok(String::new())
    }

    #[node(Ticket, writes = plan)]
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ conflicting implementations of trait `hitl::__private::SealedNode` for type
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ conflicting implementations of trait `hitl::__private::Node` for type
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ conflicting implementations of trait `hitl::__private::Run<_>` for type
    async fn summarize(message: &str) -> Result<String> {
//  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the name `summarize` is defined multiple times
        Ok(String::new())
    }
}

fn main() {}
