//! What must wait on disk waits encrypted: a temporary file that has no name, under a key that only this
//! process knows and never writes down.
//!
//! An export holds texts of persons. While it is made, and until it is fetched, an erasure must not leave
//! them behind in a file: without this process the bytes open for nobody.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    #[error("a temporary file can't be created: {0}")]
    Io(#[from] io::Error),
    /// No key.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The room that all spools of a directory have together.
pub struct SpoolRoom {
    directory: PathBuf,
    bytes_max: u64,
    used: AtomicU64,
    /// Free bytes that stay for others.
    reserve: u64,
    free: fn(&Path) -> Option<u64>,
}

/// Bytes of a room that one spool has, given back with it.
struct Taken {
    room: Arc<SpoolRoom>,
    bytes: u64,
}

impl SpoolRoom {
    /// Room for `bytes_max` bytes, as long as more than `reserve` are free by `free`.
    pub fn new(
        directory: &Path,
        bytes_max: u64,
        reserve: u64,
        free: fn(&Path) -> Option<u64>,
    ) -> Arc<Self> {
        Arc::new(Self {
            directory: directory.to_owned(),
            bytes_max,
            used: AtomicU64::new(0),
            reserve,
            free,
        })
    }

    /// Bytes that spools have now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether nothing more may be begun.
    pub fn is_full(&self) -> bool {
        self.used() >= self.bytes_max || self.is_disk_full()
    }

    fn is_disk_full(&self) -> bool {
        (self.free)(&self.directory).is_some_and(|free| free < self.reserve)
    }
}

impl Taken {
    fn grow(&mut self, more: u64) -> io::Result<()> {
        let used = self.room.used.fetch_add(more, Ordering::Relaxed) + more;
        self.bytes += more;
        if used > self.room.bytes_max {
            let said = format!(
                "all exports together are limited to {} bytes on disk: fetch or delete waiting ones, or export a smaller range",
                self.room.bytes_max
            );
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, said));
        }
        if self.room.is_disk_full() {
            let said = "the disk has less free space than exports leave to events: free space, or export a smaller range";
            return Err(io::Error::new(io::ErrorKind::StorageFull, said));
        }
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A spool while it is filled.
pub struct SpoolWriter {
    taken: Taken,
    file: File,
    cipher: Aes256Gcm,
    chunk: Zeroizing<Vec<u8>>,
    chunks: u64,
}

/// A spool that is complete. The file goes with it.
pub struct Spool {
    _taken: Taken,
    file: File,
    cipher: Aes256Gcm,
    size_bytes: u64,
}

impl SpoolWriter {
    /// A new, empty one in a room.
    pub fn new(room: &Arc<SpoolRoom>) -> Result<Self, SpoolError> {
        let key = DataKey::random()?;
        Ok(Self {
            taken: Taken {
                room: Arc::clone(room),
                bytes: 0,
            },
            file: tempfile::tempfile_in(&room.directory)?,
            cipher: Aes256Gcm::new(key.expose().into()),
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES)),
            chunks: 0,
        })
    }

    pub fn finish(mut self) -> io::Result<Spool> {
        let size_bytes = self.chunks * CHUNK_BYTES as u64 + self.chunk.len() as u64;
        if !self.chunk.is_empty() {
            self.seal_chunk()?;
        }
        Ok(Spool {
            _taken: self.taken,
            file: self.file,
            cipher: self.cipher,
            size_bytes,
        })
    }

    fn seal_chunk(&mut self) -> io::Result<()> {
        let sealed = self
            .cipher
            .encrypt(&nonce(self.chunks), self.chunk.as_slice())
            .map_err(|_| io::Error::other("a chunk can't be encrypted"))?;
        self.taken.grow(sealed.len() as u64)?;
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

    fn room(directory: &Path, bytes_max: u64) -> Arc<SpoolRoom> {
        SpoolRoom::new(directory, bytes_max, 1_000, |_| Some(1_000))
    }

    #[test]
    fn all_spools_have_one_bound_and_leave_the_reserve() {
        let directory = tempfile::tempdir().unwrap();
        let room = room(directory.path(), 3 * SEALED_CHUNK_BYTES);
        let chunk = vec![7; CHUNK_BYTES];
        let mut first = SpoolWriter::new(&room).unwrap();
        first.write_all(&chunk).unwrap();
        first.write_all(&chunk).unwrap();
        let first = first.finish().unwrap();
        let mut second = SpoolWriter::new(&room).unwrap();
        second.write_all(&chunk).unwrap();
        assert!(room.is_full());
        let error = second.write_all(&chunk).unwrap_err();
        assert!(error.to_string().contains("fetch or delete"), "{error}");
        drop(second);
        assert_eq!(room.used(), 2 * SEALED_CHUNK_BYTES);
        drop(first);
        assert_eq!(room.used(), 0);
        let full = SpoolRoom::new(directory.path(), 1 << 30, 1_000, |_| Some(999));
        assert!(full.is_full());
        let error = SpoolWriter::new(&full)
            .unwrap()
            .write_all(&chunk)
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

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
            let mut writer = SpoolWriter::new(&room(directory.path(), 1 << 30)).unwrap();
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
