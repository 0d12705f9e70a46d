//! `metrics`: the numbers of the reviews in the store, and their alarms.

use std::time::Duration;

use hitl_runtime::{
    Timestamp,
    metrics::{AlarmLimits, By, Histogram, Summary},
};
use serde_json::json;

use super::{
    args::{Grouping, MetricsArgs},
    escape::{escape, escape_sentence},
    execution::Execution,
    exit::{CliError, Exit},
    render::table::columns,
    time::{duration, utc},
};

impl Execution<'_> {
    pub(super) async fn metrics(&mut self, args: MetricsArgs) -> Result<Exit, CliError> {
        let since = args.since.map(|length| self.engine.now().saturating_sub(length));
        let metrics = self.with_suggestion(self.engine.metrics(since).await)?;
        if args.recompute {
            let recomputed = self.with_suggestion(self.engine.recomputed_metrics(since).await)?;
            if recomputed != metrics {
                let problem = "the numbers of the store differ from those of its journals; threads were deleted, \
                               threads moved in the meantime, or the tallies were changed";
                return Err(CliError::new(Exit::Store, "metrics_differ", problem)
                    .detail("store", json!(metrics.total()))
                    .detail("journals", json!(recomputed.total())));
            }
        }
        let limits = AlarmLimits {
            unread: f64::from(args.alarm_unread) / 100.0,
            rejected: f64::from(args.alarm_rejected) / 100.0,
            fast_seconds: args.fast_seconds,
            minimum: args.alarm_minimum,
        };
        let alarms = metrics.alarms(&limits);
        let exit = if alarms.is_empty() { Exit::Done } else { Exit::Alarm };
        if args.prometheus {
            self.terminal.raw(&metrics.to_prometheus())?;
            return Ok(exit);
        }
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
            }))?;
            return Ok(exit);
        }
        let mut out = match (&groups, args.by) {
            (Some(groups), Some(by)) => table(groups.iter().map(|(name, of)| (title(by, name), of)), &limits),
            _ => table([("all".to_owned(), &total)].into_iter(), &limits),
        };
        for (reason, count) in &total.rejected {
            out += &format!("rejected for {}: {count}\n", escape(reason));
        }
        if let Some(rate) = total.decisions_per_operator_hour() {
            out += &format!("decisions per operator-hour: {rate:.1}\n");
        }
        for alarm in alarms {
            out += &format!("ALARM: {}\n", escape_sentence(&alarm.to_string()));
        }
        self.terminal.out(&out)?;
        Ok(exit)
    }
}

fn grouping(by: Grouping) -> By {
    match by {
        Grouping::Node => By::Node,
        Grouping::Rule => By::Rule,
        Grouping::Operator => By::Operator,
        Grouping::Day => By::Day,
    }
}

fn title(by: Grouping, name: &str) -> String {
    match (by, name.parse()) {
        (Grouping::Day, Ok(ms)) => utc(Timestamp::from_millis(ms)).chars().take(10).collect(),
        _ if name.is_empty() => "none".to_owned(),
        _ => escape(name).into_owned(),
    }
}

fn table<'a>(groups: impl Iterator<Item = (String, &'a Summary)>, limits: &AlarmLimits) -> String {
    let fast = format!("under {} s", limits.fast_seconds);
    let heads = [
        "", "decided", "approved", "edited", "rejected", "asked", "expired", "by rule", "by grant",
        "in doubt", "median", "p95", "shown", "p95", &fast,
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
                of.grants.to_string(),
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
