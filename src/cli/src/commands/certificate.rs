//! `trailkeep certificate`: check what a person was answered with. No data directory is needed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::output::{note, print_json, print_line};
use trailkeep_verify::exit::Exit;
use trailkeep_verify::offline::{CertificateQuestion, Checked, check_certificate};

#[derive(Subcommand)]
pub(super) enum CertificateCommand {
    /// Verify a certificate with a public key from a trusted source
    #[command(after_help = "\
Examples:
  trailkeep certificate verify C.json --key audit-key.pem
  trailkeep certificate verify C.json --key audit-key.pem --subject customer-17 --namespace crm
  openssl pkeyutl -verify -rawin -pubin -inkey audit-key.pem -in C.json -sigfile C.json.sig

The signature is read from C.json.sig. --subject tells whether the certificate is about that data subject; this needs
the certificate itself. Exit codes: 0 verified, 1 a file could not be read, 2 no key or no certificate was given, 3 not verified,
5 damaged in transit.")]
    Verify {
        /// The certificate
        #[arg(value_name = "C.json")]
        file: PathBuf,
        /// The ledger's public key: PEM, or a C2SP verifier key. Without it nothing is verified
        #[arg(long, value_name = "PUBLIC.pem")]
        key: Option<PathBuf>,
        /// The signature [default: C.json.sig]
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
        /// Data subject to compare with
        #[arg(long, value_name = "S")]
        subject: Option<String>,
        /// Namespace of the data subject's identifier
        #[arg(
            long,
            value_name = "N",
            requires = "subject",
            default_value = "",
            hide_default_value = true
        )]
        namespace: String,
        /// Print JSON: {"verified","origin","receipt","type","outcome","events","about_subject","findings",...}
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &CertificateCommand) -> anyhow::Result<ExitCode> {
    let CertificateCommand::Verify {
        file,
        key,
        signature,
        subject,
        namespace,
        json,
    } = command;
    let Some(key) = key else {
        note(
            "trailkeep: NOT VERIFIED: give the ledger's public key with --key; get it from someone other than the certificate's issuer",
        );
        return Ok(Exit::Usage.into());
    };
    let report = check_certificate(
        file,
        &CertificateQuestion {
            key,
            signature: signature.as_deref(),
            subject: subject.as_deref().map(|id| (namespace.as_str(), id)),
        },
    )?;
    if *json {
        print_json(&report)?;
    } else {
        print_line(&report.to_string())?;
    }
    Ok(Checked::Certificate(Box::new(report)).exit().into())
}
