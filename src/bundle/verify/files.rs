//! The container and what is signed: members, sums and their signature, key, checkpoint, manifest.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::streams::StreamError;
use super::{Check, Question};
use crate::bundle::manifest::{FORMAT, Manifest, Proof};
use crate::bundle::member;
use crate::bundle::sums;
use crate::ids::Origin;
use crate::ledger::attestation::Attestation;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::key_change::KeyChange;
use crate::ledger::note::{PublicKey, SignedNote, VerifierKey, public_key_pem};

/// What is signed, as far as the contents are checked against it.
pub(super) struct Signed {
    pub(super) manifest: Manifest,
    pub(super) origin: Origin,
    pub(super) checkpoint: Checkpoint,
    /// The older head that the verifier was given, its signature checked.
    pub(super) older: Option<Checkpoint>,
    /// Every key that the ledger had, as far as the bundle says.
    pub(super) keys: Vec<VerifierKey>,
}

impl Check<'_> {
    /// Checks the files. `None` where nothing can be said of the contents.
    pub(super) fn files(&mut self, question: &Question<'_>) -> io::Result<Option<Signed>> {
        let manifest = self.manifest()?;
        let complete = self.member_names(manifest.as_ref().map(|manifest| manifest.proof));
        let (Some(manifest), true) = (manifest, complete) else {
            self.sums(None)?;
            return Ok(None);
        };
        let Some(note) = self.text(member::CHECKPOINT)? else {
            return Ok(None);
        };
        let origin = match Checkpoint::claimed_origin(&note) {
            Ok(origin) => origin,
            Err(error) => {
                self.add(None, "checkpoint", error.to_string());
                return Ok(None);
            }
        };
        if manifest.origin != origin.as_str() {
            self.add(
                None,
                "manifest",
                "manifest.json and the checkpoint name different ledgers",
            );
        }
        let (followed, earlier) = self.keys(question.key, &origin)?;
        let Some(verifier) = followed.last() else {
            self.sums(None)?;
            return Ok(None);
        };
        self.sums(Some(verifier))?;
        let checkpoint = match Checkpoint::open(&note, verifier) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.add(None, "checkpoint", error.to_string());
                return Ok(None);
            }
        };
        self.report
            .describe(&manifest, &checkpoint, verifier, followed.len() - 1);
        let keys = [earlier, followed].concat();
        self.attestation(&note, &keys, question);
        let older = question.against.and_then(|note| self.older(note, &keys));
        Ok(Some(Signed {
            manifest,
            origin,
            checkpoint,
            older,
            keys,
        }))
    }

    /// Who vouches for the head besides the ledger's own key.
    fn attestation(&mut self, note: &str, keys: &[VerifierKey], question: &Question<'_>) {
        // Its signature was checked, so it reads.
        if let Ok(note) = SignedNote::parse(note) {
            let (attestation, wrong) = Attestation::of(&note, keys, question.witnesses);
            self.report.attestation = attestation;
            for detail in wrong {
                self.add(None, "witness", detail);
            }
        }
    }

    fn manifest(&mut self) -> io::Result<Option<Manifest>> {
        let Some(text) = self.text(member::MANIFEST)? else {
            return Ok(None);
        };
        match serde_json::from_str::<Manifest>(&text) {
            Ok(manifest) if manifest.format == FORMAT => Ok(Some(manifest)),
            Ok(_) => {
                self.add(
                    None,
                    "manifest",
                    format!(
                        "its format is not {FORMAT}: a later version of this program may read it"
                    ),
                );
                Ok(None)
            }
            Err(error) => {
                self.add(
                    None,
                    "manifest",
                    format!("manifest.json is malformed: {error}"),
                );
                Ok(None)
            }
        }
    }

    /// Exactly the members that a bundle of this proof has.
    fn member_names(&mut self, proof: Option<Proof>) -> bool {
        let found: Vec<String> = self
            .archive
            .members()
            .iter()
            .map(|member| member.name.clone())
            .collect();
        let needed: &[&str] = match proof {
            Some(Proof::Selection) => &[],
            _ => member::OF_A_RANGE,
        };
        let mut complete = true;
        for name in member::ALWAYS.iter().chain(needed) {
            if !found.iter().any(|known| known == name) {
                self.add(None, "members", format!("{name} is missing"));
                complete = false;
            }
        }
        for name in &found {
            let known = [member::ALWAYS, member::OF_A_RANGE, member::SOMETIMES]
                .concat()
                .contains(&name.as_str());
            if !known {
                let name = name.escape_debug();
                self.add(
                    None,
                    "members",
                    format!("`{name}` does not belong into a bundle"),
                );
            }
        }
        let filled = self.archive.members().iter().find(|member| {
            proof == Some(Proof::Selection)
                && member.size_bytes > 0
                && member::OF_A_RANGE.contains(&member.name.as_str())
        });
        if let Some(filled) = filled {
            self.add(
                None,
                "members",
                format!("{} must be empty in a selection", filled.name),
            );
        }
        complete
    }

    /// The keys of the ledger from the one that the verifier was given to the one that signs now, and those
    /// before it.
    fn keys(
        &mut self,
        given: &PublicKey,
        origin: &Origin,
    ) -> io::Result<(Vec<VerifierKey>, Vec<VerifierKey>)> {
        let given = match given.verifier_for(origin) {
            Ok(given) => given,
            Err(error) => {
                self.add(None, "key", error.to_string());
                return Ok((Vec::new(), Vec::new()));
            }
        };
        let mut earlier = Vec::new();
        let notes = self.text(member::KEYS)?.unwrap_or_default();
        let mut keys = vec![given];
        match KeyChange::open_all(&notes, origin) {
            Err(error) => self.add(None, "key", format!("keys.txt: {error}")),
            Ok(changes) => {
                for pair in changes.windows(2) {
                    if pair[0].new != pair[1].old || pair[0].size > pair[1].size {
                        self.add(
                            None,
                            "key",
                            "keys.txt: its key changes do not follow each other",
                        );
                    }
                }
                let from = changes.iter().position(|change| change.old == keys[0]);
                let (before, after) = changes.split_at(from.unwrap_or(changes.len()));
                earlier.extend(before.iter().map(|change| change.old.clone()));
                keys.extend(after.iter().map(|change| change.new.clone()));
            }
        }
        if let Some(now) = keys.last() {
            let shown = [
                (member::PUBLIC_KEY_PEM, public_key_pem(now.public())),
                (member::PUBLIC_KEY_VKEY, format!("{now}\n")),
            ];
            for (name, expected) in shown {
                if self.text(name)?.is_some_and(|text| text != expected) {
                    self.add(
                        None,
                        "key",
                        format!(
                            "{name} is not the key that you gave, nor one that follows from it"
                        ),
                    );
                }
            }
        }
        Ok((keys, earlier))
    }

    fn older(&mut self, note: &str, keys: &[VerifierKey]) -> Option<Checkpoint> {
        let mut outcomes = keys.iter().rev().map(|key| Checkpoint::open(note, key));
        let first = outcomes.next()?;
        let opened = match first {
            Ok(older) => Ok(older),
            Err(error) => outcomes.find_map(Result::ok).ok_or(error),
        };
        opened
            .map_err(|error| self.add(None, "against", format!("the head that you kept: {error}")))
            .ok()
    }

    /// Every member's digest, the list of them, and its signature.
    fn sums(&mut self, verifier: Option<&VerifierKey>) -> io::Result<()> {
        let list = self.bytes(member::SUMS)?.unwrap_or_default();
        let signature = self.bytes(member::SUMS_SIGNATURE)?.unwrap_or_default();
        match verifier {
            Some(key) if sums::verify(&list, &signature, key.public()) => {}
            Some(_) => self.add(None, "signature", "the signature over SHA256SUMS is not by the key that you gave, or the list was changed"),
            None => self.add(None, "signature", "there is no key to check the signature over SHA256SUMS with"),
        }
        let said = std::str::from_utf8(&list).ok().and_then(sums::parse);
        let Some(said) = said else {
            self.add(
                None,
                "sums",
                "SHA256SUMS is not a list of digests, ascending by name",
            );
            return Ok(());
        };
        let mut names: Vec<String> = self
            .archive
            .members()
            .iter()
            .map(|member| member.name.clone())
            .filter(|name| name != member::SUMS && name != member::SUMS_SIGNATURE)
            .collect();
        names.sort_unstable();
        if !names.iter().eq(said.iter().map(|sum| &sum.name)) {
            self.add(
                None,
                "sums",
                "SHA256SUMS does not list exactly the other members",
            );
        }
        for name in names {
            let Some(found) = self.digest(&name)? else {
                continue;
            };
            if name == member::TABLE {
                self.found.table = Some(found);
            }
            let same = said
                .iter()
                .any(|sum| sum.name == name && sum.sha256 == found);
            if !same {
                let name = name.escape_debug();
                self.add(
                    None,
                    "sums",
                    format!("{name} was changed: its digest is not the one that was signed"),
                );
            }
        }
        Ok(())
    }

    fn digest(&mut self, name: &str) -> io::Result<Option<[u8; 32]>> {
        let Some(mut reader) = self.archive.reader(name) else {
            return Ok(None);
        };
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 128 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Some(hash.finalize().into())),
                Ok(count) => {
                    hash.update(&buffer[..count]);
                    self.progress.add(count as u64);
                }
                Err(error) => {
                    self.unreadable(name, error.into())?;
                    return Ok(None);
                }
            }
        }
    }

    fn bytes(&mut self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.archive.read_small(name) {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(error)) => {
                self.unreadable(name, error.into())?;
                Ok(None)
            }
        }
    }

    fn text(&mut self, name: &str) -> io::Result<Option<String>> {
        let Some(bytes) = self.bytes(name)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).ok();
        if text.is_none() {
            self.add(None, "members", format!("{name} is not UTF-8"));
        }
        Ok(text)
    }

    /// A member that can't be followed to its end: a finding, unless the file itself can't be read.
    pub(super) fn unreadable(&mut self, name: &str, error: StreamError) -> io::Result<()> {
        match error {
            StreamError::Read(error) if error.kind() != io::ErrorKind::InvalidData => Err(error),
            StreamError::Read(error) => {
                self.add(None, "archive", error.to_string());
                Ok(())
            }
            other => {
                self.add(None, "members", format!("{}: {other}", name.escape_debug()));
                Ok(())
            }
        }
    }
}
