//! What the fuzz targets have met so far, once more; and each of it a little damaged.

use dubhook_tests::fuzz::TARGETS;
use proptest::{collection, prelude::*, sample::Index};
use std::{fs, path::Path};

/// The entries of a target's corpus, by name.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "{target} has hardly a corpus");
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

#[test]
fn every_target_holds_for_its_corpus() {
    for (name, target) in TARGETS {
        for entry in corpus(name) {
            target(&entry);
        }
    }
}

#[test]
fn every_target_holds_for_nothing_and_for_plain_bytes() {
    for (_, target) in TARGETS {
        target(b"");
        for byte in 0..=u8::MAX {
            target(&[byte]);
            target(&[byte; 64]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_target_holds_for_its_corpus_damaged(
        entry in any::<Index>(),
        damages in collection::vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..6),
    ) {
        for (name, target) in TARGETS {
            let entries = corpus(name);
            let mut bytes = entry.get(&entries).clone();
            for (at, kind, byte) in &damages {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = *byte,
                    1 => bytes.insert(at, *byte),
                    2 => drop(bytes.remove(at)),
                    _ => bytes.extend_from_within(at..),
                }
            }
            bytes.truncate(4_096);
            target(&bytes);
        }
    }
}
