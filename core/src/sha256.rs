//! SHA-256 (FIPS 180-4) over the compression function of `sha2`.
//!
//! That crate's own [`Sha256`](sha2::Sha256) cannot go on from a chaining value that somebody kept, which is what makes
//! HMAC cheap (`signature/hmac.rs`). With a buffer of blocks for that, everything else is hashed through it as well.

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The length of a block, in bytes.
pub(crate) const BLOCK_BYTES: usize = 64;

/// A chaining value (section 6.2).
pub(crate) type State = [u32; 8];

/// What the hash starts with (section 5.3.3).
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

/// A message that is being hashed; overwritten when dropped.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: State,
    /// What does not fill a block yet.
    block: [u8; BLOCK_BYTES],
    /// The length of the message so far.
    len: u64,
}

impl Drop for Sha256 {
    fn drop(&mut self) {
        self.state.zeroize();
        self.block.zeroize();
    }
}

impl ZeroizeOnDrop for Sha256 {}

impl Sha256 {
    /// A message of which nothing is there yet.
    pub(crate) const fn new() -> Self {
        Self::after(INITIAL, 0)
    }

    /// A message whose first blocks, `len` bytes of them, led to `state`.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) const fn after(state: State, len: u64) -> Self {
        Self {
            state,
            block: [0; BLOCK_BYTES],
            len,
        }
    }

    /// The hash of a message that is there as a whole.
    pub(crate) fn digest(message: &[u8]) -> [u8; 32] {
        let mut hash = Self::new();
        hash.update(message);
        hash.finish()
    }

    /// How much of the block is filled.
    const fn filled(&self) -> usize {
        (self.len % BLOCK_BYTES as u64) as usize
    }

    /// The next piece of the message.
    pub(crate) fn update(&mut self, mut piece: &[u8]) {
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

    /// The hash of the whole message (sections 5.1.1 and 6.2.2).
    pub(crate) fn finish(mut self) -> [u8; 32] {
        let filled = self.filled();
        let rest = self.block.get_mut(filled..).unwrap_or_default();
        rest.fill(0);
        if let Some(first) = rest.first_mut() {
            *first = 0x80;
        }
        if rest.len() < 1 + 8 {
            compress(&mut self.state, &self.block);
            self.block = [0; BLOCK_BYTES];
        }
        if let Some(end) = self.block.last_chunk_mut() {
            *end = (self.len * 8).to_be_bytes();
        }
        compress(&mut self.state, &self.block);
        let mut hash = [0; 32];
        for (to, word) in hash.as_chunks_mut().0.iter_mut().zip(&self.state) {
            *to = word.to_be_bytes();
        }
        hash
    }
}

/// What the hash of a message is that begins with `block`, as far as that goes.
pub(crate) fn after_block(block: &[u8; BLOCK_BYTES]) -> State {
    let mut state = INITIAL;
    compress(&mut state, block);
    state
}

fn compress(state: &mut State, block: &[u8; BLOCK_BYTES]) {
    compress256(state, core::slice::from_ref(block));
}

/// Copies as much as there is room for.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256 as Theirs};

    #[test]
    fn any_message_in_any_pieces_is_hashed_as_another_library_does_it() {
        let message: [u8; 200] = core::array::from_fn(|at| at as u8);
        for len in 0..=message.len() {
            let message = &message[..len];
            let expect: [u8; 32] = Theirs::digest(message).into();
            for at in 0..=len {
                let (a, b) = message.split_at(at);
                let mut hash = Sha256::new();
                hash.update(a);
                hash.update(b);
                assert_eq!(hash.finish(), expect, "{at} of {len}");
            }
            assert_eq!(Sha256::digest(message), expect);
        }
    }
}
