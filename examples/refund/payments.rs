//! The dependencies of the refund graph: a model and a payments desk.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hitl::{Approved, NodeError, Result, model::Model};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::{Deserialize, Serialize};

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
}

impl Payments {
    /// Creates a desk with its ledger in a file. The first refund creates the tables.
    pub fn new(file: impl AsRef<Path>) -> Self {
        Self { file: file.as_ref().to_owned() }
    }

    /// Pays once for each key, however often it is called. It takes the proof that a person signed, so an unsigned
    /// draft does not compile.
    pub async fn refund(&self, draft: &Approved<RefundDraft>, key: &str) -> Result<Receipt> {
        let (file, key) = (self.file.clone(), key.to_owned());
        let wanted = Receipt {
            number: 0,
            order_id: draft.order_id.clone(),
            cents: cents(draft.amount),
            signed_by: draft.operator().to_owned(),
        };
        tokio::task::spawn_blocking(move || pay(&file, wanted, &key)).await?
    }
}

/// Converts dollars to cents. The invariants of a draft allow only whole cents, and at most a million of them.
fn cents(amount: f64) -> i64 {
    (amount * 100.0).round() as i64
}

/// Enters a refund in the ledger. An error before the commit guarantees that no money has moved; an error of the commit
/// itself, or after it, leaves the outcome unknown.
fn pay(file: &Path, wanted: Receipt, key: &str) -> Result<Receipt> {
    let mut ledger = open(file).map_err(NodeError::not_done)?;
    ledger.execute("INSERT INTO calls (key) VALUES (?1)", [key]).map_err(NodeError::not_done)?;
    let entry =
        ledger.transaction_with_behavior(TransactionBehavior::Immediate).map_err(NodeError::not_done)?;
    let receipt = enter(&entry, wanted, key).map_err(NodeError::not_done)?;
    entry.commit()?;
    // Simulates a slow response. If `REFUND_GATE` names a named pipe, the call blocks here between the payment and its
    // confirmation, so that a test, or you, can kill the process at the worst moment.
    if let Some(gate) = std::env::var_os("REFUND_GATE") {
        std::fs::read(gate)?;
    }
    Ok(receipt)
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let ledger = Connection::open(file)?;
    ledger.busy_timeout(Duration::from_secs(10))?;
    // The journal mode is left to the store of the threads: changing it does not wait for locks, and if several
    // processes opened a new file at once, one of them would fail.
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

/// Returns the receipt of the key, or enters a new one.
fn enter(ledger: &Connection, wanted: Receipt, key: &str) -> Result<Receipt> {
    let paid = ledger
        .query_row("SELECT number, order_id, cents, signed_by FROM refunds WHERE key = ?1", [key], |row| {
            Ok(Receipt {
                number: row.get(0)?,
                order_id: row.get(1)?,
                cents: row.get(2)?,
                signed_by: row.get(3)?,
            })
        })
        .optional()?;
    match paid {
        None => {
            let values = (key, &wanted.order_id, wanted.cents, &wanted.signed_by);
            ledger.execute(
                "INSERT INTO refunds (key, order_id, cents, signed_by) VALUES (?1, ?2, ?3, ?4)",
                values,
            )?;
            Ok(Receipt { number: ledger.last_insert_rowid(), ..wanted })
        }
        Some(paid) if paid == (Receipt { number: paid.number, ..wanted }) => Ok(paid),
        Some(paid) => {
            Err(NodeError::msg(format_args!("receipt {} has this key, for another refund", paid.number)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(cents: i64) -> Receipt {
        Receipt { number: 0, order_id: "A-9133".into(), cents, signed_by: "mara".into() }
    }

    /// Returns the number of refunds, their sum in cents, and the number of calls.
    fn ledger(file: &Path) -> Result<(i64, i64, i64)> {
        let count = "SELECT count(*), ifnull(sum(cents), 0), (SELECT count(*) FROM calls) FROM refunds";
        Ok(open(file)?.query_row(count, (), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
    }

    #[test]
    fn repeated_calls_with_one_key_pay_once() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let first = pay(&file, wanted(120_050), "k1")?;
        assert_eq!(pay(&file, wanted(120_050), "k1")?, first);
        assert_eq!(ledger(&file)?, (1, 120_050, 2));
        assert_ne!(pay(&file, wanted(1), "k2")?.number, first.number);
        assert_eq!(ledger(&file)?, (2, 120_051, 3));
        Ok(())
    }

    #[test]
    fn a_key_cannot_be_reused_for_another_refund() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        pay(&file, wanted(2_000), "k1")?;
        assert!(pay(&file, wanted(2_100), "k1").is_err_and(|error| error.is_not_done()));
        assert_eq!(ledger(&file)?, (1, 2_000, 2));
        Ok(())
    }

    #[test]
    fn concurrent_calls_with_one_key_pay_once() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let numbers = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| pay(&file, wanted(2_000), "k1"))).collect();
            calls.into_iter().map(|call| call.join().ok()?.ok()).collect::<Vec<_>>()
        });
        assert!(
            numbers.iter().all(|receipt| receipt.as_ref().is_some_and(|receipt| receipt.number == 1)),
            "{numbers:?}"
        );
        assert_eq!(ledger(&file)?, (1, 2_000, 8));
        Ok(())
    }

    #[test]
    fn every_valid_amount_converts_to_exact_cents() {
        for all in 1..=1_000_000 {
            assert_eq!(cents(f64::from(all) / 100.0), i64::from(all));
        }
    }

    #[test]
    fn an_invalid_ledger_file_is_an_error_and_pays_nothing() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("notes.txt");
        std::fs::write(&file, "Call Ada about order A-9133, and send the photo to the warehouse.")?;
        assert!(pay(&file, wanted(2_000), "k1").is_err_and(|error| error.is_not_done()));
        Ok(())
    }
}
