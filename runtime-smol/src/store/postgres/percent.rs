//! `%XX` in a URL.

/// What was written so is no text, or not written so at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotText;

/// The text that this stands for. There is no zero byte in it: the database knows none.
pub(super) fn decode(text: &str) -> Result<String, NotText> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, behind @ ..] = rest else {
            return Err(NotText);
        };
        bytes.push(16 * digit(*high)? + digit(*low)?);
        rest = behind;
    }
    if bytes.contains(&0) {
        return Err(NotText);
    }
    String::from_utf8(bytes).map_err(|_| NotText)
}

fn digit(byte: u8) -> Result<u8, NotText> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(NotText),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_so_comes_back() {
        assert_eq!(decode("a%2Fb%c3%A4").as_deref(), Ok("a/bä"));
        for wrong in ["%", "%2", "%2x", "%ff", "%00"] {
            assert_eq!(decode(wrong), Err(NotText), "{wrong}");
        }
    }
}
