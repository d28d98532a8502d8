//! The bytes of a string that mean themselves, found a word at a time.

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// How many bytes at the start of `bytes` are neither a quote, a backslash nor a control character.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    const ONES: usize = usize::from_ne_bytes([0x01; size_of::<usize>()]);
    const HIGHS: usize = ONES * 0x80;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        let word = usize::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as usize);
        let backslash = word ^ (ONES * b'\\' as usize);
        // Each term raises the high bit of every byte that is special, seen among those that have none of their own. It may
        // raise more, but only further up: a borrow starts at a special byte. So the lowest bit raised is the first one.
        let special = (word.wrapping_sub(ONES * 0x20)
            | quote.wrapping_sub(ONES)
            | backslash.wrapping_sub(ONES))
            & !word;
        let first = ((special & HIGHS).trailing_zeros() / 8) as usize;
        if first < size_of::<usize>() {
            return bytes.len().wrapping_sub(rest.len()).wrapping_add(first);
        }
        rest = after;
    }
    let tail = rest.iter().take_while(|byte| is_plain(**byte)).count();
    bytes.len().wrapping_sub(rest.len()).wrapping_add(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_seen_in_every_place_of_a_word() {
        for byte in 0u8..=255 {
            for place in 0..17 {
                let mut bytes = [b'!'; 17];
                bytes[place] = byte;
                let expect = if is_plain(byte) { 17 } else { place };
                assert_eq!(plain_len(&bytes), expect, "{byte:#x} at {place}");
            }
        }
    }
}
