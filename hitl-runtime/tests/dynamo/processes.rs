//! Several processes on one table, some of which are killed. The DynamoDB server is a process of its own.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use hitl_testkit::conformance;

use crate::{
    emulator::{Emulator, store},
    fixture::thread,
};

const PLACES: u64 = 60;

/// The entry point of the child processes that the tests start from this binary; in any other process, an empty test.
#[test]
fn child() {
    let Ok(role) = std::env::var("HITL_STORE_ROLE") else { return };
    let variable = |name| std::env::var(name).unwrap();
    let (name, table) = (variable("HITL_STORE_NAME"), variable("HITL_STORE_TABLE"));
    let say = |line: &dyn std::fmt::Display| println!("\n@{line}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = store(&variable("HITL_DYNAMODB"), &table);
    runtime.block_on(async {
        match role.as_str() {
            "contend" => {
                say(&"ready");
                std::io::stdin().read_line(&mut String::new()).unwrap();
                for place in conformance::contend(&store, &thread("prize"), &name, PLACES).await {
                    say(&place);
                }
            }
            "die" => {
                let error =
                    conformance::append_until_killed(&store, &thread(&name), |place| say(&place)).await;
                panic!("{error}");
            }
            other => panic!("unknown role of a child process: {other}"),
        }
    });
    say(&"done");
}

struct ChildProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl ChildProcess {
    fn start(emulator: &Emulator, role: &str, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::child", "--exact", "--nocapture"])
            .env("HITL_STORE_ROLE", role)
            .env("HITL_STORE_NAME", name)
            .env("HITL_STORE_TABLE", emulator.table())
            .env("HITL_DYNAMODB", emulator.endpoint())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Returns the next line that the child marked with `@`, or `None` at the end of its output.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(said) = line.trim_end().strip_prefix('@') {
                return Some(said.to_owned());
            }
        }
    }
}

#[tokio::test]
async fn one_of_several_processes_appends_at_each_place() {
    let emulator = Emulator::start().await;
    let mut processes: Vec<_> =
        (0..4).map(|i| ChildProcess::start(&emulator, "contend", &format!("child {i}"))).collect();
    processes.iter_mut().for_each(|process| assert_eq!(process.line().as_deref(), Some("ready")));
    processes.iter_mut().for_each(|process| process.child.stdin.take().unwrap().write_all(b"go\n").unwrap());
    let mut winners = BTreeMap::new();
    for (i, mut process) in processes.into_iter().enumerate() {
        let mut lines: Vec<_> = std::iter::from_fn(|| process.line()).collect();
        let status = process.child.wait().unwrap();
        assert!(status.success() && lines.pop().as_deref() == Some("done"), "{status}: {lines:?}");
        for place in lines {
            assert_eq!(winners.insert(place.parse::<u64>().unwrap(), i), None, "place {place} was won twice");
        }
    }
    assert_eq!(winners.keys().copied().collect::<Vec<_>>(), (0..PLACES).collect::<Vec<_>>());
    for record in conformance::read_journal(&emulator.store(), &thread("prize")).await {
        let body = String::from_utf8(record.body).unwrap();
        assert!(
            body.contains(&format!("child {}", winners[&record.place])),
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
        let mut process = ChildProcess::start(&emulator, "die", &name);
        let mut last = None;
        for _ in 0..lines {
            last = Some(process.line().expect("the child runs until it is killed").parse().unwrap());
        }
        process.child.kill().unwrap();
        let status = process.child.wait().unwrap();
        assert!(status.code().is_none(), "the child exited by itself: {status}");
        conformance::after_crash(&emulator.store(), &thread(&name), last).await;
    }
    emulator.store().clean_up(Duration::ZERO).await.unwrap();
}
