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
    /// The heads at which they changed.
    pub(super) changes: Vec<KeyChange>,
}

impl Signed {
    /// Whether the root at this size is compared with something that was signed.
    pub(super) fn wants_root_at(&self, size: u64) -> bool {
        let older = self.older.as_ref().map(|older| older.size);
        older == Some(size) || self.changes.iter().any(|change| change.size == size)
    }
}

/// Keys of the ledger.
#[derive(Default)]
struct Keys {
    /// From the one that the verifier was given to the one that signs now.
    followed: Vec<VerifierKey>,
    /// Those before.
    earlier: Vec<VerifierKey>,
}

impl Check<'_> {
    /// Checks the files. `None` where nothing can be said of the contents. Until the signature holds, only what leads to
    /// the key is read, each of it small.
    pub(super) fn files(&mut self, question: &Question<'_>) -> io::Result<Option<Signed>> {
        if !self.member_names() {
            return Ok(None);
        }
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
        let (keys, changes) = self.keys(question.key, &origin)?;
        let Some(verifier) = keys.followed.last() else {
            return Ok(None);
        };
        self.shown_keys(verifier)?;
        if !self.sums(verifier)? {
            return Ok(None);
        }
        let checkpoint = match Checkpoint::open(&note, verifier) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.add(None, "checkpoint", error.to_string());
                return Ok(None);
            }
        };
        let Some(manifest) = self.manifest(&origin)? else {
            return Ok(None);
        };
        self.report
            .describe(&manifest, &checkpoint, verifier, keys.followed.len() - 1);
        let keys = [keys.earlier, keys.followed].concat();
        self.attestation(&note, &keys, question);
        let older = question.against.and_then(|note| self.older(note, &keys));
        Ok(Some(Signed {
            manifest,
            origin,
            checkpoint,
            older,
            keys,
            changes,
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

    fn manifest(&mut self, origin: &Origin) -> io::Result<Option<Manifest>> {
        let Some(text) = self.text(member::MANIFEST)? else {
            return Ok(None);
        };
        let manifest = match Manifest::parse(&text) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.add(None, "manifest", format!("manifest.json: {error}"));
                return Ok(None);
            }
        };
        if manifest.format != FORMAT {
            let detail =
                format!("its format is not {FORMAT}: a later version of this program may read it");
            self.add(None, "manifest", detail);
            return Ok(None);
        }
        if manifest.origin != origin.as_str() {
            self.add(
                None,
                "manifest",
                "manifest.json and the checkpoint name different ledgers",
            );
        }
        let filled = self.archive.members().iter().find(|member| {
            manifest.proof == Proof::Selection
                && member.size_bytes > 0
                && member::OF_A_RANGE.contains(&member.name.as_str())
        });
        if let Some(filled) = filled {
            let detail = format!("{} must be empty in a selection", filled.name);
            self.add(None, "members", detail);
        }
        Ok(Some(manifest))
    }

    /// Exactly the members that a bundle has.
    fn member_names(&mut self) -> bool {
        let members = self.archive.members().iter();
        let found: Vec<String> = members.map(|member| member.name.clone()).collect();
        let mut complete = true;
        for name in member::ALWAYS.iter().chain(member::OF_A_RANGE) {
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
                let detail = format!("`{name}` is not a member of a bundle");
                self.add(None, "members", detail);
            }
        }
        complete
    }

    /// The keys of the ledger, and the changes between them.
    fn keys(&mut self, given: &PublicKey, origin: &Origin) -> io::Result<(Keys, Vec<KeyChange>)> {
        let given = match given.verifier_for(origin) {
            Ok(given) => given,
            Err(error) => {
                self.add(None, "key", error.to_string());
                return Ok((Keys::default(), Vec::new()));
            }
        };
        let notes = self.text(member::KEYS)?.unwrap_or_default();
        let mut keys = Keys {
            followed: vec![given],
            earlier: Vec::new(),
        };
        let changes = match KeyChange::open_all(&notes, origin) {
            Ok(changes) => changes,
            Err(error) => {
                self.add(None, "key", format!("keys.txt: {error}"));
                return Ok((keys, Vec::new()));
            }
        };
        for pair in changes.windows(2) {
            if pair[0].new != pair[1].old || pair[0].size > pair[1].size {
                let detail = "keys.txt: its key changes do not follow each other";
                self.add(None, "key", detail);
            }
        }
        let from = changes
            .iter()
            .position(|change| change.old == keys.followed[0]);
        let (before, after) = changes.split_at(from.unwrap_or(changes.len()));
        let earlier = before.iter().map(|change| change.old.clone());
        keys.earlier.extend(earlier);
        keys.followed
            .extend(after.iter().map(|change| change.new.clone()));
        Ok((keys, changes))
    }

    /// The key that the bundle shows is the one that signs.
    fn shown_keys(&mut self, now: &VerifierKey) -> io::Result<()> {
        let shown = [
            (member::PUBLIC_KEY_PEM, public_key_pem(now.public())),
            (member::PUBLIC_KEY_VKEY, format!("{now}\n")),
        ];
        for (name, expected) in shown {
            if self.text(name)?.is_some_and(|text| text != expected) {
                let detail = format!("{name} is neither the given key nor a successor of it");
                self.add(None, "key", detail);
            }
        }
        Ok(())
    }

    fn older(&mut self, note: &str, keys: &[VerifierKey]) -> Option<Checkpoint> {
        let mut outcomes = keys.iter().rev().map(|key| Checkpoint::open(note, key));
        let first = outcomes.next()?;
        let opened = match first {
            Ok(older) => Ok(older),
            Err(error) => outcomes.find_map(Result::ok).ok_or(error),
        };
        opened
            .map_err(|error| {
                self.add(
                    None,
                    "against",
                    format!("the checkpoint that you kept: {error}"),
                );
            })
            .ok()
    }

    /// The signature over the list of digests; and if it holds, every member's digest. Whether the signature holds.
    fn sums(&mut self, verifier: &VerifierKey) -> io::Result<bool> {
        let list = self.bytes(member::SUMS)?.unwrap_or_default();
        let signature = self.bytes(member::SUMS_SIGNATURE)?.unwrap_or_default();
        if !sums::verify(&list, &signature, verifier.public()) {
            self.add(
                None,
                "signature",
                "the signature over SHA256SUMS is not by the given key, or the list was changed",
            );
            return Ok(false);
        }
        let said = std::str::from_utf8(&list).ok().and_then(sums::parse);
        let Some(said) = said else {
            self.add(
                None,
                "sums",
                "SHA256SUMS is not a list of digests, ascending by name",
            );
            return Ok(false);
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
        if let Some(at_once) = &mut self.at_once {
            at_once.sums = said;
            return Ok(true);
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
        Ok(true)
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
