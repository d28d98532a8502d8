//! What is asked and said of uploads besides their bytes: by clients of tus, of an object store, and of jobs about them.

use super::*;

const UPLOAD: &str = "med_01m8hmbbfzenp8mfb755000001";

fn post(path: &str, fields: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n{fields}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn said<'s>(said: &'s str, field: &str) -> Option<&'s str> {
    let (head, _) = said.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(": "))
}

#[test]
fn a_client_of_tus_is_told_what_there_is_before_it_begins() {
    for path in ["/v1/uploads", NAME] {
        let mut home = Home::open();
        let sent = format!("OPTIONS {path} HTTP/1.1\r\nhost: h\r\n\r\n");
        let answer = home.receive(sent.as_bytes());
        assert_eq!(status(&answer), "204");
        for (field, expect) in [
            ("tus-resumable", "1.0.0"),
            ("tus-version", "1.0.0"),
            ("tus-extension", "creation,expiration,termination"),
            ("tus-max-size", "5368709120"),
        ] {
            assert_eq!(said(&answer, field), Some(expect), "{path}: {answer}");
        }
    }
}

#[test]
fn another_version_of_tus_is_not_taken_and_changes_nothing() {
    for sent in [
        format!("HEAD {NAME} HTTP/1.1\r\nhost: h\r\ntus-resumable: 0.2.2\r\n\r\n"),
        format!("DELETE {NAME} HTTP/1.1\r\nhost: h\r\ntus-resumable: 2.0.0\r\n\r\n"),
        "POST /v1/uploads HTTP/1.1\r\nhost: h\r\nupload-length: 8\r\ntus-resumable: x\r\n\r\n"
            .into(),
        format!(
            "PATCH {NAME} HTTP/1.1\r\nhost: h\r\ntus-resumable: 0.2.2\r\nupload-offset: 0\r\n\
             content-length: 1\r\n\r\nx"
        ),
    ] {
        let mut home = Home::open();
        let answer = home.receive(sent.as_bytes());
        assert_eq!(status(&answer), "412", "{sent}: {answer}");
        assert_eq!(said(&answer, "tus-version"), Some("1.0.0"));
        assert_eq!(said(&answer, "tus-resumable"), Some("1.0.0"));
        assert!(home.file.is_empty());
    }
    // Who speaks tus says what the bytes are.
    for (content_type, expect) in [
        ("application/offset+octet-stream", "204"),
        ("video/mp4", "415"),
    ] {
        let mut home = Home::open();
        let sent = format!(
            "PATCH {NAME} HTTP/1.1\r\nhost: h\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n\
             content-type: {content_type}\r\ncontent-length: 1\r\n\r\nx"
        );
        assert_eq!(status(&home.receive(sent.as_bytes())), expect);
    }
}

#[test]
fn what_a_client_of_tus_says_of_its_file_is_kept_and_said_again() {
    // RFC 4648, section 4: "v.mp4" and "video/mp4".
    for (metadata, expect, name) in [
        ("filename di5tcDQ=,filetype dmlkZW8vbXA0", "201", "v.mp4"),
        (
            "filetype dmlkZW8vbXA0, filename di5tcDQ=,is_private",
            "201",
            "v.mp4",
        ),
        ("", "201", ""),
        ("relativePath bnVsbA==,filename", "201", ""),
        ("filename di5tcDQ=,filename di5tcDQ=", "400", ""),
        ("filename di5tcDQ", "400", ""),
        ("filename /w==", "400", ""),
        ("filename AA==", "422", ""),
        ("filetype di5tcDQ=", "422", ""),
    ] {
        let mut home = Home::open();
        let answer = home.receive(
            format!(
                "POST /v1/uploads HTTP/1.1\r\nhost: h\r\ntus-resumable: 1.0.0\r\n\
                 upload-length: 8\r\nupload-metadata: {metadata}\r\n\r\n"
            )
            .as_bytes(),
        );
        assert_eq!(status(&answer), expect, "{metadata}: {answer}");
        assert_eq!(
            home.named,
            if expect == "201" { name } else { "" },
            "{metadata}"
        );
    }
    let long = "eHh4".repeat(86);
    let mut home = Home::open();
    let sent = format!(
        "POST /v1/uploads HTTP/1.1\r\nhost: h\r\nupload-length: 8\r\nupload-metadata: filename {long}\r\n\r\n"
    );
    let answer = home.receive(sent.as_bytes());
    assert!(answer.contains("\"field\":\"filename\""), "{answer}");
    let answer = home.receive(format!("HEAD {NAME} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes());
    assert_eq!(said(&answer, "upload-metadata"), Some("filename di5tcDQ="));
    assert_eq!(
        said(&answer, "upload-expires"),
        Some("Wed, 25 Nov 2026 09:00:00 GMT")
    );
    home.file = b"0123456789".to_vec();
    let answer = home.receive(get(NAME, "").as_bytes());
    assert_eq!(said(&answer, "upload-expires"), None, "it is whole");
}

#[test]
fn a_job_about_an_upload_that_is_not_there_or_not_whole_is_refused_and_nothing_is_made() {
    let job = |url: &str| format!(r#"{{"video_url":"{url}","target_language":"es"}}"#);
    let upload = format!("dubhook:{UPLOAD}");
    let escaped = format!("dubh\\u006fok:{UPLOAD}");
    for (url, file, why, expect) in [
        (upload.as_str(), 10, None, "202"),
        (&escaped, 10, None, "202"),
        (&upload, 9, None, "422"),
        (&escaped, 9, None, "422"),
        (&upload, 10, Some(MediaRefusal::NotFound), "422"),
        (&upload, 10, Some(MediaRefusal::Broken), "500"),
        ("dubhook:med_1", 10, None, "422"),
        ("dubhook:x", 10, None, "422"),
        (&format!("{upload}0"), 10, None, "422"),
        ("dubhooks:x", 9, None, "202"),
        ("https://v.test/1", 9, Some(MediaRefusal::NotFound), "202"),
    ] {
        let mut home = Home::open();
        home.file = vec![b'x'; file];
        home.refuses = why;
        let sent = post("/v1/translations", "", &job(url)) + &get("/healthz", "");
        let answer = home.receive(sent.as_bytes());
        assert_eq!(status(&answer), expect, "{url}: {answer}");
        assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
        if expect == "422" {
            assert!(answer.contains("\"upload_not_ready\""), "{answer}");
            assert!(answer.contains("\"field\":\"video_url\""), "{answer}");
        }
        let jobs = home.server.service().newest_job();
        assert_eq!(jobs.is_some(), expect == "202", "{url}");
    }
    // What is wrong with the rest of it is said first.
    let mut home = Home::open();
    home.refuses = Some(MediaRefusal::NotFound);
    let wrong = job(&upload).replace("es", "?");
    let answer = home.receive(post("/v1/translations", "", &wrong).as_bytes());
    assert!(answer.contains("target_language"), "{answer}");
}

#[cfg(feature = "idempotency")]
#[test]
fn a_submission_that_comes_again_is_answered_as_before_when_its_upload_is_gone() {
    let job = format!(r#"{{"video_url":"dubhook:{UPLOAD}","target_language":"es"}}"#);
    let key = "idempotency-key: k\r\n";
    let mut home = Home::open();
    home.refuses = Some(MediaRefusal::NotFound);
    let sent = post("/v1/translations", key, &job);
    assert_eq!(status(&home.receive(sent.as_bytes())), "422");
    home.refuses = None;
    home.file = b"0123456789".to_vec();
    let first = home.receive(sent.as_bytes());
    home.refuses = Some(MediaRefusal::NotFound);
    let again = home.receive(sent.as_bytes());
    assert_eq!(status(&again), "202", "{again}");
    assert_eq!(said(&again, "location"), said(&first, "location"));
    let other = post("/v1/translations", key, &job.replace("es", "fr"));
    let answer = home.receive(other.as_bytes());
    assert!(answer.contains("idempotency_key_reused"), "{answer}");
}

#[test]
fn what_an_object_store_keeps_is_sent_there_and_got_there() {
    let mut home = Home::open();
    let expires_at = Timestamp::from_unix_ms(1_795_597_200_000);
    for (how, expect) in [
        (
            Put::Here,
            format!(r#""upload":{{"method":"PUT","url":"{NAME}","headers":{{}},"expires_at":"2026-11-25T09:00:00.000Z"}}"#),
        ),
        (
            Put::Elsewhere { url: "https://s3.test/x?a=b&c", checksum: Some("AA=="), expires_at },
            r#""upload":{"method":"PUT","url":"https://s3.test/x?a=b&c","headers":{"x-amz-checksum-sha256":"AA=="},"expires_at":"2026-11-25T09:00:00.000Z"}"#.into(),
        ),
        (
            Put::Parts { bytes: 5, count: 2 },
            format!(r#""upload":{{"method":"PUT","url":"{NAME}/parts/{{number}}","headers":{{}},"expires_at":"2026-11-25T09:00:00.000Z","part_bytes":5,"parts":2}}"#),
        ),
    ] {
        home.put = how;
        let answer = home.receive(get(NAME, "").as_bytes());
        assert!(answer.contains(&expect), "{answer}");
    }
    let answer = home.receive(get(&format!("{NAME}/parts/7"), "").as_bytes());
    assert!(
        answer.ends_with(
            r#"{"method":"PUT","url":"https://s3.test/x?partNumber=7","headers":{},"expires_at":"2026-11-25T09:00:00.000Z","bytes":7}"#
        ),
        "{answer}"
    );
    for number in ["0x7", "", "07", "65536", "7/8"] {
        let answer = home.receive(get(&format!("{NAME}/parts/{number}"), "").as_bytes());
        assert_eq!(status(&answer), "404", "{number}");
    }
    // Its bytes are got there; what there is to know of them is said here.
    home.elsewhere = Some("https://s3.test/y");
    home.file = b"0123456789".to_vec();
    let answer = home.receive(get(OUTPUT, "range: bytes=1-2\r\n").as_bytes());
    assert_eq!(
        (status(&answer), said(&answer, "location")),
        ("302", home.elsewhere)
    );
    assert_eq!(said(&answer, "content-length"), Some("0"));
    let answer = home.receive(get(OUTPUT, "if-none-match: \"t\"\r\n").as_bytes());
    assert_eq!(status(&answer), "304");
    let answer = home.receive(get(OUTPUT, "").replace("GET", "HEAD").as_bytes());
    assert_eq!(
        (status(&answer), said(&answer, "content-length")),
        ("200", Some("10"))
    );
    assert_eq!(said(&answer, "content-location"), home.elsewhere);
    home.refuses = Some(MediaRefusal::Elsewhere);
    let answer = home.receive(put("0123456789").as_bytes());
    assert!(
        status(&answer) == "409" && answer.contains("upload_elsewhere"),
        "{answer}"
    );
}
