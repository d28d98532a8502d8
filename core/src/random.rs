//! Random bytes from one seed: ids, secrets and jitter.
//!
//! The core has no source of entropy; whoever drives it passes 32 bytes in. From them SHA-256 in
//! counter mode makes as many as are wanted: nobody who sees some can tell the others, and the same
//! seed gives the same bytes, so a run can be repeated exactly.
//!
//! ```
//! use dubhook_core::random::Random;
//!
//! let mut random = Random::new([7; 32]);
//! let secret: [u8; 32] = random.bytes();
//! assert_eq!(secret, Random::new([7; 32]).bytes());
//! assert_ne!(secret, random.bytes());
//! assert!(random.below(10) < 10);
//! ```

use crate::sha256::Sha256;
use zeroize::Zeroize;

/// A generator of random bytes.
pub struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl core::fmt::Debug for Random {
    /// Says nothing of the seed: whoever knows it knows every secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Random")
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

impl Random {
    /// A generator that starts from `seed`, which must never be used for another one that lives on:
    /// take fresh entropy at every start.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next 32 bytes.
    #[must_use]
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.seed);
        hash.update(&self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        hash.finish()
    }

    /// The next 8 bytes as a number.
    #[must_use]
    pub fn u64(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// A number from 0 up to but not including `end`; 0 if `end` is 0.
    ///
    /// The bias is below `end` in 2⁶⁴: of no account for pauses, which is what this is for.
    #[must_use]
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(end)) >> 64) as u64
    }
}
