//! Why a command failed: its exit code, and what is printed for a person or, under `--json`, for a program.

use std::process::ExitCode;

use serde::Serialize;

use super::output::note;
use super::settings::Faulty;
use trailkeep_api::privacy::DryRun;
use trailkeep_api::problem::{Kind, LineFault, Problem};
use trailkeep_core::ops::open::OpenError;
use trailkeep_core::ops::restore::RestoreError;
use trailkeep_ports::StoreError;
use trailkeep_verify::exit::{ErrorReport, Exit};
use trailkeep_verify::offline::FileError;

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Failure {
    exit: Exit,
    /// What a person reads.
    text: String,
    /// What a route answered (RFC 9457), where one did.
    problem: Option<Box<Problem>>,
    /// The status of the answer, where there was one.
    status: Option<u16>,
}

/// Whether something can be sent again as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Later: the server can't be reached, or can't take it now.
    Temporary,
    /// Never: it has a fault of its own.
    OfTheEvent,
    /// When somebody has done something about it, such as a token.
    Other,
}

impl Fault {
    /// Of an error of a request with events.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        if error
            .chain()
            .any(<dyn std::error::Error + 'static>::is::<reqwest::Error>)
        {
            return Self::Temporary;
        }
        let failure = error.downcast_ref::<Failure>();
        let kind = failure.and_then(|failure| failure.problem.as_ref()?.kind());
        match (failure.and_then(|failure| failure.status), kind) {
            (Some(408 | 429 | 500 | 502 | 503 | 504 | 507), _) => Self::Temporary,
            (Some(400 | 413 | 415 | 422), _) | (_, Some(Kind::IdConflict)) => Self::OfTheEvent,
            _ => Self::Other,
        }
    }
}

impl Failure {
    /// A policy or a hold forbids it.
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(Exit::Refused, text)
    }

    /// The arguments do not fit each other, or name what the command does not take.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// What is asked for is not there.
    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, text)
    }

    /// What an order would do now, where an error says that it is not what the caller was shown.
    pub(super) fn stale_preview(error: &anyhow::Error) -> Option<&DryRun> {
        let failure = error.downcast_ref::<Self>()?;
        failure.problem.as_ref()?.preview.as_deref()
    }

    /// Whether a route answered that what it names is not there.
    pub(super) fn is_not_found(error: &anyhow::Error) -> bool {
        let failure = error.downcast_ref::<Self>();
        failure.is_some_and(|failure| failure.exit == Exit::NotFound)
    }

    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self {
            exit,
            text: text.into(),
            problem: None,
            status: None,
        }
    }

    /// What a route answered with a status of 400 or more.
    pub(super) fn answered(status: u16, body: &str) -> Self {
        match serde_json::from_str::<Problem>(body) {
            Ok(problem) => Self {
                exit: exit_of(status, problem.kind()),
                text: describe(&problem),
                problem: Some(Box::new(problem)),
                status: Some(status),
            },
            Err(_) => Self {
                status: Some(status),
                ..Self::new(
                    exit_of(status, None),
                    format!("the server answered {status}: {}", body.trim()),
                )
            },
        }
    }
}

/// The exit code of an answer: by its type where that says more than the status does. A proxy's answer has no type.
const fn exit_of(status: u16, kind: Option<Kind>) -> Exit {
    match (kind, status) {
        (Some(Kind::Refused | Kind::Policy), _) => Exit::Refused,
        (_, 401 | 403) => Exit::NotAllowed,
        (_, 404) => Exit::NotFound,
        (_, 410) => Exit::Gone,
        (_, 429 | 503 | 507) => Exit::Unavailable,
        _ => Exit::Failed,
    }
}

/// A problem (RFC 9457) for a person: what was wrong, and each place.
fn describe(problem: &Problem) -> String {
    let mut lines = vec![format!("{}: {}", problem.title, problem.detail)];
    for LineFault {
        line,
        pointer,
        detail,
    } in &problem.errors
    {
        let space = if pointer.is_empty() { "" } else { " " };
        lines.push(format!("  line {line}{space}{pointer}: {detail}"));
    }
    lines.join("\n")
}

/// What a program reads under `--json`: `{"error":{...}}`.
#[derive(Serialize)]
struct ErrorJson {
    #[serde(flatten)]
    report: ErrorReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<LineFault>,
}

impl ErrorJson {
    fn of(exit: Exit, error: &anyhow::Error) -> Self {
        let problem = error
            .downcast_ref::<Failure>()
            .and_then(|failure| failure.problem.as_ref());
        // What was put before a problem on its way up says what was being done; the problem itself stands apart.
        let before: Vec<String> = error
            .chain()
            .take_while(|cause| !cause.is::<Failure>())
            .map(ToString::to_string)
            .collect();
        let detail = match problem {
            Some(problem) if before.is_empty() => problem.detail.clone(),
            Some(problem) => format!("{}: {}", before.join(": "), problem.detail),
            None => format!("{error:#}"),
        };
        let mut report = ErrorReport::new(exit, detail);
        if let Some(problem) = problem {
            report.kind.clone_from(&problem.kind);
            report.title.clone_from(&problem.title);
        }
        Self {
            report,
            status: problem.map(|problem| problem.status),
            errors: problem
                .map(|problem| problem.errors.clone())
                .unwrap_or_default(),
        }
    }
}

/// Says on standard error why the command failed, and gives its exit code.
pub(super) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    // A closed pipe is how `| head` says that it has enough.
    let closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed_pipe) {
        return ExitCode::SUCCESS;
    }
    let exit = exit_of_error(error);
    if json {
        print_json(&ErrorJson::of(exit, error));
    } else {
        note(&format!("trailkeep: {error:#}"));
    }
    exit.into()
}

/// The same for arguments that could not be parsed: clap's own words, unless a program reads.
pub(super) fn report_usage(error: &clap::Error, json: bool) -> ExitCode {
    if json && error.use_stderr() {
        let error = anyhow::Error::from(Failure::usage(error.to_string().trim_end()));
        return report(&error, true);
    }
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn exit_of_error(error: &anyhow::Error) -> Exit {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return failure.exit;
    }
    let is_other = matches!(error.downcast_ref(), Some(FileError::Other(..)));
    if is_other || error.downcast_ref::<Faulty>().is_some() {
        return Exit::Usage;
    }
    if error
        .downcast_ref::<OpenError>()
        .is_some_and(OpenError::is_tampering)
    {
        return Exit::Tampered;
    }
    // A disk that a file is written to, as the store's own.
    let is_full = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
    };
    if error.chain().any(is_full) {
        return Exit::Unavailable;
    }
    match error.chain().find_map(store_error) {
        Some(StoreError::Full { .. }) => Exit::Unavailable,
        Some(StoreError::Changed { .. }) => Exit::Tampered,
        _ => Exit::Failed,
    }
}

/// What the store said. Errors that only pass it on are no links of the chain by themselves.
fn store_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a StoreError> {
    let opened = |error: &'a OpenError| match error {
        OpenError::Store(error) => Some(error),
        _ => None,
    };
    let restored = |error: &'a RestoreError| match error {
        RestoreError::Open(error) => opened(error),
        RestoreError::Store(error) => Some(error),
        _ => None,
    };
    let direct = cause.downcast_ref();
    let in_opening = || cause.downcast_ref().and_then(opened);
    let in_restore = || cause.downcast_ref().and_then(restored);
    direct.or_else(in_opening).or_else(in_restore)
}

fn print_json(error: &ErrorJson) {
    if let Ok(text) = serde_json::to_string(&serde_json::json!({"error": error})) {
        note(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_exit_code_of_the_table() {
        for kind in Kind::ALL {
            let problem = serde_json::to_string(&Problem::new(*kind, "why")).unwrap();
            let failure = Failure::answered(kind.status(), &problem);
            let expected = match kind {
                Kind::Refused | Kind::Policy => 4,
                Kind::Unauthorized | Kind::Forbidden | Kind::Restricted => 6,
                Kind::NotFound => 7,
                Kind::Gone => 8,
                Kind::TooMany | Kind::Unavailable | Kind::DiskFull => 9,
                _ => 1,
            };
            assert_eq!(failure.exit.code(), expected, "{}", kind.name());
        }
    }

    #[test]
    fn a_full_disk_is_temporary_whoever_writes() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = anyhow::Error::from(full).context("can't write x.zip");
        assert_eq!(exit_of_error(&error), Exit::Unavailable);
    }

    #[test]
    fn an_answer_of_something_in_between_counts_by_its_status() {
        let failure = Failure::answered(503, "<html>no backend</html>");
        assert_eq!(failure.exit, Exit::Unavailable);
        assert_eq!(
            failure.to_string(),
            "the server answered 503: <html>no backend</html>"
        );
        assert_eq!(Failure::answered(404, "[]").exit, Exit::NotFound);
    }

    #[test]
    fn the_json_of_an_error_has_what_was_put_before_it() {
        let body =
            r#"{"type":"urn:trailkeep:problem:refused","title":"T","status":409,"detail":"D"}"#;
        let error = anyhow::Error::from(Failure::answered(409, body)).context("lines 1 to 9");
        let json = serde_json::to_value(ErrorJson::of(exit_of_error(&error), &error)).unwrap();
        assert_eq!(json["type"], "urn:trailkeep:problem:refused");
        assert_eq!(json["detail"], "lines 1 to 9: D");
        assert_eq!(json["exit_code"], 4);
        let local = anyhow::anyhow!("why").context("what");
        let json = serde_json::to_value(ErrorJson::of(exit_of_error(&local), &local)).unwrap();
        assert_eq!(
            (&json["type"], &json["detail"]),
            (&"urn:trailkeep:exit:failed".into(), &"what: why".into())
        );
    }
}
