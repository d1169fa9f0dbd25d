//! A command as a copy target: it puts a copy where no file system reaches, and gives it back.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::govern::replica::{CopyError, Snapshot, container};

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often its end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a command is asked to do, in `TRAILKEEP_COPY`.
#[derive(Clone, Copy)]
enum Verb {
    /// Keep what comes on standard input, in the place of what it kept before.
    Put,
    /// Print what it keeps.
    Get,
    /// Destroy what it keeps.
    Remove,
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Remove => "remove",
        }
    }
}

/// Has a copy kept.
pub(super) fn put(command: &str, target: &str, copy: &Snapshot) -> Result<(), CopyError> {
    let mut child = start(command, target, Verb::Put)?;
    let mut input = child.stdin.take().ok_or_else(no_pipe)?;
    let (mut vault, bytes, keys) = (copy.open()?, copy.bytes, copy.epoch_key.clone());
    // In a thread, so that a command that reads nothing does not hang this one.
    let writing = std::thread::spawn(move || {
        let written = container::write(&mut input, &keys, &mut vault, bytes);
        written.and_then(|()| input.flush())
    });
    finish(child, Verb::Put)?;
    match writing.join() {
        Ok(Ok(())) => Ok(()),
        _ => Err(CopyError::Command(
            "it exited with success, but did not read the whole replica".to_owned(),
        )),
    }
}

/// Gets the copy back: its vault goes into a private file. Gives the text of `epoch.key`.
pub(super) fn get(command: &str, target: &str, vault: &Path) -> Result<Vec<u8>, CopyError> {
    let mut child = start(command, target, Verb::Get)?;
    drop(child.stdin.take());
    let output = child.stdout.take().ok_or_else(no_pipe)?;
    let path = vault.to_owned();
    let reading = std::thread::spawn(move || container::read(&mut BufReader::new(output), &path));
    finish(child, Verb::Get)?;
    match reading.join() {
        Ok(read) => read,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Has the copy destroyed.
pub(super) fn remove(command: &str, target: &str) -> Result<(), CopyError> {
    let mut child = start(command, target, Verb::Remove)?;
    drop(child.stdin.take());
    drop(child.stdout.take());
    finish(child, Verb::Remove)
}

fn no_pipe() -> CopyError {
    CopyError::Command("it has no input or output".to_owned())
}

fn start(command: &str, target: &str, verb: Verb) -> Result<Child, CopyError> {
    Command::new("/bin/sh")
        .args(["-c", command])
        .env("TRAILKEEP_COPY", verb.as_str())
        .env("TRAILKEEP_COPY_TARGET", target)
        .env_remove("TRAILKEEP_ROOT_KEY")
        .env_remove("TRAILKEEP_TOKEN")
        .stdin(Stdio::piped())
        .stdout(if matches!(verb, Verb::Get) {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| CopyError::Command(error.to_string()))
}

fn finish(mut child: Child, verb: Verb) -> Result<(), CopyError> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let verb = verb.as_str();
                return Err(CopyError::Command(format!("`{verb}` ended with {status}")));
            }
            Ok(None) if started.elapsed() > PATIENCE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(CopyError::Command(
                    "it took more than ten minutes".to_owned(),
                ));
            }
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(error) => return Err(CopyError::Command(error.to_string())),
        }
    }
}
