//! A mock issuer of tokens.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

/// 2026-11-22, in seconds since the Unix epoch.
pub const NOW: u64 = 1_795_344_603;

/// A mock issuer, with one signing key.
pub struct Issuer {
    pub key: EncodingKey,
    pub kid: String,
}

impl Issuer {
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        Self { key: EncodingKey::from_ec_der(der.as_ref()), kid: kid.to_owned() }
    }

    pub fn jwks(&self) -> String {
        json!({ "keys": [self.jwk(&json!({}))] }).to_string()
    }

    /// Returns the public key as a JWK, with additional members.
    pub fn jwk(&self, besides: &Value) -> Value {
        let mut key = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        key.common.key_id = Some(self.kid.clone());
        let mut key = json!(key);
        key.as_object_mut().unwrap().remove("alg");
        key.as_object_mut().unwrap().extend(besides.as_object().unwrap().clone());
        key
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }

    /// Returns a token with additional header parameters; `null` removes one.
    pub fn token_with(&self, besides: &Value, claims: &Value) -> String {
        let mut header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid });
        for (name, value) in besides.as_object().unwrap() {
            match value {
                Value::Null => drop(header.as_object_mut().unwrap().remove(name)),
                value => header[name] = value.clone(),
            }
        }
        let message =
            format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    }

    /// Returns the `Authorization` header of an operator with these roles.
    pub fn bearer(&self, name: &str, roles: &[&str]) -> String {
        format!("Bearer {}", self.token(&with(json!({ "sub": name, "roles": roles }))))
    }
}

pub fn claims() -> Value {
    json!({ "sub": "mara", "exp": NOW + 60, "iss": "https://login.example", "aud": "refunds", "roles": ["clerk"] })
}

pub fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// Encodes bytes as base64url without padding (RFC 7515).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |i| char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize]))
        })
        .collect()
}
