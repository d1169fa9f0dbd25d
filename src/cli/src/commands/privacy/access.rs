//! A person's copy.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    IdentityArgs, SubjectArgs, check_certificate_place, dry_run, save_certificate, save_copy, show,
};
use crate::commands::client::Client;
use crate::commands::out_file::{
    OutFile, Replacing, is_standard_output, refuse_json_beside, refuse_standard_output,
};
use crate::commands::output::{note, print_json, print_line};

#[derive(Args)]
#[command(after_help = "\
Examples:
  trailkeep privacy access --dir D --subject customer-17 --out person.zip
  trailkeep privacy access --dir D --subject customer-17 --namespace crm --portable --out person.json
  trailkeep privacy access --dir D --subject customer-17 --dry-run

The file is a bundle with proofs; its person.html is the page for the data subject. With --portable it is JSON only.
The command files the request, makes the copy and closes the request as answered; each step is an entry of the ledger.
With --keep-open you close it yourself (`privacy close`). Data about other people in the same events and the names of
your staff are withheld unless you say otherwise.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(in crate::commands) struct AccessArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// File to write; it appears when complete. `-` is standard output
    #[arg(long, value_name = "person.zip", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    #[command(flatten)]
    replacing: Replacing,
    /// JSON only, for machines (GDPR Art. 20)
    #[arg(long)]
    portable: bool,
    #[command(flatten)]
    identity: IdentityArgs,
    /// Include other people in the same events; the reason is stored with the request
    #[arg(long, value_name = "WHY")]
    include_others: Option<String>,
    /// Include which members of your staff acted
    #[arg(long)]
    include_staff: bool,
    /// Also write the certificate of the answer and its signature
    #[arg(long, value_name = "C.json", conflicts_with = "keep_open")]
    certificate: Option<PathBuf>,
    /// Do not close the request
    #[arg(long)]
    keep_open: bool,
    /// Print JSON: the request, with "file" and "bytes"; of a dry run {"held","counts","classes"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn access(args: &AccessArgs) -> anyhow::Result<()> {
    let kind = if args.portable {
        "portability"
    } else {
        "access"
    };
    let (Some(out), false) = (&args.out, args.subject.dry_run) else {
        return dry_run(&args.subject, kind, args.json).await;
    };
    let mut body = args.subject.body(kind);
    body["identity_verified_by"] = json!(args.identity.identity_verified_by);
    body["include_others"] = json!(args.include_others);
    body["include_staff"] = json!(args.include_staff);
    // Places that can't be written to are found before anything is filed.
    refuse_json_beside(out, args.json)?;
    drop(OutFile::at(out, args.replacing)?);
    if let Some(path) = &args.certificate {
        check_certificate_place(path, args.replacing)?;
        if path == out {
            bail!("--out and --certificate name the same file: nothing was filed");
        }
    }
    let client = Client::to(&args.subject.target)?;
    let answered = answer(&client, args, &body, out).await;
    client.close().await?;
    let mut request = answered?;
    if args.json {
        request["file"] = json!(out);
        print_json(&request)?;
        return Ok(());
    }
    if is_standard_output(out) {
        let id = request["id"].as_str().unwrap_or_default();
        note(&format!(
            "request {id}: the copy was written to standard output"
        ));
        return Ok(());
    }
    show::print_request(&request, false)?;
    print_line(&format!("{:<14} {}", "file", out.display()))?;
    for (name, file) in request["closed_files"].as_object().into_iter().flatten() {
        let file = file.as_str().unwrap_or_default();
        print_line(&format!(
            "{:<14} {file} (of the superseded ledger {name})",
            "file"
        ))?;
    }
    let held = &request["held"];
    if held["as_subject"] == 0 && !args.subject.include_acted {
        print_line("No event names this data subject; the file says so.")?;
    }
    let acted = held["as_actor"].as_u64().unwrap_or_default();
    if acted > 0 && !args.subject.include_acted {
        note(&format!(
            "The data subject is only the actor in {acted} more events; --include-acted adds them."
        ));
    }
    Ok(())
}

/// Files the request, saves the copy, closes the request, saves the certificate.
async fn answer(
    client: &Client,
    args: &AccessArgs,
    body: &Value,
    out: &Path,
) -> anyhow::Result<Value> {
    let body = serde_json::to_vec(body)?;
    let kind = Some("application/json");
    let filed: Value = client
        .send("POST", "/v1/privacy/requests", kind, body)
        .await?
        .json()
        .await?;
    let id = filed["id"]
        .as_str()
        .context("the server's answer names no request")?;
    if !args.keep_open {
        let is_said = args.subject.not_the_same_person.is_some();
        show::check_near(&filed, (is_said, args.subject.include_acted))?;
    }
    let left_open =
        || format!("the request {id} is filed and open: `trailkeep privacy bundle {id}`");
    let superseded = filed["closed_ledgers"].as_array();
    if superseded.is_some_and(|names| !names.is_empty()) {
        let why = "this tenant has more than one ledger, and each has its own file: name a file with --out";
        refuse_standard_output(out, why).with_context(left_open)?;
    }
    let copy = save_copy(client, (id, None), (out, args.replacing)).await;
    let mut bytes = copy.with_context(left_open)?;
    let mut closed = serde_json::Map::new();
    for name in superseded.into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        let out = beside(out, name);
        let copy = save_copy(client, (id, Some(name)), (&out, args.replacing)).await;
        bytes += copy.with_context(left_open)?;
        closed.insert(name.to_owned(), json!(out));
    }
    let mut request = filed.clone();
    if !args.keep_open {
        let path = format!("/v1/privacy/requests/{id}/close");
        let body = serde_json::to_vec(&json!({"decision": "answered"}))?;
        request = client.send("POST", &path, kind, body).await?.json().await?;
        if let Some(path) = &args.certificate {
            save_certificate(client, id, (path, args.replacing)).await?;
        }
    }
    request["bytes"] = json!(bytes);
    if !closed.is_empty() {
        request["closed_files"] = closed.into();
    }
    Ok(request)
}

/// `person.zip` of a ledger that a recovery closed: `person.default.zip`.
fn beside(out: &Path, ledger: &str) -> PathBuf {
    let kind = out.extension().unwrap_or_default().to_string_lossy();
    out.with_extension(format!("{ledger}.{kind}").trim_end_matches('.'))
}
