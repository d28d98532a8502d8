//! HTTP and JSON alone: requests are read, answered with JSON, and a JSON body is taken. The same programs made with
//! other crates are in `tools/embedded/peers`.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use dubhook_core::{
    http::{Limits, Method, Progress, Request, RequestParser, ResponseHead},
    json::{self, Value, Writer},
    out::Out,
};
use dubhook_sizes::{at, end, received};

const GET: &str = "GET /status HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
const POST: &str = "POST /status HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\
content-type: application/json\r\ncontent-length: 22\r\n\r\n{\"status\":\"completed\"}";

/// What a request is answered with: a status, and whether the body is ours.
fn answer(request: &Request<'_>, is_completed: &mut bool) -> u16 {
    if request.path != "/status" {
        return 404;
    }
    match request.method {
        Method::Get => 200,
        Method::Post => {
            let told = json::object(request.body).ok();
            match told.map(|object| object.get("status")) {
                Some(Ok(Some(Value::String(status)))) => {
                    *is_completed = status == *"completed";
                    204
                }
                _ => 400,
            }
        }
        _ => 405,
    }
}

#[inline(never)]
fn serve(request: &str, is_completed: &mut bool, output: &mut [u8]) -> Option<usize> {
    let mut memory = [0; 1_024];
    let mut input = received(request, &mut memory);
    let mut parser = RequestParser::new();
    let mut out = Out::new(output);
    let progress = parser.advance(&Limits::SMALL, &mut input);
    let (status, request) = match (progress, parser.request(input.filled())) {
        (Ok(Progress::Complete), Some(request)) => (answer(&request, is_completed), Some(request)),
        (Err(refusal), _) => (refusal.status(), None),
        _ => return None,
    };
    let head = ResponseHead::new(&mut out, status).date(at(0).timestamp);
    let head = match request {
        Some(request) => head.connection(request.keep_alive, request.version),
        None => head,
    };
    if status == 200 {
        let head = head.field("content-type", b"application/json");
        let length = head.finish_with_length_later().ok()?;
        Writer::new(&mut out)
            .object()
            .name("status")
            .string(if *is_completed {
                "completed"
            } else {
                "pending"
            })
            .end_object();
        length.fill_in(&mut out);
    } else {
        head.finish_with_length(0).ok()?;
    }
    out.finish().ok()
}

#[entry]
fn main() -> ! {
    let mut is_completed = false;
    let mut output = [0; 512];
    let mut done = true;
    for (request, start, end) in [
        (GET, "HTTP/1.1 200", "{\"status\":\"pending\"}"),
        (POST, "HTTP/1.1 204", ""),
        (GET, "HTTP/1.1 200", "{\"status\":\"completed\"}"),
    ] {
        let len = serve(request, &mut is_completed, &mut output).unwrap_or(0);
        let sent = output.get(..len).unwrap_or_default();
        done &= sent.starts_with(start.as_bytes()) && sent.ends_with(end.as_bytes());
    }
    end(done)
}
