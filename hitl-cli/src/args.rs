//! The command-line arguments. Doc comments on them are the texts of `--help`.

use std::{path::PathBuf, time::Duration};

use clap::{
    Args as ClapArgs, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use hitl_core::text::parse_duration;
use hitl_runtime::{Place, Reason};

use super::exit::EXIT_CODES;

/// The parsed command line.
#[derive(Debug, Parser)]
#[command(
    disable_help_subcommand = true,
    after_help = "On a terminal, without a command: interactive, from the input to the result.",
    after_long_help = EXIT_CODES,
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) global: Global,
}

/// The options of every command.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Print one JSON document, for errors too, and never prompt
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The name of the person who decides, for the journal [default: $HITL_OPERATOR, $USER, $LOGNAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) operator: Option<String>,
    /// A role that the operator holds; may be given again [default: the role that the review requires]
    ///
    /// Everyone who can open the store can change it at will, so a local operator holds every role by default. If this
    /// option is given, the operator holds only the given roles.
    #[arg(long = "role", global = true, value_name = "ROLE")]
    pub(super) roles: Vec<String>,
    /// Use colors
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(super) color: Color,
}

impl Global {
    /// Returns the operator's name: the given one, or that of the user.
    pub(super) fn operator_name(&self) -> Option<String> {
        let names = ["HITL_OPERATOR", "USER", "LOGNAME", "USERNAME"];
        let of_user = || {
            names.into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.trim().is_empty()))
        };
        self.operator.clone().or_else(of_user).filter(|name| !name.trim().is_empty())
    }

    /// Returns the options with which a further command has the same operator.
    pub(super) fn operator_options(&self) -> Vec<String> {
        let name = self.operator.clone().map(|name| ["--operator".to_owned(), name]);
        let roles = self.roles.iter().map(|role| ["--role".to_owned(), role.clone()]);
        name.into_iter().chain(roles).flatten().collect()
    }
}

/// A choice of when to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a thread and run it until it needs a person, fails or ends
    Start {
        /// The input, if it is a single text; otherwise read from standard input (`-`: without a time limit)
        message: Vec<String>,
        /// The thread's name [default: generated]
        #[arg(long, value_name = "ID")]
        thread: Option<String>,
        /// The whole input as JSON (`-`: from standard input)
        #[arg(long, value_name = "JSON", conflicts_with_all = ["message", "set"])]
        input: Option<String>,
        /// One field of the input; may be given again
        #[arg(long, value_name = "FIELD=VALUE", conflicts_with = "message")]
        set: Vec<String>,
    },
    /// List the reviews that wait for a person, oldest first
    Inbox {
        /// The maximum number to list
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
        limit: u64,
        /// Continue after the last page, with the token that it printed
        #[arg(long, value_name = "TOKEN")]
        after: Option<String>,
    },
    /// Show a thread: its status, and the whole draft to sign
    Show {
        /// The thread
        thread: String,
    },
    /// Sign the draft as it is
    Approve {
        #[command(flatten)]
        review: ReviewArgs,
    },
    /// Sign a changed draft instead
    ///
    /// With neither --set nor --patch, $VISUAL or $EDITOR opens on the draft.
    Edit {
        #[command(flatten)]
        review: ReviewArgs,
        /// One value, as in amount=99 or to.iban=DE02…; may be given again
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        /// A JSON merge patch, RFC 7396 (`-`: from standard input)
        #[arg(long, value_name = "JSON", conflicts_with = "set")]
        patch: Option<String>,
    },
    /// Reject the draft
    Reject {
        #[command(flatten)]
        review: ReviewArgs,
        /// The reason
        #[arg(long, value_parser = reason_parser())]
        reason: Option<Reason>,
    },
    /// Ask a question first; the draft is then made again
    Ask {
        #[command(flatten)]
        review: ReviewArgs,
        /// The question
        question: Vec<String>,
    },
    /// List a thread's journal
    History {
        /// The thread
        thread: String,
        /// The place of the first entry to list
        #[arg(long, value_name = "PLACE", default_value_t = Place::START)]
        from: Place,
        /// The maximum number of entries
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
    },
    /// Resume a thread whose process has died, or retry one that has failed
    Resume {
        /// The thread
        thread: String,
    },
    /// Pause a thread, all of this graph or the whole store: nothing begins until it is unpaused
    ///
    /// An effect that has begun is not interrupted. Verdicts are recorded, and take effect after the pause.
    Pause {
        #[command(flatten)]
        stop: StopArgs,
    },
    /// Lift a pause, also the one that `cancel --graph` and `cancel --store` leave
    Unpause {
        #[command(flatten)]
        stop: StopArgs,
    },
    /// Cancel a thread, all of this graph or the whole store: nothing begins any more, and open reviews are closed
    ///
    /// An effect that has begun is not interrupted. After --graph or --store no thread starts until it is unpaused.
    Cancel {
        #[command(flatten)]
        stop: StopArgs,
    },
    /// List the stops of graphs and of the store that are in force
    Stops,
    /// Record how an effect in doubt ended
    Settle {
        /// The thread
        thread: String,
        /// The digest of the effect in doubt, as `show` prints it, or its first 8 digits or more [default: the one now
        /// in doubt]
        #[arg(long)]
        digest: Option<String>,
        #[command(subcommand)]
        how: How,
    },
    /// Continue from a place in a thread's past, under another name
    Fork {
        /// The thread
        thread: String,
        /// The last place that the new thread shares with the old one
        #[arg(long, value_name = "PLACE")]
        at: Place,
        /// The new thread's name [default: generated]
        #[arg(long = "as", value_name = "NEW")]
        new: Option<String>,
    },
    /// Check which threads are compatible with this program, before it is deployed
    ///
    /// Each thread that has not ended is checked against this program's graph, types and invariants. Nothing is
    /// written. Exits with 4 if a thread cannot continue.
    Check {
        /// The thread [default: all in the store that run on this graph]
        thread: Option<String>,
    },
    /// Verify that a journal is unchanged and that its entries form a possible history
    ///
    /// With journal keys (HITL_JOURNAL_KEY), each entry must have a MAC of one of them.
    Verify {
        /// The thread [default: all in the store]
        thread: Option<String>,
        /// Heads that were stored elsewhere, as `verify --json` printed them: the journals must still contain each
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Vouch for a thread that was written without a journal key, to authenticate it from then on
    ///
    /// The journal is verified first. Review its history, too: without heads that were stored elsewhere, nothing proves
    /// that it was not rewritten.
    Adopt {
        /// The thread
        thread: String,
        /// Heads that were stored elsewhere, as `verify --json` printed them
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Sweep the store: resume threads of dead processes, expire reviews, report reminders
    ///
    /// A resumed thread may execute effects, as it would have in the process that died.
    Sweep {
        /// Repeat at this interval until stopped, as in 10s
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        every: Option<Duration>,
    },
    /// Report how reviews are decided: rates, times to decision, reasons, effects in doubt; and raise alarms
    ///
    /// The numbers are those of all threads in the store. Exits with 9 if there is an alarm, except with --prometheus.
    Metrics {
        #[command(flatten)]
        metrics: MetricsArgs,
    },
    /// Draw the graph, and the position of a thread in it
    Draw {
        /// The thread
        thread: Option<String>,
        /// The format [default: by the file's extension, else mermaid]
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// The file to write [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// The extent of a report, and the limits of its alarms.
#[derive(Debug, ClapArgs)]
pub(super) struct MetricsArgs {
    /// Only the days from this long ago on, in UTC, as in 168h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(super) since: Option<Duration>,
    /// Group the numbers
    #[arg(long, value_enum, value_name = "GROUP")]
    pub(super) by: Option<Grouping>,
    /// Print the numbers in the text format of Prometheus, for all days, with the alarms as the series `hitl_alarm`
    #[arg(long, conflicts_with_all = ["since", "by", "json"])]
    pub(super) prometheus: bool,
    /// Read all journals again, and compare; exits with 8 if the store lacks numbers that the journals have
    #[arg(long)]
    pub(super) recompute: bool,
    /// Approvals in less than this number of seconds are fast
    #[arg(long, env = "HITL_ALARM_FAST_SECONDS", value_name = "N", default_value_t = 5)]
    pub(super) fast_seconds: u64,
    /// The percentage of fast approvals, of those whose draft was shown at a known time, above which there is an alarm:
    /// people may no longer read
    #[arg(long, env = "HITL_ALARM_UNREAD", value_name = "PERCENT", default_value_t = 95, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) alarm_unread: u8,
    /// The percentage of rejections above which there is an alarm: the proposals are not wanted
    #[arg(long, env = "HITL_ALARM_REJECTED", value_name = "PERCENT", default_value_t = 40, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) alarm_rejected: u8,
    /// The smallest number of decisions before a node on which there is an alarm
    #[arg(long, env = "HITL_ALARM_MINIMUM", value_name = "N", default_value_t = 20)]
    pub(super) alarm_minimum: u64,
    /// The alarms are those of the days from this long ago on, in UTC, independent of --since
    #[arg(long, env = "HITL_ALARM_WINDOW", value_name = "DURATION", default_value = "168h", value_parser = parse_duration)]
    pub(super) alarm_window: Duration,
}

/// The group of the numbers in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Grouping {
    Node,
    Rule,
    Operator,
    Day,
}

/// The scope of a stop, and its reason.
#[derive(Debug, ClapArgs)]
pub(super) struct StopArgs {
    /// The thread
    #[arg(required_unless_present_any = ["graph", "store"], conflicts_with_all = ["graph", "store"])]
    pub(super) thread: Option<String>,
    /// All threads of this program's graph
    #[arg(long, conflicts_with = "store")]
    pub(super) graph: bool,
    /// All threads of the store, of all graphs
    #[arg(long)]
    pub(super) store: bool,
    /// The reason, which the journal keeps
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) reason: String,
}

/// A review of a thread.
#[derive(Debug, ClapArgs)]
pub(super) struct ReviewArgs {
    /// The thread
    pub(super) thread: String,
    /// The digest of the draft that you saw, or its first 8 digits or more
    #[arg(long)]
    pub(super) digest: Option<String>,
    /// Decide without being shown the draft, and without confirmation
    #[arg(long)]
    pub(super) yes: bool,
    /// A note in your own words, which the journal keeps
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) note: String,
}

impl ReviewArgs {
    /// Returns the options that name the review, as they were given, before those of a verdict.
    pub(super) fn options<'a>(&'a self, verdict: &[&'a str]) -> Vec<&'a str> {
        let digest = self.digest.iter().flat_map(|digest| ["--digest", digest.as_str()]);
        digest.chain(verdict.iter().copied()).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum How {
    /// It happened: record the values that it would have written
    Happened {
        /// A field that the node writes; may be given again
        #[arg(long, value_name = "FIELD=VALUE")]
        set: Vec<String>,
    },
    /// It did not happen, and its process is known to be dead: run it again, with the same idempotency key
    RunAgain,
    /// Abandon the effect; the thread does not continue
    Stop {
        /// The reason
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
}

/// The format of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A Mermaid flowchart
    Mermaid,
    /// An SVG image
    Svg,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mermaid => "mermaid",
            Self::Svg => "svg",
        }
    }
}

fn reason_parser() -> impl TypedValueParser<Value = Reason> {
    PossibleValuesParser::new(Reason::GIVEN.iter().map(|reason| reason.as_str()))
        .try_map(|word| word.parse::<Reason>())
}
