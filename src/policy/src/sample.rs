//! Days on which to compare calendar periods.

use trailkeep_proof::time::UnixMillis;

/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = 86_400_000;

/// 2027-01-01, from which four years of days begin.
pub(super) const FIRST_DAY: UnixMillis = UnixMillis::new(1_798_761_600_000);

/// All days of four years: calendar periods differ on none that is not like one of these, but around 2100.
pub(super) fn days() -> impl Iterator<Item = UnixMillis> {
    (0..1_461).map(|day| UnixMillis::new(FIRST_DAY.get() + day * DAY_MS))
}
