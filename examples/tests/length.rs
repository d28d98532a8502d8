//! An example is for reading: those that show a whole of something stay as short as a person reads at once.

#[test]
fn what_is_shown_whole_fits_into_a_few_screens() {
    #[track_caller]
    fn check(name: &str, source: &str, lines_below: usize) {
        let lines = source.lines().count();
        assert!(lines < lines_below, "{name} has {lines} lines");
    }
    check("receiver", include_str!("../receiver.rs"), 60);
    check("core_alone", include_str!("../core_alone.rs"), 80);
    check("door_sensor", include_str!("../door_sensor.rs"), 120);
    check("blocking", include_str!("../blocking.rs"), 120);
    check(
        "what that has of its host",
        include_str!("../src/host.rs"),
        140,
    );
}
