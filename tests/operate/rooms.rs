//! The rooms of the crate `core`: which uses which. The arrows go one way, so no room can be read only with all the others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::root;

/// Each room, the lowest first, and the rooms that it may use. A room stands below all that use it, so there is no cycle.
const ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("cores", &[]),
    ("failpoint", &[]),
    ("figures", &[]),
    ("locks", &[]),
    ("off_loop", &[]),
    ("short_reads", &[]),
    ("keys", &["short_reads"]),
    ("tenant", &["keys"]),
    (
        "journal",
        &[
            "failpoint",
            "figures",
            "locks",
            "off_loop",
            "short_reads",
            "keys",
            "tenant",
        ],
    ),
    (
        "ingest",
        &["cores", "failpoint", "keys", "tenant", "journal"],
    ),
    (
        "destroy",
        &["failpoint", "short_reads", "keys", "tenant", "journal"],
    ),
    (
        "govern",
        &["failpoint", "keys", "tenant", "journal", "ingest"],
    ),
    (
        "anchor",
        &["off_loop", "keys", "tenant", "journal", "govern"],
    ),
    ("query", &["short_reads", "keys", "tenant", "journal"]),
    (
        "metering",
        &["cores", "short_reads", "keys", "tenant", "journal"],
    ),
    (
        "export",
        &[
            "cores",
            "short_reads",
            "keys",
            "tenant",
            "journal",
            "anchor",
        ],
    ),
    (
        "retention",
        &[
            "short_reads",
            "keys",
            "tenant",
            "journal",
            "destroy",
            "govern",
            "export",
        ],
    ),
    (
        "requests",
        &[
            "keys", "tenant", "journal", "ingest", "destroy", "govern", "export",
        ],
    ),
    (
        "audit",
        &[
            "clock",
            "cores",
            "short_reads",
            "keys",
            "tenant",
            "journal",
            "ingest",
        ],
    ),
    (
        "ops",
        &[
            "cores",
            "failpoint",
            "figures",
            "locks",
            "short_reads",
            "keys",
            "tenant",
            "journal",
            "ingest",
            "destroy",
            "govern",
            "anchor",
            "metering",
            "export",
            "retention",
            "requests",
            "audit",
        ],
    ),
];

/// What `lib.rs` re-exports, and the room that it stands in. A use of it is a use of that room.
const RE_EXPORTS: &[(&str, &str)] = &[
    ("blocking", "journal"),
    ("Engine", "ops"),
    ("DEFAULT_TENANT", "tenant"),
];

/// No room has more than this part of the crate's lines.
const PART_MAX: usize = 4;

/// The files of a folder, each with the path of its module.
fn modules(folder: &Path, module: &[String], found: &mut Vec<(Vec<String>, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut own = module.to_vec();
        if path.is_dir() {
            own.push(name);
            modules(&path, &own, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            if name != "mod" && name != "lib" {
                own.push(name);
            }
            found.push((own, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The code of a file without comments and without its tests, which may use what they like.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|line| {
        let comment = line.find("//");
        comment.map_or(line, |at| &line[..at])
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that stand at the head of a path's rest: one, or those of a group in braces.
fn heads(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let letters = text.trim_start().chars();
        letters
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(word(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(word(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

/// The first segments below the crate that a file names: by `crate::`, and by as many `super::` as leave its room.
fn used(module: &[String], code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        found.extend(heads(&code[at + 7..]));
    }
    let to_the_crate = "super::".repeat(module.len());
    if !module.is_empty() {
        for (at, _) in code.match_indices(&to_the_crate) {
            found.extend(heads(&code[at + to_the_crate.len()..]));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn files() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    modules(&root().join("src/core/src"), &[], &mut found);
    found
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let mut wrong = BTreeSet::new();
    let mut below = Vec::new();
    for (room, allowed) in ROOMS {
        for other in *allowed {
            if !below.contains(other) {
                wrong.insert(format!("{other} must stand below {room} in the list"));
            }
        }
        below.push(room);
    }
    for (module, text) in files() {
        let Some(room) = module.first() else {
            continue;
        };
        let listed = ROOMS.iter().find(|(name, _)| name == room);
        let (_, allowed) = listed.unwrap_or_else(|| panic!("the room {room} is not listed"));
        for name in used(&module, &code(&text)) {
            let of_room = RE_EXPORTS.iter().find(|(known, _)| *known == name);
            let used = of_room.map_or(name.as_str(), |(_, room)| room);
            let is_a_room = ROOMS.iter().any(|(known, _)| *known == used);
            assert!(is_a_room, "{} names crate::{name}", module.join("::"));
            if used != room && !allowed.contains(&used) {
                wrong.insert(format!("{} uses {used}", module.join("::")));
            }
        }
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_list_allows_is_used() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, text) in files() {
        if let Some(room) = module.first() {
            let of_room = uses.entry(room.clone()).or_default();
            of_room.extend(used(&module, &code(&text)));
        }
    }
    for (room, allowed) in ROOMS {
        for other in *allowed {
            let of_room = uses.get(*room);
            let is_used = of_room.is_some_and(|names| names.contains(*other));
            assert!(is_used, "{room} may use {other}, and does not");
        }
    }
}

#[test]
fn no_room_is_the_whole_house() {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for (module, text) in files() {
        let count = text.lines().count();
        all += count;
        if let Some(room) = module.first() {
            *lines.entry(room.clone()).or_default() += count;
        }
    }
    for (room, count) in lines {
        assert!(
            count * PART_MAX <= all,
            "{room} has {count} of {all} lines: more than one in {PART_MAX}"
        );
    }
}
