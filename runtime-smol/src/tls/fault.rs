//! Why there is no TLS connection, in words that help.

use rustls::{AlertDescription, CertificateError, Error};
use std::io::{self, ErrorKind};

/// What kept a TLS connection from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The two speak no cipher suite, group or kind of key in common.
    NoSuite,
    /// What came is no TLS.
    NotTls,
    /// The peer has hung up, as one that speaks no TLS may, too.
    Cut,
    /// The certificate, or anything else.
    Untrusted,
}

impl Fault {
    /// What is wrong where a handshake failed so.
    pub(crate) fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(
                Error::AlertReceived(
                    AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
                )
                | Error::PeerIncompatible(_)
                // Whoever vouches for the certificate has a kind of key that is not known here.
                | Error::InvalidCertificate(
                    CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                    | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
                ),
            ) => Self::NoSuite,
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            None if is_end(error.kind()) => Self::Cut,
            _ => Self::Untrusted,
        }
    }
}

/// Whether this is how a connection ends that the peer has ended.
const fn is_end(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    )
}

/// The same error, in words that help where there are some.
pub(crate) fn explain(error: io::Error) -> io::Error {
    let why = match Fault::of(&error) {
        Fault::NoSuite => {
            "there is no cipher suite in common (TLS 1.3, or 1.2 with ECDHE and AES-GCM or ChaCha20)"
        }
        Fault::NotTls => "this is not TLS: is it http:// there?",
        Fault::Cut => "the connection was closed during the TLS handshake: is it http:// there?",
        Fault::Untrusted => return error,
    };
    io::Error::new(error.kind(), why)
}
