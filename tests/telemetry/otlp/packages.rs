//! Packages of other languages, installed once for a build directory. Where the registry can't be reached that is said, and
//! the test passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use trailkeep_proof::ids::hex;

const INSTALLING_MAX: Duration = Duration::from_secs(300);

/// Where the programs of an environment of Python with these packages are.
pub fn of_python(name: &str, packages: &[String], constraints: Option<&Path>) -> Option<PathBuf> {
    let versions = constraints.map(|path| std::fs::read_to_string(path).unwrap());
    let place = place(name, &[packages, &[versions.unwrap_or_default()]].concat());
    let programs = place.join("bin");
    let made = once(&place, || {
        let mut venv = Command::new("python3");
        if !ends_well(venv.args(["-m", "venv"]).arg(&place), INSTALLING_MAX) {
            eprintln!("skipped: python3 with venv is not here");
            return false;
        }
        let mut pip = Command::new(programs.join("pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"])
            .args(["--retries", "1", "--timeout", "10"])
            .args(packages);
        if let Some(path) = constraints {
            pip.arg("--constraint").arg(path);
        }
        let is_installed = ends_well(&mut pip, INSTALLING_MAX);
        if !is_installed {
            eprintln!("skipped: the packages can't be installed; is PyPI out of reach?");
        }
        is_installed
    });
    made.then_some(programs)
}

/// A folder in which Node.js finds the packages of a `package.json`.
pub fn of_node(name: &str, package_json: &Path) -> Option<PathBuf> {
    let wanted = std::fs::read_to_string(package_json).unwrap();
    let place = place(name, std::slice::from_ref(&wanted));
    let made = once(&place, || {
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("package.json"), &wanted).unwrap();
        let mut npm = Command::new("npm");
        npm.current_dir(&place)
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .args(["--ignore-scripts", "--fetch-retries", "1"]);
        let is_installed = ends_well(&mut npm, INSTALLING_MAX);
        if !is_installed {
            eprintln!("skipped: npm is not here, or its registry is out of reach");
        }
        is_installed
    });
    made.then_some(place)
}

/// Other packages are in another place.
fn place(name: &str, of: &[String]) -> PathBuf {
    let digest = hex(&Sha256::digest(of.join("\n").as_bytes())[..4]);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{digest}"))
}

/// Makes what is not there as a whole.
fn once(place: &Path, make: impl FnOnce() -> bool) -> bool {
    let whole = place.join("whole");
    if whole.exists() {
        return true;
    }
    let _ = std::fs::remove_dir_all(place);
    let is_made = make();
    if is_made {
        std::fs::write(&whole, "").unwrap();
    }
    is_made
}

/// Whether a command ends without an error in time.
pub fn ends_well(command: &mut Command, within: Duration) -> bool {
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
