use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

struct TestClock {
    wall: AtomicU64,
    boot: AtomicU64,
    booted: AtomicU64,
}

impl TestClock {
    /// The machine was off for so long.
    fn restart(&self, off_ms: i64) {
        self.step(off_ms, 0);
        self.boot.store(1_000, Ordering::SeqCst);
        self.booted.fetch_add(1, Ordering::SeqCst);
    }

    fn step(&self, wall_ms: i64, boot_ms: u64) {
        self.wall.store(
            self.wall.load(Ordering::SeqCst).strict_add_signed(wall_ms),
            Ordering::SeqCst,
        );
        self.boot.fetch_add(boot_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(self.wall.load(Ordering::SeqCst))
    }

    fn since_boot_ms(&self) -> u64 {
        self.boot.load(Ordering::SeqCst)
    }

    fn boot(&self) -> Option<String> {
        Some(self.booted.load(Ordering::SeqCst).to_string())
    }
}

fn clock() -> TestClock {
    TestClock {
        wall: AtomicU64::new(1_000_000_000_000),
        boot: AtomicU64::new(5_000),
        booted: AtomicU64::new(1),
    }
}

const MINUTE_MS: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE_MS;

#[test]
fn a_forward_step_stops_until_the_clock_is_right_again() {
    let clock = clock();
    let mut guard = ClockGuard::start(&clock, None, None, false);
    clock.step(60 * MINUTE_MS, 3_600_000);
    guard.now(&clock).unwrap();
    clock.step(6 * MINUTE_MS, 1_000);
    guard.now(&clock).unwrap_err();
    clock.step(10 * MINUTE_MS, 600_000);
    guard.now(&clock).unwrap_err();
    clock.step(-6 * MINUTE_MS, 0);
    guard.now(&clock).unwrap();
}

#[test]
fn back_steps_are_taken_and_may_be_put_right() {
    let clock = clock();
    let mut guard = ClockGuard::start(&clock, None, None, false);
    clock.step(-60 * MINUTE_MS, 1_000);
    guard.now(&clock).unwrap();
    clock.step(4 * MINUTE_MS, 1_000);
    guard.now(&clock).unwrap();
    // To where it would be without the step back, and not beyond.
    clock.step(56 * MINUTE_MS, 1_000);
    guard.now(&clock).unwrap();
    clock.step(6 * MINUTE_MS, 1_000);
    guard.now(&clock).unwrap_err();
}

#[test]
fn small_steps_do_not_add_up() {
    let clock = clock();
    let mut guard = ClockGuard::start(&clock, None, None, false);
    let mut taken = 0;
    for _ in 0..100 {
        clock.step(4 * MINUTE_MS, 60_000);
        match guard.now(&clock) {
            Ok(_) => taken += 1,
            Err(_) => clock.step(-3 * MINUTE_MS, 0),
        }
    }
    assert_eq!(
        taken, 1,
        "a clock that runs at four times the speed was believed"
    );
}

#[test]
fn a_restart_within_one_boot_believes_what_the_boot_clock_proves() {
    let clock = clock();
    let mut guard = ClockGuard::start(&clock, None, None, false);
    guard.now(&clock).unwrap();
    let memory = guard.memory(&clock);
    let start = |clock: &TestClock| ClockGuard::start(clock, None, memory.as_ref(), false);
    // 40 days without a start, all of them proven.
    clock.step(40 * DAY, 40 * 24 * 3_600_000);
    start(&clock).now(&clock).unwrap();
    // 31 days more on the wall clock alone, as after a pause, and another one.
    clock.step(31 * DAY, 1_000);
    start(&clock).now(&clock).unwrap();
    clock.step(DAY, 1_000);
    start(&clock).now(&clock).unwrap_err();
    ClockGuard::start(&clock, None, memory.as_ref(), true)
        .now(&clock)
        .unwrap();
}

#[test]
fn a_restart_is_no_way_round_a_refused_jump() {
    let clock = clock();
    let mut guard = ClockGuard::start(&clock, None, None, false);
    assert_eq!(guard.changed_doubt(&clock), None);
    clock.step(60 * MINUTE_MS, 1_000);
    guard.now(&clock).unwrap_err();
    let memory = guard.changed_doubt(&clock);
    assert_eq!(guard.changed_doubt(&clock), None);
    let mut again = ClockGuard::start(&clock, None, memory.as_ref(), false);
    again.now(&clock).unwrap_err();
    assert_eq!(again.changed_doubt(&clock), None);
    // Put right, it is forgotten.
    clock.step(-60 * MINUTE_MS, 1_000);
    again.now(&clock).unwrap();
    let memory = again.changed_doubt(&clock);
    assert!(!memory.as_ref().unwrap().is_doubted);
    clock.step(60 * MINUTE_MS, 1_000);
    ClockGuard::start(&clock, None, memory.as_ref(), false)
        .now(&clock)
        .unwrap();
}

#[test]
fn starts_ahead_within_one_boot_add_up_to_31_days() {
    let clock = clock();
    let begun = clock.wall().get();
    let mut memory = ClockGuard::start(&clock, None, None, false).memory(&clock);
    let mut last = begun;
    for _ in 0..200 {
        clock.step(6 * 60 * MINUTE_MS, 1_000);
        let mut guard = ClockGuard::start(&clock, None, memory.as_ref(), false);
        match guard.now(&clock) {
            Ok(now) => last = now.get(),
            Err(_) => break,
        }
        memory = guard.memory(&clock);
    }
    let days = (last - begun) / DAY_MS;
    assert_eq!(days, 31, "ahead of the time since boot");
}

#[test]
fn gaps_that_nothing_proves_add_up_to_31_days() {
    let clock = clock();
    let mut guard = ClockGuard::start(&clock, None, None, false);
    guard.now(&clock).unwrap();
    let mut memory = guard.memory(&clock);
    let mut days = 0;
    for _ in 0..5 {
        clock.restart(10 * DAY);
        guard = ClockGuard::start(&clock, None, memory.as_ref(), false);
        if guard.now(&clock).is_err() {
            break;
        }
        days += 10;
        memory = guard.memory(&clock);
    }
    assert_eq!(days, 30);
    // Nothing is remembered of a clock that was not believed.
    assert_eq!(guard.memory(&clock), None);

    // Twenty days of running give twenty days back.
    let memory = memory.unwrap();
    assert_eq!(memory.unproven_ms, 30 * 24 * 3_600_000);
    clock.step(-10 * DAY, 0);
    let mut guard = ClockGuard::start(&clock, None, Some(&memory), false);
    guard.now(&clock).unwrap();
    clock.step(20 * DAY, 20 * 24 * 3_600_000);
    guard.now(&clock).unwrap();
    let memory = guard.memory(&clock);
    clock.restart(20 * DAY);
    let mut guard = ClockGuard::start(&clock, None, memory.as_ref(), false);
    guard.now(&clock).unwrap();
    clock.restart(2 * DAY);
    let memory = guard.memory(&clock);
    let refused = ClockGuard::start(&clock, None, memory.as_ref(), false).now(&clock);
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("add up to 31 days"), "{said}");
}

#[test]
fn a_long_gap_at_the_start_wants_a_confirmation() {
    let clock = clock();
    let long_ago = Some(UnixMillis::new(clock.wall().get() - UNPROVEN_MAX_MS - 1));
    ClockGuard::start(&clock, long_ago, None, false)
        .now(&clock)
        .unwrap_err();
    ClockGuard::start(&clock, long_ago, None, true)
        .now(&clock)
        .unwrap();
    let recently = Some(UnixMillis::new(clock.wall().get() - UNPROVEN_MAX_MS));
    ClockGuard::start(&clock, recently, None, false)
        .now(&clock)
        .unwrap();
}
