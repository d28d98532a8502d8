//! Videos go in and come out, over real sockets, through the real program.

use dubhook_core::{
    id::{Id, Ix, Prefix},
    random::Random,
    time::Timestamp,
};
use dubhook_smol::{
    media::{Folder, Limits, Media, NewUpload},
    server::Server,
};
use dubhook_tests::{
    program::{Program, run},
    wire::{Answer, Asker, PATIENCE},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A translation for the tests: the same bytes in a file of another name.
const COPY: &str = r#"url=$(sed -n 's/.*"video_url":"file:\/\/\([^"]*\)".*/\1/p'); cp "$url" "$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.es.mp4" \
    && printf '{"output_url":"file://%s/%s.es.mp4"}\n' "$DUBHOOK_OUTPUT_DIR" "$DUBHOOK_JOB_ID""#;

/// A server with its data and media in a directory.
struct Served {
    program: Program,
    address: SocketAddr,
}

fn serve(home: &Path, arguments: &[&str]) -> Served {
    let (data, output) = (home.join("data"), home.join("output"));
    let mut all = vec!["--data", data.to_str().unwrap(), "--output"];
    all.push(output.to_str().unwrap());
    all.extend(arguments);
    let mut program = Program::serve(&all, &home.join("log"));
    let address = program.address();
    Served { program, address }
}

fn home() -> TempDir {
    TempDir::new().expect("a directory")
}

/// Bytes that do not repeat soon.
fn video(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut video = Vec::with_capacity(bytes + 8);
    while video.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        video.extend(state.to_le_bytes());
    }
    video.truncate(bytes);
    video
}

/// The SHA-256 of a file, by another program.
fn sha256(path: &Path) -> String {
    let said = Command::new("sha256sum")
        .arg(path)
        .output()
        .expect("sha256sum");
    String::from_utf8(said.stdout).unwrap()[..64].to_owned()
}

fn create(asker: &mut Asker, upload: &Value) -> Value {
    let answer = asker.call("POST", "/v1/uploads", &upload.to_string());
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

/// A connection on which bytes are sent by hand.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// Sends a request with a body and reads what is answered until the connection closes.
fn fill(address: SocketAddr, method: &str, path: &str, fields: &str, body: &[u8]) -> String {
    let mut stream = connect(address);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it is taken");
    // Who is refused need not be listened to.
    let _ = stream.write_all(body);
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("an answer");
    said
}

fn path_of(upload: &Value) -> String {
    format!("/v1/uploads/{}", upload["id"].as_str().unwrap())
}

fn offset(asker: &mut Asker, path: &str) -> usize {
    let answer = asker.call("HEAD", path, "");
    assert_eq!(answer.status, 200);
    answer.fields["upload-offset"].parse().unwrap()
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap().to_owned()
}

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
fn an_upload_that_a_kill_broke_off_goes_on_and_is_whole() {
    let home = home();
    let bytes = 8 << 20;
    let all = video(bytes);
    let file = home.path().join("v.mp4");
    fs::write(&file, &all).unwrap();
    let digest = sha256(&file);
    let mut served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    let upload = create(&mut asker, &json!({"bytes": bytes, "sha256": digest}));
    let path = path_of(&upload);
    let mut acknowledged = 0;
    for round in 0..6 {
        let at = offset(&mut asker, &path);
        assert!(at >= acknowledged, "acknowledged bytes are gone");
        // A piece that is acknowledged.
        let piece = &all[at..at + 500_000];
        let fields = format!("upload-offset: {at}\r\n");
        let said = fill(served.address, "PATCH", &path, &fields, piece);
        assert!(said.starts_with("HTTP/1.1 204"), "{said}");
        acknowledged = at + piece.len();
        // And one that is broken off somewhere.
        let mut stream = connect(served.address);
        let rest = bytes - acknowledged;
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nhost: here\r\nupload-offset: {acknowledged}\r\ncontent-length: {rest}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
            .write_all(&all[acknowledged..acknowledged + 100_000 * (round + 1)])
            .unwrap();
        thread::sleep(Duration::from_millis(20 * round as u64));
        served.program.kill();
        served = serve(home.path(), &[]);
        asker = Asker::new(served.address);
        // What is not whole is not served as if it were.
        assert!(
            !home
                .path()
                .join("data/media/uploads")
                .join(&path["/v1/uploads/".len()..])
                .exists()
        );
    }
    let at = offset(&mut asker, &path);
    let fields = format!("upload-offset: {at}\r\n");
    let said = fill(served.address, "PATCH", &path, &fields, &all[at..]);
    assert!(said.starts_with("HTTP/1.1 204"), "{said}");
    let whole = home
        .path()
        .join("data/media/uploads")
        .join(&path["/v1/uploads/".len()..]);
    assert_eq!(sha256(&whole), digest);
    assert_eq!(asker.call("GET", &path, "").json()["sha256"], json!(digest));
    // It is there at the next start, and goes with all its room when it is removed.
    served.program.kill();
    let served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    assert_eq!(offset(&mut asker, &path), bytes);
    assert_eq!(asker.call("DELETE", &path, "").status, 204);
    assert_eq!(asker.call("GET", &path, "").status, 404);
    assert_eq!(fs::read_dir(whole.parent().unwrap()).unwrap().count(), 0);
}

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
fn a_name_that_would_lead_elsewhere_is_only_a_name() {
    let home = home();
    let served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "CON",
        "..",
        "a\\b",
        "\u{202e}4pm.v",
    ] {
        let upload = create(&mut asker, &json!({"bytes": 1, "filename": name}));
        let said = fill(served.address, "PUT", &path_of(&upload), "", b"x");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert_eq!(
            asker.call("GET", &path_of(&upload), "").json()["filename"],
            json!(name)
        );
    }
    let long = json!({"bytes": 1, "filename": "x".repeat(4096)}).to_string();
    assert_eq!(asker.call("POST", "/v1/uploads", &long).status, 422);
    for id in [
        "..%2f..%2fdata",
        "med_..",
        "../format",
        "med_01m8hmbbfzenp8mfb755000001.json",
    ] {
        let answer = asker.call("GET", &format!("/v1/uploads/{id}"), "");
        assert_eq!(answer.status, 404, "{id}");
    }
    let uploads = fs::read_dir(home.path().join("data/media/uploads")).unwrap();
    for entry in uploads {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("med_"), "{name}");
    }
}

#[test]
fn who_trickles_or_does_not_read_costs_a_bounded_time_and_nobody_else_any() {
    let home = home();
    let served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    let upload = create(&mut asker, &json!({"bytes": 1_000_000}));
    let mut slow = connect(served.address);
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: here\r\ncontent-length: 1000000\r\n\r\n",
        path_of(&upload)
    );
    slow.write_all(head.as_bytes()).unwrap();
    let begun = Instant::now();
    let mut sending = slow.try_clone().unwrap();
    let trickle = thread::spawn(move || {
        while sending.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(500));
        }
    });
    // Whoever else wants to fill it is told, and everybody else is served at once.
    thread::sleep(Duration::from_millis(200));
    let said = fill(
        served.address,
        "PUT",
        &path_of(&upload),
        "",
        &[b'x'; 1_000_000],
    );
    assert!(said.contains("upload_busy"), "{said}");
    assert_eq!(asker.call("GET", "/healthz", "").status, 200);
    let mut said = String::new();
    let _ = slow.read_to_string(&mut said);
    assert!(said.contains("too_slow"), "{said}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    trickle.join().unwrap();
    // What had come is kept, and the upload goes on.
    let at = offset(&mut asker, &path_of(&upload));
    assert!(at > 0);
}

#[test]
fn the_command_line_sends_a_file_and_brings_its_translation() {
    let home = home();
    let served = serve(home.path(), &["--translator", "command", "--command", COPY]);
    let server = format!("http://{}", served.address);
    let file = home.path().join("a film.mp4");
    // More than two pieces up and down.
    fs::write(&file, video(20 << 20)).unwrap();
    let (file, here) = (file.to_str().unwrap(), home.path().join("here"));
    let here = here.to_str().unwrap();
    let said = run(&[
        "translate",
        file,
        "--to",
        "es",
        "--wait",
        "--output",
        here,
        "--server",
        &server,
    ]);
    assert!(said.status.success(), "{said:?}");
    let brought = String::from_utf8(said.stdout).unwrap();
    assert!(brought.trim_end().ends_with(".es.mp4"), "{brought}");
    assert_eq!(
        sha256(Path::new(brought.trim_end())),
        sha256(Path::new(file))
    );
    assert_eq!(
        fs::read_dir(here).unwrap().count(),
        1,
        "nothing half is left"
    );

    let said = run(&["upload", file, "--json", "--server", &server]);
    let upload: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!(upload["filename"], json!("a film.mp4"));
    assert_eq!(upload["sha256"], json!(sha256(Path::new(file))));
    // The same file again is all there already; another one is not that.
    let id = upload["id"].as_str().unwrap();
    let again = run(&["upload", file, "--resume", id, "--server", &server]);
    let said = String::from_utf8(again.stdout).unwrap();
    assert_eq!(said.trim_end(), format!("dubhook:{id}"));
    let log = home.path().join("log");
    let other = run(&[
        "upload",
        log.to_str().unwrap(),
        "--resume",
        id,
        "--server",
        &server,
    ]);
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    let none = run(&[
        "download",
        "job_01m8hmbbfzenp8mfb755000001",
        "--server",
        &server,
    ]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
}

#[test]
fn a_job_whose_upload_is_not_whole_says_so_and_what_lies_elsewhere_is_not_given_out() {
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
    let nothing = "dubhook:med_01m8hmbbfzenp8mfb755000001";
    let job = json!({"video_url": nothing, "target_language": "es"});
    assert_eq!(end_of(job), (json!("error"), 404));
}

#[test]
fn a_worker_that_shares_no_disk_gets_its_video_and_brings_its_output() {
    let home = home();
    let served = serve(
        home.path(),
        &["--translator", "remote", "--api-key", "sesame"],
    );
    let server = format!("http://{}", served.address);
    let file = home.path().join("v.mp4");
    fs::write(&file, video(5 << 20)).unwrap();
    let there = home.path().join("there");
    let exec = format!(
        r#"printf '1\n00:00:01,000 --> 00:00:02,500\nHola\n' > "$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.es.srt"; {COPY}"#
    );
    let worker = [
        "work",
        "--exec",
        &exec,
        "--once",
        "--api-key",
        "sesame",
        "--server",
        &server,
        "--output",
        there.to_str().unwrap(),
    ];
    let worker = Program::start(&worker, &home.path().join("worker"));
    let here = home.path().join("here");
    let said = run(&[
        "translate",
        file.to_str().unwrap(),
        "--to",
        "es",
        "--wait",
        "--output",
        here.to_str().unwrap(),
        "--api-key",
        "sesame",
        "--server",
        &server,
    ]);
    assert!(said.status.success(), "{said:?}");
    let brought = String::from_utf8(said.stdout).unwrap();
    assert!(
        brought.contains("job_") && brought.trim_end().ends_with(".es.mp4"),
        "{brought}"
    );
    assert_eq!(sha256(Path::new(brought.trim_end())), sha256(&file));
    let (status, log) = worker.wait();
    assert!(status.success(), "{log}");
    // The job says where callers get it, and the worker keeps nothing of the input.
    let jobs = run(&["jobs", "--json", "--api-key", "sesame", "--server", &server]);
    let jobs: Value = serde_json::from_slice(&jobs.stdout).expect("JSON");
    let job = jobs.get("data").unwrap_or(&jobs)[0].clone();
    let path = format!("/v1/translations/{}/output", job["id"].as_str().unwrap());
    let link = job["output_url"].as_str().unwrap().strip_prefix(&server);
    let link = link.expect("where the server listens").to_owned();
    assert!(link.starts_with(&format!("{path}?expires=")), "{link}");
    assert_eq!(
        fs::read_dir(&there).unwrap().count(),
        2,
        "the video and its subtitles"
    );
    // Only the upload that was translated is still one.
    let uploads = fs::read_dir(home.path().join("data/media/uploads")).unwrap();
    assert_eq!(uploads.count(), 2, "a file and a note");
    // Whoever has neither a key nor the link gets none of it; the link is good after a kill, too.
    let mut served = served;
    for _ in 0..2 {
        let mut asker = Asker::new(served.address);
        assert_eq!(asker.call("GET", &path, "").status, 401);
        let part = "range: bytes=1000000-1000999\r\n";
        let answer = asker.try_call("GET", &link, part, "").unwrap();
        assert_eq!(answer.status, 206);
        assert_eq!(answer.body, &fs::read(&file).unwrap()[1_000_000..1_001_000]);
        let subtitles = link.replace("/output?", "/output/subtitles.vtt?");
        let subtitles = asker.call("GET", &subtitles, "");
        assert_eq!(subtitles.status, 200);
        for (name, expect) in [
            ("content-type", "text/vtt; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
        ] {
            assert_eq!(subtitles.fields[name], expect);
        }
        let text = String::from_utf8(subtitles.body).unwrap();
        assert_eq!(text, "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHola\n\n");
        let bent = link.replace("expires=1", "expires=2");
        assert_eq!(code(&asker.call("GET", &bent, "")), "link_wrong");
        let job = path.strip_suffix("/output").unwrap();
        let query = link.split('?').nth(1).unwrap();
        assert_eq!(asker.call("GET", &format!("{job}?{query}"), "").status, 401);
        served.program.kill();
        served = serve(
            home.path(),
            &["--translator", "remote", "--api-key", "sesame"],
        );
    }
    let key = home.path().join("data/media/link-key");
    let mode = fs::metadata(key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
}

#[test]
fn readers_that_stall_hold_up_nobody_and_are_given_up() {
    let home = home();
    let made = home.path().join("v.es.mp4");
    fs::write(&made, video(32 << 20)).unwrap();
    let media = Folder::open(&home.path().join("media"), Limits::default()).unwrap();
    let at = Timestamp::from_unix_ms(1_795_510_800_000);
    let job = Id::new(at, Ix::MIN, &mut Random::new([1; 32]));
    media.adopt(job, &made, &[]).unwrap();
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(100)
        .media(media);
    let server = server.reading_pace(Duration::from_secs(2), u64::MAX);
    let server = server.bind().expect("a port").start().expect("a thread");
    let path = format!("/v1/translations/{}/output", job.text(Prefix::Job));
    let get = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    let stalled: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = connect(server.address());
            stream.write_all(get.as_bytes()).unwrap();
            stream
        })
        .collect();
    let mut asker = Asker::new(server.address());
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(asker.call("GET", "/healthz", "").status, 200);
    }
    let part = asker
        .try_call("GET", &path, "range: bytes=7-70006\r\n", "")
        .unwrap();
    assert_eq!(part.body, &fs::read(&made).unwrap()[7..70_007]);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    thread::sleep(Duration::from_secs(4));
    for mut stream in stalled {
        let mut taken = Vec::new();
        // It was cut off: what the sockets held comes, and not all of it.
        let _ = stream.read_to_end(&mut taken);
        assert!(taken.len() < 32 << 20, "it was waited for");
    }
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
