//! The real program's page, its description and its figures, over sockets.

use dubhook_core::{http::FieldLine, server::Page, simulate::Settings};
use dubhook_smol::{
    pages,
    server::{Handle, Server},
};
use dubhook_tests::{
    program::Program,
    wire::{self, Answer, Asker, PATIENCE},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

#[test]
fn the_program_shows_its_page_its_description_and_its_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut program = Program::serve(&["--in-memory", "--api-key", "key"], &log);
    let address = program.address();
    let mut asker = Asker::new(address);
    for page in pages::ALL {
        let answer = asker.call("GET", page.path(), "");
        assert_eq!(answer.status, 200, "{}", page.path());
        assert!(answer.body == page.body(), "{}", page.path());
        let known = format!("if-none-match: {}\r\n", answer.fields["etag"]);
        let known = asker.try_call("GET", page.path(), &known, "");
        assert_eq!(known.expect("an answer").status, 304, "{}", page.path());
        let head = asker.call("HEAD", page.path(), "");
        assert_eq!(head.fields["content-length"], page.body().len().to_string());
        assert_eq!(answer.fields["x-content-type-options"], "nosniff");
        assert_eq!(answer.fields["referrer-policy"], "no-referrer");
        let policy = &answer.fields["content-security-policy"];
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let kind = |answer: &Answer| answer.fields["content-type"].clone();
    assert_eq!(
        kind(&asker.call("GET", "/", "")),
        "text/html; charset=utf-8"
    );
    let described = asker.call("GET", "/openapi.json", "");
    assert_eq!(
        (kind(&described).as_str(), &described.json()["openapi"]),
        ("application/json", &"3.1.0".into())
    );
    let figures = asker.call("GET", "/metrics", "");
    assert!(figures.body.starts_with(b"# HELP dubhook_build_info "));
    assert_eq!(asker.call("GET", "/v1/translations", "").status, 401);
    program.terminate();
    assert!(program.wait().0.success());
}

/// Whatever the page names is one of the pages, or of the API.
#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let text = |path| {
        let page = pages::ALL.iter().find(|page| page.path() == path);
        std::str::from_utf8(page.expect("a page").body()).expect("text")
    };
    let html = text("/");
    let attributes = ["src=\"", "href=\""].map(|name| html.split(name).skip(1));
    let mut count = 0;
    for link in attributes.into_iter().flatten() {
        let target = link.split('"').next().expect("an end");
        let is_page = pages::ALL
            .iter()
            .any(|page| page.path().strip_prefix('/') == Some(target));
        let is_open = ["metrics", "status"].contains(&target) || target.starts_with('#');
        assert!(is_page || is_open, "{target}");
        count += 1;
    }
    assert!(count >= 5, "{count} links");
    for inline in ["<style", " style=", " onclick", " onload", "<script>"] {
        assert!(!html.contains(inline), "{inline}");
    }
    let scripts = pages::ALL.iter().map(Page::path);
    for script in scripts.filter(|path| path.ends_with(".js")) {
        let script = text(script);
        for import in script.lines().filter(|line| line.starts_with("import ")) {
            let from = import
                .rsplit('"')
                .nth(1)
                .and_then(|from| from.strip_prefix("./"));
            let path = format!("/page/{}", from.expect("a neighbour"));
            assert!(pages::ALL.iter().any(|page| page.path() == path), "{path}");
        }
        for danger in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            "cookie",
        ] {
            assert!(!script.contains(danger), "{danger}");
        }
    }
}

/// A page of more than sockets hold between them.
static LONG: LazyLock<[Page<'static>; 1]> = LazyLock::new(|| {
    const FIELDS: &[FieldLine] = &[FieldLine::new("content-type: text/plain\r\n")];
    let body = vec![b'x'; wire::more_than_sockets_hold()];
    [Page::new("/long", FIELDS, body.leak())]
});
const GET: &[u8] = b"GET /long HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";

/// A client that has asked for a page that no socket holds, whose rest waits in the server.
fn ask_for_long(server: &Handle) -> TcpStream {
    let mut client = TcpStream::connect(server.address()).expect("a listener");
    client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    client.write_all(GET).expect("it reads");
    // Only then it is counted.
    wire::until_it_says_something(&client);
    client
}

/// How many connections the server has.
fn connections(asker: &mut Asker) -> usize {
    let figures = asker.call("GET", "/metrics", "").body;
    let text = String::from_utf8(figures).expect("text");
    let mut lines = text.lines();
    let count = lines.find_map(|line| line.strip_prefix("dubhook_connections "));
    count.expect("a figure").parse().expect("a number")
}

/// What of the page comes to a client that reads no more slowly than it can.
fn read_all(client: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    match client.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    bytes.len()
}

fn serve(grace: Duration, bytes_per_second_min: u64) -> Handle {
    let builder = Server::builder().listen("127.0.0.1:0").capacity(10);
    let builder = builder.simulate(Settings::STANDARD).pages(&*LONG);
    let server = builder.reading_pace(grace, bytes_per_second_min).bind();
    server.expect("a port").start().expect("a thread")
}

#[test]
fn a_page_is_whole_for_a_client_that_takes_a_pause() {
    let server = serve(PATIENCE, 500);
    let mut client = ask_for_long(&server);
    // Until the sockets are full, and more waits behind them.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(connections(&mut Asker::new(server.address())), 2);
    assert!(read_all(&mut client) > LONG[0].body().len());
    server.stop().expect("a good end");
}

#[test]
fn a_page_must_be_taken_at_the_pace_of_any_answer() {
    // Whoever has a part waiting for longer than the grace is too slow, whatever it takes.
    let server = serve(Duration::from_millis(300), u64::MAX);
    let mut asker = Asker::new(server.address());
    let mut client = ask_for_long(&server);
    let give_up = Instant::now() + PATIENCE;
    let mut taken = 0;
    while connections(&mut asker) > 1 {
        assert!(Instant::now() < give_up, "it is still waited for");
        taken += client.read(&mut [0; 64]).unwrap_or(0);
        thread::sleep(Duration::from_millis(10));
    }
    taken += read_all(&mut client);
    assert!(taken < LONG[0].body().len(), "{taken} bytes");
    server.stop().expect("a good end");
}
