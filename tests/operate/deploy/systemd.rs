//! The units: their commands are ours, systemd takes them, and what a break-in could reach is small.

use super::*;

const SERVICES: [&str; 2] = ["trailkeep.service", "trailkeep-backup.service"];
/// The exposure that `systemd-analyze security` may find, of 100.
const EXPOSURE_MAX: u32 = 20;

fn unit(name: &str) -> String {
    read(&format!("systemd/{name}"))
}

fn settings<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn the_units_run_commands_that_there_are() {
    for name in SERVICES {
        let text = unit(name);
        let started = settings(&text, "ExecStart");
        assert_eq!(started.len(), 1, "{name}");
        let line = words(started[0]);
        assert_eq!(line[0], PROGRAM, "{name}");
        assert_taken(&line[1..]);
        for variable in settings(&text, "Environment") {
            assert_known_variable(&line[1], variable.split('=').next().unwrap());
        }
        assert_eq!(settings(&text, "User"), ["trailkeep"]);
        // The key is root's, and its copy is where the variable says.
        let credential = settings(&text, "LoadCredential")[0]
            .split(':')
            .next()
            .unwrap();
        let variable = format!("TRAILKEEP_ROOT_KEY_FILE=%d/{credential}");
        assert!(
            settings(&text, "Environment").contains(&variable.as_str()),
            "{name}"
        );
    }
    // The service may write where the settings' file says that the data is, and the backup where it goes.
    let service = unit("trailkeep.service");
    let directory = format!("/var/lib/{}", settings(&service, "StateDirectory")[0]);
    assert!(read("trailkeep.toml").contains(&format!("dir = \"{directory}\"")));
    let backup = unit("trailkeep-backup.service");
    let line = words(settings(&backup, "ExecStart")[0]);
    let value = |flag: &str| line[line.iter().position(|word| word == flag).unwrap() + 1].clone();
    let writable = words(settings(&backup, "ReadWritePaths")[0]);
    assert_eq!(value("--dir"), directory);
    for path in [value("--dir"), value("--out")] {
        assert!(
            writable.iter().any(|known| path.starts_with(known)),
            "{path}"
        );
    }
    // While the server runs, it is the server that writes the backup. A disk that is missing does not stop it.
    let by_the_server = words(&settings(&service, "ReadWritePaths").join(" "));
    let optional = by_the_server
        .iter()
        .filter_map(|path| path.strip_prefix('-'));
    let is_let = |path: &str| value("--out").starts_with(path);
    assert!(optional.into_iter().any(is_let), "{by_the_server:?}");
    assert_eq!(
        settings(&unit("trailkeep-backup.timer"), "Persistent"),
        ["yes"]
    );
}

/// The units in a folder of their own, with this build in the place of the installed program.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [&SERVICES[..], &["trailkeep-backup.timer"]].concat() {
        let text = unit(name).replace(PROGRAM, env!("CARGO_BIN_EXE_trailkeep"));
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn analyze(arguments: &[&str], folder: &std::path::Path, name: &str) -> Option<(bool, String)> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(folder.join(name))
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display()))
        .output();
    let Ok(output) = output else {
        eprintln!("systemd-analyze is not there: units were not looked at");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    Some((output.status.success(), text))
}

#[test]
fn systemd_takes_the_units() {
    let folder = installed();
    for name in [&SERVICES[..], &["trailkeep-backup.timer"]].concat() {
        let Some((is_fine, text)) = analyze(&["verify", "--man=no"], folder.path(), name) else {
            return;
        };
        let about_ours: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("trailkeep"))
            .collect();
        assert!(is_fine && about_ours.is_empty(), "{name}: {text}");
    }
    // What it does not know it says.
    let broken = unit(SERVICES[0]).replace("ProtectHome=yes", "ProtectHomes=yes");
    std::fs::write(folder.path().join(SERVICES[0]), broken).unwrap();
    let (_, text) = analyze(&["verify", "--man=no"], folder.path(), SERVICES[0]).unwrap();
    assert!(text.contains("ProtectHomes"), "{text}");
}

#[test]
fn little_of_the_machine_is_exposed() {
    let folder = installed();
    for name in SERVICES {
        let limit = format!("--threshold={EXPOSURE_MAX}");
        let asked = ["security", "--offline=true", "--no-pager", &limit];
        let Some((is_fine, text)) = analyze(&asked, folder.path(), name) else {
            return;
        };
        if text.contains("unrecognized option") {
            eprintln!("this systemd can't look at units offline: {}", text.trim());
            return;
        }
        assert!(is_fine, "{name}: {text}");
    }
}
