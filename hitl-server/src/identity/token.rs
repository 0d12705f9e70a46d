//! Access tokens: signed JWTs (RFC 7519) that identify a subject, verified by the issuer's keys (RFC 7517).

use std::{collections::BTreeSet, fmt, time::Duration};

use hitl_runtime::{Digest, Operator, ThreadId, journal::Evidence};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header, jwk::Jwk,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwks::{InvalidKeys, Keys};
use crate::api::ApiError;

/// The default claim with the roles of a subject.
const ROLES: &str = "roles";

/// The claim with the subject, which is the default name of an operator.
const SUBJECT: &str = "sub";

/// The default maximum lifetime of a token.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum size of a token in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The types of tokens that identify a subject: RFC 7519, section 5.1, and RFC 9068, section 2.1. Logout tokens, DPoP
/// proofs and other event tokens may be signed by the same keys, but do not authenticate their sender.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// The tolerated difference of the issuer's clock in seconds.
const LEEWAY: u64 = 60;

/// A verifier of access tokens.
///
/// ```
/// use hitl::agentcore::TokenVerifier;
///
/// let tokens = TokenVerifier::from_jwks(r#"{ "keys": [] }"#)?.issuer("https://login.example").audience("refunds");
/// assert!(TokenVerifier::from_jwks("{}").is_err());
/// # Ok::<(), hitl::agentcore::InvalidKeys>(())
/// ```
pub struct TokenVerifier {
    keys: Keys,
    issuer: Option<String>,
    audiences: BTreeSet<String>,
    roles: String,
    /// The claim with the operator's name, if it is not `sub`.
    name: Option<String>,
    max_lifetime: Duration,
}

impl TokenVerifier {
    /// Verifies tokens by the keys of a JSON Web Key Set.
    ///
    /// # Errors
    /// If the text is not a key set.
    pub fn from_jwks(text: &str) -> Result<Self, InvalidKeys> {
        Keys::from_json(text).map(Self::new)
    }

    /// Verifies tokens by the keys at a URL. They are fetched when the first token arrives, every ten minutes, and when
    /// a token names an unknown key. Keys that could not be fetched for an hour become invalid.
    ///
    /// Set the [`issuer`](Self::issuer) and the [`audience`](Self::audience) too: such a URL often has the keys for the
    /// tokens of many programs, and sometimes of many organizations.
    ///
    /// ```
    /// use hitl::agentcore::TokenVerifier;
    ///
    /// let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a1b2c3d4e";
    /// let tokens = TokenVerifier::from_url(&format!("{pool}/.well-known/jwks.json"))?;
    /// let tokens = tokens.issuer(pool).audience("refunds");
    /// # let _ = tokens;
    ///
    /// let error = TokenVerifier::from_url("http://login.example/keys").err().ok_or("expected an error")?;
    /// assert!(error.to_string().contains("https"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the text is not a URL, or is one of another machine without `https`.
    pub fn from_url(url: &str) -> Result<Self, InvalidKeys> {
        Keys::from_url(url).map(Self::new)
    }

    fn new(keys: Keys) -> Self {
        Self {
            keys,
            issuer: None,
            audiences: BTreeSet::new(),
            roles: ROLES.to_owned(),
            name: None,
            max_lifetime: MAX_LIFETIME,
        }
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
    /// use hitl::agentcore::TokenVerifier;
    ///
    /// let tokens = TokenVerifier::from_jwks(r#"{ "keys": [] }"#)?.roles_claim("https://refunds.example/roles");
    /// # let _ = tokens;
    /// # Ok::<(), hitl::agentcore::InvalidKeys>(())
    /// ```
    #[must_use]
    pub fn roles_claim(self, claim: impl Into<String>) -> Self {
        Self { roles: claim.into(), ..self }
    }

    /// Sets the claim with the name of the operator, such as `username` in Cognito's access tokens. The default is `sub`,
    /// which many issuers fill with an id that a reader of a history does not recognize. A token without the claim, or with
    /// anything but a text in it, is rejected.
    ///
    /// **The name is what a person reads in the history, so set only a claim that the issuer assigns once and that its
    /// users cannot change**: with `preferred_username`, `nickname` or `name`, which they can change at many issuers, an
    /// operator can appear under the name of another (OpenID Connect Core 1.0, section 5.7). An `email` counts only if
    /// the token has `email_verified: true`. The journal's evidence has the issuer and the `sub` in any case, and a
    /// thread belongs to these and not to the name.
    ///
    /// ```
    /// use hitl::agentcore::TokenVerifier;
    ///
    /// let tokens = TokenVerifier::from_jwks(r#"{ "keys": [] }"#)?.name_claim("username");
    /// # let _ = tokens;
    /// # Ok::<(), hitl::agentcore::InvalidKeys>(())
    /// ```
    #[must_use]
    pub fn name_claim(self, claim: impl Into<String>) -> Self {
        Self { name: Some(claim.into()).filter(|claim| claim != SUBJECT), ..self }
    }

    /// Sets the maximum lifetime of a token, counted from its issuance, or from now if it has no time of issuance. The
    /// default is 24 hours. A stolen token cannot be revoked, so this bounds the time in which it can be used.
    ///
    /// ```
    /// use hitl::agentcore::TokenVerifier;
    /// use std::time::Duration;
    ///
    /// let tokens = TokenVerifier::from_jwks(r#"{ "keys": [] }"#)?.max_lifetime(Duration::from_secs(3600));
    /// # let _ = tokens;
    /// # Ok::<(), hitl::agentcore::InvalidKeys>(())
    /// ```
    #[must_use]
    pub fn max_lifetime(self, max_lifetime: Duration) -> Self {
        Self { max_lifetime, ..self }
    }

    /// Verifies a token and returns its subject. Error messages never quote the token.
    pub(super) async fn verify(&self, token: &str, now: u64) -> Result<Subject, ApiError> {
        if token.len() > MAX_BYTES {
            return Err(invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| invalid("it is not a JWT"))?;
        check_header(&header)?;
        let key = self.keys.key(header.kid.as_deref(), now).await?;
        let key = key.ok_or_else(|| invalid("its key is not in the key set"))?;
        if is_for_other_algorithm(&key, header.alg) {
            return Err(invalid("its algorithm is not that of its key"));
        }
        let key = DecodingKey::from_jwk(&key).map_err(|_| invalid("the type of its key is not supported"))?;
        let mut validation = Validation::new(header.alg);
        // Times and audiences are checked below: times by the agent's clock, audiences in both claims.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let claims = decode::<Claims>(token, &key, &validation)
            .map_err(|_| invalid("its signature is invalid"))?
            .claims;
        let evidence = Evidence::default()
            .with_issuer(claims.iss.clone())
            .with_subject(claims.sub.clone())
            .with_key(header.kid)
            .with_token(Some(Digest::of(token.as_bytes())));
        let Subject { operator, expires_at } = self.subject(claims, now)?;
        Ok(Subject { operator: operator.with_evidence(evidence), expires_at })
    }

    fn subject(&self, claims: Claims, now: u64) -> Result<Subject, ApiError> {
        let Claims { sub, exp, nbf, iat, iss, aud, client_id, cnf, events, rest } = claims;
        if events.is_some() {
            return Err(invalid("it is an event token (`events`)"));
        }
        // It proves nothing without a proof of possession of that key, which this server does not request.
        if cnf.is_some() {
            return Err(invalid("it is bound to a key (`cnf`), which is not supported"));
        }
        if self.issuer.is_some() && iss != self.issuer {
            return Err(invalid("its issuer (`iss`) is not accepted"));
        }
        // `client_id` names the client that the token was issued to, so it is used only if there is no audience.
        let audience_claims = match aud {
            Some(aud) => aud.into_vec(),
            None => client_id.into_iter().collect(),
        };
        if !self.audiences.is_empty()
            && !audience_claims.iter().any(|audience| self.audiences.contains(audience))
        {
            return Err(invalid("its audience (`aud`) is not accepted"));
        }
        let subject =
            sub.filter(|sub| !sub.trim().is_empty()).ok_or_else(|| invalid("it has no subject (`sub`)"))?;
        let name = match &self.name {
            None => subject.clone(),
            Some(claim) => name_in(claim, &rest)?,
        };
        // They are stored in the journal and read by people.
        for (text, problem) in [
            (&subject, "its subject (`sub`) has control characters or more than 200 bytes"),
            (&name, "its claim with the operator's name has control characters or more than 200 bytes"),
        ] {
            if text.len() > ThreadId::MAX_BYTES || text.chars().any(char::is_control) {
                return Err(invalid(problem));
            }
        }
        let expires_at = exp.ok_or_else(|| invalid("it has no expiry (`exp`)"))?;
        let latest_start = (now + LEEWAY) as f64;
        if [nbf, iat].into_iter().flatten().any(|from| from > latest_start) {
            return Err(invalid("it is not valid yet"));
        }
        let from = iat.into_iter().chain(nbf).fold(now as f64, f64::min);
        if expires_at - from > self.max_lifetime.as_secs_f64() + LEEWAY as f64 {
            return Err(invalid("its lifetime exceeds the maximum"));
        }
        let listed = rest.get(&self.roles).into_iter().flat_map(strings);
        let subject = Subject { operator: listed.fold(Operator::new(name), Operator::role), expires_at };
        subject.check_expiry(now).map(|()| subject)
    }
}

/// Returns the operator's name in a claim.
fn name_in(claim: &str, claims: &Map<String, Value>) -> Result<String, ApiError> {
    if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
        return Err(invalid(
            "its `email`, which is the operator's name here, is not verified (`email_verified`)",
        ));
    }
    let name = claims.get(claim).and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| {
        invalid(&format!(
            "its claim `{claim}`, which is the operator's name here, is missing, empty or not a string"
        ))
    })?;
    Ok(name.to_owned())
}

/// Rejects a token whose header shows that it does not identify a subject.
fn check_header(header: &Header) -> Result<(), ApiError> {
    // Everyone who can verify a symmetric signature can also create one.
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(invalid("it is signed with a shared secret (HMAC)"));
    }
    // None of the extensions in `crit` is supported (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err(invalid("it requires an unsupported extension (`crit`)"));
    }
    let is_known = |typ: &String| {
        let typ = typ.to_ascii_lowercase();
        TYPES.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
    };
    if !header.typ.as_ref().is_none_or(is_known) {
        return Err(invalid("its type (`typ`) is not that of an access token"));
    }
    Ok(())
}

/// Returns whether a key is restricted to another algorithm (RFC 7517, section 4.4).
fn is_for_other_algorithm(key: &Jwk, algorithm: Algorithm) -> bool {
    key.common
        .key_algorithm
        .is_some_and(|intended| intended.to_string().parse::<Algorithm>().ok() != Some(algorithm))
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
            Self::More(strings) => strings,
        }
    }
}

/// Returns the strings of a list, or a single string.
fn strings(value: &Value) -> Vec<String> {
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
    expires_at: f64,
}

impl Subject {
    /// Returns the operator, with the evidence of the token and the channel that it came through.
    pub(super) fn operator_through(&self, channel: &str) -> Operator {
        let evidence = self.operator.evidence().cloned().unwrap_or_default();
        self.operator.clone().with_evidence(evidence.with_channel(Some(channel.to_owned())))
    }

    /// Returns whether this is the name or the `sub` in the token.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let subject = self.operator.evidence().and_then(|evidence| evidence.subject.as_deref());
        self.operator.name() == name || subject == Some(name)
    }

    /// Checks that the token has not expired.
    pub(super) fn check_expiry(&self, now: u64) -> Result<(), ApiError> {
        if (now as f64) < self.expires_at {
            return Ok(());
        }
        Err(ApiError::new(401, "token_expired", "the token has expired: get a new one and retry"))
    }
}

fn invalid(why: &str) -> ApiError {
    ApiError::new(401, "token_invalid", format!("the token is invalid: {why}"))
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .field("roles", &self.roles)
            .field("name", &self.name)
            .field("max_lifetime", &self.max_lifetime)
            .finish_non_exhaustive()
    }
}
