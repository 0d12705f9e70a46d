//! Access tokens: signed JWTs (RFC 7519) that identify a subject, verified by the issuer's keys (RFC 7517).

use std::{collections::BTreeSet, time::Duration};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header, jwk::Jwk,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{InvalidKeys, Keys};
use crate::{Digest, Operator, ThreadId, journal::Evidence, serve::wire::Refusal};

/// The default claim with the roles of a subject.
const ROLES: &str = "roles";

/// The default maximum lifetime of a token.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum size of a token in bytes.
const LARGEST: usize = 16 * 1024;

/// The types of tokens that identify a subject: RFC 7519, section 5.1, and RFC 9068, section 2.1. Logout tokens, DPoP
/// proofs and other event tokens may be signed by the same keys, but do not authenticate their sender.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// The tolerated difference of the issuer's clock in seconds.
const LEEWAY: u64 = 60;

/// A verifier of access tokens.
///
/// ```
/// use hitl::agentcore::Tokens;
///
/// let tokens = Tokens::from_jwks(r#"{ "keys": [] }"#)?.issuer("https://login.example").audience("refunds");
/// assert!(Tokens::from_jwks("{}").is_err());
/// # Ok::<(), hitl::agentcore::InvalidKeys>(())
/// ```
pub struct Tokens {
    keys: Keys,
    issuer: Option<String>,
    audiences: BTreeSet<String>,
    roles: String,
    longest: Duration,
}

impl Tokens {
    /// Verifies tokens by the keys of a JSON Web Key Set.
    ///
    /// # Errors
    /// If the text is not a key set.
    pub fn from_jwks(text: &str) -> Result<Self, InvalidKeys> {
        Keys::read(text).map(Self::new)
    }

    /// Verifies tokens by the keys at a URL. They are fetched when the first token arrives, every ten minutes, and when
    /// a token names an unknown key. Keys that could not be fetched for an hour become invalid.
    ///
    /// Set the [`issuer`](Self::issuer) and the [`audience`](Self::audience) too: such a URL often has the keys for the
    /// tokens of many programs, and sometimes of many organizations.
    ///
    /// ```
    /// use hitl::agentcore::Tokens;
    ///
    /// let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a1b2c3d4e";
    /// let tokens = Tokens::from_url(&format!("{pool}/.well-known/jwks.json"))?.issuer(pool).audience("refunds");
    /// # let _ = tokens;
    ///
    /// let error = Tokens::from_url("http://login.example/keys").err().ok_or("anybody can change these")?;
    /// assert!(error.to_string().contains("https"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the text is not a URL, or is one of another machine without `https`.
    pub fn from_url(url: &str) -> Result<Self, InvalidKeys> {
        Keys::at(url).map(Self::new)
    }

    fn new(keys: Keys) -> Self {
        Self { keys, issuer: None, audiences: BTreeSet::new(), roles: ROLES.to_owned(), longest: LONGEST }
    }

    /// Accepts only tokens of this issuer (`iss`).
    #[must_use]
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Accepts only tokens for this audience; call it again to accept further ones. The audience is in `aud`, or in
    /// `client_id` if the token has no `aud`, as in Cognito's access tokens.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.insert(audience.into());
        self
    }

    /// Sets the claim that lists the roles, such as `groups` or `cognito:groups`. The default is `roles`. No other
    /// claim is read.
    ///
    /// ```
    /// use hitl::agentcore::Tokens;
    ///
    /// let tokens = Tokens::from_jwks(r#"{ "keys": [] }"#)?.roles_in("https://refunds.example/roles");
    /// # let _ = tokens;
    /// # Ok::<(), hitl::agentcore::InvalidKeys>(())
    /// ```
    #[must_use]
    pub fn roles_in(self, claim: impl Into<String>) -> Self {
        Self { roles: claim.into(), ..self }
    }

    /// Sets the maximum lifetime of a token, counted from its issuance, or from now if it has no time of issuance. The
    /// default is 24 hours. A stolen token cannot be revoked, so this bounds the time in which it can be used.
    ///
    /// ```
    /// use hitl::agentcore::Tokens;
    /// use std::time::Duration;
    ///
    /// let tokens = Tokens::from_jwks(r#"{ "keys": [] }"#)?.longest(Duration::from_secs(3600));
    /// # let _ = tokens;
    /// # Ok::<(), hitl::agentcore::InvalidKeys>(())
    /// ```
    #[must_use]
    pub fn longest(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// Verifies a token and returns its subject. Error messages never quote the token.
    pub(super) async fn verify(&self, token: &str, now: u64) -> Result<Subject, Refusal> {
        if token.len() > LARGEST {
            return Err(invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| invalid("it is no JWT"))?;
        of_a_kind(&header)?;
        let key = self.keys.key(header.kid.as_deref(), now).await?;
        let key = key.ok_or_else(|| invalid("nobody here knows its key"))?;
        if is_for_another(&key, header.alg) {
            return Err(invalid("it is signed otherwise than its key is meant for"));
        }
        let key =
            DecodingKey::from_jwk(&key).map_err(|_| invalid("its key is of no kind that can be used"))?;
        let mut validation = Validation::new(header.alg);
        // Times and audiences are checked below: times by the agent's clock, audiences in both claims.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let claims =
            decode::<Claims>(token, &key, &validation).map_err(|_| invalid("its signature is wrong"))?.claims;
        let evidence = Evidence {
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
            key: header.kid,
            token: Some(Digest::of(token.as_bytes())),
            ..Evidence::default()
        };
        let Subject { operator, until } = self.subject(claims, now)?;
        Ok(Subject { operator: operator.with_evidence(evidence), until })
    }

    fn subject(&self, claims: Claims, now: u64) -> Result<Subject, Refusal> {
        let Claims { sub, exp, nbf, iat, iss, aud, client_id, cnf, events, rest } = claims;
        if events.is_some() {
            return Err(invalid("it tells of an event"));
        }
        // It proves nothing without a proof of possession of that key, which this server does not request.
        if cnf.is_some() {
            return Err(invalid("it is bound to a key of its holder's"));
        }
        if self.issuer.is_some() && iss != self.issuer {
            return Err(invalid("it is of another issuer"));
        }
        // `client_id` names the client that the token was issued to, so it is used only if there is no audience.
        let meant = match aud {
            Some(aud) => aud.into_vec(),
            None => client_id.into_iter().collect(),
        };
        if !self.audiences.is_empty() && !meant.iter().any(|audience| self.audiences.contains(audience)) {
            return Err(invalid("it is meant for another audience"));
        }
        let name = sub.filter(|sub| !sub.trim().is_empty()).ok_or_else(|| invalid("it names no subject"))?;
        // The name is stored in the journal and read by people.
        if name.len() > ThreadId::MAX_BYTES || name.chars().any(char::is_control) {
            return Err(invalid("its subject is no plain text of at most 200 bytes"));
        }
        let until = exp.ok_or_else(|| invalid("it says no time until which it is good"))?;
        let soon = (now + LEEWAY) as f64;
        if [nbf, iat].into_iter().flatten().any(|from| from > soon) {
            return Err(invalid("it is not good yet"));
        }
        let from = iat.into_iter().chain(nbf).fold(now as f64, f64::min);
        if until - from > self.longest.as_secs_f64() + LEEWAY as f64 {
            return Err(invalid("it is good for longer than tokens may be here"));
        }
        let listed = rest.get(&self.roles).into_iter().flat_map(texts);
        let subject = Subject { operator: listed.fold(Operator::new(name), Operator::role), until };
        subject.still(now).map(|()| subject)
    }
}

/// Rejects a token whose header shows that it does not identify a subject.
fn of_a_kind(header: &Header) -> Result<(), Refusal> {
    // Everyone who can verify a symmetric signature can also create one.
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(invalid("it is signed with a shared secret"));
    }
    // None of the extensions in `crit` is supported (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(invalid("it asks for what is not understood here"));
    }
    let is_known = |typ: &String| {
        let typ = typ.to_ascii_lowercase();
        TYPES.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
    };
    if !header.typ.as_ref().is_none_or(is_known) {
        return Err(invalid("its type is not that of a token which says who somebody is"));
    }
    Ok(())
}

/// Returns whether a key is restricted to another algorithm (RFC 7517, section 4.4).
fn is_for_another(key: &Jwk, algorithm: Algorithm) -> bool {
    key.common
        .key_algorithm
        .is_some_and(|meant| meant.to_string().parse::<Algorithm>().ok() != Some(algorithm))
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    // Seconds since the epoch, possibly fractional (RFC 7519, section 2).
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMore>,
    client_id: Option<String>,
    // The key that the sender must prove to possess (RFC 7800), as with DPoP.
    cnf: Option<Value>,
    // The events of security event and logout tokens (RFC 8417).
    events: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::More(texts) => texts,
        }
    }
}

/// Returns the strings of a list, or a single string.
fn texts(value: &Value) -> Vec<String> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The subject of a verified token.
pub(super) struct Subject {
    pub(super) operator: Operator,
    /// The expiry in Unix seconds.
    until: f64,
}

impl Subject {
    /// Returns the operator, with the evidence of the token and the channel that it came through.
    pub(super) fn operator_through(&self, channel: &str) -> Operator {
        let evidence = self.operator.evidence().cloned().unwrap_or_default();
        self.operator.clone().with_evidence(Evidence { channel: Some(channel.to_owned()), ..evidence })
    }

    /// Checks that the token has not expired.
    pub(super) fn still(&self, now: u64) -> Result<(), Refusal> {
        if (now as f64) < self.until {
            return Ok(());
        }
        Err(Refusal::new(401, "token_expired", "the token has expired: get a new one and ask again"))
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(401, "token_invalid", format!("the token is refused: {why}"))
}
