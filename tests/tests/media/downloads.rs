//! Downloads by the command line, from a server that breaks off.

use super::*;
use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

const JOB: &str = "job_01m8hmbbfzenp8mfb755000001";

/// What a request asks for: from where, and up to where if that is said. None where it is not the video.
fn asked(head: &str) -> Option<(usize, Option<usize>)> {
    if !head.starts_with(&format!("GET /v1/translations/{JOB}/output HTTP/1.1\r\n")) {
        return None;
    }
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))?;
    let (from, to) = range.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()))
}

/// Answers one request with what it asks for of the video: with half of it where `breaks` says so, and then the connection ends.
fn answer(stream: &mut TcpStream, video: &[u8], breaks: bool) -> Option<(usize, Option<usize>)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    let Some((from, to)) = asked(&String::from_utf8_lossy(&head)) else {
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}")
            .unwrap();
        return None;
    };
    let last = to.unwrap_or(usize::MAX).min(video.len() - 1);
    let piece = &video[from..=last];
    let said = format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{last}/{}\r\netag: \"t\"\r\n\
         content-disposition: attachment; filename*=UTF-8''v.es.mp4\r\ncontent-length: {}\r\n\r\n",
        video.len(),
        piece.len()
    );
    let piece = match breaks {
        true => &piece[..piece.len() / 2],
        false => piece,
    };
    stream.write_all(said.as_bytes()).unwrap();
    stream.write_all(piece).unwrap();
    Some((from, to))
}

#[test]
fn a_download_comes_in_one_answer_and_goes_on_where_that_broke_off() {
    let home = home();
    let all = Arc::new(video(9_000_000));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let told: Arc<Mutex<Vec<_>>> = Arc::default();
    let (film, tell) = (Arc::clone(&all), Arc::clone(&told));
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let breaks = tell.lock().unwrap().len() == 1;
            if let Some(asked) = answer(&mut stream, &film, breaks) {
                tell.lock().unwrap().push(asked);
            }
        }
    });
    let here = home.path().to_str().unwrap();
    let said = run(&["download", JOB, "--server", &server, "--output", here]);
    assert!(said.status.success(), "{said:?}");
    assert!(fs::read(home.path().join("v.es.mp4")).unwrap() == *all);
    // The first part says what it is; then the rest, of which half comes; then the next part, and the rest of that.
    let first = 2 << 20;
    let half = first + (9_000_000 - first) / 2;
    let asked = told.lock().unwrap().clone();
    let expect = [
        (0, Some(first - 1)),
        (first, None),
        (half, Some(half + first - 1)),
        (half + first, None),
    ];
    assert_eq!(asked, expect);
}
