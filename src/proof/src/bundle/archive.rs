//! Reading a bundle's ZIP strictly (APPNOTE.TXT 6.3.10 sections 4.3 and 4.5.3).
//!
//! Programs that read ZIP files differ in what they make of one that contradicts itself, so a bundle must
//! leave no room: records fill the file from its first byte to the last, local headers say what the
//! central directory says, and there are no comments, no foreign extra fields and no two members of one
//! name. What is accepted here reads the same everywhere.

mod end;
mod records;

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::DeflateDecoder;

/// Where a bundle's bytes are.
pub trait Source: Sync {
    /// Number of bytes.
    fn size_bytes(&self) -> io::Result<u64>;

    /// Reads some bytes at an offset; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// The files of an unpacked bundle, one behind the other as if they stood in one file.
pub trait Unpacked: Source {
    /// Name and bytes of each file, in the order in which they stand.
    fn files(&self) -> Vec<(&str, u64)>;

    /// Whether files stood there that systems put beside others by themselves. They are not among the files.
    fn had_junk(&self) -> bool;
}

impl Source for Vec<u8> {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.len());
        let count = buffer.len().min(self.len() - start);
        buffer[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }
}

/// Why a file is not accepted as a bundle's archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It could not be read at all.
    #[error("the file can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is encrypted.
    #[error("the file is encrypted with age: decrypt it first, with `age -d -i KEY_FILE`")]
    Age,
    /// It is something else, or cut off, or something follows it.
    #[error("not a bundle: {0}")]
    Form(&'static str),
    /// A member's records are not what they must be.
    #[error("member {name}: {what}")]
    Member {
        /// The member's name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// How a member's bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Stored,
    Deflated,
}

/// One member, as the central directory has it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Bytes of its content.
    pub size_bytes: u64,
    method: Method,
    crc32: Option<u32>,
    compressed_bytes: u64,
    data_offset: u64,
}

/// How strictly the records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As the format has it.
    Strict,
    /// As archivers write it: with extra fields, and with files of their own beside the members.
    PackedAgain,
}

impl Form {
    /// Whether a member need not be a regular file: junk, and the folder that was packed.
    fn allows_other(self, name: &[u8]) -> bool {
        let is_other = |name: &str| is_junk(name) || name.ends_with('/');
        self == Self::PackedAgain && std::str::from_utf8(name).is_ok_and(is_other)
    }
}

/// Whether a file of this name is one that systems put beside others by themselves.
pub fn is_junk(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    [".DS_Store", "Thumbs.db", "desktop.ini"].contains(&last)
        || last.starts_with("._")
        || name == "__MACOSX"
        || name.starts_with("__MACOSX/")
}

/// An archive whose form holds. Contents are checked while they are read.
pub struct Archive<'a> {
    source: &'a dyn Source,
    members: Vec<Member>,
}

/// Takes the name of one folder off all members, where all stand in it.
fn take_out_of_folder(members: &mut Vec<Member>) {
    let first = members
        .first()
        .and_then(|member| member.name.split('/').next());
    let Some(folder) = first.filter(|name| !name.is_empty()) else {
        return;
    };
    let folder = format!("{folder}/");
    if !members
        .iter()
        .all(|member| member.name.starts_with(&folder))
    {
        return;
    }
    members.retain(|member| member.name != folder || member.size_bytes > 0);
    for member in members {
        member.name.drain(..folder.len());
    }
}

/// The most that deflate can shrink: a little under 1 to 1,032.
const DEFLATE_RATIO_MAX: u64 = 1_100;

impl<'a> Archive<'a> {
    /// Reads the directory and every local header.
    pub fn open(source: &'a dyn Source) -> Result<Self, ArchiveError> {
        Self::of(source, records::read_members(source, Form::Strict)?)
    }

    /// The same of an archive that another program packed again: without the junk that it put in, and without one folder
    /// around all members. Gives whether there was any junk.
    pub fn open_packed_again(source: &'a dyn Source) -> Result<(Self, bool), ArchiveError> {
        let mut members = records::read_members(source, Form::PackedAgain)?;
        let count = members.len();
        members.retain(|member| !is_junk(&member.name));
        let had_junk = members.len() < count;
        take_out_of_folder(&mut members);
        Ok((Self::of(source, members)?, had_junk))
    }

    /// The files of an unpacked bundle.
    pub fn of_folder(folder: &'a dyn Unpacked) -> Result<Self, ArchiveError> {
        let mut next = 0;
        let member = |(name, size): (&str, u64)| {
            let data_offset = next;
            next += size;
            Member {
                name: name.to_owned(),
                size_bytes: size,
                method: Method::Stored,
                crc32: None,
                compressed_bytes: size,
                data_offset,
            }
        };
        let members = folder.files().into_iter().map(member).collect();
        Self::of(folder, members)
    }

    fn of(source: &'a dyn Source, members: Vec<Member>) -> Result<Self, ArchiveError> {
        let mut names = HashSet::new();
        for member in &members {
            let refuse = |what| ArchiveError::Member {
                name: member.name.clone(),
                what,
            };
            if !names.insert(member.name.as_str()) {
                return Err(refuse("it occurs twice"));
            }
            let inflated_max = match member.method {
                Method::Stored => member.compressed_bytes,
                Method::Deflated => member
                    .compressed_bytes
                    .saturating_mul(DEFLATE_RATIO_MAX)
                    .saturating_add(1024),
            };
            let cap = super::member::bytes_max(&member.name).unwrap_or(u64::MAX);
            if member.size_bytes > inflated_max.min(cap) {
                return Err(refuse("its size is larger than allowed"));
            }
            if member.method == Method::Stored && member.size_bytes != member.compressed_bytes {
                return Err(refuse("it is stored and its two sizes differ"));
            }
        }
        Ok(Self { source, members })
    }

    /// The members, in the order of the file.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A member's content as a stream, checked against its size and CRC at its end.
    pub fn reader(&self, name: &str) -> Option<MemberReader<'a>> {
        let member = self.members.iter().find(|member| member.name == name)?;
        let range = RangeReader {
            source: self.source,
            next: member.data_offset,
            end: member.data_offset + member.compressed_bytes,
        };
        let buffered = BufReader::with_capacity(READ_BYTES, range);
        let content = match member.method {
            Method::Stored => Content::Stored(buffered),
            Method::Deflated => Content::Deflated(DeflateDecoder::new(buffered)),
        };
        Some(MemberReader {
            content,
            crc32: crc32fast::Hasher::new(),
            left: member.size_bytes,
            member: member.clone(),
        })
    }

    /// Offset in the file of the middle of a member's stored bytes.
    pub fn middle_of(&self, name: &str) -> Option<u64> {
        let member = self.members.iter().find(|member| member.name == name)?;
        Some(member.data_offset + member.compressed_bytes / 2)
    }

    /// A small member's whole content; `None` where there is none.
    pub fn read_small(&self, name: &str) -> Option<io::Result<Vec<u8>>> {
        let mut reader = self.reader(name)?;
        let mut bytes = Vec::new();
        Some(reader.read_to_end(&mut bytes).map(|_| bytes))
    }
}

const READ_BYTES: usize = 64 << 10;

struct RangeReader<'a> {
    source: &'a dyn Source,
    next: u64,
    end: u64,
}

impl Read for RangeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        let count = self.source.read_at(self.next, &mut buffer[..want])?;
        self.next += count as u64;
        Ok(count)
    }
}

enum Content<'a> {
    Stored(BufReader<RangeReader<'a>>),
    Deflated(DeflateDecoder<BufReader<RangeReader<'a>>>),
}

impl Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(reader) => reader.read(buffer),
            Self::Deflated(reader) => reader.read(buffer),
        }
    }

    /// Whether every compressed byte was part of the content.
    fn is_used_up(&mut self) -> io::Result<bool> {
        match self {
            Self::Stored(reader) => Ok(reader.fill_buf()?.is_empty()),
            Self::Deflated(reader) => Ok(reader.get_mut().fill_buf()?.is_empty()),
        }
    }
}

/// A member's content. Reading to the end fails unless size and CRC are right.
pub struct MemberReader<'a> {
    content: Content<'a>,
    crc32: crc32fast::Hasher,
    left: u64,
    member: Member,
}

impl MemberReader<'_> {
    fn refuse(&self, what: &str) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("member {}: {what}", self.member.name),
        )
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(self.refuse("it is shorter than its stated size"));
        }
        if !self.content.is_used_up()? {
            return Err(self.refuse("bytes follow its compressed content"));
        }
        let found = self.crc32.clone().finalize();
        if self.member.crc32.is_some_and(|said| said != found) {
            return Err(self.refuse("its bytes were changed: the CRC differs"));
        }
        Ok(())
    }
}

impl Read for MemberReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self
            .content
            .read(buffer)
            .map_err(|error| match error.kind() {
                // What the decoder says of bytes that it can't follow; all else is the file system's.
                io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                    self.refuse("its compressed content is malformed")
                }
                _ => error,
            })?;
        if count == 0 {
            self.finish()?;
            return Ok(0);
        }
        let longer = || self.refuse("it is longer than its stated size");
        self.left = self.left.checked_sub(count as u64).ok_or_else(longer)?;
        self.crc32.update(&buffer[..count]);
        Ok(count)
    }
}
