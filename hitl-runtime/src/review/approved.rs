//! The proof that a person signed a value.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    ThreadId,
    journal::{Digest, DigestError, Signature, Subject},
};

/// A value that an operator has signed, and that nothing has changed since.
///
/// Only a verdict makes one: it has no public constructor, it is not `Clone`, and it does not deserialize. It
/// dereferences to the value.
///
/// A node takes `&Approved<T>`. The runtime owns the proof and lends it for one call, so that it cannot be stored, moved
/// into a task, swapped with another one or used up twice.
///
/// ```compile_fail
/// fn twice<T>(draft: hitl::Approved<T>) -> (hitl::Approved<T>, hitl::Approved<T>) {
///     (draft.clone(), draft)
/// }
/// ```
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::prelude::*;
///
/// /// What touches the world asks for the proof, and so cannot be called without one.
/// async fn refund(draft: &Approved<Refund>, key: &str) -> Result<String> {
///     Ok(format!("{} dollars, signed by {} as {} ({key})", draft.dollars, draft.operator(), draft.digest()))
/// }
///
/// #[interrupt_before]
/// #[node(Ticket, writes = outcome, effect)]
/// async fn execute(draft: &Approved<Refund>, cx: &Cx) -> Result<String> {
///     refund(draft, cx.idempotency_key()).await
/// }
/// # Ok(())
/// # }
/// ```
pub struct Approved<T> {
    value: T,
    thread: ThreadId,
    field: &'static str,
    signature: Signature,
}

impl<T> Approved<T> {
    /// Returns the thread that it was signed in.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// Returns the node whose review signed it, under the name that the node had then.
    pub fn node(&self) -> &str {
        &self.signature.node
    }

    /// Returns the state field that holds it.
    pub fn field(&self) -> &str {
        self.field
    }

    /// Returns the role that the review asked for, if it asked for one.
    ///
    /// `None` also where a hitl that did not keep the role recorded the verdict.
    pub fn role(&self) -> Option<&str> {
        self.signature.role.as_deref()
    }

    /// Returns the name of the operator who signed it.
    pub fn operator(&self) -> &str {
        &self.signature.operator
    }

    /// Returns the digest of what was signed.
    pub fn digest(&self) -> Digest {
        self.signature.digest
    }
}

impl<T> Deref for Approved<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Approved<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approved")
            .field("value", &self.value)
            .field("field", &self.field)
            .field("operator", &self.signature.operator)
            .finish_non_exhaustive()
    }
}

/// The signatures that the fields of a thread bear.
#[derive(Clone, Debug)]
pub struct Signatures {
    pub(crate) thread: ThreadId,
    pub(crate) id: Arc<str>,
    pub(crate) requester: Option<Arc<str>>,
    pub(crate) by_field: Arc<BTreeMap<String, Signature>>,
}

impl Signatures {
    /// The value with its proof, if the signature is for this very value.
    pub(crate) fn mint<T>(&self, field: &'static str, value: &T) -> Result<Approved<T>, SignatureError>
    where
        T: Serialize + DeserializeOwned,
    {
        let signature = self.by_field.get(field).ok_or(SignatureError::Missing { field })?;
        let json: Value =
            serde_json::to_value(value).map_err(|source| SignatureError::Encoding { field, source })?;
        let subject = Subject {
            thread: self.thread.as_str(),
            id: &self.id,
            node: &signature.node,
            field,
            place: signature.place,
            requester: self.requester.as_deref(),
            draft: &json,
        };
        if subject.digest()? != signature.digest {
            return Err(SignatureError::Altered { field });
        }
        let value =
            serde_json::from_value(json).map_err(|source| SignatureError::Encoding { field, source })?;
        Ok(Approved { value, thread: self.thread.clone(), field, signature: signature.clone() })
    }
}

/// Why a field has no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Nobody has signed it.
    #[error("`{field}` bears no signature")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Somebody has signed something else.
    #[error("`{field}` is not what was signed")]
    Altered {
        /// The field.
        field: &'static str,
    },
    /// Its value has no JSON form.
    #[error("`{field}` has no JSON form")]
    Encoding {
        /// The field.
        field: &'static str,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// Its value has no canonical JSON.
    #[error(transparent)]
    Digest(#[from] DigestError),
}
