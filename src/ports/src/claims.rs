//! Who may write: claims of shards, and how a commit under them ended.

use crate::StoreError;

/// Ledgers that are written by one process at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

impl ShardId {
    /// The one shard of an engine that gives all ledgers to one process.
    pub const ALL: Self = Self(0);
}

/// A shard that this process may write, the epoch under which it took it, and how many commits it has made since. It can't
/// be copied: two that write under one claim would be two writers.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which shard.
    pub shard: ShardId,
    /// Grows each time that somebody takes the shard.
    pub epoch: u64,
    /// Commits under this claim.
    pub version: u64,
}

/// What a process may write.
pub trait Claims: Send + Sync {
    /// All shards that there are.
    fn shards(&self) -> Result<Vec<ShardId>, StoreError>;

    /// Takes a shard that nobody has; none where another has it. What an earlier epoch had under way is over, committed or
    /// not, when this returns. What was taken is given away at the latest when this is dropped.
    fn take(&self, shard: ShardId) -> Result<Option<Claim>, StoreError>;

    /// Gives it away in order: another may take it at once.
    fn give(&self, claim: Claim) -> Result<(), StoreError>;
}

/// A shard that is another's now.
#[derive(Debug)]
pub struct Fence {
    /// Which.
    pub shard: ShardId,
    /// What told it.
    pub cause: StoreError,
}

impl Fence {
    /// Where a shard is not among the claims.
    pub fn of_unclaimed(claims: &[Claim], shard: ShardId) -> Option<Self> {
        let is_claimed = claims.iter().any(|claim| claim.shard == shard);
        (!is_claimed).then_some(Self {
            shard,
            cause: StoreError::Unclaimed,
        })
    }
}

/// How a commit ended. There is no fourth way; an error says that nothing of it was written.
#[must_use]
#[derive(Debug)]
pub enum Committed {
    /// All of it is on disk.
    All,
    /// Nothing of it was written: these shards are another's now.
    Fenced(Vec<Fence>),
    /// Nobody knows, for this reason. [`crate::LedgerStore::resolve`] must be asked before anything of these shards is read or
    /// written.
    Unknown(StoreError),
}
