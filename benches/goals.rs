//! Measurements outside of hot loops: bytes, memory, pages and process starts, each with its goal.
//!
//! `cargo bench --bench goals`, on Linux: the memory of a process is read from `/proc`.

mod graphs;
mod machine;
mod recording_store;

use std::{
    env,
    error::Error,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use graphs::{Chat, ChatTurn, LedgerInput, Long, LongTurn, RefundAgent, TalkInput, suspended};
use hitl::{Store, ThreadId, prelude::*, store::Append};
use machine::median;
use recording_store::{Recording, RecordingStore};
use tokio::{runtime::Builder, task::JoinSet};

type Outcome<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The argument with which this program measures the starts of another one, from a small process of its own.
const STARTS: &str = "--starts";

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().collect();
    if let [_, first, program] = args.as_slice()
        && first == STARTS
    {
        return starts(Path::new(program));
    }
    // `cargo test --benches` runs this program only to see that it builds.
    if !args.iter().any(|arg| arg == "--bench") {
        return Ok(());
    }
    println!("{}", machine::description());
    println!("{:<52} {:>24}  {:<20} met", "", "measured", "goal");
    let runtime = Builder::new_multi_thread().enable_time().build()?;
    runtime.block_on(waiting_threads())?;
    runtime.block_on(long_journal())?;
    runtime.block_on(growing_state())?;
    process_start()?;
    println!("load at the end: {}", machine::load());
    Ok(())
}

fn print_row(what: &str, measured: &str, goal: &str, met: bool) {
    println!("{what:<52} {measured:>24}  {goal:<20} {}", if met { "yes" } else { "NO" });
}

fn directory() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

/// Measures 10,000 refunds that wait for a signature, in one file.
async fn waiting_threads() -> Outcome<()> {
    const BEFORE: usize = 5_000;
    const THREADS: usize = 10_000;
    let dir = directory()?;
    let file = dir.path().join("threads.db");
    drop(SqliteStore::open(&file).await?);
    let empty = fs::metadata(&file)?.len();

    let agent = RefundAgent::new(SqliteStore::open(&file).await?);
    // Warm-up, until the caches have their full size.
    suspend_threads(&agent, 0..BEFORE).await?;
    let before = resident()?;
    suspend_threads(&agent, BEFORE..BEFORE + THREADS).await?;
    let grown = resident()?.saturating_sub(before);
    drop(agent);
    let bytes = (fs::metadata(&file)?.len() - empty) as f64 / (BEFORE + THREADS) as f64;
    print_row("file bytes of a suspended refund", &format!("{bytes:.0}"), "< 1,200", bytes < 1_200.0);
    print_row(
        "memory that 10,000 more suspended threads take",
        &format!("{grown} KB, {:.0} B each", grown as f64 * 1024.0 / THREADS as f64),
        "none but the store's",
        grown < 1_024,
    );

    let agent = RefundAgent::new(SqliteStore::open(&file).await?);
    let first = page_of_inbox(&agent).await?;
    let mut later = Vec::new();
    for _ in 0..100 {
        later.push(page_of_inbox(&agent).await?);
    }
    print_row(
        "first inbox page, 50 of 15,000 reviews",
        &format!("{first:.2} ms, then {:.2} ms", median(&later)),
        "< 5 ms",
        first < 5.0,
    );
    Ok(())
}

async fn suspend_threads(agent: &Agent<RefundAgent>, numbers: std::ops::Range<usize>) -> Outcome<()> {
    let mut tasks = JoinSet::new();
    for number in numbers {
        let agent = agent.clone();
        tasks.spawn(async move { drop(suspended(&agent, format!("ticket-A-{number}")).await) });
        if tasks.len() == 64 {
            tasks.join_next().await.transpose()?;
        }
    }
    while tasks.join_next().await.transpose()?.is_some() {}
    Ok(())
}

async fn page_of_inbox(agent: &Agent<RefundAgent>) -> Outcome<f64> {
    let start = Instant::now();
    let page = agent.inbox(None, 50).await?;
    let took = start.elapsed();
    assert_eq!(page.items.len(), 50);
    Ok(took.as_secs_f64() * 1e3)
}

/// Returns the resident memory of this process, in KB.
fn resident() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Measures a thread with 100,000 entries and then a review.
async fn long_journal() -> Outcome<()> {
    let dir = directory()?;
    let file = dir.path().join("threads.db");
    let thread = ThreadId::new("ledger")?;
    let memory = RecordingStore::new(MemoryStore::new(), Recording::default());
    let agent = Long::new(memory.clone()).step_limit(200_000);
    let LongTurn::Close(_) = agent.start(&thread, LedgerInput { count: 0 }).await? else {
        return Err("it waits for no signature".into());
    };
    let store = SqliteStore::open(&file).await?;
    let (entries, appends) = {
        let appended = memory.layer().appended();
        (appended.iter().map(|append| append.records.len()).sum::<usize>(), merge_in_batches(&appended))
    };
    for append in appends {
        store.append(append).await?;
    }
    drop(store);

    let store = RecordingStore::new(SqliteStore::open(&file).await?, Recording::default());
    let agent = Long::new(store.clone());
    let first = time_of_thread(&agent, &thread).await?;
    let read = store.layer().take_entries_read();
    let mut later = Vec::new();
    for _ in 0..100 {
        later.push(time_of_thread(&agent, &thread).await?);
    }
    print_row(
        &format!("resume after {entries} entries"),
        &format!("{first:.2} ms, then {:.2} ms", median(&later)),
        "< 2 ms",
        first < 2.0,
    );
    print_row("entries read for it", &read.to_string(), "one page", read <= 256);
    Ok(())
}

/// Merges the same entries into fewer commits, for a bench that does not measure them.
fn merge_in_batches(appended: &[Append]) -> Vec<Append> {
    let merge = |appends: &[Append]| {
        let (first, last) = (appends.first()?, appends.last()?);
        let records = appends.iter().flat_map(|append| append.records.clone()).collect();
        Some(last.clone().with_records(records).with_after(first.after))
    };
    appended.chunks(1_000).filter_map(merge).collect()
}

async fn time_of_thread(agent: &Agent<Long>, thread: &ThreadId) -> Outcome<f64> {
    let start = Instant::now();
    let turn = agent.turn(thread).await?;
    let took = start.elapsed();
    assert!(matches!(turn, LongTurn::Close(_)));
    Ok(took.as_secs_f64() * 1e3)
}

/// Measures a chat whose state contains all messages.
async fn growing_state() -> Outcome<()> {
    let store = RecordingStore::new(MemoryStore::new(), Recording::default());
    let agent = Chat::new(store.clone());
    let ChatTurn::Done(said) = agent.start("chat", TalkInput { said: vec![] }).await? else {
        return Err("it has not ended".into());
    };
    let bytes: Vec<usize> = {
        let appended = store.layer().appended();
        appended.iter().flat_map(|append| &append.records).map(|record| record.body.len()).collect()
    };
    // The first entry is the start.
    let per_turn = |turns: usize| bytes.iter().take(turns + 1).sum::<usize>() / turns;
    let written = [100, 500, 1_000, 2_000, said.len()].map(per_turn);
    // Each snapshot contains all messages. It is written when the entries since the last one are as large as that one.
    print_row(
        "bytes written for each 100 said in a chat",
        &written[2].to_string(),
        "< 500, however long",
        written.iter().all(|bytes| *bytes < 500),
    );
    println!("    after 100, 500, 1,000, 2,000 and {} turns: {written:?}", said.len());
    Ok(())
}

/// Measures the first response of the example, from its process start.
fn process_start() -> Outcome<()> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--example", "refund"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    let program = built.success().then(example).ok_or("the example does not build")??;
    let output = Command::new(env::current_exe()?).arg(STARTS).arg(program).output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [new, old, megabytes] = numbers.as_slice() else {
        return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into());
    };
    let what = "process start to first suspended response";
    print_row(what, &format!("{old:.1} ms"), "< 15 ms", *old < 15.0);
    print_row("    with no file yet", &format!("{new:.1} ms"), "< 15 ms", *new < 15.0);
    print_row("    memory at the most", &format!("{megabytes:.1} MB"), "< 12 MB", *megabytes < 12.0);
    Ok(())
}

/// Returns the path of the example, which cargo puts beside this program.
fn example() -> Outcome<PathBuf> {
    let this = env::current_exe()?;
    let release = this.parent().and_then(Path::parent).ok_or("no target directory")?;
    Ok(release.join("examples/refund"))
}

/// Starts a program many times, alternately on a new file and on one shared file, and prints the median times and the
/// maximum memory. The system counts the memory of the parent as the child's until the child runs its own program, so
/// the parent must be small.
fn starts(program: &Path) -> Outcome<()> {
    const TIMES: usize = 40;
    let dir = directory()?;
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for number in 0..TIMES {
        new.push(start(program, &dir.path().join(format!("{number}.db")), "ticket")?);
        old.push(start(program, &dir.path().join("0.db"), &format!("ticket-{number}"))?);
    }
    println!("{} {} {}", median(&new), median(&old), children_kilobytes()? as f64 / 1024.0);
    Ok(())
}

/// Returns the time from the start of the process to the first byte of its response, in milliseconds.
fn start(program: &Path, file: &Path, thread: &str) -> Outcome<f64> {
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(["start", "--json", "--thread", thread])
        .arg("Please refund order A-9133, it arrived broken. I paid $149.")
        .env("REFUND_DB", file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut answer = child.stdout.take().ok_or("no standard output")?;
    answer.read_exact(&mut [0])?;
    let took = start.elapsed();
    std::io::copy(&mut answer, &mut std::io::sink())?;
    // The command succeeded, and the thread waits for a person.
    match child.wait()?.code() {
        Some(3) => Ok(took.as_secs_f64() * 1e3),
        code => Err(format!("it ended with {code:?}").into()),
    }
}

/// Returns the maximum memory that any child of this process used.
#[cfg(unix)]
fn children_kilobytes() -> Outcome<i64> {
    use nix::sys::resource::{UsageWho, getrusage};
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())
}

#[cfg(not(unix))]
fn children_kilobytes() -> Outcome<i64> {
    Err("only Unix says how much memory a child had".into())
}
