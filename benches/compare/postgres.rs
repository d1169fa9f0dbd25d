//! PostgreSQL with an audit trail by hand (postgres.sql): started in a temporary directory, asked, stopped.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::support::events::{Events, Persons, Size};

const SCHEMA: &str = include_str!("postgres.sql");
/// Where Debian puts the programs of a version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Events that the statements send again and again.
const SAMPLES: u64 = 50;
/// Data subjects that the events are about.
const PERSONS: u64 = 10_000;
/// Rows of one batch, and rows that the batches are copied from.
const BATCH_ROWS: u64 = 1_000;
const BATCHES: u64 = 20;

/// A running server.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    runs_as_other: bool,
}

/// How clients load it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// One event a statement, from so many clients.
    Single(u32),
    /// 1,000 events a statement, from two clients.
    Batches,
}

impl Postgres {
    /// Starts one in a folder; none where it is not installed.
    pub(crate) fn start(folder: PathBuf) -> anyhow::Result<Option<Self>> {
        let Some(programs) = installed() else {
            return Ok(None);
        };
        std::fs::create_dir(&folder)?;
        let postgres = Self {
            programs,
            runs_as_other: rustix::process::geteuid().is_root(),
            folder,
        };
        if postgres.runs_as_other {
            // It refuses to be run by root.
            succeeded(Command::new("chown").arg("postgres").arg(&postgres.folder))?;
        }
        let data = postgres.folder.join("data");
        let mut make = postgres.program("initdb");
        succeeded(
            make.args(["--auth", "trust", "--username", "postgres", "--pgdata"])
                .arg(&data),
        )?;
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c shared_buffers=1GB",
            postgres.folder.display()
        );
        let mut start = postgres.program("pg_ctl");
        start
            .arg("--pgdata")
            .arg(&data)
            .args(["--wait", "--options", &options, "--log"]);
        succeeded(start.arg(postgres.folder.join("log")).arg("start"))?;
        postgres.fill()?;
        Ok(Some(postgres))
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if self.runs_as_other {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder);
        command
    }

    /// Makes the tables, and the rows and statements that events are sent from.
    fn fill(&self) -> anyhow::Result<()> {
        let events = Events::new(Size::Usual, Persons::Known)?;
        let texts: Vec<String> = (0..SAMPLES)
            .map(|number| {
                let mut text = Vec::new();
                events.write(number, &mut text);
                String::from_utf8_lossy(&text).replace('\'', "''")
            })
            .collect();
        let mut sql = SCHEMA.to_owned();
        for number in 0..BATCHES * BATCH_ROWS {
            let person = crate::support::events::scatter(number) % PERSONS;
            let text = &texts[(number % SAMPLES) as usize];
            writeln!(
                sql,
                "INSERT INTO samples (subject, body) VALUES ('person-{person}', '{text}');"
            )?;
        }
        let mut load = self.program("psql");
        load.args([
            "--quiet",
            "--no-psqlrc",
            "--single-transaction",
            "--username",
            "postgres",
        ]);
        load.args(["--set", "ON_ERROR_STOP=1", "--host"])
            .arg(&self.folder);
        let mut child = load.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        child
            .stdin
            .take()
            .context("no standard input")?
            .write_all(sql.as_bytes())?;
        ensure!(child.wait()?.success(), "psql failed");
        for (number, text) in texts.iter().enumerate() {
            // A colon would begin a variable of pgbench's.
            let text = text.replace(':', "' || chr(58) || '");
            let statement = format!(
                "\\set person random(0, {})\nINSERT INTO sealed (event_id, subject, body) VALUES (gen_random_uuid(), 'person-' || :person, '{text}');\n",
                PERSONS - 1
            );
            std::fs::write(self.folder.join(format!("single-{number}.sql")), statement)?;
        }
        let batch = format!(
            "\\set first random(0, {})\nINSERT INTO sealed (event_id, subject, body) SELECT gen_random_uuid(), subject, body FROM samples WHERE id > :first * {BATCH_ROWS} AND id <= (:first + 1) * {BATCH_ROWS};\n",
            BATCHES - 1
        );
        Ok(std::fs::write(self.folder.join("batch.sql"), batch)?)
    }

    /// Events that it takes a second under a load, all durable.
    pub(crate) fn events_per_second(&self, load: Load, time: Duration) -> anyhow::Result<f64> {
        let mut bench = self.program("pgbench");
        bench.args([
            "--no-vacuum",
            "--protocol",
            "simple",
            "--username",
            "postgres",
            "--host",
        ]);
        bench
            .arg(&self.folder)
            .args(["--time", &time.as_secs().to_string()]);
        let (clients, rows) = match load {
            Load::Single(clients) => {
                for number in 0..SAMPLES {
                    bench.arg("--file").arg(format!("single-{number}.sql"));
                }
                (clients, 1)
            }
            Load::Batches => {
                bench.args(["--file", "batch.sql"]);
                (2, BATCH_ROWS)
            }
        };
        bench.args(["--client", &clients.to_string(), "postgres"]);
        let said = succeeded(&mut bench)?;
        let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = line.and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
        Ok(rate.context("pgbench names no rate")? * rows as f64)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.arg("--pgdata").arg(self.folder.join("data"));
        let _ = succeeded(stop.args(["--mode", "immediate", "stop"]));
    }
}

/// The folder of its programs.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?.flatten();
    let mut folders: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists() && folder.join("pgbench").exists())
        .collect();
    folders.sort();
    folders.pop()
}

fn succeeded(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        Path::new(command.get_program()).display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
