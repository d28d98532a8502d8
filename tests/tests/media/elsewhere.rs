//! The command line, where the server says that an object store takes the bytes and has them.

use super::*;
use dubhook_tests::wire::Arrival;
use std::sync::{Arc, Mutex};

/// A server and an object store that are no more than what they say: the first keeps no byte.
struct Pair {
    server: Hearer,
    _store: Hearer,
    /// What the store was sent, in the order in which it came, and with which fields.
    came: Arc<Mutex<Vec<Arrival>>>,
}

const KEY: &str = "sesame";
const ID: &str = "med_01m8hmbbfzenp8mfb755000001";
const JOB: &str = "job_01m8hmbbfzenp8mfb755000001";

fn json_answer(status: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// They take a file of so many bytes: in parts of so many, or at once.
fn pair(bytes: usize, part_bytes: Option<usize>, output: &'static str) -> Pair {
    let came: Arc<Mutex<Vec<Arrival>>> = Arc::default();
    let store = {
        let came = Arc::clone(&came);
        Hearer::answering(move |arrival| {
            assert!(!arrival.fields.contains_key("authorization"), "the key");
            if arrival.path == "/output" {
                let span = format!("bytes 0-{}/{}", output.len() - 1, output.len());
                assert!(arrival.fields["range"].starts_with("bytes=0-"));
                return format!(
                    "HTTP/1.1 206 Partial Content\r\ncontent-range: {span}\r\netag: \"x\"\r\n\
                     content-disposition: attachment; filename*=UTF-8''v.es.mp4\r\ncontent-length: {}\r\n\r\n{output}",
                    output.len()
                );
            }
            came.lock().unwrap().push(Arrival {
                path: arrival.path.clone(),
                peer: arrival.peer,
                fields: arrival.fields.clone(),
                body: arrival.body.clone(),
            });
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
        })
    };
    let there = format!("http://{}", store.address);
    let server = {
        let came = Arc::clone(&came);
        Hearer::answering(move |arrival| {
            assert_eq!(arrival.fields["authorization"], format!("Bearer {KEY}"));
            let at = |path: &str| format!("{there}/{path}?signature=secret");
            let put = |url: String| json!({"method": "PUT", "url": url, "headers": {}, "expires_at": "2027-01-01T00:00:00.000Z"});
            let received: usize = came.lock().unwrap().iter().map(|put| put.body.len()).sum();
            let mut how = put(at("whole"));
            how["headers"]["x-amz-checksum-sha256"] = json!("c3Vt");
            if let Some(each) = part_bytes {
                how = put(format!("/v1/uploads/{ID}/parts/{{number}}"));
                how["part_bytes"] = json!(each);
                how["parts"] = json!(bytes.div_ceil(each));
            }
            let upload = json!({"id": ID, "video_url": format!("dubhook:{ID}"), "bytes": bytes, "received": received,
                "sha256": null, "filename": "v.mp4", "expires_at": "2099-01-01T00:00:00.000Z", "upload": how});
            let parts = format!("/v1/uploads/{ID}/parts/");
            match arrival.path.as_str() {
                "/v1/uploads" if arrival.body.is_empty() => {
                    json_answer("200 OK", &json!({"data": [], "next_cursor": null}))
                }
                "/v1/uploads" => json_answer("201 Created", &upload),
                path if path.starts_with(&parts) => {
                    json_answer("200 OK", &put(at(&path[parts.len()..])))
                }
                path if path.ends_with("/output") => format!(
                    "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
                    at("output")
                ),
                path if path.starts_with("/v1/uploads/") => json_answer("200 OK", &upload),
                _ => json_answer("404 Not Found", &json!({"code": "output_not_found"})),
            }
        })
    };
    Pair {
        server,
        _store: store,
        came,
    }
}

fn upload(pair: &Pair, bytes: &[u8]) {
    let home = home();
    let file = home.path().join("v.mp4");
    fs::write(&file, bytes).unwrap();
    let server = format!("http://{}", pair.server.address);
    let file = file.to_str().unwrap();
    let said = run(&["upload", file, "--server", &server, "--api-key", KEY]);
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.trim_end(), format!("dubhook:{ID}"));
}

#[test]
fn a_file_goes_to_the_object_store_that_the_server_names_at_once_or_in_parts() {
    let all = video(50_000);
    let once = pair(all.len(), None, "");
    upload(&once, &all);
    let came = once.came.lock().unwrap();
    assert_eq!(came.len(), 1);
    assert_eq!((came[0].path.as_str(), &came[0].body), ("/whole", &all));
    assert_eq!(came[0].fields["x-amz-checksum-sha256"], "c3Vt");

    let parts = pair(all.len(), Some(20_000), "");
    upload(&parts, &all);
    let came = parts.came.lock().unwrap();
    let paths: Vec<_> = came.iter().map(|part| part.path.as_str()).collect();
    assert_eq!(paths, ["/1", "/2", "/3"]);
    let sent: Vec<u8> = came.iter().flat_map(|part| part.body.clone()).collect();
    assert_eq!(sent, all);
}

#[test]
fn an_output_comes_from_the_object_store_that_the_server_leads_to() {
    let pair = pair(1, None, "The translation.");
    let home = home();
    let server = format!("http://{}", pair.server.address);
    let here = home.path().to_str().unwrap();
    let common = ["--server", &server, "--api-key", KEY, "--output", here];
    let said = run(&[&["download", JOB], &common[..]].concat());
    assert!(said.status.success(), "{said:?}");
    let brought = String::from_utf8(said.stdout).unwrap();
    assert_eq!(brought.trim_end(), format!("{here}/v.es.mp4"));
    let text = fs::read_to_string(brought.trim_end()).unwrap();
    assert_eq!(text, "The translation.");
}
