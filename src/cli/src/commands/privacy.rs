//! `trailkeep privacy`: what a privacy officer does (docs/gdpr.md).

mod access;
mod certificate;
mod erase;
mod how;
mod letter;
mod order;
mod register;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

pub(in crate::commands) use self::certificate::save_certificate;
use self::certificate::{check_certificate_place, save_fetched};
use self::how::IdentityArgs;
use super::TargetArgs;
use super::client::{Client, Copy, ask};
use super::out_file::{OutFile, Replacing, is_standard_output};
use super::output::{print_line, progress_bar};
use trailkeep_api::privacy::{
    ClosingDecision, CopyCounts, Identity, NewPersonRequest, PersonName, RequestClosing,
    RequestExtension,
};
use trailkeep_proof::privacy::{Ground, IdentityKind, Kind, Manner, Regime};
use trailkeep_proof::text::size;

/// How often a copy is asked how far it is.
const POLL: Duration = Duration::from_millis(50);

/// The law under which somebody asks.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Law {
    Gdpr,
    UkGdpr,
    Ccpa,
}

/// How a request ends.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Close {
    Answered,
    Withdrawn,
    IdentityNotShown,
    Forwarded,
    Lifted,
}

/// Who asks, for what, since when.
#[derive(Args)]
pub(super) struct SubjectArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The data subject's identifier, as in `subjects` of the events
    #[arg(long, value_name = "S")]
    subject: String,
    /// Namespace of the identifier, as in the events
    #[arg(long, value_name = "N")]
    namespace: Option<String>,
    /// Your own reference for the request, such as a ticket; deleted together with the identifier
    #[arg(long, value_name = "R")]
    reference: Option<String>,
    /// Law that the request is based on
    #[arg(long, value_enum, value_name = "LAW", default_value = "gdpr")]
    regime: Law,
    /// Day or time at which it was received [default: today]
    #[arg(long, value_name = "DAY")]
    received_at: Option<String>,
    /// How it came in; the ledger's entry has it
    #[arg(long, value_name = "HOW", value_parser = how::manners())]
    manner: Option<Manner>,
    /// Include events in which the data subject is only the actor
    #[arg(long)]
    include_acted: bool,
    /// Show what it would do, without doing it
    #[arg(long)]
    dry_run: bool,
    /// Reason why data subjects with a similar identifier are other people, if nothing is held under this one
    #[arg(long, value_name = "REASON")]
    not_the_same_person: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum PrivacyCommand {
    /// Answer an access or portability request: a copy of all data held about a data subject
    Access(Box<access::AccessArgs>),
    /// Answer an erasure request: delete what no law or hold requires you to keep, restrict the rest
    Erase(Box<erase::EraseArgs>),
    /// Restrict a data subject's events (GDPR Art. 18)
    #[command(after_help = "\
Examples:
  trailkeep privacy restrict --dir D --subject customer-17 --reference T-2042 --ground contested
  trailkeep privacy close --dir D ID --decision lifted    (inform the data subject first: GDPR Art. 18(3))

Grounds (GDPR Art. 18(1)): contested (a: the accuracy is contested), unlawful (b: the use is unlawful, and the data subject
opposes deletion), claims (c: the data subject needs it for legal claims), objection (d: an objection is pending).
With unlawful and claims the events are held beyond their expiry until the restriction is lifted.")]
    Restrict(Box<erase::RestrictArgs>),
    /// File a request whose requester is not identified yet; nothing is disclosed or deleted before that
    #[command(after_help = "\
Example:  trailkeep privacy file --dir D --type access --subject customer-17 --reference T-2041")]
    File {
        #[command(flatten)]
        subject: SubjectArgs,
        /// Type of request: access, portability, erasure or restriction
        #[arg(long = "type", value_name = "TYPE", default_value = "access", value_parser = kind_of)]
        kind: Kind,
        /// Of a restriction: its ground (GDPR Art. 18(1)): contested (a), unlawful (b), claims (c) or objection (d)
        #[arg(long, value_name = "GROUND")]
        ground: Option<Ground>,
        /// Print JSON: the request
        #[arg(long)]
        json: bool,
    },
    /// Record how the requester's identity was verified; `privacy execute` then carries the request out
    Identity {
        #[command(flatten)]
        target: TargetArgs,
        /// The request
        id: String,
        /// How it was verified, in your own words; forgotten with whom the request is about
        #[arg(long, value_name = "TEXT", required_unless_present = "kind")]
        verified_by: Option<String>,
        /// By what kind of check, or why none was made; the ledger's entry has it
        #[arg(long, value_name = "KIND", value_parser = how::identity_kinds())]
        kind: Option<IdentityKind>,
        /// Print JSON: the request
        #[arg(long)]
        json: bool,
    },
    /// Carry out a filed erasure or restriction
    Execute(Box<erase::ExecuteArgs>),
    /// Extend the due date: once, within the first period, with a reason for the data subject
    #[command(after_help = "\
Example:  trailkeep privacy extend --dir D ID --reason 'eight systems to search, two of them archives'")]
    Extend {
        #[command(flatten)]
        target: TargetArgs,
        /// The request
        id: String,
        /// Reason
        #[arg(long, value_name = "WHY")]
        reason: String,
        /// Print JSON: the request
        #[arg(long)]
        json: bool,
    },
    /// Download the copy made for a request
    Bundle {
        #[command(flatten)]
        target: TargetArgs,
        /// The request
        id: String,
        /// File to write. `-` is standard output
        #[arg(long, value_name = "person.zip")]
        out: PathBuf,
        #[command(flatten)]
        replacing: Replacing,
    },
    /// Close a request: answered (issues its certificate), withdrawn, or a restriction lifted
    Close {
        #[command(flatten)]
        target: TargetArgs,
        /// The request
        id: String,
        /// Decision
        #[arg(long, value_enum, value_name = "HOW")]
        decision: Close,
        /// If nothing is held: reason why data subjects with a similar identifier are other people
        #[arg(long, value_name = "REASON")]
        not_the_same_person: Option<String>,
        /// Print JSON: the request
        #[arg(long)]
        json: bool,
    },
    /// Write the certificate of an answered request, and its signature
    Certificate {
        #[command(flatten)]
        target: TargetArgs,
        /// The request
        id: String,
        /// File to write; the signature goes to C.json.sig
        #[arg(long, value_name = "C.json")]
        out: PathBuf,
        #[command(flatten)]
        replacing: Replacing,
    },
    /// Write the answer letter to the data subject: what was decided and done, and where they may complain
    Letter(letter::LetterArgs),
    /// List the requests by due date
    #[command(after_help = "\
Example:  trailkeep privacy list --dir D --csv > register.csv    (names nobody: for whoever examines your register)")]
    List {
        #[command(flatten)]
        target: TargetArgs,
        /// Print the register as CSV for spreadsheets; it has neither references nor data subjects
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// Print JSON: {"requests":[...]}
        #[arg(long)]
        json: bool,
    },
    /// Show one request with its data subject; the read is recorded
    Show {
        #[command(flatten)]
        target: TargetArgs,
        /// The request
        id: String,
        /// Print JSON: the request
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: PrivacyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PrivacyCommand::Access(args) => access::access(&args).await?,
        PrivacyCommand::Erase(args) => erase::erase(&args).await?,
        PrivacyCommand::Restrict(args) => erase::restrict(&args).await?,
        PrivacyCommand::Execute(args) => erase::execute(&args).await?,
        PrivacyCommand::File {
            subject,
            kind,
            ground,
            json,
        } => file(&subject, (kind, ground), json).await?,
        PrivacyCommand::Identity {
            target,
            id,
            verified_by,
            kind,
            json,
        } => {
            let said = Identity { verified_by, kind };
            let answer = ask(&target, async |client| client.identify(&id, &said).await);
            show::print_request(&answer.await?, json)?;
        }
        PrivacyCommand::Extend {
            target,
            id,
            reason,
            json,
        } => {
            let said = RequestExtension { reason };
            let answer = ask(&target, async |client| client.extend(&id, &said).await);
            show::print_request(&answer.await?, json)?;
        }
        PrivacyCommand::Close {
            target,
            id,
            decision,
            not_the_same_person,
            json,
        } => {
            let said = RequestClosing {
                decision: decision.into(),
                not_the_same_person,
            };
            let answer = ask(&target, async |client| {
                client.close_request(&id, &said).await
            });
            show::print_request(&answer.await?, json)?;
        }
        PrivacyCommand::Bundle {
            target,
            id,
            out,
            replacing,
        } => bundle(&target, &id, (&out, replacing)).await?,
        PrivacyCommand::Certificate {
            target,
            id,
            out,
            replacing,
        } => certificate::certificate(&target, &id, (&out, replacing)).await?,
        PrivacyCommand::Letter(args) => letter::letter(&args).await?,
        PrivacyCommand::List { target, csv, json } => {
            let listed = ask(&target, Client::requests).await?;
            if csv {
                register::print_csv(&listed)?;
            } else {
                show::print_list(&listed, json)?;
            }
        }
        PrivacyCommand::Show { target, id, json } => {
            let request = ask(&target, async |client| client.request(&id).await).await?;
            show::print_one(&request, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Files a request whose requester is not identified yet.
async fn file(
    subject: &SubjectArgs,
    (kind, ground): (Kind, Option<Ground>),
    json: bool,
) -> anyhow::Result<()> {
    let new = NewPersonRequest {
        ground,
        ..subject.asked(kind)
    };
    let filed = ask(&subject.target, async |client| {
        client.file_request(&new).await
    })
    .await?;
    show::print_request(&filed, json)
}

async fn bundle(
    target: &TargetArgs,
    id: &str,
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<()> {
    let saved = ask(target, async |client| {
        save_copy(client, (id, None), (out, replacing)).await
    });
    let bytes = saved.await?;
    if !is_standard_output(out) {
        print_line(&format!("{} in {}", size(bytes), out.display()))?;
    }
    Ok(())
}

/// A type of request, by its name on the wire.
fn kind_of(text: &str) -> Result<Kind, String> {
    let known = serde_json::from_value(text.into());
    known.map_err(|_| "use access, portability, erasure or restriction".to_owned())
}

impl From<Law> for Regime {
    fn from(law: Law) -> Self {
        match law {
            Law::Gdpr => Self::Gdpr,
            Law::UkGdpr => Self::UkGdpr,
            Law::Ccpa => Self::Ccpa,
        }
    }
}

impl From<Close> for ClosingDecision {
    fn from(close: Close) -> Self {
        match close {
            Close::Answered => Self::Answered,
            Close::Withdrawn => Self::Withdrawn,
            Close::IdentityNotShown => Self::IdentityNotShown,
            Close::Forwarded => Self::Forwarded,
            Close::Lifted => Self::Lifted,
        }
    }
}

impl SubjectArgs {
    fn asked(&self, kind: Kind) -> NewPersonRequest {
        NewPersonRequest {
            kind,
            subject: PersonName {
                id: self.subject.clone(),
                namespace: self.namespace.clone().unwrap_or_default(),
            },
            reference: self.reference.clone(),
            regime: self.regime.into(),
            received_at: self.received_at.clone(),
            manner: self.manner,
            identity_verified_by: None,
            identity_kind: None,
            dry_run: self.dry_run,
            include_acted: self.include_acted,
            include_others: None,
            include_staff: false,
            not_the_same_person: self.not_the_same_person.clone(),
            ground: None,
        }
    }
}

async fn dry_run(subject: &SubjectArgs, kind: Kind, json: bool) -> anyhow::Result<()> {
    let asked = subject.asked(kind);
    let said = ask(&subject.target, async |client| client.dry_run(asked).await).await?;
    show::print_dry_run(&said, json)
}

/// Waits for the copy and writes it. Gives its bytes.
pub(in crate::commands) async fn save_copy(
    client: &Client,
    (id, ledger): (&str, Option<&str>),
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<u64> {
    let mut file = OutFile::at(out, replacing)?;
    let bar = progress_bar(0, "collecting");
    loop {
        match client.copy(id, ledger).await? {
            Copy::Running(CopyCounts { done, total }) => {
                bar.set_length(total);
                bar.set_position(done);
                tokio::time::sleep(POLL).await;
            }
            Copy::Ready(answer) => {
                bar.finish_and_clear();
                let bytes = answer.write_to(&mut file).await?;
                file.keep()?;
                return Ok(bytes);
            }
        }
    }
}
