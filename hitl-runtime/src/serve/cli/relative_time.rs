//! Durations and times as text.

/// Formats a duration in its two largest units: `2 min`, `23 h 58 min`.
pub(super) fn duration(ms: u64) -> String {
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

/// Formats a time in the past: `2 min ago`.
pub(super) fn ago(then_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) / 1000 {
        0 => "just now".to_owned(),
        s @ 60..3_600 => format!("{} min ago", s / 60),
        _ => format!("{} ago", duration(now_ms - then_ms)),
    }
}

/// Formats a deadline: `expires in 3 h`, `expired 2 min ago`.
pub(super) fn deadline(deadline_ms: u64, now_ms: u64) -> String {
    if deadline_ms <= now_ms {
        format!("expired {}", ago(deadline_ms, now_ms))
    } else {
        format!("expires in {}", remaining(deadline_ms, now_ms))
    }
}

/// Formats the time that is left, rounded up to whole seconds, so that a review of 24 h that has just been opened shows
/// 24 h.
pub(super) fn remaining(deadline_ms: u64, now_ms: u64) -> String {
    let ms = deadline_ms.saturating_sub(now_ms).saturating_add(999);
    duration(if ms >= 3_600_000 { ms.saturating_add(30_000) } else { ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let durations = [
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
        assert_eq!(durations.map(duration), words);
    }

    #[test]
    fn times_and_deadlines_are_relative() {
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
}
