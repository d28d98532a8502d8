//! Parts of an output, by the book: RFC 9110, sections 13 and 14.

use super::*;

#[test]
fn parts_are_answered_as_the_book_says() {
    let home = home();
    let served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    let all = video(1_000);
    let upload = create(&mut asker, &json!({"bytes": 1_000, "filename": "v.mp4"}));
    fill(served.address, "PUT", &path_of(&upload), "", &all);
    let path = format!("{}/content", path_of(&upload));
    let whole = asker.call("GET", &path, "");
    assert_eq!((whole.status, &whole.body), (200, &all));
    assert_eq!(whole.fields["accept-ranges"], "bytes");
    let tag = whole.fields["etag"].clone();
    // Section 14.1.2, and 15.5.17 where nothing of it is there.
    for (range, expect) in [
        ("bytes=0-0", Some(0..1)),
        ("bytes=0-499", Some(0..500)),
        ("bytes=500-", Some(500..1_000)),
        ("bytes=990-2000", Some(990..1_000)),
        ("bytes=-10", Some(990..1_000)),
        ("bytes=-2000", Some(0..1_000)),
        ("bytes=1000-", None),
        ("bytes=5000-6000", None),
        ("bytes=-0", None),
    ] {
        let answer = asker.try_call("GET", &path, &format!("range: {range}\r\n"), "");
        let answer = answer.unwrap();
        let span = &answer.fields["content-range"];
        match expect {
            Some(part) => {
                assert_eq!(answer.status, 206, "{range}");
                assert_eq!(*span, format!("bytes {}-{}/1000", part.start, part.end - 1));
                assert_eq!(answer.body, &all[part], "{range}");
                assert_eq!(answer.fields["etag"], tag);
            }
            None => assert_eq!((answer.status, &**span), (416, "bytes */1000"), "{range}"),
        }
    }
    // Several at once, other units and what is no range are passed over (14.2).
    for range in [
        "bytes=0-1,5-6",
        "bytes=5-3",
        "lines=0-1",
        "bytes=x-",
        "bytes",
    ] {
        let answer = asker.try_call("GET", &path, &format!("range: {range}\r\n"), "");
        let answer = answer.unwrap();
        assert_eq!((answer.status, &answer.body), (200, &all), "{range}");
        assert!(!answer.fields.contains_key("content-range"));
    }
    // A part is sent of what is meant alone (13.1.5), by a strong tag.
    for (condition, status) in [
        (tag.clone(), 206),
        ("\"other\"".to_owned(), 200),
        (format!("W/{tag}"), 200),
        ("Wed, 21 Oct 2015 07:28:00 GMT".to_owned(), 200),
    ] {
        let fields = format!("range: bytes=0-4\r\nif-range: {condition}\r\n");
        let answer = asker.try_call("GET", &path, &fields, "").unwrap();
        assert_eq!(answer.status, status, "{condition}");
    }
    // Whoever has it gets nothing (13.1.2), even where he asks for a part.
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        "*".to_owned(),
        format!("\"a\", {tag}"),
    ] {
        for more in ["", "range: bytes=0-4\r\n"] {
            let fields = format!("if-none-match: {known}\r\n{more}");
            let answer = asker.try_call("GET", &path, &fields, "").unwrap();
            assert_eq!(
                (answer.status, answer.body.len()),
                (304, 0),
                "{known} {more}"
            );
        }
    }
    // A range is of GET alone (14.2).
    let head = asker.try_call("HEAD", &path, "range: bytes=0-4\r\n", "");
    let head = head.unwrap();
    assert_eq!(
        (head.status, &*head.fields["content-length"]),
        (200, "1000")
    );
}
