//! The `main` of a program: an agent configured by the environment.

use std::{panic::AssertUnwindSafe, process::ExitCode, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use hitl_runtime::{
    Agent, Error, Front, NodeError, Store, agent::Graph, journal::JournalKeys, plumbing::panic_message,
    store::from_env,
};

use super::{Cli, Exit, escape::escape, input::kebab};

/// The time to wait at exit for nodes that block a thread. Writes that the store has begun complete within it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Creates the command line of an agent whose store and keys the environment selects. The dependencies are created when
/// they are first needed. [`entrypoint`](https://docs.rs/hitl/latest/hitl/attr.entrypoint.html) generates the `main` that
/// calls it.
pub fn open_from_env<G, D, E>(deps: impl FnOnce() -> D + Send + 'static) -> Cli<G>
where
    G: Graph,
    D: Future<Output = Result<G::Deps, E>> + Send + 'static,
    E: Into<NodeError> + 'static,
{
    Cli::open(open::<G, D, E>(deps)).front(open_front::<G>())
}

impl<G: Graph> Cli<G> {
    /// Implements a whole `main`: [`run`](Self::run) on its own runtime. A node that blocks its thread cannot delay the
    /// end of the process, as it would under `#[tokio::main]`, which waits for it.
    ///
    /// ```no_run
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hitl-runtime/doc/refunds.rs"));
    /// fn main() -> std::process::ExitCode {
    ///     hitl::cli::Cli::open(async { Ok::<_, hitl::Error>(RefundAgent::new(MemoryStore::new())) }).main()
    /// }
    /// ```
    pub fn main(self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("the async runtime cannot be started: {error}");
                return ExitCode::FAILURE;
            }
        };
        let code = runtime.block_on(exit_code(self.run()));
        runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        code
    }
}

/// Returns the exit code of a run. A panic that gets here did not come from a node; it may come from the program's own
/// setup.
async fn exit_code(run: impl Future<Output = ExitCode>) -> ExitCode {
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|panic| {
        eprintln!("the program panicked: {}", escape(&panic_message(panic)));
        Exit::Io.into()
    })
}

async fn open<G, D, E>(deps: impl FnOnce() -> D) -> Result<Agent<G>, Error>
where
    G: Graph,
    D: Future<Output = Result<G::Deps, E>>,
    E: Into<NodeError> + 'static,
{
    let store = open_store(G::SPEC.name).await?;
    let deps = deps().await.map_err(|error| Error::NotSetUp { problem: error.into().to_string() })?;
    let agent = Agent::new(deps, store);
    Ok(match JournalKeys::from_env()? {
        Some(keys) => agent.journal_keys(keys),
        None => agent,
    })
}

/// Opens the front of the same agent, without its dependencies.
async fn open_front<G: Graph>() -> Result<Front<G>, Error> {
    let front = Front::new(open_store(G::SPEC.name).await?);
    Ok(match JournalKeys::from_env()? {
        Some(keys) => front.journal_keys(keys),
        None => front,
    })
}

async fn open_store(graph: &str) -> Result<Arc<dyn Store>, Error> {
    match from_env().await? {
        Some(store) => Ok(store),
        None => default_store(graph).await,
    }
}

/// Opens the default store: a SQLite file named after the graph.
#[cfg(feature = "sqlite")]
async fn default_store(graph: &str) -> Result<Arc<dyn Store>, Error> {
    let file = format!("{}.db", kebab(graph));
    Ok(Arc::new(hitl_runtime::SqliteStore::open(&file).await?))
}

#[cfg(not(feature = "sqlite"))]
async fn default_store(graph: &str) -> Result<Arc<dyn Store>, Error> {
    let name = kebab(graph);
    Err(Error::NotSetUp { problem: format!("no store is configured for {name}: set HITL_STORE") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_panics_has_its_own_exit_code() {
        // `ExitCode` exposes its value only through `Debug`.
        let shown = |code: ExitCode| format!("{code:?}");
        let panics = exit_code(async { panic!("no set-up\u{1b}[2J") }).await;
        assert_eq!(shown(panics), shown(ExitCode::from(Exit::Io.code())));
        let waits = exit_code(async { Exit::Waiting.into() }).await;
        assert_eq!(shown(waits), shown(ExitCode::from(3)));
    }
}
