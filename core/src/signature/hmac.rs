//! HMAC-SHA256 (RFC 2104, FIPS 180-4) over the compression function of `sha2`.
//!
//! What a key does to the hash depends on nothing else, so it is worked out once and kept (RFC 2104, section 4): two
//! chaining values, 64 bytes of plain memory, which a table can hold for every secret. A message then costs a
//! compression for each of its own blocks and one for the outer hash.

use sha2::block_api::compress256;
use zerocopy::FromZeros;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The length of a block of SHA-256, in bytes.
pub(super) const BLOCK_BYTES: usize = 64;

/// A chaining value of SHA-256 (FIPS 180-4, section 6.2).
type State = [u32; 8];

/// What SHA-256 starts with (FIPS 180-4, section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

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
    let mut state = INITIAL;
    compress(&mut state, &block);
    block.zeroize();
    state
}

fn compress(state: &mut State, block: &[u8; BLOCK_BYTES]) {
    compress256(state, core::slice::from_ref(block));
}

/// A message that is being hashed.
#[derive(Clone)]
pub(super) struct Hmac {
    state: State,
    outer: State,
    /// What does not fill a block yet.
    block: [u8; BLOCK_BYTES],
    /// The length of the message so far.
    len: u64,
}

impl Drop for Hmac {
    fn drop(&mut self) {
        self.state.zeroize();
        self.outer.zeroize();
        self.block.zeroize();
    }
}

impl ZeroizeOnDrop for Hmac {}

impl Hmac {
    pub(super) const fn new(key: &Keyed) -> Self {
        Self {
            state: key.inner,
            outer: key.outer,
            block: [0; BLOCK_BYTES],
            len: 0,
        }
    }

    /// How much of the block is filled.
    const fn filled(&self) -> usize {
        (self.len % BLOCK_BYTES as u64) as usize
    }

    /// The next piece of the message.
    pub(super) fn update(&mut self, mut piece: &[u8]) {
        let filled = self.filled();
        self.len += piece.len() as u64;
        if filled > 0 {
            let room = self.block.get_mut(filled..).unwrap_or_default();
            let Some((first, rest)) = piece.split_at_checked(room.len()) else {
                copy(room, piece);
                return;
            };
            copy(room, first);
            compress(&mut self.state, &self.block);
            piece = rest;
        }
        let (blocks, rest) = piece.as_chunks();
        compress256(&mut self.state, blocks);
        copy(&mut self.block, rest);
    }

    /// The code of the whole message (RFC 2104, section 2).
    pub(super) fn finish(mut self) -> [u8; 32] {
        let filled = self.filled();
        // The length comes after a bit that is set, and the length is that of the block with the key, too.
        let bits = (self.len + BLOCK_BYTES as u64) * 8;
        let rest = self.block.get_mut(filled..).unwrap_or_default();
        rest.fill(0);
        if let Some(first) = rest.first_mut() {
            *first = 0x80;
        }
        if rest.len() < 1 + 8 {
            compress(&mut self.state, &self.block);
            self.block = [0; BLOCK_BYTES];
        }
        end_block(&mut self.block, bits);
        compress(&mut self.state, &self.block);

        const OUTER_BITS: u64 = (BLOCK_BYTES as u64 + 32) * 8;
        self.block = [0; BLOCK_BYTES];
        copy(&mut self.block, &bytes(&self.state));
        if let Some(first) = self.block.get_mut(32) {
            *first = 0x80;
        }
        end_block(&mut self.block, OUTER_BITS);
        compress(&mut self.outer, &self.block);
        bytes(&self.outer)
    }
}

/// Ends a padded block with the length of the message in bits.
fn end_block(block: &mut [u8; BLOCK_BYTES], bits: u64) {
    if let Some(end) = block.last_chunk_mut() {
        *end = bits.to_be_bytes();
    }
}

/// Copies as much as there is room for.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

fn bytes(state: &State) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hmac::{Hmac as Theirs, KeyInit, Mac};
    use sha2::Sha256;

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
            assert_eq!(code(key, &[message]), bytes(&expect));
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
            let mut theirs = Theirs::<Sha256>::new_from_slice(key).unwrap();
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
