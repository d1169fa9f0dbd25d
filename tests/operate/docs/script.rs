//! A document as one script: its blocks in order, with what stands elsewhere put in its place.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PLACES, events};
use crate::support::blocks::{Block, Kind, blocks_of};
use crate::support::witness::Witness;

/// When the documents' commands run: the month that they speak of.
const NOW: &str = "2026-11-25T10:00:00Z";

/// What a newcomer does by hand: starts the server in another window, copies what was printed.
const BY_HAND: &str = r#"
set -euo pipefail
SERVER=
stop_server() { if [ -n "$SERVER" ]; then kill "$SERVER"; wait "$SERVER" || true; SERVER=; fi; }
trap stop_server EXIT
serve() {
  stop_server
  command trailkeep "$@" > server.out 2> server.err &
  SERVER=$!
  for _ in $(seq 600); do
    if grep -q '^listening on' server.out; then return 0; fi
    if ! kill -0 "$SERVER" 2>/dev/null; then cat server.err >&2; SERVER=; return 1; fi
    sleep 0.05
  done
  return 1
}
trailkeep() {
  case "$1 ${2-}" in
    'serve '*) serve "$@" ;;
    'init '*)
      # Some ledgers were made before the document begins.
      if [ ! -e D ]; then command trailkeep "$@" > printed; take_token; fi ;;
    'key create') command trailkeep "$@" | tee printed; take_token ;;
    'privacy file') command trailkeep "$@" | tee printed; ID=$(sed -n 's/^request  *//p' printed) ;;
    # Something is always to be said of a first run.
    'doctor '*) command trailkeep "$@" || [ $? = 1 ] ;;
    *) command trailkeep "$@" ;;
  esac
}
take_token() { TOKEN=$(grep -o 'trailkeep_[a-z]*_[A-Za-z0-9_-]*' printed | head -n 1); export TOKEN; }
copy_target() { command trailkeep vault-replica list --dir D --json | grep -o '"id":"[0-9a-f]*"' | head -n 1 | cut -d '"' -f 4; }
"#;

/// A document, and what must be there before it.
pub(crate) struct Document {
    file: &'static str,
    needs: Vec<&'static str>,
    after: Vec<&'static str>,
    before: Vec<(&'static str, &'static str)>,
    replacing: Vec<(&'static str, &'static str)>,
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
    witness: Option<Witness>,
}

/// The file of a clock that stands still.
pub(crate) fn clock(folder: &Path) -> PathBuf {
    let path = folder.join("clock");
    let now = trailkeep_proof::time::UnixMillis::parse_rfc3339(NOW).unwrap();
    std::fs::write(&path, now.get().to_string()).unwrap();
    path
}

impl Document {
    pub(crate) fn new(file: &'static str) -> Self {
        Self {
            file,
            needs: vec!["bash"],
            after: Vec::new(),
            before: Vec::new(),
            replacing: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            witness: None,
        }
    }

    /// Programs that it takes for granted.
    pub(crate) fn needs(mut self, programs: &[&'static str]) -> Self {
        self.needs.extend(programs);
        self
    }

    /// What was done before its first line.
    pub(crate) fn after(mut self, commands: &'static str) -> Self {
        self.after.push(commands);
        self
    }

    /// What happens before a block with these words.
    pub(crate) fn before(mut self, words: &'static str, commands: &'static str) -> Self {
        self.before.push((words, commands));
        self
    }

    /// What stands in the place of an example.
    pub(crate) fn replacing(mut self, example: &'static str, real: &'static str) -> Self {
        self.replacing.push((example, real));
        self
    }

    /// It runs where its ledger was made, with a witness in the settings.
    pub(crate) fn on(
        mut self,
        folder: tempfile::TempDir,
        settings: String,
        key: String,
        witness: Witness,
    ) -> Self {
        let path = folder.path().join("witness.toml");
        std::fs::write(&path, settings).unwrap();
        let path = path.to_str().unwrap().to_owned();
        self.environment.push(("TRAILKEEP_CONFIG", path));
        self.environment.push(("WITNESS_KEY", key));
        self.folder = folder;
        self.witness = Some(witness);
        self
    }

    /// Runs it; where a program is absent, says so and passes.
    pub(crate) fn run(mut self) {
        let absent = |name: &&&str| !is_there(name);
        if let Some(name) = self.needs.iter().find(absent) {
            eprintln!(
                "{name} is not here: the commands of {} were not run",
                self.file
            );
            return;
        }
        let root = self.folder.path().to_owned();
        std::fs::write(root.join("events.ndjson"), events()).unwrap();
        let more = events().replace("order-", "later-");
        std::fs::write(root.join("more.ndjson"), more).unwrap();
        let script = self.script();
        std::fs::write(root.join("script.sh"), script).unwrap();
        let port = free_port();
        let programs = Path::new(env!("CARGO_BIN_EXE_trailkeep")).parent().unwrap();
        let path = std::env::join_paths(
            std::iter::once(programs.to_owned())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let output = Command::new("bash")
            .arg("script.sh")
            .current_dir(&root)
            .env("PATH", path.unwrap())
            .env("ROOT", &root)
            .env("REPOSITORY", concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .env("PORT", port.to_string())
            .env("TRAILKEEP_LISTEN", format!("127.0.0.1:{port}"))
            .env("TRAILKEEP_TEST_CLOCK", clock(&root))
            .env_remove("TRAILKEEP_DIR")
            .env_remove("TRAILKEEP_TOKEN")
            .envs(self.environment.drain(..))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}\nwhat was printed before:\n{}",
            said,
            String::from_utf8_lossy(&output.stdout)
        );
    }

    fn script(&self) -> String {
        let mut script = BY_HAND.to_owned();
        for commands in &self.after {
            script.push_str(commands);
            script.push('\n');
        }
        let root = self.folder.path();
        let mut run = 0;
        for Block { kind, line, text } in blocks_of(self.file) {
            let words = self.before.iter().filter(|(words, _)| text.contains(words));
            for (_, commands) in words {
                writeln!(script, "{commands}").unwrap();
            }
            writeln!(script, "echo '--- {}:{line}' >&2", self.file).unwrap();
            let text = self.placed(&text);
            match kind {
                Kind::Shell => script.push_str(&text),
                Kind::Console => script.push_str(&console(&text)),
                Kind::Python => script.push_str(&piped("python3 -", &text, line)),
                Kind::JavaScript => {
                    script.push_str(&piped("node --input-type=module -", &text, line));
                }
                Kind::File(name) => std::fs::write(root.join(name), text).unwrap(),
                Kind::Json | Kind::Toml | Kind::Text | Kind::NotRun(_) => continue,
            }
            run += 1;
        }
        assert!(run > 0, "{} has nothing to run", self.file);
        script
    }

    fn placed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (example, real) in PLACES.iter().chain(&self.replacing) {
            text = text.replace(example, real);
        }
        text
    }
}

/// A program's text; where the program is absent, that is said.
fn piped(program: &str, text: &str, line: usize) -> String {
    let name = program.split(' ').next().unwrap();
    if !is_there(name) {
        return format!("echo '{name} is not here: the block in line {line} was not run' >&2\n");
    }
    // What stands in its place is put in by the shell; nothing else in it is the shell's.
    let text = text.replace("$PORT", "'\"$PORT\"'");
    format!(
        "{program} <<< '{}'\n",
        text.replace("'\"$PORT\"'", "\u{0}")
            .replace('\'', "'\\''")
            .replace('\u{0}', "'\"$PORT\"'")
    )
}

/// Commands behind `$ `, which must print first what stands behind them.
fn console(text: &str) -> String {
    let (mut script, mut lines) = (String::new(), text.lines().peekable());
    while let Some(line) = lines.next() {
        let mut command = line.strip_prefix("$ ").expect("a command first").to_owned();
        while command.ends_with('\\') {
            command.pop();
            command.push_str(lines.next().unwrap().trim_start());
        }
        let (mut printed, mut count) = (String::new(), 0);
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            printed.push_str(line);
            printed.push('\n');
            count += 1;
        }
        let shown = format!("{command} | sed -n '1,{count}p'");
        writeln!(
            script,
            "diff - <({shown}) >&2 <<'PRINTED'\n{printed}PRINTED"
        )
        .unwrap();
    }
    script
}

fn is_there(program: &str) -> bool {
    let found = |folder: PathBuf| folder.join(program).is_file();
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(found)
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
