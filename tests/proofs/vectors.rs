//! Vectors that others published: those of tests/vectors, and some from beside the checkout that came without their licence's text.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it did not run"
)]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trailkeep_proof::ids::{LeafHash, RootHash, TreeHash};
use trailkeep_proof::ledger::merkle::{Frontier, verify_consistency, verify_inclusion};
use trailkeep_proof::ledger::note::{SignedNote, VerifierKey};
use trailkeep_proof::ledger::tile::{
    EdgeTiles, TileCoordinate, TileSource, consistency_path, hashes_from_bytes, hashes_to_bytes,
    inclusion_path,
};

/// The folder of vectors that the project carries, with its licence and its source.
fn vectors(folder: &str) -> PathBuf {
    crate::support::root().join("tests/vectors").join(folder)
}

/// The folder of vectors that the project may not carry, beside the checkout.
fn vectors_beside(folder: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("TRAILKEEP_SHARED")
        .map_or_else(|| crate::support::root().join("../shared"), PathBuf::from);
    let path = shared.join("vectors").join(folder);
    if !path.is_dir() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files
}

/// Hashes in base64; a hash of a wrong length makes the whole path unreadable, which is a refusal.
fn hashes(value: &Value) -> Option<Vec<TreeHash>> {
    let empty = Vec::new();
    let list = value.as_array().unwrap_or(&empty);
    list.iter()
        .map(|hash| TreeHash::from_base64(hash.as_str().unwrap()))
        .collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[test]
fn rfc_6962_inclusion() {
    let folder = vectors("merkle");
    let files = json_files(&folder.join("inclusion"));
    assert!(files.len() > 50, "{} cases", files.len());
    for file in files {
        let case = json(&file);
        let verified = (|| {
            let leaf = LeafHash::from_base64(text(&case, "leafHash"))?;
            let root = RootHash::from_base64(text(&case, "root"))?;
            let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
            verify_inclusion(index, size, &leaf, &hashes(&case["proof"])?, &root).ok()
        })();
        assert_eq!(
            verified.is_none(),
            case["wantErr"].as_bool().unwrap(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn rfc_6962_consistency() {
    let folder = vectors("merkle");
    let files = json_files(&folder.join("consistency"));
    assert!(files.len() > 50, "{} cases", files.len());
    for file in files {
        let case = json(&file);
        let verified = (|| {
            let roots = (
                root_or_stand_in(text(&case, "root1")),
                root_or_stand_in(text(&case, "root2")),
            );
            let (from, to) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
            verify_consistency(from, to, &roots.0, &roots.1, &hashes(&case["proof"])?).ok()
        })();
        assert_eq!(
            verified.is_none(),
            case["wantErr"].as_bool().unwrap(),
            "{}",
            file.display()
        );
    }
}

/// Some cases have a few words in the place of a root that they don't care about; only whether two of them
/// are the same matters then, so their hashes stand for them.
fn root_or_stand_in(text: &str) -> RootHash {
    RootHash::from_base64(text).unwrap_or_else(|| RootHash::new(Sha256::digest(text).into()))
}

#[test]
fn sigsum_inclusion() {
    let Some(folder) = vectors_beside("sigsum") else {
        return;
    };
    for (name, valid) in [
        ("inclusion-valid.json", true),
        ("inclusion-invalid.json", false),
    ] {
        let cases = json(&folder.join(name));
        for case in cases.as_array().unwrap() {
            let verified = (|| {
                let leaf = LeafHash::from_base64(text(case, "leaf_hash"))?;
                let root = RootHash::from_base64(text(case, "root_hash"))?;
                let (index, size) = (case["leaf_index"].as_u64()?, case["tree_size"].as_u64()?);
                verify_inclusion(index, size, &leaf, &hashes(&case["inclusion_path"])?, &root).ok()
            })();
            assert_eq!(verified.is_some(), valid, "{name}: {case}");
        }
    }
}

/// The tiles of a log on disk, as its writer left them.
struct LogFiles {
    folder: PathBuf,
    size: u64,
}

impl TileSource for LogFiles {
    type Error = std::convert::Infallible;

    fn tile(&self, tile: TileCoordinate, _width: u16) -> Result<Vec<TreeHash>, Self::Error> {
        assert_eq!(tile, TileCoordinate { level: 0, index: 0 });
        let bytes = fs::read(self.folder.join(format!("tile/0/000.p/{}", self.size))).unwrap();
        Ok(hashes_from_bytes(&bytes).unwrap())
    }
}

#[test]
fn a_whole_log_of_another_program() {
    let folder = vectors("tessera-log");
    let folder = folder.join("log");
    let key = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let key = VerifierKey::parse(key).unwrap();
    let mut roots = Vec::new();
    for size in 0..=15_u64 {
        let note = fs::read_to_string(folder.join(format!("checkpoint.{size}"))).unwrap();
        let note = SignedNote::parse(&note).unwrap();
        note.verify(&key).unwrap();
        let lines: Vec<&str> = note.text().lines().collect();
        assert_eq!(lines[..2], ["example.com/log/testdata", &size.to_string()]);
        let root = RootHash::from_base64(lines[2]).unwrap();
        roots.push(root);

        let leaves = leaves(&folder, size);
        let (mut frontier, mut edge) = (Frontier::default(), EdgeTiles::default());
        for leaf in &leaves {
            frontier.push(*leaf);
            edge.push(*leaf);
        }
        assert_eq!((frontier.root(), edge.root()), (root, root), "size {size}");
        if size == 0 {
            continue;
        }
        assert_eq!(
            hashes_to_bytes(edge.level(0)),
            fs::read(folder.join(format!("tile/0/000.p/{size}"))).unwrap()
        );
        let source = LogFiles {
            folder: folder.clone(),
            size,
        };
        for (index, leaf) in (0..).zip(&leaves) {
            let Ok(path) = inclusion_path(index, size, &source);
            verify_inclusion(index, size, leaf, &path, &root).unwrap();
        }
        for from in 1..=size {
            let Ok(path) = consistency_path(from, size, &source);
            verify_consistency(from, size, &roots[from as usize], &root, &path).unwrap();
        }
    }
}

/// Leaf hashes from the entry bundle: each entry with its length.
fn leaves(folder: &Path, size: u64) -> Vec<LeafHash> {
    if size == 0 {
        return Vec::new();
    }
    let bundle = fs::read(folder.join(format!("tile/entries/000.p/{size}"))).unwrap();
    let (mut rest, mut leaves) = (bundle.as_slice(), Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(LeafHash::new(
            Sha256::new()
                .chain_update([0])
                .chain_update(entry)
                .finalize()
                .into(),
        ));
        rest = after;
    }
    leaves
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

#[test]
fn ed25519_edge_cases_strictly() {
    let folder = vectors("ed25519-edge-cases");
    let cases = json(&folder.join("ed25519vectors.json"));
    let (mut strict, mut lax) = (0, 0);
    for case in cases.as_array().unwrap() {
        let key: [u8; 32] = unhex(text(case, "key")).try_into().unwrap();
        let Ok(key) = VerifyingKey::from_bytes(&key) else {
            continue;
        };
        let Ok(signature) = Signature::from_slice(&unhex(text(case, "sig"))) else {
            continue;
        };
        let message = text(case, "msg").as_bytes();
        strict += u32::from(key.verify_strict(message, &signature).is_ok());
        lax += u32::from(key.verify(message, &signature).is_ok());
    }
    assert_eq!(
        (cases.as_array().unwrap().len(), strict, lax),
        (914, 43, 208)
    );
}

/// Calls `check` with every case of a Wycheproof file, its group, and whether it must succeed (`None`: either).
fn wycheproof(name: &str, mut check: impl FnMut(&Value, &Value) -> bool) {
    let folder = vectors("wycheproof");
    let file = json(&folder.join(name));
    let mut cases = 0;
    for group in file["testGroups"].as_array().unwrap() {
        for case in group["tests"].as_array().unwrap() {
            let holds = check(group, case);
            match text(case, "result") {
                "valid" => assert!(holds, "{name} {case}"),
                "invalid" => assert!(!holds, "{name} {case}"),
                other => assert_eq!(other, "acceptable", "{name} {case}"),
            }
            cases += 1;
        }
    }
    assert!(cases > 50, "{name}: {cases} cases");
}

#[test]
fn wycheproof_ed25519() {
    wycheproof("ed25519_test.json", |group, case| {
        let key: [u8; 32] = unhex(group["publicKey"]["pk"].as_str().unwrap())
            .try_into()
            .unwrap();
        let Ok(key) = VerifyingKey::from_bytes(&key) else {
            return false;
        };
        let Ok(signature) = Signature::from_slice(&unhex(text(case, "sig"))) else {
            return false;
        };
        key.verify_strict(&unhex(text(case, "msg")), &signature)
            .is_ok()
    });
}

#[test]
fn wycheproof_hmac() {
    use hmac::{Hmac, KeyInit, Mac};
    wycheproof("hmac_sha256_test.json", |group, case| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&unhex(text(case, "key"))).unwrap();
        mac.update(&unhex(text(case, "msg")));
        let tag = mac.finalize().into_bytes();
        let bytes = group["tagSize"].as_u64().unwrap() as usize / 8;
        tag[..bytes] == unhex(text(case, "tag"))[..]
    });
}

#[test]
fn wycheproof_hkdf() {
    wycheproof("hkdf_sha256_test.json", |_, case| {
        let salt = unhex(text(case, "salt"));
        let mut okm = vec![0; case["size"].as_u64().unwrap() as usize];
        let derived = hkdf::Hkdf::<Sha256>::new(Some(&salt), &unhex(text(case, "ikm")));
        derived.expand(&unhex(text(case, "info")), &mut okm).is_ok()
            && okm == unhex(text(case, "okm"))
    });
}

#[test]
fn wycheproof_aes_256_gcm() {
    use aes_gcm::aead::{Aead, KeyInit, Payload};
    use aes_gcm::{Aes256Gcm, Nonce};
    let mut checked = 0;
    wycheproof("aes_gcm_test.json", |group, case| {
        let size = |name: &str| group[name].as_u64().unwrap();
        // Only what the formats use: 256-bit keys, 96-bit nonces, 128-bit tags.
        if (size("keySize"), size("ivSize"), size("tagSize")) != (256, 96, 128) {
            return text(case, "result") == "valid";
        }
        checked += 1;
        let nonce: [u8; 12] = unhex(text(case, "iv")).try_into().unwrap();
        let sealed = [unhex(text(case, "ct")), unhex(text(case, "tag"))].concat();
        let cipher = Aes256Gcm::new_from_slice(&unhex(text(case, "key"))).unwrap();
        let input = Payload {
            msg: &sealed,
            aad: &unhex(text(case, "aad")),
        };
        cipher
            .decrypt(&Nonce::from(nonce), input)
            .is_ok_and(|plain| plain == unhex(text(case, "msg")))
    });
    assert!(checked > 20, "{checked} cases of our sizes");
}

#[test]
fn base64_is_canonical_only() {
    // A hash has 32 bytes: the last character before the padding carries two bits that must be zero.
    let good = BASE64.encode([0xff; 32]);
    assert!(TreeHash::from_base64(&good).is_some());
    let loose = good.replace("8=", "9=");
    assert_ne!(good, loose);
    assert!(TreeHash::from_base64(&loose).is_none());
    assert!(TreeHash::from_base64(good.trim_end_matches('=')).is_none());
}
