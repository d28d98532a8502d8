//! What is taken, and what goes again.

use super::*;

#[test]
fn what_is_too_much_or_not_what_was_announced_is_refused_and_takes_no_room() {
    let home = home();
    let limits = ["--upload-bytes-max", "1000", "--media-bytes-max", "1500"];
    let served = serve(home.path(), &limits);
    let mut asker = Asker::new(served.address);
    let answer = asker.call("POST", "/v1/uploads", r#"{"bytes":1001}"#);
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (413, "upload_too_large")
    );
    let wrong = "0".repeat(64);
    let upload = create(&mut asker, &json!({"bytes": 1000, "sha256": wrong}));
    let answer = asker.call("POST", "/v1/uploads", r#"{"bytes":501}"#);
    assert_eq!((answer.status, code(&answer).as_str()), (507, "media_full"));
    let path = path_of(&upload);
    // Not as many bytes as were announced, and not where it goes on.
    let said = fill(served.address, "PUT", &path, "", &[b'x'; 999]);
    assert!(said.contains("upload_length"), "{said}");
    let said = fill(served.address, "PATCH", &path, "upload-offset: 1\r\n", b"x");
    assert!(said.contains("\"upload_offset\""), "{said}");
    let said = fill(
        served.address,
        "PATCH",
        &path,
        "upload-offset: 0\r\n",
        &[b'x'; 1001],
    );
    assert!(said.contains("upload_length"), "{said}");
    // Not the bytes that were announced.
    let said = fill(served.address, "PUT", &path, "", &[b'x'; 1000]);
    assert!(said.contains("checksum_mismatch"), "{said}");
    assert_eq!(offset(&mut asker, &path), 0);
    // The room comes back.
    assert_eq!(asker.call("DELETE", &path, "").status, 204);
    let upload = create(&mut asker, &json!({"bytes": 1000}));
    let said = fill(served.address, "PUT", &path_of(&upload), "", &[b'x'; 1000]);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let said = fill(served.address, "PUT", &path_of(&upload), "", &[b'x'; 1000]);
    assert!(said.contains("upload_done"), "{said}");
}

#[test]
fn a_disk_that_is_full_is_said_and_ends_nobody() {
    let home = home();
    let data = home.path().join("data");
    let program = ["--data", data.to_str().unwrap()];
    let mut program = Program::serve_on_full_disk(&program, &home.path().join("log"));
    let address = program.address();
    let mut asker = Asker::new(address);
    let upload = create(&mut asker, &json!({"bytes": 3_000_000}));
    program.fill_disk(1_000_000);
    let said = fill(address, "PUT", &path_of(&upload), "", &video(3_000_000));
    assert!(
        said.starts_with("HTTP/1.1 507") && said.contains("media_full"),
        "{said}"
    );
    assert_eq!(asker.call("GET", "/healthz", "").status, 200);
    // What fitted is there, and the upload can go on when there is room again.
    assert_eq!(offset(&mut asker, &path_of(&upload)), 1_000_000);
    assert_eq!(
        asker.call("DELETE", &path_of(&upload), "").status,
        204,
        "the room comes back"
    );
}

#[test]
fn a_translation_for_which_there_is_no_room_is_an_error_that_says_so() {
    let home = home();
    let arguments = [
        "--media-bytes-max",
        "1500",
        "--translator",
        "command",
        "--command",
        COPY,
    ];
    let served = serve(home.path(), &arguments);
    let mut asker = Asker::new(served.address);
    let upload = create(&mut asker, &json!({"bytes": 1000}));
    let said = fill(served.address, "PUT", &path_of(&upload), "", &video(1000));
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let job = json!({"video_url": upload["video_url"], "target_language": "es"});
    let answer = asker.call("POST", "/v1/translations", &job.to_string());
    let path = answer.fields["location"].clone();
    let wait = "prefer: wait=30\r\n";
    let mut job = answer.json();
    while !["completed", "error"].contains(&job["status"].as_str().unwrap()) {
        job = asker.try_call("GET", &path, wait, "").unwrap().json();
    }
    let expect = json!("There is no room for the translated video.");
    assert_eq!(job["error"], expect, "{job}");
    // Nothing of it is left, and the room is there for something else.
    let outputs = fs::read_dir(home.path().join("data/media/outputs")).unwrap();
    assert_eq!(outputs.count(), 0);
    create(&mut asker, &json!({"bytes": 500}));
}

#[test]
fn what_nobody_wants_goes_and_what_a_job_names_stays() {
    let home = home();
    let made = home.path().join("v.es.mp4");
    fs::write(&made, "0123456789").unwrap();
    let media = Folder::open(&home.path().join("media"), Limits::default()).unwrap();
    let mut random = Random::new([1; 32]);
    let mut id = || Id::new(Timestamp::from_unix_ms(1), Ix::MIN, &mut random);
    let (named, unnamed, job) = (id(), id(), id());
    for id in [named, unnamed] {
        // Announced long ago.
        let upload = NewUpload {
            id,
            bytes: 1,
            filename: None,
            content_type: None,
            sha256: None,
            created_at: Timestamp::from_unix_ms(1),
        };
        media.create(upload).unwrap();
    }
    let mut filling = media.begin(named, None, 1).unwrap();
    filling.store(b"x").unwrap();
    filling.finish().unwrap();
    // Of a job that nobody knows any more.
    media.adopt(job, "es", &made, &[]).unwrap();
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(100)
        .media(media)
        .remote();
    let server = server.bind().expect("a port").start().expect("a thread");
    let mut asker = Asker::new(server.address());
    let path = |id: Id| format!("/v1/uploads/{}", id.text(Prefix::Media));
    let wanted = format!("dubhook:{}", named.text(Prefix::Media));
    let wanted = json!({"video_url": wanted, "target_language": "es"}).to_string();
    assert_eq!(asker.call("POST", "/v1/translations", &wanted).status, 202);
    let output = format!("/v1/translations/{}/output", job.text(Prefix::Job));
    assert_eq!(asker.call("GET", &output, "").status, 200);
    // The first look comes after a minute.
    let begun = Instant::now();
    while asker.call("GET", &output, "").status == 200 {
        assert!(begun.elapsed() < 2 * PATIENCE, "it stays");
        thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(asker.call("GET", &path(unnamed), "").status, 404);
    assert_eq!(asker.call("GET", &path(named), "").status, 200);
}

#[test]
fn what_is_said_of_uploads_is_what_is_described() {
    let home = home();
    let served = serve(home.path(), &[]);
    let doc = description();
    let check = |method: &str, at: &str, id: &str, body: &str, status: u16| {
        let (path, query) = at.split_once('?').unwrap_or((at, ""));
        let target = format!("{path}?{query}").replace("{id}", id);
        let target = target.replace("{number}", "1");
        // Who is refused in the middle of his bytes is not listened to any more.
        let mut asker = Asker::new(served.address);
        let answer = asker.call(method, target.trim_end_matches('?'), body);
        assert_eq!(answer.status, status, "{method} {target}");
        let responses = &doc["paths"][path][method.to_lowercase()]["responses"];
        let known = responses.get(status.to_string());
        assert!(known.is_some() || status >= 400, "{method} {at}: {status}");
        let response = resolve(&doc, known.unwrap_or(&responses["default"]));
        match response["content"]
            .as_object()
            .and_then(|kinds| kinds.iter().next())
        {
            Some((kind, content)) if kind.ends_with("json") => {
                assert_eq!(&answer.fields["content-type"], kind);
                let fit = fits(&doc, &content["schema"], &answer.json());
                assert_eq!(fit, Ok(()), "{method} {at}: {status}");
            }
            Some(_) => {}
            None => assert!(answer.body.is_empty(), "{method} {at}: {status}"),
        }
        answer
    };
    let (all, one) = ("/v1/uploads", "/v1/uploads/{id}");
    let asked = json!({"bytes": 3, "filename": "v.mp4", "content_type": "video/mp4"});
    let upload = check("POST", all, "", &asked.to_string(), 201).json();
    let id = upload["id"].as_str().unwrap();
    check("POST", all, "", r#"{"bytes":0}"#, 422);
    check("POST", all, "", "{", 400);
    check("GET", one, id, "", 200);
    check("GET", one, "med_1", "", 404);
    check("GET", "/v1/uploads/{id}/content", id, "", 404);
    check("PUT", one, id, "12", 413);
    check("PUT", one, id, "123", 200);
    check("PUT", one, id, "123", 409);
    check("GET", one, id, "", 200);
    check("GET", all, "", "", 200);
    check("GET", "/v1/uploads/{id}/content", id, "", 200);
    check("GET", "/v1/uploads/{id}/parts/{number}", id, "", 404);
    check("DELETE", one, id, "", 204);
    check("DELETE", one, id, "", 404);
    for name in ["output", "output/subtitles.vtt", "output/subtitles.srt"] {
        let path = format!("/v1/translations/{{id}}/{name}");
        check("GET", &path, "job_01m8hmbbfzenp8mfb755000001", "", 404);
    }
}
