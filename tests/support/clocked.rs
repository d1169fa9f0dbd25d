//! A data directory under a clock that the test moves.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use trailkeep_proof::time::UnixMillis;

use super::{Directory, Server, files_of, said, succeeded, trailkeep};

/// A start after a longer gap wants a confirmation.
const GAP_MAX_MS: u64 = 31 * 86_400_000;

/// A data directory and its clock.
pub struct Clocked {
    pub directory: Directory,
    clock: PathBuf,
    policies: Option<PathBuf>,
}

impl Clocked {
    pub fn at(time: &str) -> Self {
        Self::made(time, None)
    }

    pub fn with_policies(time: &str, policies: &Path) -> Self {
        Self::made(time, Some(policies.to_owned()))
    }

    fn made(time: &str, policies: Option<PathBuf>) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let clock = temporary.path().join("clock");
        let millis = UnixMillis::parse_rfc3339(time).unwrap().get();
        std::fs::write(&clock, millis.to_string()).unwrap();
        let path = temporary.path().join("data");
        let environment = [("TRAILKEEP_TEST_CLOCK", clock.to_str().unwrap())];
        let directory = Directory::made_with(temporary, path, &environment);
        Self {
            directory,
            clock,
            policies,
        }
    }

    /// What the clock shows.
    pub fn now(&self) -> u64 {
        let text = std::fs::read_to_string(&self.clock).unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    }

    /// Moves the clock, as time does; after a long rest the clock is confirmed.
    pub fn set(&self, time: &str) {
        self.set_ms(UnixMillis::parse_rfc3339(time).unwrap().get());
    }

    pub fn set_ms(&self, millis: u64) {
        let is_long = millis > self.now() + GAP_MAX_MS;
        std::fs::write(&self.clock, millis.to_string()).unwrap();
        if is_long {
            self.serve_with(&["--confirm-clock"]).stop();
        }
    }

    /// Moves the wall clock, and not the time since boot.
    pub fn jump(&self, time: &str) {
        let text = std::fs::read_to_string(&self.clock).unwrap();
        let boot = text.split(' ').next_back().unwrap();
        let wall = UnixMillis::parse_rfc3339(time).unwrap().get();
        std::fs::write(&self.clock, format!("{wall} {boot}")).unwrap();
    }

    pub fn environment(&self) -> Vec<(&str, &str)> {
        let policies = self.policies.as_deref().map(|path| path.to_str().unwrap());
        [("TRAILKEEP_TEST_CLOCK", self.clock.to_str().unwrap())]
            .into_iter()
            .chain(policies.map(|path| ("TRAILKEEP_POLICIES", path)))
            .collect()
    }

    pub fn output(&self, arguments: &[&str]) -> Output {
        self.output_with(arguments, &[])
    }

    pub fn output_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        trailkeep()
            .args(arguments)
            .arg("--dir")
            .arg(&self.directory.path)
            .envs(self.environment())
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    /// The same with more arguments behind.
    pub fn command(&self, arguments: &[&str], more: &[&str]) -> Output {
        self.output(&[arguments, more].concat())
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&succeeded(&self.output(arguments)).stdout).unwrap()
    }

    pub fn append_output(&self, events: &str) -> Output {
        let mut child = trailkeep()
            .args(["append", "-", "--json", "--dir"])
            .arg(&self.directory.path)
            .envs(self.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, events.as_bytes()).unwrap();
        drop(input);
        child.wait_with_output().unwrap()
    }

    pub fn append(&self, events: &str) -> Value {
        serde_json::from_slice(&succeeded(&self.append_output(events)).stdout).unwrap()
    }

    /// Erases a person; gives the answer.
    pub fn erase(&self, person: &str, more: &[&str]) -> Value {
        let asked = [
            "privacy",
            "erase",
            "--subject",
            person,
            "--reference",
            "R",
            "--yes",
            "--json",
        ];
        self.json(&[&asked[..], more].concat())
    }

    /// Asks for an erasure that is killed at a fail point, the first time or a later one.
    pub fn erase_killed_at(&self, person: &str, point: &str, time: Option<u32>) {
        let place = match time {
            Some(time) => format!("{point}=kill@{time}"),
            None => format!("{point}=kill"),
        };
        let asked = ["privacy", "erase", "--subject", person];
        let asked = [&asked[..], &["--reference", "R", "--yes"]].concat();
        let killed = self.output_with(&asked, &[("TRAILKEEP_FAILPOINT", &place)]);
        assert!(!killed.status.success(), "{place}");
    }

    /// Holds what is about a person; gives the answer.
    pub fn hold(&self, person: &str) -> Value {
        let place = ["hold", "place", "--reason", "r", "--matter", "m"];
        self.json(&[&place[..], &["--subject", person, "--json"]].concat())
    }

    /// Restricts a person; gives the answer.
    pub fn restrict(&self, person: &str) -> Value {
        self.json(&[
            "privacy",
            "restrict",
            "--subject",
            person,
            "--reference",
            "R",
            "--ground",
            "contested",
            "--json",
        ])
    }

    /// Expiry.
    pub fn run(&self) -> Value {
        self.json(&["retention", "run", "--json"])
    }

    /// Verifies, and panics with the findings if there are any.
    pub fn verify(&self) -> Value {
        let output = self.output(&["verify", "--json"]);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        assert_eq!(report["ok"], true, "{report}");
        report
    }

    pub fn size(&self) -> u64 {
        self.verify()["size"].as_u64().unwrap()
    }

    /// The signed head, in a file.
    pub fn checkpoint(&self) -> String {
        let output = self.output(&["checkpoint"]);
        let path = self.directory.path.with_extension("checkpoint");
        std::fs::write(&path, &succeeded(&output).stdout).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path.with_file_name(name)
    }

    /// A bundle of the whole ledger, beside the data directory.
    pub fn export(&self, name: &str) -> Value {
        let path = self.beside(name);
        self.json(&[
            "export",
            "--json",
            "--force",
            "--out",
            path.to_str().unwrap(),
        ])
    }

    /// The offline verifier's word on it.
    pub fn verify_bundle(&self, name: &str) -> Value {
        let output = super::verifier()
            .arg(self.beside(name))
            .arg("--key")
            .arg(&self.directory.public_key)
            .arg("--json")
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)))
    }

    pub fn serve(&self) -> Server {
        self.directory
            .serve_as(&["--retention-hour", "2"], &self.environment())
    }

    /// A server without a daily run.
    pub fn serve_with(&self, arguments: &[&str]) -> Server {
        let arguments = [arguments, &["--retention-hour", "none"]].concat();
        self.directory.serve_as(&arguments, &self.environment())
    }

    /// No file of the data directory holds the text.
    pub fn assert_residue_free(&self, text: &str) {
        for (path, bytes) in files_of(&self.directory.path) {
            let is_there = bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            assert!(!is_there, "{} holds `{text}`", path.display());
        }
    }

    /// The vault has no data key of a period, or only those of one person who is held.
    pub fn assert_no_data_key_of(&self, period: &str, is_one_held: bool) {
        let vault = rusqlite::Connection::open(self.directory.path.join("vault.db")).unwrap();
        let keys: u64 = vault
            .query_row(
                "SELECT count(*) FROM data_key WHERE period = ?1",
                [period],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(keys, u64::from(is_one_held), "{period}");
    }
}

/// A small generator of numbers that are the same in every run.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}
