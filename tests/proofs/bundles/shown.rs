//! What people read of a bundle: the counts of an export, and why a file or folder is not verified.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::{check, events, vectors, verifier};
use crate::support::{Directory, said, succeeded};

/// Each number of a line, with the word behind it.
fn numbers(line: &str) -> Vec<u64> {
    let words = line.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn the_printed_counts_of_an_export_add_up() {
    let directory = Directory::new();
    directory.append(&events(20));
    let change = |what: &str, person: &str, more: &[&str]| {
        let words = [&["privacy", what, "--subject", person][..], more].concat();
        succeeded(&directory.run(&words));
    };
    change("erase", "person-3", &["--yes"]);
    change("restrict", "person-4", &["--ground", "contested"]);
    let out = directory.path.with_extension("zip");
    let out = out.to_str().unwrap();
    for question in [&[][..], &["--seq", "4..15"], &["--action", "tool.call"]] {
        let words = [&["export", "--force", "--out", out][..], question].concat();
        let output = directory.run(&words);
        let text = String::from_utf8(succeeded(&output).stdout.clone()).unwrap();
        let line = text.lines().find(|line| line.starts_with("counts"));
        let numbers = numbers(line.unwrap());
        let [entries, parts @ ..] = numbers.as_slice() else {
            panic!("{text}")
        };
        assert_eq!(parts.len(), 6, "{text}");
        assert_eq!(parts.iter().sum::<u64>(), *entries, "{text}");
        let [disclosed, _, erased, restricted, ..] = parts else {
            panic!("{text}")
        };
        assert!(*disclosed > 0, "{text}");
        // A selection has only what is disclosed.
        let is_range = !question.contains(&"--action");
        assert_eq!(is_range, *erased > 0 && *restricted > 0, "{text}");
    }
}

/// How the verifier ends, and what it says.
fn refused(path: &Path) -> (Option<i32>, String) {
    let key = vectors().join("public.pem");
    let output = verifier().arg(path).arg("--key").arg(key).output().unwrap();
    (output.status.code(), said(&output))
}

#[test]
fn a_text_in_utf_16_and_an_empty_folder_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = refused(folder.path());
    assert_eq!(code, Some(2), "{text}");
    let saved = folder.path().join("receipt.txt");
    let units = "c2sp.org/tlog-proof@v1\n".encode_utf16();
    for bytes in [
        [0xFF, 0xFE]
            .into_iter()
            .chain(units.clone().flat_map(u16::to_le_bytes))
            .collect::<Vec<u8>>(),
        [0xFE, 0xFF]
            .into_iter()
            .chain(units.flat_map(u16::to_be_bytes))
            .collect(),
    ] {
        std::fs::write(&saved, bytes).unwrap();
        let (code, text) = refused(&saved);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("UTF-16"), "{text}");
    }
}

#[test]
fn what_is_no_file_in_the_folder_of_a_bundle_is_named_with_what_to_do() {
    use trailkeep_proof::bundle::archive::Archive;
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(vectors().join("full.zip")).unwrap();
    let archive = Archive::open(&bytes).unwrap();
    for member in archive.members() {
        let content = archive.read_small(&member.name).unwrap().unwrap();
        std::fs::write(folder.path().join(&member.name), content).unwrap();
    }
    let key = vectors().join("public.pem");
    assert_eq!(check(folder.path(), &key, &[]).1, Some(0));
    let stray = folder.path().join("stray");
    let assert_named = |what: &str| {
        let (code, text) = refused(folder.path());
        assert_eq!(code, Some(1), "{what}: {text}");
        assert!(text.contains("`stray`"), "{what}: {text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("move it out of the folder, or name the bundle's own file"),
            "{what}: {text}"
        );
    };
    std::fs::create_dir(&stray).unwrap();
    assert_named("a directory");
    std::fs::remove_dir(&stray).unwrap();
    symlink("manifest.json", &stray).unwrap();
    assert_named("a link");
    std::fs::remove_file(&stray).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &stray,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert_named("a pipe");
}
