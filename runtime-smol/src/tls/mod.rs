//! Whom to believe, and who one is: the two halves of TLS that somebody has to decide.
//!
//! # Theory of operation
//!
//! [`Trust`] holds the roots that a peer's certificate must lead to: those of the platform, and what an operator adds
//! for certificates of their own. The platform's are read when the first connection wants them, not before. [`Identity`]
//! is the certificate and key that a server shows. A certificate that was given and is shown itself counts for its names
//! (`given.rs`). Names are always checked, against the host of the URL, whatever
//! address the connection goes to. Only HTTP/1.1 is offered (RFC 7301), TLS 1.2 and 1.3 are spoken.
//!
//! ```
//! use dubhook_smol::tls::Trust;
//!
//! let error = Trust::platform().with_file("no/such/file.pem").unwrap_err();
//! assert!(error.to_string().starts_with("no/such/file.pem: "));
//! ```

mod fault;
mod given;
mod judge;

pub(crate) use fault::{Fault, explain};
pub(crate) use judge::{Judge, Judged};

use dubhook_core::url::{Host, Url};
use given::Given;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::WebPkiServerVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName,
        pem::{self, PemObject},
    },
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// The protocol that is spoken over TLS.
const HTTP: &[u8] = b"http/1.1";

/// Which certificates of others are believed. Clones share what was read.
#[derive(Debug, Clone, Default)]
pub struct Trust(Arc<Roots>);

#[derive(Debug, Default)]
struct Roots {
    own: Vec<CertificateDer<'static>>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    /// What the platform believes; `SSL_CERT_FILE` and `SSL_CERT_DIR` name other files, where they are set.
    #[must_use]
    pub fn platform() -> Self {
        Self::default()
    }

    /// Believes the certificates in this PEM file too.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or no certificate is in it.
    pub fn with_file(self, file: impl AsRef<Path>) -> Result<Self, TlsError> {
        let mut own = self.0.own.clone();
        own.extend(certificates(file.as_ref())?);
        let config = OnceLock::new();
        Ok(Self(Arc::new(Roots { own, config })))
    }

    /// How connections are made. The first call reads the platform's roots, and so may block.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        let config = self.0.config.get_or_init(|| Arc::new(self.read()));
        Arc::clone(config)
    }

    /// The same, if it was read already.
    pub(crate) fn client_if_read(&self) -> Option<Arc<ClientConfig>> {
        self.0.config.get().cloned()
    }

    fn read(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the platform's certificates cannot be read");
        }
        // What is no root is left out: one bad file must not cost all others.
        roots.add_parsable_certificates(found.certs);
        roots.add_parsable_certificates(self.0.own.iter().cloned());
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect(SUITES);
        let usual =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), provider());
        let mut config = match usual.build() {
            Ok(usual) => {
                let given = self.0.own.clone();
                let verifier = Arc::new(Judged {
                    judge: Given { usual, given },
                    provider: provider(),
                });
                let builder = builder
                    .dangerous()
                    .with_custom_certificate_verifier(verifier);
                builder.with_no_client_auth()
            }
            // There is no root at all, so nobody is believed.
            Err(_) => builder.with_root_certificates(roots).with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP.to_vec()];
        config
    }
}

/// The certificate and the key that a server shows.
#[derive(Debug, Clone)]
pub struct Identity(Arc<ServerConfig>);

impl Identity {
    /// From PEM files: the certificate with those that lead from it to a root, and its private key.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, has not in it what it should, or the key is another certificate's.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.as_ref(), key.as_ref());
        let chain = certificates(certificate)?;
        let secret =
            PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::file(key, error))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect(SUITES)
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| TlsError::Identity {
                file: key.to_owned(),
                error,
            })?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// The name that a certificate must be for, so that `url` is where a connection leads.
///
/// # Errors
///
/// Where the host cannot be a name in a certificate.
pub fn server_name(url: &Url<'_>) -> Result<ServerName<'static>, InvalidDnsNameError> {
    match url.host() {
        Host::V4(address) => Ok(ServerName::from(std::net::IpAddr::V4(address))),
        Host::V6(address) => Ok(ServerName::from(std::net::IpAddr::V6(address))),
        Host::Name(name) => ServerName::try_from(name.to_owned()),
    }
}

/// Why TLS could not be set up.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be used.
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// The certificate and the key make no identity.
    Identity {
        /// The file of the key.
        file: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
}

impl TlsError {
    fn file(file: &Path, error: pem::Error) -> Self {
        let error = match error {
            pem::Error::Io(error) => error,
            pem::Error::NoItemsFound => io::Error::new(
                io::ErrorKind::InvalidData,
                "what should be in it, as PEM, is not",
            ),
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        };
        Self::File {
            file: file.to_owned(),
            error,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Identity { file, error } => write!(f, "{}: {error}", file.display()),
        }
    }
}

impl std::error::Error for TlsError {}

const SUITES: &str = "ring has suites for both versions";

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

/// All certificates in a file, of which there must be one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(TlsError::file(file, pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::file(file, error)),
    }
}
