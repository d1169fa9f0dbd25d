//! The archive as it is written: member after member, each hashed on its way, the signed list of the
//! hashes last.

use std::io::{self, Write};

use age::stream::StreamWriter as AgeWriter;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use crate::export::ExportError;
use trailkeep_crypto::spool::{Spool, SpoolWriter};
use trailkeep_proof::bundle::member;
use trailkeep_proof::bundle::sums::{self, Sum};

/// How hard to compress: the level at which a bundle's text stops shrinking much.
const DEFLATE_LEVEL: i64 = 4;

/// A spool, with all that goes into it encrypted for the recipients or not, and hashed.
enum Sink {
    Plain(Hashed),
    Encrypted(AgeWriter<Hashed>),
}

/// A spool that is hashed while it is written.
pub(super) struct Hashed {
    spool: SpoolWriter,
    sha256: Sha256,
}

impl Hashed {
    pub(super) fn new(spool: SpoolWriter) -> Self {
        Self {
            spool,
            sha256: Sha256::new(),
        }
    }

    /// The file, and its SHA-256.
    pub(super) fn finish(self) -> io::Result<(Spool, [u8; 32])> {
        Ok((self.spool.finish()?, self.sha256.finalize().into()))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.spool.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Encrypted(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Encrypted(writer) => writer.flush(),
        }
    }
}

/// A bundle under way. What is written to it goes into the member that was started last.
pub(super) struct BundleWriter {
    zip: ZipWriter<StreamWriter<Sink>>,
    current: Option<(&'static str, Sha256)>,
    sums: Vec<Sum>,
}

impl BundleWriter {
    pub(super) fn new(
        spool: SpoolWriter,
        recipients: &[age::x25519::Recipient],
    ) -> Result<Self, ExportError> {
        let hashed = Hashed::new(spool);
        let sink = if recipients.is_empty() {
            Sink::Plain(hashed)
        } else {
            let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
            let encryptor = age::Encryptor::with_recipients(recipients)?;
            Sink::Encrypted(encryptor.wrap_output(hashed)?)
        };
        Ok(Self {
            zip: ZipWriter::new_stream(sink),
            current: None,
            sums: Vec::new(),
        })
    }

    /// Ends the member before and begins another.
    pub(super) fn start(&mut self, name: &'static str) -> Result<(), ExportError> {
        self.end();
        // What is read as a stream may grow beyond 4 GiB, which can't be known before.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(DEFLATE_LEVEL))
            .large_file(member::bytes_max(name).is_none());
        self.zip.start_file(name, options)?;
        self.current = Some((name, Sha256::new()));
        Ok(())
    }

    /// A whole small member.
    pub(super) fn add(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), ExportError> {
        self.start(name)?;
        Ok(self.write_all(bytes)?)
    }

    /// Adds the signed list of the members, and ends. Gives the file and its SHA-256.
    pub(super) fn finish(mut self, key: &SigningKey) -> Result<(Spool, [u8; 32]), ExportError> {
        self.end();
        let list = sums::format(std::mem::take(&mut self.sums));
        self.add(member::SUMS, list.as_bytes())?;
        self.add(member::SUMS_SIGNATURE, &sums::sign(&list, key))?;
        let hashed = match self.zip.finish()?.into_inner() {
            Sink::Plain(hashed) => hashed,
            Sink::Encrypted(writer) => writer.finish()?,
        };
        Ok(hashed.finish()?)
    }

    fn end(&mut self) {
        if let Some((name, hash)) = self.current.take() {
            self.sums.push(Sum {
                name: name.to_owned(),
                sha256: hash.finalize().into(),
            });
        }
    }
}

impl Write for BundleWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.zip.write(bytes)?;
        if let Some((_, hash)) = &mut self.current {
            hash.update(&bytes[..count]);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
