//! Tests of processes that are restored from one snapshot.
//!
//! The service may take a snapshot of a started process and begin each session from a copy of it, with every random
//! generator in the same state. Here a process that has worked is forked, which copies its memory, and all copies work
//! on one table.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use fork::{Fork, fork, waitpid};
use futures_util::future::join_all;
use hitl::{
    Agent,
    agentcore::{AgentCore, OperatorAuth, log_as_json},
};
use serde_json::{Value, json};
use tokio::runtime;

use crate::{
    refund_agent::{Desk, Refunds, TicketInput},
    table::{Table, store},
    test_server::read,
};

const COPIES: usize = 6;
const ENDPOINT: &str = "HITL_TEST_ENDPOINT";

/// The process that is copied. It is not a test: it does nothing unless the test below has started it.
#[test]
fn original() {
    let Ok(endpoint) = std::env::var(ENDPOINT) else { return };
    log_as_json();
    let desk = Desk::new();
    let agent = Refunds::new(desk.clone(), store(&endpoint));
    let working = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ =
        working.block_on(agent.start("t", TicketInput { message: "A-9133 arrived broken".into() })).unwrap();
    // Sockets and OS threads do not survive a snapshot.
    drop(working);
    let copies: Vec<_> = (0..COPIES)
        .map(|_| match fork().unwrap() {
            Fork::Parent(copy) => copy,
            Fork::Child => copy(agent.clone(), &desk),
        })
        .collect();
    copies.into_iter().for_each(|copy| assert_eq!(waitpid(copy).unwrap(), 0));
}

/// Serves until standard input ends, which all copies share.
fn copy(agent: Agent<Refunds>, desk: &Desk) -> ! {
    println!("\n@seed {}", RandomState::new().hash_one("the same in all copies"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("\n@address {}", listener.local_addr().unwrap());
    let working = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ended = working.spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let served = AgentCore::new(agent).operators(OperatorAuth::claimed()).serve_until(listener, async {
        ended.await.unwrap().unwrap();
    });
    working.block_on(served).unwrap();
    println!("\n@paid {}", desk.paid().len());
    std::process::exit(0)
}

/// Returns the rest of each output line that begins with `@` and this word.
fn values_of<'a>(lines: &'a [String], word: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix('@')?.strip_prefix(word)).map(str::trim).collect()
}

#[tokio::test]
async fn copies_of_a_process_share_no_random_ids_and_pay_once() {
    let table = Table::create().await;
    let mut original = Command::new(std::env::current_exe().unwrap())
        .args(["restored_processes::original", "--exact", "--nocapture"])
        .env(ENDPOINT, table.endpoint())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(original.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut lines = Vec::new();
    while values_of(&lines, "address").len() < COPIES {
        lines.push(output.next().expect("the process ended before all its copies listened"));
    }
    let seeds: BTreeSet<_> = values_of(&lines, "seed").into_iter().collect();
    assert_eq!(seeds.len(), 1, "the copies differ: a random generator has another state");

    let urls: Vec<_> =
        values_of(&lines, "address").iter().map(|address| format!("http://{address}/invocations")).collect();
    let ask = async |url: &String, payload: Value| {
        read(reqwest::Client::new().post(url).json(&payload).send().await.unwrap()).await
    };
    let everyone = async |payload: Value| join_all(urls.iter().map(|url| ask(url, payload.clone()))).await;

    // Every copy receives the same verdict.
    let (_, waiting) = ask(&urls[0], json!({ "action": "get", "thread_id": "t" })).await;
    let answers = everyone(json!({
        "action": "approve", "thread_id": "t", "digest": waiting["reviews"][0]["digest"],
        "operator": "mara", "roles": ["clerk"],
    }))
    .await;
    let (done, late): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 200);
    assert_eq!(done.len(), 1, "{answers:?}");
    assert!(
        late.iter().all(|(status, body)| *status == 409 && body["code"] == "already_decided"),
        "{late:?}"
    );

    // Every copy receives the same start, which creates one thread.
    let start = |thread: &str| json!({ "thread_id": thread, "message": "A-9134 is late" });
    assert!(everyone(start("one-more")).await.iter().all(|(status, _)| *status == 200));
    let (_, history) = ask(&urls[0], json!({ "action": "history", "thread_id": "one-more" })).await;
    let entries = history["entries"].as_array().unwrap().iter();
    let happened: Vec<_> = entries.flat_map(|entry| entry["event"].as_object().unwrap().keys()).collect();
    assert_eq!(happened, ["started", "ran", "paused"]);

    // Each copy receives a start of its own.
    let own = (0..).zip(&urls).map(|(number, url)| ask(url, start(&format!("own-{number}"))));
    assert!(join_all(own).await.iter().all(|(status, _)| *status == 200));

    drop(original.stdin.take());
    lines.extend(output);
    assert!(original.wait().unwrap().success());
    let paid: usize = values_of(&lines, "paid").iter().map(|count| count.parse::<usize>().unwrap()).sum();
    assert_eq!((values_of(&lines, "paid").len(), paid), (COPIES, 1));
    let logged = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answered: Vec<_> = logged
        .filter(|line| line["message"] == "answered")
        .map(|line| line["requestId"].as_str().unwrap().to_owned())
        .collect();
    let requests = 2 + 3 * COPIES;
    assert_eq!((answered.len(), answered.iter().collect::<BTreeSet<_>>().len()), (requests, requests));
}
