//! The certificate of an answered request, and the files that it and its signature are written to.

use std::io::Write;
use std::path::Path;

use crate::commands::TargetArgs;
use crate::commands::client::{Client, ask};
use crate::commands::out_file::{OutFile, Replacing, refuse_standard_output};
use crate::commands::output::print_line;

pub(super) async fn certificate(
    target: &TargetArgs,
    id: &str,
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<()> {
    check_certificate_place(out, replacing)?;
    ask(target, async |client| {
        save_certificate(client, id, (out, replacing)).await
    })
    .await?;
    Ok(print_line(&format!("{0} and {0}.sig", out.display()))?)
}

pub(in crate::commands) async fn save_certificate(
    client: &Client,
    id: &str,
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<()> {
    let certificate = client.certificate(id).await?;
    save_fetched(client, (id, certificate.text()), (out, replacing)).await
}

/// Saves a certificate that was fetched already: each fetch is recorded.
pub(super) async fn save_fetched(
    client: &Client,
    (id, certificate): (&str, &str),
    (out, replacing): (&Path, Replacing),
) -> anyhow::Result<()> {
    let (mut file, mut signature) = certificate_files(out, replacing)?;
    file.write_all(certificate.as_bytes())?;
    let answer = client.certificate_signature(id).await?;
    answer.write_to(&mut signature).await?;
    file.keep_both(signature)
}

/// Whether a certificate and its signature can be written, before anything is done that they are about.
pub(super) fn check_certificate_place(out: &Path, replacing: Replacing) -> anyhow::Result<()> {
    certificate_files(out, replacing).map(drop)
}

fn certificate_files(out: &Path, replacing: Replacing) -> anyhow::Result<(OutFile, OutFile)> {
    let why = "a certificate and its signature are two files: name the certificate's file, and the signature is written next to it";
    refuse_standard_output(out, why)?;
    let mut beside = out.as_os_str().to_owned();
    beside.push(".sig");
    let signature = OutFile::at(Path::new(&beside), replacing)?;
    Ok((OutFile::at(out, replacing)?, signature))
}
