//! Asking before something is destroyed that nobody can bring back.

use std::io::{self, BufRead, IsTerminal, Write};

use super::failure::Failure;

/// Whether it is confirmed already, or somebody can be asked. A script says `--yes`.
pub(super) fn check_can_ask(is_confirmed: bool, what: &str) -> anyhow::Result<()> {
    if is_confirmed || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "{what} cannot be undone, and there is no terminal to confirm it; nothing was destroyed: check --dry-run, then add --yes"
    ))
    .into())
}

/// Asks the person at the terminal, who was shown what would happen, to type a word.
pub(super) fn confirm(what: &str, word: &str) -> anyhow::Result<()> {
    let mut error = io::stderr();
    write!(
        error,
        "{what} cannot be restored. Type {word} to continue: "
    )?;
    error.flush()?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == word {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "not confirmed: you did not type {word}; nothing was destroyed"
    ))
    .into())
}
