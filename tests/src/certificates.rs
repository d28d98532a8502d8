//! Certificates made for a test: an authority, and what it vouches for.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// What the certificate that is shown is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it should be, for this name or address.
    Good(&'static str),
    /// Its time was over in 2020.
    Expired,
    /// Its time begins in 2090.
    Early,
    /// It is for `elsewhere.test`.
    OtherName,
    /// Nobody vouches for it.
    SelfSigned,
}

/// What a certificate is like that a server has made itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfMade {
    /// With a list of names.
    Listed,
    /// With a name in its subject alone.
    Called,
    /// Its time was over in 2020.
    Expired,
}

/// An authority that a test believes in, with a folder for its files.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If a certificate cannot be made or written, as in all that follows.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("a file");
        Self {
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    /// The file of its certificate, for those who shall believe in it.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Files of a good certificate for a name or address, and of its key.
    #[must_use]
    pub fn files(&self, name: &'static str) -> [PathBuf; 2] {
        let (certificate, key) = self.make(Shown::Good(name));
        let files = ["cert.pem", "key.pem"].map(|file| self.folder.path().join(file));
        fs::write(&files[0], certificate.pem()).expect("a file");
        fs::write(&files[1], key.serialize_pem()).expect("a file");
        files
    }

    /// What a server does that shows such a certificate.
    #[must_use]
    pub fn server(&self, shown: Shown) -> Arc<ServerConfig> {
        let (certificate, key) = self.make(shown);
        Self::shown(&certificate, &key)
    }

    fn shown(certificate: &rcgen::Certificate, key: &KeyPair) -> Arc<ServerConfig> {
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("two versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Arc::new(config.expect("an identity"))
    }

    /// A server with a certificate that it has made for `localhost` itself, an authority as `openssl req -x509` makes one,
    /// and the certificate's file.
    #[must_use]
    pub fn self_made(&self, made: SelfMade) -> (Arc<ServerConfig>, PathBuf) {
        let names = match made {
            SelfMade::Called => vec![],
            SelfMade::Listed | SelfMade::Expired => vec!["localhost".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        if made == SelfMade::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = self.folder.path().join("self.pem");
        fs::write(&file, certificate.pem()).expect("a file");
        (Self::shown(&certificate, &key), file)
    }

    fn make(&self, shown: Shown) -> (rcgen::Certificate, KeyPair) {
        let name = match shown {
            Shown::Good(name) => name,
            Shown::OtherName => "elsewhere.test",
            Shown::Expired | Shown::Early | Shown::SelfSigned => "localhost",
        };
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        match shown {
            Shown::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Shown::Early => params.not_before = date_time_ymd(2090, 1, 1),
            Shown::Good(_) | Shown::OtherName | Shown::SelfSigned => {}
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = match shown {
            Shown::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        };
        (certificate.expect("a certificate"), key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
