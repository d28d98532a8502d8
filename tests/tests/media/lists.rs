//! Which uploads there are.

use super::*;

fn ids(page: &Value) -> Vec<String> {
    let items = page["data"].as_array().unwrap();
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    items.iter().map(id).collect()
}

#[test]
fn uploads_are_listed_newest_first_and_found_by_what_they_are() {
    let home = home();
    let served = serve(home.path(), &[]);
    let mut asker = Asker::new(served.address);
    let wanted = "ab".repeat(32);
    let mut made: Vec<String> = (0..25)
        .map(|number| {
            // Ids made in one millisecond have no order.
            thread::sleep(Duration::from_millis(2));
            let sha256 = (number % 10 == 0).then_some(&wanted);
            let new = json!({"bytes": 10, "filename": format!("{number}.mp4"), "sha256": sha256});
            create(&mut asker, &new)["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let path = format!("/v1/uploads/{}", made[20]);
    fill(
        served.address,
        "PATCH",
        &path,
        "upload-offset: 0\r\n",
        b"123",
    );
    made.reverse();
    for limit in [1, 7, 25, 100] {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = asker.call("GET", &format!("/v1/uploads?limit={limit}{cursor}"), "");
            all.extend(ids(&page.json()));
            match page.json()["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(all, made, "{limit} at once");
    }
    // The case of the digits is nobody's business.
    let query = format!("/v1/uploads?sha256={}", wanted.to_uppercase());
    let found = asker.call("GET", &query, "").json();
    assert_eq!(ids(&found), [&*made[4], &*made[14], &*made[24]]);
    let begun = &found["data"][0];
    assert_eq!(begun["received"], json!(3));
    assert_eq!(begun["state"], json!("incomplete"));
    assert_eq!(begun["filename"], json!("20.mp4"));
    // What is gone is no hindrance.
    assert_eq!(asker.call("DELETE", &path, "").status, 204);
    let after = asker.call("GET", &format!("/v1/uploads?cursor={}", made[4]), "");
    assert_eq!(ids(&after.json())[0], made[5]);

    let server = format!("http://{}", served.address);
    let said = run(&["uploads", "--limit", "30", "--server", &server]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(
        said.lines().count(),
        25,
        "a heading and all that are left: {said}"
    );
    assert!(said.contains("24.mp4"), "{said}");
}
