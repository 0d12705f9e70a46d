//! Model calls that report to the run: streamed text to the event stream, token usage to the journal.

use std::{future::Future, time::Instant};

use futures_util::TryStreamExt;

use super::{Chunk, Completion, Model, ModelError, Request};
use crate::{journal::Usage, node::reporter};

/// Streams the response to a request and reports each chunk and the usage. Fails if the response is not complete.
pub(super) async fn stream_reported<M: Model + ?Sized>(
    model: &M,
    request: &Request,
) -> Result<Completion, ModelError> {
    let call = async {
        let mut chunks = model.stream(request);
        while let Some(chunk) = chunks.try_next().await? {
            match chunk {
                Chunk::Text(text) => reporter::report_output(&text),
                Chunk::End(completion) => return Ok(completion),
                _ => {}
            }
        }
        Err(ModelError::Unavailable {
            problem: "the stream ended before the response was complete; retry".into(),
            source: None,
        })
    };
    report_usage(model, call).await?.ensure_complete()
}

/// Requests a response and reports only its usage. The response may be incomplete: the caller checks that.
pub(super) async fn complete_reported<M: Model + ?Sized>(
    model: &M,
    request: &Request,
) -> Result<Completion, ModelError> {
    report_usage(model, model.complete(request)).await
}

/// Reports the usage of every response, even of one that the caller then rejects: it has to be paid for.
async fn report_usage<M: Model + ?Sized>(
    model: &M,
    call: impl Future<Output = Result<Completion, ModelError>>,
) -> Result<Completion, ModelError> {
    let started = Instant::now();
    let completion = call.await?;
    reporter::report_usage(Usage {
        model: model.name().to_owned(),
        input_tokens: completion.input_tokens,
        output_tokens: completion.output_tokens,
        ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(completion)
}
