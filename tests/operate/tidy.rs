//! The rules of the house, read off the tree: layers, sizes, and what stands in no code of ours.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

const LINES_OF_A_FILE_MAX: usize = 470;
const LINES_OF_A_FUNCTION_MAX: usize = 80;

/// Crates of the workspace, and the crates of it that each may use.
const CRATES: &[(&str, &[&str])] = &[
    ("proof", &[]),
    ("files", &[]),
    ("verify", &["proof"]),
    ("api", &["proof"]),
    ("policy", &["proof"]),
    ("prices", &["proof"]),
    ("otlp", &["proof"]),
    ("crypto", &["proof", "files"]),
    ("ports", &["proof", "files"]),
    ("index", &["proof", "ports"]),
    ("store-sqlite", &["proof", "files", "ports"]),
    (
        "conformance",
        &["proof", "files", "ports", "index", "store-sqlite"],
    ),
    (
        "core",
        &[
            "proof", "policy", "prices", "otlp", "files", "crypto", "ports", "index",
        ],
    ),
    (
        "server",
        &[
            "proof", "policy", "otlp", "files", "crypto", "ports", "core", "api",
        ],
    ),
    (
        "cli",
        &[
            "proof",
            "verify",
            "policy",
            "prices",
            "otlp",
            "files",
            "crypto",
            "ports",
            "store-sqlite",
            "core",
            "api",
            "server",
        ],
    ),
];

/// Modules of the crate `proof`, and what of it each may use besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("time.rs", &[]),
    ("text.rs", &[]),
    ("near.rs", &[]),
    ("period.rs", &["ids", "time"]),
    ("ledger", &["ids", "time", "near"]),
    ("bundle", &["ids", "time", "text", "period", "ledger"]),
    ("privacy", &["ids", "time", "ledger", "bundle"]),
    ("prices", &["ids", "privacy"]),
    ("metered", &["ledger", "prices", "privacy"]),
    ("prompts", &["ids"]),
];

/// Libraries, and the only places that may name them.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store-sqlite"]),
    ("axum", &["server", "cli"]),
    ("clap", &["cli", "verify/src/main.rs"]),
    ("aes_gcm", &["crypto"]),
    ("zstd", &["crypto", "server/src/body/coding.rs"]),
    ("zip", &["core/src/export"]),
    ("askama", &["core/src/export", "core/src/requests/letter"]),
    ("flate2", &["proof", "server/src/body/coding.rs"]),
    ("csv", &["proof"]),
    ("prost", &["otlp"]),
    ("utoipa", &["proof", "api", "server"]),
    ("opentelemetry_proto", &["otlp"]),
    ("tonic", &["server/src/otlp/grpc.rs", "otlp"]),
];

fn source_files() -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = root().join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let named = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(named).collect()
}

/// The part of a file before its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

fn is_in(file: &str, place: &str) -> bool {
    file == place || file.starts_with(&format!("{place}/"))
}

#[test]
fn a_crate_uses_only_what_is_below_it() {
    let folders = fs::read_dir(root().join("src")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in folders {
        let listed = CRATES.iter().find(|(listed, _)| *listed == name);
        let (_, allowed) = listed.unwrap_or_else(|| panic!("src/{name} is not listed here"));
        let manifest = fs::read_to_string(root().join("src").join(&name).join("Cargo.toml"));
        for line in manifest.unwrap().lines() {
            let used = line.strip_prefix("trailkeep-").and_then(|rest| {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '-'))?;
                Some(&rest[..end])
            });
            if let Some(used) = used {
                assert!(allowed.contains(&used), "src/{name} uses trailkeep-{used}");
            }
        }
    }
}

/// Tests of other crates damage files with it; no program but through the store.
#[test]
fn the_engine_is_a_dependency_of_the_store_alone() {
    for (name, _) in CRATES.iter().filter(|(name, _)| *name != "store-sqlite") {
        let manifest = root().join("src").join(name).join("Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        let mut tables = text.split("\n[");
        let named = tables
            .any(|table| !table.starts_with("dev-dependencies]") && table.contains("rusqlite"));
        assert!(!named, "src/{name} depends on rusqlite");
    }
}

#[test]
fn a_file_uses_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for (file, text) in source_files() {
        for (name, places) in LIBRARIES {
            let named = code(&text).contains(&format!("use {name}"))
                || code(&text).contains(&format!("{name}::"));
            if named && !places.iter().any(|place| is_in(&file, place)) {
                wrong.push(format!("src/{file} names {name}"));
            }
        }
        let Some(inside) = file.strip_prefix("proof/src/") else {
            continue;
        };
        let Some((place, allowed)) = LAYERS.iter().find(|(place, _)| is_in(inside, place)) else {
            continue;
        };
        let own = place.trim_end_matches(".rs");
        for (at, _) in code(&text).match_indices("crate::") {
            let used: String = text[at + 7..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !used.is_empty() && used != own && !allowed.contains(&used.as_str()) {
                wrong.push(format!("src/{file} uses crate::{used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A member that is renamed must not compile in its old name.
#[test]
fn commands_read_answers_as_types() {
    let mut wrong = Vec::new();
    for (file, text) in source_files() {
        if !file.starts_with("cli/src/commands/") || file.ends_with("tests.rs") {
            continue;
        }
        let code = code(&text);
        for (at, _) in code.match_indices("[\"") {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || [')', ']', '_'].contains(&c)) {
                let line = code[..at].lines().count();
                wrong.push(format!("src/{file}:{line} looks a member up by its name"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_are_of_a_size_to_read() {
    let mut wrong = Vec::new();
    for (file, text) in source_files() {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > LINES_OF_A_FILE_MAX {
            wrong.push(format!("src/{file} has {} lines", lines.len()));
        }
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let is_function = [
                "fn ",
                "pub fn ",
                "async fn ",
                "const fn ",
                "pub(",
                "pub async fn ",
                "pub const fn ",
            ]
            .iter()
            .any(|head| line.trim_start().starts_with(head))
                && line.contains("fn ")
                && !line.trim_end().ends_with(';')
                && !line.trim_end().ends_with('}');
            if !is_function {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[start..]
                .iter()
                .position(|line| **line == *end)
                .map_or(0, |length| length + 1);
            if length > LINES_OF_A_FUNCTION_MAX {
                wrong.push(format!(
                    "src/{file}:{} is a function of {length} lines",
                    start + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a template shows goes through the one escaper.
#[test]
fn no_template_calls_a_text_safe() {
    fn check(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap();
        let checked = entries.map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                return check(&path);
            }
            let text = fs::read_to_string(&path).unwrap();
            for word in ["safe", "escape"] {
                let found =
                    text.contains(&format!("|{word}")) || text.contains(&format!("| {word}"));
                assert!(!found, "{} holds |{word}", path.display());
            }
            1
        });
        checked.sum()
    }
    assert!(check(&root().join("src/core/templates")) > 5);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let words = [
        "todo!",
        "unimplemented!",
        &["FIX", "ME"].concat(),
        &["TO", "DO:"].concat(),
        "dbg!(",
        ".unwrap()",
    ];
    for (file, text) in source_files() {
        if file.ends_with("tests.rs") || file.contains("/tests/") {
            continue;
        }
        for word in words {
            assert!(!code(&text).contains(word), "src/{file} holds {word}");
        }
    }
}

/// README.md and the pages of docs/, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let root = root();
    let pages = ["docs", "docs/opentelemetry"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    pages
        .chain([root.join("README.md")])
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// What a link into a page may name: its headings, as GitHub makes anchors of them, and its own anchors.
fn anchors(text: &str) -> Vec<String> {
    let (mut found, mut is_code) = (Vec::<String>::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if let Some((_, rest)) = line.split_once("<a id=\"") {
            found.extend(rest.split('"').next().map(str::to_owned));
        }
        if let (false, Some((marks, heading))) = (is_code, line.split_once(' '))
            && !marks.is_empty()
            && marks.chars().all(|mark| mark == '#')
        {
            let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
            let name: String = heading.to_lowercase().chars().filter(kept).collect();
            found.push(name.replace(' ', "-"));
        }
    }
    found
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    for (document, text) in documents() {
        let links = text.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{}: {link}", document.display());
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(&target).unwrap());
                let is_known = known.iter().any(|name| name == anchor);
                assert!(is_known, "{}: {link}: {known:?}", document.display());
            }
        }
    }
}

#[test]
fn every_page_says_whom_it_is_for() {
    let pages = documents();
    let pages = pages
        .iter()
        .filter(|(path, _)| !path.ends_with("README.md"));
    assert!(pages.clone().count() >= 18, "the pages are not found");
    for (page, text) in pages {
        let opening = text.lines().nth(2).unwrap_or_default();
        let says = opening.starts_with("This page is for ");
        assert!(says, "{}: its third line names no readers", page.display());
    }
}
