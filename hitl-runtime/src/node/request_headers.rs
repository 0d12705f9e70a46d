//! The headers of a request that nodes may read while it is handled.

use std::{collections::BTreeMap, fmt, sync::Arc};

tokio::task_local! {
    static REQUEST: RequestHeaders;
}

/// The headers of the request that a server handles, by lower-case name. They may be secrets: they are kept in memory
/// only, for as long as the request is handled, and are in no journal, no log and no `Debug` output.
#[derive(Clone, Default)]
pub struct RequestHeaders(Arc<BTreeMap<String, String>>);

impl RequestHeaders {
    /// Creates them from names and values. Of equal names the first one counts.
    pub fn new(headers: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = BTreeMap::new();
        for (name, value) in headers {
            all.entry(name.to_ascii_lowercase()).or_insert(value);
        }
        Self(Arc::new(all))
    }

    /// Returns a header by its name, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// Handles a request: nodes that `work` runs may read its headers. Work that is detached from the task that polls
    /// `work` has none.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        REQUEST.scope(self, work).await
    }

    /// Returns the headers of the request that the current task handles.
    pub(super) fn current() -> Option<Self> {
        REQUEST.try_with(Self::clone).ok()
    }
}

impl fmt::Debug for RequestHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHeaders").finish_non_exhaustive()
    }
}
