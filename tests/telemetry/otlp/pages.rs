//! The pages of docs/opentelemetry/ as they stand there: their packages, variables, programs and commands, with the real
//! libraries and the real program. What comes out has to be the event that the page shows.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::send::wait_for_events;
use super::{model, packages};
use crate::support::blocks::{Block, Kind, blocks_of};
use crate::support::{Directory, root};

const RUNNING_MAX: Duration = Duration::from_secs(120);

/// Instrumentations that `opentelemetry-instrument` starts where they are installed, and their packages. All pages share an
/// environment, so each is kept from those that it does not install.
const STARTED: [(&str, &str); 2] = [
    ("openai", "opentelemetry-instrumentation-genai-openai"),
    ("langchain", "openinference-instrumentation-langchain"),
];

struct Page {
    name: String,
    blocks: Vec<Block>,
    /// What it installs.
    packages: Vec<String>,
}

/// The pages whose first command begins like this.
fn pages(installing: &str) -> Vec<Page> {
    let folder = "docs/opentelemetry";
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<Page> = names
        .filter_map(|name| {
            let blocks = blocks_of(&format!("{folder}/{name}"));
            let packages = blocks
                .first()
                .unwrap()
                .text
                .trim()
                .strip_prefix(installing)?;
            let packages = packages.split_whitespace();
            let packages = packages.map(|name| name.trim_matches('\'').to_owned());
            let packages = packages.collect();
            Some(Page {
                name,
                blocks,
                packages,
            })
        })
        .collect();
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    pages
}

impl Page {
    /// The page for somebody who sets the quickstart's two variables and nothing else: the event has no content.
    fn with_two_variables(mut self, quickstart: &str) -> Self {
        for block in &mut self.blocks {
            match block.kind {
                Kind::Shell if block.text.starts_with("export ") => {
                    let lines = block.text.lines();
                    let two = lines.filter(|line| !line.contains("CAPTURE_MESSAGE_CONTENT"));
                    block.text = two.flat_map(|line| [line, "\n"]).collect();
                    assert_eq!(block.text.lines().count(), 2, "{}", block.text);
                    assert!(quickstart.contains(&block.text), "{}", block.text);
                }
                Kind::Json => {
                    let mut shown: Value = serde_json::from_str(&block.text).unwrap();
                    for content in ["input", "output"] {
                        assert!(shown[content].is_object(), "{shown}");
                        shown[content] = Value::Null;
                    }
                    block.text = shown.to_string();
                }
                _ => {}
            }
        }
        self
    }

    /// Runs it and compares the event with the one that it shows.
    fn run(&self, model: &str, folder: &Path, programs: Option<&Path>) {
        let directory = Directory::new();
        let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "200")]);
        let (mut script, mut shown) = ("set -eu\n".to_owned(), None);
        for Block { kind, text, .. } in &self.blocks[1..] {
            match kind {
                Kind::Shell => script.push_str(&text.replace("127.0.0.1:8787", &server.address)),
                Kind::File(name) => std::fs::write(folder.join(name), text).unwrap(),
                Kind::Json => shown = serde_json::from_str::<Value>(text).ok(),
                other => panic!("{}: {other:?}", self.name),
            }
        }
        let mut path: Vec<PathBuf> = programs.into_iter().map(Path::to_owned).collect();
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let others = STARTED
            .iter()
            .filter(|(_, package)| !self.packages.iter().any(|own| own == package));
        let others: Vec<&str> = others.map(|(name, _)| *name).collect();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script])
            .current_dir(folder)
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("TOKEN", &server.token)
            .env("OPENAI_API_KEY", "none")
            .env("OPENAI_BASE_URL", model)
            .env("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", others.join(","))
            // Else it asks the network for prices.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
        assert!(packages::ends_well(&mut bash, RUNNING_MAX), "{}", self.name);
        let events = wait_for_events(&mut server.client(), 1);
        assert_eq!(events.len(), 1, "{}", self.name);
        let shown = shown.unwrap_or_else(|| panic!("{} shows no event", self.name));
        assert_has(&events[0], &shown, &self.name);
        server.stop();
        directory.assert_clean();
    }
}

/// Whether an event has all that is shown of it.
fn assert_has(event: &Value, shown: &Value, place: &str) {
    match shown {
        Value::Object(members) => {
            for (name, member) in members {
                assert_has(&event[name], member, &format!("{place}/{name}"));
            }
        }
        Value::Array(elements) => {
            assert_eq!(
                event.as_array().map(Vec::len),
                Some(elements.len()),
                "{place}: {event}"
            );
            for (at, element) in elements.iter().enumerate() {
                assert_has(&event[at], element, &format!("{place}/{at}"));
            }
        }
        shown => assert_eq!(event, shown, "{place}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_for_python_run_as_they_stand() {
    let pages = pages("pip install ");
    assert_eq!(pages.len(), 4);
    let quickstart = std::fs::read_to_string(root().join("docs/quickstart.md")).unwrap();
    let first = blocks_of("docs/opentelemetry/python-openai.md").swap_remove(0);
    assert!(
        quickstart.contains(&first.text),
        "the quickstart installs something else"
    );
    let mut all: Vec<String> = pages
        .iter()
        .flat_map(|page| page.packages.clone())
        .collect();
    all.sort();
    all.dedup();
    let constraints = root().join("tests/otlp/constraints.txt");
    let Some(programs) = packages::of_python("otlp-pages-python", &all, Some(&constraints)) else {
        return;
    };
    let model = model::serve().await;
    let run = |page: &Page| {
        let folder = tempfile::tempdir().unwrap();
        page.run(&model, folder.path(), Some(&programs));
    };
    for page in pages {
        run(&page);
        // The SDK's own defaults: gRPC, and metrics, which are refused.
        if page.name == "python-openai.md" {
            run(&page.with_two_variables(&quickstart));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_for_node_run_as_they_stand() {
    let pages = pages("npm install ");
    assert_eq!(pages.len(), 2);
    let wanted = root().join("tests/otlp/package.json");
    let known: Value = serde_json::from_slice(&std::fs::read(&wanted).unwrap()).unwrap();
    for package in pages.iter().flat_map(|page| &page.packages) {
        assert!(known["dependencies"][package].is_string(), "{package}");
    }
    let Some(installed) = packages::of_node("otlp-pages-node", &wanted) else {
        return;
    };
    let model = model::serve().await;
    for page in pages {
        // Modules are looked for in the folders above.
        let folder = tempfile::tempdir_in(&installed).unwrap();
        page.run(&model, folder.path(), None);
    }
}
