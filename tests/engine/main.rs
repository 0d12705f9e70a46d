//! Integration tests of the engine through its public API, with real graphs and stores.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod added_requirements;
mod bindings;
mod blocked_runners;
mod chosen_roles;
mod conditions;
mod counting_store;
mod deadlines;
mod dispatch;
mod edits;
mod effects;
mod endings;
mod exact_values;
mod for_each;
mod for_each_concurrency;
mod for_each_migration;
mod for_each_nested;
mod for_each_reviewed;
mod forks;
mod fronts;
mod history;
mod interactions;
mod json_paths;
mod junctions;
#[path = "../kit/mod.rs"]
mod kit;
mod look_alikes;
mod loop_limits;
mod metrics;
mod metrics_counts;
mod new_code;
mod node_values;
mod older_snapshots;
mod optional_fields;
mod panics;
mod reproposed;
mod requesters;
mod risks;
mod routes;
#[cfg(not(feature = "agentcore"))]
mod serve_command;
mod settlements;
mod signatures;
mod stop_races;
mod stopped_threads;
mod stops;
mod sweeps;
mod verdicts;
