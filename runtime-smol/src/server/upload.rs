//! A request's body that is too long to be kept, on its way to the owner: no faster than the owner takes it, and never more of
//! it than fits beside a request's head.
//!
//! An owner that has answered before all of it has come wants no more: what is left is not sent to it, and the caller's
//! connection ends behind the answer.

use super::{broken::Broken, caller::Caller};
use crate::exchange::Stream;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, FutureExt};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// What is read of an early answer at first, in bytes.
const ANSWER_BYTES: usize = 4 * 1024;

/// What came first.
enum Came {
    /// Something of an answer, or its end.
    Answer(io::Result<usize>),
    /// The owner has taken some.
    Taken(io::Result<usize>),
    /// The caller has sent more, or its end.
    More(io::Result<()>),
}

/// Passes on so many bytes. Whether all of them went, and what came of an answer meanwhile.
pub(super) async fn pass_on(
    caller: &mut Caller,
    owner: &mut dyn Stream,
    length: u64,
) -> Result<(bool, Vec<u8>), Broken> {
    let mut answer = vec![0; ANSWER_BYTES];
    let mut left = length;
    // Whether what the owner has taken lies in a buffer of its connection.
    let mut unsent = false;
    while left > 0 || unsent {
        let there = caller.filled();
        let piece = there.get(..usize::try_from(left).unwrap_or(usize::MAX));
        let piece = piece.unwrap_or(there);
        let has_piece = !piece.is_empty();
        let came = if !has_piece && !unsent {
            if caller.has_ended {
                return Err(Broken::Cut);
            }
            let more = async { Came::More(caller.more().await) };
            let said = async { Came::Answer(owner.read(&mut answer).await) };
            more.or(said).await
        } else {
            poll_fn(|cx| poll(cx, owner, piece, &mut answer)).await
        };
        match came {
            Came::More(more) => more.map_err(|_| Broken::Cut)?,
            Came::Taken(Ok(0)) if has_piece => return Err(Broken::Unheard),
            Came::Taken(Ok(len)) => {
                caller.take_piece(len);
                left = left.saturating_sub(len as u64);
                unsent = len > 0;
            }
            // It may have said why before it hung up.
            Came::Taken(Err(_)) => {
                let said = owner.read(&mut answer).await;
                return early(said, answer);
            }
            Came::Answer(said) => return early(said, answer),
        }
    }
    Ok((true, Vec::new()))
}

fn early(said: io::Result<usize>, mut answer: Vec<u8>) -> Result<(bool, Vec<u8>), Broken> {
    match said {
        Ok(len @ 1..) => {
            answer.truncate(len);
            Ok((false, answer))
        }
        _ => Err(Broken::Unheard),
    }
}

/// Writes some of this, or sees that what was written is on its way where there is nothing to write; unless an answer comes.
fn poll(
    cx: &mut Context<'_>,
    owner: &mut dyn Stream,
    piece: &[u8],
    answer: &mut [u8],
) -> Poll<Came> {
    let mut owner = owner;
    if let Poll::Ready(said) = Pin::new(&mut owner).poll_read(cx, answer) {
        return Poll::Ready(Came::Answer(said));
    }
    let taken = match piece.is_empty() {
        false => Pin::new(&mut owner).poll_write(cx, piece),
        true => Pin::new(&mut owner).poll_flush(cx).map_ok(|()| 0),
    };
    taken.map(Came::Taken)
}
