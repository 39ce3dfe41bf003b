//! Instants as records and exports spell them: RFC 3339, UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present moment, as [`rfc3339`].
pub fn now() -> String {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since 1970, to the millisecond: `2026-11-21T09:33:32.584Z`.
pub fn rfc3339(milliseconds: i64) -> String {
    format!("{}.{:03}Z", date_and_time(milliseconds.div_euclid(1000)), milliseconds.rem_euclid(1000))
}

/// An instant, to the second: `2026-11-21T09:33:32Z`. One before 1970 counts as its beginning.
pub fn rfc3339_seconds(instant: SystemTime) -> String {
    let elapsed = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}Z", date_and_time(i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)))
}

fn date_and_time(seconds: i64) -> String {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Year, month and day of a count of days since 1970, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is a year's last; 719,468 days lie between 0000-03-01 and 1970-01-01.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_005), "2000-02-29T12:34:56.005Z");
        assert_eq!(rfc3339(4_102_444_799_999), "2099-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_253_612_584), "2026-11-21T09:33:32.584Z");
    }

    #[test]
    fn known_seconds() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339_seconds(UNIX_EPOCH + std::time::Duration::from_secs(seconds)), text);
        }
    }
}
