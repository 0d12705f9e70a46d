//! The time that a graph adds to `cargo check`, compared with the same functions without a graph.
//!
//! `cargo bench --bench check` writes two crates for each size, one with plain functions and one whose functions are
//! nodes of one graph, and checks them alternately. The goals: less than 0.3 s for 100 nodes, less than 3 s for 1,000.

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
const SIZES: [usize; 3] = [10, 100, 1_000];

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs this program only to see that it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check-bench");
    println!("median of {ROUNDS} rounds, in seconds; load before: {}", load());
    println!("{:>6} {:>8} {:>8} {:>8}", "nodes", "plain", "graph", "adds");
    for size in SIZES {
        let plain = crate_of(&dir, &format!("plain_{size}"), &plain(size))?;
        let graph = crate_of(&dir, &format!("graph_{size}"), &graph(size))?;
        // Builds the dependencies, outside of the measurement.
        check(&dir, &plain)?;
        check(&dir, &graph)?;
        let (mut plains, mut graphs) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            plains.push(check(&dir, &plain)?);
            graphs.push(check(&dir, &graph)?);
        }
        let (plain, graph) = (median(plains), median(graphs));
        println!("{size:>6} {plain:>8.2} {graph:>8.2} {:>8.2}", graph - plain);
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}

/// Returns functions of the same shape for both crates, over a state of 20 fields.
fn functions(size: usize, attribute: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for i in 0..size {
        let (from, to) = (i % 20, (i + 1) % 20);
        let _ = writeln!(text, "{}", attribute(to));
        let _ = writeln!(
            text,
            "pub async fn node_{i}(f{from}: &str) -> Result<String> {{ Ok(format!(\"{{f{from}}} {i}\")) }}"
        );
    }
    text
}

fn plain(size: usize) -> String {
    format!("use hitl::NodeResult as Result;\n{}", functions(size, |_| String::new()))
}

fn graph(size: usize) -> String {
    let mut text =
        String::from("use hitl::prelude::*;\n#[state]\npub struct S {\n    #[input] pub f0: String,\n");
    for i in 1..20 {
        let _ = writeln!(text, "    pub f{i}: String,");
    }
    text.push_str("}\n");
    text.push_str(&functions(size, |to| format!("#[node(S, writes = f{to})]")));
    text.push_str("graph! { pub G<S> {\n    start");
    for i in 0..size {
        let _ = write!(text, " -> node_{i}");
        if i % 10 == 9 && i + 1 < size {
            let _ = write!(text, ";\n    node_{i}");
        }
    }
    text.push_str(" -> end;\n} }\n");
    text
}

fn crate_of(dir: &Path, name: &str, code: &str) -> Result<String, Box<dyn Error>> {
    let root = dir.join(name);
    fs::create_dir_all(root.join("src"))?;
    fs::write(
        root.join("Cargo.toml"),
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             hitl = {{ path = {:?}, default-features = false }}\n\n[workspace]\n",
            env!("CARGO_MANIFEST_DIR")
        ),
    )?;
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), root.join("Cargo.lock"))?;
    fs::write(root.join("src/lib.rs"), code)?;
    Ok(name.to_owned())
}

/// Runs `cargo check` once for a crate whose source has just been touched.
fn check(dir: &Path, name: &str) -> Result<Duration, Box<dyn Error>> {
    let source = dir.join(name).join("src/lib.rs");
    fs::write(&source, fs::read(&source)?)?;
    let start = Instant::now();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet"])
        .current_dir(dir.join(name))
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(start.elapsed())
}
