//! The whole way of a video, and what is given out of it.

use super::*;

#[test]
fn a_video_goes_in_is_translated_and_comes_out_the_same_at_both_ends() {
    let home = home();
    let served = serve(
        home.path(),
        &[
            "--translator",
            "command",
            "--command",
            COPY,
            "--public-url",
            "https://v.test/",
        ],
    );
    let mut asker = Asker::new(served.address);
    let bytes = 100 << 20;
    let file = home.path().join("v.mp4");
    fs::write(&file, video(bytes)).unwrap();
    let digest = sha256(&file);
    let before = served.program.resident_bytes();
    let upload = create(
        &mut asker,
        &json!({"bytes": bytes, "filename": "v.mp4", "sha256": digest}),
    );
    let said = fill(
        served.address,
        "PUT",
        &path_of(&upload),
        "",
        &fs::read(&file).unwrap(),
    );
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    assert!(said.contains(&digest), "{said}");

    let job = json!({"video_url": upload["video_url"], "target_language": "es"}).to_string();
    let answer = asker.call("POST", "/v1/translations", &job);
    assert_eq!(answer.status, 202);
    let job = answer.fields["location"].clone();
    let ended = asker
        .try_call("GET", &job, "prefer: wait=30\r\n", "")
        .unwrap()
        .json();
    let mut ended = ended;
    while ended["status"] != "completed" {
        assert!(ended["status"] != "error", "{ended}");
        thread::sleep(Duration::from_millis(50));
        ended = asker.call("GET", &job, "").json();
    }

    let link = ended["output_url"].as_str().unwrap();
    let link = link.strip_prefix("https://v.test").unwrap();
    assert!(
        link.starts_with(&format!("{job}/output?expires=")),
        "{link}"
    );
    let mut stream = connect(served.address);
    let get = format!("GET {link} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(get.as_bytes()).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    let head = said
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap()
        + 4;
    let out = home.path().join("out.mp4");
    fs::write(&out, &said[head..]).unwrap();
    let head = String::from_utf8_lossy(&said[..head]).into_owned();
    assert_eq!(sha256(&out), digest, "{head}");
    for field in [
        &format!("content-length: {bytes}"),
        "content-type: video/mp4",
        &format!("etag: \"{digest}\""),
        "content-disposition: attachment; filename=\"job_",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(field), "{field}: {head}");
    }
    // A part of it, and none to who has it.
    let part = asker
        .try_call("GET", &format!("{job}/output"), "range: bytes=-5\r\n", "")
        .unwrap();
    assert_eq!(part.status, 206);
    assert_eq!(
        part.fields["content-range"],
        format!("bytes {}-{}/{bytes}", bytes - 5, bytes - 1)
    );
    assert_eq!(part.body, &fs::read(&file).unwrap()[bytes - 5..]);
    let known = format!("if-none-match: \"{digest}\"\r\n");
    let known = asker
        .try_call("GET", &format!("{job}/output"), &known, "")
        .unwrap();
    assert_eq!(known.status, 304);
    let more = served.program.resident_bytes().saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes more are resident");
}

#[test]
fn a_job_whose_upload_is_not_whole_is_refused_and_what_lies_elsewhere_is_not_given_out() {
    let home = home();
    let elsewhere = home.path().join("secret");
    fs::write(&elsewhere, "secret").unwrap();
    let secret = elsewhere.to_str().unwrap();
    // A link out of the folder, and a path that climbs out of it.
    let command = format!(
        r#"ln -sf {secret} "$DUBHOOK_OUTPUT_DIR/link"; printf '{{"output_url":"file://%s/%s"}}\n' "$DUBHOOK_OUTPUT_DIR" "$(sed -n 's/.*"reference":"\([^"]*\)".*/\1/p')""#
    );
    let served = serve(
        home.path(),
        &["--translator", "command", "--command", &command],
    );
    let mut asker = Asker::new(served.address);
    let mut end_of = |job: Value| {
        let answer = asker.call("POST", "/v1/translations", &job.to_string());
        let path = answer.fields["location"].clone();
        let job = asker
            .try_call("GET", &path, "prefer: wait=30\r\n", "")
            .unwrap()
            .json();
        let output = asker.call("GET", &format!("{path}/output"), "");
        (job["status"].clone(), output.status)
    };
    for reference in ["link", "../secret", "%2e%2e/secret", "nothing"] {
        let job = json!({"video_url": "https://v.test/1", "target_language": "es", "reference": reference});
        let (status, output) = end_of(job);
        assert_eq!((status, output), (json!("completed"), 404), "{reference}");
    }
    let half = create(&mut asker, &json!({"bytes": 10}));
    let path = path_of(&half);
    let fields = "upload-offset: 0\r\n";
    let said = fill(served.address, "PATCH", &path, fields, b"12345");
    assert!(said.starts_with("HTTP/1.1 204"), "{said}");
    let jobs = asker.call("GET", "/v1/translations", "").body;
    let nothing = json!("dubhook:med_01m8hmbbfzenp8mfb755000001");
    for url in [&half["video_url"], &nothing] {
        let job = json!({"video_url": url, "target_language": "es"}).to_string();
        let answer = asker.call("POST", "/v1/translations", &job);
        let expect = (422, "upload_not_ready".to_owned());
        assert_eq!((answer.status, code(&answer)), expect);
    }
    assert_eq!(asker.call("GET", "/v1/translations", "").body, jobs);
}
