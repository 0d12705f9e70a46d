//! `serve`: the agent as AgentCore Runtime runs it.

use std::{net::SocketAddr, time::Duration};

use super::{
    exit::{Exit, Refusal},
    session::Session,
};
use crate::{
    run::{Graph, Noticed},
    serve::agentcore::{AgentCore, Operators, Tokens, log_as_json},
};

/// How often threads are looked for that nobody looks after.
const SWEEP: Duration = Duration::from_secs(60);

impl<G: Graph> Session<'_, G> {
    pub(super) async fn serve(&mut self, listen: SocketAddr) -> Result<Exit, Refusal> {
        log_as_json();
        let operators = operators(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))?;
        let served = AgentCore::new(self.agent.clone()).operators(operators);
        let agent = self.agent.clone();
        let watch = agent.watch(SWEEP, |noticed| match noticed {
            Ok(Noticed::Moved { thread, .. }) => tracing::info!(%thread, "taken up"),
            Ok(_) => {}
            Err(error) => tracing::warn!(code = error.code(), "no sweep: {error}"),
        });
        tokio::select! {
            served = served.serve(listen) => {
                let cannot = |error| Refusal::new(Exit::Broken, "io", format_args!("{listen} cannot be served: {error}"));
                served.map_err(cannot).map(|()| Exit::Done)
            }
            never = watch => never,
        }
    }
}

/// Whom verdicts are taken from, by the environment.
fn operators(set: &dyn Fn(&str) -> Option<String>) -> Result<Operators, Refusal> {
    let claimed = match set("HITL_OPERATORS").as_deref() {
        None | Some("verified") => false,
        Some("claimed") => true,
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
    let Some(mut tokens) = tokens else {
        return Ok(if claimed { Operators::claimed() } else { Operators::default() });
    };
    if let Some(issuer) = set("HITL_JWT_ISSUER") {
        tokens = tokens.issuer(issuer);
    }
    for audience in set("HITL_JWT_AUDIENCE").iter().flat_map(|list| list.split(',')) {
        tokens = tokens.audience(audience.trim());
    }
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
                ("HITL_JWT_AUDIENCE", "a, b"),
            ],
            &[("HITL_JWKS_URL", "https://a/keys"), ("HITL_OPERATORS", "claimed"), ("HITL_JWT_ROLES", "r")],
        ] {
            assert_eq!(said(right), Ok(()));
        }
        for (wrong, words) in [
            (&[("HITL_OPERATORS", "anybody")][..], "should be `verified` or `claimed`"),
            (&[("HITL_JWKS", "keys.json")], "no keys (RFC 7517)"),
            (&[("HITL_JWKS", "{}"), ("HITL_JWKS_URL", "https://a")], "keep one"),
        ] {
            let error = said(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
