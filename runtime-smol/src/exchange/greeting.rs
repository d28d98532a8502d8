//! Whether TLS is spoken where a plain request has got no answer at all: most who speak it hang up on one without a word.

use async_io::Timer;
use futures_lite::{
    future::FutureExt,
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
};
use std::{io, time::Duration};

/// How long a peer is waited for that hung up on the request a moment ago.
const PATIENCE: Duration = Duration::from_millis(900);

/// A greeting as short as there is (RFC 5246, section 7.4.1.2), with two suites and no extension: who speaks TLS takes it or
/// refuses it, both in TLS.
const HELLO: [u8; 52] = {
    let mut hello = [0; 52];
    let head = [22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
    let tail = [0, 0, 4, 0xc0, 0x2f, 0xc0, 0x2b, 1, 0];
    let (start, rest) = hello.split_at_mut(head.len());
    start.copy_from_slice(&head);
    // What is between them should be random, and protects nothing here.
    let (_, end) = rest.split_at_mut(rest.len() - tail.len());
    end.copy_from_slice(&tail);
    hello
};

/// Whether whoever is behind a new connection answers a greeting of TLS in TLS.
pub(crate) async fn speaks_tls<S: AsyncRead + AsyncWrite + Unpin>(
    connecting: impl Future<Output = io::Result<S>>,
) -> bool {
    let late = async {
        Timer::after(PATIENCE).await;
        false
    };
    answers_in_tls(connecting).or(late).await
}

/// The same, however late it answers.
async fn answers_in_tls<S: AsyncRead + AsyncWrite + Unpin>(
    connecting: impl Future<Output = io::Result<S>>,
) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    let kind = async {
        let mut kind = [0];
        let mut stream = connecting.await?;
        stream.write_all(&HELLO).await?;
        stream.read_exact(&mut kind).await?;
        io::Result::Ok(kind)
    };
    matches!(kind.await, Ok([ALERT | HANDSHAKE]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_io::{Async, block_on};
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        thread,
    };

    #[track_caller]
    fn check(answer: &'static [u8], expect: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let peer = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; HELLO.len()];
            stream.read_exact(&mut hello).unwrap();
            stream.write_all(answer).unwrap();
        });
        let asked = answers_in_tls(Async::<TcpStream>::connect(address));
        assert_eq!(block_on(asked), expect, "{answer:?}");
        peer.join().unwrap();
    }

    #[test]
    fn who_answers_in_tls_speaks_it() {
        check(&[21, 3, 3, 0, 2, 2, 40], true);
        check(&[22, 3, 3, 0, 2], true);
        check(b"HTTP/1.1 400 Bad Request\r\n\r\n", false);
        check(b"", false);
    }
}
