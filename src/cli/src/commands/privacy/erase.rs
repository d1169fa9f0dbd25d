//! Erasing and restricting.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{IdentityArgs, SubjectArgs, check_certificate_place, dry_run, save_certificate, show};
use crate::commands::TargetArgs;
use crate::commands::client::{Client, segment};
use crate::commands::confirm::{check_can_ask, confirm};
use crate::commands::out_file::Replacing;
use crate::commands::output::{note, print_json, print_line, progress_bar};
use trailkeep_core::ops::readiness::WAITING;

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

/// What the person at the terminal types.
const WORD: &str = "erase";

pub(super) async fn erase(args: &EraseArgs) -> anyhow::Result<()> {
    let AskedArgs { subject, place, .. } = &args.asked;
    if subject.dry_run {
        return dry_run(subject, "erasure", args.asked.json).await;
    }
    let ConfirmArgs { yes, now } = args.confirmed;
    check_can_ask(yes, "an erasure")?;
    place.check()?;
    let client = Client::to(&subject.target)?;
    let done = async {
        if !yes {
            let mut asked = subject.body("erasure");
            asked["dry_run"] = json!(true);
            let preview = post(&client, "/v1/privacy/requests", &asked).await?;
            ask_for_it(&preview)?;
        }
        file_and_execute(&client, &args.asked, "erasure", now).await
    };
    let done = done.await;
    client.close().await?;
    let done = done?;
    let is_late = now && !is_rotated(&done.1);
    args.asked.print(done)?;
    check_rotated(is_late)
}

pub(super) async fn restrict(args: &RestrictArgs) -> anyhow::Result<()> {
    let AskedArgs { subject, place, .. } = &args.asked;
    if subject.dry_run {
        return dry_run(subject, "restriction", args.asked.json).await;
    }
    place.check()?;
    let client = Client::to(&subject.target)?;
    let done = file_and_execute(&client, &args.asked, "restriction", false).await;
    client.close().await?;
    args.asked.print(done?)
}

pub(super) async fn execute(args: &ExecuteArgs) -> anyhow::Result<()> {
    let ConfirmArgs { yes, now } = args.confirmed;
    args.place.check()?;
    let client = Client::to(&args.target)?;
    let preview = format!("/v1/privacy/requests/{}/preview", segment(&args.id));
    let done = async {
        if args.dry_run || !yes {
            let preview: Value = client.get(&preview).await?;
            if args.dry_run {
                show::print_dry_run(&preview, args.json)?;
                return Ok(None);
            }
            if preview["type"] == "erasure" {
                check_can_ask(yes, "an erasure")?;
                ask_for_it(&preview)?;
            }
        }
        let order = json!({"now": now, "not_the_same_person": args.not_the_same_person});
        execute_and_wait(&client, &args.id, (&order, &args.place))
            .await
            .map(Some)
    };
    let done: anyhow::Result<_> = done.await;
    client.close().await?;
    let Some(done) = done? else { return Ok(()) };
    let is_late = now && !is_rotated(&done.1);
    print(done, args.place.out.as_ref(), args.json)?;
    check_rotated(is_late)
}

/// Whether no registered replica opens what was destroyed, or nothing was.
fn is_rotated(certificate: &Value) -> bool {
    certificate["events"]["destroyed"] == 0
        || certificate["destroyed"]["copies_dead_at"].is_string()
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
    let ready: Value = client.get("/readyz").await.ok()?;
    let notes = ready["notes"].as_array()?.iter().filter_map(Value::as_str);
    notes
        .filter(|note| note.starts_with(WAITING))
        .map(str::to_owned)
        .next()
}

/// Shows what would be destroyed, and asks.
fn ask_for_it(preview: &Value) -> anyhow::Result<()> {
    note(&show::dry_run_text(preview));
    confirm("Deleted data", WORD)
}

async fn post(client: &Client, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = serde_json::to_vec(body)?;
    let answer = client.send("POST", path, Some("application/json"), body);
    answer.await?.json().await
}

/// Files the request, carries it out and waits until it is answered. Gives it with its certificate.
async fn file_and_execute(
    client: &Client,
    asked: &AskedArgs,
    kind: &str,
    now: bool,
) -> anyhow::Result<(Value, Value)> {
    let mut body = asked.subject.body(kind);
    body["identity_verified_by"] = json!(asked.identity.identity_verified_by);
    let filed = post(client, "/v1/privacy/requests", &body).await?;
    let id = filed["id"]
        .as_str()
        .context("the server's answer names no request")?;
    // What was said of near identifiers stands in the request already.
    let order = json!({"now": now});
    execute_and_wait(client, id, (&order, &asked.place))
        .await
        .with_context(|| format!("the request {id} is filed"))
}

async fn execute_and_wait(
    client: &Client,
    id: &str,
    (order, place): (&Value, &PlaceArgs),
) -> anyhow::Result<(Value, Value)> {
    let path = format!("/v1/privacy/requests/{}", segment(id));
    let bar = progress_bar(0, "destroying");
    let execute = format!("{path}/execute");
    let mut request = post(client, &execute, order).await?;
    let (begun, mut is_said) = (Instant::now(), false);
    while request["state"] == "open" || request["state"] == "executing" {
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
        let listed: Value = client.get("/v1/privacy/requests").await?;
        let requests = listed["requests"].as_array();
        let found = requests.and_then(|all| all.iter().find(|one| one["id"] == id));
        request = found.cloned().context("the request is no longer listed")?;
    }
    bar.finish_and_clear();
    if request["certificate"] != true {
        bail!(
            "the request {id} is {}, and has no certificate",
            request["state"]
        );
    }
    let path = format!("{path}/certificate");
    let mut certificate: Value = client.get(&path).await?;
    let ended = Instant::now();
    while order["now"] == true && !is_rotated(&certificate) && ended.elapsed() < ROTATED_WITHIN {
        tokio::time::sleep(POLL).await;
        certificate = client.get(&path).await?;
    }
    if let Some(out) = &place.out {
        save_certificate(client, id, (out, place.replacing)).await?;
    }
    Ok((request, certificate))
}

impl AskedArgs {
    fn print(&self, done: (Value, Value)) -> anyhow::Result<()> {
        let acted = done.0["held"]["as_actor"].as_u64().unwrap_or_default();
        print(done, self.place.out.as_ref(), self.json)?;
        if !self.json && acted > 0 && !self.subject.include_acted {
            note(&format!(
                "The data subject is only the actor in {acted} more events; --include-acted adds them."
            ));
        }
        Ok(())
    }
}

fn print(
    (request, certificate): (Value, Value),
    out: Option<&PathBuf>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        return print_json(&summary(&certificate));
    }
    show::print_request(&request, false)?;
    show::print_certificate(&certificate)?;
    if let Some(out) = out {
        print_line(&format!(
            "{:<14} {1} and {1}.sig",
            "certificate",
            out.display()
        ))?;
    }
    Ok(())
}

/// What scripts want to know.
fn summary(certificate: &Value) -> Value {
    let kept = certificate["kept"].as_array();
    let kept = kept.into_iter().flatten().map(|row| {
        json!({
            "class": row["class"], "policies": row["policies"], "events": row["events"],
            "state": row["state"], "until": row["until"], "ground": row["ground"],
            "citation": row["citation"],
        })
    });
    json!({
        "request": certificate["request"]["id"],
        "receipt": certificate["request"]["receipt"],
        "outcome": certificate["outcome"],
        "erased_events": certificate["events"]["destroyed"],
        "kept": kept.collect::<Vec<_>>(),
        "primary_destroyed_at": certificate["destroyed"]["live_at"],
        "replicas_destroyed_at": certificate["destroyed"]["copies_dead_at"],
        "rotated": is_rotated(certificate),
    })
}
