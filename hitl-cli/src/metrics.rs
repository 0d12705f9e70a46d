//! `metrics`: the numbers of the reviews in the store, and their alarms.

use std::time::Duration;

use hitl_runtime::{
    Timestamp,
    metrics::{AlarmLimits, By, Histogram, Metrics, Summary},
};
use serde_json::json;

use super::{
    args::{Grouping, MetricsArgs},
    escape::{escape, escape_sentence},
    execution::Execution,
    exit::{CliError, Exit},
    render::{
        style::{DIM, paint},
        table::{columns, short},
    },
    time::{duration, utc},
};

/// The maximum width of the name of a group.
const WIDEST_NAME: usize = 40;

impl Execution<'_> {
    pub(super) async fn metrics(&mut self, args: MetricsArgs) -> Result<Exit, CliError> {
        let now = self.engine.now();
        let since = args.since.map(|length| now.saturating_sub(length));
        let limits = AlarmLimits {
            unread: f64::from(args.alarm_unread) / 100.0,
            rejected: f64::from(args.alarm_rejected) / 100.0,
            fast_seconds: args.fast_seconds,
            minimum: args.alarm_minimum,
            window: args.alarm_window,
        };
        // The alarms may need more days than the report.
        let read_since = since.map(|since| since.min(now.saturating_sub(limits.window)));
        let read = self.with_suggestion(self.engine.metrics(read_since).await)?;
        let compared = match args.recompute {
            true => Some(self.compare(&read, read_since).await?),
            false => None,
        };
        if args.prometheus {
            self.terminal.raw(&read.to_prometheus(&limits, now))?;
            return Ok(Exit::Done);
        }
        let alarms = read.alarms(&limits, now);
        let exit = if alarms.is_empty() { Exit::Done } else { Exit::Alarm };
        let metrics = since.map_or_else(|| read.clone(), |since| read.since(since));
        let total = metrics.total();
        let groups = args.by.map(|by| metrics.by(grouping(by)));
        if self.global.json {
            let fast = |of: &Summary| of.faster_than(limits.fast_seconds);
            let groups = groups.map(|groups| {
                let groups = groups.iter().map(
                    |(name, of)| json!({ "name": name, "numbers": of, "faster_than_fast_seconds": fast(of) }),
                );
                groups.collect::<Vec<_>>()
            });
            self.json(&json!({
                "total": total,
                "faster_than_fast_seconds": fast(&total),
                "groups": groups,
                "alarms": alarms,
                "source": if metrics.is_from_journals() { "journals" } else { "tallies" },
                "unreadable_entries": metrics.unreadable(),
                "recomputed": compared.map(Comparison::as_str),
            }))?;
            return Ok(exit);
        }
        let mut out = match (&groups, args.by) {
            (Some(groups), Some(by)) => {
                table(groups.iter().map(|(name, of)| (title(by, name.as_deref()), of)), &limits)
            }
            _ => table([("all".to_owned(), &total)].into_iter(), &limits),
        };
        out += &notes(&metrics, &total);
        out += match compared {
            Some(Comparison::More) => {
                "the store counts more than its journals have, as after the deletion of a thread\n"
            }
            Some(Comparison::NoTallies) => "the store keeps no tallies to compare with its journals\n",
            Some(Comparison::Equal) => "the store counts what its journals have\n",
            None => "",
        };
        for alarm in alarms {
            out += &format!("ALARM: {}\n", escape_sentence(&alarm.to_string()));
        }
        self.terminal.out(&out)?;
        Ok(exit)
    }

    /// Compares a report with the journals, and fails if the store lacks counts that they have.
    async fn compare(&mut self, read: &Metrics, since: Option<Timestamp>) -> Result<Comparison, CliError> {
        if read.is_from_journals() {
            return Ok(Comparison::NoTallies);
        }
        let recomputed = self.with_suggestion(self.engine.recomputed_metrics(since).await)?;
        // Threads have moved since, so the journals may exceed the first report, but not one that is read after them.
        let later = self.with_suggestion(self.engine.metrics(since).await)?;
        if later.is_from_journals() {
            return Ok(Comparison::NoTallies);
        }
        if recomputed.exceeds(&later) {
            let problem = "the tallies of the store lack decisions that its journals have: tallies were deleted or \
                           altered; use --since to report the days after that";
            return Err(CliError::new(Exit::Store, "metrics_differ", problem)
                .detail("store", json!(later.total()))
                .detail("journals", json!(recomputed.total())));
        }
        Ok(if read.exceeds(&recomputed) { Comparison::More } else { Comparison::Equal })
    }
}

/// The result of a comparison of tallies with the journals.
#[derive(Clone, Copy)]
enum Comparison {
    Equal,
    /// The store counts more, because a deleted thread stays counted.
    More,
    NoTallies,
}

impl Comparison {
    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::More => "more_in_store",
            Self::NoTallies => "no_tallies",
        }
    }
}

/// Returns the lines below the table.
fn notes(metrics: &Metrics, total: &Summary) -> String {
    let mut out = String::new();
    for (reason, count) in &total.rejected {
        out += &format!("rejected for {}: {count}\n", escape(reason));
    }
    if let Some(rate) = total.decisions_per_operator_hour() {
        out += &format!("decisions per operator-hour: {rate:.1}\n");
    }
    let unknown = total.approvals_of_unknown_time();
    if unknown > 0 {
        out += &format!(
            "approvals for which it is unknown when the draft was shown: {unknown} of {}\n",
            total.approved
        );
    }
    if metrics.unreadable() > 0 {
        out += &format!("entries that cannot be read, and are not counted: {}\n", metrics.unreadable());
    }
    out
}

fn grouping(by: Grouping) -> By {
    match by {
        Grouping::Node => By::Node,
        Grouping::Rule => By::Rule,
        Grouping::Operator => By::Operator,
        Grouping::Day => By::Day,
    }
}

fn title(by: Grouping, name: Option<&str>) -> String {
    let Some(name) = name else { return paint(DIM, "none") };
    match (by, name.parse()) {
        (Grouping::Day, Ok(ms)) => utc(Timestamp::from_millis(ms)).chars().take(10).collect(),
        _ if name.is_empty() => r#""""#.to_owned(),
        _ => short(&escape(name), Some(WIDEST_NAME)),
    }
}

fn table<'a>(groups: impl Iterator<Item = (String, &'a Summary)>, limits: &AlarmLimits) -> String {
    let fast = format!("under {} s", limits.fast_seconds);
    let heads = [
        "", "decided", "approved", "edited", "rejected", "asked", "expired", "by rule", "in doubt", "median",
        "p95", "shown", "p95", &fast,
    ];
    let rows: Vec<Vec<String>> = groups
        .map(|(name, of)| {
            let percent =
                |share: Option<f64>| share.map_or("-".to_owned(), |it| format!("{:.0} %", it * 100.0));
            let time = |of: &Histogram, share| {
                let seconds = of.quantile(share);
                seconds.map_or("-".to_owned(), |seconds| match seconds {
                    0 => "0s".to_owned(),
                    _ => duration(Duration::from_secs(seconds)),
                })
            };
            vec![
                name,
                of.decisions().to_string(),
                percent(of.approval_rate()),
                percent(of.edit_rate()),
                percent(of.rejection_rate()),
                of.asked.to_string(),
                of.expired.to_string(),
                of.rule_signed.to_string(),
                of.in_doubt.to_string(),
                time(&of.opened, 0.5),
                time(&of.opened, 0.95),
                time(&of.shown, 0.5),
                time(&of.shown, 0.95),
                percent(of.faster_than(limits.fast_seconds)),
            ]
        })
        .collect();
    columns(&heads, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(by: Grouping, name: Option<&str>) -> String {
        anstream::adapter::strip_str(&title(by, name)).to_string()
    }

    #[test]
    fn names_are_escaped_cut_and_told_apart() {
        assert_eq!(plain(Grouping::Operator, Some("a\u{202e}b\u{1b}[2J")), "a\\u{202e}b\\u{1b}[2J");
        assert_eq!(plain(Grouping::Operator, Some(&"x".repeat(90))).chars().count(), WIDEST_NAME);
        assert_eq!(
            (plain(Grouping::Operator, None), plain(Grouping::Operator, Some(""))),
            ("none".into(), r#""""#.into())
        );
        assert_ne!(title(Grouping::Operator, None), title(Grouping::Operator, Some("none")));
        assert_eq!(plain(Grouping::Day, Some("1763769600000")), "2025-11-22");
    }
}
