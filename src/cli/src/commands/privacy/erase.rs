//! Erasing and restricting.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::order::{Confirmed, order};
use super::{IdentityArgs, SubjectArgs, check_certificate_place, dry_run, save_fetched, show};
use crate::commands::TargetArgs;
use crate::commands::client::{Client, Received, ask};
use crate::commands::confirm::check_can_ask;
use crate::commands::out_file::Replacing;
use crate::commands::output::{note, print_line, progress_bar};
use trailkeep_api::privacy::{NewPersonRequest, PersonRequest, RequestExecution};
use trailkeep_core::ops::readiness::WAITING;
use trailkeep_proof::privacy::certificate::{Certificate, Kept};
use trailkeep_proof::privacy::{Ground, Kind, Outcome, State};
use trailkeep_proof::text::counted;

/// How often it is asked whether an erasure is over.
const POLL: Duration = Duration::from_millis(500);
/// How long an erasure in this process goes on where another program reads the files.
const GOES_ON_FOR: Duration = Duration::from_secs(15);
/// How long a rotation is waited for that comes behind the erasure.
const ROTATED_WITHIN: Duration = Duration::from_secs(10);

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep privacy erase --dir D --subject customer-17 --reference T-2041 --dry-run
  trailkeep privacy erase --dir D --subject customer-17 --reference T-2041 --now --out certificate.json
  trailkeep privacy erase --dir D --subject customer-17 --reference T-2041 --yes    (in a script)

At a terminal it shows what would be deleted and asks you to type `erase`; nothing is filed before. Without a terminal it
needs --yes. Events that a legal hold or a statutory minimum keeps are restricted: only readers who state a lawful purpose
see them, and they are deleted automatically at the earliest lawful time. The certificate says what was deleted, what is
kept, until when and why.
With --now the vault is rotated at once, and the exit code is not 0 if that fails. Without --now it is rotated within
24 hours. From then on no registered replica opens the deleted payloads: fetch the certificate again
(`privacy certificate`) to have that time in it.")]
pub(in crate::commands) struct EraseArgs {
    #[command(flatten)]
    asked: AskedArgs,
    #[command(flatten)]
    confirmed: ConfirmArgs,
}

/// Erases what a filed request is about, or restricts it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep privacy execute --dir D ID --dry-run
  trailkeep privacy execute --dir D ID --now --out certificate.json
  trailkeep privacy execute --dir D ID --yes    (in a script)

For an erasure it shows, at a terminal, what would be deleted and asks you to type `erase`; without a terminal it needs
--yes. A restriction deletes nothing and needs no confirmation.")]
pub(in crate::commands) struct ExecuteArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The request
    id: String,
    /// Show what it would do, without doing it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirmed: ConfirmArgs,
    /// Reason why data subjects with a similar identifier are other people, if nothing is held under this one
    #[arg(long, value_name = "REASON")]
    not_the_same_person: Option<String>,
    /// Ground of a restriction that was filed without one
    #[arg(long, value_name = "GROUND")]
    ground: Option<Ground>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print JSON: what `privacy erase --json` prints
    #[arg(long)]
    json: bool,
}

/// Where the certificate goes.
#[derive(Args)]
struct PlaceArgs {
    /// Write the certificate and its signature
    #[arg(long, value_name = "C.json", conflicts_with = "dry_run")]
    out: Option<PathBuf>,
    #[command(flatten)]
    replacing: Replacing,
}

impl PlaceArgs {
    /// A place that can't be written to is found before anything is destroyed.
    fn check(&self) -> anyhow::Result<()> {
        let out = self.out.as_ref();
        out.map_or(Ok(()), |out| check_certificate_place(out, self.replacing))
    }
}

/// How something is destroyed.
#[derive(Args)]
struct ConfirmArgs {
    /// Delete without asking, for scripts
    #[arg(long)]
    yes: bool,
    /// Rotate the vault at once, so that no replica opens the deleted payloads
    #[arg(long, conflicts_with = "dry_run")]
    now: bool,
}

#[derive(Args)]
pub(in crate::commands) struct RestrictArgs {
    #[command(flatten)]
    asked: AskedArgs,
    /// Its ground: contested, unlawful, claims or objection, or the letter of GDPR Art. 18(1): a, b, c, d. Not with ccpa
    #[arg(long, value_name = "GROUND")]
    ground: Option<Ground>,
}

/// What is asked for, and what becomes of the answer.
#[derive(Args)]
struct AskedArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print JSON: {"request","outcome","erased_events","kept":[{"class","events","until","ground","citation"}],
    /// "primary_destroyed_at","replicas_destroyed_at","rotated"}; of a dry run {"held","counts","classes"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn erase(args: &EraseArgs) -> anyhow::Result<()> {
    let AskedArgs { subject, place, .. } = &args.asked;
    if subject.dry_run {
        return dry_run(subject, Kind::Erasure, args.asked.json).await;
    }
    let ConfirmArgs { yes, now } = args.confirmed;
    check_can_ask(yes, "an erasure")?;
    place.check()?;
    let done = ask(&subject.target, async |client| {
        let mut confirmed = Confirmed::by(yes);
        if !yes {
            let preview = client.dry_run(subject.asked(Kind::Erasure)).await?;
            confirmed.ask(&preview.read()?)?;
        }
        let what = (Kind::Erasure, None);
        file_and_execute(client, &args.asked, what, (now, confirmed)).await
    });
    let done = done.await?;
    let is_late = now && !is_rotated(&done.certificate);
    args.asked.print(&done)?;
    check_rotated(is_late)
}

pub(super) async fn restrict(args: &RestrictArgs) -> anyhow::Result<()> {
    let AskedArgs { subject, place, .. } = &args.asked;
    if subject.dry_run {
        return dry_run(subject, Kind::Restriction, args.asked.json).await;
    }
    place.check()?;
    let done = ask(&subject.target, async |client| {
        let what = (Kind::Restriction, args.ground);
        let how = (false, Confirmed::ByOption);
        file_and_execute(client, &args.asked, what, how).await
    });
    args.asked.print(&done.await?)
}

pub(super) async fn execute(args: &ExecuteArgs) -> anyhow::Result<()> {
    let ConfirmArgs { yes, now } = args.confirmed;
    args.place.check()?;
    let done = ask(&args.target, async |client| {
        if args.dry_run {
            let preview = client.preview_request(&args.id).await?;
            show::print_dry_run(&preview, args.json)?;
            return Ok(None);
        }
        let order = RequestExecution {
            now,
            not_the_same_person: args.not_the_same_person.clone(),
            ground: args.ground,
            token: None,
        };
        let mut confirmed = Confirmed::by(yes);
        let how = (&order, &mut confirmed);
        execute_and_wait(client, &args.id, how, &args.place)
            .await
            .map(Some)
    });
    let Some(done) = done.await? else {
        return Ok(());
    };
    let is_late = now && !is_rotated(&done.certificate);
    done.print(args.place.out.as_deref(), args.json)?;
    check_rotated(is_late)
}

/// Whether no registered replica opens what was destroyed, or nothing was.
fn is_rotated(certificate: &Certificate) -> bool {
    let destroyed = certificate.destroyed.as_ref();
    certificate.events.destroyed == 0
        || destroyed.is_some_and(|destroyed| destroyed.copies_dead_at.is_some())
}

fn check_rotated(is_late: bool) -> anyhow::Result<()> {
    if is_late {
        bail!(
            "the events are deleted, but the vault could not be rotated at once (--now), so vault replicas may still open \
             them. The rotation is retried automatically; see /readyz and `trailkeep vault-replica list` for the cause"
        );
    }
    Ok(())
}

/// What a deletion waits for, in the server's words, once it has waited for some seconds.
async fn waited_for(client: &Client) -> Option<String> {
    let ready = client.ready().await.ok()?.read().ok()?;
    ready
        .notes
        .into_iter()
        .find(|note| note.starts_with(WAITING))
}

/// A request that was carried out.
struct Done {
    request: Received<PersonRequest>,
    certificate: Certificate,
}

/// Files the request, carries it out and waits until it is answered.
async fn file_and_execute(
    client: &Client,
    asked: &AskedArgs,
    (kind, ground): (Kind, Option<Ground>),
    (now, mut confirmed): (bool, Confirmed),
) -> anyhow::Result<Done> {
    let new = NewPersonRequest {
        ground,
        identity_verified_by: asked.identity.verified_by(),
        identity_kind: asked.identity.identity_kind,
        ..asked.subject.asked(kind)
    };
    let id = client.file_request(&new).await?.read()?.id;
    // What was said of near identifiers stands in the request already.
    let order = RequestExecution {
        now,
        not_the_same_person: None,
        ground: None,
        token: None,
    };
    execute_and_wait(client, &id, (&order, &mut confirmed), &asked.place)
        .await
        .with_context(|| format!("the request {id} is filed"))
}

async fn execute_and_wait(
    client: &Client,
    id: &str,
    (said, confirmed): (&RequestExecution, &mut Confirmed),
    place: &PlaceArgs,
) -> anyhow::Result<Done> {
    let mut answer = order(client, id, said, confirmed).await?;
    let bar = progress_bar(0, "destroying");
    let (begun, mut is_said) = (Instant::now(), false);
    let request = loop {
        let request = answer.read()?;
        if !matches!(request.state, State::Open | State::Executing) {
            break request;
        }
        tokio::time::sleep(POLL).await;
        bar.tick();
        if !is_said && let Some(waiting) = waited_for(client).await {
            bar.suspend(|| note(&waiting));
            is_said = true;
        }
        // A server goes on by itself; this process would not. A long deletion that nothing holds up is waited for.
        let is_here = matches!(client, Client::Here { .. });
        if is_here && begun.elapsed() > GOES_ON_FOR && waited_for(client).await.is_some() {
            bail!(
                "erasure incomplete: another program reads the files. Stop that program, then run `trailkeep \
                 retention run` or `trailkeep serve` to finish it"
            );
        }
        let listed = client.requests().await?.read()?.requests;
        let found = listed.into_iter().find(|one| one.id == id);
        answer = Received::made(&found.context("the request is no longer listed")?)?;
    };
    bar.finish_and_clear();
    if !request.certificate {
        bail!(
            "the request {id} is {}, and has no certificate",
            show::word(&request.state)
        );
    }
    let mut fetched = client.certificate(id).await?;
    let mut certificate = fetched.read()?;
    let ended = Instant::now();
    while said.now && !is_rotated(&certificate) && ended.elapsed() < ROTATED_WITHIN {
        tokio::time::sleep(POLL).await;
        fetched = client.certificate(id).await?;
        certificate = fetched.read()?;
    }
    if let Some(out) = &place.out {
        save_fetched(client, (id, fetched.text()), (out, place.replacing)).await?;
    }
    Ok(Done {
        request: answer,
        certificate,
    })
}

impl AskedArgs {
    fn print(&self, done: &Done) -> anyhow::Result<()> {
        done.print(self.place.out.as_deref(), self.json)?;
        let held = done.request.read()?.held.unwrap_or_default();
        if !self.json && held.as_actor > 0 && !self.subject.include_acted {
            note(&format!(
                "The data subject is only the actor in {}: --include-acted adds what they acted in.",
                counted(held.as_actor, "more event")
            ));
        }
        Ok(())
    }
}

impl Done {
    fn print(&self, out: Option<&Path>, json: bool) -> anyhow::Result<()> {
        if json {
            return Received::<Summary<'_>>::made(&Summary::of(&self.certificate))?.print();
        }
        show::print_request(&self.request, false)?;
        show::print_certificate(&self.certificate)?;
        if let Some(out) = out {
            print_line(&format!(
                "{:<14} {1} and {1}.sig",
                "certificate",
                out.display()
            ))?;
        }
        Ok(())
    }
}

/// What scripts want to know.
#[derive(Serialize)]
struct Summary<'a> {
    request: &'a str,
    receipt: &'a str,
    outcome: Outcome,
    erased_events: u64,
    kept: &'a [Kept],
    primary_destroyed_at: Option<&'a str>,
    replicas_destroyed_at: Option<&'a str>,
    rotated: bool,
}

impl<'a> Summary<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        let destroyed = certificate.destroyed.as_ref();
        Self {
            request: &certificate.request.id,
            receipt: &certificate.request.receipt,
            outcome: certificate.outcome,
            erased_events: certificate.events.destroyed,
            kept: &certificate.kept,
            primary_destroyed_at: destroyed.map(|destroyed| destroyed.live_at.as_str()),
            replicas_destroyed_at: destroyed
                .and_then(|destroyed| destroyed.copies_dead_at.as_deref()),
            rotated: is_rotated(certificate),
        }
    }
}
