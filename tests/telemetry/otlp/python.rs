//! A real application in Python with real instrumentations, against a model that answers what it is told. The test
//! makes the environment itself; where PyPI can't be reached it says so and passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::send::wait_for_events;
use crate::support::Directory;

/// What the application needs. Versions are those that were looked at; two libraries of one family of
/// conventions each.
const PACKAGES: [&str; 5] = [
    "openai==3.57.0",
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
    "opentelemetry-instrumentation-openai==0.62.4",
    "openinference-instrumentation-openai==0.1.66",
];
const INSTALLING_MAX: Duration = Duration::from_secs(300);
const RUNNING_MAX: Duration = Duration::from_secs(90);

/// The environment, made once for a build directory.
fn environment() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-python");
    let whole = place.join("whole");
    if !whole.exists() {
        let _ = std::fs::remove_dir_all(&place);
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&place)
            .stdout(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: python3 with venv is not here");
            return None;
        }
        let mut pip = Command::new(place.join("bin/pip"));
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--timeout",
            "10",
        ]);
        if !ends_well(pip.args(PACKAGES), INSTALLING_MAX) {
            eprintln!("skipped: the packages can't be installed; is PyPI out of reach?");
            return None;
        }
        std::fs::write(&whole, "").unwrap();
    }
    Some(place.join("bin/python"))
}

fn ends_well(command: &mut Command, within: Duration) -> bool {
    let Ok(mut child) = command.stdout(Stdio::null()).spawn() else {
        return false;
    };
    let end = Instant::now() + within;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(100)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

#[test]
fn a_real_application_sets_two_variables_and_nothing_else() {
    let Some(python) = environment() else {
        return;
    };
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "200")]);
    let libraries = ["openinference", "openllmetry"];
    for library in libraries {
        let mut application = Command::new(&python);
        application
            .arg(crate::support::root().join("tests/otlp/app.py"))
            .arg(library)
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", server.address),
            )
            .env(
                "OTEL_EXPORTER_OTLP_HEADERS",
                format!("Authorization=Bearer {}", server.token),
            );
        assert!(ends_well(&mut application, RUNNING_MAX), "{library}");
    }
    let events = wait_for_events(&mut server.client(), libraries.len());
    assert_eq!(events.len(), libraries.len());
    for event in &events {
        assert_eq!(event["action"], "gen_ai.chat");
        assert_eq!(event["outcome"], "success");
        assert_eq!(event["subjects"], serde_json::json!([{"id": "u-77"}]));
        assert_eq!(event["context"]["service"], "claims-app");
        assert_eq!(event["llm"]["request_model"], "mock-model");
        assert_eq!(event["llm"]["response_model"], "mock-model-2026");
        assert_eq!(event["llm"]["usage"]["input_tokens"], 12);
        assert_eq!(
            event["input"]["messages"][0]["parts"][0]["content"],
            "Who filed it, Zoë?"
        );
        assert_eq!(
            event["output"]["messages"][0]["parts"][0]["content"],
            "It was filed by Zoë."
        );
    }
    server.stop();
    directory.assert_clean();
}
