//! A directory that stays open: what is done with names in it is done under its descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, Stat, fchmod, fstat, fsync, mkdirat, open, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::kind::{NotOurs, check_own, check_regular};
use super::new_file::NewFile;

/// Bytes that are written or read at once.
pub(super) const STEP_BYTES: usize = 1 << 20;
/// Its owner alone.
pub(super) const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Written to by its owner, read by everybody.
const PUBLIC_FOLDER: Mode = Mode::from_bits_truncate(0o755);

/// An open directory.
#[derive(Clone, Debug)]
pub struct Folder {
    descriptor: Arc<OwnedFd>,
    path: PathBuf,
    owner: u32,
}

/// The folder of a file's path, and the file's name.
pub fn folder_of(path: &Path) -> io::Result<(Folder, &OsStr)> {
    let name = path.file_name().ok_or(Errno::ISDIR)?;
    Ok((Folder::open(path.parent().unwrap_or(Path::new("")))?, name))
}

impl Folder {
    /// Opens a directory that an operator names: links to it are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::of(open(path, flags, Mode::empty())?, path.to_owned())
    }

    fn of(descriptor: OwnedFd, path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            owner: fstat(&descriptor)?.st_uid,
            descriptor: Arc::new(descriptor),
            path,
        })
    }

    /// Opens a folder in it; none where there is none. A link is refused.
    pub fn subfolder(&self, name: &OsStr) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(opened) => Ok(Some(Self::of(opened, self.path(name))?)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.reason(name, error)),
        }
    }

    /// The same; where there is none it makes one that everybody can read, whatever the umask says.
    pub fn make_public_subfolder(&self, name: &OsStr) -> io::Result<Self> {
        if let Some(there) = self.subfolder(name)? {
            return Ok(there);
        }
        mkdirat(&self.descriptor, name, PUBLIC_FOLDER)?;
        let made = self.subfolder(name)?.ok_or(Errno::NOENT)?;
        fchmod(&made.descriptor, PUBLIC_FOLDER)?;
        self.sync()?;
        Ok(made)
    }

    /// The path of a name, for messages and for what opens files by path.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// What a name stands for, without following a link; none where nothing does.
    pub fn look(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.descriptor)?)
    }

    /// Opens a regular file to be read, whoever owns it.
    pub fn open_to_read(&self, name: &OsStr) -> io::Result<File> {
        let stat = self.look(name)?.ok_or(Errno::NOENT)?;
        check_regular(&stat)?;
        let file = self.open_checked(name, OFlags::RDONLY)?;
        check_regular(&fstat(&file)?)?;
        Ok(file)
    }

    /// Reads a regular file whole, whoever owns it; none where there is none.
    pub fn read(&self, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
        let mut file = match self.open_to_read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Refuses what is there and is not a file of ours with one name; whether something is there.
    pub fn check_own(&self, name: &OsStr) -> io::Result<bool> {
        let Some(stat) = self.look(name)? else {
            return Ok(false);
        };
        check_own(&stat, self.owner)?;
        Ok(true)
    }

    /// Opens a file of ours to be written; what is not ours, or has another name too, is refused.
    pub fn open_own(&self, name: &OsStr) -> io::Result<File> {
        if !self.check_own(name)? {
            return Err(Errno::NOENT.into());
        }
        let file = self.open_checked(name, OFlags::RDWR)?;
        check_own(&fstat(&file)?, self.owner)?;
        Ok(file)
    }

    /// Opens a file of ours to be written, and makes it where there is none.
    pub fn open_or_create(&self, name: &OsStr) -> io::Result<File> {
        match self.create(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.open_own(name),
            made => made,
        }
    }

    /// Makes a file for its owner alone, whatever the umask says; it must not be there.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(&self.descriptor, name, flags, PRIVATE_FILE)?;
        fchmod(&file, PRIVATE_FILE)?;
        Ok(file.into())
    }

    /// Whether a regular file stands there, whoever owns it, or what else does; none where nothing does.
    pub fn kind_of(&self, name: &OsStr) -> io::Result<Option<Result<(), NotOurs>>> {
        Ok(self.look(name)?.map(|stat| check_regular(&stat)))
    }

    /// Begins a file that takes the place of `name` when it is whole.
    pub fn begin(&self, name: &OsStr) -> io::Result<NewFile> {
        NewFile::beside(self.clone(), name, name)
    }

    /// The same under a hidden name, which does not depend on how long `name` is.
    pub fn begin_hidden(&self, name: &OsStr) -> io::Result<NewFile> {
        NewFile::beside(self.clone(), name, OsStr::new(".trailkeep"))
    }

    /// Overwrites a file of ours in its place, syncs that, and removes it. One that is not there is destroyed already.
    pub fn destroy(&self, name: &OsStr) -> io::Result<()> {
        let mut file = match self.open_own(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        overwrite(&mut file)?;
        self.remove(name)?;
        self.sync()
    }

    /// Destroys what a replacement that was interrupted left beside a file. What is no file of ours is left alone.
    pub fn destroy_leftovers(&self, of: &OsStr) -> io::Result<()> {
        let place = self.look(of)?;
        for name in self.names()? {
            if !is_leftover(&name, of) {
                continue;
            }
            let Some(stat) = self.look(&name)? else {
                continue;
            };
            if check_regular(&stat).is_err() {
                continue;
            }
            // 0.1.0 gave the file a second name for a moment: the bytes are those of the file in its place.
            if place.is_some_and(|place| (place.st_dev, place.st_ino) == (stat.st_dev, stat.st_ino))
            {
                self.remove(&name)?;
                self.sync()?;
            } else {
                self.destroy(&name).map_err(|error| {
                    io::Error::new(error.kind(), format!("{}: {error}", name.display()))
                })?;
            }
        }
        Ok(())
    }

    /// Takes a name away, whatever it stands for.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.descriptor, name, AtFlags::empty())?)
    }

    /// Gives a file another name in the same directory; what had that name is replaced.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.descriptor, from, &self.descriptor, to)?)
    }

    /// Makes the names survive a crash.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.descriptor)?)
    }

    /// All names in it.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.descriptor)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    fn open_checked(&self, name: &OsStr, access: OFlags) -> io::Result<File> {
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = openat(&self.descriptor, name, flags, Mode::empty());
        Ok(opened.map_err(|error| self.reason(name, error))?.into())
    }

    /// An error says what stands there, where that is the reason.
    fn reason(&self, name: &OsStr, error: Errno) -> io::Error {
        match self.look(name) {
            Ok(Some(stat)) => match check_regular(&stat) {
                Err(reason) => reason.into(),
                Ok(()) => error.into(),
            },
            _ => error.into(),
        }
    }
}

/// Writes zeros over a file and syncs them.
pub(super) fn overwrite(file: &mut File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    io::Seek::rewind(file)?;
    let zeros = vec![0; STEP_BYTES];
    while left > 0 {
        let step = left.min(STEP_BYTES as u64);
        file.write_all(&zeros[..step as usize])?;
        left -= step;
    }
    file.sync_all()
}

/// `vault.db.0123456789abcdef.tmp` of `vault.db`, and the two fixed names that 0.1.0 used.
fn is_leftover(name: &OsStr, of: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(of.as_bytes());
    let Some(rest) = rest.and_then(|rest| rest.strip_prefix(b".")) else {
        return false;
    };
    let random = rest.strip_suffix(b".tmp");
    rest == b"new"
        || rest == b"old"
        || random.is_some_and(|hex| hex.len() == 16 && hex.iter().all(u8::is_ascii_hexdigit))
}
