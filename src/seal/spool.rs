//! What must wait on disk waits encrypted: a temporary file that has no name, under a key that only this
//! process knows and never writes down.
//!
//! An export holds texts of persons. While it is made, and until it is fetched, an erasure must not leave
//! them behind in a file: without this process the bytes open for nobody.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use super::secret::{DataKey, RandomError};

/// Bytes that are sealed together. They are read back together, too.
const CHUNK_BYTES: usize = 64 << 10;
const SEALED_CHUNK_BYTES: u64 = CHUNK_BYTES as u64 + 16;

/// Why a spool could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The system said no.
    #[error("a temporary file can't be made: {0}")]
    Io(#[from] io::Error),
    /// No key.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// A spool while it is filled.
pub struct SpoolWriter {
    file: File,
    cipher: Aes256Gcm,
    chunk: Zeroizing<Vec<u8>>,
    chunks: u64,
}

/// A spool that is complete. The file goes with it.
pub struct Spool {
    file: File,
    cipher: Aes256Gcm,
    size_bytes: u64,
}

impl SpoolWriter {
    /// A new, empty one on the file system of a directory.
    pub fn new(directory: &Path) -> Result<Self, SpoolError> {
        let key = DataKey::random()?;
        Ok(Self {
            file: tempfile::tempfile_in(directory)?,
            cipher: Aes256Gcm::new(key.expose().into()),
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)),
            chunks: 0,
        })
    }

    /// Ends it.
    pub fn finish(mut self) -> io::Result<Spool> {
        let size_bytes = self.chunks * CHUNK_BYTES as u64 + self.chunk.len() as u64;
        if !self.chunk.is_empty() {
            self.seal_chunk()?;
        }
        Ok(Spool {
            file: self.file,
            cipher: self.cipher,
            size_bytes,
        })
    }

    fn seal_chunk(&mut self) -> io::Result<()> {
        let sealed = self
            .cipher
            .encrypt(&nonce(self.chunks), self.chunk.as_slice())
            .map_err(|_| io::Error::other("a chunk can't be sealed"))?;
        self.file
            .write_all_at(&sealed, self.chunks * SEALED_CHUNK_BYTES)?;
        self.chunks += 1;
        self.chunk.clear();
        Ok(())
    }
}

/// Each chunk is sealed once under a key of its own spool: its number is nonce enough.
fn nonce(chunk: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&chunk.to_be_bytes());
    Nonce::from(bytes)
}

impl Write for SpoolWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..count]);
        if self.chunk.len() == CHUNK_BYTES {
            self.seal_chunk()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Spool {
    /// Bytes that were written.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes from an offset to the end of their chunk; none at the end.
    pub fn read_chunk(&self, offset: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        if offset >= self.size_bytes {
            return Ok(Zeroizing::default());
        }
        let number = offset / CHUNK_BYTES as u64;
        let start = number * CHUNK_BYTES as u64;
        let bytes = (self.size_bytes - start).min(CHUNK_BYTES as u64) as usize;
        let mut sealed = vec![0; bytes + 16];
        self.file
            .read_exact_at(&mut sealed, number * SEALED_CHUNK_BYTES)?;
        let mut chunk = self
            .cipher
            .decrypt(&nonce(number), sealed.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, "a temporary file was changed")
            })?;
        chunk.drain(..(offset - start) as usize);
        Ok(chunk)
    }

    /// The whole content as a stream.
    pub fn reader(&self) -> SpoolReader<'_> {
        SpoolReader {
            spool: self,
            offset: 0,
            chunk: Zeroizing::default(),
            used: 0,
        }
    }
}

/// Reads a spool from its beginning.
pub struct SpoolReader<'a> {
    spool: &'a Spool,
    offset: u64,
    chunk: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Read for SpoolReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.chunk.len() {
            self.chunk = self.spool.read_chunk(self.offset)?;
            self.offset += self.chunk.len() as u64;
            self.used = 0;
        }
        let count = buffer.len().min(self.chunk.len() - self.used);
        buffer[..count].copy_from_slice(&self.chunk[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written_from_any_place_and_shows_nothing_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 17] {
            let text: Vec<u8> = b"a person's text "
                .iter()
                .copied()
                .cycle()
                .take(size)
                .collect();
            let mut writer = SpoolWriter::new(directory.path()).unwrap();
            writer.write_all(&text).unwrap();
            let spool = writer.finish().unwrap();
            let mut read = Vec::new();
            spool.reader().read_to_end(&mut read).unwrap();
            assert!(read == text, "{size}");
            for offset in [0, size / 2, size.saturating_sub(1), size] {
                let chunk = spool.read_chunk(offset as u64).unwrap();
                assert!(text[offset..].starts_with(&chunk), "{offset} of {size}");
                assert_eq!(chunk.is_empty(), offset == size);
            }
            let mut raw = vec![0; size + 16 * size.div_ceil(CHUNK_BYTES)];
            spool.file.read_exact_at(&mut raw, 0).unwrap();
            assert!(!raw.windows(8).any(|part| part == b"person's"), "{size}");
            if size > 0 {
                spool.file.write_all_at(&[raw[0] ^ 1], 0).unwrap();
                assert!(spool.read_chunk(0).is_err());
            }
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
