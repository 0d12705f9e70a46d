//! The server as the environment configures it.

use std::{io, net::SocketAddr, sync::Arc};

use hitl_core::{
    env::{NotUnicode, optional_var},
    text::parse_duration,
};
use hitl_runtime::plumbing::Engine;

use super::{
    Routes, Server,
    background::Background,
    log_as_json,
    serve::shutdown_signal,
    sweep::{self, SweepScope},
};
use crate::{
    http,
    identity::{OperatorAuth, Right, TokenVerifier},
};

/// The reason why a server did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A setting is missing or invalid.
    #[error("{0}")]
    Setting(String),
    /// The server cannot listen on its address, or no longer listens.
    #[error("cannot serve on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

impl From<NotUnicode> for ServeError {
    fn from(NotUnicode(variable): NotUnicode) -> Self {
        Self::Setting(format!("{variable} is not valid UTF-8"))
    }
}

fn setting(problem: impl std::fmt::Display) -> ServeError {
    ServeError::Setting(problem.to_string())
}

/// Serves an agent on an address until SIGTERM or Ctrl-C, as the environment configures it, and sweeps its store once a
/// minute, unless the environment says otherwise.
///
/// # Errors
/// [`ServeError`] if a setting is invalid, or the address cannot be listened on.
pub async fn serve(
    engine: Arc<Engine>,
    address: SocketAddr,
    let_anyone_decide: bool,
) -> Result<(), ServeError> {
    log_as_json();
    let mut served = configured(&engine, address, let_anyone_decide, false)?;
    let scope = sweep_scope(&|name| Ok(optional_var(name)?))?;
    let listener = listen(address)?;
    let background = Background::default();
    let own_threads = Arc::clone(&served.state.own_threads);
    let watch = tokio::spawn(sweep::watch(engine, background.clone(), scope, own_threads));
    let stop = async move {
        shutdown_signal().await;
        // The sweep resumes no further threads.
        watch.abort();
    };
    served.state.background = background;
    let served = served.serve_until(agent_routes(), listener, stop).await;
    served.map_err(|source| ServeError::Listen { address, source })
}

/// Serves the HTTP API of a front on an address until SIGTERM or Ctrl-C, as the environment configures it. It runs no
/// node, and sweeps nothing.
///
/// # Errors
/// [`ServeError`] if a setting is invalid, or the address cannot be listened on.
pub async fn serve_front(
    engine: Arc<Engine>,
    address: SocketAddr,
    let_anyone_decide: bool,
) -> Result<(), ServeError> {
    log_as_json();
    let served = configured(&engine, address, let_anyone_decide, true)?;
    let listener = listen(address)?;
    let served = served.serve_until(http::with_ping(), listener, shutdown_signal()).await;
    served.map_err(|source| ServeError::Listen { address, source })
}

/// Returns the routes of a process that runs the agent.
fn agent_routes() -> Routes {
    #[cfg(feature = "agentcore")]
    return crate::agentcore::routes();
    #[cfg(not(feature = "agentcore"))]
    http::with_ping()
}

/// Creates a server as the environment configures it.
fn configured(
    engine: &Arc<Engine>,
    address: SocketAddr,
    let_anyone_decide: bool,
    stands_alone: bool,
) -> Result<Server, ServeError> {
    let mut served = Server::new(Arc::clone(engine));
    served.stands_alone = stands_alone;
    let served = configure(served, let_anyone_decide, &|name| Ok(optional_var(name)?))?;
    served.check_address(address).map_err(setting)?;
    Ok(served)
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, ServeError> {
    std::net::TcpListener::bind(address).map_err(|source| ServeError::Listen { address, source })
}

type Variables<'a> = &'a dyn Fn(&'static str) -> Result<Option<String>, ServeError>;

/// Applies the environment's configuration to a server.
fn configure(mut served: Server, let_anyone_decide: bool, var: Variables<'_>) -> Result<Server, ServeError> {
    served.state.operators = operators(var)?;
    served.anyone_decides = let_anyone_decide || flag(var, "HITL_LET_ANYONE_DECIDE")?;
    served.state.behind_service = behind_agentcore(var)?;
    if let Some(bytes) = max_request_bytes(var)? {
        served.state.max_bytes = bytes;
    }
    for origin in origins(var)? {
        served.allow_origin(origin);
    }
    Ok(served)
}

fn flag(var: Variables<'_>, name: &'static str) -> Result<bool, ServeError> {
    match var(name)?.as_deref() {
        None => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(setting(format_args!("{name} is `{other}`, but must be `1` or unset"))),
    }
}

/// Returns whether refusals are answered with 200. An image sets this, so a runtime can turn it off.
fn behind_agentcore(var: Variables<'_>) -> Result<bool, ServeError> {
    match var("HITL_BEHIND_AGENTCORE")?.as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => {
            Err(setting(format_args!("HITL_BEHIND_AGENTCORE is `{other}`, but must be `1`, `0` or unset")))
        }
    }
}

/// Returns the threads that the server sweeps.
fn sweep_scope(var: Variables<'_>) -> Result<SweepScope, ServeError> {
    match var("HITL_SWEEP")?.as_deref() {
        None | Some("all") => Ok(SweepScope::All),
        Some("own") => Ok(SweepScope::Own),
        Some("none") => Ok(SweepScope::Nothing),
        Some(other) => {
            Err(setting(format_args!("HITL_SWEEP is `{other}`, but must be `all`, `own` or `none`")))
        }
    }
}

fn max_request_bytes(var: Variables<'_>) -> Result<Option<usize>, ServeError> {
    const NAME: &str = "HITL_MAX_REQUEST_BYTES";
    // The maximum that the service forwards.
    const MAX: usize = 100_000_000;
    let Some(text) = var(NAME)? else { return Ok(None) };
    match text.trim().parse() {
        Ok(bytes @ 1..=MAX) => Ok(Some(bytes)),
        _ => Err(setting(format_args!("{NAME} is `{text}`, but must be a number from 1 to {MAX}"))),
    }
}

fn origins(var: Variables<'_>) -> Result<Vec<String>, ServeError> {
    const NAME: &str = "HITL_ALLOWED_ORIGINS";
    let origins = list_of(var, NAME)?;
    for origin in &origins {
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        if authority.is_none_or(|name| name.is_empty() || name.contains(['/', '*', '@', ' '])) {
            return Err(setting(format_args!(
                "{NAME} contains `{origin}`, which is not an origin such as `https://desk.example`"
            )));
        }
    }
    Ok(origins)
}

/// Returns the values of a comma-separated list.
fn list_of(var: Variables<'_>, name: &'static str) -> Result<Vec<String>, ServeError> {
    let text = var(name)?.unwrap_or_default();
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// The variable with the roles for each right.
const ROLES: [(&str, Right); 3] = [
    ("HITL_START_ROLES", Right::Start),
    ("HITL_READ_ROLES", Right::Read),
    ("HITL_RESUME_ROLES", Right::Resume),
];

/// Configures the accepted operators and the access rules.
fn operators(var: Variables<'_>) -> Result<OperatorAuth, ServeError> {
    let (verified, claimed) = match var("HITL_OPERATORS")?.as_deref() {
        None => (false, false),
        Some("verified") => (true, false),
        Some("claimed") => (false, true),
        Some(other) => {
            return Err(setting(format_args!(
                "HITL_OPERATORS is `{other}`, but must be `verified` or `claimed`"
            )));
        }
    };
    let (name, tokens) = match (var("HITL_JWKS")?, var("HITL_JWKS_URL")?) {
        (Some(_), Some(_)) => {
            return Err(setting("HITL_JWKS and HITL_JWKS_URL are both set: unset one"));
        }
        (Some(keys), None) => ("HITL_JWKS", Some(TokenVerifier::from_jwks(&keys))),
        (None, Some(url)) => ("HITL_JWKS_URL", Some(TokenVerifier::from_url(url.trim()))),
        (None, None) => ("", None),
    };
    let tokens = tokens.transpose().map_err(|error| setting(format_args!("{name}: {error}")))?;
    let Some(tokens) = tokens else { return without_tokens(var, verified, claimed) };
    if claimed {
        return Err(setting(format_args!(
            "{name} requires tokens, but HITL_OPERATORS=claimed accepts operators without one: unset one"
        )));
    }
    let mut operators = OperatorAuth::verified(configure_tokens(tokens, var)?);
    for (name, right) in ROLES {
        operators = list_of(var, name)?
            .into_iter()
            .fold(operators, |operators, role| operators.role_for(right, role));
    }
    for word in list_of(var, "HITL_OPEN")? {
        let right =
            word.parse().map_err(|error| setting(format_args!("HITL_OPEN contains `{word}`: {error}")))?;
        operators = operators.open(right);
    }
    Ok(operators)
}

fn without_tokens(var: Variables<'_>, verified: bool, claimed: bool) -> Result<OperatorAuth, ServeError> {
    const TOKENS: [&str; 6] = [
        "HITL_JWT_ISSUER",
        "HITL_JWT_AUDIENCE",
        "HITL_JWT_ROLES",
        "HITL_JWT_NAME_CLAIM",
        "HITL_JWT_MAX_LIFETIME",
        "HITL_OPEN",
    ];
    let mut required_by = verified.then_some("HITL_OPERATORS");
    for name in TOKENS.into_iter().chain(ROLES.map(|(name, _)| name)) {
        if var(name)?.is_some() {
            required_by = Some(name);
        }
    }
    match required_by {
        Some(name) => Err(setting(format_args!(
            "{name} requires tokens, but no keys are configured: set HITL_JWKS_URL or HITL_JWKS"
        ))),
        None if claimed => Ok(OperatorAuth::claimed()),
        None => Ok(OperatorAuth::default()),
    }
}

/// Restricts the accepted tokens by issuer, audience and lifetime.
fn configure_tokens(tokens: TokenVerifier, var: Variables<'_>) -> Result<TokenVerifier, ServeError> {
    let audiences = list_of(var, "HITL_JWT_AUDIENCE")?;
    let (Some(issuer), false) = (var("HITL_JWT_ISSUER")?, audiences.is_empty()) else {
        // A key server may sign for many programs, and some for many organizations.
        return Err(setting(
            "tokens cannot be verified without an issuer and an audience: set HITL_JWT_ISSUER and HITL_JWT_AUDIENCE",
        ));
    };
    let mut tokens = audiences.into_iter().fold(tokens.issuer(issuer), TokenVerifier::audience);
    if let Some(claim) = var("HITL_JWT_ROLES")? {
        if claim.contains(',') {
            return Err(setting("HITL_JWT_ROLES must name exactly one claim, which lists the roles"));
        }
        tokens = tokens.roles_claim(claim.trim());
    }
    if let Some(claim) = var("HITL_JWT_NAME_CLAIM")? {
        // These describe the issuing of a token and its validity, and name no person.
        const OTHERS: [&str; 11] =
            ["iss", "aud", "exp", "nbf", "iat", "jti", "azp", "client_id", "cnf", "events", "email_verified"];
        if claim.trim().is_empty() || claim.contains(',') || OTHERS.contains(&claim.trim()) {
            return Err(setting(format_args!(
                "HITL_JWT_NAME_CLAIM is `{claim}`, but must name exactly one claim that has the operator's name"
            )));
        }
        tokens = tokens.name_claim(claim.trim());
    }
    if let Some(lifetime) = var("HITL_JWT_MAX_LIFETIME")? {
        let lifetime = parse_duration(lifetime.trim())
            .map_err(|problem| setting(format_args!("HITL_JWT_MAX_LIFETIME: {problem}")))?;
        tokens = tokens.max_lifetime(lifetime);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(variables: &[(&str, &str)]) -> Result<(), String> {
        let var = |name: &'static str| {
            Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let all = || {
            operators(&var)?;
            flag(&var, "HITL_LET_ANYONE_DECIDE")?;
            behind_agentcore(&var)?;
            sweep_scope(&var)?;
            max_request_bytes(&var)?;
            origins(&var)
        };
        all().map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_is_accepted_or_rejected_as_a_whole() {
        for right in [
            &[][..],
            &[("HITL_OPERATORS", "claimed")],
            &[
                ("HITL_JWKS", r#"{"keys":[]}"#),
                ("HITL_JWT_ISSUER", "https://a"),
                ("HITL_JWT_AUDIENCE", "a, b,"),
            ],
            &[
                ("HITL_JWKS_URL", "https://a/keys"),
                ("HITL_JWT_ISSUER", "https://a"),
                ("HITL_JWT_AUDIENCE", "a"),
                ("HITL_OPERATORS", "verified"),
                ("HITL_JWT_ROLES", "r"),
                ("HITL_JWT_NAME_CLAIM", "username"),
                ("HITL_JWT_MAX_LIFETIME", "1h"),
                ("HITL_START_ROLES", "desk, front"),
                ("HITL_READ_ROLES", "auditor"),
                ("HITL_OPEN", "start,read,resume"),
            ],
            &[
                ("HITL_LET_ANYONE_DECIDE", "1"),
                ("HITL_BEHIND_AGENTCORE", "0"),
                ("HITL_SWEEP", "own"),
                ("HITL_MAX_REQUEST_BYTES", "4194304"),
                ("HITL_ALLOWED_ORIGINS", "https://desk.example, http://localhost:3000"),
            ],
        ] {
            assert_eq!(parse_all(right), Ok(()));
        }
        for claim in ["", "  ", "sub,email", "client_id"] {
            let error = parse_all(&[
                ("HITL_JWKS", r#"{"keys":[]}"#),
                ("HITL_JWT_ISSUER", "https://a"),
                ("HITL_JWT_AUDIENCE", "a"),
                ("HITL_JWT_NAME_CLAIM", claim),
            ]);
            assert!(error.unwrap_err().contains("HITL_JWT_NAME_CLAIM is"), "{claim:?}");
        }
        for (wrong, words) in [
            (&[("HITL_OPERATORS", "anybody")][..], "must be `verified` or `claimed`"),
            (&[("HITL_JWKS", "keys.json")], "invalid key set (RFC 7517)"),
            (&[("HITL_JWKS", "{}"), ("HITL_JWKS_URL", "https://a")], "unset one"),
            (&[("HITL_JWKS_URL", "https://a"), ("HITL_JWT_ISSUER", "https://a")], "HITL_JWT_AUDIENCE"),
            (&[("HITL_JWKS_URL", "https://a"), ("HITL_JWT_AUDIENCE", "a")], "HITL_JWT_ISSUER"),
            (
                &[
                    ("HITL_JWKS_URL", "https://a"),
                    ("HITL_JWT_ISSUER", "https://a"),
                    ("HITL_JWT_AUDIENCE", " , "),
                ],
                "HITL_JWT_AUDIENCE",
            ),
            (&[("HITL_OPERATORS", "verified")], "HITL_OPERATORS requires tokens"),
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWKS", r#"{"keys":[]}"#)], "unset one"),
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWKS_URL", "https://a/keys")], "unset one"),
            (&[("HITL_JWKS_URL", "http://login.example/keys")], "use https"),
            (&[("HITL_READ_ROLES", "auditor")], "HITL_READ_ROLES requires tokens"),
            (&[("HITL_OPEN", "read")], "HITL_OPEN requires tokens"),
            (&[("HITL_LET_ANYONE_DECIDE", "yes")], "must be `1`"),
            (&[("HITL_BEHIND_AGENTCORE", "true")], "HITL_BEHIND_AGENTCORE is `true`, but must be `1`, `0`"),
            (&[("HITL_SWEEP", "Own")], "HITL_SWEEP is `Own`, but must be `all`, `own` or `none`"),
            (&[("HITL_SWEEP", "")], "must be `all`, `own` or `none`"),
            (&[("HITL_MAX_REQUEST_BYTES", "1MB")], "from 1 to"),
            (&[("HITL_ALLOWED_ORIGINS", "*")], "https://desk.example"),
            (&[("HITL_ALLOWED_ORIGINS", "https://desk.example/")], "https://desk.example"),
            (
                &[
                    ("HITL_JWKS", r#"{"keys":[]}"#),
                    ("HITL_JWT_ISSUER", "https://a"),
                    ("HITL_JWT_AUDIENCE", "a"),
                    ("HITL_OPEN", "decide"),
                ],
                "HITL_OPEN contains `decide`",
            ),
            (
                &[
                    ("HITL_JWKS", r#"{"keys":[]}"#),
                    ("HITL_JWT_ISSUER", "https://a"),
                    ("HITL_JWT_AUDIENCE", "a"),
                    ("HITL_JWT_ROLES", "roles,groups"),
                ],
                "exactly one claim",
            ),
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWT_ROLES", "r")], "HITL_JWT_ROLES requires tokens"),
            (&[("HITL_JWT_NAME_CLAIM", "username")], "HITL_JWT_NAME_CLAIM requires tokens"),
        ] {
            let error = parse_all(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
