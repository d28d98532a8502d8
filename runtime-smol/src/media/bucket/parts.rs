//! How an upload is cut into parts.

use super::wire::Part;

/// From how many bytes on an upload comes in parts.
pub(super) const WHOLE_BYTES_MAX: u64 = 64 << 20;
/// How many bytes a part has at least, and how many parts there are at most: one list names them all, and is no longer than an answer.
pub(super) const PART_BYTES_MIN: u64 = 16 << 20;
pub(super) const PARTS_MAX: u64 = 500;

/// How many bytes each part of so many has, but for the last one.
pub(super) fn part_bytes(bytes: u64) -> u64 {
    let least = bytes.div_ceil(PARTS_MAX);
    least.next_multiple_of(1 << 20).max(PART_BYTES_MIN)
}

/// How many bytes have come up to the first part that has not: who sends them in turn goes on there.
pub(super) fn in_turn(come: &[Part], each: u64) -> u64 {
    let is_next = |(part, number): &(&Part, u64)| part.number == *number && part.bytes == each;
    let next = come.iter().zip(1..).take_while(is_next);
    next.map(|(part, _)| part.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_an_upload_are_on_one_list() {
        for bytes in [
            1,
            WHOLE_BYTES_MAX + 1,
            5 << 30,
            16_000 << 20,
            u64::MAX >> 12,
        ] {
            let each = part_bytes(bytes);
            assert!(
                each >= PART_BYTES_MIN && bytes.div_ceil(each) <= PARTS_MAX,
                "{bytes}"
            );
        }
    }
}
