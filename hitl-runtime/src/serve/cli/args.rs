//! The arguments.

use std::{path::PathBuf, time::Duration};

use clap::{
    Args as ClapArgs, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{Place, Reason};

use super::exit::EXIT_CODES;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    disable_help_subcommand = true,
    after_help = "On a terminal, with no command: a walk from the message to the result.",
    after_long_help = EXIT_CODES,
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) global: Global,
}

/// What every command takes.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Print one JSON document, errors too, and ask nothing
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Who decides; the journal keeps the name [default: $HITL_OPERATOR, $USER, $LOGNAME]
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) operator: Option<String>,
    /// A role that the operator holds; may be given again [default: whatever the review asks for]
    ///
    /// Whoever can open the store can do anything to it, so a local operator holds every role. Once one is given, the
    /// operator holds only those that are.
    #[arg(long = "role", global = true, value_name = "ROLE")]
    pub(super) roles: Vec<String>,
    /// Colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub(super) color: Colour,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start a thread and run it until a person must move
    Start {
        /// The input, where it is one text; without it, standard input is read (`-`: for as long as it takes)
        message: Vec<String>,
        /// The thread's name [default: one is made up]
        #[arg(long, value_name = "ID")]
        thread: Option<String>,
        /// The whole input as JSON (`-`: from standard input)
        #[arg(long, value_name = "JSON", conflicts_with_all = ["message", "set"])]
        input: Option<String>,
        /// One field of the input; may be given again
        #[arg(long, value_name = "FIELD=VALUE", conflicts_with = "message")]
        set: Vec<String>,
    },
    /// List what waits for a person, oldest first
    Inbox {
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
        limit: u64,
        /// Go on from where the last page ended
        #[arg(long, value_name = "TOKEN")]
        after: Option<String>,
    },
    /// Show a thread: how it stands, and what is to be signed in full
    Show {
        /// The thread
        thread: String,
    },
    /// Sign the draft as it is
    Approve {
        #[command(flatten)]
        review: Named,
    },
    /// Sign another draft in its stead
    ///
    /// With neither --set nor --patch, $VISUAL or $EDITOR opens on the draft.
    Edit {
        #[command(flatten)]
        review: Named,
        /// One value, as in amount=99 or to.iban=DE02…; may be given again
        #[arg(long, value_name = "PATH=VALUE")]
        set: Vec<String>,
        /// A JSON merge patch, RFC 7396 (`-`: from standard input)
        #[arg(long, value_name = "JSON", conflicts_with = "set")]
        patch: Option<String>,
    },
    /// Refuse the draft
    Reject {
        #[command(flatten)]
        review: Named,
        /// Why
        #[arg(long, value_parser = reason())]
        reason: Option<Reason>,
        /// Why, in your words
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// Ask something first; the draft is then made again
    Ask {
        #[command(flatten)]
        review: Named,
        /// The question
        question: Vec<String>,
    },
    /// List what has happened to a thread
    History {
        /// The thread
        thread: String,
        /// From this place on
        #[arg(long, value_name = "PLACE", default_value_t = 0)]
        from: Place,
        /// How many entries
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
    },
    /// Take up a thread whose process has died, or try again what has failed
    Resume {
        /// The thread
        thread: String,
    },
    /// Say how an effect ended that nobody saw the end of
    Settle {
        /// The thread
        thread: String,
        /// The digest of the doubt, as `show` prints it, or its first 8 digits or more [default: that of what is in doubt now]
        #[arg(long)]
        digest: Option<String>,
        #[command(subcommand)]
        how: How,
    },
    /// Go on from a place of a thread's past under another name
    Fork {
        /// The thread
        thread: String,
        /// The last place that the new thread shares with the old one
        #[arg(long, value_name = "PLACE")]
        at: Place,
        /// The new thread's name [default: one is made up]
        #[arg(long = "as", value_name = "NEW")]
        new: Option<String>,
    },
    /// Say which threads this program can take, before it is deployed
    ///
    /// Each thread that has not ended is held against this program's graph, types and invariants. Nothing is written.
    /// Exits with 4 when there is one that cannot go on.
    Check {
        /// The thread [default: every one in the store that runs on this graph]
        thread: Option<String>,
    },
    /// Prove that a journal is as it was written, and that what it says can have happened
    ///
    /// With journal keys (HITL_JOURNAL_KEY), each entry must bear a MAC of one of them.
    Verify {
        /// The thread [default: every one in the store]
        thread: Option<String>,
        /// Heads that were kept elsewhere, as `verify --json` printed them: each must still be there
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Vouch for a thread that was written without a journal key, so that it is authenticated from here on
    ///
    /// The journal is verified first. Look at its history, too: without heads that were kept elsewhere nothing shows that
    /// it was not written anew.
    Adopt {
        /// The thread
        thread: String,
        /// Heads that were kept elsewhere, as `verify --json` printed them
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Look after what nobody looks after: threads of dead processes, expired reviews, reminders
    ///
    /// What runs any such thread on may change the world, as the process would have done that died.
    Sweep {
        /// Again and again, for as long as the program runs, as in 10s
        #[arg(long, value_name = "DURATION", value_parser = every)]
        every: Option<Duration>,
    },
    /// Serve the agent over HTTP, as Amazon Bedrock AgentCore Runtime calls it
    ///
    /// HITL_JWKS_URL (or HITL_JWKS), HITL_JWT_ISSUER and HITL_JWT_AUDIENCE say whose tokens verify an operator;
    /// HITL_OPERATORS=claimed takes the name that a request gives, and the journal says `unverified`. The README lists all
    /// settings.
    #[cfg(feature = "agentcore")]
    Serve {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
        listen: std::net::SocketAddr,
        /// With HITL_OPERATORS=claimed, serve on an address that others reach: whoever reaches it signs in any name
        /// (or HITL_LET_ANYONE_DECIDE=1)
        #[arg(long)]
        let_anyone_decide: bool,
    },
    /// Draw the graph, and where a thread stands in it
    Draw {
        /// The thread
        thread: Option<String>,
        /// How [default: by the file's extension, else mermaid]
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Into a file [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// A review of a thread.
#[derive(Debug, ClapArgs)]
pub(super) struct Named {
    /// The thread
    pub(super) thread: String,
    /// The digest of the draft that you saw, or its first 8 digits or more
    #[arg(long)]
    pub(super) digest: Option<String>,
    /// Decide without having been shown the draft, and without a question
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum How {
    /// It happened, and this is what it would have written
    Happened {
        /// A field that the node writes; may be given again
        #[arg(long, value_name = "FIELD=VALUE")]
        set: Vec<String>,
    },
    /// It did not happen, and its process is known to be dead: run it again, with the same idempotency key
    RunAgain,
    /// Leave it; the thread goes no further
    Stop {
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A Mermaid flowchart
    Mermaid,
    /// A picture
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

/// `10s`, `5m`, `1h`.
pub(super) fn every(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write 10s, 5m or 1h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        Some(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

fn reason() -> impl TypedValueParser<Value = Reason> {
    PossibleValuesParser::new(Reason::GIVEN.map(Reason::as_str)).try_map(|word| word.parse::<Reason>())
}
