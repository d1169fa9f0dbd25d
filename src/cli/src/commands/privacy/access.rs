//! A person's copy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::{
    IdentityArgs, SubjectArgs, check_certificate_place, dry_run, save_certificate, save_copy, show,
};
use crate::commands::client::{Client, Received, ask};
use crate::commands::out_file::{
    OutFile, Replacing, is_standard_output, refuse_json_beside, refuse_standard_output,
};
use crate::commands::output::{note, print_line};
use trailkeep_api::privacy::{ClosingDecision, NewPersonRequest, PersonRequest, RequestClosing};
use trailkeep_proof::privacy::Kind;
use trailkeep_proof::text::counted;

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
        Kind::Portability
    } else {
        Kind::Access
    };
    let (Some(out), false) = (&args.out, args.subject.dry_run) else {
        return dry_run(&args.subject, kind, args.json).await;
    };
    let asked = NewPersonRequest {
        identity_verified_by: args.identity.verified_by(),
        identity_kind: args.identity.identity_kind,
        include_others: args.include_others.clone(),
        include_staff: args.include_staff,
        ..args.subject.asked(kind)
    };
    // Places that can't be written to are found before anything is filed.
    refuse_json_beside(out, args.json)?;
    drop(OutFile::at(out, args.replacing)?);
    if let Some(path) = &args.certificate {
        check_certificate_place(path, args.replacing)?;
        if path == out {
            bail!("--out and --certificate name the same file: nothing was filed");
        }
    }
    let answered = ask(&args.subject.target, async |client| {
        answer(client, args, &asked, out).await
    });
    let Answered {
        request,
        bytes,
        closed_files,
    } = answered.await?;
    if args.json {
        let mut more = vec![("bytes", json!(bytes)), ("file", json!(out))];
        if !closed_files.is_empty() {
            more.push(("closed_files", json!(closed_files)));
        }
        return request.print_with(more);
    }
    let shown = request.read()?;
    if is_standard_output(out) {
        note(&format!(
            "request {}: the copy was written to standard output",
            shown.id
        ));
        return Ok(());
    }
    show::print_request(&request, false)?;
    print_line(&format!("{:<14} {}", "file", out.display()))?;
    for (name, file) in &closed_files {
        print_line(&format!(
            "{:<14} {} (of the superseded ledger {name})",
            "file",
            file.display()
        ))?;
    }
    let held = shown.held.unwrap_or_default();
    if held.as_subject == 0 && !args.subject.include_acted {
        print_line("No event names this data subject; the file says so.")?;
    }
    if held.as_actor > 0 && !args.subject.include_acted {
        note(&format!(
            "The data subject is only the actor in {}: --include-acted adds what they acted in.",
            counted(held.as_actor, "more event")
        ));
    }
    Ok(())
}

/// A request whose copy was saved.
struct Answered {
    request: Received<PersonRequest>,
    /// Bytes of all files.
    bytes: u64,
    /// Files of superseded ledgers, by the ledger's name.
    closed_files: BTreeMap<String, PathBuf>,
}

/// Files the request, saves the copy, closes the request, saves the certificate.
async fn answer(
    client: &Client,
    args: &AccessArgs,
    asked: &NewPersonRequest,
    out: &Path,
) -> anyhow::Result<Answered> {
    let filed = client.file_request(asked).await?;
    let told = filed.read()?;
    let id = told.id.as_str();
    if !args.keep_open {
        let is_said = args.subject.not_the_same_person.is_some();
        show::check_near(&told, (is_said, args.subject.include_acted))?;
    }
    let left_open =
        || format!("the request {id} is filed and open: `trailkeep privacy bundle {id}`");
    if !told.closed_ledgers.is_empty() {
        let why = "this tenant has more than one ledger, and each has its own file: name a file with --out";
        refuse_standard_output(out, why).with_context(left_open)?;
    }
    let copy = save_copy(client, (id, None), (out, args.replacing)).await;
    let mut bytes = copy.with_context(left_open)?;
    let mut closed_files = BTreeMap::new();
    for name in &told.closed_ledgers {
        let out = beside(out, name);
        let copy = save_copy(client, (id, Some(name)), (&out, args.replacing)).await;
        bytes += copy.with_context(left_open)?;
        closed_files.insert(name.clone(), out);
    }
    let mut request = filed;
    if !args.keep_open {
        let closing = RequestClosing {
            decision: ClosingDecision::Answered,
            not_the_same_person: None,
        };
        request = client.close_request(id, &closing).await?;
        if let Some(path) = &args.certificate {
            save_certificate(client, id, (path, args.replacing)).await?;
        }
    }
    Ok(Answered {
        request,
        bytes,
        closed_files,
    })
}

/// `person.zip` of a ledger that a recovery closed: `person.default.zip`.
fn beside(out: &Path, ledger: &str) -> PathBuf {
    let kind = out.extension().unwrap_or_default().to_string_lossy();
    out.with_extension(format!("{ledger}.{kind}").trim_end_matches('.'))
}
