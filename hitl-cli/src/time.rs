//! Durations and times as text.

use std::time::Duration;

use hitl_runtime::Timestamp;
use jiff::{
    RoundMode, Span, SpanRound, Unit,
    fmt::friendly::{Designator, SpanPrinter},
};

/// Formats a duration in its two largest units: `2m 5s`, `23h 58m`.
pub(super) fn duration(length: Duration) -> String {
    let smallest = match length.as_secs() {
        0 => return "less than a second".to_owned(),
        1..600 => Unit::Second,
        600..172_800 => Unit::Minute,
        172_800..864_000 => Unit::Hour,
        _ => Unit::Day,
    };
    in_units(length, smallest)
}

/// Formats a duration in hours, or from two days on in days, down to a smallest unit.
fn in_units(length: Duration, smallest: Unit) -> String {
    let largest = if length.as_secs() < 172_800 { Unit::Hour } else { Unit::Day };
    let round = SpanRound::new().largest(largest).smallest(smallest).mode(RoundMode::Trunc);
    let span = i64::try_from(length.as_millis()).ok().and_then(|ms| Span::new().try_milliseconds(ms).ok());
    let rounded = span.and_then(|span| span.round(round.days_are_24_hours()).ok());
    let printer = SpanPrinter::new().designator(Designator::Compact);
    rounded.map_or_else(|| "centuries".to_owned(), |rounded| printer.span_to_string(&rounded))
}

/// Formats a time in the past: `2m ago`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let length = now.saturating_since(then);
    match length.as_secs() {
        0 => "just now".to_owned(),
        60..3_600 => format!("{} ago", in_units(length, Unit::Minute)),
        _ => format!("{} ago", duration(length)),
    }
}

/// Formats a deadline: `expires in 3h`, `expired 2m ago`.
pub(super) fn deadline(deadline: Timestamp, now: Timestamp) -> String {
    if deadline <= now {
        format!("expired {}", ago(deadline, now))
    } else {
        format!("expires in {}", remaining(deadline, now))
    }
}

/// Formats the time that is left, rounded up to whole seconds, so that a review of 24 h that has just been opened shows
/// `24h`.
pub(super) fn remaining(deadline: Timestamp, now: Timestamp) -> String {
    let left = deadline.saturating_since(now).saturating_add(Duration::from_millis(999));
    duration(if left >= Duration::from_hours(1) {
        left.saturating_add(Duration::from_secs(30))
    } else {
        left
    })
}

/// Formats a time as `2026-11-22 10:50:03` in UTC.
pub(super) fn utc(time: Timestamp) -> String {
    let ms = i64::try_from(time.as_millis()).ok();
    let time = ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%d %H:%M:%S").to_string()
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
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn times_and_deadlines_are_relative() {
        let ago = |then, now| ago(Timestamp::from_millis(then), Timestamp::from_millis(now));
        let deadline = |at, now| deadline(Timestamp::from_millis(at), Timestamp::from_millis(now));
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
        assert_eq!(utc(Timestamp::from_millis(951_827_696_000)), "2000-02-29 12:34:56");
        assert_eq!(utc(Timestamp::from_millis(1_795_344_603_000)), "2026-11-22 10:50:03");
        assert!(!utc(Timestamp::MAX).is_empty());
    }
}
