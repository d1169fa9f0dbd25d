//! The demo's second half: an auditor gets a bundle, and verifies it without us.

use std::path::Path;

use anyhow::{Context, ensure};

use super::super::TargetArgs;
use super::super::client::ask;
use super::super::export::export_to;
use super::super::out_file::Replacing;
use super::super::output::print_line;
use trailkeep_api::exports::{ExportQuestion, OneOrSeveral};
use trailkeep_files::private::write_private_file;
use trailkeep_proof::bundle::archive::Archive;
use trailkeep_proof::bundle::member;
use trailkeep_verify::offline::{Checked, FileQuestion, FileSource, check_file};

/// Exports the ledger whole and redacted, verifies both, and shows what the verifier says of a copy in which
/// one byte is changed.
pub(super) async fn show_bundles(target: &TargetArgs, path: &Path) -> anyhow::Result<()> {
    let key = path.join("public-key.pem");
    let (whole, redacted) = (path.join("bundle.zip"), path.join("bundle-redacted.zip"));
    let exported = ask(target, async |client| {
        let place = (whole.as_path(), Replacing::default());
        let exported = export_to(client, &ExportQuestion::default(), place).await?;
        let question = ExportQuestion {
            redact: OneOrSeveral::List(vec!["input".to_owned(), "output".to_owned()]),
            ..ExportQuestion::default()
        };
        let place = (redacted.as_path(), Replacing::default());
        export_to(client, &question, place).await?;
        Ok(exported)
    });
    let bytes = exported.await?.bundle.bytes;
    print_line(&format!(
        "\n6  A bundle      {} ({} KiB): signed, for an auditor; report.html in it is for reading\n                 {}",
        whole.display(),
        bytes / 1024,
        verdict(&whole, &key, true)?,
    ))?;
    print_line(&format!(
        "\n7  Redacted      {}: inputs and outputs are digests, and the events still prove\n                 {}",
        redacted.display(),
        verdict(&redacted, &key, true)?,
    ))?;
    let changed = path.join("bundle-changed.zip");
    change_one_byte(&whole, &changed)?;
    print_line(&format!(
        "\n8  Tamper again  one byte of a payload changed in a copy of the bundle\n                 {}",
        verdict(&changed, &key, false)?,
    ))?;
    std::fs::remove_file(&changed)?;
    Ok(())
}

/// Verifies as an auditor would: the file, the key, and nothing else.
fn verdict(bundle: &Path, key: &Path, expected: bool) -> anyhow::Result<String> {
    let question = FileQuestion {
        key: Some(key),
        ..FileQuestion::default()
    };
    let checked = check_file(bundle, &question)?;
    let Checked::Bundle(report) = checked else {
        anyhow::bail!(
            "{} is not a bundle: this is a fault of trailkeep",
            bundle.display()
        );
    };
    ensure!(
        report.authentic == expected,
        "the bundle does not verify as it should: this is a fault of trailkeep\n{report}"
    );
    let text = match (report.authentic, report.complete) {
        (true, true) => "AUTHENTIC and COMPLETE".to_owned(),
        (true, false) => format!(
            "AUTHENTIC; not complete: redacted are {}",
            report.redacted_sections.join(", ")
        ),
        (false, _) => "NOT VERIFIED".to_owned(),
    };
    let findings = report.findings.iter().take(2).map(|finding| {
        format!(
            "\n                 bundle  {}: {}",
            finding.rule, finding.detail
        )
    });
    Ok(format!(
        "verified offline: {text}{}",
        findings.collect::<String>()
    ))
}

/// Changes a byte in the middle of the events' texts.
fn change_one_byte(bundle: &Path, copy: &Path) -> anyhow::Result<()> {
    let source = FileSource::open(bundle)?;
    let place = Archive::open(&source)?.middle_of(member::EVENTS);
    let place = place.context("the bundle has no events: this is a fault of trailkeep")?;
    let mut bytes = std::fs::read(bundle)?;
    let byte = usize::try_from(place)
        .ok()
        .and_then(|place| bytes.get_mut(place));
    *byte.context("the bundle is cut off: this is a fault of trailkeep")? ^= 1;
    Ok(write_private_file(copy, &bytes)?)
}
