//! The digest of a review, and the content that it covers.

use serde::Serialize;
use serde_json::Value;

use crate::{
    Digest,
    json::{DigestError, canonical},
};

/// The content of a review that its digest covers.
pub(crate) struct Subject<'a> {
    pub(crate) thread: &'a str,
    pub(crate) id: &'a str,
    pub(crate) node: &'a str,
    pub(crate) field: &'a str,
    pub(crate) place: u64,
    /// The operator who started the thread. It is omitted from the digest if unknown, so that older reviews keep their
    /// digests.
    pub(crate) requester: Option<&'a str>,
    pub(crate) draft: &'a Value,
    /// The later effects that the signature covers. They are omitted from the digest if there are none.
    pub(crate) covers: &'a [String],
    /// The fields that are shown beside the draft, as an object; `None` if the review shows none.
    pub(crate) shown: Option<&'a Value>,
}

impl Subject<'_> {
    pub(crate) fn digest(&self) -> Result<Digest, DigestError> {
        let mut json = Vec::with_capacity(512);
        json.push(b'{');
        // Omitted if empty, so that reviews of versions without `covers` keep their digests.
        if !self.covers.is_empty() {
            canonical::plain("covers", &mut json)?;
            json.push(b':');
            canonical::plain(self.covers, &mut json)?;
            json.push(b',');
        }
        json.extend_from_slice(br#""draft":"#);
        canonical::write(self.draft, &mut json)?;
        // Canonical JSON sorts the members of an object by name.
        for (name, text) in [("field", self.field), ("id", self.id), ("node", self.node)] {
            member(name, text, &mut json)?;
        }
        member("place", &self.place, &mut json)?;
        if let Some(requester) = self.requester {
            member("requester", requester, &mut json)?;
        }
        if let Some(shown) = self.shown {
            json.extend_from_slice(br#","shown":"#);
            canonical::write(shown, &mut json)?;
        }
        member("thread", self.thread, &mut json)?;
        json.push(b'}');
        Ok(Digest::of(&json))
    }
}

fn member<T: Serialize + ?Sized>(name: &str, value: &T, json: &mut Vec<u8>) -> Result<(), DigestError> {
    json.push(b',');
    canonical::plain(name, json)?;
    json.push(b':');
    canonical::plain(value, json)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_digest_of_a_review_uses_canonical_json() {
        let draft = json!({ "b": [1.0, "\u{1}"], "a": { "ü": null } });
        let (thread, id, node, field, place) = ("ticket \"1\"", "0f", "execute", "draft", 3);
        let plain = Subject {
            thread,
            id,
            node,
            field,
            place,
            requester: None,
            draft: &draft,
            covers: &[],
            shown: None,
        };
        let mut whole = json!({
            "thread": thread, "id": id, "node": node, "field": field, "place": place, "draft": draft,
        });
        let digest = |whole: &Value| Digest::of(&serde_json_canonicalizer::to_vec(whole).unwrap());
        assert_eq!(plain.digest().unwrap(), digest(&whole));

        let (covers, shown) = (["wire".to_owned(), "hold".to_owned()], json!({ "iban": "DE1", "bic": null }));
        whole["covers"] = json!(covers);
        whole["shown"] = shown.clone();
        whole["requester"] = "mara".into();
        let more = Subject { covers: &covers, shown: Some(&shown), requester: Some("mara"), ..plain };
        assert_eq!(more.digest().unwrap(), digest(&whole));
    }
}
