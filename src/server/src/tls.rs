//! The server's certificate: read from files, and read again when they change.

use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_cert::der::Decode;
use zeroize::Zeroizing;

use trailkeep_files::named::read_named;
use trailkeep_proof::time::UnixMillis;

/// Where the certificate and its key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those of its issuers.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why a pair can't be used. No message holds any part of a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {path}: {error}", path = .0.display(), error = .1)]
    Read(PathBuf, std::io::Error),
    #[error("{path} has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)", path = .0.display())]
    NoCertificate(PathBuf),
    #[error("{path} has no private key in PEM, or an encrypted one", path = .0.display())]
    NoKey(PathBuf),
    /// The two do not belong together, or the algorithm is not known.
    #[error(
        "the key in {key} does not match the certificate in {certificate}, or its type is unknown: {error}",
        key = .files.key.display(), certificate = .files.certificate.display()
    )]
    NoPair {
        files: TlsFiles,
        /// What the library said.
        error: rustls::Error,
    },
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct KeyPair {
    certified: Arc<CertifiedKey>,
    /// The end of the certificate's time.
    pub expires_at: UnixMillis,
}

impl TlsFiles {
    /// Reads the pair and checks that the two belong together.
    pub fn load(&self) -> Result<KeyPair, TlsError> {
        self.parse(&self.read()?)
    }

    fn read(&self) -> Result<[Zeroizing<Vec<u8>>; 2], TlsError> {
        let read =
            |path: &PathBuf| read_named(path).map_err(|error| TlsError::Read(path.clone(), error));
        Ok([read(&self.certificate)?, read(&self.key)?])
    }

    fn parse(&self, [certificate, key]: &[Zeroizing<Vec<u8>>; 2]) -> Result<KeyPair, TlsError> {
        let no_certificate = || TlsError::NoCertificate(self.certificate.clone());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|_| no_certificate())?;
        let first = chain.first().ok_or_else(no_certificate)?;
        let parsed = x509_cert::Certificate::from_der(first).map_err(|_| no_certificate())?;
        let end = parsed
            .tbs_certificate()
            .validity()
            .not_after
            .to_unix_duration();
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey(self.key.clone()))?;
        let provider = rustls::crypto::ring::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider);
        let certified = certified.map_err(|error| TlsError::NoPair {
            files: self.clone(),
            error,
        })?;
        Ok(KeyPair {
            certified: Arc::new(certified),
            expires_at: UnixMillis::new(u64::try_from(end.as_millis()).unwrap_or(u64::MAX)),
        })
    }
}

/// The certificate in use, and what became of the last look at its files.
#[derive(Debug)]
pub struct Certificates {
    files: TlsFiles,
    current: RwLock<KeyPair>,
    looked: Mutex<Looked>,
}

#[derive(Debug)]
struct Looked {
    /// Digest of the files as they were last tried.
    tried: Option<[u8; 32]>,
    failure: Option<String>,
}

impl Certificates {
    /// Reads the files for the first time.
    pub fn open(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let read = files.read()?;
        let pair = files.parse(&read)?;
        Ok(Arc::new(Self {
            files,
            current: RwLock::new(pair),
            looked: Mutex::new(Looked {
                tried: Some(digest(&read)),
                failure: None,
            }),
        }))
    }

    /// The end of the time of the certificate in use.
    pub fn expires_at(&self) -> UnixMillis {
        self.pair().expires_at
    }

    /// Why the files as they are now are not in use, if they are not.
    pub fn failure(&self) -> Option<String> {
        let looked = self.looked.lock();
        looked.failure.clone()
    }

    /// How connections are to be secured: HTTP/2 and HTTP/1.1 are offered, the certificate is that of the moment.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Takes what the files have now, if they changed. A pair that can't be used leaves the one in use.
    pub(super) fn look_again(&self) {
        let read = self.files.read();
        let found = read.as_ref().ok().map(digest);
        let mut looked = self.looked.lock();
        if found.is_some() && found == looked.tried {
            return;
        }
        match read.and_then(|read| self.files.parse(&read)) {
            Ok(pair) => {
                tracing::info!(expires_at = %pair.expires_at, "the new certificate is in use");
                *self.current.write() = pair;
                looked.failure = None;
            }
            Err(error) => {
                let failure = error.to_string();
                // A file that is gone is said once, not at each look.
                if looked.failure.as_ref() != Some(&failure) {
                    tracing::error!(%error, "the new certificate is unusable; the previous one stays in use");
                }
                looked.failure = Some(failure);
            }
        }
        looked.tried = found;
    }

    fn pair(&self) -> KeyPair {
        let current = self.current.read();
        current.clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair().certified)
    }
}

fn digest(read: &[Zeroizing<Vec<u8>>; 2]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for bytes in read {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    }
    digest.finalize().into()
}
