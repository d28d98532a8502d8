//! Uploads and outputs through a machine whose driver keeps one file, in virtual time.

extern crate std;

mod home;
mod links;
#[cfg(feature = "lists")]
mod lists;
mod uploads;

use super::*;
use crate::{
    http::RecvBuf,
    id::Id,
    out::Out,
    server::{ApiKey, Drive},
    time::Timestamp,
};
use home::*;
use std::{boxed::Box, format, string::String, vec};

#[test]
fn an_upload_goes_through_however_it_is_cut_and_what_follows_is_the_next_request() {
    let sent = put("0123456789") + &get("/healthz", "");
    for at in 0..=sent.len() {
        let mut home = Home::open();
        let said = home.receive_split(sent.as_bytes(), at);
        assert_eq!(home.file, b"0123456789", "{at}");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{at}: {said}");
        assert!(said.contains("\r\nupload-offset: 10\r\n"), "{at}: {said}");
        assert!(said.ends_with("{\"status\":\"ok\"}"), "{at}: {said}");
    }
    let mut home = Home::open();
    let mut said = String::new();
    for byte in sent.as_bytes() {
        said += &home.receive(&[*byte]);
    }
    assert_eq!(home.file, b"0123456789");
    assert!(said.ends_with("{\"status\":\"ok\"}"), "{said}");
}

#[test]
fn a_body_may_be_longer_than_any_buffer_and_than_any_other_body() {
    let mut home = Home::open();
    let total = 5_000_000_000u64;
    let head = format!("PUT {NAME} HTTP/1.1\r\nhost: h\r\ncontent-length: {total}\r\n\r\n");
    assert_eq!(home.receive(head.as_bytes()), "");
    for _ in 0..100 {
        assert_eq!(home.receive(&[b'x'; 1_900]), "");
    }
    assert_eq!(home.file.len(), 190_000);
    assert!(home.filled.is_empty() && !home.closed);
}

#[test]
fn an_upload_goes_on_where_it_was() {
    let mut home = Home::open();
    home.file = b"0123".to_vec();
    let said = home.receive(format!("HEAD {NAME} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes());
    assert_eq!(status(&said), "200");
    assert!(
        said.contains("upload-offset: 4\r\nupload-length: 10\r\n") && said.ends_with("\r\n\r\n")
    );
    let patch = format!(
        "PATCH {NAME} HTTP/1.1\r\nhost: h\r\ntus-resumable: 1.0.0\r\nupload-offset: 4\r\n\
         content-type: application/offset+octet-stream\r\ncontent-length: 6\r\n\r\n456789"
    );
    let said = home.receive(patch.as_bytes());
    assert_eq!(home.file, b"0123456789");
    assert_eq!(status(&said), "204");
    assert!(
        said.contains("tus-resumable: 1.0.0\r\nupload-offset: 10\r\n"),
        "{said}"
    );
    assert!(!said.contains("content-length"), "{said}");
}

#[test]
fn who_waits_to_be_told_is_told_before_the_body_and_who_may_not_is_not() {
    let head = format!(
        "PUT {NAME} HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n"
    );
    let mut home = Home::open();
    assert_eq!(
        home.receive(head.as_bytes()),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    assert_eq!(status(&home.receive(b"0123456789")), "200");
    for (why, expect) in [
        (MediaRefusal::NotFound, "404"),
        (MediaRefusal::Busy, "409"),
        (MediaRefusal::Full, "507"),
        (MediaRefusal::Length, "413"),
    ] {
        let mut home = Home::open();
        home.refuses = Some(why);
        let said = home.receive(head.as_bytes());
        assert_eq!(status(&said), expect, "{said}");
        assert!(said.contains("connection: close\r\n") && home.closed);
    }
}

#[test]
fn a_refused_upload_is_not_read_to_its_end() {
    let keys = Box::leak(Box::new([ApiKey::new("sesame")]));
    let mut home = Home::new(keys, true);
    let long = format!("PUT {NAME} HTTP/1.1\r\nhost: h\r\ncontent-length: 5000000000\r\n\r\nxx");
    let said = home.receive(long.as_bytes());
    assert_eq!(status(&said), "401", "{said}");
    assert!(home.closed && home.file.is_empty());
    // Broken off by the driver in the middle.
    let mut home = Home::open();
    assert_eq!(home.receive(long.as_bytes()), "");
    home.refuses = Some(MediaRefusal::Broken);
    let said = home.receive(b"more");
    assert_eq!(status(&said), "500", "{said}");
    assert!(home.closed);
}

#[test]
fn bytes_are_taken_by_their_number_alone() {
    for (fields, expect, code) in [
        ("transfer-encoding: chunked\r\n", "411", "length_required"),
        (
            "content-length: 1\r\ntransfer-encoding: chunked\r\n",
            "400",
            "bad_http",
        ),
        ("content-length: x\r\n", "400", "bad_http"),
        (
            "content-length: 1\r\ncontent-encoding: gzip\r\n",
            "415",
            "unsupported_content_encoding",
        ),
        ("content-length: 1\r\nexpect: x\r\n", "417", "bad_http"),
    ] {
        let mut home = Home::open();
        let sent = format!("PUT {NAME} HTTP/1.1\r\nhost: h\r\n{fields}\r\n");
        let said = home.receive(sent.as_bytes());
        assert_eq!(status(&said), expect, "{fields}: {said}");
        assert!(said.contains(code), "{fields}: {said}");
        assert!(home.closed, "{fields}");
    }
    for fields in [
        "",
        "upload-offset: 04\r\n",
        "upload-offset: 1\r\nupload-offset: 1\r\n",
    ] {
        let mut home = Home::open();
        let sent =
            format!("PATCH {NAME} HTTP/1.1\r\nhost: h\r\n{fields}content-length: 1\r\n\r\nx");
        assert_eq!(status(&home.receive(sent.as_bytes())), "400", "{fields}");
    }
}

#[test]
fn who_trickles_is_given_up_after_a_time_that_is_bounded_whatever_it_sent_before() {
    for burst in [0, 1_900] {
        let mut home = Home::open();
        let head = format!("PUT {NAME} HTTP/1.1\r\nhost: h\r\ncontent-length: 5000000000\r\n\r\n");
        home.receive(head.as_bytes());
        for _ in 0..100 {
            home.receive(&vec![b'x'; burst]);
        }
        let mut said = String::new();
        while !home.closed {
            let ms = home.now.instant.as_ms() + 1_000;
            home.now = at_ms(ms);
            // As when its deadline is due: driven though nothing has come.
            said += &home.receive(b"");
            if !home.closed {
                said += &home.receive(b"x");
            }
            assert!(ms < 40_000, "it still holds its slot");
        }
        assert_eq!(status(&said), "408");
    }
    // Who is silent is told so.
    let mut home = Home::open();
    home.receive(format!("PUT {NAME} HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n").as_bytes());
    home.now = at_ms(5_000);
    let said = home.receive(b"");
    assert_eq!(status(&said), "408", "{said}");
}

#[test]
fn an_output_is_sent_in_pieces_and_by_ranges() {
    for (fields, expect, body) in [
        ("", "200", "0123456789"),
        ("range: bytes=2-4\r\n", "206", "234"),
        ("range: bytes=-4\r\n", "206", "6789"),
        ("range: bytes=0-1,3-4\r\n", "200", "0123456789"),
        ("range: bytes=2-4\r\nif-range: \"t\"\r\n", "206", "234"),
        (
            "range: bytes=2-4\r\nif-range: \"u\"\r\n",
            "200",
            "0123456789",
        ),
        (
            "range: bytes=2-4\r\nif-range: W/\"t\"\r\n",
            "200",
            "0123456789",
        ),
        ("if-none-match: \"u\", W/\"t\"\r\n", "304", ""),
        ("if-none-match: \"u\"\r\n", "200", "0123456789"),
        ("if-match: \"u\", \"t\"\r\n", "200", "0123456789"),
        ("if-match: *\r\nrange: bytes=2-4\r\n", "206", "234"),
    ] {
        let mut home = Home::open();
        home.file = b"0123456789".to_vec();
        let said = home.receive(get(OUTPUT, fields).as_bytes());
        let (head, found) = said.split_once("\r\n\r\n").unwrap();
        assert_eq!((status(&said), found), (expect, body), "{fields}: {head}");
        assert!(head.contains("\r\netag: \"t\""), "{head}");
        if expect != "304" {
            assert!(
                head.contains(&format!("\r\ncontent-length: {}", body.len())),
                "{head}"
            );
            for field in [
                "accept-ranges: bytes",
                "x-content-type-options: nosniff",
                "content-security-policy: sandbox; default-src 'none'",
                "content-disposition: attachment; filename=\"_ _x_.es.mp4\"; \
                 filename*=UTF-8''%C3%84%20%22x%22.es.mp4",
            ] {
                assert!(head.contains(&format!("\r\n{field}")), "{field}: {head}");
            }
        }
        assert_eq!(
            head.contains("content-range: bytes "),
            expect == "206",
            "{head}"
        );
        // The connection goes on.
        assert_eq!(status(&home.receive(get("/healthz", "").as_bytes())), "200");
    }
    let mut home = Home::open();
    home.file = b"0123456789".to_vec();
    // Bytes of something else are no use to who goes on with a part; and a weak tag is not enough.
    for other in ["\"u\"", "W/\"t\"", "\"u\", W/\"t\""] {
        let fields = format!("if-match: {other}\r\nif-none-match: \"t\"\r\nrange: bytes=2-4\r\n");
        let said = home.receive(get(OUTPUT, &fields).as_bytes());
        assert_eq!(status(&said), "412", "{other}");
        assert!(said.contains("\"precondition_failed\""), "{said}");
        let said = home.receive(get(OUTPUT, &fields).replace("GET", "HEAD").as_bytes());
        assert!(
            status(&said) == "412" && said.ends_with("\r\n\r\n"),
            "{said}"
        );
    }
    let said = home.receive(get(OUTPUT, "range: bytes=10-\r\n").as_bytes());
    assert_eq!(status(&said), "416");
    assert!(said.contains("\r\ncontent-range: bytes */10\r\n"), "{said}");
    let head = get(OUTPUT, "range: bytes=2-4\r\n").replace("GET", "HEAD");
    let said = home.receive(head.as_bytes());
    assert!(
        said.contains("\r\ncontent-length: 10\r\n") && said.ends_with("\r\n\r\n"),
        "{said}"
    );
}

#[test]
fn an_upload_is_made_with_what_can_be_kept_and_shown() {
    let post = |body: &str| {
        format!(
            "POST /v1/uploads HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut home = Home::open();
    let said = home.receive(post(r#"{"bytes":7,"filename":"../v.mp4","extra":1}"#).as_bytes());
    assert_eq!(status(&said), "201", "{said}");
    let path = said
        .split("location: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    let name = path.strip_prefix("/v1/uploads/").unwrap();
    assert!(said.contains(&format!(
        "{{\"id\":\"{name}\",\"video_url\":\"dubhook:{name}\",\"bytes\":7,"
    )));
    let tus =
        "POST /v1/uploads HTTP/1.1\r\nhost: h\r\nupload-length: 8\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(status(&home.receive(tus.as_bytes())), "201");
    assert_eq!(home.bytes, 8);
    for (body, field) in [
        (r#"{}"#, "bytes"),
        (r#"{"bytes":0}"#, "bytes"),
        (r#"{"bytes":-1}"#, "bytes"),
        (r#"{"bytes":"7"}"#, "bytes"),
        (r#"{"bytes":7,"filename":""}"#, "filename"),
        (r#"{"bytes":7,"filename":"a\u0000b"}"#, "filename"),
        (r#"{"bytes":7,"content_type":"video"}"#, "content_type"),
        (
            r#"{"bytes":7,"content_type":"video/mp4\r\nx: y"}"#,
            "content_type",
        ),
        (r#"{"bytes":7,"sha256":"00"}"#, "sha256"),
    ] {
        let said = home.receive(post(body).as_bytes());
        assert_eq!(status(&said), "422", "{body}: {said}");
        assert!(
            said.contains(&format!("\"field\":\"{field}\"")),
            "{body}: {said}"
        );
    }
    let long = format!(r#"{{"bytes":7,"filename":"{}"}}"#, "x".repeat(256));
    assert_eq!(status(&home.receive(post(&long).as_bytes())), "422");
    let said = home.receive(format!("DELETE {NAME} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes());
    assert_eq!(status(&said), "204");
}

#[test]
fn where_no_media_are_kept_there_is_nothing() {
    for sent in [
        put("x"),
        get(NAME, ""),
        get(OUTPUT, ""),
        get("/v1/uploads", ""),
    ] {
        let mut home = Home::new(KEYS, false);
        let said = home.receive(sent.as_bytes());
        assert!(
            status(&said) == "404" && said.contains("\"not_found\""),
            "{said}"
        );
    }
}

#[test]
fn an_answer_to_what_was_not_asked_ends_the_connection() {
    let mut home = Home::open();
    let mut input = RecvBuf::new(&mut home.memory, 0);
    let mut out = Out::new(&mut home.output);
    let told = home.server.answer_media(
        home.now,
        home.conn,
        &mut input,
        MediaAnswer::Begin,
        &mut out,
    );
    assert_eq!(told, Ok(Drive::Close));
}

#[test]
fn a_worker_brings_an_output_with_its_report_while_it_has_the_job() {
    let post = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let job = r#"{"video_url":"dubhook:med_01m8hmbbfzenp8mfb755000001","target_language":"es"}"#;
    let complete = |lease: u32, upload: &str| {
        format!(r#"{{"output_url":"http://h/out","lease":{lease},"upload":{upload}}}"#)
    };
    let upload = "\"med_01m8hmbbfzenp8mfb755000002\"";
    let mut home = Home::open();
    home.file = b"0123456789".to_vec();
    let said = home.receive(post("/v1/translations", job).as_bytes());
    assert_eq!(status(&said), "202", "{said}");
    let id = said.split("location: /v1/translations/").nth(1).unwrap();
    let path = format!("/v1/work/{}/complete", id.split("\r\n").next().unwrap());
    assert_eq!(
        status(&home.receive(post(&path, &complete(2, upload)).as_bytes())),
        "409"
    );
    let said = home.receive(post("/v1/work/claim", "").as_bytes());
    assert!(said.contains("\"lease\":2"), "{said}");
    let said = home.receive(post(&path, &complete(3, upload)).as_bytes());
    assert!(said.contains("lease_lost"), "{said}");
    assert_eq!(
        status(&home.receive(post(&path, &complete(2, "7")).as_bytes())),
        "422"
    );
    home.refuses = Some(MediaRefusal::NotFound);
    let said = home.receive(post(&path, &complete(2, upload)).as_bytes());
    assert!(
        status(&said) == "422" && said.contains("\"field\":\"upload\""),
        "{said}"
    );
    home.refuses = Some(MediaRefusal::Full);
    assert_eq!(
        status(&home.receive(post(&path, &complete(2, upload)).as_bytes())),
        "507"
    );
    home.refuses = None;
    let said = home.receive(post(&path, &complete(2, upload)).as_bytes());
    assert!(said.contains("\"completed\""), "{said}");
    // The same again is the same again, and asks for nothing.
    home.refuses = Some(MediaRefusal::NotFound);
    assert_eq!(
        status(&home.receive(post(&path, &complete(2, upload)).as_bytes())),
        "200"
    );
}
