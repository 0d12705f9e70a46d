//! Mapping threads to AgentCore sessions.

use hitl_runtime::ThreadId;
use sha2::{Digest as _, Sha256};

use crate::{identity::Caller, server::response::is_id};

/// The prefix of a derived session ID.
const PREFIX: &str = "hitl-";

/// Returns the session ID of a thread. It is the same in every container and every version.
///
/// AgentCore requires 33 to 256 characters (the service model of `InvokeAgentRuntime`, November 2026). This function
/// returns at most 100, and uses only letters, digits, `-` and `_`. The name of a thread that satisfies this is its
/// session ID; for other names it is a prefix of the name and a hash of the whole name.
///
/// ```
/// use hitl::{ThreadId, agentcore::session_id};
///
/// let session = session_id(&ThreadId::new("ticket-A-9133")?);
/// assert_eq!(session, "hitl-ticket-A-9133-c08b2ffa4d4e69e20220ef80319e9ace");
///
/// let own = "0f9a3c52-7f0e-4e37-9f4e-2f7d4a1f6f0b";
/// assert_eq!(session_id(&ThreadId::new(own)?), own);
/// # Ok::<(), hitl::InvalidThreadId>(())
/// ```
pub fn session_id(thread: &ThreadId) -> String {
    let name = thread.as_str();
    // A name that begins like a derived ID is hashed too; otherwise it could equal the session ID of another thread.
    if (33..=100).contains(&name.len()) && is_plain(name) && !name.starts_with(PREFIX) {
        return name.to_owned();
    }
    let letters: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let between = if letters.is_empty() { "" } else { "-" };
    format!("{PREFIX}{letters}{between}{hash}")
}

/// Returns the thread of a caller's session, for a request that names none.
pub(super) fn thread_of(caller: &Caller) -> Option<ThreadId> {
    caller.session.as_deref().and_then(thread_for)
}

/// Returns the thread that a session belongs to if the request names none: the thread whose name is its own session ID.
fn thread_for(session: &str) -> Option<ThreadId> {
    ThreadId::existing(session).ok().filter(|thread| session_id(thread) == session)
}

/// Returns the session of a request about a thread: the one in which it was sent, or else that of the thread. Any
/// session will do: the order of a thread's entries is the journal's, not the session's.
pub(super) fn session_of(caller: &Caller, thread: &ThreadId) -> String {
    let sent = caller.session.as_deref().filter(|session| is_id(session));
    sent.map_or_else(|| session_id(thread), str::to_owned)
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_has_a_valid_session_id() {
        let long = "x".repeat(200);
        for name in ["t", "ticket-A-9133", "two words", "Überweisung №7", "😀", "-_-", long.as_str()] {
            let thread = ThreadId::new(name).unwrap();
            let session = session_id(&thread);
            assert!((33..=100).contains(&session.len()) && is_plain(&session), "{name}: {session}");
            assert_eq!(session, session_id(&thread));
            assert_eq!(thread_for(&session), None, "{name}");
        }
    }

    #[test]
    fn session_ids_are_distinct() {
        let session = session_id(&ThreadId::new("ticket-A-9133").unwrap());
        let other = session_id(&ThreadId::new(&session).unwrap());
        assert_ne!(session, other);
        assert_ne!(session_id(&ThreadId::new("a b").unwrap()), session_id(&ThreadId::new("ab").unwrap()));
    }
}
