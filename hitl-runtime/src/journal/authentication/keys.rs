//! The journal keys of a program, and the purpose of each.

use super::{Act, JournalKey, MacError, Position, join, split};

/// The kinds of entries that a key is valid for.
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
    /// All entries.
    Everything,
    /// Acts of operators: verdicts, settlements of effects in doubt, and adoptions of journals without MACs. An entry
    /// that also has a snapshot, a lease or model usage is not one of them.
    Verdicts,
    /// All other entries, and the rejections of expired reviews.
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

/// The keys with which a program signs its entries and verifies those of others.
///
/// With keys, an [`Agent`](crate::Agent) refuses to act on a thread that has an entry without a valid MAC of one of
/// them, before any node runs. To replace a key, sign with the new one and keep the old one for verification.
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
    /// Returns one key, which signs and verifies everything.
    pub fn new(key: JournalKey) -> Self {
        Self::signing(key, Purpose::Everything)
    }

    /// Returns one key, which signs and verifies the entries of its purpose.
    ///
    /// A program without a signing key for verdicts refuses to give one. A program that signs only verdicts records
    /// them and leaves the thread to the next runner that sweeps.
    pub fn signing(key: JournalKey, purpose: Purpose) -> Self {
        Self(vec![Held { key, purpose, signs: true }])
    }

    /// Adds a key that signs and verifies. Each entry is signed by the first signing key whose purpose covers it.
    #[must_use]
    pub fn and_signing(mut self, key: JournalKey, purpose: Purpose) -> Self {
        self.0.push(Held { key, purpose, signs: true });
        self
    }

    /// Adds a key that only verifies, such as one that was replaced, or one of another program.
    #[must_use]
    pub fn verifying(mut self, key: JournalKey, purpose: Purpose) -> Self {
        self.0.push(Held { key, purpose, signs: false });
        self
    }

    /// Returns whether a key is limited to a purpose, so that an entry must be parsed to select its keys.
    pub(crate) fn separate(&self) -> bool {
        self.0.iter().any(|held| held.purpose != Purpose::Everything)
    }

    /// Returns whether this program can sign entries of this kind.
    pub(crate) fn sign_for(&self, act: Act) -> bool {
        self.signer(act).is_some()
    }

    fn signer(&self, act: Act) -> Option<&JournalKey> {
        self.0.iter().find(|held| held.signs && held.purpose.covers(act)).map(|held| &held.key)
    }

    /// Adds a MAC to an entry's JSON.
    pub(crate) async fn sign(
        &self,
        act: Act,
        position: Position<'_>,
        entry: &mut Vec<u8>,
    ) -> Result<(), MacError> {
        let key = self.signer(act).ok_or(MacError::NoKey(match act {
            Act::Verdict | Act::Expiry => "none of its journal keys signs verdicts",
            Act::Run => "its journal keys sign only verdicts",
            Act::Both => "none of its journal keys signs everything",
        }))?;
        let message = position.message(key.id(), crate::Digest::of(entry));
        let mac = key.mac(&message).await?;
        join(entry, key.id(), mac);
        Ok(())
    }

    /// Verifies the MAC of an entry.
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
            (false, _) => format!("its MAC was made with key `{key}`, which this program does not have"),
            (true, true) => {
                format!("its MAC was made with key `{key}`, which must not sign this kind of entry")
            }
            (true, false) => {
                format!("its MAC is not the one that key `{key}` gives for it at this place of this thread")
            }
        }))
    }
}
