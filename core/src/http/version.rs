//! The version in a start line.

use super::refusal::Refusal;

/// The version of HTTP that the other side speaks (RFC 9110, section 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Version {
    /// HTTP/1.0.
    V10 = 0,
    /// HTTP/1.1, or a later minor version, which is read as this one (RFC 9110, section 2.5).
    V11,
}

/// `"HTTP/" DIGIT "." DIGIT` (RFC 9112, section 2.3).
pub(super) fn parse(text: &[u8]) -> Result<Version, Refusal> {
    let Some([major, b'.', minor]) = text.strip_prefix(b"HTTP/") else {
        return Err(Refusal::BadVersion);
    };
    match (major, minor) {
        (b'1', b'0') => Ok(Version::V10),
        (b'1', b'1'..=b'9') => Ok(Version::V11),
        (b'0'..=b'9', b'0'..=b'9') => Err(Refusal::VersionNotSupported),
        _ => Err(Refusal::BadVersion),
    }
}
