//! Cutting text at an ASCII byte, with no panic path left in the program.
//!
//! The methods of `str` that do this search for any pattern, and their bounds checks survive in a
//! small build.

/// What stands before and after the first `mark`, which must be ASCII.
pub(crate) fn split_once(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == mark)?;
    around(text, at)
}

/// What stands before and after the last `mark`, which must be ASCII.
#[cfg(any(feature = "guard", test))]
pub(crate) fn rsplit_once(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().rposition(|byte| byte == mark)?;
    around(text, at)
}

fn around(text: &str, at: usize) -> Option<(&str, &str)> {
    Some((text.get(..at)?, text.get(at.wrapping_add(1)..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_as_the_standard_library_does() {
        for text in ["", "-", "a", "a-", "-a", "é-é", "a-b-c", "--"] {
            assert_eq!(split_once(text, b'-'), text.split_once('-'), "{text}");
            assert_eq!(rsplit_once(text, b'-'), text.rsplit_once('-'), "{text}");
        }
    }
}
