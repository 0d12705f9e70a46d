//! The machine of a bench: its processor, its load, and the time of one durable write to its disk.

// Each bench uses a part of this.
#![allow(dead_code)]

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Returns one line with the processor, its cores and the load.
pub fn description() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {}, load {}", processor(), load())
}

/// Returns the load average of the last minute.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// Returns the times of `times` appends of 4 KB to a file, each until the data is on the disk.
pub fn sync_times(dir: &Path, times: usize) -> io::Result<Vec<Duration>> {
    let path = dir.join("floor");
    let mut file = File::create(&path)?;
    let page = [0x5a; 4096];
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        took.push(start.elapsed());
    }
    fs::remove_file(path)?;
    Ok(took)
}

/// Returns the value at a quantile; `share` is from 0 to 1.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Returns the median.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
