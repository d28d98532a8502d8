//! TCP connections that try before they wait.
//!
//! # Theory of operation
//!
//! A system call costs more than all else that happens to a small request, so none is made in vain: a [`Stream`] reads
//! and writes at once, and waits only after the kernel has said that it would block, or after a read that came short and
//! so has emptied the socket. What the kernel says of readiness it says once, when it changes (edge-triggered), and
//! never has to be asked again ([`Net`] keeps what it said).
//!
//! All connections of one `Net` are watched through one descriptor, which the executor's own reactor watches. `Net::run`
//! must run as a task beside the tasks that use the streams. A thread that does nothing else runs them all under
//! `Net::block_on` and waits in that descriptor itself.
//!
//! A stream may be [secured](Stream::secure); it is used as before, and one that is not pays nothing for it.

#[cfg(target_os = "linux")]
mod alarm;
#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod park;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod readiness;
mod secure;
mod stream;
mod unsent;

#[cfg(target_os = "linux")]
pub use epoll::Net;
#[cfg(not(target_os = "linux"))]
pub use portable::Net;
pub use readiness::Interest;
pub use stream::Stream;

#[cfg(test)]
mod tests {
    use super::{
        readiness::{READ, Watched, poll_ready, try_read, try_write},
        *,
    };
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener, TcpStream},
        thread,
    };

    /// Two ends of a connection, the first of them as it was accepted.
    pub(super) fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, there)
    }

    async fn ready(socket: &impl Watched, interest: Interest) {
        std::future::poll_fn(|cx| poll_ready(socket, cx, interest)).await;
    }

    /// Talks over a socket in every way that there is.
    async fn check(here: impl Watched, mut there: TcpStream) {
        let mut bytes = [0; 8];
        assert_eq!(try_read(&here, &mut bytes).unwrap(), None);
        there.write_all(b"hello").unwrap();
        ready(&here, Interest::Read).await;
        assert_eq!(try_read(&here, &mut bytes[..3]).unwrap(), Some(3));
        assert_eq!(try_read(&here, &mut bytes[3..]).unwrap(), Some(2));
        assert_eq!(&bytes[..5], b"hello");
        assert!(
            !here.readiness().has(READ),
            "a short read says that nothing is left"
        );

        // More than fits is written piece by piece, while the other end reads it.
        let sent = vec![7; 16 << 20];
        let reader = thread::spawn(move || {
            let mut received = Vec::new();
            there.read_to_end(&mut received).unwrap();
            (received, there)
        });
        let mut left = &sent[..];
        while !left.is_empty() {
            match try_write(&here, left).unwrap() {
                Some(len) => left = &left[len..],
                None => ready(&here, Interest::Write).await,
            }
        }
        here.socket().shutdown(Shutdown::Write).unwrap();
        let (received, there) = reader.join().unwrap();
        assert!(received == sent);

        drop(there);
        ready(&here, Interest::Read).await;
        assert_eq!(try_read(&here, &mut bytes).unwrap(), Some(0));
        assert_eq!(
            try_read(&here, &mut bytes).unwrap(),
            Some(0),
            "the end stays the end"
        );
    }

    #[test]
    fn one_portable_socket() {
        let (here, there) = pair();
        async_io::block_on(check(portable::Socket::new(here).unwrap(), there));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_socket_on_epoll_and_a_quiet_one() {
        use futures_lite::future::{self, FutureExt};

        let net = Net::new().unwrap();
        let (here, there) = pair();
        let (quiet, mut loud) = pair();
        let quiet = net.watch(quiet).unwrap();
        assert!(quiet.is_quiet());
        let socket = net.watch_socket(here).unwrap();
        let talk = async {
            check(socket, there).await;
            assert!(quiet.is_quiet());
            loud.write_all(b"!").unwrap();
            quiet.ready(Interest::Read).await;
            assert!(!quiet.is_quiet(), "it was spoken to");
        };
        let run = async {
            net.run().await.unwrap();
            future::pending().await
        };
        async_io::block_on(talk.or(run));
    }
}
