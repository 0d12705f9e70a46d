//! One crash: a directory, the work in it, and the assertions afterwards.

use std::{collections::BTreeMap, fs, path::Path};

use hitl::{
    FindingKind, Graph, HistoryEntry, ThreadId, ThreadView,
    journal::{Decision, Event, Settlement, Transition},
};
use tempfile::TempDir;

use crate::{
    child::{Orders, TestGraph, Work},
    kill_points::{Point, PointKind},
    ledger::{EffectKind, Line},
    process::Process,
    refund_agent::{AtLeastOnce, AtMostOnce, Ticket, World},
};

pub struct Case {
    dir: TempDir,
    pub graph: TestGraph,
    #[cfg(feature = "dynamodb")]
    table: Option<crate::table::Table>,
}

/// A thread as the next process finds it.
pub struct StoredThread {
    pub view: ThreadView,
    pub history: Vec<HistoryEntry>,
    pub ledger: Vec<Line>,
}

impl Case {
    pub fn new(graph: TestGraph) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            graph,
            #[cfg(feature = "dynamodb")]
            table: None,
        }
    }

    /// Creates a case whose threads are in a DynamoDB table of its own.
    #[cfg(feature = "dynamodb")]
    pub fn on_dynamodb(graph: TestGraph) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let table = runtime.block_on(crate::table::Table::create());
        let case = Self { table: Some(table), ..Self::new(graph) };
        case.table.iter().for_each(|table| crate::matrix_store::name(table, case.path()));
        case
    }

    /// Returns a case with copies of the same files in another directory.
    pub fn copy(&self) -> Self {
        let copy = Self::new(self.graph);
        for file in fs::read_dir(self.path()).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        copy
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Does the work in a child process, and returns whether the child was killed.
    pub fn is_killed(&self, work: Work, kill: Option<Point>) -> bool {
        Orders { dir: self.path().to_owned(), graph: self.graph, work, kill }.is_killed()
    }

    /// Does the work in a child process that is not killed.
    pub fn complete(&self, work: Work) {
        assert!(!self.is_killed(work, None));
    }

    /// Returns the thread, and asserts that its journal verifies and has every acknowledged entry.
    pub fn inspect(&self, thread: &str) -> StoredThread {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            match self.graph {
                TestGraph::AtMostOnce => self.read::<AtMostOnce>(thread).await,
                TestGraph::AtLeastOnce => self.read::<AtLeastOnce>(thread).await,
            }
        })
    }

    async fn read<G: Graph<State = Ticket, Deps = World>>(&self, thread: &str) -> StoredThread {
        let Process { agent, ledger, .. } = Process::<G>::open(self.path(), None).await;
        let id = ThreadId::new(thread).unwrap();
        let mut wrong = agent.audit(&id, None).await.unwrap().findings;
        // The clock of the process that takes over may be hours ahead of that of the dead process.
        wrong.retain(|finding| finding.kind != FindingKind::Time);
        assert_eq!(wrong, [], "`{id}`");
        let history = agent.history(&id, 0, 1000).await.unwrap();
        self.assert_entries_kept(thread, &history);
        StoredThread { view: agent.view(thread).await.unwrap(), history, ledger: ledger.lines() }
    }

    /// Asserts that every acknowledged entry is still at its place.
    fn assert_entries_kept(&self, thread: &str, history: &[HistoryEntry]) {
        let stored = fs::read_to_string(self.path().join("stored")).unwrap();
        for line in stored.lines() {
            let [of, place, hash] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            if of != thread {
                continue;
            }
            let there = history.get(place.parse::<usize>().unwrap()).map(|entry| entry.hash.to_string());
            assert_eq!(there.as_deref(), Some(hash), "the entry at place {place} was stored and has changed");
        }
    }
}

impl StoredThread {
    /// Returns the number of these effects in the ledger, and asserts that all of them have the same key.
    pub fn lines(&self, what: EffectKind) -> usize {
        let lines: Vec<_> = self.ledger.iter().filter(|line| line.what == what).collect();
        assert!(
            lines.windows(2).all(|pair| pair[0] == pair[1]),
            "one effect has two idempotency keys: {lines:?}"
        );
        lines.len()
    }

    pub fn count(&self, event: impl Fn(&Event) -> bool) -> usize {
        self.history.iter().filter(|entry| event(&entry.event)).count()
    }

    /// Asserts that no node finished more often than the thread came to it, and that no review has two verdicts.
    pub fn assert_nothing_twice(&self) {
        let mut finished = BTreeMap::new();
        let mut decided = BTreeMap::new();
        // Only a question leads back to a node: to `draft`.
        let mut activations = BTreeMap::from([("draft", 1)]);
        for entry in &self.history {
            match &entry.event {
                Event::Ran { node, .. } | Event::Settled { node, how: Settlement::Happened { .. }, .. } => {
                    *finished.entry(node.as_str()).or_insert(0) += 1;
                }
                Event::Decided { digest, verdict, to, .. } => {
                    *decided.entry(digest.to_string()).or_insert(0) += 1;
                    if let (Decision::Ask { .. }, Transition::Node(node)) = (verdict, to) {
                        *activations.entry(node.as_str()).or_insert(0) += 1;
                    }
                }
                _ => {}
            }
        }
        for (node, times) in finished {
            let activations = activations.get(node).copied().unwrap_or(1);
            assert!(times <= activations, "`{node}` finished {times} times in {activations} activations");
        }
        assert!(
            decided.values().all(|times| *times == 1),
            "a review was decided more than once: {decided:?}"
        );
    }
}

/// Returns the number of repetitions of runs that depend on timing: `HITL_MATRIX`, or 1.
pub fn times() -> u64 {
    let wanted = std::env::var("HITL_MATRIX").map(|times| times.parse().expect("HITL_MATRIX is a number"));
    wanted.unwrap_or(1).max(1)
}

/// Kills at the first point of a kind, at the second, and so on until a run is not killed. Returns the number of
/// points. A cell returns whether its process was killed.
pub fn for_each_point(kind: PointKind, mut cell: impl FnMut(Point) -> bool) -> u64 {
    (1..).find(|nth| !cell(Point { kind, nth: *nth })).unwrap() - 1
}
