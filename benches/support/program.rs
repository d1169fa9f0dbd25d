//! The server as a process: started, looked at, stopped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::load::Target;

/// A running server.
pub(crate) struct Program {
    child: Child,
    pub(crate) target: Target,
}

impl Program {
    /// Makes a data directory and serves it with a program; gives the milliseconds of the start.
    pub(crate) fn first(program: &Path, data: &Path) -> anyhow::Result<(Self, f64)> {
        let made = trailkeep(program, &["init", "--json", "--dir"], data).output()?;
        ensure!(made.status.success(), "init failed");
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let token = made["token"].as_str().context("no token")?;
        std::fs::write(data.with_file_name("token"), token)?;
        let key = made["public_key"].as_str().context("no public key")?;
        std::fs::write(public_key_of(data), key)?;
        Self::start(program, data)
    }

    /// Serves a data directory; gives the milliseconds from the command to the line `listening on`.
    pub(crate) fn start(program: &Path, data: &Path) -> anyhow::Result<(Self, f64)> {
        Self::start_with(program, data, &[])
    }

    /// Serves a data directory with further settings.
    pub(crate) fn start_with(
        program: &Path,
        data: &Path,
        settings: &[&str],
    ) -> anyhow::Result<(Self, f64)> {
        let token = std::fs::read_to_string(data.with_file_name("token"))?;
        let from = Instant::now();
        let mut child = trailkeep(
            program,
            &["serve", "--listen", "127.0.0.1:0", "--dir"],
            data,
        )
        .args(settings)
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
        let status = self.proc_file("status")?;
        let bytes = |name| {
            Some(
                field(&status, name)?
                    .strip_suffix(" kB")?
                    .parse::<u64>()
                    .ok()?
                    << 10,
            )
        };
        bytes("VmRSS:")
            .zip(bytes("VmHWM:"))
            .context("/proc says nothing of its memory")
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> anyhow::Result<u64> {
        let status = self.proc_file("status")?;
        let threads = field(&status, "Threads:").and_then(|text| text.parse().ok());
        threads.context("/proc says nothing of its threads")
    }

    /// Processor time that it used since its start, of all threads.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.proc_file("stat")?;
        // Fields 14 and 15 of proc(5), in hundredths of a second; the name before them may hold anything.
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: Option<Vec<u64>> = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|text| text.parse().ok())
            .collect();
        let ticks = ticks.context("/proc says nothing of its processor time")?;
        Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
    }

    /// Bytes that it had written to its disk since its start.
    pub(crate) fn written(&self) -> anyhow::Result<u64> {
        let io = self.proc_file("io")?;
        let bytes = field(&io, "write_bytes:").and_then(|text| text.parse().ok());
        bytes.context("/proc says nothing of what it wrote")
    }

    fn proc_file(&self, name: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id()))
            .context("only where there is /proc")
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
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

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    Some(
        text.lines()
            .find_map(|line| line.strip_prefix(name))?
            .trim(),
    )
}

/// Where the public key of a data directory was written, which `first` made.
pub(crate) fn public_key_of(data: &Path) -> PathBuf {
    data.with_file_name("public.pem")
}

/// The program of this build.
pub(crate) fn this_build() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_trailkeep"))
}

/// A program, about a directory.
pub(crate) fn trailkeep(program: &Path, arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(path);
    command
}
