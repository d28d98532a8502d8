//! Sending a request, and reading its answer to its end, its limit, or its fault.

use dubhook_core::http::{
    BodyUse, Limits, Method, Phase, RecvBuf, Refusal, Response, ResponseError, ResponseParser,
    ResponseProgress,
};
use futures_lite::{
    future::poll_fn,
    io::{AsyncRead, AsyncWrite},
};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Why an exchange came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection was at its end before anything of an answer came. On one that was kept the request may be made
    /// again: most likely it was closed while nobody used it.
    Unheard(io::Error),
    /// The connection broke in the middle of the answer.
    Broken(io::Error),
    /// TLS came where none was wanted.
    NeedsTls,
    /// What came is no answer, or too long a one.
    Answer(ResponseError),
}

/// Sends a request, or what is left of it.
pub(crate) async fn send(
    stream: &mut (impl AsyncWrite + Unpin + ?Sized),
    mut unsent: &[u8],
) -> Result<(), Failure> {
    poll_fn(|cx| poll_send(cx, stream, &mut unsent))
        .await
        .map_err(Failure::Unheard)
}

fn poll_send(
    cx: &mut Context<'_>,
    stream: &mut (impl AsyncWrite + Unpin + ?Sized),
    unsent: &mut &[u8],
) -> Poll<io::Result<()>> {
    while !unsent.is_empty() {
        match ready!(Pin::new(&mut *stream).poll_write(cx, unsent)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(len) => *unsent = unsent.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Pin::new(stream).poll_flush(cx)
}

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Answer {
    parser: ResponseParser,
}

impl Answer {
    /// The answer to a request with this method.
    pub(crate) const fn to(method: Method) -> Self {
        Self {
            parser: ResponseParser::new(method, BodyUse::Keep),
        }
    }

    /// An answer that has been read that far.
    pub(super) const fn of(parser: ResponseParser) -> Self {
        Self { parser }
    }

    /// How far it has been read.
    pub(super) const fn into_parser(self) -> ResponseParser {
        self.parser
    }

    /// Reads what comes into `input` until the answer is whole, and [there](Self::response). Whoever lends the memory
    /// keeps what is filled of it until the next time.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin + ?Sized),
        limits: &Limits,
        input: &mut RecvBuf<'_>,
    ) -> Poll<Result<(), Failure>> {
        loop {
            let room = input.room();
            if room.is_empty() {
                return Poll::Ready(Err(Failure::Answer(TOO_LONG)));
            }
            match ready!(Pin::new(&mut *stream).poll_read(cx, room)) {
                Ok(0) if self.is_untouched() => return Poll::Ready(Err(nothing_came())),
                Ok(0) => return Poll::Ready(self.parser.eof().map_err(Failure::Answer)),
                Ok(len) => input.commit(len),
                // TLS that ends without a word ends all the same; where more was promised, it was cut.
                Err(error)
                    if error.kind() == io::ErrorKind::UnexpectedEof && !self.is_untouched() =>
                {
                    return Poll::Ready(self.parser.eof().map_err(Failure::Answer));
                }
                // Somebody stopped the program for a while, and let it go on.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.is_untouched() => {
                    return Poll::Ready(Err(Failure::Unheard(error)));
                }
                Err(error) => return Poll::Ready(Err(Failure::Broken(error))),
            }
            match self.parser.advance(limits, input) {
                Ok(ResponseProgress::NeedMore { .. }) => {}
                Ok(ResponseProgress::Complete) => return Poll::Ready(Ok(())),
                Err(_) if input.filled().starts_with(ALERT) => {
                    return Poll::Ready(Err(Failure::NeedsTls));
                }
                Err(error) => return Poll::Ready(Err(Failure::Answer(error))),
            }
        }
    }

    /// The answer, once it is whole; `filled` is what the input holds.
    pub(crate) fn response<'b>(&self, filled: &'b [u8]) -> Option<Response<'b>> {
        self.parser.response(filled)
    }

    fn is_untouched(&self) -> bool {
        self.parser.phase() == Phase::Idle
    }
}

/// How an alert of TLS begins (RFC 8446, section 5.1).
const ALERT: &[u8] = &[21, 3];

const TOO_LONG: ResponseError = ResponseError::Refused(Refusal::BodyTooLarge);

fn nothing_came() -> Failure {
    let why = ResponseError::Truncated.as_str();
    Failure::Unheard(io::Error::new(io::ErrorKind::UnexpectedEof, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    /// Gives a byte at a time, and is interrupted before each. Then it ends.
    struct Interrupted<'b>(&'b [u8], bool);

    impl AsyncRead for Interrupted<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.1 = !self.1;
            if self.1 {
                return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
            }
            Poll::Ready(io::Read::read(&mut self.0, &mut bytes[..1]))
        }
    }

    /// The status and the body of an answer that is read into so many bytes of memory.
    fn read(bytes: &[u8], room: usize) -> Result<(u16, Vec<u8>), Failure> {
        let mut memory = vec![0; room];
        let mut input = RecvBuf::new(&mut memory, 0);
        let mut answer = Answer::to(Method::Get);
        let mut stream = Interrupted(bytes, false);
        block_on(poll_fn(|cx| {
            answer.poll(cx, &mut stream, &Limits::SERVER, &mut input)
        }))?;
        let response = answer.response(input.filled()).unwrap();
        Ok((response.status, response.body.to_vec()))
    }

    #[test]
    fn an_interrupted_read_is_made_again() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(read(bytes, 100).unwrap(), (200, b"{}".to_vec()));
    }

    /// Gives what there is, and then ends as TLS does that nobody has closed.
    struct Cut<'b>(&'b [u8]);

    impl AsyncRead for Cut<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(match io::Read::read(&mut self.0, bytes) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            })
        }
    }

    #[test]
    fn a_body_that_ends_with_the_connection_has_ended_and_one_that_was_cut_has_not() {
        let read = |bytes| {
            let mut memory = [0; 200];
            let mut input = RecvBuf::new(&mut memory, 0);
            let mut answer = Answer::to(Method::Post);
            let mut stream = Cut(bytes);
            block_on(poll_fn(|cx| {
                answer.poll(cx, &mut stream, &Limits::SERVER, &mut input)
            }))?;
            let response = answer.response(input.filled()).unwrap();
            Ok::<_, Failure>((response.status, response.body.to_vec(), response.reuse))
        };
        let whole = read(b"HTTP/1.0 200 OK\r\nserver: BaseHTTP\r\n\r\nok");
        assert_eq!(whole.unwrap(), (200, b"ok".to_vec(), false));
        for cut in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
            b"HTTP/1.1 200 OK\r\nserver: here",
        ] {
            let cut = read(cut);
            let is_truncated = matches!(cut, Err(Failure::Answer(ResponseError::Truncated)));
            assert!(is_truncated, "{cut:?}");
        }
        let alert = read(&[21, 3, 1, 0, 2, 2, 40]);
        assert!(matches!(alert, Err(Failure::NeedsTls)), "{alert:?}");
    }

    #[test]
    fn a_failure_says_how_far_the_answer_had_come() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert!(matches!(read(b"", 100), Err(Failure::Unheard(_))));
        let cut = read(&bytes[..bytes.len() - 1], 100);
        assert!(matches!(
            cut,
            Err(Failure::Answer(ResponseError::Truncated))
        ));
        let none = read(b"SSH-2.0-OpenSSH_9.2\r\n", 100);
        assert!(matches!(
            none,
            Err(Failure::Answer(ResponseError::BadStatusLine))
        ));
        // Neither an end nor a fault of the connection: asking again would not help.
        let long = read(bytes, bytes.len() - 1);
        assert!(matches!(long, Err(Failure::Answer(TOO_LONG))));
    }
}
