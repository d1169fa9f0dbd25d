//! The sections `[[anchor]]` of the settings' file: where heads are given to.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{Fault, Faulty, Layers};
use trailkeep_core::anchor::settings::{AnchorSection, AnchorSettings, AnchorSettingsError};

/// The section's name.
pub(super) const ANCHOR: &str = "anchor";

/// A section, and the line that it begins on.
#[derive(Clone, Debug)]
pub(super) struct PlacedAnchor {
    pub(super) section: AnchorSection,
    pub(super) line: usize,
}

/// The sections of a file, with where each begins.
pub(super) fn sections(text: &str) -> Result<Vec<(AnchorSection, usize)>, toml::de::Error> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        anchor: Vec<Spanned<AnchorSection>>,
    }
    let file: File = toml::from_str(text)?;
    let sections = file.anchor.into_iter();
    Ok(sections
        .map(|section| {
            let offset = section.span().start;
            (section.into_inner(), offset)
        })
        .collect())
}

/// Reads sections, and the files that they name.
pub(super) fn read(
    placed: &[PlacedAnchor],
    config: Option<&Path>,
) -> Result<AnchorSettings, Faulty> {
    let sections = placed.iter().map(|placed| placed.section.clone());
    AnchorSettings::read(sections.collect())
        .map_err(|error| Faulty(vec![fault(placed, config, &error)]))
}

fn fault(placed: &[PlacedAnchor], config: Option<&Path>, error: &AnchorSettingsError) -> Fault {
    let mut named = placed.iter().rev();
    let line = named.find(|placed| placed.section.name == error.name);
    let line = line.map_or(1, |placed| placed.line);
    let path = config.map(|path| path.display().to_string());
    Fault {
        place: format!("{}:{line}", path.unwrap_or_default()),
        key: ANCHOR.to_owned(),
        problem: error.to_string(),
        remedy: "docs/operations.md, \"Witnesses and anchors\", has an example of each kind"
            .to_owned(),
    }
}

impl Layers {
    /// The sections, their form checked; what the files say that they name is looked at later.
    pub(super) fn anchor_sections(&mut self) -> Vec<PlacedAnchor> {
        let file = self.file.as_ref();
        let placed = file.map(|file| file.anchors.clone()).unwrap_or_default();
        let sections = placed.iter().map(|placed| placed.section.clone());
        if let Err(error) = AnchorSettings::check_form(sections.collect()) {
            let config = file.map(|file| file.path.as_path());
            self.faults.push(fault(&placed, config, &error));
        }
        placed
    }
}
