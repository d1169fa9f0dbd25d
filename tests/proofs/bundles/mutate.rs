//! Changes of a bundle's members, each the deed of a seed. The sums are signed anew afterwards.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::members::Members;
use crate::support::Random;

/// Stands before text that is written into JSON as it is: a name that stands twice, a number like 1e0.
const RAW: &str = "@raw:";

fn pick<'a, T>(random: &mut Random, of: &'a [T]) -> &'a T {
    &of[random.below(of.len() as u64) as usize]
}

/// A member's content; one that an earlier mutation dropped comes back empty.
fn member<'a>(members: &'a mut Members, name: &str) -> &'a mut Vec<u8> {
    let found = members.iter().position(|(known, _)| known == name);
    let at = found.unwrap_or_else(|| {
        members.push((name.to_owned(), Vec::new()));
        members.len() - 1
    });
    &mut members[at].1
}

/// One mutation of what is signed, and what it was.
pub(super) fn mutate(members: &mut Members, key: &SigningKey, random: &mut Random) -> String {
    match random.below(16) {
        0 => bytes(members, random),
        1 => member_list(members, random),
        2 => lines(members, random),
        3 | 4 => entries(members, random),
        5 => checkpoint(members, key, random),
        6 | 7 => redact(members, random),
        8 => withhold(members, random),
        9 => manifest(members, random),
        10 => time(members, random),
        11 => statement(members, random),
        _ => tree(members, random),
    }
}

fn bytes(members: &mut Members, random: &mut Random) -> String {
    let (name, content) = {
        let at = random.below(members.len() as u64) as usize;
        let (name, content) = &mut members[at];
        (name.clone(), content)
    };
    let at = random.below(content.len() as u64 + 1) as usize;
    match random.below(5) {
        0 if at < content.len() => content[at] ^= 1 << random.below(8),
        1 if at < content.len() => drop(content.remove(at)),
        2 => content.truncate(at),
        3 => content.insert(at, *pick(random, b"\0\n\r \t\"{},:0\xEF\xFF")),
        _ => content.extend(*pick(
            random,
            &[&b"\n"[..], b" ", b"\r\n", b"\xEF\xBB\xBF", b"\0"],
        )),
    }
    format!("{name}: a byte at {at}")
}

fn member_list(members: &mut Members, random: &mut Random) -> String {
    let at = random.below(members.len() as u64) as usize;
    let name = members[at].0.clone();
    match random.below(6) {
        0 => drop(members.remove(at)),
        1 => members.push(members[at].clone()),
        2 => members[at].0 = name.to_ascii_uppercase() + "x",
        3 => {
            let more = [
                "extra.txt",
                "person.html",
                "../x",
                "",
                "a/",
                "SHA256SUMS.pq.sig",
                ".DS_Store",
            ];
            members.push(((*pick(random, &more)).to_owned(), b"x".to_vec()));
        }
        4 => members[at].1.clear(),
        _ => {
            let other = random.below(members.len() as u64) as usize;
            members.swap(at, other);
        }
    }
    format!("the list of members at {name}")
}

const LINES: &[&str] = &["events.jsonl", "statements.jsonl", "dispositions.jsonl"];

fn lines_of(content: &[u8]) -> Vec<Vec<u8>> {
    content
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// Rows are dropped, swapped or doubled.
fn rows(rows: &mut Vec<Vec<u8>>, random: &mut Random) {
    if rows.is_empty() {
        return;
    }
    let (one, other) = (
        random.below(rows.len() as u64),
        random.below(rows.len() as u64),
    );
    let (one, other) = (one as usize, other as usize);
    match random.below(4) {
        0 => drop(rows.remove(one)),
        1 => rows.swap(one, other),
        2 => rows.insert(other, rows[one].clone()),
        _ => rows.truncate(one),
    }
}

fn lines(members: &mut Members, random: &mut Random) -> String {
    let name = *pick(
        random,
        &[
            "events.jsonl",
            "statements.jsonl",
            "dispositions.jsonl",
            "keys.txt",
            "checkpoint",
            "events.csv",
            "public-key.pem",
        ],
    );
    let content = member(members, name);
    let mut all = lines_of(content);
    rows(&mut all, random);
    *content = all.concat();
    format!("{name}: lines")
}

fn entries(members: &mut Members, random: &mut Random) -> String {
    let name = *pick(
        random,
        &["entries.bin", "statements-entries.bin", "boundary.bin"],
    );
    let content = member(members, name);
    let mut all: Vec<Vec<u8>> = content.chunks(86).map(<[u8]>::to_vec).collect();
    let what = if random.below(2) == 0 || all.is_empty() {
        rows(&mut all, random);
        "dropped, swapped or doubled".to_owned()
    } else {
        let one = random.below(all.len() as u64) as usize;
        let at = random.below(all[one].len() as u64) as usize;
        all[one][at] ^= 1 << random.below(8);
        format!("the {one}. at byte {at}")
    };
    *content = all.concat();
    format!("{name}: {what}")
}

/// The head, said otherwise and signed anew.
fn checkpoint(members: &mut Members, key: &SigningKey, random: &mut Random) -> String {
    let content = member(members, "checkpoint");
    let note = String::from_utf8_lossy(content).into_owned();
    let (text, signatures) = note.rsplit_once("\n\n").unwrap_or_default();
    let mut head: Vec<String> = text.split('\n').map(str::to_owned).collect();
    head.resize(3, String::new());
    let size = head[1].parse().unwrap_or(0u64);
    let line = format!(
        "\u{2014} witness.example.com {}\n",
        STANDARD.encode([7u8; 76])
    );
    let short = format!(
        "\u{2014} witness.example.com {}\n",
        STANDARD.encode([7u8; 4])
    );
    let (mut before, mut after) = (String::new(), String::new());
    let choice = random.below(13);
    match choice {
        0 => head[1] = (size + 1).to_string(),
        1 => head[1] = size.saturating_sub(1).to_string(),
        2 => head[1].insert(0, *pick(random, &['0', '+', ' ', '\u{661}'])),
        3 => head[2] = STANDARD.encode(Sha256::digest(&head[2])),
        4 => head[2] = head[2].replace('=', ""),
        5 => head.push("extension".to_owned()),
        6 => head[0].push('x'),
        7 => after = line,
        8 => before = line,
        9 => after = short,
        10 => after = (0..random.below(3) + 98).map(|_| line.clone()).collect(),
        11 => after = signatures.to_owned(),
        _ => {
            after = pick(
                random,
                &[
                    "\n",
                    "x\n",
                    "\u{2014}  AAAA\n",
                    "- a AAAAAAAA\n",
                    "\u{2014} a b AAAAAAAA\n",
                    "\u{2014} a+b AAAAAAAA\n",
                    "\u{2014} a AAAAAAAB=\n",
                    "\u{2014} \u{a0} AAAAAAAA\n",
                    "\u{2014} a\tb AAAAAAAA\n",
                ],
            )
            .to_string();
        }
    }
    let text = head.join("\n") + "\n";
    let name = head[0].clone();
    let signed = trailkeep_proof::ledger::note::sign(&text, &name, key);
    // `sign` may refuse a text that no note has; the old signature then stands below it.
    let mut signed = signed.unwrap_or_else(|_| format!("{text}\n{signatures}"));
    if !before.is_empty() {
        signed = signed.replacen("\n\n", &format!("\n\n{before}"), 1);
    }
    *content = (signed + &after).into_bytes();
    format!("checkpoint: {choice}")
}

fn read_json(content: &[u8]) -> Option<Value> {
    serde_json::from_slice(content).ok()
}

/// JSON, in which what stands behind `RAW` is written as it is.
fn write_json(value: &Value) -> String {
    let text = value.to_string();
    let mark = format!("\"{RAW}");
    let mut parts = text.split(&mark);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (raw, rest) = part.split_once('"').unwrap();
        out += &raw.replace("\\\\", "\\").replace('\'', "\"");
        out += rest;
    }
    out
}

/// Changes JSON of a member or of one of its lines.
fn with_json(
    members: &mut Members,
    name: &str,
    random: &mut Random,
    change: impl FnOnce(&mut Value, &mut Random) -> String,
) -> String {
    let content = member(members, name);
    if !LINES.contains(&name) {
        let Some(mut value) = read_json(content) else {
            return String::new();
        };
        let what = change(&mut value, random);
        *content = write_json(&value).into_bytes();
        return format!("{name}: {what}");
    }
    let mut all = lines_of(content);
    if all.is_empty() {
        return format!("{name}: no line");
    }
    let at = random.below(all.len() as u64) as usize;
    let Some(mut value) = read_json(&all[at]) else {
        return String::new();
    };
    let what = change(&mut value, random);
    all[at] = (write_json(&value) + "\n").into_bytes();
    *content = all.concat();
    format!("{name}: line {at}: {what}")
}

/// Anywhere in the JSON: dropped, doubled, moved, of another type.
fn tree(members: &mut Members, random: &mut Random) -> String {
    let names = [
        "manifest.json",
        "manifest.json",
        "proofs.json",
        "proofs.json",
        "events.jsonl",
        "statements.jsonl",
        "dispositions.jsonl",
    ];
    let name = *pick(random, &names);
    with_json(members, name, random, |value, random| {
        let mut what = String::new();
        change_somewhere(value, random, &mut what);
        what
    })
}

fn change_somewhere(value: &mut Value, random: &mut Random, what: &mut String) {
    let deeper = random.below(4) != 0;
    match value {
        Value::Object(map) if !map.is_empty() => {
            let names: Vec<String> = map.keys().cloned().collect();
            let name = pick(random, &names).clone();
            what.extend([".", &name]);
            if deeper {
                return change_somewhere(&mut map[&name], random, what);
            }
            *what += change_map(map, &name, random);
        }
        Value::Array(rows) if !rows.is_empty() => {
            let at = random.below(rows.len() as u64) as usize;
            *what += &format!("[{at}]");
            if deeper {
                return change_somewhere(&mut rows[at], random, what);
            }
            let other = random.below(rows.len() as u64) as usize;
            match random.below(4) {
                0 => drop(rows.remove(at)),
                1 => rows.insert(other, rows[at].clone()),
                2 => rows.swap(at, other),
                _ => rows[at] = another(&rows[at], random),
            }
        }
        other => *other = another(other, random),
    }
    *what += " changed";
}

fn change_map(map: &mut Map<String, Value>, name: &str, random: &mut Random) -> &'static str {
    match random.below(6) {
        0 => {
            map.remove(name);
            " dropped"
        }
        1 => {
            let again = map[name].clone();
            map.insert(format!("{RAW}'{name}'"), again);
            " twice"
        }
        2 => {
            let escaped = format!("{RAW}'\\u{:04x}{}'", name.as_bytes()[0], &name[1..]);
            let again = map[name].clone();
            map.insert(escaped, again);
            " twice by an escape"
        }
        3 => {
            map.insert("unknown".to_owned(), another(&Value::Null, random));
            " beside an unknown"
        }
        4 => {
            let moved = map.remove(name).unwrap();
            map.insert(name.to_ascii_uppercase(), moved);
            " in capitals"
        }
        _ => {
            map[name] = another(&map[name], random);
            " as another value"
        }
    }
}

/// A value in the place of another, near to it or far from it.
fn another(value: &Value, random: &mut Random) -> Value {
    let raw = |text: &str| json!(format!("{RAW}{text}"));
    if random.below(2) == 0 {
        match value {
            Value::Number(number) => {
                let near = number.as_u64().unwrap_or(0);
                return match random.below(8) {
                    0 => json!(near + 1),
                    1 => json!(near.wrapping_sub(1)),
                    2 => raw(&format!("{near}.0")),
                    3 => raw(&format!("{near}e0")),
                    4 => raw(&format!("-{near}")),
                    5 => raw(&format!("0{near}")),
                    6 => json!(near.to_string()),
                    _ => json!(near + (1 << 40)),
                };
            }
            Value::String(text) => {
                let mut other = text.clone();
                match random.below(6) {
                    0 => other.push(*pick(random, &['x', '=', ' ', '\n', '\0', '\u{1F600}'])),
                    1 => drop(other.pop()),
                    2 => other.insert(0, *pick(random, &['x', ' ', '\u{FEFF}', '-'])),
                    3 => other = other.to_ascii_uppercase(),
                    4 => other = other.replace(['+', '/'], "-"),
                    _ => {
                        // The last letter before the padding: bits that canonical base64 has as 0.
                        let end = other.trim_end_matches('=').len();
                        if let Some(at) =
                            end.checked_sub(1).filter(|at| other.is_char_boundary(*at))
                        {
                            other.replace_range(
                                at..end,
                                ["A", "B", "h", "9"][random.below(4) as usize],
                            );
                        }
                    }
                }
                return json!(other);
            }
            _ => {}
        }
    }
    let deep = "[".repeat(70) + &"]".repeat(70);
    match random.below(15) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!([]),
        3 => json!({}),
        4 => json!(""),
        5 => json!(0),
        6 => json!(u64::MAX),
        7 => raw("18446744073709551616"),
        8 => raw("1e400"),
        9 => raw("NaN"),
        10 => raw("'\\ud800'"),
        11 => raw(&deep),
        12 => raw("-0"),
        13 => raw(&format!("1{}", "0".repeat(320))),
        _ => raw("[1,]"),
    }
}

/// A section becomes its digest, which the commitment allows.
fn redact(members: &mut Members, random: &mut Random) -> String {
    let name = *pick(
        random,
        &["events.jsonl", "events.jsonl", "statements.jsonl"],
    );
    let mut gone = String::new();
    let what = with_json(members, name, random, |value, random| {
        let Some(sections) = value["sections"]
            .as_object_mut()
            .filter(|map| !map.is_empty())
        else {
            return "no section".to_owned();
        };
        let names: Vec<String> = sections.keys().cloned().collect();
        gone.clone_from(pick(random, &names));
        let section = &sections[&gone];
        let (Some(salt), Some(text)) = (section["salt"].as_str(), section["json"].as_str()) else {
            return "redacted before".to_owned();
        };
        let mut hash = Sha256::new();
        hash.update(STANDARD.decode(salt).unwrap_or_default());
        hash.update(text);
        sections[&gone] = json!({"digest": STANDARD.encode(hash.finalize())});
        format!("{gone} redacted")
    });
    if random.below(4) != 0 && !gone.is_empty() {
        with_json(members, "manifest.json", random, |value, _| {
            if let Some(listed) = value["redacted_sections"].as_array_mut() {
                listed.push(json!(gone));
            }
            String::new()
        });
        return what + ", and listed";
    }
    what
}

fn count(value: &mut Value, name: &str, by: i64) {
    let counted = value["counts"][name].as_i64().unwrap_or_default();
    if let Some(counts) = value["counts"].as_object_mut() {
        counts.insert(name.to_owned(), json!(counted + by));
    }
}

/// An event's line goes and a disposition says why, well or badly; the counts follow.
fn withhold(members: &mut Members, random: &mut Random) -> String {
    let mut events = lines_of(member(members, "events.jsonl"));
    if events.is_empty() {
        return "no event to withhold".to_owned();
    }
    let gone = events.remove(random.below(events.len() as u64) as usize);
    let Some(line) = read_json(&gone) else {
        return String::new();
    };
    *member(members, "events.jsonl") = events.concat();
    let seq = line["seq"].clone();
    let state = *pick(
        random,
        &[
            "withheld", "withheld", "withheld", "expired", "erased", "lost",
        ],
    );
    let reason = *pick(
        random,
        &[
            "filtered",
            "third-party",
            "privilege",
            "law-enforcement",
            "secret",
        ],
    );
    let row = match (state, random.below(8)) {
        ("withheld", 0) => json!({"seq": seq, "state": state, "reason": reason, "by": 1}),
        ("withheld", 1) => json!({"seq": seq, "state": state}),
        ("withheld", 2) => json!({"seq": seq, "state": state, "reason": reason, "index": null}),
        ("withheld", _) => json!({"seq": seq, "state": state, "reason": reason}),
        (_, by) => json!({"seq": seq, "state": state, "by": 30 + by}),
    };
    let content = member(members, "dispositions.jsonl");
    let mut rows: Vec<Value> = lines_of(content)
        .iter()
        .filter_map(|line| read_json(line))
        .collect();
    rows.push(row);
    rows.sort_by_key(|row| row["seq"].as_u64());
    *content = rows
        .iter()
        .map(|row| format!("{row}\n"))
        .collect::<String>()
        .into_bytes();
    with_json(members, "manifest.json", random, |value, _| {
        count(value, "disclosed", -1);
        count(value, state, 1);
        String::new()
    });
    format!("{seq} {state} {reason}")
}

/// What the manifest says, with a value that another reader might take for the same.
fn manifest(members: &mut Members, random: &mut Random) -> String {
    with_json(
        members,
        "manifest.json",
        random,
        |value, random| match random.below(10) {
            0 => {
                let name = *pick(
                    random,
                    &[
                        "entries",
                        "disclosed",
                        "statements",
                        "expired",
                        "erased",
                        "restricted",
                        "withheld",
                    ],
                );
                count(value, name, if random.below(2) == 0 { 1 } else { -1 });
                format!("counts.{name}")
            }
            1 => {
                let inside = random.below(20);
                let all = value["counts"]["statements"].as_u64().unwrap_or(0);
                value["statements"] =
                    json!({"inside": inside, "outside": all.saturating_sub(inside)});
                format!("statements.inside {inside}")
            }
            2 => {
                value["export_seq"] = json!(random.below(50));
                "export_seq".to_owned()
            }
            3 => {
                let more = *pick(random, &["input", "id", "", "no such section", "input"]);
                value["redacted_sections"] = json!([more, more]);
                format!("redacted_sections {more}")
            }
            4 => {
                let (first, last) = (random.below(50), random.below(50));
                value["range"] = json!({"first": first, "last": last});
                format!("range {first} to {last}")
            }
            5 => {
                value["proof"] = json!(pick(random, &["selection", "range", "Range", ""]));
                "proof".to_owned()
            }
            6 => {
                value["sources"] =
                    pick(random, &[json!([]), json!(null), json!({}), json!([1])]).clone();
                "sources".to_owned()
            }
            7 | 8 => {
                // What a later version may say beside id, version and digest; what a policy can't be.
                let name = *pick(random, &["later", "id", "version", "sha256"]);
                let policies = value["classes"][0]["policies"].as_array_mut();
                if let Some(policy) = policies.and_then(|policies| policies.first_mut()) {
                    policy[name] = json!("other");
                }
                format!("{name} of a policy")
            }
            _ => {
                if let Some(classes) = value["classes"].as_array_mut() {
                    classes.reverse();
                }
                "classes reversed".to_owned()
            }
        },
    )
}

/// The time that a range covers, in forms that readers of RFC 3339 differ about.
fn time(members: &mut Members, random: &mut Random) -> String {
    let forms = [
        "2025-02-07T00:00:00+00:00",
        "2025-02-07t00:00:00z",
        "2025-02-07 00:00:00Z",
        "2025-02-07T00:00:00-00:00",
        "2025-02-07T00:00:00.000000000Z",
        "2025-02-07T00:00:00.0000000001Z",
        "2025-02-07T01:00:00+01:00",
        "2025-02-07T24:00:00Z",
        "2025-02-07T00:00:60Z",
        "2016-12-31T23:59:60Z",
        "2025-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59.999Z",
        "2025-02-07T00:00:00+24:00",
        "2025-02-07T00:00:00.1Z",
        "2025-02-07T00:00:00.Z",
        "2025-02-07T00:00:00",
        "2025-02-07",
        "2025-02-12T12:30:00.0001Z",
        "2025-02-12T12:29:59.9999Z",
        "\u{662}025-02-07T00:00:00Z",
        "2025-02-07T00:00:00Z\n",
        "1969-12-31T23:59:59Z",
    ];
    with_json(members, "manifest.json", random, |value, random| {
        let (name, form) = (*pick(random, &["from", "to"]), *pick(random, &forms));
        if !value["recorded"].is_object() {
            value["recorded"] = json!({"from": null, "to": null});
        }
        value["recorded"][name] = json!(form);
        format!("recorded.{name} {form:?}")
    })
}

/// A statement goes, with its entry, its proof and its count.
fn statement(members: &mut Members, random: &mut Random) -> String {
    let mut all = lines_of(member(members, "statements.jsonl"));
    if all.is_empty() {
        return "no statement".to_owned();
    }
    let gone = all.remove(random.below(all.len() as u64) as usize);
    let Some(seq) = read_json(&gone).and_then(|line| line["seq"].as_u64()) else {
        return String::new();
    };
    *member(members, "statements.jsonl") = all.concat();
    let of = |row: &[u8]| {
        row.get(6..14)
            .map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
    };
    let content = member(members, "statements-entries.bin");
    *content = content
        .chunks(86)
        .filter(|row| of(row) != Some(seq))
        .collect::<Vec<_>>()
        .concat();
    with_json(members, "proofs.json", random, |value, _| {
        if let Some(rows) = value["inclusion"].as_array_mut() {
            rows.retain(|row| row["seq"] != seq);
        }
        String::new()
    });
    with_json(members, "manifest.json", random, |value, _| {
        count(value, "statements", -1);
        String::new()
    });
    format!("statement {seq} left out")
}
