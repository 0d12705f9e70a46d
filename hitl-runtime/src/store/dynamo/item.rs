//! Access to the attributes of an item.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

/// The minimum size for compression, in bytes: a smaller write costs one unit, compressed or not.
pub(super) const MIN_COMPRESSED_BYTES: usize = 1025;

/// An item, read or to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Item(HashMap<String, AttributeValue>);

impl Item {
    pub(super) fn text(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.into(), AttributeValue::S(text.into()));
        self
    }

    pub(super) fn number(mut self, name: &str, number: u64) -> Self {
        self.0.insert(name.into(), AttributeValue::N(number.to_string()));
        self
    }

    pub(super) fn bytes(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(name.into(), AttributeValue::B(Blob::new(bytes)));
        self
    }

    /// Sets the attribute, or omits it for `None`.
    pub(super) fn maybe_number(self, name: &str, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.number(name, number),
            None => self,
        }
    }

    pub(super) fn get_text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    pub(super) fn get_number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_n().ok()?.parse().ok()
    }

    pub(super) fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name)?.as_b().ok().map(AsRef::as_ref)
    }

    /// Returns an upper bound on the size of the item as DynamoDB computes it: the bytes of its names and values.
    pub(super) fn size(&self) -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
            // The store writes no other kind.
            _ => 0,
        };
        self.0.iter().map(|(name, each)| name.len() + value(each)).sum()
    }

    pub(super) fn into_attributes(self) -> HashMap<String, AttributeValue> {
        self.0
    }
}

impl From<HashMap<String, AttributeValue>> for Item {
    fn from(attributes: HashMap<String, AttributeValue>) -> Self {
        Self(attributes)
    }
}
