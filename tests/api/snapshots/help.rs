//! The help of every command, hidden ones too.

use std::collections::BTreeSet;

use super::assert_same;
use crate::support::{succeeded, trailkeep};

/// Old names, which the help leaves out.
const HIDDEN: &[&[&str]] = &[&["vault-copy"], &["hold", "lift"]];

fn help_of(command: &[&str]) -> String {
    let output = trailkeep().args(command).arg("--help").output().unwrap();
    String::from_utf8(succeeded(&output).stdout.clone()).unwrap()
}

/// The commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let (_, list) = help.split_once("\nCommands:\n").unwrap_or_default();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    names.map(str::to_owned).collect()
}

/// Adds the help of a command and of all below it.
fn collect(command: &[&str], text: &mut String, seen: &mut BTreeSet<String>) {
    let help = help_of(command);
    seen.insert(command.join(" "));
    text.extend(["$ trailkeep ", &command.join(" "), " --help\n", &help, "\n"]);
    for name in below(&help) {
        collect(&[command, &[name.as_str()]].concat(), text, seen);
    }
}

#[test]
fn the_help_is_as_checked_in() {
    let whole = help_of(&[]);
    assert_same("help", None, &whole);
    let mut seen = BTreeSet::new();
    for name in below(&whole) {
        let mut text = String::new();
        collect(&[&name], &mut text, &mut seen);
        for hidden in HIDDEN
            .iter()
            .filter(|hidden| hidden.len() > 1 && hidden[0] == name)
        {
            collect(hidden, &mut text, &mut seen);
        }
        assert_same(&format!("help-{name}"), None, &text);
    }
    for hidden in HIDDEN.iter().filter(|hidden| hidden.len() == 1) {
        let mut text = String::new();
        collect(hidden, &mut text, &mut seen);
        assert_same(&format!("help-{}", hidden[0]), None, &text);
    }
    assert!(seen.len() > 70, "{seen:?}");
}
