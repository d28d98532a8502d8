//! A directory of media, from one process to the next.

use super::*;
use dubhook_core::id::Ix;

/// A directory of its own for each test, removed when it ends.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("dubhook-media-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self, media_bytes_max: u64) -> Folder {
        let limits = Limits {
            upload_bytes_max: 100,
            media_bytes_max,
        };
        Folder::open(&self.0, limits).unwrap()
    }

    /// Every file in it.
    fn files(&self) -> usize {
        let count = |name: &str| fs::read_dir(self.0.join(name)).unwrap().count();
        count("uploads") + count("outputs")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn id(slot: u32) -> Id {
    let at = Timestamp::from_unix_ms(1_795_510_800_000);
    let seed = [7; 32];
    Id::new(
        at,
        Ix::new(slot).unwrap(),
        &mut dubhook_core::random::Random::new(seed),
    )
}

fn new(slot: u32, bytes: u64) -> NewUpload {
    NewUpload {
        id: id(slot),
        bytes,
        filename: Some("v.mp4".to_owned()),
        content_type: None,
        sha256: None,
        created_at: Timestamp::from_unix_ms(1_000),
    }
}

fn fill(folder: &Folder, slot: u32, at: Option<u64>, bytes: &[u8]) -> Result<u64, MediaRefusal> {
    let mut filling = folder.begin(id(slot), at, bytes.len() as u64)?;
    for piece in bytes.chunks(3) {
        filling.store(piece)?;
    }
    Ok(filling.finish()?.received)
}

#[test]
fn an_upload_grows_and_is_whole_at_its_end_and_only_then() {
    let home = Home::new("grows");
    let folder = home.open(1_000);
    assert_eq!(folder.find(id(1)), Err(MediaRefusal::NotFound));
    folder.create(new(1, 10)).unwrap();
    assert_eq!(fill(&folder, 1, Some(0), b"01234"), Ok(5));
    assert_eq!(folder.input(id(1)), Err(MediaRefusal::NotFound));
    assert_eq!(fill(&folder, 1, Some(4), b"4"), Err(MediaRefusal::Offset));
    assert_eq!(
        fill(&folder, 1, Some(5), b"567890"),
        Err(MediaRefusal::Length)
    );
    assert_eq!(fill(&folder, 1, None, b"5"), Err(MediaRefusal::Length));
    let held = folder.begin(id(1), Some(5), 5).unwrap();
    assert_eq!(fill(&folder, 1, Some(5), b"5"), Err(MediaRefusal::Busy));
    assert_eq!(folder.remove(id(1)), Err(MediaRefusal::Busy));
    drop(held);
    assert_eq!(fill(&folder, 1, Some(5), b"56789"), Ok(10));
    assert_eq!(
        fs::read(folder.whole(id(1)).unwrap()).unwrap(),
        b"0123456789"
    );
    assert_eq!(
        fill(&folder, 1, None, b"0123456789"),
        Err(MediaRefusal::Done)
    );
    let found = folder.find(id(1)).unwrap().upload;
    assert!(
        found
            .sha256
            .is_some_and(|text| text.starts_with("84d89877f0d4041efb6bf91a16f0248f"))
    );
}

#[test]
fn what_a_process_left_is_counted_and_settled_by_the_next() {
    let home = Home::new("left");
    let folder = home.open(100);
    folder.create(new(1, 10)).unwrap();
    // All bytes are there, and nobody has looked at them yet.
    let mut filling = folder.begin(id(1), None, 10).unwrap();
    filling.store(b"0123456789").unwrap();
    drop(filling);
    let wrong = NewUpload {
        sha256: Some("0".repeat(64)),
        ..new(2, 10)
    };
    folder.create(wrong).unwrap();
    let mut filling = folder.begin(id(2), None, 10).unwrap();
    filling.store(b"0123456789").unwrap();
    drop(filling);
    fs::write(home.0.join("uploads/med_x.json.new"), "half").unwrap();
    drop(folder);
    let folder = home.open(100);
    assert_eq!(folder.find(id(1)).unwrap().received, 10);
    assert!(folder.input(id(1)).is_ok());
    assert_eq!(folder.find(id(2)).unwrap().received, 0, "they were others");
    assert!(
        folder
            .create(new(3, 81))
            .is_err_and(|why| why == MediaRefusal::Full)
    );
    assert!(folder.create(new(3, 80)).is_ok());
    for slot in 1..=3 {
        folder.remove(id(slot)).unwrap();
    }
    assert_eq!(home.files(), 0);
    assert!(folder.create(new(4, 100)).is_ok(), "all room came back");
    assert!(
        folder
            .create(new(5, 101))
            .is_err_and(|why| why == MediaRefusal::TooLarge)
    );
}

#[test]
fn an_output_is_the_translators_file_and_goes_when_it_is_removed() {
    let home = Home::new("output");
    let folder = home.open(20);
    let made = home.0.join("v.es.mp4");
    fs::write(&made, "0123456789").unwrap();
    folder.adopt(id(1), "es", &made, &[]).unwrap();
    // A second run of the same job puts its own in place of it.
    fs::remove_file(&made).unwrap();
    fs::write(&made, "abcdefghij").unwrap();
    folder.adopt(id(1), "es", &made, &[]).unwrap();
    let output = folder.output(id(1)).unwrap();
    assert_eq!(
        (
            output.bytes,
            output.filename.as_str(),
            output.content_type.as_str()
        ),
        (10, "v.es.mp4", "video/mp4")
    );
    assert_eq!(output.tag.len(), 66);
    assert_eq!(fs::read(&made).unwrap(), b"abcdefghij");
    assert_eq!(
        folder.kept(Timestamp::from_unix_ms(0)).unwrap(),
        (vec![], vec![id(1)])
    );
    fs::write(home.0.join("big.mp4"), [0; 21]).unwrap();
    assert_eq!(
        folder.adopt(id(2), "es", &home.0.join("big.mp4"), &[]),
        Err(MediaRefusal::Full)
    );
    assert!(folder.output(id(2)).is_err());
    folder.remove_output(id(1)).unwrap();
    folder.adopt(id(2), "es", &made, &[]).unwrap();
    folder.adopt(id(3), "es", &made, &[]).unwrap();
    assert_eq!(
        folder.adopt(id(4), "es", &made, &[]),
        Err(MediaRefusal::Full)
    );
}

#[test]
fn an_upload_becomes_an_output_once() {
    let home = Home::new("keep");
    let folder = home.open(20);
    folder.create(new(1, 10)).unwrap();
    assert_eq!(
        folder.keep(id(1), id(9), "es", None),
        Err(MediaRefusal::NotFound)
    );
    fill(&folder, 1, None, b"0123456789").unwrap();
    assert_eq!(folder.content(id(1)).unwrap().bytes, 10);
    folder.keep(id(1), id(9), "es", None).unwrap();
    folder.keep(id(1), id(9), "es", None).unwrap();
    assert_eq!(folder.find(id(1)), Err(MediaRefusal::NotFound));
    assert_eq!(folder.output(id(9)).unwrap().filename, "v.es.mp4");
    assert!(
        folder.create(new(2, 11)).is_err(),
        "it takes its room still"
    );
    folder.remove_output(id(9)).unwrap();
    assert_eq!(home.files(), 0);
    assert!(folder.create(new(2, 20)).is_ok());
}

#[test]
fn what_is_old_is_named_after_a_day() {
    let home = Home::new("old");
    let folder = home.open(1_000);
    folder.create(new(1, 10)).unwrap();
    let old = |ms| folder.kept(Timestamp::from_unix_ms(ms)).unwrap().0;
    assert_eq!(old(KEPT_MS + 999), []);
    assert_eq!(old(KEPT_MS + 1_000), [id(1)]);
}

#[test]
fn subtitles_come_and_go_with_their_output_in_both_forms() {
    let home = Home::new("subtitles");
    let folder = home.open(1_000);
    let (made, srt) = (home.0.join("v.es.mp4"), home.0.join("v.es.srt"));
    fs::write(&made, "0123456789").unwrap();
    fs::write(&srt, "1\n00:00:01,000 --> 00:00:02,000\nHola\n").unwrap();
    let text = |job, form| {
        let output = folder.subtitles(id(job), form)?;
        let mut text = String::new();
        let Body::File(mut file) = output.body else {
            panic!("it is a file");
        };
        std::io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(output.bytes, text.len() as u64);
        Ok((output.filename, output.content_type, text))
    };
    folder
        .adopt(id(1), "es", &made, std::slice::from_ref(&srt))
        .unwrap();
    let check = |job, name: &str| {
        assert_eq!(
            text(job, Subtitles::Vtt),
            Ok((
                format!("{name}.vtt"),
                "text/vtt; charset=utf-8".to_owned(),
                "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHola\n\n".to_owned()
            ))
        );
        let (given, _, given_srt) = text(job, Subtitles::Srt).unwrap();
        assert_eq!(
            (given, given_srt),
            (format!("{name}.srt"), fs::read_to_string(&srt).unwrap())
        );
    };
    check(1, "v.es");
    // A run that made none leaves none of the run before it, and what is none is none.
    folder
        .adopt(id(1), "es", &made, std::slice::from_ref(&made))
        .unwrap();
    assert_eq!(text(1, Subtitles::Vtt), Err(MediaRefusal::NotFound));
    folder.remove_output(id(1)).unwrap();

    folder.create(new(2, 10)).unwrap();
    fill(&folder, 2, None, b"0123456789").unwrap();
    let subtitles = fs::read(&srt).unwrap();
    folder.create(new(3, subtitles.len() as u64)).unwrap();
    let keep = |subtitles| folder.keep(id(2), id(9), "es", Some(id(subtitles)));
    assert_eq!(keep(3), Err(MediaRefusal::Subtitles), "they are not whole");
    fill(&folder, 3, None, &subtitles).unwrap();
    assert_eq!(keep(2), Err(MediaRefusal::Subtitles), "it is a video");
    keep(3).unwrap();
    keep(3).unwrap();
    check(9, "v.es");
    assert_eq!(folder.find(id(3)), Err(MediaRefusal::NotFound));
    // All of its room comes back.
    folder.remove_output(id(9)).unwrap();
    assert_eq!(home.files(), 0);
    assert!(folder.create(new(4, 100)).is_ok());
    let full = home.open(100);
    assert_eq!(full.create(new(5, 1)).unwrap_err(), MediaRefusal::Full);
    full.remove(id(4)).unwrap();
    assert!(full.create(new(5, 100)).is_ok());
}

#[test]
fn servers_that_start_at_once_sign_links_with_one_key() {
    let home = Home::new("link-key");
    for _ in 0..20 {
        let _ = fs::remove_dir_all(&home.0);
        let folder = home.open(100);
        let keys = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| folder.link_key().unwrap()))
                .collect();
            asked
                .into_iter()
                .map(|asked| asked.join().unwrap())
                .collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(keys.len(), 1);
        assert_eq!(keys.first(), Some(&folder.link_key().unwrap()));
        assert!(
            fs::read_dir(&home.0).unwrap().count() <= 3,
            "nothing is left over"
        );
    }
}

#[test]
fn an_output_that_cannot_be_kept_leaves_nothing_and_gives_its_room_back() {
    let home = Home::new("unkept");
    let folder = home.open(100);
    let made = home.0.join("made.mp4");
    fs::write(&made, [b'x'; 60]).unwrap();
    let text = home.0.join("made.srt");
    let line = "1\n00:00:01,000 --> 00:00:02,000\nHola\n";
    fs::write(&text, line).unwrap();
    for _ in 0..3 {
        let kept = folder.adopt(id(1), "es", &made, std::slice::from_ref(&text));
        assert_eq!(kept, Err(MediaRefusal::Full), "the subtitles are too much");
        assert_eq!(home.files(), 0);
    }
    folder.create(new(2, 100)).unwrap();
    folder.remove(id(2)).unwrap();
    // Nor does a file that is none.
    let kept = folder.adopt(id(1), "es", &home.0, &[]);
    assert!(kept.is_err() && home.files() == 0, "{kept:?}");
}
