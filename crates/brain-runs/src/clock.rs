//! The time of day, as records spell it.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present moment: RFC 3339, UTC, milliseconds; `2026-11-21T09:33:32.877Z`.
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format_moment(since.as_secs(), since.subsec_millis())
}

/// Seconds since 1970 as a date, by Howard Hinnant's `civil_from_days` (the proleptic Gregorian calendar, years from March).
fn format_moment(seconds: u64, millis: u32) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::format_moment;

    #[test]
    fn known_moments() {
        assert_eq!(format_moment(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_moment(951_827_696, 5), "2000-02-29T12:34:56.005Z");
        assert_eq!(format_moment(4_102_444_799, 999), "2099-12-31T23:59:59.999Z");
    }
}
