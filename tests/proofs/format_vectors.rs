//! The vectors of docs/format.md. They were computed by another program in another language, from the text
//! of docs/format.md alone; here the library must come to the same bytes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ed25519_dalek::SigningKey;
use serde_json::Value;
use trailkeep_proof::ids::{LeafHash, Origin, TreeHash, hex};
use trailkeep_proof::ledger::chain::ChainHead;
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::commitment::{SectionSalts, commitment_of, section_digest};
use trailkeep_proof::ledger::entry::leaf_hash;
use trailkeep_proof::ledger::merkle::{Frontier, verify_inclusion};
use trailkeep_proof::ledger::note::VerifierKey;
use trailkeep_proof::ledger::proof::Receipt;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../format_vectors.json")).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sections(vectors: &Value) -> Vec<(&str, &[u8])> {
    vectors["sections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(&one["name"]), text(&one["bytes"]).as_bytes()))
        .collect()
}

#[test]
fn salts_digests_and_commitment() {
    let vectors = vectors();
    let origin = Origin::parse(text(&vectors["origin"])).unwrap();
    let event_salt: [u8; 32] = unhex(&vectors["event_salt"]).try_into().unwrap();
    let salts = SectionSalts::new(&event_salt);
    for section in vectors["sections"].as_array().unwrap() {
        let salt = salts.of(text(&section["name"]));
        assert_eq!(hex(salt.as_bytes()), text(&section["salt"]));
        let digest = section_digest(&salt, text(&section["bytes"]).as_bytes());
        assert_eq!(hex(digest.as_bytes()), text(&section["digest"]));
    }
    let commitment = commitment_of(&origin, &event_salt, sections(&vectors)).unwrap();
    assert_eq!(hex(commitment.as_bytes()), text(&vectors["commitment"]));
}

#[test]
fn entries_chain_tree_checkpoint_and_receipt() {
    let vectors = vectors();
    let mut chain = ChainHead::EMPTY;
    let mut frontier = Frontier::default();
    let roots = vectors["roots"].as_array().unwrap();
    let mut leaves: Vec<LeafHash> = Vec::new();
    for (size, bytes) in vectors["entries"].as_array().unwrap().iter().enumerate() {
        assert_eq!(hex(frontier.root().as_bytes()), text(&roots[size]));
        let bytes: [u8; 84] = unhex(bytes).try_into().unwrap();
        let entry = chain.follow(&bytes).unwrap();
        assert_eq!(entry.encode(), bytes);
        leaves.push(leaf_hash(&bytes));
        assert_eq!(
            hex(leaves[size].as_bytes()),
            text(&vectors["leaf_hashes"][size])
        );
        frontier.push(leaves[size]);
    }
    assert_eq!(hex(frontier.root().as_bytes()), text(&roots[9]));
    let path = vectors["inclusion_of_3_in_9"].as_array().unwrap();
    let path: Vec<TreeHash> = path
        .iter()
        .map(|hash| TreeHash::from_slice(&unhex(hash)).unwrap())
        .collect();
    verify_inclusion(3, 9, &leaves[3], &path, &frontier.root()).unwrap();

    let key: [u8; 32] = unhex(&vectors["signing_key"]).try_into().unwrap();
    let key = SigningKey::from_bytes(&key);
    let verifier = VerifierKey::parse(text(&vectors["vkey"])).unwrap();
    assert_eq!(
        verifier,
        VerifierKey::from_public(text(&vectors["origin"]), &key.verifying_key())
    );
    let origin = Origin::parse(text(&vectors["origin"])).unwrap();
    let checkpoint = Checkpoint {
        origin,
        size: 9,
        root: frontier.root(),
    };
    assert_eq!(checkpoint.to_text(), text(&vectors["checkpoint_text"]));
    assert_eq!(checkpoint.sign(&key), text(&vectors["checkpoint"]));
    let receipt = Receipt::parse(text(&vectors["receipt_of_3"])).unwrap();
    assert_eq!(receipt.to_text(), text(&vectors["receipt_of_3"]));
    assert_eq!(
        (receipt.verify(&verifier).unwrap().1, receipt.path),
        (checkpoint, path)
    );
}

/// A payload of version 3 opens with the value that it refers to.
fn assert_referring(vectors: &Value, origin: &Origin, keys: &trailkeep_crypto::payload::KeySet) {
    use trailkeep_crypto::payload::{OpenError, open};
    use trailkeep_proof::ids::{Commitment, ValueNumber};

    let referring = &vectors["referring_payload"];
    let commitment = Commitment::from_slice(&unhex(&referring["commitment"])).unwrap();
    let number = ValueNumber::new(referring["value_number"].as_u64().unwrap());
    let value = |numbers: &[ValueNumber]| {
        assert_eq!(numbers, [number]);
        Ok::<_, OpenError>(vec![Some(unhex(&referring["value"]))])
    };
    let opened = open(
        origin,
        &unhex(&referring["bytes"]),
        keys,
        &commitment,
        value,
    )
    .unwrap();
    assert_eq!(hex(&*opened.event_salt), text(&referring["event_salt"]));
    let found = opened.sections.iter();
    let found: Vec<(&str, &[u8])> = found.map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    assert_eq!(found, sections(vectors));
}

#[test]
fn payload_and_tags() {
    use std::sync::Arc;
    use trailkeep_crypto::payload::{KeySet, NumberedKey, no_values, open};
    use trailkeep_crypto::secret::{DataKey, IndexKey, TagLabel};
    use trailkeep_proof::ids::{Commitment, KeyId};

    let vectors = vectors();
    let payload = &vectors["payload"];
    let ids = payload["key_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| KeyId::new(id.as_u64().unwrap()));
    let keys = payload["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| DataKey::from_slice(&unhex(key)).unwrap());
    let numbered = ids
        .zip(keys)
        .map(|(id, key)| NumberedKey {
            id,
            key: Arc::new(key),
        })
        .collect();
    let keys = KeySet::new(numbered).unwrap();
    let origin = Origin::parse(text(&vectors["origin"])).unwrap();
    let commitment = Commitment::from_slice(&unhex(&payload["commitment"])).unwrap();
    let opened = open(
        &origin,
        &unhex(&payload["bytes"]),
        &keys,
        &commitment,
        no_values,
    )
    .unwrap();
    assert_eq!(hex(&*opened.event_salt), text(&payload["event_salt"]));
    let found: Vec<(&str, &[u8])> = opened
        .sections
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    assert_eq!(found, sections(&vectors));
    assert_referring(&vectors, &origin, &keys);

    let index_key = IndexKey::from_slice(&unhex(&vectors["index_key"])).unwrap();
    let labels = [
        TagLabel::Subject,
        TagLabel::Actor,
        TagLabel::EventId,
        TagLabel::Target,
    ];
    for tag in vectors["tags"].as_array().unwrap() {
        let label = labels
            .into_iter()
            .find(|label| label.as_str() == text(&tag["label"]))
            .unwrap();
        let found = index_key.tag(label, text(&tag["namespace"]), text(&tag["id"]));
        assert_eq!(hex(found.as_bytes()), text(&tag["tag"]));
    }
}
