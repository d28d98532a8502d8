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
    // Of a job that nobody knows any more.
    media.adopt(job, &made, &[]).unwrap();
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
