//! Response times of `/ping` while another client holds all that a client can hold of the server.
//!
//! `cargo bench --bench ping --features agentcore`, and the same with `--profile dev` for a debug build. The server is a
//! process of its own; the pings and the attacking client are another one.

mod graphs;
mod machine;

use std::{
    collections::VecDeque,
    env,
    error::Error,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use graphs::RefundAgent;
use hitl::{agentcore::AgentCore, prelude::*};
use machine::quantile;

type Outcome<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The argument with which this program is the server.
const SERVE: &str = "--serve";

/// The number of connections that are kept open, and of the threads that keep them.
const HELD: usize = 1000;
const THREADS: usize = 8;

/// The duration of each measurement, and the pause between two pings.
const LASTS: Duration = Duration::from_secs(20);
const BETWEEN: Duration = Duration::from_millis(20);

const HEADERS: &str = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
const BODY: &str = "POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Content-Length: 1000000\r\n\r\n{\"thread_id\": ";
const PING: &str = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn main() -> Outcome<()> {
    let args: Vec<_> = env::args().collect();
    if args.iter().any(|arg| arg == SERVE) {
        return serve();
    }
    // `cargo test --benches` only wants to know that it builds.
    if !args.iter().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{}; a {build} build", machine::description());
    println!(
        "{:<52} {:>8} {:>8} {:>8} {:>8}  {:>9}",
        "ping, ms, while", "median", "p99", "p99.9", "max", "opened/s"
    );
    let server = Server::start()?;
    // By all threads together, 100 and 1,000 a second.
    let (calm, brisk) = (Duration::from_millis(80), Duration::from_millis(8));
    measure(&server, "nobody else asks", None)?;
    measure(&server, "1,000 half-open headers are held", Some((HEADERS, calm)))?;
    measure(&server, "1,000 half-open headers, 1,000 opened a second", Some((HEADERS, brisk)))?;
    measure(&server, "1,000 half-open headers, as fast as they open", Some((HEADERS, Duration::ZERO)))?;
    measure(&server, "1,000 half-sent bodies are held", Some((BODY, calm)))?;
    println!("load at the end: {}", machine::load());
    Ok(())
}

/// Serves until it is killed.
fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let agent = RefundAgent::new(MemoryStore::new());
    runtime.block_on(AgentCore::new(agent).serve_until(listener, std::future::pending()))?;
    Ok(())
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Outcome<Self> {
        let mut child = Command::new(env::current_exe()?).arg(SERVE).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Pings while other threads keep connections open which say so much; each opens a new one after each pause.
fn measure(server: &Server, what: &str, held: Option<(&'static str, Duration)>) -> Outcome<()> {
    let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let hold = |(said, pause)| {
        let (stop, opened, address) = (Arc::clone(&stop), Arc::clone(&opened), server.address);
        thread::spawn(move || hold(address, said, pause, &stop, &opened))
    };
    let holders: Vec<_> = held.into_iter().flat_map(|held| [held; THREADS]).map(hold).collect();
    while !holders.is_empty() && opened.load(Relaxed) < HELD {
        thread::sleep(BETWEEN);
    }
    let (start, before) = (Instant::now(), opened.load(Relaxed));
    let mut took = Vec::new();
    while start.elapsed() < LASTS {
        took.push(ping(server.address)?.as_secs_f64() * 1e3);
        thread::sleep(BETWEEN);
    }
    let rate = (opened.load(Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Relaxed);
    for holder in holders {
        holder.join().map_err(|_| "a holder panicked")?;
    }
    let [median, high, higher, most] = [0.5, 0.99, 0.999, 1.0].map(|share| quantile(&took, share));
    println!("{what:<52} {median:>8.2} {high:>8.1} {higher:>8.1} {most:>8.1}  {rate:>9.0}");
    Ok(())
}

fn hold(address: SocketAddr, said: &str, pause: Duration, stop: &AtomicBool, opened: &AtomicUsize) {
    let mut open = VecDeque::new();
    while !stop.load(Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            let _ = stream.write_all(said.as_bytes());
            open.push_back(stream);
        }
        opened.fetch_add(1, Relaxed);
        if open.len() > HELD / THREADS {
            open.pop_front();
            thread::sleep(pause);
        }
    }
}

/// A ping on a connection of its own, from its first byte to the last of the answer.
fn ping(address: SocketAddr) -> Outcome<Duration> {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(PING.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.contains("Healthy") {
        return Err(format!("a ping was answered {answer:?}").into());
    }
    Ok(start.elapsed())
}
