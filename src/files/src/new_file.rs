//! A file on its way to its place: under a random name in the same directory, until it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, RenameFlags, fchmod, linkat, renameat_with};
use rustix::io::Errno;

use super::folder::{Folder, PRIVATE_FILE, STEP_BYTES, overwrite};

/// A file under a random name. It is overwritten and removed if it does not get to its place.
#[derive(Debug)]
pub struct NewFile {
    folder: Folder,
    place: OsString,
    name: OsString,
    file: File,
    is_placed: bool,
}

impl NewFile {
    /// Makes it under a random name that begins with `stem`.
    pub(super) fn beside(folder: Folder, place: &OsStr, stem: &OsStr) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let mut name = stem.to_owned();
        name.push(format!(".{:016x}.tmp", u64::from_be_bytes(random)));
        Ok(Self {
            file: folder.create(&name)?,
            place: place.to_owned(),
            name,
            folder,
            is_placed: false,
        })
    }

    /// The file, open for reading and writing.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Its path as long as it is not in its place.
    pub fn path(&self) -> PathBuf {
        self.folder.path(&self.name)
    }

    /// Writes all that a source gives.
    pub fn fill(&mut self, source: &mut dyn Read) -> io::Result<()> {
        let mut buffer = vec![0; STEP_BYTES];
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(()),
                read => self.file.write_all(&buffer[..read])?,
            }
        }
    }

    /// Lets everybody read it.
    pub fn set_public(&mut self) -> io::Result<()> {
        let readable = PRIVATE_FILE | Mode::RGRP | Mode::ROTH;
        Ok(fchmod(&self.file, readable)?)
    }

    /// Puts it in its place, synced; what stood there is replaced.
    pub fn replace(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        self.folder.rename(&self.name, &self.place)?;
        self.is_placed = true;
        self.folder.sync()
    }

    /// Puts it in its place, synced, if nothing stands there.
    pub fn place_new(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let place = self.place.clone();
        match self.rename_with(RenameFlags::NOREPLACE) {
            Ok(()) => self.is_placed = true,
            Err(error) if is_unknown(error) => {
                let (from, to) = (self.folder.descriptor(), self.folder.descriptor());
                linkat(from, &self.name, to, &place, AtFlags::empty())?;
                self.is_placed = true;
                self.folder.remove(&self.name)?;
            }
            Err(error) => return Err(error.into()),
        }
        self.folder.sync()
    }

    /// Puts it in its place, synced; the file of ours that stood there is overwritten and removed. A crash leaves one
    /// of the two whole in the place, and the other for [`Folder::destroy_leftovers`].
    pub fn replace_and_destroy(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let mut old = match self.folder.open_own(&self.place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.replace(),
            opened => opened?,
        };
        match self.rename_with(RenameFlags::EXCHANGE) {
            // The random name is that of the old file now.
            Ok(()) => {
                self.folder.sync()?;
                self.is_placed = true;
                overwrite(&mut old)?;
                self.folder.remove(&self.name)?;
            }
            // Without that the old bytes have no name for a moment: a crash in it leaves them on the medium.
            Err(error) if is_unknown(error) => {
                self.folder.rename(&self.name, &self.place)?;
                self.is_placed = true;
                self.folder.sync()?;
                overwrite(&mut old)?;
            }
            Err(error) => return Err(error.into()),
        }
        self.folder.sync()
    }

    fn rename_with(&self, flags: RenameFlags) -> Result<(), Errno> {
        let directory = self.folder.descriptor();
        renameat_with(directory, &self.name, directory, &self.place, flags)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_placed {
            // It may hold keys or payloads.
            let _ = overwrite(&mut self.file);
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// The file system knows no such renaming.
fn is_unknown(error: Errno) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP].contains(&error)
}
