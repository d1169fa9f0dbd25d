//! Erasing and restricting.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{IdentityArgs, SubjectArgs, dry_run, save_certificate, show};
use crate::cli::client::{Client, segment};
use crate::cli::export::OutFile;
use crate::cli::output::{note, print_json, print_line, progress_bar};

/// How often it is asked whether an erasure is over.
const POLL: Duration = Duration::from_millis(500);

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep privacy erase --dir D --subject customer-17 --reference T-2041 --dry-run
  trailkeep privacy erase --dir D --subject customer-17 --reference T-2041 --now --out certificate.json

What a legal hold or a law's minimum keeps is restricted: shown to nobody who does not state a lawful purpose, and
destroyed by itself at the earliest lawful moment. The certificate says what went, what stays, until when and why.
Without --now the vault is rotated within 24 hours, and what went opens in no registered copy from then on: fetch the
certificate again (`privacy certificate`) for that time.")]
pub(in crate::cli) struct EraseArgs {
    #[command(flatten)]
    asked: AskedArgs,
    /// Rotate the vault at once, so that the copies of the keys are dead too
    #[arg(long, conflicts_with = "dry_run")]
    now: bool,
}

#[derive(Args)]
pub(in crate::cli) struct RestrictArgs {
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
    /// Write the certificate, and its signature beside it
    #[arg(long, value_name = "C.json", conflicts_with = "dry_run")]
    out: Option<PathBuf>,
    /// Print JSON: {"request","outcome","erased_events","kept":[{"class","events","until","ground","citation"}],
    /// "live_destroyed_at","copies_dead_at"}; of a dry run {"held","counts","classes"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn erase(args: &EraseArgs) -> anyhow::Result<()> {
    carry_out(&args.asked, "erasure", args.now).await
}

pub(super) async fn restrict(args: &RestrictArgs) -> anyhow::Result<()> {
    carry_out(&args.asked, "restriction", false).await
}

async fn carry_out(asked: &AskedArgs, kind: &str, now: bool) -> anyhow::Result<()> {
    let AskedArgs { subject, out, .. } = asked;
    if subject.dry_run {
        return dry_run(subject, kind, asked.json).await;
    }
    let mut body = subject.body(kind);
    body["identity_verified_by"] = json!(asked.identity.identity_verified_by);
    body["now"] = json!(now);
    // A place that can't be written to is found before anything is destroyed.
    if let Some(out) = out {
        drop(OutFile::at(out)?);
    }
    let client = Client::to(&subject.target)?;
    let done = file_and_wait(&client, &body, out.as_ref()).await;
    client.close().await?;
    let (request, certificate) = done?;
    if asked.json {
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
    let acted = request["held"]["as_actor"].as_u64().unwrap_or_default();
    if acted > 0 && body["include_acted"] == false {
        note(&format!(
            "In {acted} more events the person only acted; --include-acted reaches them too."
        ));
    }
    Ok(())
}

/// Files the request and waits until it is answered. Gives it with its certificate.
async fn file_and_wait(
    client: &Client,
    body: &Value,
    out: Option<&PathBuf>,
) -> anyhow::Result<(Value, Value)> {
    let kind = Some("application/json");
    let body = serde_json::to_vec(body)?;
    let answer = client
        .send("POST", "/v1/privacy/requests", kind, body)
        .await?;
    let mut request: Value = answer.json().await?;
    let id = request["id"].as_str().map(str::to_owned);
    let id = id.context("the server named no request")?;
    let bar = progress_bar(0, "destroying");
    while request["state"] == "open" || request["state"] == "executing" {
        tokio::time::sleep(POLL).await;
        bar.tick();
        let listed = client
            .send("GET", "/v1/privacy/requests", None, Vec::new())
            .await?;
        let listed: Value = listed.json().await?;
        let requests = listed["requests"].as_array();
        let found = requests.and_then(|all| all.iter().find(|one| one["id"] == id.as_str()));
        request = found
            .cloned()
            .context("the request is not listed any more")?;
    }
    bar.finish_and_clear();
    if request["certificate"] != true {
        bail!(
            "the request {id} is {}, and has no certificate",
            request["state"]
        );
    }
    let path = format!("/v1/privacy/requests/{}/certificate", segment(&id));
    let certificate = client
        .send("GET", &path, None, Vec::new())
        .await?
        .json()
        .await?;
    if let Some(out) = out {
        save_certificate(client, &id, out).await?;
    }
    Ok((request, certificate))
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
        "live_destroyed_at": certificate["destroyed"]["live_at"],
        "copies_dead_at": certificate["destroyed"]["copies_dead_at"],
    })
}
