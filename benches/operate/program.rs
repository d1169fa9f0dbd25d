//! The server as a process: started, looked at, stopped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::support::load::Target;

/// A running server.
pub(crate) struct Program {
    child: Child,
    pub(crate) target: Target,
}

impl Program {
    /// Makes a data directory and serves it; gives the milliseconds of the start.
    pub(crate) fn first(data: &Path) -> anyhow::Result<(Self, f64)> {
        let made = trailkeep(&["init", "--json", "--dir"], data).output()?;
        ensure!(made.status.success(), "init failed");
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let token = made["token"].as_str().context("no token")?;
        std::fs::write(data.with_file_name("token"), token)?;
        Self::start(data)
    }

    /// Serves a data directory; gives the milliseconds from the command to the line `listening on`.
    pub(crate) fn start(data: &Path) -> anyhow::Result<(Self, f64)> {
        let token = std::fs::read_to_string(data.with_file_name("token"))?;
        let from = Instant::now();
        let mut child = trailkeep(&["serve", "--listen", "127.0.0.1:0", "--dir"], data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let listening = loop {
            let line = lines.next().context("the server ended")??;
            if let Some(url) = line.strip_prefix("listening on http://") {
                break url.to_owned();
            }
        };
        let start_ms = from.elapsed().as_secs_f64() * 1_000.0;
        // What it prints later is of no interest, and must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = listening.trim_end_matches('/').parse()?;
        let target = Target { address, token };
        Ok((Self { child, target }, start_ms))
    }

    /// Resident memory now, and the most there was, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .context("only where there is /proc")?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
            Some(kibibytes * 1024)
        };
        field("VmRSS:")
            .zip(field("VmHWM:"))
            .context("/proc says nothing of its memory")
    }

    /// Ends it in order; gives the milliseconds that it took.
    pub(crate) fn stop(&mut self) -> anyhow::Result<f64> {
        let from = Instant::now();
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(from.elapsed().as_secs_f64() * 1_000.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already but where the benchmark failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The real program, about a directory.
pub(crate) fn trailkeep(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailkeep"));
    command.args(arguments).arg(path);
    command
}
