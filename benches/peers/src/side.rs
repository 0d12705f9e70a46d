//! hitl alone, for comparisons with programs that are not written in Rust: `side memory` or `side FILE` reads lines
//! such as `edit 100` and answers each with a line of JSON. `side once FILE` starts one thread, reports that, and ends
//! when its input does.

use std::{env, io, time::Duration};

use hitl::{MemoryStore, SqliteStore};
use hitl_peers::{
    hitl_side::Hitl,
    measure::{Measure, Outcome, Side},
    child_side::serve,
};
use tokio::runtime::Builder;

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Builder::new_current_thread().enable_time().build()?.block_on(async {
        match args.as_slice() {
            ["memory"] => serve(Hitl::on(MemoryStore::new)).await,
            ["once", file] => {
                let store = SqliteStore::open(file).await?;
                let _: Duration = Hitl::on(move || store.clone()).run(Measure::Start, 1).await?;
                println!("suspended");
                io::copy(&mut io::stdin(), &mut io::sink())?;
                Ok(())
            }
            [file] => {
                let store = SqliteStore::open(file).await?;
                serve(Hitl::on(move || store.clone())).await
            }
            _ => Err("side memory | side FILE | side once FILE".into()),
        }
    })
}
