//! Times in words.

/// How long something takes, in its two largest units: `2 min`, `23 h 58 min`.
pub(super) fn span(ms: u64) -> String {
    let s = ms / 1000;
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    };
    match s {
        0 => "less than a second".to_owned(),
        1..60 => format!("{s} s"),
        60..600 => two(s / 60, "min", s % 60, "s"),
        600..3_600 => format!("{} min", s / 60),
        3_600..172_800 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        172_800..864_000 => two(s / 86_400, "days", s % 86_400 / 3_600, "h"),
        _ => format!("{} days", s / 86_400),
    }
}

/// How long ago: `2 min ago`.
pub(super) fn ago(then_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) / 1000 {
        0 => "just now".to_owned(),
        s @ 60..3_600 => format!("{} min ago", s / 60),
        _ => format!("{} ago", span(now_ms - then_ms)),
    }
}

/// What a deadline says now: `expires in 3 h`, `expired 2 min ago`.
pub(super) fn deadline(deadline_ms: u64, now_ms: u64) -> String {
    if deadline_ms <= now_ms {
        format!("expired {}", ago(deadline_ms, now_ms))
    } else {
        format!("expires in {}", left(deadline_ms, now_ms))
    }
}

/// What is left until then, a begun second counted whole: a review of 24 h that has just been opened says so.
pub(super) fn left(deadline_ms: u64, now_ms: u64) -> String {
    let ms = deadline_ms.saturating_sub(now_ms).saturating_add(999);
    span(if ms >= 3_600_000 { ms.saturating_add(30_000) } else { ms })
}

/// `2026-11-22 10:50:03` in UTC.
pub(super) fn utc(ms: u64) -> String {
    let (days, s) = (ms / 86_400_000, ms / 1000 % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// Howard Hinnant's `civil_from_days`, for days that are not before 1970.
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
    fn spans_have_two_units_at_most() {
        let spans = [
            0,
            999,
            1_000,
            59_000,
            60_000,
            61_000,
            660_000,
            3_600_000,
            86_340_000,
            86_400_000,
            266_400_000,
            1_000_000_000,
        ];
        let words = [
            "less than a second",
            "less than a second",
            "1 s",
            "59 s",
            "1 min",
            "1 min 1 s",
            "11 min",
            "1 h",
            "23 h 59 min",
            "24 h",
            "3 days 2 h",
            "11 days",
        ];
        assert_eq!(spans.map(span), words);
    }

    #[test]
    fn ages_and_deadlines_read_as_people_say_them() {
        assert_eq!(ago(5_000, 5_200), "just now");
        assert_eq!(ago(5_000, 1_000), "just now");
        assert_eq!(ago(0, 150_000), "2 min ago");
        assert_eq!(ago(0, 7_260_000), "2 h 1 min ago");
        assert_eq!(deadline(86_400_000, 120_000), "expires in 23 h 58 min");
        assert_eq!(deadline(86_400_000, 4_000), "expires in 24 h");
        assert_eq!(deadline(86_400_000, 86_399_500), "expires in 1 s");
        assert_eq!(deadline(0, 120_000), "expired 2 min ago");
        assert_eq!(deadline(u64::MAX, 0), "expires in 213503982334 days");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_827_696_000), "2000-02-29 12:34:56");
        assert_eq!(utc(1_795_344_603_000), "2026-11-22 10:50:03");
        assert!(!utc(u64::MAX).is_empty());
    }
}
