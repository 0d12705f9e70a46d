//! Durations and times as text.

use jiff::{
    RoundMode, Span, SpanRound, Timestamp, Unit,
    fmt::friendly::{Designator, SpanPrinter},
};

/// Formats a duration in its two largest units: `2m 5s`, `23h 58m`.
pub(super) fn duration(ms: u64) -> String {
    let smallest = match ms / 1000 {
        0 => return "less than a second".to_owned(),
        1..600 => Unit::Second,
        600..172_800 => Unit::Minute,
        172_800..864_000 => Unit::Hour,
        _ => Unit::Day,
    };
    in_units(ms, smallest)
}

/// Formats a duration in hours, or from two days on in days, down to a smallest unit.
fn in_units(ms: u64, smallest: Unit) -> String {
    let largest = if ms < 172_800_000 { Unit::Hour } else { Unit::Day };
    let round = SpanRound::new().largest(largest).smallest(smallest).mode(RoundMode::Trunc);
    let span = i64::try_from(ms).ok().and_then(|ms| Span::new().try_milliseconds(ms).ok());
    let rounded = span.and_then(|span| span.round(round.days_are_24_hours()).ok());
    let printer = SpanPrinter::new().designator(Designator::Compact);
    rounded.map_or_else(|| "centuries".to_owned(), |rounded| printer.span_to_string(&rounded))
}

/// Formats a time in the past: `2m ago`.
pub(super) fn ago(then_ms: u64, now_ms: u64) -> String {
    let ms = now_ms.saturating_sub(then_ms);
    match ms / 1000 {
        0 => "just now".to_owned(),
        60..3_600 => format!("{} ago", in_units(ms, Unit::Minute)),
        _ => format!("{} ago", duration(ms)),
    }
}

/// Formats a deadline: `expires in 3h`, `expired 2m ago`.
pub(super) fn deadline(deadline_ms: u64, now_ms: u64) -> String {
    if deadline_ms <= now_ms {
        format!("expired {}", ago(deadline_ms, now_ms))
    } else {
        format!("expires in {}", remaining(deadline_ms, now_ms))
    }
}

/// Formats the time that is left, rounded up to whole seconds, so that a review of 24 h that has just been opened shows
/// `24h`.
pub(super) fn remaining(deadline_ms: u64, now_ms: u64) -> String {
    let ms = deadline_ms.saturating_sub(now_ms).saturating_add(999);
    duration(if ms >= 3_600_000 { ms.saturating_add(30_000) } else { ms })
}

/// Formats a time as `2026-11-22 10:50:03` in UTC.
pub(super) fn utc(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(Timestamp::MAX).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (ms, text) in [
            (0, "less than a second"),
            (999, "less than a second"),
            (1_000, "1s"),
            (59_000, "59s"),
            (60_000, "1m"),
            (61_000, "1m 1s"),
            (660_000, "11m"),
            (3_600_000, "1h"),
            (86_340_000, "23h 59m"),
            (86_400_000, "24h"),
            (266_400_000, "3d 2h"),
            (1_000_000_000, "11d"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn times_and_deadlines_are_relative() {
        assert_eq!(ago(5_000, 5_200), "just now");
        assert_eq!(ago(5_000, 1_000), "just now");
        assert_eq!(ago(0, 150_000), "2m ago");
        assert_eq!(ago(0, 7_260_000), "2h 1m ago");
        assert_eq!(deadline(86_400_000, 120_000), "expires in 23h 58m");
        assert_eq!(deadline(86_400_000, 4_000), "expires in 24h");
        assert_eq!(deadline(86_400_000, 86_399_500), "expires in 1s");
        assert_eq!(deadline(0, 120_000), "expired 2m ago");
        assert_eq!(deadline(u64::MAX, 0), "expires in centuries");
    }

    #[test]
    fn any_time_has_a_date() {
        assert_eq!(utc(951_827_696_000), "2000-02-29 12:34:56");
        assert_eq!(utc(1_795_344_603_000), "2026-11-22 10:50:03");
        assert!(!utc(u64::MAX).is_empty());
    }
}
