//! Names and kinds of files.

use super::*;

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
        "NUL.mp4",
        "med_01m8hmbbfzenp8mfb755000001.json",
        ".part",
        " ",
        "\"; filename=\"x.html",
    ] {
        let upload = create(&mut asker, &json!({"bytes": 1, "filename": name}));
        let said = fill(served.address, "PUT", &path_of(&upload), "", b"x");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert_eq!(
            asker.call("GET", &path_of(&upload), "").json()["filename"],
            json!(name)
        );
    }
    let long = "x".repeat(4096);
    for name in [&*long, "", "a\0b", "a\nb", "a\r\nx-a: b", "\u{7f}"] {
        let refused = json!({"bytes": 1, "filename": name}).to_string();
        let answer = asker.call("POST", "/v1/uploads", &refused);
        assert_eq!(answer.status, 422, "{name:?}");
        assert_eq!(answer.json()["field"], json!("filename"));
    }
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

/// What nobody's browser runs, whoever made it and whatever it is called.
#[track_caller]
fn is_harmless(answer: &Answer) {
    assert_eq!(answer.status, 200);
    let field = |name: &str| answer.fields[name].as_str();
    assert!(field("content-disposition").starts_with("attachment; "));
    assert_eq!(field("x-content-type-options"), "nosniff");
    assert!(field("content-security-policy").contains("sandbox"));
    let kind = field("content-type");
    assert!(
        !["html", "svg", "xml", "script"]
            .iter()
            .any(|bad| kind.contains(bad)),
        "{kind}"
    );
}

#[test]
fn what_a_browser_would_run_is_an_attachment() {
    let home = home();
    let command = r#"name=$(sed -n 's/.*"reference":"\([^"]*\)".*/\1/p'); file="$DUBHOOK_OUTPUT_DIR/$name"
        printf '<script>alert(1)</script>' > "$file"; printf '{"output_url":"file://%s"}\n' "$file""#;
    let served = serve(
        home.path(),
        &["--translator", "command", "--command", command],
    );
    let mut asker = Asker::new(served.address);
    for (name, kind) in [
        ("a.html", "text/html"),
        ("a.svg", "image/svg+xml"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.js", "text/javascript"),
        ("a.mp4", "text/html"),
    ] {
        let text = b"<script>alert(1)</script>";
        let new = json!({"bytes": text.len(), "filename": name, "content_type": kind});
        let upload = create(&mut asker, &new);
        fill(served.address, "PUT", &path_of(&upload), "", text);
        is_harmless(&asker.call("GET", &format!("{}/content", path_of(&upload)), ""));

        let job =
            json!({"video_url": upload["video_url"], "target_language": "es", "reference": name});
        let answer = asker.call("POST", "/v1/translations", &job.to_string());
        let path = answer.fields["location"].clone();
        let mut job = asker
            .try_call("GET", &path, "prefer: wait=30\r\n", "")
            .unwrap()
            .json();
        while job["status"] != "completed" {
            assert!(job["status"] != "error", "{job}");
            thread::sleep(Duration::from_millis(20));
            job = asker.call("GET", &path, "").json();
        }
        is_harmless(&asker.call("GET", &format!("{path}/output"), ""));
    }
}
