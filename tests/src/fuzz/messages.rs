//! HTTP messages.

use super::Script;
use dubhook_core::http::{
    BodyUse, Limits, Method, Phase, Progress, RecvBuf, RequestParser, ResponseParser,
    ResponseProgress,
};

/// Room in the buffers, in bytes: less than the limits allow, so that both run out.
const CAPACITY: usize = 1_500;

/// The request parser: how bytes are split makes no difference, refusals are final, and what is accepted means the
/// same to another parser. The first byte sets limits and the size of pieces.
pub fn requests(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let limits = if script.byte() & 1 == 0 {
        Limits::SERVER
    } else {
        Limits::SMALL
    };
    let piece = 1 + script.below(40);
    let bytes = script.take(usize::MAX);
    let whole = read_requests(&limits, bytes, bytes.len().max(1));
    assert_eq!(whole, read_requests(&limits, bytes, 1));
    assert_eq!(whole, read_requests(&limits, bytes, piece));
    means_the_same_to_httparse(&limits, bytes);
}

/// What a server makes of a connection: method, path and body of each request, and why it ended, if it did.
type Requests = (Vec<(Method, String, Vec<u8>)>, Option<&'static str>);

fn read_requests(limits: &Limits, bytes: &[u8], piece: usize) -> Requests {
    let mut memory = vec![0; CAPACITY];
    let mut input = RecvBuf::new(&mut memory, 0);
    let mut parser = RequestParser::new();
    let mut requests = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while !piece.is_empty() {
            let len = piece.len().min(input.room().len());
            assert!(len > 0, "more is wanted, and there is no room");
            input.room()[..len].copy_from_slice(&piece[..len]);
            input.commit(len);
            piece = &piece[len..];
            loop {
                match parser.advance(limits, &mut input) {
                    Ok(Progress::NeedMore { bytes_min }) => {
                        assert!(bytes_min > 0);
                        break;
                    }
                    Ok(Progress::ExpectContinue) => assert!(parser.head(input.filled()).is_some()),
                    Ok(Progress::Complete) => {
                        let request = parser.request(input.filled()).expect("a request");
                        assert!(request.body.len() <= limits.body_bytes_max);
                        assert!(request.fields.iter().count() <= usize::from(limits.fields_max));
                        let is_printable = |byte: u8| byte.is_ascii_graphic();
                        assert!(request.path.bytes().all(is_printable));
                        let path = request.path.to_owned();
                        requests.push((request.method, path, request.body.to_vec()));
                        if !request.keep_alive {
                            return (requests, Some("it asked for the end"));
                        }
                        parser.finish(&mut input);
                    }
                    Err(refusal) => {
                        assert_eq!(parser.advance(limits, &mut input), Err(refusal));
                        assert_eq!(parser.phase(), Phase::Refused);
                        assert!(parser.request(input.filled()).is_none());
                        assert!(matches!(refusal.status(), 400..=431 | 501 | 505));
                        return (requests, Some(refusal.as_str()));
                    }
                }
            }
        }
    }
    (requests, None)
}

/// Compares the first request with what httparse, which knows nothing of bodies, reads.
fn means_the_same_to_httparse(limits: &Limits, bytes: &[u8]) {
    let mut memory = bytes.to_vec();
    let len = memory.len();
    let mut input = RecvBuf::new(&mut memory, len);
    let mut parser = RequestParser::new();
    if parser.advance(limits, &mut input) != Ok(Progress::Complete) {
        return;
    }
    let request = parser.request(input.filled()).expect("a request");
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut other = httparse::Request::new(&mut fields);
    let parsed = other.parse(bytes);
    // It refuses later minor versions, which RFC 9110, section 2.5, wants read as 1.1.
    if parsed == Err(httparse::Error::Version) {
        return;
    }
    assert!(parsed.is_ok_and(|status| status.is_complete()));
    assert!(request.method == Method::Other || other.method == Some(request.method.as_str()));
    let ours = request.fields.iter();
    assert!(
        ours.eq(other
            .headers
            .iter()
            .map(|field| (field.name.as_bytes(), field.value)))
    );
}

/// The response parser: how bytes are split makes no difference, and errors are final. The first byte says what was
/// asked and whether the connection ends behind the bytes.
pub fn responses(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let setup = script.byte();
    let piece = 1 + script.below(40);
    let bytes = script.take(usize::MAX);
    let whole = read_response(setup, bytes, bytes.len().max(1));
    assert_eq!(whole, read_response(setup, bytes, 1));
    assert_eq!(whole, read_response(setup, bytes, piece));
}

/// Status and body, or why there is none; nothing while more is wanted.
type Read = Option<Result<(u16, Vec<u8>), &'static str>>;

fn read_response(setup: u8, bytes: &[u8], piece: usize) -> Read {
    let method = if setup & 1 == 0 {
        Method::Post
    } else {
        Method::Head
    };
    let body_use = if setup & 2 == 0 {
        BodyUse::Keep
    } else {
        BodyUse::Discard
    };
    let limits = if setup & 4 == 0 {
        Limits::SERVER
    } else {
        Limits::SMALL
    };
    let mut memory = vec![0; CAPACITY];
    let mut input = RecvBuf::new(&mut memory, 0);
    let mut parser = ResponseParser::new(method, body_use);
    let whole = |parser: &ResponseParser, input: &RecvBuf<'_>| {
        let response = parser.response(input.filled()).expect("a response");
        assert!(matches!(response.status, 200..=599));
        assert!(method != Method::Head || response.body.is_empty());
        Some(Ok((response.status, response.body.to_vec())))
    };
    for mut piece in bytes.chunks(piece) {
        while !piece.is_empty() {
            let len = piece.len().min(input.room().len());
            assert!(len > 0, "more is wanted, and there is no room");
            input.room()[..len].copy_from_slice(&piece[..len]);
            input.commit(len);
            piece = &piece[len..];
            match parser.advance(&limits, &mut input) {
                Ok(ResponseProgress::NeedMore { bytes_min }) => assert!(bytes_min > 0),
                Ok(ResponseProgress::Complete) => return whole(&parser, &input),
                Err(error) => {
                    assert_eq!(parser.advance(&limits, &mut input), Err(error));
                    assert_eq!(parser.eof(), Err(error));
                    return Some(Err(error.as_str()));
                }
            }
        }
    }
    if setup & 8 == 0 {
        return None;
    }
    match parser.eof() {
        Ok(()) => whole(&parser, &input),
        Err(error) => Some(Err(error.as_str())),
    }
}
