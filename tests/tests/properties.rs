//! A service beside a plain model, over random sequences of everything that can be done to it.

use dubhook_tests::{
    model::Step,
    rig::{Op, Reply, Rig},
    tables::Sizes,
};
use proptest::{collection::vec, prelude::*};

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        6 => Just(Reply::Ok),
        3 => Just(Reply::Error),
        3 => Just(Reply::Reject),
        1 => (0..100u16).prop_map(Reply::Busy),
        1 => Just(Reply::Gone),
        2 => Just(Reply::Silent),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..=101u8).prop_map(Step::Progress),
        3 => Just(Step::Complete),
        2 => Just(Step::Fail),
    ]
}

fn filter() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(0x7f), 2 => Just(0x38), 1 => 1..0x80u8]
}

fn op() -> impl Strategy<Value = Op> {
    let at = || 0..8u8;
    prop_oneof![
        6 => (any::<bool>(), proptest::option::weighted(0.3, 0..4u8), 0..6u8)
            .prop_map(|(callback, key, body)| Op::Submit { callback, key, body }),
        3 => (filter(), proptest::option::of(at()))
            .prop_map(|(filter, job)| Op::Register { filter, job }),
        2 => (at(), any::<bool>()).prop_map(|(at, on)| Op::Enable(at, on)),
        1 => (at(), filter()).prop_map(|(at, filter)| Op::Filter(at, filter)),
        1 => (at(), any::<u8>()).prop_map(|(at, len)| Op::Describe(at, len)),
        1 => at().prop_map(Op::Remove),
        1 => at().prop_map(Op::Test),
        1 => at().prop_map(Op::Rotate),
        2 => at().prop_map(Op::Redeliver),
        5 => Just(Op::Start),
        6 => (at(), step()).prop_map(|(at, step)| Op::Report(at, step)),
        1 => at().prop_map(Op::Cancel),
        12 => (at(), reply()).prop_map(|(at, reply)| Op::Settle(at, reply)),
        3 => prop_oneof![Just(1), Just(4_999), Just(6_000), Just(70_000), Just(3_600_000), Just(90_000_000)]
            .prop_map(Op::Pass),
        1 => prop_oneof![Just(-7_200), Just(-1), Just(3_600), Just(172_800)].prop_map(Op::SetClock),
        8 => Just(Op::Seal),
        8 => Just(Op::Sync),
        2 => Just(Op::Crash),
    ]
}

const fn submit(callback: bool) -> Op {
    Op::Submit {
        callback,
        key: None,
        body: 0,
    }
}

/// What was found once, by name.
#[test]
fn what_was_found_once() {
    let register = Op::Register {
        filter: 0x7f,
        job: None,
    };
    let progress = Op::Report(0, Step::Progress(1));
    let complete = Op::Report(0, Step::Complete);
    let check = |name, sizes, ops: &[Op]| {
        println!("{name}");
        Rig::new(sizes).run(ops);
    };
    check(
        "switched off while progress is in flight, and the job ends",
        Sizes::ROOMY,
        &[
            submit(false),
            Op::Seal,
            Op::Sync,
            Op::Start,
            register.clone(),
            progress.clone(),
            Op::Seal,
            Op::Sync,
            Op::Enable(0, false),
            complete,
        ],
    );
    check(
        "switched off while progress is in flight, and the lease runs out",
        Sizes::TIGHT,
        &[
            submit(false),
            Op::Seal,
            Op::Sync,
            Op::Start,
            register,
            progress,
            Op::Seal,
            Op::Sync,
            Op::Enable(0, false),
            Op::Pass(70_000),
        ],
    );
    check(
        "switched off while progress is in flight, and then it wants something else",
        Sizes::TIGHT,
        &[
            submit(false),
            submit(false),
            Op::Register {
                filter: 0x7f,
                job: Some(1),
            },
            Op::Seal,
            Op::Sync,
            Op::Start,
            submit(false),
            Op::Register {
                filter: 0x7f,
                job: None,
            },
            Op::Register {
                filter: 0x2f,
                job: Some(3),
            },
            submit(true),
            Op::Report(4, Step::Progress(1)),
            Op::Rotate(0),
            Op::Seal,
            Op::Sync,
            Op::Crash,
            Op::Test(0),
            Op::Test(0),
            submit(false),
            Op::Settle(0, Reply::Ok),
            Op::Enable(2, false),
            Op::Filter(2, 0x38),
        ],
    );
    check(
        "a batch is on its way when everything comes to its end",
        Sizes::TIGHT,
        &[
            submit(false),
            submit(false),
            Op::Seal,
            Op::Sync,
            submit(false),
            Op::Start,
            submit(false),
            Op::Seal,
            Op::Sync,
            Op::Start,
            Op::Start,
            Op::Seal,
        ],
    );
    // A job for which there is no room to go back to those that wait fails; no worker is stopped for it.
    check(
        "a restart with no room for another try",
        Sizes::TIGHT,
        &[
            submit(true),
            Op::Seal,
            Op::Sync,
            Op::Settle(0, Reply::Error),
            Op::Start,
            submit(true),
            Op::Seal,
            Op::Sync,
            submit(true),
            Op::Seal,
            submit(false),
            Op::Start,
            Op::Sync,
            Op::Start,
            Op::Seal,
            Op::Sync,
            Op::Crash,
            Op::Start,
            Op::Start,
            Op::Start,
            Op::Start,
            Op::Settle(0, Reply::Ok),
            submit(false),
            Op::Seal,
            Op::Sync,
            Op::Crash,
        ],
    );
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn with_room_for_everything(ops in vec(op(), 1..80)) {
        let mut rig = Rig::new(Sizes::ROOMY);
        rig.run(&ops);
        prop_assert_eq!(rig.pushed_out, 0, "nothing is pushed out where there is room");
    }

    #[test]
    fn with_room_for_next_to_nothing(ops in vec(op(), 1..120)) {
        Rig::new(Sizes::TIGHT).run(&ops);
    }
}
