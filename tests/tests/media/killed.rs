//! Kills in the middle of uploads and downloads. `KILL_ROUNDS` says how many.

use super::*;

const ROUNDS: usize = 6;
const BYTES: usize = 4 << 20;

/// How an upload and a download stand between two kills.
struct Ledger {
    all: Vec<u8>,
    digest: String,
    /// The upload that is under way, and how much of it was acknowledged.
    upload: String,
    acknowledged: usize,
    /// Uploads that became whole.
    whole: usize,
    /// How much of the output was read, over how many kills.
    read: usize,
    reads: usize,
}

impl Ledger {
    fn announce(&mut self, asker: &mut Asker) {
        let new = json!({"bytes": BYTES, "filename": "v.mp4", "sha256": self.digest});
        self.upload = path_of(&create(asker, &new));
        self.acknowledged = 0;
    }

    /// What was acknowledged is there, and what is not whole is not served.
    fn check(&mut self, asker: &mut Asker, uploads: &Path) {
        let at = offset(asker, &self.upload);
        assert!(
            at >= self.acknowledged,
            "{at} of {} that were acknowledged",
            self.acknowledged
        );
        let content = asker.try_call(
            "GET",
            &format!("{}/content", self.upload),
            "range: bytes=0-9\r\n",
            "",
        );
        let content = content.unwrap();
        if at < BYTES {
            assert_eq!(content.status, 404, "half of it is served");
            return;
        }
        assert_eq!(content.body, &self.all[..10]);
        let name = &self.upload["/v1/uploads/".len()..];
        assert_eq!(sha256(&uploads.join(name)), self.digest);
        // There is room for one: another one finds it only if all of this comes back.
        assert_eq!(asker.call("DELETE", &self.upload, "").status, 204);
        self.whole += 1;
        self.announce(asker);
    }

    /// Sends a piece that is acknowledged, and begins one that will not be.
    fn send(&mut self, address: SocketAddr, random: &mut Random) -> Option<TcpStream> {
        let mut asker = Asker::new(address);
        let at = offset(&mut asker, &self.upload);
        let piece = 1 + random.below(700_000) as usize;
        let end = (at + piece).min(BYTES);
        let fields = format!("upload-offset: {at}\r\n");
        let said = fill(address, "PATCH", &self.upload, &fields, &self.all[at..end]);
        assert!(said.starts_with("HTTP/1.1 204"), "{said}");
        self.acknowledged = end;
        let rest = BYTES - end;
        if rest == 0 {
            return None;
        }
        let mut stream = connect(address);
        let head = format!(
            "PATCH {} HTTP/1.1\r\nhost: here\r\nupload-offset: {end}\r\ncontent-length: {rest}\r\n\r\n",
            self.upload
        );
        stream.write_all(head.as_bytes()).unwrap();
        let some = random.below(1 + rest as u64) as usize;
        stream.write_all(&self.all[end..end + some]).unwrap();
        Some(stream)
    }

    /// Takes what a killed server has sent of an output: as far as it goes, it is right.
    fn take(&mut self, mut stream: TcpStream) {
        let mut came = Vec::new();
        let ended = stream.read_to_end(&mut came);
        let Some(head) = came.windows(4).position(|part| part == b"\r\n\r\n") else {
            return;
        };
        let body = &came[head + 4..];
        assert!(ended.is_err() || body.len() <= BYTES - self.read);
        assert_eq!(
            body,
            &self.all[self.read..self.read + body.len()],
            "{}",
            self.read
        );
        self.read += body.len();
        self.reads += 1;
        if self.read == BYTES {
            self.read = 0;
        }
    }
}

#[test]
fn killed_in_the_middle_it_loses_nothing_serves_nothing_half_and_keeps_no_room() {
    let rounds = std::env::var("KILL_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let home = home();
    // An upload and an output, and as good as nothing besides.
    let room = (2 * BYTES + 1_000).to_string();
    let arguments = [
        "--media-bytes-max",
        &room,
        "--translator",
        "command",
        "--command",
        COPY,
    ];
    let mut served = serve(home.path(), &arguments);
    let mut asker = Asker::new(served.address);
    let all = video(BYTES);
    let file = home.path().join("v.mp4");
    fs::write(&file, &all).unwrap();
    let digest = sha256(&file);
    let (upload, whole, read) = (String::new(), 0, 0);
    let mut ledger = Ledger {
        all,
        digest,
        upload,
        acknowledged: 0,
        whole,
        read,
        reads: 0,
    };
    ledger.announce(&mut asker);
    fill(served.address, "PUT", &ledger.upload, "", &ledger.all);
    let video = format!("dubhook:{}", &ledger.upload["/v1/uploads/".len()..]);
    let job = json!({"video_url": video, "target_language": "es"}).to_string();
    let job = asker.call("POST", "/v1/translations", &job).fields["location"].clone();
    let output = format!("{job}/output");
    let begun = Instant::now();
    while asker.call("HEAD", &output, "").status != 200 {
        assert!(
            begun.elapsed() < PATIENCE,
            "{}",
            asker.call("GET", &job, "").json()
        );
        thread::sleep(Duration::from_millis(20));
    }
    let uploads = home.path().join("data/media/uploads");
    ledger.check(&mut asker, &uploads);
    let mut random = Random::new([7; 32]);
    for _ in 0..rounds {
        let sending = ledger.send(served.address, &mut random);
        let mut reading = connect(served.address);
        let get = format!(
            "GET {output} HTTP/1.1\r\nhost: here\r\nconnection: close\r\nrange: bytes={}-\r\n\r\n",
            ledger.read
        );
        reading.write_all(get.as_bytes()).unwrap();
        // The moment of a kill is the one thing here that shall not follow from anything.
        thread::sleep(Duration::from_micros(random.below(30_000)));
        served.program.kill();
        drop(sending);
        ledger.take(reading);
        served = serve(home.path(), &arguments);
        asker = Asker::new(served.address);
        ledger.check(&mut asker, &uploads);
        let tag = asker.call("HEAD", &output, "").fields["etag"].clone();
        assert_eq!(tag, format!("\"{}\"", ledger.digest));
    }
    println!(
        "{rounds} kills: {} uploads became whole, {} reads were cut",
        ledger.whole, ledger.reads
    );
    // What is left is the output, and what was begun.
    assert_eq!(asker.call("DELETE", &ledger.upload, "").status, 204);
    assert_eq!(fs::read_dir(&uploads).unwrap().count(), 0);
    let outputs = fs::read_dir(home.path().join("data/media/outputs")).unwrap();
    assert_eq!(outputs.count(), 2, "a file and a note");
    ledger.announce(&mut asker);
    fill(served.address, "PUT", &ledger.upload, "", &ledger.all);
    ledger.acknowledged = BYTES;
    ledger.check(&mut asker, &uploads);
}
