//! Certificates that somebody gave, and that are presented as they are.
//!
//! What leads to a root is judged as everybody does. A certificate that was itself given is more than that: whoever gave it
//! has said that it is this one. So it counts for its names although it says of itself that it is an authority, as what
//! `openssl req -x509` makes does, and where it has no list of names, for the one that it is called by.

use super::judge::Judge;
use rustls::{
    CertificateError, Error,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_name},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;

/// Judges as others do, and believes what was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) usual: Arc<WebPkiServerVerifier>,
    pub(super) given: Vec<CertificateDer<'static>>,
}

impl Judge for Given {
    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<(), Error> {
        let usual =
            self.usual
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let error = match usual {
            Err(Error::InvalidCertificate(error)) if self.given.contains(end_entity) => error,
            usual => return usual.map(drop),
        };
        match &error {
            // It is good at this time, or this would not be what is wrong with it.
            CertificateError::Other(other)
                if format!("{other:?}").contains("CaUsedAsEndEntity") =>
            {
                match verify_server_name(&ParsedCertificate::try_from(end_entity)?, name) {
                    Err(_) if is_called(end_entity, name) => Ok(()),
                    named => named,
                }?;
            }
            // Names are looked at last.
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                if is_called(end_entity, name) => {}
            _ => return Err(Error::InvalidCertificate(error)),
        }
        Ok(())
    }
}

/// The object identifiers of a list of names and of a name in a subject, as DER has them.
const NAMES: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

/// Whether a certificate without a list of names is called so. The subject comes after the issuer, so the last name is its
/// own; of one that was given it need not be known more exactly.
fn is_called(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let bytes = certificate.as_ref();
    if bytes.windows(NAMES.len()).any(|part| part == NAMES) {
        return false;
    }
    let found = bytes
        .windows(COMMON_NAME.len())
        .rposition(|part| part == COMMON_NAME);
    let called = found
        .and_then(|at| bytes.get(at + COMMON_NAME.len()..))
        .and_then(|rest| match rest {
            // A string of any kind, and its length.
            [_, len @ 0..=0x7f, text @ ..] => text.get(..usize::from(*len)),
            _ => None,
        });
    called.is_some_and(|called| called.eq_ignore_ascii_case(name.to_str().as_bytes()))
}
