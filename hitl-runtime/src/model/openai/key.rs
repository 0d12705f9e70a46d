//! Secrets that must not be shown: the API key, and a password in a URL.

use reqwest::header::HeaderValue;

use crate::model::ModelError;

/// An API key. It has no `Debug`, so that no type that contains it can print it by accident.
pub(super) struct Key(String);

impl Key {
    pub fn new(key: String) -> Self {
        Self(key.trim().to_owned())
    }

    pub fn header(&self) -> Result<HeaderValue, ModelError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).map_err(|_| ModelError::BadCredentials {
            advice: "the API key contains characters that no header may have; check that exactly the key was copied",
            source: None,
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Returns a text from the endpoint with every occurrence of the key replaced.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "…") }
    }
}

/// Returns a URL without user name and password.
pub(super) fn redacted_url(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let scheme = url.strip_suffix(rest).unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rfind('@').and_then(|at| rest.get(at + 1..)).unwrap_or(rest);
    format!("{scheme}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_displayed_without_its_password() {
        assert_eq!(redacted_url("http://ada:p@ss@localhost:1/v1"), "http://localhost:1/v1");
        assert_eq!(redacted_url("https://host/a@b"), "https://host/a@b");
        assert_eq!(redacted_url("host/v1"), "host/v1");
    }
}
