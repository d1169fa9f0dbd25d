//! What a person sees on a terminal of some width: tables that fit, help that is wrapped once, words for numbers.

use std::process::{Command, Output};

use crate::support::{Directory, root, succeeded, trailkeep};

/// Listing commands, without their directory.
const LISTS: &[&str] = &[
    "access list",
    "anchor list",
    "hold list",
    "key list",
    "policy gaps",
    "policy list",
    "prices list",
    "prices diff shipped tests/data/prices.toml",
    "policy explain --regime hipaa --regime gdpr-minimal --recorded-at 2024-11-24",
    "privacy erase --subject customer-with-a-rather-long-name --dry-run",
    "privacy list",
    "prompt list",
    "query",
    "query --columns seq,recorded_at,id,leaf_hash,action,outcome,actor_id,actor_type,subjects,input",
    "retention explain order-number-1-of-a-rather-long-name",
    "retention preview --as-of 2040-01-01",
    "retention triggers",
    "sources",
    "tenant list",
    "vault-replica list",
];

#[allow(clippy::print_stderr, reason = "a test says what it did not run")]
/// What a command prints on a terminal of this width; none where there is no `script`.
fn on_terminal(columns: usize, directory: &Directory, line: &str) -> Option<String> {
    let program = trailkeep().get_program().to_owned();
    let command = format!(
        "stty cols {columns} rows 40; {} {line}",
        program.to_str().unwrap()
    );
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TRAILKEEP_DIR", &directory.path)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: script (util-linux) is not here");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{line}: {text}");
    Some(text.replace('\r', ""))
}

fn run(directory: &Directory, line: &str) -> Output {
    trailkeep()
        .args(line.split(' '))
        .current_dir(root())
        .env("TRAILKEEP_DIR", &directory.path)
        .output()
        .unwrap()
}

fn filled() -> Directory {
    let directory = Directory::new();
    for number in 0..3 {
        directory.append(&format!(
            r#"{{"id":"order-number-{number}-of-a-rather-long-name","action":"chat.completion.with.a.long.name","actor":{{"id":"support-bot-of-the-night"}},"subjects":[{{"id":"customer-with-a-rather-long-name"}}],"input":"客客客客客客客客客客客客客客客客客客客客客客客客客客客客客客","regimes":["hipaa"],"source":{{"name":"checkout-service","seq":{}}}}}"#,
            number * 2 + 1
        ));
    }
    for line in [
        "hold place --matter Doe-v.-Acme-and-others --reason the-regulator-asked-for-all-of-it --subject customer-with-a-rather-long-name --regime hipaa",
        "key create --role writer --expires P90D",
        "tenant create acme",
        "privacy file --subject customer-with-a-rather-long-name --reference T-2041-of-the-desk",
        "retention trigger audit_concluded --record audit-of-the-year-2026-of-acme --at 2026-11-01",
    ] {
        succeeded(&run(&directory, line));
    }
    directory
}

#[test]
fn every_table_fits_the_terminal_and_wide_shows_all() {
    let directory = filled();
    let mut narrowed = 0;
    for line in LISTS {
        let whole = run(&directory, line);
        let whole = String::from_utf8(succeeded(&whole).stdout.clone()).unwrap();
        for columns in [80, 60] {
            let Some(text) = on_terminal(columns, &directory, line) else {
                return;
            };
            // Of the wide characters of the events a table has its own test. A longer word stays whole.
            let rows = text.lines().filter(|row| !row.contains('客'));
            for row in rows.filter(|row| row.contains(' ') || is_of_table(row)) {
                assert!(row.chars().count() <= columns, "{line}: {columns}:\n{text}");
            }
            let is_narrowed = text.replace('\n', " ").contains("-o wide shows all");
            let is_wide = whole
                .lines()
                .any(|row| is_of_table(row) && row.chars().count() > columns);
            assert_eq!(is_narrowed, is_wide, "{line}: {columns}:\n{text}\n{whole}");
            narrowed += usize::from(is_narrowed);
        }
        assert!(!whole.contains("-o wide"), "{whole}");
        let wide = on_terminal(60, &directory, &format!("{line} -o wide")).unwrap();
        let tables = |text: &str| -> Vec<String> {
            let rows = text.lines().filter(|row| is_of_table(row));
            rows.map(str::to_owned).collect()
        };
        // A listing records that it was read.
        if *line != "access list" && *line != "tenant list" {
            assert_eq!(tables(&wide), tables(&whole), "{line}");
        }
    }
    assert!(narrowed > 20, "{narrowed}");
}

#[test]
fn a_listing_of_accesses_keeps_time_and_route_on_80_columns() {
    let directory = filled();
    succeeded(&run(
        &directory,
        "show order-number-1-of-a-rather-long-name --purpose complaint-4711",
    ));
    let Some(text) = on_terminal(80, &directory, "access list") else {
        return;
    };
    assert!(text.contains("read /v1/events/{id}"), "{text}");
    assert!(text.contains("trailkeep.privacy.receive"), "{text}");
    let times = text
        .lines()
        .filter(|row| row.contains('T') && row.contains(':'));
    assert!(times.count() > 3, "a time shows its seconds: {text}");
    assert!(text.contains("not shown: "), "{text}");
}

/// A frame, a row or the line below a table.
fn is_of_table(row: &str) -> bool {
    row.starts_with([' ', '─', '═']) || row.contains("shortened: ") || row.contains("not shown: ")
}

#[test]
fn help_is_wrapped_once() {
    let directory = Directory::new();
    for (columns, command) in [
        (80, "hold place"),
        (60, "hold place"),
        (80, "query"),
        (80, ""),
    ] {
        let Some(help) = on_terminal(columns, &directory, &format!("{command} --help")) else {
            return;
        };
        let lines: Vec<&str> = help.lines().collect();
        for pair in lines.windows(2) {
            // clap does not wrap the line of the usage.
            let fits = pair[0].chars().count() <= columns || pair[0].starts_with("Usage: ");
            assert!(fits, "{command}: {help}");
            // A line of prose that ends early, with prose behind it whose first word had found room.
            let is_prose = |line: &str| !line.is_empty() && !line.contains("  ");
            let first = pair[1].split(' ').next().unwrap_or_default();
            let had_room = pair[0].chars().count() + 1 + first.chars().count() <= columns;
            let may_end = pair[0].ends_with(':');
            if is_prose(pair[0]) && is_prose(pair[1]) && !may_end {
                assert!(!had_room, "{command}: {pair:?}\n{help}");
            }
        }
    }
}

#[test]
fn the_connection_comes_after_what_a_command_is_about() {
    let output = trailkeep().args(["query", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let at = |what: &str| help.find(what).unwrap_or_else(|| panic!("{what}: {help}"));
    assert!(at("--action") < at("Connection:"));
    assert!(at("Connection:") < at("--dir"));
    assert!(at("--json") < at("--token"));
}

#[test]
fn people_read_periods_and_sizes_and_programs_numbers() {
    let directory = Directory::new();
    let text = |line: &str| {
        let output = run(&directory, line);
        String::from_utf8(succeeded(&output).stdout.clone()).unwrap()
    };
    let list = text("policy list");
    assert!(
        list.contains("6 years 3 months") && list.contains("90 days"),
        "{list}"
    );
    let json = text("policy list --json");
    assert!(json.contains("\"P6Y3M\""), "{json}");
    let out = directory.path.with_extension("zip");
    let exported = text(&format!("export --out {}", out.display()));
    assert!(exported.contains(" KiB"), "{exported}");
    let shown = text(&format!("bundle show {}", out.display()));
    assert!(
        shown.contains(" KiB") && shown.contains(" bytes"),
        "{shown}"
    );
    let json = text(&format!("bundle show {} --json", out.display()));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["members"][0]["bytes"].is_u64());
}

#[test]
fn man_pages_are_written_for_every_command_that_is_shown() {
    let directory = Directory::new();
    let out = directory.path.with_extension("man");
    succeeded(&run(&directory, &format!("man --out {}", out.display())));
    let page = std::fs::read_to_string(out.join("trailkeep-query.1")).unwrap();
    assert!(page.contains("\\-\\-action"), "{page}");
    assert!(out.join("trailkeep.1").exists() && out.join("trailkeep-hold-place.1").exists());
    assert!(!out.join("trailkeep-hold-lift.1").exists());
    if let Ok(output) = Command::new("man")
        .arg("-l")
        .arg(out.join("trailkeep.1"))
        .output()
    {
        assert!(output.status.success(), "{output:?}");
    }
}
