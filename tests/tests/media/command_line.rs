//! The command line, and workers that share no disk.

use super::*;

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
    let mut brought = brought.lines();
    let video = brought.next().unwrap();
    assert!(
        video.contains("job_") && video.ends_with(".es.mp4"),
        "{video}"
    );
    assert_eq!(sha256(Path::new(video)), sha256(&file));
    let subtitles: Vec<_> = brought
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(subtitles[0].starts_with("WEBVTT\n") && subtitles[0].contains("Hola"));
    assert!(subtitles[1].contains("00:00:01,000 --> 00:00:02,500\nHola"));
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
fn one_command_brings_each_language_and_says_which_one_failed() {
    let home = home();
    // French is beyond it.
    let command = format!(
        r#"set -e; job=$(cat); case $job in *'"fr"'*) echo "No French." >&2; exit 1;; esac
        printf %s "$job" | {{ {COPY}; }}"#
    );
    let served = serve(
        home.path(),
        &["--translator", "command", "--command", &command],
    );
    let server = format!("http://{}", served.address);
    let file = home.path().join("v.mp4");
    fs::write(&file, video(300_000)).unwrap();
    let (file, here) = (file.to_str().unwrap(), home.path().join("here"));
    let translate = ["translate", file, "--wait", "--server", &server, "--output"];
    let translate = [&translate[..], &[here.to_str().unwrap(), "--to"]].concat();
    let said = run(&[&translate[..], &["es,it,es"]].concat());
    assert!(said.status.success(), "{said:?}");
    let brought = String::from_utf8(said.stdout).unwrap();
    assert_eq!(brought.lines().count(), 2, "{brought}");
    for path in brought.lines() {
        assert_eq!(sha256(Path::new(path)), sha256(Path::new(file)));
    }
    let said = run(&[&translate[..], &["it,fr", "--json"]].concat());
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let why = String::from_utf8(said.stderr).unwrap();
    assert!(why.contains("fr: ") && why.contains("No French."), "{why}");
    let jobs = String::from_utf8(said.stdout).unwrap();
    let jobs: Vec<Value> = jobs
        .lines()
        .map(|job| serde_json::from_str(job).unwrap())
        .collect();
    assert_eq!(jobs[0]["status"], json!("completed"));
    assert!(Path::new(jobs[0]["file"].as_str().unwrap()).exists());
    assert_eq!(jobs[1]["status"], json!("error"));
    // All three jobs and both commands have used one upload.
    let uploads = run(&["uploads", "--json", "--server", &server]);
    let uploads: Value = serde_json::from_slice(&uploads.stdout).unwrap();
    assert_eq!(uploads["data"].as_array().unwrap().len(), 1, "{uploads}");
}

#[test]
fn an_upload_that_broke_off_goes_on_with_the_same_command() {
    let home = home();
    let mut served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    let bytes = 6 << 20;
    let all = video(bytes);
    let file = home.path().join("v.mp4");
    fs::write(&file, &all).unwrap();
    let upload = create(
        &mut asker,
        &json!({"bytes": bytes, "sha256": sha256(&file)}),
    );
    let (path, file) = (path_of(&upload), file.to_str().unwrap());
    let fields = "upload-offset: 0\r\n";
    fill(served.address, "PATCH", &path, fields, &all[..5_000_000]);
    served.program.kill();
    // Nobody is there: it is said what becomes of it.
    let server = format!("http://{}", served.address);
    let said = run(&["upload", file, "--server", &server]);
    assert_eq!(said.status.code(), Some(3), "{said:?}");
    served = serve(home.path(), &[]);
    let server = format!("http://{}", served.address);
    let said = run(&["upload", file, "--json", "--server", &server]);
    let kept: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!(
        (&kept["id"], &kept["state"]),
        (&upload["id"], &json!("complete"))
    );
    // Another file of that name and length is another one.
    let mut other = all;
    other[17] ^= 1;
    fs::write(file, other).unwrap();
    let said = run(&["upload", file, "--json", "--server", &server]);
    let kept: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_ne!(kept["id"], upload["id"]);
}

#[test]
fn a_server_without_media_says_what_to_do() {
    let home = home();
    let mut program = Program::serve(&["--in-memory"], &home.path().join("log"));
    let server = format!("http://{}", program.address());
    let log = home.path().join("log");
    let said = run(&["upload", log.to_str().unwrap(), "--server", &server]);
    assert_eq!(said.status.code(), Some(1));
    let why = String::from_utf8(said.stderr).unwrap();
    assert!(why.contains("--media DIR"), "{why}");
}

#[test]
fn what_a_newcomer_misses_is_said() {
    let home = home();
    let served = serve(
        home.path(),
        &["--api-key", "sesame", "--simulate", "0s..1ms"],
    );
    let server = format!("http://{}", served.address);
    let file = home.path().join("v.mp4");
    fs::write(&file, video(1_000)).unwrap();
    let (file, here) = (file.to_str().unwrap(), home.path().to_str().unwrap());
    let translate = ["translate", file, "--to", "es", "--wait", "--output", here];
    let translate = [&translate[..], &["--server", &server]].concat();
    let said = run(&translate);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let why = String::from_utf8(said.stderr).unwrap();
    assert!(why.contains("--api-key KEY, or DUBHOOK_API_KEY"), "{why}");
    // A job that was simulated is completed, and no video comes of it.
    let said = run(&[&translate[..], &["--api-key", "sesame"]].concat());
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let why = String::from_utf8(said.stderr).unwrap();
    let says = "no output that is kept here. The job says that it is at https://";
    assert!(why.contains(says), "{why}");
}
