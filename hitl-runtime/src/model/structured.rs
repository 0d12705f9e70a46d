//! Answers in a type, held against its invariants.

use std::future::Future;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::{Form, Model, ModelError, Request, Role};
use crate::review::validate;

/// An answer that did not fit.
///
/// ```
/// use hitl::model::{Attempt, ModelError};
///
/// let attempt = Attempt { answer: r#"{"dollars": 900}"#.into(), problem: "dollars: greater than 500".into() };
/// let error = ModelError::Misfit { form: "Refund".into(), attempts: vec![attempt] };
/// assert_eq!(error.to_string(), "no answer fits `Refund` after 1 attempts; the last: dollars: greater than 500");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// What the model said.
    pub answer: String,
    /// What was wrong with it.
    pub problem: String,
}

/// What every model can do.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// # use hitl::model::{Answer, Model, ModelError, Request};
/// # struct Script;
/// # impl Model for Script {
/// #     fn answer<'a>(
/// #         &'a self,
/// #         request: &'a Request,
/// #     ) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, ModelError>> + Send + 'a>> {
/// #         let dollars = if request.messages.len() == 1 { 900 } else { 149 };
/// #         Box::pin(async move { Ok(Answer::from(format!(r#"{{"dollars": {dollars}}}"#))) })
/// #     }
/// # }
/// # let model = Script;
/// use hitl::prelude::*;
///
/// #[derive(Deserialize, JsonSchema, Validate)]
/// struct Refund {
///     #[garde(range(min = 1, max = 500))]
///     dollars: u32,
/// }
///
/// // This model first says 900, is told that this is more than 500, and then says 149.
/// let refund: Refund = model.structured("What is order A-9133 worth?").await?;
/// assert_eq!(refund.dollars, 149);
/// # Ok(())
/// # }
/// ```
pub trait ModelExt: Model {
    /// How often a model is told of its mistakes before [`ModelExt::structured`] gives up.
    const ATTEMPTS: usize = 3;

    /// An answer in words.
    ///
    /// # Errors
    /// As [`Model::answer`].
    fn text(
        &self,
        request: impl Into<Request> + Send,
    ) -> impl Future<Output = Result<String, ModelError>> + Send {
        let request = request.into();
        async move { Ok(self.answer(&request).await?.text) }
    }

    /// An answer as a `T`: the model is shown the type's JSON Schema, its answer is held against the type's
    /// invariants, and a misfit is given back to it with what is wrong, at most three times in all.
    ///
    /// # Errors
    /// As [`Model::answer`], and [`ModelError::Misfit`] with every attempt.
    fn structured<T>(
        &self,
        request: impl Into<Request> + Send,
    ) -> impl Future<Output = Result<T, ModelError>> + Send
    where
        T: DeserializeOwned + JsonSchema + Validate<Context = ()> + Send,
    {
        let mut request = request.into();
        let name = T::schema_name().into_owned();
        request.form = Some(Form { name: name.clone(), schema: schemars::schema_for!(T).to_value() });
        async move {
            let mut attempts = Vec::new();
            while attempts.len() < Self::ATTEMPTS {
                let answer = self.answer(&request).await?.text;
                let problem = match read::<T>(&answer) {
                    Ok(value) => return Ok(value),
                    Err(problem) => problem,
                };
                request = request.message(Role::Assistant, answer.clone()).message(
                    Role::User,
                    format!("That does not fit: {problem}. Answer again, with the JSON alone."),
                );
                attempts.push(Attempt { answer, problem });
            }
            Err(ModelError::Misfit { form: name, attempts })
        }
    }
}

impl<M: Model + ?Sized> ModelExt for M {}

fn read<T: DeserializeOwned + Validate<Context = ()>>(answer: &str) -> Result<T, String> {
    let value: T = crate::review::read(answer).map_err(|violation| violation.to_string())?;
    validate(&value).map_err(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{BoxFuture, ready};
    use serde::Deserialize;

    use super::*;
    use crate::model::Answer;

    #[derive(Debug, Deserialize, JsonSchema, Validate)]
    struct Amount {
        #[garde(range(min = 1, max = 100))]
        dollars: u32,
    }

    /// Says its lines in order, and keeps what it was asked.
    struct Script(Mutex<(Vec<&'static str>, Vec<Request>)>);

    impl Model for Script {
        fn answer<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Answer, ModelError>> {
            let mut script = self.0.lock().unwrap();
            script.1.push(request.clone());
            let line = script.0.remove(0);
            Box::pin(ready(Ok(Answer::from(line.to_owned()))))
        }
    }

    #[tokio::test]
    async fn a_model_is_told_of_its_mistakes() {
        let script = Script(Mutex::new((vec!["ninety", r#"{"dollars":900}"#, r#"{"dollars":90}"#], vec![])));
        let amount: Amount = script.structured("How much?").await.unwrap();
        assert_eq!(amount.dollars, 90);
        let asked = script.0.into_inner().unwrap().1;
        assert_eq!(asked.len(), 3);
        assert!(asked[2].messages.last().unwrap().text.contains("dollars"), "{:?}", asked[2]);
    }

    #[tokio::test]
    async fn it_gives_up_with_every_attempt() {
        let script = Script(Mutex::new((vec!["a", "b", "c", "d"], vec![])));
        let error = script.structured::<Amount>("How much?").await.unwrap_err();
        let ModelError::Misfit { attempts, .. } = error else { panic!("{error}") };
        assert_eq!(attempts.len(), 3);
    }
}
