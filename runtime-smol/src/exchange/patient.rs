//! A connection whose other side may take only so long for anything.

use async_io::Timer;
use futures_lite::io::{AsyncRead, AsyncWrite};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// A stream on which whatever takes longer than its patience fails.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while something is waited for.
    late: Option<Timer>,
}

impl<S> Patient<S> {
    /// Without end where `patience` is [`Duration::MAX`].
    pub(super) const fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            late: None,
        }
    }

    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.late = None;
            return done;
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| Timer::after(patience));
        ready!(Pin::new(late).poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_read(cx, bytes);
        self.in_time(cx, done)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(cx, done)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_close(cx);
        self.in_time(cx, done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::{future::block_on, io::AsyncReadExt};
    use std::time::Instant;

    /// Says something when it has been asked so often, once.
    struct Slow(u32);

    impl AsyncRead for Slow {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.0 = self.0.wrapping_sub(1);
            if self.0 == 0 {
                Poll::Ready(Ok(1))
            } else {
                Poll::Pending
            }
        }
    }

    #[test]
    fn whoever_is_silent_for_too_long_is_given_up() {
        const PATIENCE: Duration = Duration::from_millis(30);
        let mut stream = Patient::new(Slow(u32::MAX), PATIENCE);
        let started = Instant::now();
        let error = block_on(stream.read(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= PATIENCE);
    }

    #[test]
    fn each_wait_has_its_own_time() {
        let mut stream = Patient::new(Slow(2), Duration::MAX);
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut stream).poll_read(cx, &mut [0]).is_pending());
        assert!(stream.late.is_some());
        assert!(Pin::new(&mut stream).poll_read(cx, &mut [0]).is_ready());
        assert!(stream.late.is_none());
    }
}
