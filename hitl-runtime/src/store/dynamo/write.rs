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
    what: What,
    condition: Option<Condition>,
}

#[derive(Clone, Debug)]
enum What {
    Put(Item),
    Delete(Key),
    Expire(Key, u64),
}

#[derive(Clone, Debug)]
enum Condition {
    /// The item exists.
    There,
    /// The item does not exist.
    Missing,
    /// The item was last written by the write with this id.
    By(Id),
    /// The item exists, and its cleanup has not begun.
    Untouched,
}

impl Write {
    pub(super) fn put(item: Item) -> Self {
        Self { what: What::Put(item), condition: None }
    }

    pub(super) fn delete(key: Key) -> Self {
        Self { what: What::Delete(key), condition: None }
    }

    /// Sets the expiration time of an existing item.
    pub(super) fn expire(key: Key, expires: u64) -> Self {
        Self { what: What::Expire(key, expires), condition: Some(Condition::There) }
    }

    /// Requires that the item was last written by that write, or, for `None`, that it does not exist.
    pub(super) fn if_by(mut self, by: Option<Id>) -> Self {
        self.condition = Some(by.map_or(Condition::Missing, Condition::By));
        self
    }

    /// Requires that the item exists and that its cleanup has not begun.
    pub(super) fn if_untouched(mut self) -> Self {
        self.condition = Some(Condition::Untouched);
        self
    }

    pub(super) fn into_sdk(self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let expression = self.condition.as_ref().map(|condition| match condition {
            Condition::There => "attribute_exists(pk)",
            Condition::Missing => "attribute_not_exists(pk)",
            Condition::By(_) => "#by = :by",
            Condition::Untouched => "attribute_exists(pk) AND attribute_not_exists(taken)",
        });
        let old = expression.map(|_| ReturnValuesOnConditionCheckFailure::AllOld);
        let (names, values) = match self.condition {
            Some(Condition::By(by)) => (
                Some([("#by".to_owned(), "by".to_owned())].into()),
                Some([(":by".to_owned(), AttributeValue::B(Blob::new(by.as_bytes())))].into()),
            ),
            _ => (None, None),
        };
        let all = TransactWriteItem::builder();
        Ok(match self.what {
            What::Put(item) => all.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item.into_attributes()))
                    .set_condition_expression(expression.map(Into::into))
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .build()?,
            ),
            What::Delete(key) => all.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.item().into_attributes()))
                    .set_condition_expression(expression.map(Into::into))
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values_on_condition_check_failure(old)
                    .build()?,
            ),
            What::Expire(key, expires) => all.update(
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
