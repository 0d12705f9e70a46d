//! The headers of a request that nodes may read.

use axum::http::HeaderMap;
use hitl_runtime::plumbing::RequestHeaders;
#[cfg(feature = "agentcore")]
use hitl_runtime::{Cx, plumbing::request_credential};

/// The header with the token of the workload identity, and the newer one, which takes precedence.
const TOKEN: &str = "workloadaccesstoken";
const NEW_TOKEN: &str = "x-amz-bedrock-agentcore-identity-wat";

/// The prefix of headers that AgentCore passes on from a caller.
const CUSTOM: &str = "x-amzn-bedrock-agentcore-runtime-custom-";

/// Returns the headers that nodes may read. `Authorization` is not one of them: the operator's token is for this server.
pub(crate) fn forwarded(headers: &HeaderMap) -> RequestHeaders {
    let is_forwarded = |name: &str| name == TOKEN || name == NEW_TOKEN || name.starts_with(CUSTOM);
    let forwarded = headers.iter().filter(|(name, _)| is_forwarded(name.as_str()));
    let text =
        forwarded.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    RequestHeaders::new(text)
}

/// Returns the workload access token of the request because of which a node runs, with which AgentCore Identity
/// issues tokens and keys for other services.
///
/// It is that of the request whose task runs the node: `start`, a verdict or `resume`. If several requests concern a
/// thread at the same time, one of them runs its nodes. So the token belongs to the caller whose request runs the node, who
/// may not be the one who started the thread or signed the draft; on `/ws` it is that of the upgrade, for all requests of
/// the connection. Use it to authenticate the agent, and not to identify the signer: that is `Approved::signer`.
///
/// It is `None` if a sweep runs the node, after a restart, and outside of AgentCore, so a node that needs it returns an
/// error, and a `resume` retries it. The token is in memory only, and in no journal, log or `Debug` output: do not return it
/// from the node. A clone of the [`Cx`] keeps it.
///
/// Unlike [`Cx::request_header`], it is available in a node that is an `effect`, because it is a credential and no parameter
/// of the effect.
///
/// ```
/// use hitl::prelude::*;
///
/// # #[state]
/// # struct Job {
/// #     #[input]
/// #     wish: String,
/// #     #[output]
/// #     done: String,
/// # }
/// #[node(Job, writes = done)]
/// async fn fetch(wish: &str, cx: &Cx) -> Result<String> {
///     let token = hitl::agentcore::workload_access_token(cx);
///     let token = token.ok_or_else(|| NodeError::msg("this needs a request through AgentCore: resume the thread"))?;
///     // A header `X-Amzn-Bedrock-AgentCore-Runtime-Custom-Tenant` that the caller has sent.
///     let tenant = cx.request_header("X-Amzn-Bedrock-AgentCore-Runtime-Custom-Tenant").unwrap_or("none");
///     # let _ = token;
///     Ok(format!("{wish} for {tenant}"))
/// }
/// # graph! { Fetcher<Job> { start -> fetch -> end; } }
/// # fn main() {}
/// ```
#[cfg(feature = "agentcore")]
pub fn workload_access_token(cx: &Cx) -> Option<&str> {
    request_credential(cx, NEW_TOKEN).or_else(|| request_credential(cx, TOKEN))
}
