//! Model calls that report to the run: streamed text to the event stream, token usage to the journal.

use std::{future::Future, time::Instant};

use futures_util::TryStreamExt;

use super::{Answer, Model, ModelError, Piece, Request};
use crate::{journal::Usage, run::report};

/// Streams the response to a request and reports each chunk and the usage. Fails if the response is not complete.
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
            problem: "the stream ended before the response was complete; retry".into(),
            source: None,
        })
    };
    counted(model, answered).await?.whole()
}

/// Requests a response and reports only its usage. The response may be incomplete: the caller checks that.
pub(super) async fn silent<M: Model + ?Sized>(model: &M, request: &Request) -> Result<Answer, ModelError> {
    counted(model, model.answer(request)).await
}

/// Reports the usage of every response, even of one that the caller then rejects: it has to be paid for.
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
