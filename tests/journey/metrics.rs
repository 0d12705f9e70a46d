//! The command `metrics` on a real file.

use serde_json::json;

use super::{TICKET, waiting};

#[test]
fn metrics_report_the_decisions_of_a_journal() {
    let (shell, digest) = waiting();
    let note = ["--reason", "bad_plan", "--note", "no"];
    shell.json(0, &[&["reject", TICKET, "--digest", &digest][..], &note].concat());
    let report = shell.json(0, &["metrics", "--by", "operator"]);
    assert_eq!(
        (&report["total"]["decisions"], &report["total"]["rejected"]["bad_plan"]),
        (&json!(1), &json!(1))
    );
    assert_eq!((&report["groups"][0]["name"], &report["source"]), (&json!("mara"), &json!("tallies")));

    let strict = ["metrics", "--alarm-rejected", "0", "--alarm-minimum", "1"];
    assert_eq!(shell.json(9, &strict)["alarms"][0]["kind"], "rejected");
    // A scrape succeeds, and has the alarm as a series.
    let scrape = shell.run(&[&strict[..], &["--prometheus"]].concat());
    assert_eq!(scrape.code, Some(0), "{scrape:?}");
    assert!(
        scrape.out.lines().any(|it| it.starts_with("hitl_alarm{") && it.ends_with("alarm=\"rejected\"} 1"))
    );

    // Lost counts are a fault, and those of a deleted thread are none.
    shell.json(0, &["metrics", "--recompute"]);
    shell.tamper("CREATE TABLE kept AS SELECT * FROM hitl_tallies");
    assert!(shell.tamper("DELETE FROM hitl_tallies") > 0);
    assert_eq!(shell.json(8, &["metrics", "--recompute"])["error"]["code"], "metrics_differ");
    shell.tamper("INSERT INTO hitl_tallies SELECT * FROM kept");
    shell.tamper("DELETE FROM hitl_threads");
    let report = shell.run(&["metrics", "--recompute"]);
    assert_eq!(report.code, Some(0), "{report:?}");
    assert!(report.out.contains("the store counts more than its journals"), "{report:?}");
}
