//! What the refund graph works with: a model, and a payments desk.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hitl::{Approved, NodeError, Result, model::Model};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::RefundDraft;

/// What the nodes get as `Deps<Desk>`.
pub struct Desk {
    /// Plans and drafts.
    pub model: Box<dyn Model>,
    /// Pays.
    pub payments: Payments,
}

/// A payments desk that is a small ledger in a SQLite file: a table of refunds, and a table of every call that asked
/// for one. Two calls with one idempotency key are one refund.
pub struct Payments {
    file: PathBuf,
}

impl Payments {
    /// A desk over a file. The tables are made by the first refund.
    pub fn new(file: impl AsRef<Path>) -> Self {
        Self { file: file.as_ref().to_owned() }
    }

    /// Pays once for each key, however often it is called, and gives the number of the receipt. It takes the proof
    /// that somebody signed, and no draft without one.
    pub async fn refund(&self, draft: &Approved<RefundDraft>, key: &str) -> Result<i64> {
        let (file, draft, key) = (self.file.clone(), RefundDraft::clone(draft), key.to_owned());
        tokio::task::spawn_blocking(move || pay(&file, &draft, &key)).await?
    }
}

/// Until the refund is committed, an error says for certain that no money has moved; after it, nobody knows.
fn pay(file: &Path, draft: &RefundDraft, key: &str) -> Result<i64> {
    let mut ledger = open(file).map_err(NodeError::not_done)?;
    ledger.execute("INSERT INTO calls (key) VALUES (?1)", [key]).map_err(NodeError::not_done)?;
    let receipt = enter(&mut ledger, draft, key)?;
    // Read while the answer is on its way. A named pipe here holds the payment between "done" and "known to be done",
    // so that a test, or the curious, can kill the process in the worst moment there is.
    if let Some(gate) = std::env::var_os("REFUND_GATE") {
        std::fs::read(gate)?;
    }
    Ok(receipt)
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let ledger = Connection::open(file)?;
    ledger.busy_timeout(Duration::from_secs(10))?;
    ledger.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS refunds (
             receipt INTEGER PRIMARY KEY,
             key TEXT NOT NULL UNIQUE,
             order_id TEXT NOT NULL,
             cents INTEGER NOT NULL CHECK (cents > 0)
         ) STRICT;
         CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, key TEXT NOT NULL) STRICT;",
    )?;
    Ok(ledger)
}

/// The receipt for a key: a new one, or the one that the key has.
fn enter(ledger: &mut Connection, draft: &RefundDraft, key: &str) -> Result<i64> {
    let ledger = ledger.transaction_with_behavior(TransactionBehavior::Immediate).map_err(NodeError::not_done)?;
    let paid = ledger
        .query_row("SELECT receipt, order_id, cents FROM refunds WHERE key = ?1", [key], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()
        .map_err(NodeError::not_done)?;
    let receipt = match paid {
        Some((receipt, order, cents)) if order == draft.order_id && cents == draft.cents() => receipt,
        Some((receipt, ..)) => {
            return Err(NodeError::msg(format_args!("receipt {receipt} has this idempotency key, for another refund")));
        }
        None => {
            let insert = "INSERT INTO refunds (key, order_id, cents) VALUES (?1, ?2, ?3)";
            ledger.execute(insert, (key, &draft.order_id, draft.cents())).map_err(NodeError::not_done)?;
            ledger.last_insert_rowid()
        }
    };
    ledger.commit()?;
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = std::result::Result<(), Box<dyn std::error::Error>>;

    fn draft(amount: f64) -> RefundDraft {
        RefundDraft { order_id: "A-9133".into(), amount, reason: "it arrived broken".into() }
    }

    fn ledger(file: &Path) -> rusqlite::Result<(i64, i64, i64)> {
        let count = "SELECT (SELECT count(*) FROM refunds), (SELECT total(cents) FROM refunds), (SELECT count(*) FROM calls)";
        open(file)?.query_row(count, (), |row| Ok((row.get(0)?, row.get::<_, f64>(1)? as i64, row.get(2)?)))
    }

    #[test]
    fn one_key_is_one_refund_however_often_it_is_called() -> Tested {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let first = pay(&file, &draft(1200.50), "k1").map_err(|e| e.to_string())?;
        assert_eq!(pay(&file, &draft(1200.50), "k1").map_err(|e| e.to_string())?, first);
        assert_eq!(ledger(&file)?, (1, 120_050, 2));
        assert_ne!(pay(&file, &draft(0.01), "k2").map_err(|e| e.to_string())?, first);
        assert_eq!(ledger(&file)?, (2, 120_051, 3));
        Ok(())
    }

    #[test]
    fn a_key_is_not_taken_for_another_refund() -> Tested {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        pay(&file, &draft(20.0), "k1").map_err(|e| e.to_string())?;
        let error = pay(&file, &draft(21.0), "k1").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("for another refund"), "{error}");
        assert_eq!(ledger(&file)?, (1, 2_000, 2));
        Ok(())
    }

    #[test]
    fn calls_at_once_are_one_refund() -> Tested {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("refund.db");
        let receipts = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| pay(&file, &draft(20.0), "k1"))).collect();
            calls.into_iter().map(|call| call.join().map(|receipt| receipt.ok())).collect::<Vec<_>>()
        });
        assert!(receipts.iter().all(|receipt| matches!(receipt, Ok(Some(1)))), "{receipts:?}");
        assert_eq!(ledger(&file)?, (1, 2_000, 8));
        Ok(())
    }

    #[test]
    fn a_file_that_is_no_ledger_means_that_nothing_was_paid() -> Tested {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("notes.txt");
        std::fs::write(&file, "Call Ada about order A-9133, and send the photo to the warehouse.")?;
        assert!(pay(&file, &draft(20.0), "k1").is_err_and(|error| error.is_not_done()));
        Ok(())
    }
}
