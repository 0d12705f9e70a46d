//! The dependencies of the refund graph: a model and a payments desk.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hitl::{Approved, NodeError, NodeResult as Result, model::Model};
use rusqlite::{Connection, TransactionBehavior};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::RefundDraft;

/// The dependencies of the nodes, which they take as `Deps<Desk>`.
pub struct Desk {
    /// The model that plans and drafts.
    pub model: Arc<dyn Model>,
    /// The payments desk that refunds.
    pub payments: Payments,
}

/// The receipt of a paid refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The number in the ledger.
    pub number: i64,
    /// The order that was refunded.
    pub order_id: String,
    /// The exact amount, in cents.
    pub cents: i64,
    /// The operator who signed.
    pub signed_by: String,
}

/// A payments desk with a small ledger in a SQLite file: a table of refunds, and a table of all calls. Several calls
/// with the same idempotency key are one refund.
pub struct Payments {
    file: PathBuf,
    /// The connection to the file; `None` before the first refund. It is locked before a call takes a thread that may
    /// block, so that waiting calls hold none.
    ledger: Arc<Mutex<Option<Connection>>>,
}

impl Payments {
    /// Creates a desk with its ledger in a file. The first refund creates the tables.
    pub fn new(file: impl AsRef<Path>) -> Self {
        Self { file: file.as_ref().to_owned(), ledger: Arc::default() }
    }

    /// Pays once for each key, however often it is called. It takes the proof that a person signed, so an unsigned
    /// draft does not compile.
    pub async fn refund(&self, draft: &Approved<RefundDraft>, key: &str) -> Result<Receipt> {
        let wanted = Receipt {
            number: 0,
            order_id: draft.order_id.clone(),
            cents: cents(draft.amount),
            signed_by: draft.signer().to_string(),
        };
        self.pay(wanted, key).await
    }

    async fn pay(&self, wanted: Receipt, key: &str) -> Result<Receipt> {
        let (file, key) = (self.file.clone(), key.to_owned());
        let mut ledger = Arc::clone(&self.ledger).lock_owned().await;
        tokio::task::spawn_blocking(move || {
            let connection = match &mut *ledger {
                Some(connection) => connection,
                closed => closed.insert(open(&file).map_err(NodeError::not_done)?),
            };
            let receipt = enter(connection, wanted, &key)?;
            drop(ledger);
            // Simulates a slow response. If `REFUND_GATE` names a named pipe, the call blocks here between the payment
            // and its confirmation, so that a test, or you, can kill the process at the worst moment.
            if let Some(gate) = std::env::var_os("REFUND_GATE") {
                std::fs::read(gate)?;
            }
            Ok(receipt)
        })
        .await?
    }
}

/// Converts dollars to cents. The invariants of a draft allow only whole cents, and at most a million of them.
fn cents(amount: f64) -> i64 {
    (amount * 100.0).round() as i64
}

/// Creates the file so that only this user can read and write it. SQLite reports any error when it opens the file.
fn create(file: &Path) {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.write(true).create_new(true).open(file);
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    create(file);
    let ledger = Connection::open(file)?;
    ledger.busy_timeout(Duration::from_secs(10))?;
    // In this mode, a commit is one write to the disk. The file remembers it. Setting it fails if another process is
    // setting it or has begun to write; both modes are durable.
    let _ = ledger.execute_batch("PRAGMA journal_mode = WAL");
    ledger.execute_batch(
        "PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS refunds (
             number INTEGER PRIMARY KEY,
             key TEXT NOT NULL UNIQUE,
             order_id TEXT NOT NULL,
             cents INTEGER NOT NULL CHECK (cents > 0),
             signed_by TEXT NOT NULL
         ) STRICT;
         CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT;",
    )?;
    Ok(ledger)
}

/// Enters a call, and the refund of a new key, in one durable commit. An error before the commit guarantees that no
/// money has moved; an error of the commit itself leaves the outcome unknown. A key that was used for another refund pays nothing.
fn enter(ledger: &mut Connection, wanted: Receipt, key: &str) -> Result<Receipt> {
    let entry =
        ledger.transaction_with_behavior(TransactionBehavior::Immediate).map_err(NodeError::not_done)?;
    let paid = receipt(&entry, &wanted, key).map_err(NodeError::not_done)?;
    entry.commit()?;
    if paid != (Receipt { number: paid.number, ..wanted }) {
        let problem = format!("receipt {} has this key, for another refund", paid.number);
        return Err(NodeError::not_done(NodeError::msg(problem)));
    }
    Ok(paid)
}

/// Returns the receipt of the key, which is a new one if there was none.
fn receipt(ledger: &Connection, wanted: &Receipt, key: &str) -> rusqlite::Result<Receipt> {
    ledger.prepare_cached("INSERT INTO calls (key) VALUES (?1)")?.execute([key])?;
    ledger
        .prepare_cached(
            "INSERT INTO refunds (key, order_id, cents, signed_by) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute((key, &wanted.order_id, wanted.cents, &wanted.signed_by))?;
    ledger.prepare_cached("SELECT number, order_id, cents, signed_by FROM refunds WHERE key = ?1")?.query_row(
        [key],
        |row| {
            Ok(Receipt {
                number: row.get(0)?,
                order_id: row.get(1)?,
                cents: row.get(2)?,
                signed_by: row.get(3)?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn wanted(cents: i64) -> Receipt {
        Receipt { number: 0, order_id: "A-9133".into(), cents, signed_by: "mara".into() }
    }

    /// Returns the number of refunds, their sum in cents, and the number of calls.
    fn ledger(file: &Path) -> Result<(i64, i64, i64)> {
        let count = "SELECT count(*), ifnull(sum(cents), 0), (SELECT count(*) FROM calls) FROM refunds";
        Ok(open(file)?.query_row(count, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
    }

    #[tokio::test]
    async fn repeated_calls_with_one_key_pay_once() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let desk = Payments::new(&file);
        let first = desk.pay(wanted(120_050), "k1").await?;
        assert_eq!(desk.pay(wanted(120_050), "k1").await?, first);
        assert_eq!(ledger(&file)?, (1, 120_050, 2));
        assert_ne!(desk.pay(wanted(1), "k2").await?.number, first.number);
        assert_eq!(ledger(&file)?, (2, 120_051, 3));
        Ok(())
    }

    #[tokio::test]
    async fn a_key_cannot_be_reused_for_another_refund() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let desk = Payments::new(&file);
        desk.pay(wanted(2_000), "k1").await?;
        assert!(desk.pay(wanted(2_100), "k1").await.is_err_and(|error| error.is_not_done()));
        assert_eq!(ledger(&file)?, (1, 2_000, 2));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn concurrent_calls_with_one_key_pay_once() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        // Each desk has a connection of its own, as in several processes.
        let desks = [Payments::new(&file), Payments::new(&file), Payments::new(&file)];
        let calls = desks.iter().cycle().take(9).map(|desk| desk.pay(wanted(2_000), "k1"));
        for receipt in join_all(calls).await {
            assert_eq!(receipt?.number, 1);
        }
        assert_eq!(ledger(&file)?, (1, 2_000, 9));
        Ok(())
    }

    /// Returns the number of commits in the WAL: the last page of each has the size of the file.
    fn commits(file: &Path) -> Result<usize> {
        const PAGE: usize = 24 + 4096;
        let wal = std::fs::read(file.with_extension("db-wal"))?;
        Ok(wal[32..].chunks_exact(PAGE).filter(|page| page[4..8] != [0; 4]).count())
    }

    #[tokio::test]
    async fn a_call_is_one_commit_on_a_kept_connection() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let desk = Payments::new(&file);
        desk.pay(wanted(2_000), "k1").await?;
        let before = commits(&file)?;
        for (call, key) in ["k1", "k2", "k3"].into_iter().enumerate() {
            desk.pay(wanted(2_000), key).await?;
            assert_eq!(commits(&file)?, before + call + 1);
        }
        assert!(desk.ledger.lock().await.is_some());
        Ok(())
    }

    #[test]
    fn every_valid_amount_converts_to_exact_cents() {
        for all in 1..=1_000_000 {
            assert_eq!(cents(f64::from(all) / 100.0), i64::from(all));
        }
    }

    #[tokio::test]
    async fn an_invalid_ledger_file_is_an_error_and_pays_nothing() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("notes.txt");
        std::fs::write(&file, "Call Ada about order A-9133, and send the photo to the warehouse.")?;
        assert!(Payments::new(&file).pay(wanted(2_000), "k1").await.is_err_and(|error| error.is_not_done()));
        Ok(())
    }
}
