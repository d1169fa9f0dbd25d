//! The receipt: a C2SP tlog-proof whose extra data is the 84-byte entry.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64 of the entry>
//! index 3
//! <base64 of the leaf's sibling>
//! …
//!
//! <signed checkpoint>
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::{Checkpoint, CheckpointError, parse_decimal};
use super::entry::{ENTRY_BYTES, Entry, EntryBytes, EntryError, leaf_hash};
use super::merkle::{ProofError, verify_inclusion};
use super::note::VerifierKey;
use crate::ids::{Origin, Seq, TreeHash};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Hashes of a path in a tree of 2^63 leaves.
const PATH_MAX: usize = 63;

/// The proof that an entry is in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry.
    pub entry: EntryBytes,
    /// Its index in the tree.
    pub index: u64,
    /// Inclusion path, the leaf's sibling first.
    pub path: Vec<TreeHash>,
    /// The signed note of the head.
    pub checkpoint: String,
}

/// Why a receipt was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not the form of a receipt.
    #[error("not a receipt: {0}")]
    Form(&'static str),
    /// Its entry is none.
    #[error("the receipt's entry is malformed: {0}")]
    Entry(#[from] EntryError),
    /// Its entry is that of another index.
    #[error("the receipt is for index {index}, its entry says seq {seq}")]
    OtherIndex {
        /// The receipt's index.
        index: u64,
        /// The entry's seq.
        seq: Seq,
    },
    /// Its checkpoint does not hold.
    #[error("the receipt's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Its path does not lead to the root.
    #[error("the entry is not in the ledger that the checkpoint signs: {0}")]
    Inclusion(#[from] ProofError),
}

impl Receipt {
    /// The text form.
    pub fn to_text(&self) -> String {
        let path: Vec<String> = self.path.iter().map(|hash| format!("{hash}\n")).collect();
        let path = path.concat();
        let extra = BASE64.encode(self.entry);
        format!(
            "{FIRST_LINE}\nextra {extra}\nindex {}\n{path}\n{}",
            self.index, self.checkpoint
        )
    }

    /// Reads the text form; nothing is checked.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        use ReceiptError::Form;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(Form("it has no empty line"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(Form("it does not begin with c2sp.org/tlog-proof@v1"));
        }
        let extra = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .and_then(|text| BASE64.decode(text).ok());
        let entry: [u8; ENTRY_BYTES] = extra
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Form("its extra data is not an entry in base64"))?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal);
        let index = index.ok_or(Form("it has no index"))?;
        let path: Option<Vec<TreeHash>> = lines.map(TreeHash::from_base64).collect();
        let path = path.ok_or(Form("a hash is not 32 bytes in base64"))?;
        if path.len() > PATH_MAX {
            return Err(Form("it has too many hashes"));
        }
        Ok(Self {
            entry,
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// Whose ledger it claims to be of, to choose the key by; nothing is checked.
    pub fn claimed_origin(&self) -> Result<Origin, ReceiptError> {
        Ok(Checkpoint::claimed_origin(&self.checkpoint)?)
    }

    /// Checks everything: the entry, the checkpoint's signature, the path.
    pub fn verify(&self, key: &VerifierKey) -> Result<(Entry, Checkpoint), ReceiptError> {
        self.entry_at_index()?;
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let entry = self.verify_under(&checkpoint)?;
        Ok((entry, checkpoint))
    }

    /// Checks the entry and the path under the receipt's checkpoint, whose signature the caller has checked: many receipts
    /// have one checkpoint.
    pub fn verify_under(&self, checkpoint: &Checkpoint) -> Result<Entry, ReceiptError> {
        let entry = self.entry_at_index()?;
        verify_inclusion(
            self.index,
            checkpoint.size,
            &leaf_hash(&self.entry),
            &self.path,
            &checkpoint.root,
        )?;
        Ok(entry)
    }

    fn entry_at_index(&self) -> Result<Entry, ReceiptError> {
        let entry = Entry::decode(&self.entry)?;
        if entry.seq.get() == self.index {
            Ok(entry)
        } else {
            Err(ReceiptError::OtherIndex {
                index: self.index,
                seq: entry.seq,
            })
        }
    }
}
