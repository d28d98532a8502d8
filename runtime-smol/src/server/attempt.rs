//! Webhook attempts: send what the machine wrote, read the answer, tell the machine.
//!
//! There is one deadline for each attempt, and the address guard at each connection made. Answers are read to their end,
//! up to 64 KiB, and never followed anywhere.

use super::{
    buffers::Buffers,
    connect::{attempt_url, connect, doubt, look_again, needs_tls},
    engine::Engine,
};
use crate::{
    deliver::{self, Idle, Known},
    exchange::{Answer, Failure, send as send_rest},
    race,
};
use dubhook_core::{
    dispatch::Verdict,
    http::{self, Method, RecvBuf, Refusal, ResponseError},
    id::Prefix,
    log::AttemptError,
    server::{Input, Server},
    service::{Attempt, AttemptResult, Attempted},
    time::Now,
    url::Url,
};
use futures_lite::future::{FutureExt, poll_fn};
use std::{io, rc::Rc};

/// What of an answer is read: as much as of a request.
const ANSWER: http::Limits = http::Limits::SERVER;
/// Makes an attempt and tells the machine how it went; after one that was answered, the next one that may be made, and so
/// on. So a receiver that keeps up is served by the same tasks, and none is made anew for each event.
pub(super) async fn make(engine: &Engine<'_>, first: Attempt) {
    let mut next = Some((engine.clock.now(), first));
    while let Some((now, attempt)) = next {
        let expired = async {
            engine.flights.expired(attempt.id).await;
            Err(AttemptError::Timeout)
        };
        // What has come counts, though its time is over.
        let result = exchange(engine, now, &attempt).or(expired).await;
        engine.flights.end(attempt.id);
        engine.turn.raise();
        next = match result {
            Ok(now) => engine.next_attempt(now).map(|attempt| (now, attempt)),
            Err(error) => {
                let now = engine.clock.now();
                doubt(engine, &attempt);
                tell(engine, now, &attempt, AttemptResult::Failed(error));
                None
            }
        };
    }
}

/// A request on its way.
#[derive(Debug)]
struct Sent {
    on: Idle,
    /// What of it there was no room for yet.
    unsent: Vec<u8>,
}

/// What was done with a connection that is kept.
#[derive(Debug)]
enum Kept {
    /// The attempt is on its way on it.
    Sent(Sent),
    /// Nothing before its name is looked up.
    Stale(Rc<Known>),
    /// There is none.
    Nothing,
}

/// Sends the attempt and reads its answer, on a kept connection if there is one. When it was answered.
async fn exchange(engine: &Engine<'_>, now: Now, attempt: &Attempt) -> Result<Now, AttemptError> {
    let mut kept = send_on_kept(engine, now, attempt)?;
    if let Kept::Stale(known) = &kept {
        look_again(engine, attempt, known).await?;
        kept = send_on_kept(engine, now, attempt)?;
    }
    if let Kept::Sent(sent) = kept {
        match receive(engine, attempt, sent).await {
            // The receiver closed it while it was not in use. It has seen nothing of this attempt, or if it has, it
            // sees the same event once more.
            Err(Failure::Unheard(_)) => {}
            result => return result.map_err(blame),
        }
    }
    let fresh = connect(engine, attempt).await?;
    let address = fresh.address;
    let sent = send_on(engine, attempt, fresh)?;
    match receive(engine, attempt, sent).await {
        // Whether it is always so shows once.
        Err(Failure::Unheard(_))
            if attempt.number == 1 && needs_tls(engine, attempt, address).await =>
        {
            Err(AttemptError::NeedsTls)
        }
        result => result.map_err(blame),
    }
}

/// Sends the attempt on a kept connection to where it goes. Nothing where none still stands.
fn send_on_kept(engine: &Engine<'_>, now: Now, attempt: &Attempt) -> Result<Kept, AttemptError> {
    let mut server = engine.server.borrow_mut();
    let mut buffers = engine.buffers.borrow_mut();
    let Buffers { url, output, .. } = &mut *buffers;
    let url = attempt_url(&server, attempt, url)?;
    // What may be called can have changed since the connection was made.
    if !server.config().guard.permits_url(&url) {
        return Err(AttemptError::Blocked);
    }
    let on = match engine.pool.borrow_mut().take(now.instant, &url) {
        deliver::Kept::Idle(on) => on,
        deliver::Kept::Stale(known) => return Ok(Kept::Stale(known)),
        deliver::Kept::Nothing => return Ok(Kept::Nothing),
    };
    let request = write(engine, now, &mut server, attempt, &url, output)?;
    // One that cannot be written to has been closed meanwhile.
    Ok(send(on, request).map_or(Kept::Nothing, Kept::Sent))
}

/// Sends the attempt on a connection that was made for it.
fn send_on(engine: &Engine<'_>, attempt: &Attempt, on: Idle) -> Result<Sent, AttemptError> {
    let mut server = engine.server.borrow_mut();
    let mut buffers = engine.buffers.borrow_mut();
    let Buffers { url, output, .. } = &mut *buffers;
    let url = attempt_url(&server, attempt, url)?;
    let request = write(
        engine,
        engine.clock.now(),
        &mut server,
        attempt,
        &url,
        output,
    )?;
    send(on, request).map_err(|_| AttemptError::Closed)
}

/// The attempt's request, signed for this moment.
fn write<'b>(
    engine: &Engine<'_>,
    now: Now,
    server: &mut Server<'_>,
    attempt: &Attempt,
    url: &Url<'_>,
    memory: &'b mut [u8],
) -> Result<&'b [u8], AttemptError> {
    // Another server may have taken over while the connection was made; that one makes this attempt then.
    if !engine.storage.holds() {
        return Err(AttemptError::Closed);
    }
    let len = server.write_attempt(now, attempt.id, url, memory);
    let len = len.map_err(|_| AttemptError::Closed)?;
    Ok(&memory[..len])
}

/// Sends a request as far as there is room.
fn send(on: Idle, request: &[u8]) -> io::Result<Sent> {
    let mut unsent = Vec::new();
    on.stream.send_or_keep(request, &mut unsent)?;
    Ok(Sent { on, unsent })
}

/// Sends the rest of a request and reads its answer. Keeps the connection if it may be kept. When it was answered.
async fn receive(engine: &Engine<'_>, attempt: &Attempt, sent: Sent) -> Result<Now, Failure> {
    let Sent { mut on, unsent } = sent;
    send_rest(&mut on.stream, &unsent).await?;
    let mut answer = Answer::to(Method::Post);
    let mut received = None;
    let (now, outcome) = poll_fn(|cx| {
        let mut buffers = engine.buffers.borrow_mut();
        let (mut input, _) = buffers.lend(&mut received);
        let read = answer.poll(cx, &mut on.stream, &ANSWER, &mut input);
        let told = read.map_ok(|()| answered(engine, attempt, &answer, &mut input));
        let filled = input.filled_range();
        buffers.keep(&mut received, filled);
        told
    })
    .await?;
    if !outcome.is_success {
        on.known.doubt();
        race::forget(&on.known.origin);
    }
    if outcome.reuse {
        engine.pool.borrow_mut().put(now.instant, on);
    }
    Ok(now)
}

/// What an answer means to its connection.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    reuse: bool,
    is_success: bool,
}

/// Tells the machine of an answer, and takes it out of the input. When that was, and what it means to the connection.
fn answered(
    engine: &Engine<'_>,
    attempt: &Attempt,
    answer: &Answer,
    input: &mut RecvBuf<'_>,
) -> (Now, Outcome) {
    let now = engine.clock.now();
    let mut outcome = Outcome::default();
    if let Some(response) = answer.response(input.filled()) {
        outcome = Outcome {
            reuse: response.reuse,
            is_success: (200..=299).contains(&response.status),
        };
        let result = AttemptResult::Answer {
            status: response.status,
            retry_after_ms: retry_after_ms(now, &response),
            body: response.body,
        };
        tell(engine, now, attempt, result);
    }
    input.discard_front(usize::MAX);
    (now, outcome)
}

fn retry_after_ms(now: Now, response: &http::Response<'_>) -> Option<u64> {
    let value = response.fields.get("retry-after")?;
    http::retry_after(value, now.timestamp)
}

/// What is wrong where there is no answer, or none that can be believed.
fn blame(failure: Failure) -> AttemptError {
    match failure {
        Failure::Unheard(_) | Failure::Broken(_) | Failure::Answer(ResponseError::Truncated) => {
            AttemptError::Closed
        }
        Failure::Answer(ResponseError::Refused(
            Refusal::BodyTooLarge
            | Refusal::HeadTooLarge
            | Refusal::TooManyFields
            | Refusal::TrailersTooLarge
            | Refusal::ChunkLineTooLong
            | Refusal::ChunkExtensionsTooLarge,
        )) => AttemptError::TooLarge,
        Failure::NeedsTls => AttemptError::NeedsTls,
        Failure::Answer(_) => AttemptError::Malformed,
    }
}

/// Tells the machine how an attempt went.
fn tell(engine: &Engine<'_>, now: Now, attempt: &Attempt, result: AttemptResult<'_>) {
    let id = attempt.id;
    let mut server = engine.server.borrow_mut();
    if let Ok(Some(attempted)) = server.handle(now, Input::Attempt { id, result }) {
        log(&attempted);
    }
}

/// Tells the operator of what did not go well.
fn log(attempted: &Attempted) {
    let endpoint = attempted.endpoint.map(|id| id.text(Prefix::Endpoint));
    let endpoint = endpoint.as_deref().unwrap_or("callback");
    let (status, ms) = (attempted.status, attempted.duration_ms);
    let error = attempted.error.as_str().unwrap_or_default();
    match attempted.verdict {
        Verdict::Delivered => tracing::debug!(endpoint, status, ms, "delivered"),
        Verdict::Retry { pause_ms } => {
            tracing::info!(endpoint, status, ms, pause_ms, error, "attempt failed");
        }
        Verdict::Dead | Verdict::Overtaken => {
            tracing::warn!(endpoint, status, error, "delivery given up");
        }
        Verdict::Dropped => {}
    }
    if attempted.held_ms > 0 {
        tracing::info!(endpoint, held_ms = attempted.held_ms, "held back");
    }
    if let Some(why) = attempted.disabled {
        let why = why.as_str().unwrap_or_default();
        tracing::warn!(endpoint, why, "endpoint disabled");
    }
}
