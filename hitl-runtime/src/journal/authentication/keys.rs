//! The keys of one program, and what each may sign.

use super::{Act, JournalKey, MacError, Position, join, split};

/// The acts that a key counts for.
///
/// ```
/// use hitl::journal::{JournalKey, JournalKeys, Purpose};
///
/// # fn keys() -> Result<(), hitl::journal::InvalidJournalKey> {
/// // The runner's own key, and the one that only the front can sign with.
/// let (mine, fronts) = (JournalKey::new([1; 32])?, JournalKey::new([2; 32])?);
/// let keys = JournalKeys::signing(mine, Purpose::Running).verifying(fronts, Purpose::Verdicts);
/// # drop(keys);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// All of them.
    Everything,
    /// What a person does: verdicts, how an effect in doubt is settled, the adoption of a journal without MACs. An entry
    /// that also has a snapshot or a lease is not one of them.
    Verdicts,
    /// Everything else.
    Running,
}

impl Purpose {
    fn covers(self, act: Act) -> bool {
        match self {
            Self::Everything => true,
            Self::Verdicts => matches!(act, Act::Verdict | Act::Expiry),
            Self::Running => matches!(act, Act::Run | Act::Expiry),
        }
    }
}

/// The keys that a program signs its entries with and verifies others' by.
///
/// With keys, an [`Agent`](crate::Agent) refuses to act on a thread with an entry that none of them has signed, before
/// anything runs. To replace a key, sign with the new one and keep the old one for verifying.
///
/// ```
/// use hitl::journal::{JournalKey, JournalKeys, Purpose};
///
/// let (new, old) = (JournalKey::new([1; 32])?, JournalKey::new([2; 32])?);
/// let keys = JournalKeys::new(new).verifying(old, Purpose::Everything);
/// assert!(!format!("{keys:?}").contains("1, 1"), "secrets are shown nowhere");
/// # Ok::<(), hitl::journal::InvalidJournalKey>(())
/// ```
#[derive(Clone, Debug)]
pub struct JournalKeys(pub(super) Vec<Held>);

#[derive(Clone, Debug)]
pub(super) struct Held {
    key: JournalKey,
    purpose: Purpose,
    signs: bool,
}

impl JournalKeys {
    /// One key, which signs and verifies everything.
    pub fn new(key: JournalKey) -> Self {
        Self::signing(key, Purpose::Everything)
    }

    /// One key, which signs and verifies what its purpose covers.
    ///
    /// A program whose keys sign no verdicts refuses to give one; a program whose keys sign verdicts alone records them
    /// and leaves the thread to the next runner that sweeps.
    pub fn signing(key: JournalKey, purpose: Purpose) -> Self {
        Self(vec![Held { key, purpose, signs: true }])
    }

    /// The same, and another key that signs: for each entry, the first one whose purpose covers it does.
    #[must_use]
    pub fn and_signing(mut self, key: JournalKey, purpose: Purpose) -> Self {
        self.0.push(Held { key, purpose, signs: true });
        self
    }

    /// The same, and a key that signs nothing new: one that was replaced, or another program's.
    #[must_use]
    pub fn verifying(mut self, key: JournalKey, purpose: Purpose) -> Self {
        self.0.push(Held { key, purpose, signs: false });
        self
    }

    /// Whether some key is not for everything, so that an entry must be read to know whose key it needs.
    pub(crate) fn separate(&self) -> bool {
        self.0.iter().any(|held| held.purpose != Purpose::Everything)
    }

    /// Whether this program can sign such entries.
    pub(crate) fn sign_for(&self, act: Act) -> bool {
        self.signer(act).is_some()
    }

    fn signer(&self, act: Act) -> Option<&JournalKey> {
        self.0.iter().find(|held| held.signs && held.purpose.covers(act)).map(|held| &held.key)
    }

    /// Puts a MAC into an entry's JSON.
    pub(crate) async fn sign(
        &self,
        act: Act,
        position: Position<'_>,
        entry: &mut Vec<u8>,
    ) -> Result<(), MacError> {
        let key = self.signer(act).ok_or(MacError::NoKey(match act {
            Act::Verdict | Act::Expiry => "none of its journal keys signs verdicts",
            Act::Run => "its journal keys sign verdicts alone",
            Act::Both => "none of its journal keys signs everything",
        }))?;
        let message = position.message(key.id(), crate::Digest::of(entry));
        let mac = key.mac(&message).await?;
        join(entry, key.id(), mac);
        Ok(())
    }

    /// Checks the MAC of an entry.
    pub(crate) async fn verify(
        &self,
        act: Act,
        position: Position<'_>,
        entry: &[u8],
    ) -> Result<(), MacError> {
        let Some(found) = split(entry) else {
            return Err(MacError::Refused("it has no MAC".to_owned()));
        };
        let message = position.message(found.key, found.body);
        let (mut known, mut misused) = (false, false);
        for held in self.0.iter().filter(|held| held.key.id() == found.key) {
            known = true;
            if held.key.is_valid(&message, found.mac).await? {
                if held.purpose.covers(act) {
                    return Ok(());
                }
                misused = true;
            }
        }
        let key = found.key;
        Err(MacError::Refused(match (known, misused) {
            (false, _) => format!("its MAC is of the key `{key}`, which this program does not have"),
            (true, true) => format!("its MAC is of the key `{key}`, which does not count for such an entry"),
            (true, false) => format!("its MAC is not what the key `{key}` gives for it here"),
        }))
    }
}
