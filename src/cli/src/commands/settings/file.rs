//! The settings' file: TOML, read to its end, so that all that is wrong with it is said at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Fault;
use super::anchors::{self, ANCHOR, PlacedAnchor};
use super::keys::{KEYS, Key};
use trailkeep_files::named::read_named_text;
use trailkeep_proof::near::suggestion;

/// A value as it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) text: String,
    pub(super) line: usize,
}

/// What the file sets, by the key's name. What kind of value a key has is looked at with those of the other places.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) values: HashMap<&'static str, Placed>,
    pub(super) anchors: Vec<PlacedAnchor>,
}

impl SettingsFile {
    /// Reads the file; faults are added to `faults`.
    pub(super) fn read(path: &Path, faults: &mut Vec<Fault>) -> Self {
        match read_named_text(path) {
            Ok(text) => Self::parse(path, &text, faults),
            Err(error) => {
                faults.push(Fault {
                    place: path.display().to_string(),
                    key: String::new(),
                    problem: format!("the file can't be read: {error}"),
                    remedy:
                        "name the settings file with --config; deploy/trailkeep.toml is a sample"
                            .to_owned(),
                });
                Self::default()
            }
        }
    }

    pub(super) fn parse(path: &Path, text: &str, faults: &mut Vec<Fault>) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let is_toml = errors.is_empty();
        let mut reader = Reader {
            path,
            text,
            faults,
            values: HashMap::new(),
        };
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            let problem = error.message().trim_end().to_owned();
            reader.fault(
                offset,
                "",
                problem,
                "write `key = value`, strings in \"quotes\"",
            );
        }
        reader.table("", root.get_ref());
        let anchors = if is_toml {
            reader.anchors()
        } else {
            Vec::new()
        };
        Self {
            path: path.to_owned(),
            values: reader.values,
            anchors,
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    faults: &'a mut Vec<Fault>,
    values: HashMap<&'static str, Placed>,
}

impl Reader<'_> {
    /// Reads the keys of a table; `prefix` is its name with a dot behind, or nothing at the top.
    ///
    /// A section that may repeat (`[[name]]`) is an array of tables here: it gets an arm of its own.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = format!("{prefix}{}", name.get_ref());
            let (key_at, value_at) = (name.span().start, value.span().start);
            let known = KEYS.iter().find(|key| key.name == path);
            let section = format!("{path}.");
            let is_section = KEYS.iter().any(|key| key.name.starts_with(&section));
            match (known, value.get_ref()) {
                // Read as a whole: anchors.rs.
                (None, _) if path == ANCHOR => {}
                (Some(key), value) => self.scalar(key, value, value_at),
                (None, DeValue::Table(inner)) if is_section => self.table(&section, inner),
                (None, _) if is_section => {
                    let problem = format!("`{path}` is a section");
                    let remedy = format!("write `[{path}]` on its own line, and its keys below");
                    self.fault(key_at, &path, problem, &remedy);
                }
                (None, _) => {
                    let hint = suggestion(&path, KEYS.iter().map(|key| key.name));
                    let problem = format!("unknown key `{path}`{hint}");
                    let remedy = format!("keys are: {}", known_in(prefix));
                    self.fault(key_at, &path, problem, &remedy);
                }
            }
        }
    }

    fn scalar(&mut self, key: &'static Key, value: &DeValue<'_>, offset: usize) {
        let text = match value {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) | DeValue::Table(_) => {
                let problem = format!("`{}` takes one value, not several", key.name);
                self.fault(offset, key.name, problem, "write one string or number");
                return;
            }
        };
        let line = self.line(offset);
        self.values.insert(key.name, Placed { text, line });
    }

    fn fault(&mut self, offset: usize, key: &str, problem: String, remedy: &str) {
        self.faults.push(Fault {
            place: format!("{}:{}", self.path.display(), self.line(offset)),
            key: key.to_owned(),
            problem,
            remedy: remedy.to_owned(),
        });
    }

    /// The sections `[[anchor]]`.
    fn anchors(&mut self) -> Vec<PlacedAnchor> {
        match anchors::sections(self.text) {
            Ok(sections) => sections
                .into_iter()
                .map(|(section, offset)| PlacedAnchor {
                    section,
                    line: self.line(offset),
                })
                .collect(),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                let problem = error.message().trim_end().to_owned();
                let remedy =
                    "docs/operations.md, \"Witnesses and anchors\", has the keys of `[[anchor]]`";
                self.fault(offset, ANCHOR, problem, remedy);
                Vec::new()
            }
        }
    }

    /// Line of an offset, from 1.
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|byte| **byte == b'\n').count() + 1
    }
}

/// The keys and sections that a table may have.
fn known_in(prefix: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    if prefix.is_empty() {
        names.push(format!("[[{ANCHOR}]]"));
    }
    for rest in KEYS.iter().filter_map(|key| key.name.strip_prefix(prefix)) {
        let name = match rest.split_once('.') {
            Some((section, _)) => format!("[{section}]"),
            None => rest.to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
