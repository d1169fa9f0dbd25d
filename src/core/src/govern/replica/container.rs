//! A copy as one stream, for targets that are commands (docs/operations.md, "A command as a target").
//!
//! ```text
//! trailkeep/vault-copy/v1
//! epoch.key 132
//! vault.db 106496
//!
//! <132 bytes of epoch.key><106496 bytes of vault.db>
//! ```

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use crate::govern::replica::CopyError;
use trailkeep_files::private::new_private_file;

const FIRST_LINE: &str = "trailkeep/vault-copy/v1";
/// Bytes of an `epoch.key`: two epochs take a few hundred.
const EPOCH_KEY_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a line of the head.
const LINE_BYTES_MAX: u64 = 64;

/// Writes a copy.
pub(super) fn write(
    out: &mut dyn Write,
    epoch_key: &[u8],
    vault: &mut File,
    vault_bytes: u64,
) -> io::Result<()> {
    let keys = epoch_key.len();
    writeln!(
        out,
        "{FIRST_LINE}\nepoch.key {keys}\nvault.db {vault_bytes}\n"
    )?;
    out.write_all(epoch_key)?;
    io::copy(vault, out)?;
    out.flush()
}

/// Reads a copy: its vault goes into a new private file. Gives the text of `epoch.key`.
pub(crate) fn read(input: &mut dyn BufRead, vault: &Path) -> Result<Vec<u8>, CopyError> {
    let failed = |error: io::Error| CopyError::Container(error.to_string());
    let malformed =
        || CopyError::Container("it is not a vault replica, or it is truncated".to_owned());
    let mut line = || -> Result<String, CopyError> {
        let mut line = String::new();
        (&mut *input)
            .take(LINE_BYTES_MAX)
            .read_line(&mut line)
            .map_err(failed)?;
        line.strip_suffix('\n')
            .map(str::to_owned)
            .ok_or_else(malformed)
    };
    if line()? != FIRST_LINE {
        return Err(malformed());
    }
    let mut length = |name: &str| -> Result<u64, CopyError> {
        let line = line()?;
        let number = line.strip_prefix(name).and_then(|rest| rest.parse().ok());
        number.ok_or_else(malformed)
    };
    let (keys, vault_bytes) = (length("epoch.key ")?, length("vault.db ")?);
    if !line()?.is_empty() || keys > EPOCH_KEY_BYTES_MAX {
        return Err(malformed());
    }
    let mut epoch_key = Vec::new();
    (&mut *input)
        .take(keys)
        .read_to_end(&mut epoch_key)
        .map_err(failed)?;
    let mut file = new_private_file(vault)?;
    let copied = io::copy(&mut (&mut *input).take(vault_bytes), &mut file).map_err(failed)?;
    let mut more = [0];
    let is_whole = epoch_key.len() as u64 == keys && copied == vault_bytes;
    if !is_whole || input.read(&mut more).map_err(failed)? > 0 {
        return Err(malformed());
    }
    file.sync_all().map_err(failed)?;
    Ok(epoch_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_whole_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, b"the vault").unwrap();
        let mut stream = Vec::new();
        write(&mut stream, b"the keys", &mut File::open(&from).unwrap(), 9).unwrap();
        assert_eq!(read(&mut stream.as_slice(), &to).unwrap(), b"the keys");
        assert_eq!(std::fs::read(&to).unwrap(), b"the vault");
        for length in 0..stream.len() {
            assert!(
                read(&mut &stream[..length], &to).is_err(),
                "cut at {length}"
            );
        }
        stream.push(0);
        assert!(read(&mut stream.as_slice(), &to).is_err());
    }
}
