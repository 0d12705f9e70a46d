//! Page tokens: the position after the last item of a page, as opaque text.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;

/// Encodes a position in the list of this name as the `next` of a [`Page`](super::Page). The token of one list is
/// invalid in every other one.
///
/// ```
/// use hitl::store::{page_token, position_after};
///
/// let token = page_token("due", &(1_763_800_000_000_u64, 7_u64));
/// assert_eq!(position_after::<(u64, u64)>("due", Some(&token))?, Some((1_763_800_000_000, 7)));
/// assert!(position_after::<(u64, u64)>("reviews", Some(&token)).is_err());
/// # Ok::<(), hitl::StoreError>(())
/// ```
pub fn page_token(list: &str, position: &impl Serialize) -> String {
    // A position is numbers and names, which always have JSON. Without it the token is empty, and invalid.
    let json = serde_json::to_vec(&(list, position)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(json)
}

/// Decodes the `after` of a list: a token of [`page_token`], or `None` for the first page.
///
/// # Errors
/// [`StoreError::InvalidPageToken`] if the text is not exactly what [`page_token`] returns for a position in this list.
pub fn position_after<T: Serialize + DeserializeOwned>(
    list: &str,
    after: Option<&str>,
) -> Result<Option<T>, StoreError> {
    let Some(token) = after else { return Ok(None) };
    let decoded = URL_SAFE_NO_PAD.decode(token).ok();
    let position = decoded.and_then(|json| serde_json::from_slice::<(String, T)>(&json).ok());
    match position {
        Some((of, position)) if of == list && page_token(list, &position) == token => Ok(Some(position)),
        _ => Err(StoreError::InvalidPageToken(token.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ThreadId;

    #[test]
    fn tokens_round_trip_and_other_text_is_rejected() {
        let pair = (u64::MAX, 0_u64);
        let token = page_token("due", &pair);
        assert_eq!(position_after::<(u64, u64)>("due", Some(&token)).unwrap(), Some(pair));
        let thread = ThreadId::new("ticket ü").unwrap();
        let token = page_token("threads", &thread);
        assert_eq!(position_after("threads", Some(&token)).unwrap(), Some(thread));
        assert_eq!(position_after::<ThreadId>("threads", None).unwrap(), None);
        let spelled = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for wrong in [
            String::new(),
            "page 2".to_owned(),
            format!("{token}="),
            page_token("due", &pair) + "=",
            spelled(r#"["due", [1,2]]"#),
            spelled(r#"["due",[1,2,3]]"#),
            spelled(r#"["due",[-1,2]]"#),
            spelled(r#"["reviews",[1,2]]"#),
            spelled(r#"["due",[1e0,2]]"#),
        ] {
            assert!(position_after::<(u64, u64)>("due", Some(&wrong)).is_err(), "{wrong}");
        }
        assert!(position_after::<(u64, u64)>("due", Some(&spelled(r#"["due",[1,2]]"#))).is_ok());
        assert!(position_after::<ThreadId>("threads", Some(&spelled("[\"threads\",\"a\\n\"]"))).is_err());
    }
}
