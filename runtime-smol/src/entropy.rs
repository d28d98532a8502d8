//! Randomness from the operating system.

use std::io;

/// 32 fresh bytes for a machine's seed.
///
/// # Errors
///
/// Where the operating system has none to give.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::from)?;
    Ok(seed)
}

/// The seed that a number stands for: for runs that shall be repeated, never for a service that anybody else can reach,
/// since whoever guesses the number knows every secret.
#[must_use]
pub fn seed_from(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}
