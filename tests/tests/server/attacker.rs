//! Whatever is sent, in whatever pieces, with whatever happening meanwhile.

use dubhook_tests::fuzz;
use proptest::{collection, prelude::*};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_keeps_its_word(script in collection::vec(any::<u8>(), 0..600)) {
        fuzz::server(&script);
    }
}
