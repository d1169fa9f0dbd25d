//! The end of a ZIP file: the end records, which say where the central directory is.

use super::records::{Record, SATURATED_32, form, read_exact};
use super::{ArchiveError, Source};

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const END_BYTES: u64 = 22;
const END_64_BYTES: u64 = 56;
const LOCATOR_64_BYTES: u64 = 20;
const SATURATED_16: u64 = 0xFFFF;

/// Where the central directory is.
pub(super) struct Directory {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) offset: u64,
}

pub(super) fn find_directory(source: &dyn Source) -> Result<Directory, ArchiveError> {
    let size = source.size_bytes()?;
    let head = read_exact(source, 0, size.min(22))?;
    if head.starts_with(b"age-encryption.org/") || head.starts_with(b"-----BEGIN AGE") {
        return Err(ArchiveError::Age);
    }
    if size < END_BYTES {
        return form("it is too short");
    }
    let end_offset = size - END_BYTES;
    let bytes = read_exact(source, end_offset, END_BYTES)?;
    let mut end = Record { bytes: &bytes };
    if !end.signature(END)? {
        return form(
            "it does not end like a ZIP file without comment: it is truncated, or data follows",
        );
    }
    let disks = (end.number(2)?, end.number(2)?);
    let counts = (end.number(2)?, end.number(2)?);
    let (bytes, offset) = (end.number(4)?, end.number(4)?);
    if disks != (0, 0) || counts.0 != counts.1 || end.number(2)? != 0 {
        return form("its end record has a comment or names several disks");
    }
    let small = Directory {
        entries: counts.0,
        bytes,
        offset,
    };
    let (directory, directory_end) = match find_directory_64(source, end_offset)? {
        None => (small, end_offset),
        Some((large, at)) => {
            let agrees = |short: u64, long: u64, saturated| short == long || short == saturated;
            if !agrees(small.entries, large.entries, SATURATED_16)
                || !agrees(small.bytes, large.bytes, SATURATED_32)
                || !agrees(small.offset, large.offset, SATURATED_32)
            {
                return form("its two end records contradict each other");
            }
            (large, at)
        }
    };
    if directory.offset.checked_add(directory.bytes) != Some(directory_end) {
        return form(
            "its directory does not reach its end record: there are bytes before, after or in between",
        );
    }
    Ok(directory)
}

/// The ZIP64 end record, where there is one, and where it begins.
fn find_directory_64(
    source: &dyn Source,
    end_offset: u64,
) -> Result<Option<(Directory, u64)>, ArchiveError> {
    let Some(locator_offset) = end_offset.checked_sub(LOCATOR_64_BYTES) else {
        return Ok(None);
    };
    let bytes = read_exact(source, locator_offset, LOCATOR_64_BYTES)?;
    let mut locator = Record { bytes: &bytes };
    if !locator.signature(LOCATOR_64)? {
        return Ok(None);
    }
    let (disk, offset, disks) = (locator.number(4)?, locator.number(8)?, locator.number(4)?);
    if disk != 0 || disks != 1 || offset.checked_add(END_64_BYTES) != Some(locator_offset) {
        return form("its ZIP64 locator points elsewhere");
    }
    let bytes = read_exact(source, offset, END_64_BYTES)?;
    let mut end = Record { bytes: &bytes };
    if !end.signature(END_64)? || end.number(8)? != END_64_BYTES - 12 {
        return form("its ZIP64 end record is malformed");
    }
    end.take(4)?; // versions: who made it, who can read it
    let disks = (end.number(4)?, end.number(4)?);
    let counts = (end.number(8)?, end.number(8)?);
    if disks != (0, 0) || counts.0 != counts.1 {
        return form("its ZIP64 end record names several disks");
    }
    let directory = Directory {
        entries: counts.0,
        bytes: end.number(8)?,
        offset: end.number(8)?,
    };
    Ok(Some((directory, offset)))
}
