//! `serve`: the agent as AgentCore Runtime runs it.

use std::{net::SocketAddr, time::Duration};

use super::{
    exit::{Exit, Refusal},
    session::Session,
};
use crate::{
    run::{Graph, Noticed},
    serve::agentcore::{AgentCore, Operators, Tokens, log_as_json, told_to_stop},
};

/// How often threads are looked for that nobody looks after.
const SWEEP: Duration = Duration::from_secs(60);

impl<G: Graph> Session<'_, G> {
    pub(super) async fn serve(&mut self, listen: SocketAddr) -> Result<Exit, Refusal> {
        log_as_json();
        let operators = operators(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))?;
        let listener = std::net::TcpListener::bind(listen);
        let cannot =
            |error| Refusal::new(Exit::Broken, "io", format_args!("{listen} cannot be served: {error}"));
        let agent = self.agent.clone();
        let watch = tokio::spawn(async move {
            agent
                .watch(SWEEP, |noticed| match noticed {
                    Ok(Noticed::Moved { thread, .. }) => tracing::info!(%thread, "taken up"),
                    Ok(_) => {}
                    Err(error) => tracing::warn!(code = error.code(), "no sweep: {error}"),
                })
                .await;
        });
        let stop = async move {
            told_to_stop().await;
            // Nothing more is taken up.
            watch.abort();
        };
        let served = AgentCore::new(self.agent.clone()).operators(operators);
        served.serve_until(listener.map_err(cannot)?, stop).await.map_err(cannot)?;
        Ok(Exit::Done)
    }
}

/// Whom verdicts are taken from, by the environment.
fn operators(set: &dyn Fn(&str) -> Option<String>) -> Result<Operators, Refusal> {
    let (verified, claimed) = match set("HITL_OPERATORS").as_deref() {
        None => (false, false),
        Some("verified") => (true, false),
        Some("claimed") => (false, true),
        Some(other) => {
            return Err(Refusal::usage(format_args!(
                "HITL_OPERATORS is `{other}`, and should be `verified` or `claimed`"
            )));
        }
    };
    let tokens = match (set("HITL_JWKS"), set("HITL_JWKS_URL")) {
        (Some(_), Some(_)) => {
            return Err(Refusal::usage("HITL_JWKS and HITL_JWKS_URL are both set: keep one"));
        }
        (Some(keys), None) => Some(
            Tokens::from_jwks(&keys).map_err(|error| Refusal::usage(format_args!("HITL_JWKS: {error}")))?,
        ),
        (None, Some(url)) => Some(Tokens::from_url(url)),
        (None, None) => None,
    };
    let Some(tokens) = tokens else {
        let idle = ["HITL_JWT_ISSUER", "HITL_JWT_AUDIENCE", "HITL_JWT_ROLES"]
            .into_iter()
            .find(|name| set(name).is_some());
        let wanting = idle.or(verified.then_some("HITL_OPERATORS"));
        return match wanting {
            Some(name) => Err(Refusal::usage(format_args!(
                "{name} asks for tokens, and nothing says by which keys: set HITL_JWKS_URL or HITL_JWKS"
            ))),
            None if claimed => Ok(Operators::claimed()),
            None => Ok(Operators::default()),
        };
    };
    let audiences = set("HITL_JWT_AUDIENCE").unwrap_or_default();
    let audiences: Vec<_> = audiences.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let (Some(issuer), false) = (set("HITL_JWT_ISSUER"), audiences.is_empty()) else {
        // One key server signs for many programs, and some sign for many houses.
        return Err(Refusal::usage(
            "whose tokens count, and which of them are meant for this agent? set HITL_JWT_ISSUER and HITL_JWT_AUDIENCE",
        ));
    };
    let mut tokens = audiences.into_iter().fold(tokens.issuer(issuer), Tokens::audience);
    if let Some(claim) = set("HITL_JWT_ROLES") {
        tokens = tokens.roles_in(claim);
    }
    let operators = Operators::verified(tokens);
    Ok(if claimed { operators.or_claimed() } else { operators })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Result<(), String> {
        let set = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        operators(&set).map(drop).map_err(|refusal| refusal.message)
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
                ("HITL_OPERATORS", "claimed"),
                ("HITL_JWT_ROLES", "r"),
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
            (&[("HITL_OPERATORS", "claimed"), ("HITL_JWT_ROLES", "r")], "HITL_JWT_ROLES asks for tokens"),
        ] {
            let error = said(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
