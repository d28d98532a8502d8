//! Who is slow.

use super::*;
use std::process::Command;

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
            thread::sleep(Duration::from_secs(1));
        }
    });
    // Whoever else wants to fill it is told, and everybody else is served at once.
    while offset(&mut asker, &path_of(&upload)) == 0 {
        assert!(begun.elapsed() < PATIENCE, "nothing of it comes");
        thread::sleep(Duration::from_millis(20));
    }
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
fn readers_that_stall_hold_up_nobody_and_give_their_slots_back() {
    take_descriptors();
    let home = home();
    let made = home.path().join("v.es.mp4");
    fs::write(&made, video(32 << 20)).unwrap();
    let media = Folder::open(&home.path().join("media"), Limits::default()).unwrap();
    let at = Timestamp::from_unix_ms(1_795_510_800_000);
    let job = Id::new(at, Ix::MIN, &mut Random::new([1; 32]));
    media.adopt(job, "es", &made, &[]).unwrap();
    let server = Server::builder()
        .listen("127.0.0.1:0")
        .capacity(100)
        .media(media);
    let server = server.reading_pace(Duration::from_secs(6), u64::MAX);
    let server = server.bind().expect("a port").start().expect("a thread");
    let path = format!("/v1/translations/{}/output", job.text(Prefix::Job));
    let get = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
    let stalled: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(server.address());
            stream.write_all(get.as_bytes()).unwrap();
            stream
        })
        .collect();
    let mut asker = Asker::new(server.address());
    for _ in 0..100 {
        assert_eq!(asker.call("GET", "/healthz", "").status, 200);
    }
    let part = asker
        .try_call("GET", &path, "range: bytes=7-70006\r\n", "")
        .unwrap();
    assert_eq!(part.body, &fs::read(&made).unwrap()[7..70_007]);
    // All of them are given up, without one having read a byte.
    let begun = Instant::now();
    while connections(&mut asker) > 1 {
        assert!(begun.elapsed() < PATIENCE, "they are still waited for");
        thread::sleep(Duration::from_millis(50));
    }
    for mut stream in stalled {
        let mut taken = Vec::new();
        // It was cut off: what the sockets held comes, and not all of it.
        let _ = stream.read_to_end(&mut taken);
        assert!(taken.len() < 32 << 20, "it was waited for");
    }
}

#[test]
fn a_reader_that_keeps_the_pace_gets_it_all_though_sockets_hold_much() {
    let home = home();
    let made = home.path().join("v.es.mp4");
    let all = video(16 << 20);
    fs::write(&made, &all).unwrap();
    let media = Folder::open(&home.path().join("media"), Limits::default()).unwrap();
    let at = Timestamp::from_unix_ms(1_795_510_800_000);
    let job = Id::new(at, Ix::MIN, &mut Random::new([1; 32]));
    media.adopt(job, "es", &made, &[]).unwrap();
    let server = Server::builder().listen("127.0.0.1:0").media(media);
    let server = server.reading_pace(Duration::from_secs(2), 1_000);
    let server = server.bind().expect("a port").start().expect("a thread");
    let path = format!("/v1/translations/{}/output", job.text(Prefix::Job));
    let mut slow = connect(server.address());
    let get = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    slow.write_all(get.as_bytes()).unwrap();
    // For three times as long as it may take nothing it takes little: a third of what sockets hold is far more.
    let (mut taken, mut piece) = (Vec::new(), vec![0; 32 << 10]);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        let len = slow.read(&mut piece).expect("it is sent on");
        taken.extend(&piece[..len]);
        thread::sleep(Duration::from_millis(100));
    }
    slow.read_to_end(&mut taken).expect("it is sent on");
    let head = taken.windows(4).position(|end| end == b"\r\n\r\n");
    let body = &taken[head.expect("a head") + 4..];
    assert!(body == all, "{} bytes came", body.len());
}

/// How many connections the server has.
fn connections(asker: &mut Asker) -> usize {
    let figures = asker.call("GET", "/metrics", "").body;
    let text = String::from_utf8(figures).expect("text");
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("dubhook_connections "));
    count.expect("a figure").parse().expect("a number")
}

/// Has a job done and told by webhook, beside API calls of other kinds.
fn serves_all_else(asker: &mut Asker, hearer: &Hearer) {
    let job = r#"{"video_url":"https://v.test/1.mp4","target_language":"es"}"#;
    for _ in 0..20 {
        assert_eq!(asker.call("POST", "/v1/translations", job).status, 202);
        assert_eq!(
            asker.call("GET", "/v1/translations?limit=5", "").status,
            200
        );
    }
    let mut ended = 0;
    while ended < 20 {
        ended += usize::from(hearer.next().kind() == "translation.completed");
    }
}

/// A server whose media lie in `media` of its home, and a receiver that is told of all that happens.
fn with_receiver(home: &Path) -> (Served, Asker, Hearer) {
    let served = serve(home, &["--simulate", "0s..1ms", "--simulate-errors", "0"]);
    let mut asker = Asker::new(served.address);
    let hearer = Hearer::new();
    let hook = json!({"url": hearer.url()}).to_string();
    assert_eq!(asker.call("POST", "/v1/webhooks", &hook).status, 201);
    (served, asker, hearer)
}

#[test]
fn a_disk_that_does_not_answer_holds_up_those_alone_who_want_something_of_it() {
    take_descriptors();
    let home = home();
    let (served, mut asker, hearer) = with_receiver(home.path());
    let upload = create(&mut asker, &json!({"bytes": 10}));
    // Whoever opens this waits until somebody writes into it.
    let note = home.path().join("data/media/uploads");
    let note = note.join(format!("{}.json", upload["id"].as_str().unwrap()));
    fs::remove_file(&note).unwrap();
    let made = Command::new("mkfifo").arg(&note).status();
    assert!(made.expect("mkfifo").success());
    let get = format!(
        "GET {} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n",
        path_of(&upload)
    );
    // More than all threads that may wait.
    let waiting: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = connect(served.address);
            stream.write_all(get.as_bytes()).unwrap();
            stream
        })
        .collect();
    serves_all_else(&mut asker, &hearer);
    let (done, told) = channel();
    let writing = thread::spawn(move || {
        // Nobody opens it any more once all are answered.
        while told.try_recv().is_err() {
            let _ = File::options().read(true).write(true).open(&note);
            thread::sleep(Duration::from_millis(1));
        }
    });
    for mut stream in waiting {
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        assert!(said.starts_with("HTTP/1.1 "), "{said}");
    }
    done.send(()).unwrap();
    writing.join().unwrap();
}

#[test]
fn a_disk_that_is_broken_fails_those_alone_who_want_something_of_it() {
    let home = home();
    let (_served, mut asker, hearer) = with_receiver(home.path());
    let upload = create(&mut asker, &json!({"bytes": 10}));
    let uploads = home.path().join("data/media/uploads");
    fs::remove_dir_all(&uploads).unwrap();
    fs::write(&uploads, "This is no directory.").unwrap();
    for _ in 0..10 {
        let answer = asker.call("POST", "/v1/uploads", r#"{"bytes":10}"#);
        assert_eq!(answer.status / 100, 5, "{}", answer.json());
        let answer = asker.call("GET", &path_of(&upload), "");
        assert!(answer.status >= 400, "{}", answer.json());
        serves_all_else(&mut asker, &hearer);
    }
}
