//! The `for` items that an open review belongs to, as context for the operator.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::journal::{Fold, LaneId, OpenReviewState};

/// The item of a `for` that an open review belongs to: context for the operator, which is not signed.
///
/// ```
/// use hitl::ReviewView;
///
/// /// A line for each `for` around a review, the outermost first.
/// fn titles(review: &ReviewView) -> Vec<String> {
///     let items = review.items.iter();
///     items.map(|item| format!("{} {} of {}", item.item, item.index + 1, item.count)).collect()
/// }
/// # let _ = titles;
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct ItemView {
    /// The field that holds the item.
    pub item: String,
    /// The field that holds the list.
    pub list: String,
    /// The place of the item in the list, from 0.
    pub index: usize,
    /// The number of items in the list.
    pub count: usize,
    /// The item itself, and the fields that nodes have written for this item. The draft and the fields that are shown
    /// with it are left out.
    pub fields: Map<String, Value>,
}

impl ItemView {
    /// Creates a view of the item of `item in list` at this index, without fields, for a test of a user interface.
    pub fn new(item: impl Into<String>, list: impl Into<String>, index: usize, count: usize) -> Self {
        Self { item: item.into(), list: list.into(), index, count, fields: Map::new() }
    }
}

/// Returns the items that an open review belongs to, the outermost `for` first.
pub(crate) fn items_of_review(fold: &Fold, id: LaneId, open: &OpenReviewState) -> Vec<ItemView> {
    let Some(here) = fold.lanes.get(&id) else { return Vec::new() };
    let mut items = Vec::new();
    // A field of an inner item is not repeated for the outer item.
    let (mut told, mut next) = (BTreeSet::from([open.field.as_str()]), Some(id));
    told.extend(open.shows.iter().map(String::as_str));
    for (item, around, each) in fold.items(id) {
        let mut own = vec![each.item.as_str()];
        while let Some(lane) = next.and_then(|id| fold.lanes.get(&id)) {
            own.extend(lane.wrote.iter().map(|arrival| arrival.field.as_str()));
            let done = next == Some(item);
            next = lane.parent;
            if done {
                break;
            }
        }
        let mut fields = Map::new();
        for field in own {
            if told.insert(field)
                && let Ok(Some(json)) = here.fields.read(field)
            {
                fields.insert(field.to_owned(), serde_json::from_str(json).unwrap_or_default());
            }
        }
        let all = fold.lanes.get(&around).map(|lane| lane.branches.as_slice()).unwrap_or_default();
        items.push(ItemView {
            item: each.item.clone(),
            list: each.list.clone(),
            index: all.binary_search(&item).unwrap_or_default(),
            count: all.len(),
            fields,
        });
    }
    items.reverse();
    items
}
