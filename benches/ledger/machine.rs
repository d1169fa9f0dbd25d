//! What the figures were made on.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use crate::support::load::Latencies;

/// Writes of the disk's probe.
const PROBE_WRITES: usize = 200;

/// The machine, as far as it matters.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    memory_gib: u64,
    file_system: String,
    kernel: String,
    rustc: String,
    /// Median and 99th percentile of appending 8 KiB to a file and `fdatasync`, in milliseconds.
    sync_p50_ms: f64,
    sync_p99_ms: f64,
}

impl Machine {
    /// Looks at this machine and at the disk of a directory.
    pub(crate) fn look(directory: &Path) -> anyhow::Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let sync = probe_disk(directory)?;
        let memory_kib = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|value| value.split(' ').next()?.parse().ok())
            .unwrap_or(0_u64);
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            memory_gib: (memory_kib + (1 << 19)) >> 20,
            file_system: file_system(&read("/proc/mounts"), directory).unwrap_or_else(unknown),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: rustc_version().unwrap_or_else(unknown),
            sync_p50_ms: sync.quantile_ms(0.5),
            sync_p99_ms: sync.quantile_ms(0.99),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "machine: {} cores of {}, {} GiB, {}, Linux {}, {}; an 8 KiB write with fdatasync takes {:.2} ms (p99 {:.2} ms)",
            self.cores,
            self.cpu,
            self.memory_gib,
            self.file_system,
            self.kernel,
            self.rustc,
            self.sync_p50_ms,
            self.sync_p99_ms
        )
    }
}

/// The floor under every acknowledged write.
fn probe_disk(directory: &Path) -> std::io::Result<Latencies> {
    let path = directory.join("probe");
    let mut file = File::create(&path)?;
    let mut micros = Vec::with_capacity(PROBE_WRITES);
    for _ in 0..PROBE_WRITES {
        let from = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        micros.push(from.elapsed().as_micros() as u64);
    }
    fs::remove_file(&path)?;
    Ok(Latencies::of(micros))
}

/// The value of a `name: value` line.
fn field(text: &str, name: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(key, _)| key.trim() == name);
    values.next().map(|(_, value)| value.trim().to_owned())
}

/// Type and device of the mount that holds a directory.
fn file_system(mounts: &str, directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    });
    let holding = mounts.filter(|(_, point, _)| directory.starts_with(point));
    let (device, _, kind) = holding.max_by_key(|(_, point, _)| point.len())?;
    Some(format!("{kind} on {device}"))
}

fn rustc_version() -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
