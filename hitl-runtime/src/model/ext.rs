//! Methods that every [`Model`] has.

use std::future::Future;

use garde::Validate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Model, ModelError, Request, instrument::stream_reported, structured};

/// Methods that every [`Model`] has.
///
/// Calls from a node are reported: the text of [`ModelExt::text`] goes to the event stream of the run as it arrives,
/// and token usage is journaled with the node. Direct calls of [`Model::complete`] and [`Model::stream`] are not
/// reported.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::testkit::MockModel;
/// use hitl::prelude::*;
///
/// #[derive(Deserialize, JsonSchema, Validate)]
/// struct Refund {
///     #[garde(range(min = 1, max = 500))]
///     dollars: u32,
/// }
///
/// // The mock first returns 900, is told that this is more than 500, and then returns 149.
/// let model = MockModel::new([r#"{"dollars": 900}"#, r#"{"dollars": 149}"#]);
/// let refund: Refund = model.structured("What is order A-9133 worth?").await?;
/// assert_eq!(refund.dollars, 149);
/// # Ok(())
/// # }
/// ```
pub trait ModelExt: Model {
    /// The maximum number of attempts of [`ModelExt::structured`].
    const ATTEMPTS: usize = 3;

    /// Requests a response as text.
    ///
    /// # Errors
    /// As [`Model::complete`] and [`Completion::ensure_complete`](super::Completion::ensure_complete).
    fn text(
        &self,
        request: impl Into<Request> + Send,
    ) -> impl Future<Output = Result<String, ModelError>> + Send {
        let request = request.into();
        async move { Ok(stream_reported(self, &request).await?.text) }
    }

    /// Requests a response as a `T`. The model gets the JSON Schema of the type, and its response is validated against
    /// the type's invariants. If it does not match, the model is told what is wrong and tries again, up to
    /// [`ModelExt::ATTEMPTS`] attempts in all.
    ///
    /// The schema contains what the derive of `JsonSchema` reads from the type's `garde` attributes: `range`, `length`,
    /// `pattern`, `contains`, `required`, `inner` and the formats (`email`, `url`, `ip`, …). It cannot express
    /// `custom`, `matches` or a `length` in bytes: the model learns of those only from a failed attempt.
    ///
    /// The JSON is not sent to the event stream, because only a validated response is useful.
    ///
    /// # Errors
    /// As [`Model::complete`] and [`Completion::ensure_complete`](super::Completion::ensure_complete), and
    /// [`ModelError::SchemaMismatch`] with every attempt.
    fn structured<T>(
        &self,
        request: impl Into<Request> + Send,
    ) -> impl Future<Output = Result<T, ModelError>> + Send
    where
        T: DeserializeOwned + JsonSchema + Validate<Context = ()> + Send,
    {
        let request = request.into();
        async move { structured::request_structured(self, request, Self::ATTEMPTS).await }
    }
}

impl<M: Model + ?Sized> ModelExt for M {}
