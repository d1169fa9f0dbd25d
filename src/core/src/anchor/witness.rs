//! A witness as a target: C2SP tlog-witness, `add-checkpoint`. It cosigns a head that continues all that it saw.

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::anchor::Anchors;
use crate::anchor::send::Answer;
use crate::anchor::{AnchorError, Given};
use crate::journal::Journal;
use crate::tenant::ledger::read_edge;
use crate::tenant::ledger::{Ledger, Published, StoredTiles};
use crate::tenant::rolled_back::RolledBack;
use trailkeep_proof::ledger::cosignature::WitnessKey;
use trailkeep_proof::ledger::merkle::verify_consistency;
use trailkeep_proof::ledger::tile::consistency_path;
use trailkeep_proof::ledger::witness::{SIZE_TYPE, add_checkpoint_body, parse_size};

/// How often a witness may say that it has seen another size before it is left for the next time.
const ANSWERS_MAX: u32 = 3;

/// Who is asked.
pub(super) struct Asked<'a> {
    pub(super) target: &'a str,
    pub(super) url: &'a Url,
    pub(super) key: &'a WitnessKey,
}

/// Has a published head cosigned. `last` is the size that the witness last cosigned.
pub(super) async fn ask(
    anchors: &Anchors,
    ledger: &Ledger,
    asked: &Asked<'_>,
    mut published: Arc<Published>,
    last: Option<u64>,
) -> Result<Given, AnchorError> {
    let mut old = last.unwrap_or(0).min(published.head.size);
    for _ in 0..ANSWERS_MAX {
        let body = request(&anchors.journal, ledger, &published, old)?;
        let sender = &anchors.sender;
        let answer = sender.post(asked.url, HeaderMap::new(), body).await?;
        match (answer.status, seen(&answer)) {
            (200, _) => {
                let note = &published.head.note;
                let (lines, moment) = asked.key.accept(note, &answer.body)?;
                return Ok(Given {
                    size: published.head.size,
                    note: note.clone(),
                    lines,
                    cosigned_at: Some(moment),
                });
            }
            (409, Some(seen)) => {
                if seen > published.head.size {
                    // Somebody else may have shown it a head that was published since.
                    published = ledger.published();
                }
                let here = published.head.size;
                if seen > here {
                    let found =
                        RolledBack::larger(asked.target, seen, here, anchors.journal.clock.wall());
                    return Err(AnchorError::RolledBack(Box::new(found)));
                }
                if seen == old {
                    return Err(AnchorError::Undecided {
                        first: old,
                        second: seen,
                    });
                }
                old = seen;
            }
            // The proof holds by our own roots: what the witness saw at that size is another ledger's beginning.
            (422, _) => {
                let here = published.head.size;
                let found =
                    RolledBack::other(asked.target, old, here, anchors.journal.clock.wall());
                return Err(AnchorError::RolledBack(Box::new(found)));
            }
            (status @ (403 | 404), _) => return Err(AnchorError::UnknownToWitness { status }),
            _ => return Err(answer.refused()),
        }
    }
    Err(AnchorError::Undecided {
        first: last.unwrap_or(0),
        second: old,
    })
}

/// The size that a 409 names.
fn seen(answer: &Answer) -> Option<u64> {
    let kind = answer.content_type.split(';').next().unwrap_or_default();
    (kind.trim() == SIZE_TYPE).then(|| parse_size(&answer.body))?
}

/// The request, whose proof was checked: a witness that refuses it has seen another ledger.
fn request(
    journal: &Journal,
    ledger: &Ledger,
    published: &Published,
    old: u64,
) -> Result<String, AnchorError> {
    let (number, head) = (ledger.record.number, &published.head);
    if old == 0 || old == head.size {
        return Ok(add_checkpoint_body(old, &[], &head.note));
    }
    let tiles = StoredTiles {
        ledgers: &journal.ledgers,
        ledger: number,
        published,
    };
    let path = consistency_path(old, head.size, &tiles)?;
    let old_root = read_edge(&journal.ledgers, number, old)?.root();
    verify_consistency(old, head.size, &old_root, &head.root, &path)?;
    Ok(add_checkpoint_body(old, &path, &head.note))
}
