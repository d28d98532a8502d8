//! An answer whose body is handed on as it comes, so that it may be longer than any memory.

use super::answer::{Answer, Failure};
use dubhook_core::http::{
    BodyUse, Limits, Method, RecvBuf, Response, ResponseError, ResponseParser, ResponseProgress,
};
use futures_lite::{
    future::poll_fn,
    io::{AsyncRead, AsyncReadExt},
};
use std::io;

/// How an answer came.
#[derive(Debug)]
pub(super) enum Came {
    /// All of its body was handed on.
    Poured,
    /// It lies in the memory, as any other does.
    Kept(Answer),
}

/// Reads an answer to GET. Where its head says how many bytes come and `wants` says that they are wanted, each piece goes to `take`;
/// else it is kept whole.
pub(super) async fn pour(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    limits: &Limits,
    input: &mut RecvBuf<'_>,
    wants: impl FnOnce(&Response<'_>) -> bool,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Came, Failure> {
    // The head of an answer is the same whatever follows, and nothing follows that to HEAD.
    let mut head = Answer::to(Method::Head);
    poll_fn(|cx| head.poll(cx, stream, limits, input)).await?;
    let response = head.response(input.filled());
    let response = response.ok_or(Failure::Answer(ResponseError::Truncated))?;
    let length = response.fields.get("content-length");
    let length = length.and_then(|length| str::from_utf8(length).ok()?.parse::<u64>().ok());
    let is_pieced = response.fields.get("transfer-encoding").is_some();
    let length = length.filter(|_| !is_pieced && wants(&response));
    let Some(mut left) = length else {
        return keep(stream, limits, input).await;
    };
    head.into_parser().finish(Method::Get, input);
    loop {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        take(input.filled().get(..here).unwrap_or_default()).map_err(Failure::Broken)?;
        input.discard_front(here);
        left -= here as u64;
        if left == 0 {
            return Ok(Came::Poured);
        }
        match stream.read(input.room()).await {
            Ok(0) => return Err(Failure::Answer(ResponseError::Truncated)),
            Ok(len) => input.commit(len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Broken(error)),
        }
    }
}

/// Reads an answer on of which the head is there, and perhaps more.
async fn keep(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    limits: &Limits,
    input: &mut RecvBuf<'_>,
) -> Result<Came, Failure> {
    let mut parser = ResponseParser::new(Method::Get, BodyUse::Keep);
    let progress = parser.advance(limits, input).map_err(Failure::Answer)?;
    let mut answer = Answer::of(parser);
    if progress != ResponseProgress::Complete {
        poll_fn(|cx| answer.poll(cx, stream, limits, input)).await?;
    }
    Ok(Came::Kept(answer))
}
