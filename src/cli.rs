//! The command-line interface of an agent: see [`Cli`].

use std::process::ExitCode;

pub use hitl_cli::{Cli, Exit, Io, Subcommand};

use crate::{Agent, Graph, NodeError};

/// Executes the program's arguments, and returns its exit code. With the feature `http` or `agentcore`, `serve` is one
/// of the commands.
#[must_use = "the exit code is the result of the command: return it from `main`"]
pub async fn run<G: Graph>(agent: Agent<G>) -> ExitCode {
    Cli::new(agent).subcommand(serve()).run().await
}

/// Runs the command line of an agent. The environment selects the store, and the dependencies are created when they are
/// first needed. [`entrypoint`](crate::entrypoint) generates the `main` that calls it.
pub fn main<G, D, E>(deps: impl FnOnce() -> D + Send + 'static) -> ExitCode
where
    G: Graph,
    D: Future<Output = Result<G::Deps, E>> + Send + 'static,
    E: Into<NodeError> + 'static,
{
    hitl_cli::open_from_env::<G, D, E>(deps).subcommand(serve()).main()
}

/// Creates the command `serve`, which serves the agent over HTTP: see the module `agentcore`. [`run`] and
/// [`entrypoint`](crate::entrypoint) add it themselves. Without the feature `http` or `agentcore`, the command says
/// that it is missing.
///
/// ```no_run
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/hitl-runtime/doc/refunds.rs"));
/// fn main() -> std::process::ExitCode {
///     let agent = async { Ok::<_, hitl::Error>(RefundAgent::new(MemoryStore::new())) };
///     hitl::cli::Cli::open(agent).subcommand(hitl::cli::serve()).main()
/// }
/// ```
#[cfg(feature = "http")]
pub fn serve() -> Subcommand {
    use clap::{Args as _, FromArgMatches as _};
    use hitl_cli::SubcommandError;
    use hitl_server::{ServeError, http::front_from_env, serve, serve_front};

    /// Serve the agent over HTTP: the API under /v1, and the paths of Amazon Bedrock AgentCore Runtime
    ///
    /// HITL_JWKS_URL (or HITL_JWKS), HITL_JWT_ISSUER and HITL_JWT_AUDIENCE select the tokens that identify an operator;
    /// HITL_OPERATORS=claimed accepts the name in a request, and the journal records it as `unverified`. The README
    /// lists all settings.
    #[derive(clap::Args)]
    struct ServeArgs {
        /// The address to listen on
        #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
        listen: std::net::SocketAddr,
        /// With HITL_OPERATORS=claimed, serve on an address that other machines reach: everyone who reaches it can sign
        /// in any name (or HITL_LET_ANYONE_DECIDE=1)
        #[arg(long)]
        let_anyone_decide: bool,
        /// Serve only the API, for people, and run no node: what they decide is recorded, and a runner on the same
        /// store goes on. HITL_RUNNER_URL, such as http://127.0.0.1:8080, names one to wake at once
        #[arg(long)]
        front: bool,
    }

    let command = ServeArgs::augment_args(clap::Command::new("serve"));
    let serve = Subcommand::new(command, async |engine, args| {
        let args =
            ServeArgs::from_arg_matches(&args).map_err(|error| SubcommandError::Usage(error.to_string()))?;
        let served = if args.front {
            let engine =
                front_from_env(&engine).map_err(|error| SubcommandError::Usage(error.to_string()))?;
            serve_front(engine, args.listen, args.let_anyone_decide).await
        } else {
            serve(engine, args.listen, args.let_anyone_decide).await
        };
        served.map_err(|error| match error {
            ServeError::Setting(problem) => SubcommandError::Usage(problem),
            error => SubcommandError::Io(error.to_string()),
        })
    });
    serve.on_front_if(|args| args.get_flag("front"))
}

/// Creates the command `serve`, which says that the program is built without a server.
#[cfg(not(feature = "http"))]
pub fn serve() -> Subcommand {
    Subcommand::missing(
        "serve",
        "`serve` is not in this program, because it was built without the feature `http` or `agentcore` of hitl; enable it",
    )
}
