//! Asking a model so that the run hears of it: what it says as it says it, and what that cost.

use std::{future::Future, time::Instant};

use futures_util::TryStreamExt;

use super::{Answer, Model, ModelError, Piece, Request};
use crate::{journal::Usage, run::report};

/// The answer, each piece of it reported as it comes.
pub(super) async fn aloud<M: Model + ?Sized>(model: &M, request: &Request) -> Result<Answer, ModelError> {
    let answered = async {
        let mut pieces = model.stream(request);
        while let Some(piece) = pieces.try_next().await? {
            match piece {
                Piece::Text(text) => report::said(&text),
                Piece::End(answer) => return Ok(answer),
            }
        }
        Err(ModelError::Unavailable {
            problem: "its stream ended before the answer did; try again".into(),
            source: None,
        })
    };
    counted(model, answered).await?.whole()
}

/// The answer, of which only the cost is reported. Whether it is whole is for the caller to see.
pub(super) async fn silent<M: Model + ?Sized>(model: &M, request: &Request) -> Result<Answer, ModelError> {
    counted(model, model.answer(request)).await
}

/// What an answer cost is reported even where it is of no use.
async fn counted<M: Model + ?Sized>(
    model: &M,
    answered: impl Future<Output = Result<Answer, ModelError>>,
) -> Result<Answer, ModelError> {
    let asked = Instant::now();
    let answer = answered.await?;
    report::spent(Usage {
        model: model.name().to_owned(),
        input_tokens: answer.input_tokens,
        output_tokens: answer.output_tokens,
        ms: u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(answer)
}
