//! Whether an event says of a registered prompt what the registry says.

use serde::Deserialize;

use crate::tenant::prompts::Prompts;
use trailkeep_proof::ledger::event::Event;

/// The event's SHA-256 is not that of the version which it names.
const OTHER_TEXT: &str = "other-text";

/// What `llm` says of the prompt's text.
#[derive(Deserialize)]
struct Llm {
    prompt: Named,
}

#[derive(Deserialize)]
struct Named {
    sha256: Option<String>,
}

/// What is odd about the prompt that an event names; none where it is not registered, or says no hash.
pub(super) fn oddity(prompts: &Prompts, event: &Event) -> Option<&'static str> {
    let facts = event.facts();
    let prompt = prompts.get(facts.prompt.as_deref()?)?;
    let version = prompt.version(facts.prompt_version.as_deref()?.parse().ok()?)?;
    let registered = version.sha256()?;
    let llm: Llm = serde_json::from_slice(event.section("llm")?).ok()?;
    let said = llm.prompt.sha256?;
    (said != registered).then_some(OTHER_TEXT)
}
