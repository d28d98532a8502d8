//! What holds for any bytes.

use crate::cases::cases;
use crate::connection::{CAPACITY, serve};
use dubhook_core::http::{Limits, Method, Progress, RecvBuf, RequestParser};
use proptest::{collection, prelude::*, sample};

/// Requests, good and nearly good, then damaged in a few places.
fn damaged_requests() -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = cases()
        .into_iter()
        .map(|(_, bytes, _)| bytes)
        .filter(|bytes| bytes.len() < 4_000)
        .collect();
    let bytes = sample::select(b"\r\n\t :;,=%?#/\"\\0159aAfFxX\x00\x7f\x80\xff".to_vec());
    let damage = (any::<sample::Index>(), 0..4u8, bytes);
    (
        collection::vec(sample::select(seeds), 1..3),
        collection::vec(damage, 0..4),
    )
        .prop_map(|(requests, damages)| {
            let mut bytes = requests.concat();
            for (index, kind, byte) in damages {
                let at = index.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at + 1),
                }
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_bytes_are_split_makes_no_difference(
        bytes in damaged_requests(),
        size in 1..40usize,
        small in any::<bool>(),
    ) {
        let limits = if small { Limits::SMALL } else { Limits::SERVER };
        let capacity = if small { 700 } else { CAPACITY };
        let whole = serve(limits, capacity, [&bytes[..]]).end();
        prop_assert_eq!(&whole, &serve(limits, capacity, bytes.chunks(1)).end());
        prop_assert_eq!(&whole, &serve(limits, capacity, bytes.chunks(size)).end());
    }

    #[test]
    fn any_bytes_are_answered_or_waited_for(bytes in collection::vec(any::<u8>(), 0..300)) {
        let whole = serve(Limits::SMALL, 256, [&bytes[..]]).end();
        prop_assert_eq!(whole, serve(Limits::SMALL, 256, bytes.chunks(1)).end());
    }

    #[test]
    fn what_is_accepted_means_the_same_to_httparse(bytes in damaged_requests()) {
        let mut memory = bytes.clone();
        let len = memory.len();
        let mut buf = RecvBuf::new(&mut memory, len);
        let mut parser = RequestParser::new();
        let accepted = parser.advance(&Limits::SERVER, &mut buf);
        if let Ok(Progress::Complete) = accepted {
            let request = parser.request(buf.filled()).unwrap();
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut oracle = httparse::Request::new(&mut fields);
            let parsed = oracle.parse(&bytes);
            // It refuses later minor versions, which RFC 9110, section 2.5, wants read as 1.1.
            prop_assume!(parsed != Err(httparse::Error::Version));
            prop_assert!(parsed.is_ok_and(|status| status.is_complete()));
            if request.method != Method::Other {
                prop_assert_eq!(Some(request.method.as_str()), oracle.method);
            }
            let target = oracle.path.unwrap();
            if target.starts_with('/') {
                let query = request.query.map_or(String::new(), |query| format!("?{query}"));
                prop_assert_eq!(format!("{}{query}", request.path), target);
            }
            let found: Vec<_> = request.fields.iter().collect();
            let fields: Vec<_> = oracle.headers.iter().map(|f| (f.name.as_bytes(), f.value)).collect();
            prop_assert_eq!(found, fields);
        }
    }
}
