use crate::anchor::settings::*;

const KEY: &str = "w.example/1";

fn witness_key() -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]).verifying_key();
    WitnessKey::from_public(KEY, &key).to_string()
}

fn read(text: &str) -> Result<AnchorSettings, AnchorSettingsError> {
    #[derive(Deserialize)]
    struct File {
        anchor: Vec<AnchorSection>,
    }
    AnchorSettings::read(toml::from_str::<File>(text).unwrap().anchor)
}

#[test]
fn sections_become_targets() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n").unwrap();
    let text = format!(
        "[[anchor]]\nname = 'nas'\ndirectory = '/mnt/nas'\n\
         [[anchor]]\nname = 'hook'\nwebhook = 'https://h.example/x?token=s3cret'\nsecret_file = '{}'\ntenants = ['default']\n\
         [[anchor]]\nname = 'w1'\nwitness = 'https://w.example/1/'\nkey = '{}'\nevery_seconds = 5\n",
        secret.display(),
        witness_key()
    );
    let settings = read(&text).unwrap();
    let shown: Vec<String> = settings
        .targets
        .iter()
        .map(|target| target.place.shown())
        .collect();
    assert_eq!(
        shown,
        [
            "/mnt/nas",
            "https://h.example",
            "https://w.example/1/add-checkpoint"
        ]
    );
    assert_eq!(settings.targets[2].every, Duration::from_secs(5));
    assert!(!format!("{settings:?}").contains("0123"), "{settings:?}");
    let other = TenantName::new("other").unwrap();
    assert!(settings.targets[0].is_for(&other) && !settings.targets[1].is_for(&other));
}

#[test]
fn what_can_not_be_is_refused_by_name() {
    let key = witness_key();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "abc\n").unwrap();
    let token = token.display();
    for (body, says) in [
        (
            "directory = '/x'\nwebhook = 'https://a.b/'".to_owned(),
            "give one of",
        ),
        (String::new(), "give one of"),
        ("directory = 'x'".to_owned(), "absolute"),
        (
            "directory = '/x'\nkey = 'k'".to_owned(),
            "`key` does not apply",
        ),
        (
            "webhook = 'ftp://a.b/'".to_owned(),
            "`webhook` must be a URL",
        ),
        (
            format!("webhook = 'http://a.b/'\nbearer_file = '{token}'"),
            "https",
        ),
        (
            format!("webhook = 'https://a.b/'\nsecret_file = '{token}'"),
            "whsec_",
        ),
        (
            "webhook = 'https://a.b/'\nbearer_file = '/nowhere/at/all'".to_owned(),
            "/nowhere/at/all",
        ),
        ("witness = 'https://a.b/'".to_owned(), "needs `key`"),
        (
            "witness = 'https://a.b/'\nkey = 'a+b+c'".to_owned(),
            "verifier key",
        ),
        (
            "directory = '/x'\nevery_seconds = 0".to_owned(),
            "every_seconds",
        ),
        (
            "directory = '/x'\ntenants = ['Not One']".to_owned(),
            "Not One",
        ),
    ] {
        let error = read(&format!("[[anchor]]\nname = 'a1'\n{body}\n")).unwrap_err();
        assert!(error.to_string().contains(says), "{body}: {error}");
        assert!(error.to_string().contains("`a1`"), "{error}");
    }
    for name in ["", "A", "a b", &"a".repeat(65)] {
        assert!(read(&format!("[[anchor]]\nname = '{name}'\ndirectory = '/x'\n")).is_err());
    }
    let twice =
        format!("[[anchor]]\nname = 'a'\nwitness = 'http://a.b/'\nkey = '{key}'\n").repeat(2);
    assert!(
        read(&twice)
            .unwrap_err()
            .to_string()
            .contains("another section")
    );
}
