//! Links: what they open, until when, and what is no link.

use super::*;

const JOB: &str = "job_01m8hmbbfzenp8mfb755000001";
const UPLOAD: &str = "med_01m8hmbbfzenp8mfb755000001";

/// A server with a key that the callers below do not have.
fn guarded() -> Home {
    Home::new(keys(), true)
}

fn keys() -> &'static [ApiKey] {
    Box::leak(Box::new([ApiKey::new("sesame")]))
}

/// The path and query of the link to the output of `JOB`.
fn link(home: &Home) -> String {
    let mut memory = [0; 512];
    let mut out = Out::new(&mut memory);
    let job = Id::parse(crate::id::Prefix::Job, JOB).unwrap();
    home.server.write_output_link(job, &mut out);
    let link = core::str::from_utf8(out.written()).unwrap();
    String::from(link.strip_prefix("https://v.test").unwrap())
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer sesame\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_link_opens_its_jobs_output_without_a_key_and_is_always_the_same() {
    let mut home = guarded();
    let link = link(&home);
    home.file = b"0123456789".to_vec();
    for fields in ["", "authorization: Bearer another\r\n"] {
        let said = home.receive(get(&link, fields).as_bytes());
        assert_eq!(status(&said), "200", "{said}");
        assert!(said.ends_with("0123456789"));
    }
    home.now = at_ms(5_000);
    assert_eq!(self::link(&home), link);
    let head = get(&link, "").replace("GET", "HEAD");
    assert_eq!(status(&home.receive(head.as_bytes())), "200");
}

#[test]
fn a_link_that_is_another_or_bent_or_over_is_refused_with_the_reason() {
    let home = guarded();
    let link = link(&home);
    let (path, query) = link.split_once('?').unwrap();
    let (expires, signature) = query.split_once("&signature=").unwrap();
    let digits = expires.strip_prefix("expires=").unwrap();
    let flipped = signature.replace('0', "1");
    let other = path.replace("000001", "000002");
    for (target, expect, code) in [
        (
            format!("{path}?{expires}&signature={flipped}0"),
            "403",
            "link_wrong",
        ),
        (
            format!("{path}?{expires}&signature={}", signature.to_uppercase()),
            "403",
            "link_wrong",
        ),
        (
            format!("{path}?{expires}&signature={}", &signature[..63]),
            "403",
            "link_wrong",
        ),
        (format!("{path}?{expires}&signature="), "403", "link_wrong"),
        (
            format!("{path}?{expires}0&signature={signature}"),
            "403",
            "link_wrong",
        ),
        (
            format!("{path}?expires=0{digits}&signature={signature}"),
            "403",
            "link_wrong",
        ),
        (format!("{path}?signature={signature}"), "403", "link_wrong"),
        (format!("{other}?{query}"), "403", "link_wrong"),
        (
            format!("{path}?{query}&expires=9"),
            "422",
            "invalid_request",
        ),
        (format!("{path}?{expires}"), "401", "unauthorized"),
        (
            format!("/v1/translations/{JOB}?{query}"),
            "401",
            "unauthorized",
        ),
        (
            format!("/v1/uploads/{UPLOAD}?{query}"),
            "401",
            "unauthorized",
        ),
        (
            format!("/v1/uploads/{UPLOAD}/content?{query}"),
            "403",
            "link_wrong",
        ),
    ] {
        let mut home = guarded();
        home.file = b"0123456789".to_vec();
        let said = home.receive(get(&target, "").as_bytes());
        assert_eq!(status(&said), expect, "{target}: {said}");
        assert!(said.contains(code), "{target}: {said}");
    }
    let mut home = guarded();
    let said = home.receive(get(&link, "").replace("GET", "DELETE").as_bytes());
    assert_eq!(status(&said), "405", "{said}");
    // To the second.
    let until: u64 = digits.parse().unwrap();
    for (at_s, expect) in [(until - 1, "200"), (until, "403")] {
        let mut home = guarded();
        home.file = b"0123456789".to_vec();
        home.now.timestamp = Timestamp::from_unix_ms(at_s * 1_000);
        let said = home.receive(get(&link, "").as_bytes());
        assert_eq!(status(&said), expect, "{said}");
        assert!(expect == "200" || said.contains("link_expired"), "{said}");
    }
}

#[test]
fn a_worker_reads_its_upload_by_a_link_while_it_has_the_job_and_what_it_brings_is_told_as_one() {
    let mut home = guarded();
    home.file = b"0123456789".to_vec();
    let job = format!(r#"{{"video_url":"dubhook:{UPLOAD}","target_language":"es"}}"#);
    assert_eq!(
        status(&home.receive(post("/v1/translations", &job).as_bytes())),
        "202"
    );
    let said = home.receive(post("/v1/work/claim", "").as_bytes());
    let input = said.split("\"input_url\":\"https://v.test").nth(1).unwrap();
    let input = String::from(input.split('"').next().unwrap());
    let id = said.split("\"id\":\"").nth(1).unwrap();
    let id = String::from(id.split('"').next().unwrap());
    let said = home.receive(get(&input, "").as_bytes());
    assert!(
        status(&said) == "200" && said.ends_with("0123456789"),
        "{said}"
    );
    let other = input.replace("lease=2", "lease=3");
    let said = home.receive(get(&other, "").as_bytes());
    assert!(said.contains("link_wrong"), "{said}");

    let complete = post(
        &format!("/v1/work/{id}/complete"),
        &format!(r#"{{"lease":2,"upload":"{UPLOAD}"}}"#),
    );
    let said = home.receive(complete.as_bytes());
    let told = said
        .split("\"output_url\":\"https://v.test")
        .nth(1)
        .expect(&said);
    let told = String::from(told.split('"').next().unwrap());
    assert!(
        told.starts_with(&format!("/v1/translations/{id}/output?expires=")),
        "{told}"
    );
    assert_eq!(status(&home.receive(get(&told, "").as_bytes())), "200");
    // The same report again is taken, and says the same.
    let again = home.receive(complete.as_bytes());
    assert!(status(&again) == "200" && again.contains(&told), "{again}");
    // The job is no longer with its worker.
    let said = home.receive(get(&input, "").as_bytes());
    assert!(
        status(&said) == "403" && said.contains("link_expired"),
        "{said}"
    );
}

#[test]
fn where_no_links_are_given_a_signature_is_nothing_and_a_worker_says_where_its_output_is() {
    let link = link(&guarded());
    let mut home = Home::with_links(keys(), true, None);
    home.file = b"0123456789".to_vec();
    let said = home.receive(get(&link, "").as_bytes());
    assert_eq!(status(&said), "401", "{said}");
    let job = format!(r#"{{"video_url":"dubhook:{UPLOAD}","target_language":"es"}}"#);
    home.receive(post("/v1/translations", &job).as_bytes());
    let said = home.receive(post("/v1/work/claim", "").as_bytes());
    assert!(
        said.contains("\"lease\":2") && !said.contains("input_url"),
        "{said}"
    );
    let id = said.split("\"id\":\"").nth(1).unwrap();
    let path = format!("/v1/work/{}/complete", id.split('"').next().unwrap());
    let said =
        home.receive(post(&path, &format!(r#"{{"lease":2,"upload":"{UPLOAD}"}}"#)).as_bytes());
    assert!(
        status(&said) == "422" && said.contains("\"field\":\"output_url\""),
        "{said}"
    );
}

#[test]
fn a_link_opens_the_subtitles_too_and_a_worker_brings_them_with_its_output() {
    let mut home = guarded();
    let link = link(&home);
    home.file = b"WEBVTT\n".to_vec();
    for name in ["subtitles.vtt", "subtitles.srt"] {
        let link = link.replace("/output?", &format!("/output/{name}?"));
        let said = home.receive(get(&link, "").as_bytes());
        assert!(
            status(&said) == "200" && said.ends_with("WEBVTT\n"),
            "{said}"
        );
        let without = link.split('?').next().unwrap();
        assert_eq!(status(&home.receive(get(without, "").as_bytes())), "401");
    }
    home.bytes = home.file.len() as u64;
    let job = format!(r#"{{"video_url":"dubhook:{UPLOAD}","target_language":"es"}}"#);
    home.receive(post("/v1/translations", &job).as_bytes());
    let said = home.receive(post("/v1/work/claim", "").as_bytes());
    let id = said.split("\"id\":\"").nth(1).unwrap();
    let path = format!("/v1/work/{}/complete", id.split('"').next().unwrap());
    let complete = |more: &str| post(&path, &format!(r#"{{"lease":2,{more}}}"#));
    let both = format!(r#""upload":"{UPLOAD}","subtitles":"{UPLOAD}""#);
    for (more, why, field) in [
        (format!(r#""subtitles":"{UPLOAD}""#), None, "upload"),
        (
            format!(r#""upload":"{UPLOAD}","subtitles":"med_1""#),
            None,
            "subtitles",
        ),
        (both.clone(), Some(MediaRefusal::Subtitles), "subtitles"),
    ] {
        home.refuses = why;
        let said = home.receive(complete(&more).as_bytes());
        assert_eq!(status(&said), "422", "{more}: {said}");
        assert!(said.contains(&format!("\"field\":\"{field}\"")), "{said}");
    }
    home.refuses = None;
    let said = home.receive(complete(&both).as_bytes());
    assert!(said.contains("\"completed\""), "{said}");
}
