//! Sending as far as there is room, and keeping the rest.

use super::stream::Stream;
use std::io;

impl Stream {
    /// Sends what is kept, as far as there is room.
    pub(crate) fn send_kept(&self, unsent: &mut Vec<u8>) -> io::Result<()> {
        while !unsent.is_empty() {
            match self.try_write(unsent)? {
                Some(len) => drop(unsent.drain(..len)),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Sends `bytes` as far as there is room, and keeps the rest.
    pub(crate) fn send_or_keep(&self, mut bytes: &[u8], unsent: &mut Vec<u8>) -> io::Result<()> {
        while unsent.is_empty() && !bytes.is_empty() {
            match self.try_write(bytes)? {
                Some(len) => bytes = &bytes[len..],
                None => break,
            }
        }
        unsent.extend_from_slice(bytes);
        Ok(())
    }
}
