//! The demo's last part: one person asks for a copy, then to be forgotten; the ledger verifies again.

use std::path::Path;

use anyhow::bail;
use serde::Deserialize;

use crate::commands::TargetArgs;
use crate::commands::client::{Client, EventName, ask};
use crate::commands::out_file::Replacing;
use crate::commands::output::print_line;
use crate::commands::privacy::{save_certificate, save_copy};
use trailkeep_api::events::RecordedEvent;
use trailkeep_api::privacy::{
    ClosingDecision, NewPersonRequest, PersonName, RequestClosing, RequestExecution,
};
use trailkeep_api::query::{EventQuestion, Order};
use trailkeep_proof::privacy::certificate::Certificate;
use trailkeep_proof::privacy::{Kind, Regime};
use trailkeep_proof::text::counted;

/// Answers both requests over the data directory, as `trailkeep privacy` does.
pub(super) async fn show_person(target: &TargetArgs, path: &Path) -> anyhow::Result<()> {
    ask(target, async |client| answer_and_erase(client, path).await).await
}

async fn answer_and_erase(client: &Client, path: &Path) -> anyhow::Result<()> {
    let person = person_of(client).await?;
    let copy = path.join("person.zip");
    let asked = request_of(Kind::Access, &person);
    let request = client.file_request(&asked).await?.read()?;
    let place = (copy.as_path(), Replacing::default());
    let bytes = save_copy(client, (&request.id, None), place).await?;
    let closing = RequestClosing {
        decision: ClosingDecision::Answered,
        not_the_same_person: None,
    };
    client.close_request(&request.id, &closing).await?;
    print_line(&format!(
        "\n9  Access        data subject {} asks for a copy: {}, as person.html in {} ({} KiB)",
        person.id,
        counted(request.held.unwrap_or_default().as_subject, "event"),
        copy.display(),
        bytes / 1024,
    ))?;

    let asked = request_of(Kind::Erasure, &person);
    let id = client.file_request(&asked).await?.read()?.id;
    let preview = client.preview_request(&id).await?.read()?;
    let order = RequestExecution {
        now: true,
        token: preview.token,
        ..RequestExecution::default()
    };
    client.execute(&id, &order).await?;
    let place = path.join("certificate.json");
    save_certificate(client, &id, (&place, Replacing::default())).await?;
    let certificate: Certificate = serde_json::from_slice(&std::fs::read(&place)?)?;
    print_line(&format!(
        "\n10 Erasure       {} destroyed, with the keys, {} kept for the minimum of a law; the certificate is {}",
        counted(certificate.events.destroyed, "event"),
        certificate.events.kept,
        place.display(),
    ))
    .map_err(anyhow::Error::from)
}

/// Of an event, whom it is about.
#[derive(Deserialize)]
struct Subjects {
    #[serde(default)]
    subjects: Vec<PersonName>,
}

/// Whom an event is about first.
fn subject_of(event: &RecordedEvent) -> anyhow::Result<Option<PersonName>> {
    let event: Subjects = serde_json::from_str(event.event.get())?;
    Ok(event.subjects.into_iter().next())
}

/// Somebody whom an event is about, but not the first one: that stays for you to look at.
async fn person_of(client: &Client) -> anyhow::Result<PersonName> {
    let first = client.event(EventName::Id("demo-000001")).await?;
    let first = subject_of(&first.read()?)?;
    let newest = EventQuestion {
        order: Some(Order::Newest),
        ..EventQuestion::default()
    };
    for event in client.query(&newest).await?.read()?.events {
        match subject_of(&event)? {
            Some(other) if Some(&other) != first.as_ref() => return Ok(other),
            _ => {}
        }
    }
    bail!("the demo's events are all about one data subject: this is a fault of trailkeep")
}

fn request_of(kind: Kind, person: &PersonName) -> NewPersonRequest {
    NewPersonRequest {
        kind,
        subject: person.clone(),
        reference: Some("demo".to_owned()),
        regime: Regime::default(),
        received_at: None,
        manner: None,
        identity_verified_by: Some("the demo".to_owned()),
        identity_kind: None,
        dry_run: false,
        include_acted: false,
        include_others: None,
        include_staff: false,
        not_the_same_person: None,
        ground: None,
    }
}
