//! A process, its time, and the most memory that it held.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// How often a process's memory is looked at: its peak is kept by the system, so the last look counts.
const LOOK: Duration = Duration::from_millis(5);

/// What a process took.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// The most resident memory, by /proc; 0 where there is no /proc.
    pub(crate) peak_bytes: u64,
    pub(crate) stdout: Vec<u8>,
}

/// Runs a command to its end.
pub(crate) fn measure(mut command: Command) -> anyhow::Result<Measured> {
    let from = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().context("no standard output")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).map(|_| bytes)
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak_bytes = 0;
    let ended = loop {
        peak_bytes = peak_of(&status).unwrap_or(peak_bytes);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(LOOK);
    };
    let seconds = from.elapsed().as_secs_f64();
    ensure!(ended.success(), "{command:?} ended with {ended}");
    let stdout = reader.join().ok().context("the reader panicked")??;
    Ok(Measured {
        seconds,
        peak_bytes,
        stdout,
    })
}

fn peak_of(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
