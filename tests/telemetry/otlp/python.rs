//! A real application in Python with real instrumentations, against a model that answers what it is told. The test
//! makes the environment itself; where PyPI can't be reached it says so and passes.

use std::process::Command;
use std::time::Duration;

use super::packages;
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
const RUNNING_MAX: Duration = Duration::from_secs(90);

#[test]
fn a_real_application_sets_two_variables_and_nothing_else() {
    let packages = PACKAGES.map(str::to_owned);
    let Some(programs) = packages::of_python("otlp-python", &packages, None) else {
        return;
    };
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "200")]);
    let libraries = ["openinference", "openllmetry"];
    for library in libraries {
        let mut application = Command::new(programs.join("python"));
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
        assert!(
            packages::ends_well(&mut application, RUNNING_MAX),
            "{library}"
        );
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
