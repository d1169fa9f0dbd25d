//! A request's row in the vault: what may stay, and, under a key of the row's own, whom it is about.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::journal::Journal;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::keys::rows::STATED_HERE;
use crate::requests::PrivacyError;
use crate::requests::new_request::NOT_CHECKED;
use crate::tenant::keep_requests::KeepRequests;
use crate::tenant::{ActiveRecord, Tenant};
use trailkeep_crypto::secret::RecordKey;
use trailkeep_proof::ids::{Origin, SubjectSalt};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::certificate::{Bundle, Signed};
use trailkeep_proof::privacy::{
    Day, Ground, IdentityKind, Kept, Manner, Outcome, Request, Withheld,
};

/// A request as the vault keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filed {
    /// The request, which names nobody.
    pub(super) request: Request,
    /// The entry that records it.
    pub(super) seq: u64,
    /// Of a restriction: on which ground it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ground: Option<Ground>,
    /// What else is kept of it when it is forgotten whom it is about.
    #[serde(default)]
    pub(super) ticket: Ticket,
    /// Events held when it was filed or identified: about the person, and in which they only acted.
    pub(super) held: Option<Held>,
    /// The copy that was fetched last.
    pub(super) fetched: Option<Fetched>,
    /// Ledgers which a recovery closed and that hold events of the person, each with its copy that was fetched last.
    #[serde(default)]
    pub(super) closed_ledgers: BTreeMap<String, Option<Fetched>>,
    /// Of an erasure or restriction: when its execution was ordered. Nothing is deleted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ordered: Option<Ordered>,
    /// Of an erasure or restriction: what was decided, before it is stated.
    #[serde(default)]
    pub(super) decided: Option<Decided>,
    /// Of an erasure or restriction: its first answer.
    #[serde(default)]
    pub(super) answered: Option<FirstAnswer>,
    /// The epoch of the vault when the last answer was given: a later one says that the copies are dead.
    #[serde(default)]
    pub(super) epoch: Option<u32>,
    /// Its entries in ledgers that recoveries closed since.
    #[serde(default)]
    pub(super) former: Vec<Former>,
    /// Whether it is still to be answered and has no entry of the ledger that goes on.
    #[serde(default)]
    pub(super) is_unrecorded: bool,
    /// How long it says whom it was about, as it was set for the tenant when it was filed.
    #[serde(default, skip_serializing_if = "KeepRequests::is_default")]
    pub(super) keep: KeepRequests,
    /// When that was forgotten; none where an earlier version did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) forgotten_on: Option<Day>,
    /// Whom it is about; gone a time after it was answered or ended.
    about: Option<OwnSealed>,
}

/// What stays known of how a request came in and was checked. It names nobody, and the entries of its steps say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ticket {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manner: Option<Manner>,
    /// None while it is not known who asks, and of rows of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity_checked: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity_kind: Option<IdentityKind>,
}

impl Ticket {
    /// The same request with the requester identified.
    pub(super) fn identified(self, verified_by: &str, kind: Option<IdentityKind>) -> Self {
        let is_checked = kind.map_or(verified_by != NOT_CHECKED, IdentityKind::is_check);
        Self {
            identity_checked: Some(is_checked),
            identity_kind: kind,
            ..self
        }
    }
}

/// The order to carry out a request, apart from the proof of who asks.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ordered {
    pub(super) at_ms: u64,
    /// The entry that records it.
    pub(super) seq: u64,
}

/// What becomes of a person's events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    pub(super) destroyed: u64,
    pub(super) kept: Vec<Kept>,
}

/// The answer that the person was given first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstAnswer {
    pub(super) at_ms: u64,
    pub(super) outcome: Outcome,
    /// What it was stated by.
    pub(super) statement: Option<u64>,
}

/// The entry of a request in a ledger that was closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Former {
    pub(super) ledger: String,
    pub(super) seq: u64,
}

/// Number of events found for a data subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// About them.
    pub as_subject: u64,
    /// Events in which they are only the actor.
    pub as_actor: u64,
}

/// A copy that was handed out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fetched {
    pub(super) bundle: Bundle,
    /// Events in it.
    pub(super) events: u64,
    /// What it leaves out.
    #[serde(default)]
    pub(super) withheld: Vec<Withheld>,
}

/// Whom a request is about, and all else that may name somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub(super) namespace: String,
    pub(super) id: String,
    /// The caller's own name for the request.
    pub(super) reference: Option<String>,
    /// How the requester's identity was verified.
    pub(super) identity_verified_by: Option<String>,
    /// Why data subjects with a near identifier are other people.
    #[serde(default)]
    pub(super) not_the_same_person: Option<String>,
    /// Why it was extended.
    pub(super) extended_because: Option<String>,
    /// Why other persons are shown in the copy.
    pub(super) shown_because: Option<String>,
    pub(super) include_acted: bool,
    pub(super) show_others: bool,
    pub(super) show_staff: bool,
    /// Salt of the commitment in the request's entry, in base64.
    pub(super) salt: String,
    /// The answer's certificate, which holds the salt too.
    pub(super) certificate: Option<Signed>,
}

impl About {
    pub(super) fn person(&self) -> Person {
        Person {
            namespace: self.namespace.clone(),
            id: self.id.clone(),
        }
    }

    pub(super) fn salt(&self) -> Result<SubjectSalt, KeyError> {
        SubjectSalt::from_base64(&self.salt).ok_or(KeyError::DoesNotOpen(Filed::WHAT))
    }
}

/// A text sealed under a key that stands beside it and goes with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnSealed {
    key: String,
    sealed: String,
}

impl Record for Filed {
    const KIND: &'static str = crate::keys::rows::REQUEST;
    const WHAT: &'static str = "a privacy request";
}

impl Filed {
    /// One whose statement is about to come.
    pub(super) fn new(
        tenant: &Tenant,
        request: Request,
        about: &About,
    ) -> Result<Self, PrivacyError> {
        let mut filed = Self {
            request,
            seq: STATED_HERE,
            ground: None,
            ticket: Ticket::default(),
            held: None,
            fetched: None,
            closed_ledgers: BTreeMap::new(),
            ordered: None,
            decided: None,
            answered: None,
            epoch: None,
            former: Vec::new(),
            is_unrecorded: false,
            keep: tenant.active().settings().keep_requests,
            forgotten_on: None,
            about: None,
        };
        filed.set_about(tenant, about)?;
        Ok(filed)
    }

    /// The data subject.
    pub(super) fn about(&self, tenant: &Tenant) -> Result<About, PrivacyError> {
        self.about_at(&tenant.active_record().record().origin)
    }

    fn about_at(&self, origin: &Origin) -> Result<About, PrivacyError> {
        let about = self.about.as_ref().ok_or(PrivacyError::Forgotten {
            on: self.forgotten_on,
            seq: self.seq,
        })?;
        let broken = || KeyError::DoesNotOpen(Self::WHAT);
        let decode = |text: &str| BASE64.decode(text).map_err(|_| broken());
        let key = RecordKey::from_slice(&decode(&about.key)?).ok_or_else(broken)?;
        let opened = key.unwrap(&decode(&about.sealed)?, &self.place(origin));
        let opened = opened.map_err(|_| broken())?;
        Ok(serde_json::from_slice(&opened).map_err(|_| broken())?)
    }

    /// Whether an entry of a ledger is its own: of the one that goes on, or of one where it stood before.
    pub(super) fn is_at(&self, desk: &Origin, (ledger, seq): (&Origin, u64)) -> bool {
        let is_now = ledger == desk && !self.is_unrecorded && seq == self.seq;
        let was = |former: &Former| former.ledger == ledger.as_str() && former.seq == seq;
        is_now || self.former.iter().any(was)
    }

    /// Whether the requester's identity was checked; `None` until the requester is identified.
    pub(super) fn identity_checked(&self, about: Option<&About>) -> Option<bool> {
        let verified_by = about.and_then(|about| about.identity_verified_by.as_deref());
        let earlier = verified_by.map(|verified_by| verified_by != NOT_CHECKED);
        self.ticket.identity_checked.or(earlier)
    }

    /// The same as a word.
    pub(super) fn is_identity_checked(&self, about: &About) -> bool {
        self.identity_checked(Some(about)).unwrap_or_default()
    }

    /// Whether it is still known whom it is about.
    pub(super) const fn knows_whom(&self) -> bool {
        self.about.is_some()
    }

    /// Seals it anew, under a new key.
    pub(super) fn set_about(&mut self, tenant: &Tenant, about: &About) -> Result<(), PrivacyError> {
        self.set_about_at(&tenant.active_record().record().origin, about)
    }

    fn set_about_at(&mut self, origin: &Origin, about: &About) -> Result<(), PrivacyError> {
        let text = zeroize::Zeroizing::new(
            serde_json::to_vec(about).expect("it is plain data, which has a JSON form"),
        );
        let key = RecordKey::random()?;
        let sealed = key.wrap(&text, &self.place(origin))?;
        self.about = Some(OwnSealed {
            key: BASE64.encode(key.expose()),
            sealed: BASE64.encode(sealed),
        });
        Ok(())
    }

    /// Drops the key, and what it opens.
    pub(super) fn forget(&mut self, on: Day) {
        self.about = None;
        self.forgotten_on = Some(on);
    }

    fn place(&self, origin: &Origin) -> Vec<u8> {
        format!("trailkeep/privacy-about/v1\n{origin}\n{}", self.request.id).into_bytes()
    }
}

/// Files the requests of a ledger that was closed with the one that continues it.
pub(crate) fn carry_over(
    keyring: &Keyring,
    from: ActiveRecord<'_>,
    to: ActiveRecord<'_>,
) -> Result<(), KeyError> {
    let (from, to) = (from.record(), to.record());
    for (id, mut filed) in records::all::<Filed>(keyring, from)? {
        let broken = |_| KeyError::DoesNotOpen(Filed::WHAT);
        if filed.knows_whom() {
            let about = filed.about_at(&from.origin).map_err(broken)?;
            filed.set_about_at(&to.origin, &about).map_err(broken)?;
        }
        if !filed.is_unrecorded {
            filed.former.push(Former {
                ledger: from.origin.to_string(),
                seq: filed.seq,
            });
        }
        filed.is_unrecorded = filed.request.closed().is_none();
        records::put(keyring, to, &id, &filed)?;
        records::move_away::<Filed>(keyring, from, &id)?;
    }
    Ok(())
}

/// Closes a request in a vault that lacks its closing, as its entry says it; `false` where the vault does not know the request, or
/// it can't be closed so.
pub(crate) fn take_over_close(
    keyring: &Keyring,
    tenant: ActiveRecord<'_>,
    id: &str,
    close: impl FnOnce(&mut Request) -> bool,
) -> Result<bool, KeyError> {
    let rows = records::all::<Filed>(keyring, tenant.record())?;
    let Some((_, mut filed)) = rows.into_iter().find(|(known, _)| known == id) else {
        return Ok(false);
    };
    let closed = close(&mut filed.request);
    if closed {
        records::put(keyring, tenant.record(), id, &filed)?;
    }
    Ok(closed)
}

/// Keeps a row; on disk when it returns.
pub(super) fn keep(journal: &Journal, tenant: &Tenant, filed: &Filed) -> Result<(), KeyError> {
    let active = tenant.active_record().record();
    records::put(&journal.keyring, active, &filed.request.id, filed)
}

/// All rows of a tenant.
pub(super) fn all(journal: &Journal, tenant: &Tenant) -> Result<Vec<Filed>, KeyError> {
    let rows = records::all::<Filed>(&journal.keyring, tenant.active_record().record())?;
    Ok(rows.into_iter().map(|(_, filed)| filed).collect())
}

/// The row of a request.
pub(super) fn find(journal: &Journal, tenant: &Tenant, id: &str) -> Result<Filed, PrivacyError> {
    let rows = all(journal, tenant)?;
    let found = rows.into_iter().find(|filed| filed.request.id == id);
    found.ok_or(PrivacyError::NotFound)
}
