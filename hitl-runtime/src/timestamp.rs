//! Timestamps in human-readable form.

/// Formats a time in milliseconds since the epoch as `2026-11-22 10:50:03` in UTC.
pub(crate) fn format_utc(ms: u64) -> String {
    let (days, s) = (ms / 86_400_000, ms / 1000 % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// Converts days since 1970-01-01 to year, month and day (Howard Hinnant's `civil_from_days`, for dates from 1970 on).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_correct() {
        assert_eq!(format_utc(0), "1970-01-01 00:00:00");
        assert_eq!(format_utc(951_827_696_000), "2000-02-29 12:34:56");
        assert_eq!(format_utc(1_795_344_603_000), "2026-11-22 10:50:03");
        assert_eq!(format_utc(4_107_542_400_000), "2100-03-01 00:00:00");
        assert!(!format_utc(u64::MAX).is_empty());
    }
}
