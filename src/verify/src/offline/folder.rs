//! An unpacked bundle: the files of a folder, one behind the other, as if they stood in one file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, open, openat};

use trailkeep_proof::bundle::archive::{Source, Unpacked, is_junk};
use trailkeep_proof::bundle::member;

/// Most files that are looked at; a bundle has under 20.
const FILES_MAX: usize = 64;
/// What to do about what is no file of a bundle.
const REMEDY: &str = "move it out of the folder, or name the bundle's own file";

/// The files of a folder, each opened once.
pub struct FolderSource {
    files: Vec<(String, File, u64)>,
    had_junk: bool,
}

impl FolderSource {
    /// Opens every file of the folder: regular files only, no link is followed. Whatever else stands there is an error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
            if names.len() > FILES_MAX {
                return Err(refuse("it has far more files than a bundle".to_owned()));
            }
        }
        names.sort_unstable();
        let count = names.len();
        names.retain(|name| !is_junk(name));
        let had_junk = names.len() < count;
        let mut files = Vec::new();
        for name in names {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let shown = name.escape_debug();
            let file = openat(&folder, name.as_str(), flags, Mode::empty()).map_err(|error| {
                refuse(format!(
                    "`{shown}` can't be opened, or is a link ({error}): {REMEDY}"
                ))
            })?;
            let stat = fstat(&file)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Err(refuse(format!("`{shown}` is not a regular file: {REMEDY}")));
            }
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            files.push((name, File::from(file), size));
        }
        Ok(Self { files, had_junk })
    }

    /// Whether any member of a bundle is there.
    pub fn is_of_bundle(&self) -> bool {
        let mut names = self.files.iter().map(|(name, _, _)| name.as_str());
        names.any(|name| member::ALWAYS.contains(&name))
    }
}

impl Unpacked for FolderSource {
    fn files(&self) -> Vec<(&str, u64)> {
        let files = self.files.iter();
        files
            .map(|(name, _, size)| (name.as_str(), *size))
            .collect()
    }

    fn had_junk(&self) -> bool {
        self.had_junk
    }
}

impl Source for FolderSource {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.files.iter().map(|(_, _, size)| size).sum())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut start = 0;
        for (_, file, size) in &self.files {
            if (start..start + size).contains(&offset) {
                let left = usize::try_from(start + size - offset).unwrap_or(usize::MAX);
                let want = buffer.len().min(left);
                return file.read_at(&mut buffer[..want], offset - start);
            }
            start += size;
        }
        Ok(0)
    }
}

fn refuse(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
