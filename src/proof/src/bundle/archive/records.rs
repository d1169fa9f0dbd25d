//! The records of a member in the ZIP format: its header in the central directory, its local header, its data descriptor.

use std::io;

use super::end::find_directory;
use super::{ArchiveError, Form, Member, Method, Source};

/// Most members that are looked at; a bundle has under 20.
const MEMBERS_MAX: u64 = 64;
/// Most bytes of the central directory of so many members.
const DIRECTORY_BYTES_MAX: u64 = 64 << 10;

const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const CENTRAL_BYTES: usize = 46;
const LOCAL_BYTES: u64 = 30;

/// Flags that may be set: how hard it was compressed, that a data descriptor follows, that names are UTF-8.
const FLAGS_ALLOWED: u16 = 0b1000_0000_1110;
const FLAG_DESCRIPTOR: u16 = 0b1000;
const EXTRA_64: u16 = 0x0001;
pub(super) const SATURATED_32: u64 = 0xFFFF_FFFF;

pub(super) fn form<T>(what: &'static str) -> Result<T, ArchiveError> {
    Err(ArchiveError::Form(what))
}

/// A little-endian record, read field by field.
pub(super) struct Record<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ArchiveError> {
        let cut = ArchiveError::Form("a record of the archive is truncated");
        let (head, rest) = self.bytes.split_at_checked(count).ok_or(cut)?;
        self.bytes = rest;
        Ok(head)
    }

    pub(super) fn number(&mut self, count: usize) -> Result<u64, ArchiveError> {
        let bytes = self.take(count)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn signature(&mut self, expected: [u8; 4]) -> Result<bool, ArchiveError> {
        Ok(self.take(4)? == expected)
    }
}

pub(super) fn read_exact(
    source: &dyn Source,
    offset: u64,
    count: u64,
) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read_at(offset + filled as u64, &mut bytes[filled..]) {
            Ok(0) => return form("it is cut off"),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// All members, in the order of their places in the file.
pub(super) fn read_members(
    source: &dyn Source,
    strictness: Form,
) -> Result<Vec<Member>, ArchiveError> {
    let directory = find_directory(source)?;
    if directory.entries > MEMBERS_MAX || directory.bytes > DIRECTORY_BYTES_MAX {
        return form("it has far more members than a bundle");
    }
    let bytes = read_exact(source, directory.offset, directory.bytes)?;
    let mut record = Record { bytes: &bytes };
    let mut headers = Vec::new();
    for _ in 0..directory.entries {
        headers.push(CentralHeader::read(&mut record, strictness)?);
    }
    if !record.bytes.is_empty() {
        return form("its directory has bytes that belong to no member");
    }
    headers.sort_by_key(|header| header.offset);
    let mut members = Vec::new();
    let mut expected = 0;
    for (index, header) in headers.iter().enumerate() {
        if header.offset != expected {
            return form("it has bytes before or between its members");
        }
        expected = headers
            .get(index + 1)
            .map_or(directory.offset, |next| next.offset);
        members.push(header.check_local(source, expected, strictness)?);
    }
    if expected != directory.offset {
        return form("it has bytes before its directory");
    }
    Ok(members)
}

/// What both headers of a member say.
#[derive(Debug, PartialEq, Eq)]
struct Common {
    version_needed: u64,
    flags: u16,
    method: u64,
    modified: u64,
    name: Vec<u8>,
}

/// A member's header in the directory.
struct CentralHeader {
    common: Common,
    crc32: u32,
    compressed_bytes: u64,
    size_bytes: u64,
    offset: u64,
}

impl CentralHeader {
    fn read(record: &mut Record<'_>, strictness: Form) -> Result<Self, ArchiveError> {
        let mut fixed = Record {
            bytes: record.take(CENTRAL_BYTES)?,
        };
        if !fixed.signature(CENTRAL)? {
            return form("its directory is malformed");
        }
        let made_by = fixed.number(2)?;
        let (version_needed, flags) = (fixed.number(2)?, fixed.number(2)? as u16);
        let (method, modified, crc32) = (fixed.number(2)?, fixed.number(4)?, fixed.number(4)?);
        let (compressed, size) = (fixed.number(4)?, fixed.number(4)?);
        let lengths = [fixed.number(2)?, fixed.number(2)?, fixed.number(2)?].map(|n| n as usize);
        let (disk, internal, external) = (fixed.number(2)?, fixed.number(2)?, fixed.number(4)?);
        let offset = fixed.number(4)?;
        let name = record.take(lengths[0])?.to_vec();
        let extra = record.take(lengths[1])?;
        if lengths[2] != 0 {
            return Err(refuse(&name, "it has a comment"));
        }
        let is_file = is_regular_file(made_by, external) || strictness.allows_other(&name);
        if disk != 0 || internal > 1 || !is_file {
            return Err(refuse(&name, "it is not a regular file"));
        }
        let widened = widen(
            [size, compressed, offset],
            &read_extra(&name, extra, strictness)?,
        );
        let [size_bytes, compressed_bytes, offset] =
            widened.ok_or_else(|| refuse(&name, "its ZIP64 field contradicts its header"))?;
        Ok(Self {
            common: Common {
                version_needed,
                flags,
                method,
                modified,
                name,
            },
            crc32: crc32 as u32,
            compressed_bytes,
            size_bytes,
            offset,
        })
    }

    /// Checks the local header and the data descriptor, which must reach to `end`.
    fn check_local(
        &self,
        source: &dyn Source,
        end: u64,
        strictness: Form,
    ) -> Result<Member, ArchiveError> {
        let name = &self.common.name;
        let bytes = read_exact(source, self.offset, LOCAL_BYTES)?;
        let mut local = Record { bytes: &bytes };
        if !local.signature(LOCAL)? {
            return Err(refuse(
                name,
                "its local header is not at the place in the directory",
            ));
        }
        let (version_needed, flags) = (local.number(2)?, local.number(2)? as u16);
        let (method, modified, crc32) = (local.number(2)?, local.number(4)?, local.number(4)?);
        let (compressed, size) = (local.number(4)?, local.number(4)?);
        let (name_bytes, extra_bytes) = (local.number(2)?, local.number(2)?);
        let variable = read_exact(source, self.offset + LOCAL_BYTES, name_bytes + extra_bytes)?;
        let (local_name, extra) = variable.split_at(name_bytes as usize);
        let common = Common {
            version_needed,
            flags,
            method,
            modified,
            name: local_name.to_vec(),
        };
        if common != self.common {
            return Err(refuse(name, "its local header contradicts the directory"));
        }
        if flags & !FLAGS_ALLOWED != 0 {
            return Err(refuse(
                name,
                "it is encrypted, or has flags that a bundle does not have",
            ));
        }
        let is_streamed = flags & FLAG_DESCRIPTOR != 0;
        let widened = widen([size, compressed], &read_extra(name, extra, strictness)?);
        let said = if is_streamed {
            (0, Some([0, 0]))
        } else {
            let sizes = [self.size_bytes, self.compressed_bytes];
            (u64::from(self.crc32), Some(sizes))
        };
        if (crc32, widened) != said {
            return Err(refuse(name, "its local header contradicts the directory"));
        }
        let data_offset = self.offset + LOCAL_BYTES + name_bytes + extra_bytes;
        let data_end = data_offset.checked_add(self.compressed_bytes);
        let after = data_end.and_then(|data_end| end.checked_sub(data_end));
        let after = after.ok_or_else(|| refuse(name, "its content overlaps the next member"))?;
        if is_streamed {
            self.check_descriptor(source, end - after, after)?;
        } else if after != 0 {
            return Err(refuse(name, "bytes follow its content"));
        }
        self.member(data_offset)
    }

    /// A data descriptor: CRC and sizes again, of 4 or 8 bytes each, with or without its signature.
    fn check_descriptor(
        &self,
        source: &dyn Source,
        offset: u64,
        count: u64,
    ) -> Result<(), ArchiveError> {
        let wrong = || {
            refuse(
                &self.common.name,
                "its data descriptor contradicts the directory",
            )
        };
        let (signed, width) = match count {
            12 => (false, 4),
            16 => (true, 4),
            20 => (false, 8),
            24 => (true, 8),
            _ => return Err(wrong()),
        };
        let bytes = read_exact(source, offset, count)?;
        let mut record = Record { bytes: &bytes };
        if signed && !record.signature(DESCRIPTOR)? {
            return Err(wrong());
        }
        let found = (
            record.number(4)?,
            record.number(width)?,
            record.number(width)?,
        );
        if found
            == (
                u64::from(self.crc32),
                self.compressed_bytes,
                self.size_bytes,
            )
        {
            Ok(())
        } else {
            Err(wrong())
        }
    }

    fn member(&self, data_offset: u64) -> Result<Member, ArchiveError> {
        let name = &self.common.name;
        let method = match self.common.method {
            0 => Method::Stored,
            8 => Method::Deflated,
            _ => return Err(refuse(name, "it is neither stored nor deflated")),
        };
        Ok(Member {
            name: String::from_utf8(name.clone())
                .map_err(|_| refuse(name, "its name is not UTF-8"))?,
            size_bytes: self.size_bytes,
            method,
            crc32: Some(self.crc32),
            compressed_bytes: self.compressed_bytes,
            data_offset,
        })
    }
}

fn refuse(name: &[u8], what: &'static str) -> ArchiveError {
    ArchiveError::Member {
        name: String::from_utf8_lossy(name).escape_debug().to_string(),
        what,
    }
}

/// The header's numbers, those that do not fit it taken from the ZIP64 field. Where all fit, the field may
/// repeat the first of them, as some programs have it, but not say anything else.
fn widen<const N: usize>(header: [u64; N], field: &[u64]) -> Option<[u64; N]> {
    let saturated = header
        .iter()
        .filter(|value| **value == SATURATED_32)
        .count();
    if saturated == 0 {
        return header.starts_with(field).then_some(header);
    }
    if field.len() != saturated {
        return None;
    }
    let mut large = field.iter();
    Some(header.map(|value| match value {
        SATURATED_32 => large.next().copied().unwrap_or(value),
        _ => value,
    }))
}

/// The numbers of the ZIP64 field, which is the only one that a bundle has.
fn read_extra(name: &[u8], extra: &[u8], strictness: Form) -> Result<Vec<u64>, ArchiveError> {
    let mut record = Record { bytes: extra };
    let mut numbers = Vec::new();
    let mut seen = false;
    while !record.bytes.is_empty() {
        let (kind, count) = (record.number(2)? as u16, record.number(2)? as usize);
        if kind != EXTRA_64 && strictness == Form::PackedAgain {
            record.take(count)?;
            continue;
        }
        if kind != EXTRA_64 || seen || !count.is_multiple_of(8) {
            return Err(refuse(
                name,
                "it has an extra field that a bundle does not have",
            ));
        }
        seen = true;
        let mut field = Record {
            bytes: record.take(count)?,
        };
        while !field.bytes.is_empty() {
            numbers.push(field.number(8)?);
        }
    }
    Ok(numbers)
}

/// Neither a directory nor a link nor a device, as far as the attributes of the host system say.
fn is_regular_file(made_by: u64, external: u64) -> bool {
    const UNIX: u64 = 3;
    const FILE_TYPE: u64 = 0o170_000;
    const REGULAR: u64 = 0o100_000;
    const DOS_DIRECTORY: u64 = 0x10;
    let file_type = (external >> 16) & FILE_TYPE;
    let is_unix = made_by >> 8 == UNIX;
    external & DOS_DIRECTORY == 0 && (!is_unix || file_type == REGULAR || file_type == 0)
}
