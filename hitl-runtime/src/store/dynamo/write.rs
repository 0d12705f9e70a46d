//! The writes of a transaction.

use aws_sdk_dynamodb::{
    error::BuildError,
    primitives::Blob,
    types::{AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};

use super::{
    item::Item,
    key::{Id, Key},
};

/// A write, and its condition.
#[derive(Clone, Debug)]
pub(super) struct Write {
    operation: Operation,
    condition: Option<Condition>,
}

#[derive(Clone, Debug)]
enum Operation {
    Put(Item),
    Delete(Key),
    Expire(Key, u64),
}

#[derive(Clone, Debug)]
enum Condition {
    /// The item exists.
    Exists,
    /// The item does not exist.
    NotExists,
    /// The item was last written by the write with this id.
    WrittenBy(Id),
    /// The item exists, and its cleanup has not begun.
    NotClaimed,
}

impl Write {
    pub(super) fn put(item: Item) -> Self {
        Self { operation: Operation::Put(item), condition: None }
    }

    pub(super) fn delete(key: Key) -> Self {
        Self { operation: Operation::Delete(key), condition: None }
    }

    /// Sets the expiration time of an existing item.
    pub(super) fn expire(key: Key, expires: u64) -> Self {
        Self { operation: Operation::Expire(key, expires), condition: Some(Condition::Exists) }
    }

    /// Requires that the item was last written by that write, or, for `None`, that it does not exist.
    pub(super) fn if_written_by(mut self, by: Option<Id>) -> Self {
        self.condition = Some(by.map_or(Condition::NotExists, Condition::WrittenBy));
        self
    }

    /// Requires that the item exists and that its cleanup has not begun.
    pub(super) fn if_not_claimed(mut self) -> Self {
        self.condition = Some(Condition::NotClaimed);
        self
    }

    pub(super) fn into_sdk(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let expression = self.condition.as_ref().map(|condition| match condition {
            Condition::Exists => "attribute_exists(pk)",
            Condition::NotExists => "attribute_not_exists(pk)",
            Condition::WrittenBy(_) => "#by = :by",
            Condition::NotClaimed => "attribute_exists(pk) AND attribute_not_exists(taken)",
        });
        let old = expression.map(|_| ReturnValuesOnConditionCheckFailure::AllOld);
        let (names, values) = match self.condition {
            Some(Condition::WrittenBy(by)) => (
                Some([("#by".to_owned(), "by".to_owned())].into()),
                Some([(":by".to_owned(), AttributeValue::B(Blob::new(by.as_bytes())))].into()),
            ),
            _ => (None, None),
        };
        let all = TransactWriteItem::builder();
        Ok(match self.operation {
            Operation::Put(item) => all.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item.into_attributes()))
                    .set_condition_expression(expression.map(Into::into))
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .build()?,
            ),
            Operation::Delete(key) => all.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.item().into_attributes()))
                    .set_condition_expression(expression.map(Into::into))
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .build()?,
            ),
            Operation::Expire(key, expires) => all.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key.item().into_attributes()))
                    .update_expression("SET expires = :expires")
                    .expression_attribute_values(":expires", AttributeValue::N(expires.to_string()))
                    .set_condition_expression(expression.map(Into::into))
                    .build()?,
            ),
        }
        .build())
    }
}
