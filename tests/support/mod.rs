//! The real program under test: a server that can be killed, commands, and a small HTTP client.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of this; a test fails by panicking"
)]

pub mod blocks;
pub mod browser;
pub mod commands;
pub mod document;
pub mod web;
pub mod witness;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

mod clocked;

pub use clocked::{Clocked, Random};

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The program.
pub fn trailkeep() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trailkeep"));
    for name in [
        "TRAILKEEP_DIR",
        "TRAILKEEP_URL",
        "TRAILKEEP_TOKEN",
        "TRAILKEEP_ROOT_KEY",
        "TRAILKEEP_LISTEN",
    ] {
        command.env_remove(name);
    }
    command
}

/// The offline verifier. It belongs to a package of its own, so it is built here, once a process.
pub fn verifier() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let build = escargot::CargoBuild::new()
            .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
            // With the features that the workspace as a whole asks for: nothing is built twice.
            .arg("--workspace")
            .bin("trailkeep-verify");
        build.run().unwrap().path().to_owned()
    };
    Command::new(PROGRAM.get_or_init(build))
}

/// A data directory made by `init`, removed at the end.
pub struct Directory {
    _temporary: tempfile::TempDir,
    pub path: PathBuf,
    pub token: String,
    pub public_key: PathBuf,
}

impl Directory {
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("data");
        Self::made_at(temporary, path)
    }

    /// A data directory at a place that somebody else removes.
    pub fn at(path: PathBuf) -> Self {
        Self::made_at(tempfile::tempdir().unwrap(), path)
    }

    fn made_at(temporary: tempfile::TempDir, path: PathBuf) -> Self {
        Self::made_with(temporary, path, &[])
    }

    /// The same with environment variables set.
    pub fn made_with(
        temporary: tempfile::TempDir,
        path: PathBuf,
        environment: &[(&str, &str)],
    ) -> Self {
        let output = trailkeep()
            .args(["init", "--name", "audit.example.com", "--json", "--dir"])
            .arg(&path)
            .envs(environment.iter().copied())
            .output();
        let made: Value = serde_json::from_slice(&succeeded(&output.unwrap()).stdout).unwrap();
        let public_key = temporary.path().join("public.pem");
        std::fs::write(&public_key, made["public_key"].as_str().unwrap()).unwrap();
        Self {
            _temporary: temporary,
            path,
            token: made["token"].as_str().unwrap().to_owned(),
            public_key,
        }
    }

    /// Runs `trailkeep COMMAND... --dir DIRECTORY`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        trailkeep()
            .args(arguments)
            .arg("--dir")
            .arg(&self.path)
            .output()
            .unwrap()
    }

    /// Appends lines of JSON.
    pub fn append(&self, events: &str) -> Value {
        let mut child = trailkeep()
            .args(["append", "-", "--json", "--dir"])
            .arg(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(events.as_bytes())
            .unwrap();
        serde_json::from_slice(&succeeded(&child.wait_with_output().unwrap()).stdout).unwrap()
    }

    /// A person's copy, as a request for access is answered with, at a path.
    pub fn copy_for(&self, person: &str, out: &Path) {
        let asked = ["privacy", "access", "--subject", person, "--json", "--out"];
        let output = self.run(&[&asked[..], &[out.to_str().unwrap()]].concat());
        succeeded(&output);
    }

    pub fn verify(&self) -> Value {
        let output = self.run(&["verify", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// Verifies, and panics with the findings if there are any.
    pub fn assert_clean(&self) -> Value {
        let report = self.verify();
        assert_eq!(report["ok"], true, "{report}");
        report
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Serves with environment variables set.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Server {
        self.serve_as(&[], environment)
    }

    /// Serves with more arguments and environment variables.
    pub fn serve_as(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut command = trailkeep();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(&self.path)
            .args(arguments)
            .envs(environment.iter().copied());
        self.serve_by(command)
    }

    /// Serves by a command that starts the server.
    pub fn serve_by(&self, mut command: Command) -> Server {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let listening = line.trim().strip_prefix("listening on ");
        let Some((_, address)) = listening.and_then(|url| url.split_once("://")) else {
            let mut error = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut error)
                .unwrap();
            panic!("serve did not start: {error}");
        };
        // The log must not fill its pipe.
        let mut log = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = log.read_to_string(&mut text);
            text
        });
        Server {
            child,
            address: address.to_owned(),
            token: self.token.clone(),
            log: Some(log),
        }
    }
}

/// A running server.
pub struct Server {
    pub child: Child,
    pub address: String,
    pub token: String,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Server {
    pub fn client(&self) -> Client {
        Client {
            address: self.address.clone(),
            token: self.token.clone(),
            connection: None,
        }
    }

    /// SIGKILL, and what it had logged.
    pub fn kill(mut self) -> String {
        let _ = self.child.kill();
        self.ended_with().1
    }

    /// SIGTERM; the server must end well.
    pub fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let (status, log) = self.ended_with();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// How the process ended by itself, and what it had logged.
    pub fn ended(mut self) -> (std::process::ExitStatus, String) {
        self.ended_with()
    }

    fn ended_with(&mut self) -> (std::process::ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

/// No server outlives its test, not even where the test fails.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP/1.1 connection that stays open, written out so that it can break as real clients do.
pub struct Client {
    address: String,
    token: String,
    connection: Option<BufReader<TcpStream>>,
}

/// A status and a body.
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: {:?}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

impl Client {
    pub fn post(&mut self, content_type: &str, body: &[u8]) -> std::io::Result<Answer> {
        self.request(
            "POST",
            "/v1/events",
            &[("Content-Type", content_type)],
            body,
        )
    }

    pub fn get(&mut self, path: &str) -> std::io::Result<Answer> {
        self.request("GET", path, &[], b"")
    }

    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Authorization") {
            head.extend(["Authorization: Bearer ", &self.token, "\r\n"]);
        }
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let outcome = self.exchange(head.as_bytes(), body);
        if outcome.is_err() {
            self.connection = None;
        }
        outcome
    }

    fn exchange(&mut self, head: &[u8], body: &[u8]) -> std::io::Result<Answer> {
        if self.connection.is_none() {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            stream.set_nodelay(true)?;
            self.connection = Some(BufReader::new(stream));
        }
        let connection = self.connection.as_mut().unwrap();
        connection.get_mut().write_all(head)?;
        // A server may answer and close before it has read a body that is too large.
        let _ = connection.get_mut().write_all(body);
        let mut headers = String::new();
        while !headers.ends_with("\r\n\r\n") {
            if connection.read_line(&mut headers)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let lower = headers.to_ascii_lowercase();
        let field = |name: &str| {
            lower
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let mut body = Vec::new();
        if [Some("204"), Some("304")].contains(&headers.split(' ').nth(1)) {
            // It has no body, and says nothing of one.
        } else if let Some(length) = field("content-length:") {
            body.resize(length.parse().unwrap(), 0);
            connection.read_exact(&mut body)?;
        } else {
            read_chunks(connection, &mut body)?;
        }
        let status = headers
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap();
        // A server that refuses a body closes rather than read the rest of it.
        if field("connection:") == Some("close") || status >= 400 {
            self.connection = None;
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

fn read_chunks(connection: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let start = body.len();
        body.resize(start + length + 2, 0);
        connection.read_exact(&mut body[start..])?;
        body.truncate(start + length);
        if length == 0 {
            return Ok(());
        }
    }
}

/// Events about persons that nobody knows yet, a line each: each person brings two secrets.
pub fn events_about_persons(from: usize, count: usize) -> String {
    let event = |number: usize| {
        serde_json::json!({
            "id": format!("event-{number}"),
            "action": "test.append",
            "actor": {"id": "tester"},
            "subjects": [{"id": format!("person-{number}")}],
            "input": format!("text {number}"),
        })
        .to_string()
    };
    let events = (from..from + count).map(event);
    events.collect::<Vec<_>>().join("\n")
}

/// The output of a command that must have succeeded.
pub fn succeeded(output: &Output) -> &Output {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Whether the text says the word, whatever its case. Letters and digits beside it make another word of it: three or four
/// letters in a row stand in base64 by chance, and a search for them alone fails once in fifty runs.
pub fn says(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let joins = |left: Option<char>, right: Option<char>| {
        left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphanumeric)
    };
    text.match_indices(&word).any(|(at, found)| {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        !joins(before.chars().next_back(), found.chars().next())
            && !joins(found.chars().next_back(), after.chars().next())
    })
}

/// The Python of docs/verify-without-trailkeep.md.
pub fn page_of_python(folder: &Path) -> PathBuf {
    let document = root().join("docs/verify-without-trailkeep.md");
    let text = std::fs::read_to_string(document).unwrap();
    let (_, code) = text.split_once("```python\n").unwrap();
    let path = folder.join("verify_bundle.py");
    std::fs::write(&path, code.split_once("\n```").unwrap().0).unwrap();
    path
}

/// Its word on a bundle: whether it verifies. None where Python or openssl are not here.
pub fn word_of_python(bundle: &Path, key: &Path) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    Command::new("openssl").arg("version").output().ok()?;
    Command::new("python3")
        .arg(page_of_python(folder.path()))
        .args([bundle, key])
        .output()
        .ok()
}

/// What a command said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All files below a directory, with their bytes, but for the lock and the shared memory of SQLite.
pub fn files_of(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            files.extend(files_of(&path));
        } else if kind.is_file() {
            files.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Opens a directory in this process, with the machine's clock.
pub fn open_engine(directory: &Directory) -> trailkeep_core::Engine {
    use trailkeep_core::ops::open::{Files, StartOptions};
    let files = Files::open(
        std::sync::Arc::new(trailkeep_store_sqlite::Sqlite),
        trailkeep_files::directory::DataDirectory::new(&directory.path),
        &trailkeep_crypto::root::RootKeySource::File(directory.path.join("root.key")),
    );
    let clock = std::sync::Arc::new(trailkeep_core::clock::SystemClock);
    files.unwrap().start(StartOptions::new(clock)).unwrap()
}
