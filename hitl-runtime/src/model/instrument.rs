//! Model calls that report to the run: streamed text to the event stream, token usage to the journal, and a span to
//! `tracing`.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use hitl_core::millis;
use tracing::{Instrument as _, Span, field::Empty};

use super::{Chunk, Completion, FinishReason, Model, ModelError, Request};
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
    report_usage(model, span(model, request, 1), call).await?.ensure_complete()
}

/// Requests a response and reports only its usage. The response may be incomplete: the caller checks that.
/// `model_attempt` is the number of this request among those for one typed response, from 1.
pub(super) async fn complete_reported<M: Model + ?Sized>(
    model: &M,
    request: &Request,
    model_attempt: usize,
) -> Result<Completion, ModelError> {
    // The model may work before it returns its future, which belongs to the span too.
    let call = async { model.complete(request).await };
    report_usage(model, span(model, request, model_attempt), call).await
}

/// Returns the span of a request. The names that begin with `gen_ai` are OpenTelemetry's.
fn span<M: Model + ?Sized>(model: &M, request: &Request, model_attempt: usize) -> Span {
    tracing::info_span!(
        target: "hitl::model",
        "model",
        gen_ai.operation.name = "chat",
        gen_ai.request.model = model.name(),
        gen_ai.output.type = if request.response_schema.is_some() { "json" } else { "text" },
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        finish_reason = Empty,
        model_attempt,
        error.type = Empty,
    )
}

/// Makes the call in the span, and reports the usage of every response, even of one that the caller then rejects: it
/// has to be paid for.
async fn report_usage<M: Model + ?Sized>(
    model: &M,
    span: Span,
    call: impl Future<Output = Result<Completion, ModelError>>,
) -> Result<Completion, ModelError> {
    let started = Instant::now();
    let recorded = span.clone();
    let call = async move {
        let outcome = call.await;
        match &outcome {
            Ok(completion) => {
                recorded.record("gen_ai.usage.input_tokens", completion.input_tokens);
                recorded.record("gen_ai.usage.output_tokens", completion.output_tokens);
                recorded.record("finish_reason", finish_reason(&completion.finish_reason));
                tracing::debug!(target: "hitl::model", "model responded");
            }
            Err(error) => {
                recorded.record("error.type", error.code());
                tracing::debug!(target: "hitl::model", "model call failed");
            }
        }
        outcome
    };
    let completion = call.instrument(span).await?;
    reporter::report_usage(Usage {
        model: model.name().to_owned(),
        input_tokens: completion.input_tokens,
        output_tokens: completion.output_tokens,
        duration: Duration::from_millis(millis::of(started.elapsed())),
    });
    Ok(completion)
}

/// Returns the name of a finish reason, as it is serialized.
fn finish_reason(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::End => "end",
        FinishReason::StopSequence => "sequence",
        FinishReason::MaxTokens => "max_tokens",
        FinishReason::ContextWindow => "window",
        FinishReason::Filtered => "filtered",
        FinishReason::Intervened(_) => "intervened",
        FinishReason::Malformed => "malformed",
        _ => "_OTHER",
    }
}
