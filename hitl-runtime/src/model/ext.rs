//! What every model can do, once it can answer.

use std::future::Future;

use garde::Validate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Model, ModelError, Request, heard::aloud, structured};

/// What every model can do.
///
/// In a node, all of it is heard: the words of a [`ModelExt::text`] reach the event stream of the run as they come, and
/// what an answer cost is journaled with the node. [`Model::answer`] and [`Model::stream`] are not heard.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::Script;
/// use hitl::prelude::*;
///
/// #[derive(Deserialize, JsonSchema, Validate)]
/// struct Refund {
///     #[garde(range(min = 1, max = 500))]
///     dollars: u32,
/// }
///
/// // This model first says 900, is told that this is more than 500, and then says 149.
/// let model = Script::new([r#"{"dollars": 900}"#, r#"{"dollars": 149}"#]);
/// let refund: Refund = model.structured("What is order A-9133 worth?").await?;
/// assert_eq!(refund.dollars, 149);
/// # Ok(())
/// # }
/// ```
pub trait ModelExt: Model {
    /// How often [`ModelExt::structured`] asks, before it gives up on an answer that fits.
    const ATTEMPTS: usize = 3;

    /// An answer in words.
    ///
    /// # Errors
    /// As [`Model::answer`] and [`Answer::whole`](super::Answer::whole).
    fn text(
        &self,
        request: impl Into<Request> + Send,
    ) -> impl Future<Output = Result<String, ModelError>> + Send {
        let request = request.into();
        async move { Ok(aloud(self, &request).await?.text) }
    }

    /// An answer as a `T`: the model is given the type's JSON Schema, its answer is held against the type's invariants,
    /// and a misfit is given back to it with what is wrong, at most three times in all.
    ///
    /// The schema holds what the derive `JsonSchema` reads off the type's `garde` attributes: `range`, `length`,
    /// `pattern`, `contains`, `required`, `inner` and the formats (`email`, `url`, `ip`, …). What it cannot express
    /// (`custom`, `matches`, a `length` in bytes) the model learns from its mistakes.
    ///
    /// The JSON is not heard while it comes: only one that fits is of use to anybody.
    ///
    /// # Errors
    /// As [`Model::answer`] and [`Answer::whole`](super::Answer::whole), and [`ModelError::Misfit`] with every attempt.
    fn structured<T>(
        &self,
        request: impl Into<Request> + Send,
    ) -> impl Future<Output = Result<T, ModelError>> + Send
    where
        T: DeserializeOwned + JsonSchema + Validate<Context = ()> + Send,
    {
        let request = request.into();
        async move { structured::ask(self, request, Self::ATTEMPTS).await }
    }
}

impl<M: Model + ?Sized> ModelExt for M {}
