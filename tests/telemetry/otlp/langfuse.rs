//! Prompts fetched by the real SDK of Langfuse. The test makes the environment itself; where PyPI can't be reached it says so
//! and passes.

use std::process::Command;
use std::time::Duration;

use super::packages;
use crate::support::{Directory, root, succeeded};

const PACKAGES: [&str; 1] = ["langfuse==5.0.4"];
const RUNNING_MAX: Duration = Duration::from_secs(90);

#[test]
fn the_sdk_of_langfuse_fetches_prompts() {
    let packages = PACKAGES.map(str::to_owned);
    let Some(programs) = packages::of_python("langfuse-python", &packages, None) else {
        return;
    };
    let directory = Directory::new();
    let folder = directory.path.with_file_name("prompts");
    let file = folder.join("support/refund.md");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    for text in ["Be kind to {{name}}.", "Be brief with {{name}}."] {
        std::fs::write(&file, text).unwrap();
        succeeded(&directory.run(&["prompt", "sync", folder.to_str().unwrap()]));
    }
    for label in ["production=1", "ab=1,2:5000"] {
        succeeded(&directory.run(&["prompt", "label", "support/refund", label]));
    }
    let made = directory.run(&["key", "create", "--role", "writer", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&succeeded(&made).stdout).unwrap();
    let server = directory.serve();
    let mut application = Command::new(programs.join("python"));
    application
        .arg(root().join("tests/prompts/langfuse_app.py"))
        .env("LANGFUSE_HOST", format!("http://{}", server.address))
        .env("LANGFUSE_BASE_URL", format!("http://{}", server.address))
        .env("LANGFUSE_PUBLIC_KEY", "pk-any")
        .env("LANGFUSE_SECRET_KEY", made["token"].as_str().unwrap());
    assert!(packages::ends_well(&mut application, RUNNING_MAX));
    server.stop();
    directory.assert_clean();
}
