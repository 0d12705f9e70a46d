//! Tokens that say who somebody is: signed JWTs (RFC 7519), verified by the keys of whoever issued them (RFC 7517).

use std::collections::BTreeSet;

use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{InvalidKeys, Keys};
use crate::{Operator, serve::wire::Refusal};

/// Where the roles of a subject stand, unless it is said: in Entra ID, in Keycloak and others, in Cognito.
const ROLES: [&str; 3] = ["roles", "groups", "cognito:groups"];

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
    roles: Vec<String>,
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
    /// let tokens = Tokens::from_url(format!("{pool}/.well-known/jwks.json")).issuer(pool).audience("refunds");
    /// # let _ = tokens;
    /// ```
    pub fn from_url(url: impl Into<String>) -> Self {
        Self::new(Keys::at(url.into()))
    }

    fn new(keys: Keys) -> Self {
        let roles = ROLES.map(str::to_owned).to_vec();
        Self { keys, issuer: None, audiences: BTreeSet::new(), roles }
    }

    /// Only tokens of this issuer (`iss`).
    #[must_use]
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Only tokens that are meant for this audience (`aud`, or `client_id` in an access token of Cognito), or for another
    /// one that is named so.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.insert(audience.into());
        self
    }

    /// The claim that lists the roles, in place of `roles`, `groups` and `cognito:groups`.
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
        Self { roles: vec![claim.into()], ..self }
    }

    /// Whose token it is. Nothing of a token is ever said back.
    pub(super) async fn verify(&self, token: &str, now: u64) -> Result<Subject, Refusal> {
        let header = decode_header(token).map_err(|_| invalid("it is no JWT"))?;
        // A signature that anybody can make who can verify it proves nothing.
        if header.alg.family() == AlgorithmFamily::Hmac {
            return Err(invalid("it is signed with a shared secret"));
        }
        let key = self.keys.key(header.kid.as_deref(), now).await?;
        let key = key.ok_or_else(|| invalid("nobody here knows its key"))?;
        let key =
            DecodingKey::from_jwk(&key).map_err(|_| invalid("its key is of no kind that can be used"))?;
        let mut validation = Validation::new(header.alg);
        // Times and audiences are looked at below, by the agent's clock and in both places.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let claims =
            decode::<Claims>(token, &key, &validation).map_err(|_| invalid("its signature is wrong"))?.claims;
        self.subject(claims, now)
    }

    fn subject(&self, claims: Claims, now: u64) -> Result<Subject, Refusal> {
        let Claims { sub, exp, nbf, iss, aud, client_id, rest } = claims;
        if self.issuer.is_some() && iss != self.issuer {
            return Err(invalid("it is of another issuer"));
        }
        let meant = aud.into_iter().flat_map(OneOrMore::into_vec).chain(client_id);
        let meant: Vec<String> = meant.collect();
        if !self.audiences.is_empty() && !meant.iter().any(|audience| self.audiences.contains(audience)) {
            return Err(invalid("it is meant for another audience"));
        }
        let name = sub.filter(|sub| !sub.trim().is_empty()).ok_or_else(|| invalid("it names no subject"))?;
        let until = exp.ok_or_else(|| invalid("it says no time until which it is good"))?;
        if nbf.is_some_and(|from| from > (now + LEEWAY) as f64) {
            return Err(invalid("it is not good yet"));
        }
        let listed = self.roles.iter().filter_map(|claim| rest.get(claim)).flat_map(texts);
        let subject = Subject { operator: listed.fold(Operator::new(name), Operator::role), until };
        subject.still(now).map(|()| subject)
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    // Seconds, perhaps with a fraction (RFC 7519, section 2).
    exp: Option<f64>,
    nbf: Option<f64>,
    iss: Option<String>,
    aud: Option<OneOrMore>,
    client_id: Option<String>,
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
