//! All at once against one step after the other: where the first says anything, it says the same.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use super::*;
use crate::bundle::sums::{self, Sum};

/// Sizes of a batch: each line alone, some lines, all.
const BATCHES: [usize; 3] = [1, 4_000, flow::BATCH_BYTES];

struct Folder {
    files: Vec<(String, Vec<u8>)>,
    bytes: Vec<u8>,
}

impl Source for Folder {
    fn size_bytes(&self) -> io::Result<u64> {
        self.bytes.size_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read_at(offset, buffer)
    }
}

impl Unpacked for Folder {
    fn files(&self) -> Vec<(&str, u64)> {
        let files = self.files.iter();
        files
            .map(|(name, bytes)| (name.as_str(), bytes.len() as u64))
            .collect()
    }

    fn had_junk(&self) -> bool {
        false
    }
}

#[derive(Clone)]
struct Members(Vec<(String, Vec<u8>)>);

impl Members {
    fn read(bundle: &Path) -> Self {
        let bytes = std::fs::read(bundle).unwrap();
        let archive = Archive::open(&bytes).unwrap();
        let content = |name: &str| archive.read_small(name).unwrap().unwrap();
        let members = archive.members().iter();
        Self(
            members
                .map(|member| (member.name.clone(), content(&member.name)))
                .collect(),
        )
    }

    fn get(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.0.iter_mut().find(|(known, _)| known == name);
        &mut found.unwrap().1
    }

    /// Makes the sums those of the members, but for what is changed in them, and signs them.
    fn seal(mut self, change: impl FnOnce(&mut Vec<Sum>)) -> Self {
        let others = self
            .0
            .iter()
            .filter(|(name, _)| !name.starts_with("SHA256SUMS"));
        let mut all: Vec<Sum> = others
            .map(|(name, bytes)| Sum {
                name: name.clone(),
                sha256: Sha256::digest(bytes).into(),
            })
            .collect();
        change(&mut all);
        let list = sums::format(all);
        let digits = std::fs::read_to_string(vectors().join("signing-key.hex")).unwrap();
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
        let key: Vec<u8> = (0..32).map(byte).collect();
        let key = SigningKey::from_bytes(&key.try_into().unwrap());
        *self.get(member::SUMS_SIGNATURE) = sums::sign(&list, &key).to_vec();
        *self.get(member::SUMS) = list.into_bytes();
        self
    }

    fn folder(self) -> Folder {
        let bytes = self.0.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        Folder {
            files: self.0,
            bytes,
        }
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bundle/vectors")
}

fn key(name: &str) -> PublicKey {
    PublicKey::parse(&std::fs::read_to_string(vectors().join(name)).unwrap()).unwrap()
}

/// The findings of the steps in order. All at once, there is the same report where there are none, else no report.
fn findings(archive: &Archive<'_>, key: &PublicKey) -> Vec<Finding> {
    let question = Question {
        key,
        against: None,
        witnesses: &[],
    };
    let in_order = verify_in_order(archive, &question, &mut |_, _| ()).unwrap();
    for batch_bytes in BATCHES {
        let mut told = (0, 0);
        let mut tell = |done, total| told = (done, total);
        match at_once::verify(archive, &question, &mut tell, batch_bytes) {
            Some(report) => {
                let json = |report: &Report| serde_json::to_value(report).unwrap();
                assert_eq!(json(&report), json(&in_order));
                assert!(report.authentic, "{:?}", report.findings);
                assert!(told.1 > 0 && told.0 == told.1, "{told:?}");
            }
            None => assert!(!in_order.findings.is_empty(), "batches of {batch_bytes}"),
        }
    }
    in_order.findings
}

fn rules(members: Members) -> Vec<&'static str> {
    let folder = members.folder();
    let findings = findings(&Archive::of_folder(&folder).unwrap(), &key("public.pem"));
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn every_bundle_of_another_program_is_judged_the_same() {
    let (mut good, mut hostile) = (0, 0);
    for folder in [vectors(), vectors().join("hostile")] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "zip") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let Ok(archive) = Archive::open(&bytes) else {
                continue;
            };
            let changed = path.ends_with("key-change.zip");
            let key = key(if changed {
                "key-change-public.pem"
            } else {
                "public.pem"
            });
            if findings(&archive, &key).is_empty() {
                good += 1;
            } else {
                hostile += 1;
            }
        }
    }
    assert!(good > 6 && hostile > 20, "{good} and {hostile}");
}

#[test]
fn a_change_of_a_member_is_found_with_and_without_its_digest() {
    for bundle in ["full.zip", "selection.zip"] {
        let whole = Members::read(&vectors().join(bundle));
        assert_eq!(rules(whole.clone().seal(|_| ())), [""; 0]);
        for name in [member::EVENTS, member::TABLE, member::ENTRIES] {
            let length = whole.clone().get(name).len();
            for at in (0..length).step_by(length / 40).chain([length - 1]) {
                let mut changed = whole.clone();
                changed.get(name)[at] ^= 1;
                let unsealed = rules(changed.clone());
                assert!(unsealed.contains(&"sums"), "{name} at {at}: {unsealed:?}");
                let sealed = rules(changed.seal(|_| ()));
                assert!(
                    !sealed.is_empty() && !sealed.contains(&"sums"),
                    "{name} at {at}: {sealed:?}"
                );
            }
        }
    }
}

#[test]
fn a_member_that_is_cut_or_longer_is_found() {
    let whole = Members::read(&vectors().join("full.zip"));
    for name in [member::EVENTS, member::TABLE, member::ENTRIES] {
        let bytes = whole.clone().get(name).clone();
        let lines: Vec<usize> = if name == member::ENTRIES {
            (0..bytes.len()).step_by(86).collect()
        } else {
            let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let starts = ends.map(|(at, _)| at + 1);
            let starts = [0].into_iter().chain(starts);
            starts.filter(|start| *start < bytes.len()).collect()
        };
        let ends = lines.iter().copied().chain([bytes.len() - 1, 10]);
        for content in ends.map(|end| bytes[..end].to_vec()).chain([
            [&bytes[..], b"\n"].concat(),
            [&bytes[..], b"x"].concat(),
            [&bytes[..], b"{\"seq\":999999,\"sections\":{}}\n"].concat(),
            [b"{\"seq\":0,\"sections\":{}}\n", &bytes[..]].concat(),
            [&bytes[..], &bytes[..bytes.len().min(86)]].concat(),
            bytes.repeat(2),
        ]) {
            let mut changed = whole.clone();
            *changed.get(name) = content;
            assert!(rules(changed.clone()).contains(&"sums"), "{name}");
            assert!(!rules(changed.seal(|_| ())).is_empty(), "{name}");
        }
    }
}

#[test]
fn a_digest_that_is_not_the_members_is_found_though_all_lines_hold() {
    let whole = Members::read(&vectors().join("full.zip"));
    let names: Vec<String> = whole.0.iter().map(|(name, _)| name.clone()).collect();
    for name in names {
        if name.starts_with("SHA256SUMS") {
            continue;
        }
        let changed = whole.clone().seal(|sums| {
            let sum = sums.iter_mut().find(|sum| sum.name == name);
            sum.unwrap().sha256[31] ^= 1;
        });
        assert_eq!(rules(changed), ["sums"], "{name}");
        let unlisted = whole
            .clone()
            .seal(|sums| sums.retain(|sum| sum.name != name));
        assert!(rules(unlisted).contains(&"sums"), "{name}");
    }
}

#[test]
fn bytes_of_the_file_that_are_changed_are_found() {
    let bytes = std::fs::read(vectors().join("full.zip")).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 300) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        if let Ok(archive) = Archive::open(&changed) {
            findings(&archive, &key("public.pem"));
        }
    }
}

/// A file that can't be read at some place, as on a broken disk.
struct Broken(Vec<u8>, std::ops::Range<u64>);

impl Source for Broken {
    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = offset + buffer.len() as u64;
        if offset < self.1.end && end > self.1.start {
            return Err(io::Error::other("a bad sector"));
        }
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_and_no_verdict() {
    let bytes = std::fs::read(vectors().join("full.zip")).unwrap();
    let middles: Vec<u64> = {
        let archive = Archive::open(&bytes).unwrap();
        [
            member::EVENTS,
            member::TABLE,
            member::ENTRIES,
            member::REPORT,
        ]
        .map(|name| archive.middle_of(name).unwrap())
        .to_vec()
    };
    let key = key("public.pem");
    let question = Question {
        key: &key,
        against: None,
        witnesses: &[],
    };
    for middle in middles {
        let source = Broken(bytes.clone(), middle..middle + 1);
        let error = verify(&source, &question, &mut |_, _| ()).unwrap_err();
        assert_eq!(error.to_string(), "a bad sector");
    }
}
