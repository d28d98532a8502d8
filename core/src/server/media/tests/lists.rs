//! Lists of uploads.

use super::*;
use crate::{id::Ix, random::Random};
use std::{format, string::String, vec::Vec};

/// The uploads of a home that has forty, whose names are long.
pub(super) fn listed(after: Option<Id>, limit: u8) -> Vec<Upload<'static>> {
    let mut random = Random::new([3; 32]);
    let all = (0..40).rev().map(|ms| {
        let id = Id::new(Timestamp::from_unix_ms(ms), Ix::MIN, &mut random);
        let filename = Some(LONG_NAME);
        let upload = upload(id, b"012", 10, Put::Here);
        Upload { filename, ..upload }
    });
    all.filter(|upload| after.is_none_or(|after| upload.id < after))
        .take(limit.into())
        .collect()
}

/// As long as a name may be, and each letter of it is escaped.
const LONG_NAME: &str = match core::str::from_utf8(&[b'"'; 255]) {
    Ok(name) => name,
    Err(_) => "",
};

#[test]
fn pages_make_up_the_whole_list_of_uploads_however_few_fit_into_one() {
    let mut home = Home::open();
    for limit in [1, 7, 100] {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let path = format!("/v1/uploads?limit={limit}{cursor}");
            let said = home.receive(get(&path, "").as_bytes());
            assert_eq!(status(&said), "200", "{said}");
            assert!(
                said.contains(r#""received":3,"state":"incomplete""#),
                "{said}"
            );
            let here = said.matches(r#"{"id":"med_"#).count();
            assert!((1..=limit).contains(&here), "{here} of {limit}");
            count += here;
            let (_, next) = said.split_once(r#"],"next_cursor":"#).unwrap();
            // The driver cannot know that nothing follows the last one.
            if next == "null}" {
                break;
            }
            if count == 40 {
                cursor = format!("&cursor={}", next.trim_matches(['"', '}']));
                let path = format!("/v1/uploads?limit={limit}{cursor}");
                let said = home.receive(get(&path, "").as_bytes());
                assert!(
                    said.ends_with(r#"{"data":[],"next_cursor":null}"#),
                    "{said}"
                );
                break;
            }
            cursor = format!("&cursor={}", next.trim_matches(['"', '}']));
        }
        assert_eq!(count, 40);
    }
    for (query, expect) in [
        ("limit=0", "limit"),
        ("cursor=job_01m8hmbbfzenp8mfb755000001", "cursor"),
        ("sha256=0", "sha256"),
        ("limit=1&limit=1", "limit"),
    ] {
        let said = home.receive(get(&format!("/v1/uploads?{query}"), "").as_bytes());
        assert_eq!(status(&said), "422", "{query}: {said}");
        assert!(said.contains(&format!(r#""field":"{expect}""#)), "{said}");
    }
    let none = home.receive(b"HEAD /v1/uploads HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(
        none.ends_with("\r\n\r\n") && status(&none) == "200",
        "{none}"
    );
}
