//! HMAC-SHA256 (RFC 2104).
//!
//! What a key does to the hash depends on nothing else, so it is worked out once and kept (RFC 2104, section 4): two
//! chaining values, 64 bytes of plain memory, which a table can hold for every secret. A message then costs a
//! compression for each of its own blocks and one for the outer hash.

use crate::sha256::{BLOCK_BYTES, Sha256, State, after_block};
use zerocopy::FromZeros;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A key worked into the inner and the outer hash.
#[derive(Clone, Copy, FromZeros)]
pub(crate) struct Keyed {
    inner: State,
    outer: State,
}

impl Zeroize for Keyed {
    fn zeroize(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl Keyed {
    /// No key: all zero.
    pub(crate) const NONE: Self = Self {
        inner: [0; 8],
        outer: [0; 8],
    };

    /// Works in a key of one block, filled up with zeros.
    pub(super) fn new(key: &[u8; BLOCK_BYTES]) -> Self {
        Self {
            inner: after_pad(key, 0x36),
            outer: after_pad(key, 0x5c),
        }
    }
}

fn after_pad(key: &[u8; BLOCK_BYTES], pad: u8) -> State {
    let mut block = key.map(|byte| byte ^ pad);
    let state = after_block(&block);
    block.zeroize();
    state
}

/// A message that is being hashed; overwritten when dropped.
#[derive(Clone)]
pub(super) struct Hmac {
    inner: Sha256,
    outer: Zeroizing<State>,
}

// Both of its fields are.
impl ZeroizeOnDrop for Hmac {}

impl Hmac {
    pub(super) fn new(key: &Keyed) -> Self {
        Self {
            inner: after_key(key.inner),
            outer: Zeroizing::new(key.outer),
        }
    }

    /// The next piece of the message.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.inner.update(piece);
    }

    /// The code of the whole message (RFC 2104, section 2).
    pub(super) fn finish(self) -> [u8; 32] {
        let mut outer = after_key(*self.outer);
        outer.update(&self.inner.finish());
        outer.finish()
    }
}

/// A hash that has taken in the block with the key.
const fn after_key(state: State) -> Sha256 {
    Sha256::after(state, BLOCK_BYTES as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac as Theirs, KeyInit, Mac};

    fn block(key: &[u8]) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..key.len()].copy_from_slice(key);
        block
    }

    fn code(key: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
        let mut hmac = Hmac::new(&Keyed::new(&block(key)));
        for piece in pieces {
            hmac.update(piece);
        }
        hmac.finish()
    }

    #[test]
    fn the_standards_test_cases() {
        #[track_caller]
        fn check(key: &[u8], message: &[u8], expect: [u32; 8]) {
            let code = code(key, &[message]);
            let words = code
                .as_chunks()
                .0
                .iter()
                .map(|word| u32::from_be_bytes(*word));
            assert!(words.eq(expect));
        }
        // RFC 4231, sections 4.2 to 4.5; the keys of later ones are longer than a block.
        check(
            &[0x0b; 20],
            b"Hi There",
            [
                0xb034_4c61,
                0xd8db_3853,
                0x5ca8_afce,
                0xaf0b_f12b,
                0x881d_c200,
                0xc983_3da7,
                0x26e9_376c,
                0x2e32_cff7,
            ],
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            [
                0x5bdc_c146,
                0xbf60_754e,
                0x6a04_2426,
                0x0895_75c7,
                0x5a00_3f08,
                0x9d27_3983,
                0x9dec_58b9,
                0x64ec_3843,
            ],
        );
        check(
            &[0xaa; 20],
            &[0xdd; 50],
            [
                0x773e_a91e,
                0x3680_0e46,
                0x854d_b8eb,
                0xd091_81a7,
                0x2959_098b,
                0x3ef8_c122,
                0xd963_5514,
                0xced5_65fe,
            ],
        );
    }

    #[test]
    fn any_message_in_any_pieces_is_hashed_as_another_library_does_it() {
        let message: [u8; 300] = core::array::from_fn(|at| at as u8);
        for len in 0..=message.len() {
            let message = &message[..len];
            let key = &[0x5a; 64][..24 + len % 41];
            let mut theirs = Theirs::<sha2::Sha256>::new_from_slice(key).unwrap();
            theirs.update(message);
            let expect: [u8; 32] = theirs.finalize().into_bytes().into();
            for at in 0..=len {
                let (a, b) = message.split_at(at);
                assert_eq!(code(key, &[a, b]), expect, "{at} of {len}");
            }
            let all: [&[u8]; 2] = [&[], message];
            assert_eq!(code(key, &all), expect);
            let mut bytewise = Hmac::new(&Keyed::new(&block(key)));
            message.chunks(1).for_each(|byte| bytewise.update(byte));
            assert_eq!(bytewise.finish(), expect);
        }
    }
}
