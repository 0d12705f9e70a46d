//! Several processes on one table, some of which are killed. The DynamoDB server is a process of its own.

use std::{collections::BTreeMap, time::Duration};

use hitl_testkit::{
    child::{ChildProcess, orders, say, wait},
    conformance,
};
use serde::{Deserialize, Serialize};

use crate::{
    emulator::{Emulator, store},
    fixture::thread,
};

const PLACES: u64 = 60;

/// The entry point of the child processes that the tests start from this binary; in any other process, an empty test.
#[test]
fn child() {
    let Some(Orders { role, name, table, endpoint }) = orders() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = store(&endpoint, &table);
    runtime.block_on(async {
        match role.as_str() {
            "contend" => {
                say("ready");
                wait();
                for place in conformance::contend(&store, &thread("prize"), &name, PLACES).await {
                    say(place);
                }
            }
            "die" => {
                let error = conformance::append_until_killed(&store, &thread(&name), say).await;
                panic!("{error}");
            }
            other => panic!("unknown role of a child process: {other}"),
        }
    });
}

#[derive(Serialize, Deserialize)]
struct Orders {
    role: String,
    name: String,
    table: String,
    endpoint: String,
}

fn start(emulator: &Emulator, role: &str, name: &str) -> ChildProcess {
    let (table, endpoint) = (emulator.table().to_owned(), emulator.endpoint().to_owned());
    let orders = Orders { role: role.to_owned(), name: name.to_owned(), table, endpoint };
    ChildProcess::start("processes::child", &orders)
}

#[tokio::test]
async fn one_of_several_processes_appends_at_each_place() {
    let emulator = Emulator::start().await;
    let mut processes: Vec<_> = (0..4).map(|i| start(&emulator, "contend", &format!("child {i}"))).collect();
    processes.iter_mut().for_each(|process| assert_eq!(process.line().as_deref(), Some("ready")));
    processes.iter_mut().for_each(|process| process.send("go"));
    let mut winners = BTreeMap::new();
    for (i, process) in processes.into_iter().enumerate() {
        for place in process.succeed() {
            assert_eq!(winners.insert(place.parse::<u64>().unwrap(), i), None, "place {place} was won twice");
        }
    }
    assert_eq!(winners.keys().copied().collect::<Vec<_>>(), (0..PLACES).collect::<Vec<_>>());
    for record in conformance::read_journal(&emulator.store(), &thread("prize")).await {
        let body = String::from_utf8(record.body).unwrap();
        assert!(
            body.contains(&format!("child {}", winners[&record.place.get()])),
            "place {}: {body}",
            record.place
        );
    }
}

#[tokio::test]
async fn acknowledged_appends_survive_a_kill() {
    let emulator = Emulator::start().await;
    // Every sixth append is a large one; a kill after 5, 11, … lines hits it.
    for lines in [0, 1, 2, 5, 8, 11, 17, 40] {
        let name = format!("killed after {lines}");
        let mut process = start(&emulator, "die", &name);
        let mut last = None;
        for _ in 0..lines {
            last = Some(process.line().expect("the child runs until it is killed").parse().unwrap());
        }
        let status = process.kill();
        assert!(status.code().is_none(), "the child exited by itself: {status}");
        conformance::after_crash(&emulator.store(), &thread(&name), last).await;
    }
    emulator.store().clean_up(Duration::ZERO).await.unwrap();
}
