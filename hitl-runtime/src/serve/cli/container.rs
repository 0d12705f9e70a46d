//! `serve`: the HTTP server for AgentCore Runtime.

use std::{net::SocketAddr, time::Duration};

use super::{
    args::every,
    exit::{Exit, Refusal},
    session::Session,
};
use crate::{
    Error, Standing,
    run::{Graph, Noticed},
    serve::agentcore::{AgentCore, Background, Operators, Right, Tokens, log_as_json, told_to_stop},
    variable::variable,
};

/// The interval between sweeps.
const SWEEP: Duration = Duration::from_secs(60);

impl<G: Graph> Session<'_, G> {
    pub(super) async fn serve(&mut self, listen: SocketAddr, anyone: bool) -> Result<Exit, Refusal> {
        log_as_json();
        let served = AgentCore::new(self.agent.clone());
        let served = configured(served, anyone, &set)?;
        served.may_listen(listen).map_err(Refusal::usage)?;
        let listener = std::net::TcpListener::bind(listen);
        let cannot =
            |error| Refusal::new(Exit::Broken, "io", format_args!("{listen} cannot be served: {error}"));
        let agent = self.agent.clone();
        let background = Background::default();
        let watch = tokio::spawn({
            let background = background.clone();
            async move {
                let tell = |noticed: Result<Noticed, Error>| {
                    if noticed.is_err() {
                        background.stumbles();
                    }
                    log(noticed);
                };
                background.keep("the sweep", || agent.watch(SWEEP, tell)).await
            }
        });
        let stop = async move {
            told_to_stop().await;
            // The sweep resumes no further threads.
            watch.abort();
        };
        let served = served.background(background);
        served.serve_until(listener.map_err(cannot)?, stop).await.map_err(cannot)?;
        Ok(Exit::Done)
    }
}

/// Logs an event of a sweep.
fn log(noticed: Result<Noticed, Error>) {
    match noticed {
        Ok(Noticed::Moved { thread, standing: standing @ (Standing::Failed | Standing::InDoubt) }) => {
            tracing::warn!(%thread, standing = standing.as_str(), "taken up, and did not get through");
        }
        Ok(Noticed::Moved { thread, .. }) => tracing::info!(%thread, "taken up"),
        Ok(Noticed::Refused { thread, error }) => {
            tracing::warn!(%thread, code = error.code(), "cannot be taken up: {error}");
        }
        Ok(Noticed::Waits { .. }) => {}
        Err(error) => tracing::warn!(code = error.code(), "no sweep: {error}"),
    }
}

/// Returns the value of an environment variable.
fn set(name: &'static str) -> Result<Option<String>, Refusal> {
    variable(name).map_err(|_| Refusal::usage(format_args!("{name} is not Unicode: write it in UTF-8")))
}

type Set<'a> = &'a dyn Fn(&'static str) -> Result<Option<String>, Refusal>;

/// Applies the environment's configuration to a server.
fn configured<G: Graph>(served: AgentCore<G>, anyone: bool, set: Set<'_>) -> Result<AgentCore<G>, Refusal> {
    let mut served = served.operators(operators(set)?);
    if anyone || flag(set, "HITL_LET_ANYONE_DECIDE")? {
        served = served.let_anyone_decide();
    }
    if let Some(bytes) = largest_request(set)? {
        served = served.largest_request(bytes);
    }
    Ok(origins(set)?.into_iter().fold(served, AgentCore::allow_origin))
}

fn flag(set: Set<'_>, name: &'static str) -> Result<bool, Refusal> {
    match set(name)?.as_deref() {
        None => Ok(false),
        Some("1") => Ok(true),
        Some(other) => {
            Err(Refusal::usage(format_args!("{name} is `{other}`, and should be `1` or not be set")))
        }
    }
}

fn largest_request(set: Set<'_>) -> Result<Option<usize>, Refusal> {
    const NAME: &str = "HITL_MAX_REQUEST_BYTES";
    // The maximum that the service forwards.
    const MOST: usize = 100_000_000;
    let Some(text) = set(NAME)? else { return Ok(None) };
    match text.trim().parse() {
        Ok(bytes @ 1..=MOST) => Ok(Some(bytes)),
        _ => Err(Refusal::usage(format_args!("{NAME} is `{text}`, and should be a number from 1 to {MOST}"))),
    }
}

fn origins(set: Set<'_>) -> Result<Vec<String>, Refusal> {
    const NAME: &str = "HITL_ALLOWED_ORIGINS";
    let origins = listed(set, NAME)?;
    for origin in &origins {
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        if authority.is_none_or(|name| name.is_empty() || name.contains(['/', '*', '@', ' '])) {
            return Err(Refusal::usage(format_args!(
                "{NAME} has `{origin}`, and an origin is written as `https://desk.example`"
            )));
        }
    }
    Ok(origins)
}

/// Returns the values of a comma-separated list.
fn listed(set: Set<'_>, name: &'static str) -> Result<Vec<String>, Refusal> {
    let text = set(name)?.unwrap_or_default();
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// The variable with the roles for each right.
const ROLES: [(&str, Right); 3] = [
    ("HITL_START_ROLES", Right::Start),
    ("HITL_READ_ROLES", Right::Read),
    ("HITL_RESUME_ROLES", Right::Resume),
];

/// Configures the accepted operators and the access rules.
fn operators(set: Set<'_>) -> Result<Operators, Refusal> {
    let (verified, claimed) = match set("HITL_OPERATORS")?.as_deref() {
        None => (false, false),
        Some("verified") => (true, false),
        Some("claimed") => (false, true),
        Some(other) => {
            return Err(Refusal::usage(format_args!(
                "HITL_OPERATORS is `{other}`, and should be `verified` or `claimed`"
            )));
        }
    };
    let (name, tokens) = match (set("HITL_JWKS")?, set("HITL_JWKS_URL")?) {
        (Some(_), Some(_)) => {
            return Err(Refusal::usage("HITL_JWKS and HITL_JWKS_URL are both set: keep one"));
        }
        (Some(keys), None) => ("HITL_JWKS", Some(Tokens::from_jwks(&keys))),
        (None, Some(url)) => ("HITL_JWKS_URL", Some(Tokens::from_url(url.trim()))),
        (None, None) => ("", None),
    };
    let tokens = tokens.transpose().map_err(|error| Refusal::usage(format_args!("{name}: {error}")))?;
    let Some(tokens) = tokens else { return without_tokens(set, verified, claimed) };
    if claimed {
        return Err(Refusal::usage(format_args!(
            "{name} says whose tokens count, and HITL_OPERATORS=claimed that none is needed: keep one"
        )));
    }
    let mut operators = Operators::verified(verifying(tokens, set)?);
    for (name, right) in ROLES {
        operators =
            listed(set, name)?.into_iter().fold(operators, |operators, role| operators.role_for(right, role));
    }
    for word in listed(set, "HITL_OPEN")? {
        let right =
            word.parse().map_err(|error| Refusal::usage(format_args!("HITL_OPEN has `{word}`: {error}")))?;
        operators = operators.open(right);
    }
    Ok(operators)
}

fn without_tokens(set: Set<'_>, verified: bool, claimed: bool) -> Result<Operators, Refusal> {
    const TOKENS: [&str; 5] =
        ["HITL_JWT_ISSUER", "HITL_JWT_AUDIENCE", "HITL_JWT_ROLES", "HITL_JWT_MAX_LIFETIME", "HITL_OPEN"];
    let mut wanting = verified.then_some("HITL_OPERATORS");
    for name in TOKENS.into_iter().chain(ROLES.map(|(name, _)| name)) {
        if set(name)?.is_some() {
            wanting = Some(name);
        }
    }
    match wanting {
        Some(name) => Err(Refusal::usage(format_args!(
            "{name} asks for tokens, and nothing says by which keys: set HITL_JWKS_URL or HITL_JWKS"
        ))),
        None if claimed => Ok(Operators::claimed()),
        None => Ok(Operators::default()),
    }
}

/// Restricts the accepted tokens by issuer, audience and lifetime.
fn verifying(tokens: Tokens, set: Set<'_>) -> Result<Tokens, Refusal> {
    let audiences = listed(set, "HITL_JWT_AUDIENCE")?;
    let (Some(issuer), false) = (set("HITL_JWT_ISSUER")?, audiences.is_empty()) else {
        // A key server may sign for many programs, and some for many organizations.
        return Err(Refusal::usage(
            "whose tokens count, and which of them are meant for this agent? set HITL_JWT_ISSUER and HITL_JWT_AUDIENCE",
        ));
    };
    let mut tokens = audiences.into_iter().fold(tokens.issuer(issuer), Tokens::audience);
    if let Some(claim) = set("HITL_JWT_ROLES")? {
        if claim.contains(',') {
            return Err(Refusal::usage("HITL_JWT_ROLES names one claim, the one that lists the roles"));
        }
        tokens = tokens.roles_in(claim.trim());
    }
    if let Some(longest) = set("HITL_JWT_MAX_LIFETIME")? {
        let longest = every(longest.trim())
            .map_err(|problem| Refusal::usage(format_args!("HITL_JWT_MAX_LIFETIME: {problem}")))?;
        tokens = tokens.longest(longest);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Result<(), String> {
        let set = |name: &'static str| {
            Ok(variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let all = || {
            operators(&set)?;
            flag(&set, "HITL_LET_ANYONE_DECIDE")?;
            largest_request(&set)?;
            origins(&set)
        };
        all().map(drop).map_err(|refusal| refusal.message)
    }

    #[test]
    fn what_the_environment_says_of_operators_is_read_whole_or_refused() {
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
                ("HITL_JWT_MAX_LIFETIME", "1h"),
                ("HITL_START_ROLES", "desk, front"),
                ("HITL_READ_ROLES", "auditor"),
                ("HITL_OPEN", "start,read,resume"),
            ],
            &[
                ("HITL_LET_ANYONE_DECIDE", "1"),
                ("HITL_MAX_REQUEST_BYTES", "4194304"),
                ("HITL_ALLOWED_ORIGINS", "https://desk.example, http://localhost:3000"),
            ],
        ] {
            assert_eq!(said(right), Ok(()));
        }
        for (wrong, words) in [
            (&[("HITL_OPERATORS", "anybody")][..], "should be `verified` or `claimed`"),
            (&[("HITL_JWKS", "keys.json")], "no keys (RFC 7517)"),
            (&[("HITL_JWKS", "{}"), ("HITL_JWKS_URL", "https://a")], "keep one"),
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
            (&[("HITL_OPERATORS", "verified")], "HITL_OPERATORS asks for tokens"),
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWKS", r#"{"keys":[]}"#)], "keep one"),
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWKS_URL", "https://a/keys")], "keep one"),
            (&[("HITL_JWKS_URL", "http://login.example/keys")], "take one with https"),
            (&[("HITL_READ_ROLES", "auditor")], "HITL_READ_ROLES asks for tokens"),
            (&[("HITL_OPEN", "read")], "HITL_OPEN asks for tokens"),
            (&[("HITL_LET_ANYONE_DECIDE", "yes")], "should be `1`"),
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
                "HITL_OPEN has `decide`",
            ),
            (
                &[
                    ("HITL_JWKS", r#"{"keys":[]}"#),
                    ("HITL_JWT_ISSUER", "https://a"),
                    ("HITL_JWT_AUDIENCE", "a"),
                    ("HITL_JWT_ROLES", "roles,groups"),
                ],
                "names one claim",
            ),
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWT_ROLES", "r")], "HITL_JWT_ROLES asks for tokens"),
        ] {
            let error = said(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
