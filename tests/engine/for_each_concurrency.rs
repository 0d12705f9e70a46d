//! The concurrency of `for`s within each other and beside branches, for random shapes and durations.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use hitl::prelude::*;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    id: u32,
    cells: Vec<u32>,
}

#[state]
struct Sheet {
    #[input]
    rows: Vec<Row>,
    row: Row,
    cells: Vec<u32>,
    cell: u32,
    #[reduce(append)]
    #[output]
    log: Vec<String>,
}

/// The nodes that run now, by row and by the list that they go through, and the numbers of polls that they take.
#[derive(Default)]
struct Load {
    running: Mutex<BTreeMap<(u32, &'static str), usize>>,
    most_rows: Mutex<usize>,
    most_cells: Mutex<usize>,
    polls: Vec<u8>,
}

impl Load {
    /// Occupies a row for a while.
    async fn occupy(&self, row: u32, list: &'static str, salt: u32) {
        {
            let mut running = self.running.lock().unwrap();
            *running.entry((row, list)).or_default() += 1;
            let rows = (0..64).filter(|row| running.range((*row, "")..(*row + 1, "")).any(|(_, n)| *n > 0));
            let mut most = self.most_rows.lock().unwrap();
            *most = rows.count().max(*most);
            let mut most = self.most_cells.lock().unwrap();
            *most = running.get(&(row, "cells")).copied().unwrap_or_default().max(*most);
        }
        let polls = self.polls.get(salt as usize % self.polls.len().max(1)).copied().unwrap_or_default();
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
        *self.running.lock().unwrap().entry((row, list)).or_default() -= 1;
    }
}

#[node(Sheet, writes = cells)]
async fn open(row: &Row, load: Deps<Arc<Load>>) -> Result<Vec<u32>> {
    load.occupy(row.id, "open", row.id).await;
    Ok(row.cells.clone())
}

#[node(Sheet, writes = log)]
async fn beside(row: &Row, load: Deps<Arc<Load>>) -> Result<Vec<String>> {
    load.occupy(row.id, "beside", row.id + 7).await;
    Ok(vec![format!("beside {}", row.id)])
}

#[node(Sheet)]
async fn before(row: &Row, load: Deps<Arc<Load>>) -> Result<()> {
    load.occupy(row.id, "before", row.id + 3).await;
    Ok(())
}

#[node(Sheet, writes = log)]
async fn visit(row: &Row, cell: u32, load: Deps<Arc<Load>>) -> Result<Vec<String>> {
    load.occupy(row.id, "cells", cell).await;
    Ok(vec![format!("cell {} of {}", cell, row.id)])
}

#[node(Sheet)]
async fn after() -> Result<()> {
    Ok(())
}

#[node(Sheet, writes = log)]
async fn close(row: &Row, load: Deps<Arc<Load>>) -> Result<Vec<String>> {
    load.occupy(row.id, "close", row.id + 1).await;
    Ok(vec![format!("closed {}", row.id)])
}

graph! {
    Sheets<Sheet, Arc<Load>> {
        start -> for row in rows, at_most = 3 {
            open -> (beside, before -> for cell in cells, at_most = 2 { visit } -> after) -> close
        } -> end;
    }
}

fn run(rows: &[Vec<u32>], polls: Vec<u8>) -> (Vec<String>, Arc<Load>) {
    let load = Arc::new(Load { polls, ..Load::default() });
    let agent = Sheets::new(load.clone(), MemoryStore::new());
    let rows =
        rows.iter().enumerate().map(|(id, cells)| Row { id: id as u32, cells: cells.clone() }).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turn = runtime.block_on(agent.start("t", SheetInput { rows })).unwrap();
    let SheetsTurn::Done(log) = turn else { panic!("{turn}") };
    runtime.block_on(agent.verify("t")).unwrap();
    (log, load)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Every node runs once, in any order of waiting, and never more items run than the limits allow.
    #[test]
    fn all_items_run_once_within_the_limits(
        rows in prop::collection::vec(prop::collection::vec(0_u32..50, 0..6), 0..12),
        polls in prop::collection::vec(0_u8..4, 1..16),
    ) {
        let (log, load) = run(&rows, polls);
        let expected: Vec<_> = rows
            .iter()
            .enumerate()
            .flat_map(|(id, cells)| {
                let cells = cells.iter().map(move |cell| format!("cell {cell} of {id}"));
                std::iter::once(format!("beside {id}")).chain(cells).chain([format!("closed {id}")])
            })
            .collect();
        prop_assert_eq!(log, expected);
        prop_assert!(*load.most_rows.lock().unwrap() <= 3);
        prop_assert!(*load.most_cells.lock().unwrap() <= 2);
    }
}

/// The limits are also reached: what may run does run.
#[test]
fn the_limits_are_used() {
    let rows: Vec<Vec<u32>> = (0..9).map(|_| (0..5).collect()).collect();
    let (_, load) = run(&rows, vec![3]);
    assert_eq!((*load.most_rows.lock().unwrap(), *load.most_cells.lock().unwrap()), (3, 2));
}
