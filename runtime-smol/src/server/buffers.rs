//! Memory for bytes on their way, shared by all connections.
//!
//! One thread moves bytes for one connection at a time, so one input and one output serve them all. A connection has a
//! buffer of its own only while a message has come in part: an idle one has none.

use dubhook_core::{http, http::RecvBuf, server::Config};
use std::ops::Range;

/// Buffers that are kept for the next connection that needs one.
const SPARE_MAX: usize = 64;
/// What pipelined answers may fill beyond a single one, in bytes.
const PIPELINED_BYTES: usize = 64 * 1024;
/// Room for one line of a chunked body's framing.
const FRAMING_BYTES: usize = 256;

/// The shared memory.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// What was just received.
    input: Box<[u8]>,
    /// What is to be sent.
    pub(crate) output: Box<[u8]>,
    /// A URL while it is looked at.
    pub(crate) url: Box<[u8]>,
    spare: Vec<Box<[u8]>>,
}

/// The part of a message that has come.
#[derive(Debug)]
pub(crate) struct Partial {
    memory: Box<[u8]>,
    filled: Range<usize>,
}

impl Buffers {
    pub(crate) fn new(config: &Config<'_>) -> Self {
        let http::Limits {
            head_bytes_max,
            body_bytes_max,
            ..
        } = config.http;
        let largest = config.answer_bytes_max().max(config.attempt_bytes_max());
        Self {
            input: zeroed(head_bytes_max + body_bytes_max + FRAMING_BYTES),
            output: zeroed(largest + PIPELINED_BYTES),
            url: zeroed(config.service.callback_bytes_max),
            spare: Vec::new(),
        }
    }

    /// Lends an input that goes on where `partial` ended, and the output and URL memory beside it.
    pub(crate) fn lend<'b>(
        &'b mut self,
        partial: &'b mut Option<Partial>,
    ) -> (RecvBuf<'b>, &'b mut [u8]) {
        let input = match partial {
            Some(partial) => RecvBuf::resume(&mut partial.memory, partial.filled.clone()),
            None => RecvBuf::new(&mut self.input, 0),
        };
        (input, &mut self.output)
    }

    /// Keeps what is filled of the lent input, given as its [`RecvBuf::filled_range`], until the next bytes come.
    pub(crate) fn keep(&mut self, partial: &mut Option<Partial>, filled: Range<usize>) {
        if filled.is_empty() {
            if let Some(partial) = partial.take()
                && self.spare.len() < SPARE_MAX
            {
                self.spare.push(partial.memory);
            }
        } else if let Some(partial) = partial {
            partial.filled = filled;
        } else {
            let len = filled.len();
            let spare = self.spare.pop();
            let mut memory = spare.unwrap_or_else(|| zeroed(self.input.len()));
            memory[..len].copy_from_slice(&self.input[filled]);
            *partial = Some(Partial {
                memory,
                filled: 0..len,
            });
        }
    }
}

fn zeroed(len: usize) -> Box<[u8]> {
    vec![0; len].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_message_waits_in_memory_of_its_own() {
        let mut buffers = Buffers::new(&Config::SERVER);
        let (mut one, mut two) = (None, None);
        for (partial, bytes) in [(&mut one, b"par"), (&mut two, b"who")] {
            let (mut input, _) = buffers.lend(partial);
            input.room()[..3].copy_from_slice(bytes);
            input.commit(3);
            let filled = input.filled_range();
            buffers.keep(partial, filled);
        }
        let (mut input, _) = buffers.lend(&mut one);
        assert_eq!(input.filled(), b"par");
        input.discard_front(3);
        let filled = input.filled_range();
        buffers.keep(&mut one, filled);
        assert!(one.is_none() && buffers.spare.len() == 1);
        assert_eq!(buffers.lend(&mut two).0.filled(), b"who");
    }
}
