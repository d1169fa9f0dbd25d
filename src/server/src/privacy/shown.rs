//! Requests and previews as answers.

use trailkeep_api::privacy::{
    DryRun, DryRunCounts, DryRunRow, EventsHeld, KeptEvents, NearMatch, NearMatches, PersonRequest,
    RequestSubject,
};
use trailkeep_core::requests::{self, ShownRequest};
use trailkeep_proof::privacy::Kept;

pub(super) fn request(shown: ShownRequest) -> PersonRequest {
    PersonRequest {
        id: shown.id,
        receipt: shown.receipt,
        kind: shown.kind,
        regime: shown.regime,
        state: shown.state,
        decision: shown.decision,
        received_on: shown.received_on,
        acknowledge_by: shown.acknowledge_by,
        identified_on: shown.identified_on,
        due: shown.due,
        legal_due: shown.legal_due,
        extended_on: shown.extended_on,
        overdue: shown.overdue,
        ordered_at: shown.ordered_at,
        answered_at: shown.answered_at,
        closed_at: shown.closed_at,
        seq: shown.seq,
        manner: shown.manner,
        identity_checked: shown.identity_checked,
        identity_kind: shown.identity_kind,
        kept: shown.kept.into_iter().map(kept).collect(),
        held: shown.held.map(held),
        ground: shown.ground,
        closed_ledgers: shown.closed_ledgers,
        forgotten_on: shown.forgotten_on,
        reference: shown.reference,
        subject: shown.subject.map(|subject| RequestSubject {
            namespace: subject.namespace,
            id: subject.id,
        }),
        near: shown.near.map(near),
        certificate: shown.certificate,
    }
}

pub(super) fn dry_run(said: requests::DryRun) -> DryRun {
    let counts = said.counts;
    let row = |row: requests::DryRunRow| DryRunRow {
        class: row.class,
        policies: row.policies,
        events: row.events,
        outcome: row.outcome,
        until: row.until,
        ground: row.ground,
        citation: row.citation,
    };
    DryRun {
        dry_run: said.dry_run,
        kind: said.kind,
        held: held(said.held),
        counts: DryRunCounts {
            disclosed: counts.disclosed,
            destroyed: counts.destroyed,
            restricted: counts.restricted,
            held: counts.held,
            refused: counts.refused,
        },
        classes: said.classes.into_iter().map(row).collect(),
        near: said.near.map(near),
        token_expires_at: said
            .token
            .as_ref()
            .map(|token| token.expires_at.to_string()),
        token: said.token.map(|token| token.text),
    }
}

fn kept(row: Kept) -> KeptEvents {
    KeptEvents {
        class: row.class,
        policies: row.policies,
        events: row.events,
        state: row.state,
        until: row.until,
        ground: row.ground,
        citation: row.citation,
    }
}

const fn held(held: requests::Held) -> EventsHeld {
    EventsHeld {
        as_subject: held.as_subject,
        as_actor: held.as_actor,
    }
}

fn near(near: requests::ShownNear) -> NearMatches {
    let person = |person: requests::ShownNearPerson| NearMatch {
        namespace: person.namespace,
        masked_id: person.masked_id,
        events: person.events,
    };
    NearMatches {
        complete: near.complete,
        events: near.events,
        persons: near.persons.into_iter().map(person).collect(),
    }
}
