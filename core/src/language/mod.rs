//! Language tags: is this text one (BCP 47, RFC 5646)?
//!
//! Checked is the grammar of RFC 5646 section 2.1, not the registry: `xx-YY` is well formed though
//! nobody speaks it. With one exception, since here it tells a tag from a word: a primary language
//! has two or three letters. The grammar reserves four and lets five to eight be registered, but
//! none ever was, so `english` and `spanish` are refused.
//!
//! The grammar is there with the feature `language`. Without it a tag is taken for what it looks like
//! ([`looks_like_tag`]), and `spanish` passes.
//!
//! ```
//! use dubhook_core::language::{is_well_formed, looks_like_tag};
//!
//! assert!(is_well_formed("es-419"));
//! assert!(!is_well_formed("spanish") && looks_like_tag("spanish"));
//! assert!(!looks_like_tag("es 419"));
//! ```

#[cfg(feature = "language")]
mod grammar;

#[cfg(feature = "language")]
pub use grammar::is_well_formed;

/// The longest tag, in bytes: the shortest buffer that RFC 5646 section 4.4.1 allows.
pub const TAG_BYTES_MAX: usize = 35;

/// Whether `tag` is 1 to [`TAG_BYTES_MAX`] letters, digits and hyphens of ASCII: all that a tag can be made of (RFC 5646
/// section 2.1), and nothing that would have to be escaped where it is written.
#[must_use]
pub fn looks_like_tag(tag: &str) -> bool {
    (1..=TAG_BYTES_MAX).contains(&tag.len())
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether `tag` is taken for one in a request.
pub(crate) fn is_accepted(tag: &str) -> bool {
    #[cfg(feature = "language")]
    return is_well_formed(tag);
    #[cfg(not(feature = "language"))]
    return looks_like_tag(tag);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_tag_is_short_and_needs_no_escape() {
        for tag in ["es", "spanish", "es-419", "-", "x", "A1"] {
            assert!(looks_like_tag(tag), "{tag}");
        }
        for other in ["", "es_ES", "es ES", "es\"", "es\n", "\u{e1}r"] {
            assert!(!looks_like_tag(other), "{other}");
        }
        let longest = "abcdefghijklmnopqrstuvwxyz012345678";
        assert_eq!(longest.len(), TAG_BYTES_MAX);
        assert!(looks_like_tag(longest));
        assert!(!looks_like_tag("abcdefghijklmnopqrstuvwxyz0123456789"));
    }
}
