use super::*;

/// Reads a file's text without the environment of the test.
fn faults_of(text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let file = SettingsFile::parse(Path::new("t.toml"), text, &mut faults);
    let mut layers = Layers {
        flags: Flags::default(),
        file: Some(file),
        faults,
    };
    layers.settings();
    layers.faults
}

#[test]
fn every_fault_is_said_with_its_line_and_remedy() {
    let faults = faults_of(
        "listen = \"8787\"\nlisten_on = \"x\"\nmin_free_bytes = [1]\n\n[otlp]\nquiet = 3\nkeep = \"some\"\n[unknown]\nkey = 1\n",
    );
    let places: Vec<(&str, &str)> = faults
        .iter()
        .map(|fault| (fault.place.as_str(), fault.key.as_str()))
        .collect();
    let expected = [
        ("t.toml:2", "listen_on"),
        ("t.toml:3", "min_free_bytes"),
        ("t.toml:6", "otlp.quiet"),
        ("t.toml:8", "unknown"),
        ("t.toml:1", "listen"),
        ("t.toml:7", "otlp.keep"),
    ];
    for place in expected {
        assert!(places.contains(&place), "{place:?} is not in {faults:?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    let unknown = &faults
        .iter()
        .find(|fault| fault.key == "otlp.quiet")
        .unwrap();
    assert_eq!(unknown.remedy, "keys are: quiet_ms, wait_max_ms, keep");
    assert!(faults.iter().all(|fault| !fault.problem.is_empty()));
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let faults = faults_of("listen = \"127.0.0.1:1\"\nretention_hour = \n");
    assert_eq!(faults[0].place, "t.toml:2", "{faults:?}");
}

#[test]
fn numbers_may_be_grouped_and_hours_be_texts() {
    for text in [
        "min_free_bytes = 1_000_000\nretention_hour = 23",
        "min_free_bytes = \"7\"\nretention_hour = \"none\"",
    ] {
        assert_eq!(faults_of(text), []);
    }
    assert_eq!(faults_of("retention_hour = 24").len(), 1);
}

#[test]
fn two_sources_of_the_root_key_in_one_place_are_refused_and_a_stronger_place_decides() {
    let both = "root_key_file = \"a\"\nroot_key_command = \"b\"\n";
    let faults = faults_of(both);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].place, "t.toml:2");

    let mut faults = Vec::new();
    let text = "root_key_command = \"b\"\n";
    let file = SettingsFile::parse(Path::new("t.toml"), text, &mut faults);
    let mut layers = Layers {
        flags: Flags([("root_key_file", "a".to_owned())].into()),
        file: Some(file),
        faults,
    };
    let settings = layers.settings().unwrap();
    assert_eq!(settings.root_key, RootKeySource::File("a".into()));
    assert_eq!(layers.faults, []);
}
