//! The calls to the table. All of them are retried.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::AttributeValue,
};

use super::{
    error,
    item::Item,
    key::{Id, Key, PK, SK},
    retry::{self, ErrorResponse, may_be_executed, with_retries},
    write::Write,
};
use crate::StoreError;

/// A client, and the name of the table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

/// The result of a transaction.
#[derive(Debug)]
pub(super) enum TransactOutcome {
    /// Everything was written.
    Committed,
    /// Nothing was written, because the condition of the first item failed. This is the current item.
    HeadChanged(Option<Item>),
    /// Nothing was written, because the condition of another item failed.
    ConditionFailed,
}

/// The result of replacing one item.
#[derive(Debug)]
pub(super) enum ReplaceOutcome {
    Written,
    /// Nothing was written: the item was last written by another write, or does not exist.
    Conflict,
    /// The item was last written by another write, or does not exist. An earlier attempt, whose outcome is unknown, may
    /// have written it before that.
    WrittenOrConflict,
}

/// A range of one partition.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) pk: String,
    /// The first sort key; `to` is the last one. Both are included.
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// `true` to read from the last key to the first.
    pub(super) backwards: bool,
    /// The maximum number of items in a page. A page never has more than 1 MB.
    pub(super) limit: Option<usize>,
    /// The key at which the previous page ended.
    pub(super) after: Option<Item>,
    /// The attributes to read; `None` for all. The cost in units is that of whole items.
    pub(super) only: Option<&'static str>,
}

impl Range {
    pub(super) fn new(pk: impl Into<String>) -> Self {
        Self { pk: pk.into(), from: None, to: None, backwards: false, limit: None, after: None, only: None }
    }
}

impl Table {
    pub(super) fn new(client: &Client, name: String) -> Self {
        Self { client: retry::client(client), name }
    }

    /// Reads one item with strong consistency.
    pub(super) async fn get(&self, doing: &str, key: &Key) -> Result<Option<Item>, StoreError> {
        let call = self.client.get_item().table_name(&self.name).consistent_read(true);
        let call = call.set_key(Some(key.item().into_attributes()));
        let got = with_retries(|| call.clone().send()).await;
        Ok(got.map_err(|error| self.failed(doing, &error))?.item.map(Item::from))
    }

    /// Reads a page of a range with strong consistency, and returns its items and the start of the next page.
    pub(super) async fn query(
        &self,
        doing: &str,
        range: Range,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let within = match (&range.from, &range.to) {
            (None, None) => "",
            (Some(_), None) => " AND #sk >= :from",
            (None, Some(_)) => " AND #sk <= :to",
            (Some(_), Some(_)) => " AND #sk BETWEEN :from AND :to",
        };
        let mut call = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression(format!("#pk = :pk{within}"))
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(range.pk))
            .scan_index_forward(!range.backwards)
            .set_limit(range.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(range.after.map(Item::into_attributes))
            .set_projection_expression(range.only.map(Into::into));
        if !within.is_empty() {
            call = call.expression_attribute_names("#sk", SK);
        }
        for (name, value) in [(":from", range.from), (":to", range.to)] {
            if let Some(value) = value {
                call = call.expression_attribute_values(name, AttributeValue::S(value));
            }
        }
        let page = with_retries(|| call.clone().send()).await.map_err(|error| self.failed(doing, &error))?;
        let items = page.items.unwrap_or_default().into_iter().map(Item::from).collect();
        let next = page.last_evaluated_key.filter(|key| !key.is_empty()).map(Item::from);
        Ok((items, next))
    }

    /// Reads all pages of a range.
    pub(super) async fn query_all(&self, doing: &str, mut range: Range) -> Result<Vec<Item>, StoreError> {
        let mut all = Vec::new();
        loop {
            let (items, next) = self.query(doing, range.clone()).await?;
            all.extend(items);
            match next {
                Some(_) => range.after = next,
                None => return Ok(all),
            }
        }
    }

    /// Writes everything or nothing. The token identifies a retry as the same transaction: if the first attempt was
    /// written and its response was lost, the retry succeeds too, even if others have written since.
    pub(super) async fn transact(
        &self,
        doing: &str,
        token: Id,
        writes: Vec<Write>,
    ) -> Result<TransactOutcome, StoreError> {
        let items = writes.into_iter().map(|write| write.into_sdk(&self.name)).collect::<Result<Vec<_>, _>>();
        let items = items.map_err(|error| error::failure(&self.name, error.to_string()))?;
        let call = self.client.transact_write_items().client_request_token(token.to_string());
        let call = call.set_transact_items(Some(items));
        match with_retries(|| call.clone().send()).await {
            Ok(_) => Ok(TransactOutcome::Committed),
            Err(error) => condition(&error).ok_or_else(|| self.failed(doing, &error)),
        }
    }

    /// Replaces an item that was last written by the write `by`. This costs half as much as a transaction, but a retry is
    /// not recognized as such.
    pub(super) async fn replace(
        &self,
        doing: &str,
        item: Item,
        by: Id,
    ) -> Result<ReplaceOutcome, StoreError> {
        let call = self.client.put_item().table_name(&self.name).set_item(Some(item.into_attributes()));
        let call = call.condition_expression("#by = :by").expression_attribute_names("#by", "by");
        let call = call.expression_attribute_values(":by", AttributeValue::B(Blob::new(by.as_bytes())));
        let may_be_written = AtomicBool::new(false);
        let attempt = || async {
            let answer = call.clone().send().await;
            if answer.as_ref().is_err_and(may_be_executed) {
                may_be_written.store(true, Relaxed);
            }
            answer
        };
        match with_retries(attempt).await {
            Ok(_) => Ok(ReplaceOutcome::Written),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                Ok(if may_be_written.load(Relaxed) {
                    ReplaceOutcome::WrittenOrConflict
                } else {
                    ReplaceOutcome::Conflict
                })
            }
            Err(error) => Err(self.failed(doing, &error)),
        }
    }

    /// Writes one item, and replaces an existing one.
    pub(super) async fn put(&self, doing: &str, item: Item) -> Result<(), StoreError> {
        let call = self.client.put_item().table_name(&self.name).set_item(Some(item.into_attributes()));
        with_retries(|| call.clone().send()).await.map_err(|error| self.failed(doing, &error))?;
        Ok(())
    }

    /// Deletes one item if it exists.
    pub(super) async fn delete(&self, doing: &str, key: &Key) -> Result<(), StoreError> {
        let call = self.client.delete_item().table_name(&self.name);
        let call = call.set_key(Some(key.item().into_attributes()));
        with_retries(|| call.clone().send()).await.map_err(|error| self.failed(doing, &error))?;
        Ok(())
    }

    /// Sets an attribute to a number, or removes it, if the item exists. Returns `false` if it does not.
    pub(super) async fn set_or_remove(
        &self,
        doing: &str,
        key: &Key,
        name: &str,
        number: Option<u64>,
    ) -> Result<bool, StoreError> {
        let mut call = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.item().into_attributes()))
            .condition_expression("attribute_exists(pk)")
            .update_expression(if number.is_some() { "SET #name = :number" } else { "REMOVE #name" })
            .expression_attribute_names("#name", name);
        if let Some(number) = number {
            call = call.expression_attribute_values(":number", AttributeValue::N(number.to_string()));
        }
        match with_retries(|| call.clone().send()).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.failed(doing, &error)),
        }
    }

    pub(super) fn failed<E: ErrorResponse, R>(&self, doing: &str, error: &SdkError<E, R>) -> StoreError {
        error::failed(&self.name, doing, error)
    }
}

/// Returns which condition of a cancelled transaction failed. That of the first item takes precedence.
fn condition(error: &SdkError<TransactWriteItemsError>) -> Option<TransactOutcome> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return None;
    };
    let mut reasons = cancelled.cancellation_reasons().iter();
    let failed = |code: Option<&str>| code == Some("ConditionalCheckFailed");
    match reasons.next() {
        Some(first) if failed(first.code()) => Some(TransactOutcome::HeadChanged(
            first.item.clone().filter(|item| !item.is_empty()).map(Item::from),
        )),
        _ => reasons.any(|reason| failed(reason.code())).then_some(TransactOutcome::ConditionFailed),
    }
}
