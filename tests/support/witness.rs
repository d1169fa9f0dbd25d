//! A witness as C2SP tlog-witness describes it, run by the test: it knows ledgers by their keys, keeps the largest head of
//! each that it saw, and cosigns what continues it. It shares no code of signing with the program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use trailkeep_proof::ids::{RootHash, TreeHash};
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::merkle::{empty_root, verify_consistency};
use trailkeep_proof::ledger::note::VerifierKey;

use super::web::{Reply, Request, Web};

/// What a test makes of it, and what it saw.
pub struct State {
    name: String,
    key: SigningKey,
    ledgers: Vec<VerifierKey>,
    /// The largest head of each ledger.
    pub seen: HashMap<String, (u64, RootHash)>,
    /// Requests, as `old SIZE` and the status that was answered.
    pub log: Vec<(u64, u16)>,
    /// Nobody is there.
    pub is_down: bool,
    /// It signs with another key than the one that is known.
    pub has_other_key: bool,
    /// What it takes for the time.
    pub seconds: u64,
}

/// A running witness.
pub struct Witness {
    pub web: Web,
    state: Arc<Mutex<State>>,
}

impl Witness {
    /// A witness with a key of its own that knows these ledgers, by their verifier keys.
    pub fn new(name: &str, ledgers: &[&str]) -> Self {
        let seed: [u8; 32] = Sha256::digest(name).into();
        let ledgers = ledgers.iter().map(|key| VerifierKey::parse(key).unwrap());
        let state = State {
            name: name.to_owned(),
            key: SigningKey::from_bytes(&seed),
            ledgers: ledgers.collect(),
            seen: HashMap::new(),
            log: Vec::new(),
            is_down: false,
            has_other_key: false,
            seconds: 1_800_000_000,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let web = Web::serve(move |request| shared.lock().unwrap().answer(request));
        Self { web, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Its verifier key.
    pub fn key(&self) -> String {
        let state = self.state();
        let public = state.key.verifying_key();
        let typed = [&[4][..], public.as_bytes()].concat();
        let id = state.key_id(&state.key);
        let name = &state.name;
        format!(
            "{name}+{}+{}",
            trailkeep_proof::ids::hex(&id),
            BASE64.encode(typed)
        )
    }

    /// The section of the settings.
    pub fn section(&self, name: &str) -> String {
        let (url, key) = (self.web.url(), self.key());
        format!(
            "[[anchor]]\nname = \"{name}\"\nwitness = \"{url}\"\nkey = \"{key}\"\nevery_seconds = 1\n"
        )
    }
}

impl State {
    fn key_id(&self, key: &SigningKey) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', 4])
            .chain_update(key.verifying_key().as_bytes())
            .finalize();
        hash[..4].try_into().unwrap()
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if self.is_down {
            return (503, "text/plain", "down for the night\n".to_owned());
        }
        if request.path != "/add-checkpoint" {
            return (404, "text/plain", String::new());
        }
        let (old, reply) = self.add_checkpoint(&request.body);
        self.log.push((old, reply.0));
        reply
    }

    fn add_checkpoint(&mut self, body: &str) -> (u64, Reply) {
        let refuse = |status| (status, "text/plain", String::new());
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old: u64 = lines
            .next()
            .unwrap()
            .strip_prefix("old ")
            .unwrap()
            .parse()
            .unwrap();
        let proof: Vec<TreeHash> = lines
            .map(|line| TreeHash::from_base64(line).unwrap())
            .collect();
        let Ok(origin) = Checkpoint::claimed_origin(note) else {
            return (old, refuse(400));
        };
        let Some(key) = self
            .ledgers
            .iter()
            .find(|key| key.name() == origin.as_str())
        else {
            return (old, refuse(404));
        };
        let Ok(checkpoint) = Checkpoint::open(note, key) else {
            return (old, refuse(403));
        };
        if old > checkpoint.size {
            return (old, refuse(400));
        }
        let known = self.seen.get(origin.as_str()).copied();
        let (seen, root) = known.unwrap_or_else(|| (0, empty_root()));
        if old != seen {
            return (old, (409, "text/x.tlog.size", format!("{seen}\n")));
        }
        let holds = match old {
            0 => proof.is_empty(),
            _ if old == checkpoint.size => proof.is_empty() && root == checkpoint.root,
            _ => verify_consistency(old, checkpoint.size, &root, &checkpoint.root, &proof).is_ok(),
        };
        if !holds {
            return (old, refuse(422));
        }
        self.seen
            .insert(origin.to_string(), (checkpoint.size, checkpoint.root));
        (old, (200, "text/plain", self.cosign(&checkpoint.to_text())))
    }

    fn cosign(&self, text: &str) -> String {
        let key = if self.has_other_key {
            SigningKey::from_bytes(&[9; 32])
        } else {
            self.key.clone()
        };
        let signed = format!("cosignature/v1\ntime {}\n{text}", self.seconds);
        let signature = key.sign(signed.as_bytes()).to_bytes();
        let bytes = [
            &self.key_id(&key)[..],
            &self.seconds.to_be_bytes(),
            &signature,
        ]
        .concat();
        format!("\u{2014} {} {}\n", self.name, BASE64.encode(bytes))
    }
}
