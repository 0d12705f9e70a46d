//! Tokens that say who somebody is: signed JWTs (RFC 7519), verified by the keys of whoever issued them (RFC 7517).

use std::{collections::BTreeSet, time::Duration};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header, jwk::Jwk,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{InvalidKeys, Keys};
use crate::{Digest, Operator, ThreadId, journal::Evidence, serve::wire::Refusal};

/// Where the roles of a subject stand, unless it is said otherwise.
const ROLES: &str = "roles";

/// The longest time for which a token may be good, unless it is said otherwise.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest token that is looked at, in bytes.
const LARGEST: usize = 16 * 1024;

/// The types of token that say who somebody is: by RFC 7519, section 5.1, and RFC 9068, section 2.1. Those of logouts, of
/// DPoP proofs and of other events are signed with the same keys, and say something else.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// How many seconds the issuer's clock may be ahead.
const LEEWAY: u64 = 60;

/// What tokens are verified by.
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
    /// With keys at hand, as a JSON Web Key Set.
    ///
    /// # Errors
    /// When the text is none.
    pub fn from_jwks(text: &str) -> Result<Self, InvalidKeys> {
        Keys::read(text).map(Self::new)
    }

    /// With the keys that are at a URL, fetched when the first token comes, every ten minutes, and for keys that are new.
    /// What cannot be fetched anew for an hour counts no longer.
    ///
    /// Name the [`issuer`](Self::issuer) and the [`audience`](Self::audience) too: one such URL often has the keys of many
    /// programs' tokens, and some have those of many houses.
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
    /// When the text is no URL, or one of another machine without `https`.
    pub fn from_url(url: &str) -> Result<Self, InvalidKeys> {
        Keys::at(url).map(Self::new)
    }

    fn new(keys: Keys) -> Self {
        Self { keys, issuer: None, audiences: BTreeSet::new(), roles: ROLES.to_owned(), longest: LONGEST }
    }

    /// Only tokens of this issuer (`iss`).
    #[must_use]
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Only tokens that are meant for this audience, or for another one that is named so. It stands in `aud`; in a token
    /// without one, as Cognito's access tokens are, in `client_id`.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.insert(audience.into());
        self
    }

    /// The claim that lists the roles, in place of `roles`: `groups`, `cognito:groups`. It is the only one that is read.
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

    /// The longest time for which a token may be good, in place of 24 hours: from when it was issued, or from now if it
    /// does not say. A stolen token cannot be taken back, so this is how long it may be used.
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

    /// Whose token it is. Nothing of a token is ever said back.
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
        // Times and audiences are looked at below, by the agent's clock and in both places.
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
        // Whoever has it proves nothing without that key, and a proof is not asked for here.
        if cnf.is_some() {
            return Err(invalid("it is bound to a key of its holder's"));
        }
        if self.issuer.is_some() && iss != self.issuer {
            return Err(invalid("it is of another issuer"));
        }
        // Whose client it was issued to says nothing where it says for whom it is meant.
        let meant = match aud {
            Some(aud) => aud.into_vec(),
            None => client_id.into_iter().collect(),
        };
        if !self.audiences.is_empty() && !meant.iter().any(|audience| self.audiences.contains(audience)) {
            return Err(invalid("it is meant for another audience"));
        }
        let name = sub.filter(|sub| !sub.trim().is_empty()).ok_or_else(|| invalid("it names no subject"))?;
        // It is kept in the journal, and read by people.
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

/// Refuses a token that is signed with these keys, and does not say who somebody is.
fn of_a_kind(header: &Header) -> Result<(), Refusal> {
    // A signature that anybody can make who can verify it proves nothing.
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(invalid("it is signed with a shared secret"));
    }
    // What must be understood is not (RFC 7515, section 4.1.11).
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

/// Whether a key is meant for another algorithm (RFC 7517, section 4.4).
fn is_for_another(key: &Jwk, algorithm: Algorithm) -> bool {
    key.common
        .key_algorithm
        .is_some_and(|meant| meant.to_string().parse::<Algorithm>().ok() != Some(algorithm))
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    // Seconds, perhaps with a fraction (RFC 7519, section 2).
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMore>,
    client_id: Option<String>,
    // A key that whoever brings it must hold (RFC 7800), as DPoP's.
    cnf: Option<Value>,
    // What security events and logouts tell (RFC 8417).
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

/// A list of texts, or one.
fn texts(value: &Value) -> Vec<String> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whom a token speaks of.
pub(super) struct Subject {
    pub(super) operator: Operator,
    /// Unix seconds.
    until: f64,
}

impl Subject {
    /// The operator, with the evidence of their token and the channel that it came through.
    pub(super) fn operator_through(&self, channel: &str) -> Operator {
        let evidence = self.operator.evidence().cloned().unwrap_or_default();
        self.operator.clone().with_evidence(Evidence { channel: Some(channel.to_owned()), ..evidence })
    }

    /// Whether it speaks yet.
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
