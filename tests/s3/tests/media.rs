//! Videos that go to an object store and come from there, through the real program.

use dubhook_s3_tests::{BUCKET, KEY, ObjectStore};
use dubhook_tests::{
    described::{description, fits, schema},
    program::{Program, run_with},
    video::{sha256, video},
    wire::Asker,
};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, path::Path, process::Command};
use tempfile::TempDir;

/// A translation for the tests: the same bytes in a file of another name, and subtitles. It fails where it could see the keys.
const COPY: &str = r#"test -z "$AWS_ACCESS_KEY_ID$AWS_SECRET_ACCESS_KEY" || exit 1
    out="$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.es"; url=$(sed -n 's/.*"video_url":"\([^"]*\)".*/\1/p')
    printf '1\n00:00:01,000 --> 00:00:02,000\nHola\n' > "$out.srt"
    curl --noproxy '*' -sf "$url" -o "$out.mp4" && printf '{"output_url":"file://%s.mp4"}\n' "$out""#;

/// A server whose media are in a store.
struct Served {
    home: TempDir,
    store: ObjectStore,
    program: Program,
    address: SocketAddr,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let (home, store) = (TempDir::new().unwrap(), ObjectStore::start());
        let (program, address) = serve(home.path(), &store, arguments);
        Self {
            home,
            store,
            program,
            address,
        }
    }

    fn again(self, arguments: &[&str]) -> Self {
        let Self {
            home,
            store,
            program,
            ..
        } = self;
        program.kill();
        let (program, address) = serve(home.path(), &store, arguments);
        Self {
            home,
            store,
            program,
            address,
        }
    }

    fn asker(&self) -> Asker {
        Asker::new(self.address)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that the server has said. No key is in it.
    #[track_caller]
    fn check_log(&self) {
        let log = fs::read_to_string(self.home.path().join("log")).unwrap();
        for secret in [KEY.0, KEY.1, "X-Amz-", "signature="] {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }
}

fn serve(home: &Path, store: &ObjectStore, arguments: &[&str]) -> (Program, SocketAddr) {
    let (data, output) = (home.join("data"), home.join("output"));
    let media = format!("s3://{BUCKET}/some/where");
    let mut all = vec!["--verbose", "--media", &media];
    all.extend([
        "--data",
        data.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
    ]);
    all.extend(arguments);
    let variables = store.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut program = Program::serve_with(&all, &variables, &home.join("log"));
    let address = program.address();
    (program, address)
}

fn create(asker: &mut Asker, upload: &Value) -> Value {
    let answer = asker.call("POST", "/v1/uploads", &upload.to_string());
    let said = answer.json();
    assert_eq!(answer.status, 201, "{said}");
    let doc = description();
    assert_eq!(fits(&doc, schema(&doc, "Upload"), &said), Ok(()));
    said
}

/// Sends a file as `upload` says, by another program. The status.
fn put(upload: &Value, file: &Path, more: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "--noproxy",
        "*",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-T",
    ]);
    curl.arg(file).args(more);
    for (name, value) in upload["headers"].as_object().unwrap() {
        curl.arg("-H")
            .arg(format!("{name}: {}", value.as_str().unwrap()));
    }
    let said = curl
        .arg(upload["url"].as_str().unwrap())
        .output()
        .expect("curl");
    String::from_utf8(said.stdout).unwrap()
}

/// What is at a URL, by another program that goes where it leads.
fn get(url: &str, to: &Path) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "--noproxy",
        "*",
        "-sL",
        "-w",
        "%{http_code} %{num_redirects} %{content_type}",
        "-o",
    ]);
    let said = curl.arg(to).arg(url).output().expect("curl");
    String::from_utf8(said.stdout).unwrap()
}

fn path_of(upload: &Value) -> String {
    format!("/v1/uploads/{}", upload["id"].as_str().unwrap())
}

fn code(answer: &dubhook_tests::wire::Answer) -> String {
    answer.json()["code"].as_str().unwrap().to_owned()
}

/// Submits a job about an upload and waits for its end.
fn translate(asker: &mut Asker, upload: &Value) -> Value {
    let job = json!({"video_url": upload["video_url"], "target_language": "es"}).to_string();
    let answer = asker.call("POST", "/v1/translations", &job);
    assert_eq!(answer.status, 202);
    let path = answer.fields["location"].clone();
    loop {
        let job = asker
            .try_call("GET", &path, "prefer: wait=30\r\n", "")
            .unwrap()
            .json();
        match job["status"].as_str() {
            Some("completed") => return job,
            Some("error") => panic!("{job}"),
            _ => {}
        }
    }
}

#[test]
fn a_video_goes_to_the_store_and_comes_from_there_and_keys_are_nowhere() {
    let arguments = ["--translator", "command", "--command", COPY];
    let served = Served::start(&arguments);
    let mut asker = served.asker();
    let file = served.home.path().join("v.mp4");
    fs::write(&file, video(20 << 20)).unwrap();
    let digest = sha256(&file);
    let upload = create(
        &mut asker,
        &json!({"bytes": 20 << 20, "filename": "v.mp4", "sha256": digest}),
    );
    let job = json!({"video_url": upload["video_url"], "target_language": "es"}).to_string();
    let answer = asker.call("POST", "/v1/translations", &job);
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (422, "upload_not_ready")
    );
    // Neither other bytes, nor fewer, nor without what they are checked by.
    let other = served.home.path().join("other");
    fs::write(&other, vec![b'x'; 20 << 20]).unwrap();
    assert_ne!(put(&upload["upload"], &other, &[]), "200");
    fs::write(&other, &fs::read(&file).unwrap()[1..]).unwrap();
    assert_eq!(put(&upload["upload"], &other, &[]), "403");
    let bare = json!({"url": upload["upload"]["url"], "headers": {}});
    assert_eq!(put(&bare, &file, &[]), "403");
    assert_eq!(
        asker.call("GET", &path_of(&upload), "").json()["received"],
        json!(0)
    );
    // Nor here.
    let answer = asker.call("PUT", &path_of(&upload), "x");
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (409, "upload_elsewhere")
    );
    let mut asker = served.asker();
    assert_eq!(put(&upload["upload"], &file, &[]), "200");
    assert_eq!(upload["sha256_checked"], json!(false));
    let kept = asker.call("GET", &path_of(&upload), "").json();
    assert_eq!(kept["received"], json!(20 << 20));
    assert_eq!(kept["sha256_checked"], json!(true));
    // Who has a key is told where the bytes are, without going there.
    let head = asker.call("HEAD", &format!("{}/content", path_of(&upload)), "");
    assert_eq!(head.fields["etag"], format!("\"{digest}\""));
    let there = &head.fields["content-location"];
    assert!(there.starts_with(&served.store.url()), "{there}");
    let got = served.home.path().join("got");
    assert_eq!(get(there, &got), "200 0 video/mp4");
    assert_eq!(sha256(&got), digest);

    let job = translate(&mut asker, &upload);
    let link = job["output_url"].as_str().unwrap();
    let before = served.program.resident_bytes();
    assert_eq!(get(link, &got), "200 1 video/mp4");
    assert_eq!(sha256(&got), digest);
    let subtitles = link.replace("/output?", "/output/subtitles.vtt?");
    assert_eq!(get(&subtitles, &got), "200 0 text/vtt; charset=utf-8");
    let text = fs::read_to_string(&got).unwrap();
    assert_eq!(text, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHola\n\n");
    assert!(served.program.resident_bytes() < before + (16 << 20));
    // What there is to know of it is said here.
    let path = link.strip_prefix(&served.url()).unwrap();
    let head = asker.call("HEAD", path, "");
    assert_eq!(
        (head.status, head.fields["content-length"].as_str()),
        (200, "20971520")
    );
    let known = format!("if-none-match: {}\r\n", head.fields["etag"]);
    assert_eq!(asker.try_call("GET", path, &known, "").unwrap().status, 304);
    served.check_log();
    // The link is good after a kill, and the room is counted anew.
    let path = path.to_owned();
    let served = served.again(&["--media-bytes-max", "50MiB"]);
    let mut asker = served.asker();
    assert_eq!(asker.call("GET", &path, "").status, 302);
    let answer = asker.call("POST", "/v1/uploads", r#"{"bytes":11000000}"#);
    assert_eq!((answer.status, code(&answer).as_str()), (507, "media_full"));
    // It gives back what is removed, all of it.
    assert_eq!(asker.call("DELETE", &path_of(&upload), "").status, 204);
    assert_eq!(asker.call("GET", &path_of(&upload), "").status, 404);
    assert_eq!(served.store.files("some/where/uploads"), 0);
    assert_eq!(
        asker
            .call("POST", "/v1/uploads", r#"{"bytes":11000000}"#)
            .status,
        201
    );
    served.check_log();
}

#[test]
fn a_long_video_comes_in_parts_in_any_order_and_is_whole_when_all_are_there() {
    let served = Served::start(&[]);
    let mut asker = served.asker();
    let bytes = 70 << 20;
    let all = video(bytes);
    // What nobody can check is not said to have been.
    let told = "0123456789abcdef".repeat(4);
    let new = json!({"bytes": bytes, "filename": "v.mp4", "sha256": told});
    let upload = create(&mut asker, &new);
    let (each, count) = (16 << 20, 5);
    assert_eq!(upload["upload"]["part_bytes"], json!(each));
    assert_eq!(upload["upload"]["parts"], json!(count));
    let path = path_of(&upload);
    let file = served.home.path().join("part");
    let doc = description();
    for number in [3, 1, 5, 4, 1, 2] {
        let template = upload["upload"]["url"].as_str().unwrap();
        let answer = asker.call(
            "GET",
            &template.replace("{number}", &number.to_string()),
            "",
        );
        let part = answer.json();
        assert_eq!(fits(&doc, schema(&doc, "UploadPart"), &part), Ok(()));
        let piece = all.chunks(each).nth(number - 1).unwrap();
        assert_eq!(part["bytes"], json!(piece.len()));
        let kept = asker.call("GET", &path, "").json();
        assert!(kept["received"].as_u64().unwrap() < bytes as u64, "{kept}");
        fs::write(&file, &piece[1..]).unwrap();
        assert_eq!(put(&part, &file, &[]), "403", "fewer bytes");
        fs::write(&file, piece).unwrap();
        assert_eq!(put(&part, &file, &[]), "200");
    }
    for number in ["0", "6", "x"] {
        assert_eq!(
            asker
                .call("GET", &format!("{path}/parts/{number}"), "")
                .status,
            404
        );
    }
    let kept = asker.call("GET", &path, "").json();
    assert_eq!(kept["received"], json!(bytes));
    assert_eq!(
        (&kept["sha256"], &kept["sha256_checked"]),
        (&json!(told), &json!(false))
    );
    let head = asker.call("HEAD", &format!("{path}/content"), "");
    assert!(!head.fields["etag"].contains(&told), "{:?}", head.fields);
    assert_eq!(served.store.parts(), 0);
    let got = served.home.path().join("got");
    assert_eq!(
        get(&format!("{}{path}/content", served.url()), &got),
        "200 1 video/mp4"
    );
    fs::write(&file, &all).unwrap();
    assert_eq!(sha256(&got), sha256(&file));
    // Parts of what is given up go with it.
    let upload = create(&mut asker, &json!({"bytes": bytes}));
    let part = asker
        .call("GET", &format!("{}/parts/1", path_of(&upload)), "")
        .json();
    fs::write(&file, &all[..each]).unwrap();
    assert_eq!(put(&part, &file, &[]), "200");
    assert_eq!(
        asker.call("GET", &path_of(&upload), "").json()["received"],
        json!(each)
    );
    assert_eq!(asker.call("DELETE", &path_of(&upload), "").status, 204);
    assert_eq!(served.store.parts(), 0);
    assert_eq!(
        served.store.files("some/where/uploads"),
        2,
        "the first one and its note"
    );
    served.check_log();
}

/// The page of a server: how it is known, and its policy.
fn page(address: SocketAddr) -> (String, String) {
    let answer = Asker::new(address).call("GET", "/", "");
    let policy = answer.fields["content-security-policy"].clone();
    (answer.fields["etag"].clone(), policy)
}

#[test]
fn the_page_may_speak_to_the_store_and_to_nobody_else() {
    let served = Served::start(&[]);
    let store = served.store.url();
    let (tag, policy) = page(served.address);
    for allowed in [
        format!("; connect-src 'self' {store};"),
        format!("; media-src 'self' blob: {store};"),
    ] {
        assert!(policy.contains(&allowed), "{policy}");
    }
    assert_eq!(policy.matches("http").count(), 2, "{policy}");
    // Where there is none, it may not; and who has the one page does not take it for the other.
    let home = TempDir::new().unwrap();
    let mut plain = Program::serve(&["--in-memory"], &home.path().join("log"));
    let (other, policy) = page(plain.address());
    assert!(!policy.contains("http") && other != tag, "{policy}");
}

#[test]
fn a_worker_and_a_caller_that_share_no_disk_send_and_get_it_all_by_the_store() {
    let served = Served::start(&["--translator", "remote", "--api-key", "sesame"]);
    let server = served.url();
    let (there, here) = (
        served.home.path().join("there"),
        served.home.path().join("here"),
    );
    let file = served.home.path().join("v.mp4");
    fs::write(&file, video(70 << 20)).unwrap();
    let exec = r#"out="$DUBHOOK_OUTPUT_DIR/$DUBHOOK_JOB_ID.es"; file=$(sed -n 's/.*"video_url":"file:\/\/\([^"]*\)".*/\1/p')
        printf 'WEBVTT\n\n00:01.000 --> 00:02.000\nHola\n' > "$out.vtt"
        cp "$file" "$out.mp4" && printf '{"output_url":"file://%s.mp4"}\n' "$out""#;
    let mine = ["--api-key", "sesame", "--server", &server, "--output"];
    let mut worker = vec!["work", "--exec", exec, "--once"];
    worker.extend(mine);
    worker.push(there.to_str().unwrap());
    let worker = Program::start(&worker, &served.home.path().join("worker"));
    let mut translate = vec!["translate", file.to_str().unwrap(), "--to", "es", "--wait"];
    translate.extend(mine);
    translate.push(here.to_str().unwrap());
    let before = served.program.resident_bytes();
    let said = run_with(&translate, &[]);
    assert!(said.status.success(), "{said:?}");
    let (status, log) = worker.wait();
    assert!(status.success(), "{log}");
    assert!(served.program.resident_bytes() < before + (16 << 20));
    let brought = fs::read_dir(&here)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let brought: Vec<_> = brought
        .filter(|path| path.extension().is_some_and(|end| end == "mp4"))
        .collect();
    assert_eq!(brought.len(), 1, "{said:?}");
    assert_eq!(sha256(&brought[0]), sha256(&file));
    let subtitles = fs::read_to_string(brought[0].with_extension("srt")).unwrap();
    assert_eq!(subtitles, "1\n00:00:01,000 --> 00:00:02,000\nHola\n\n");
    // The output is an upload no more, and lies where it came to.
    assert_eq!(served.store.files("some/where/uploads"), 3, "{said:?}");
    assert_eq!(
        served.store.files("some/where/outputs"),
        3,
        "a note and subtitles"
    );
    served.check_log();
}

#[test]
fn a_store_that_is_not_there_or_not_ours_is_said_without_a_key() {
    let home = TempDir::new().unwrap();
    let store = ObjectStore::start();
    let data = home.path().join("data");
    let arguments = |bucket: &'static str| {
        [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data.to_str().unwrap(),
            "--media",
            bucket,
        ]
    };
    let variables = store.variables();
    let mut variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let check = |bucket, variables: &[(&str, &str)], code, expect: &str| {
        let said = run_with(&arguments(bucket), variables);
        let said_ = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(code), "{said_}");
        assert!(said_.contains(expect), "{said_}");
        for secret in [KEY.0, KEY.1, "X-Amz-"] {
            assert!(!said_.contains(secret), "{said_}");
        }
    };
    check("s3://another", &variables, 1, "the object store");
    check("s3://Media", &variables, 2, "a bucket's name");
    variables[1].1 = "another-secret";
    check("s3://media", &variables, 1, "SignatureDoesNotMatch");
    check("s3://media", &variables[1..], 2, "AWS_ACCESS_KEY_ID");
}
