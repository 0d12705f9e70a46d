//! Edits of a draft: a JSON merge patch (RFC 7396) or a whole draft, checked against the draft's type.

use std::borrow::Cow;

use serde_json::Value;

use super::{DraftVtable, Strictness, check_schema, schema::SchemaSet};
use crate::{Violation, text::nearest, user_code::catch_panic};

/// The maximum number of items in a set that is compared in any order. A larger set is compared item by item.
const MAX_SET_ITEMS: usize = 1_000;

/// An edit that an operator proposes.
#[derive(Clone, Copy)]
pub(crate) enum Edit<'a> {
    /// A merge patch, in which `null` removes a key.
    Patch(&'a Value),
    /// The whole draft, as JSON.
    Whole(&'a str),
}

/// The reason that an edit is rejected.
#[derive(Debug, PartialEq)]
pub(crate) enum EditError {
    /// The draft has no such key. `near` is a key with a similar name.
    UnknownKey { path: String, near: Option<String> },
    /// The patch is not an object, so it would replace the whole draft, whose type has no such value.
    NotAnObject,
    /// The edited draft violates its type or its invariants.
    Invalid(Vec<Violation>),
    /// The edit leaves the draft unchanged.
    Unchanged,
}

/// Returns the draft that results from an edit of `before`, as its type serializes it.
pub(crate) fn apply_edit(before: &Value, edit: Edit<'_>, vtable: DraftVtable) -> Result<Value, EditError> {
    let after = match edit {
        Edit::Whole(draft) => (vtable.check)(draft).map_err(EditError::Invalid)?,
        Edit::Patch(patch) => {
            let schema = catch_panic(|| "schema of the draft".to_owned(), vtable.schema);
            let schema = schema.map_err(|broken| EditError::Invalid(vec![broken.into()]))?;
            let merged = merge(before, patch, &schema)?;
            // serde also reads a struct from a list, which an operator who edits it does not mean.
            check_schema(&merged, &schema, Strictness::Shapes)
                .map_err(|violation| EditError::Invalid(vec![violation]))?;
            match (vtable.check)(&merged.to_string()) {
                Ok(after) => {
                    let position = Position::Serialized(&after);
                    check_keys(
                        patch,
                        Some(before),
                        position,
                        &SchemaSet::for_value(&schema, &after),
                        &mut String::new(),
                    )?;
                    after
                }
                // A misspelled key is reported as such, even if the type rejects the draft because of it or because the
                // intended key is missing.
                Err(violations) => {
                    let position = Position::Rejected(&merged);
                    check_keys(patch, Some(before), position, &SchemaSet::new(&schema), &mut String::new())?;
                    return Err(EditError::Invalid(violations));
                }
            }
        }
    };
    if after == *before { Err(EditError::Unchanged) } else { Ok(after) }
}

/// Applies a JSON merge patch. A patch that is not an object replaces the whole draft, if the draft's type has such
/// values: `"cancel"` for an enum.
fn merge<'a>(before: &Value, patch: &'a Value, schema: &Value) -> Result<Cow<'a, Value>, EditError> {
    if patch.is_object() {
        let mut merged = before.clone();
        json_patch::merge(&mut merged, patch);
        return Ok(Cow::Owned(merged));
    }
    let has_such = !patch.is_null() && super::schema::Schema::new(schema).matches(patch);
    if has_such { Ok(Cow::Borrowed(patch)) } else { Err(EditError::NotAnObject) }
}

/// The result of the draft's type for one position in the edited draft.
#[derive(Clone, Copy)]
enum Position<'a> {
    /// The type serialized this value here.
    Serialized(&'a Value),
    /// The type serialized nothing here.
    Omitted,
    /// The type rejected the draft, which has this value here. Only the schema is known.
    Rejected(&'a Value),
    /// The type rejected the draft, which has no value here.
    RejectedAbsent,
}

impl<'a> Position<'a> {
    fn child(self, at: impl FnOnce(&'a Value) -> Option<&'a Value>) -> Self {
        match self {
            Self::Serialized(value) => at(value).map_or(Self::Omitted, Self::Serialized),
            Self::Rejected(value) => at(value).map_or(Self::RejectedAbsent, Self::Rejected),
            other => other,
        }
    }

    fn schemas<'b>(self, known: &SchemaSet<'b>) -> SchemaSet<'b> {
        match self {
            Self::Serialized(value) => known.matching(value),
            Self::Rejected(value) => known.intended_by(value),
            Self::Omitted | Self::RejectedAbsent => known.all(),
        }
    }
}

/// Searches the patch for a key that the draft's type does not have. Because `null` removes a key, it may name any key
/// that the draft had before, even one that the edited draft cannot have: an entry of a map, or a key of an enum's old
/// variant.
fn check_keys(
    patch: &Value,
    before: Option<&Value>,
    position: Position<'_>,
    known: &SchemaSet<'_>,
    path: &mut String,
) -> Result<(), EditError> {
    match patch {
        Value::Object(patch) => {
            let (here, all) = (position.schemas(known), known.all());
            for (key, value) in patch {
                let was = before.and_then(|before| before.get(key));
                let is = position.child(|value| value.get(key));
                let is_known = match (value, is) {
                    (_, Position::Serialized(_)) => true,
                    (Value::Null, _) => was.is_some() || all.names(key),
                    (_, Position::Omitted) => here.names(key),
                    (_, Position::Rejected(_) | Position::RejectedAbsent) => {
                        here.names(key) || here.is_open()
                    }
                };
                let length = push_key(path, key);
                if !is_known {
                    return Err(unknown_key(path, key, before, position, &all));
                }
                check_keys(value, was, is, &here.child(key), path)?;
                path.truncate(length);
            }
            Ok(())
        }
        Value::Array(items) => check_new_list(items, position, &position.schemas(known), path),
        _ => Ok(()),
    }
}

/// Searches a value inside a list. A list in a patch replaces the whole list, so nothing in it is removed, and `null`
/// is a value.
fn check_new_value(
    item: &Value,
    position: Position<'_>,
    known: &SchemaSet<'_>,
    path: &mut String,
) -> Result<(), EditError> {
    match item {
        Value::Object(map) => {
            let here = position.schemas(known);
            for (key, value) in map {
                let is = position.child(|value| value.get(key));
                let is_known = match is {
                    Position::Serialized(_) => true,
                    Position::Omitted => here.names(key),
                    Position::Rejected(_) | Position::RejectedAbsent => here.names(key) || here.is_open(),
                };
                let length = push_key(path, key);
                if !is_known {
                    return Err(unknown_key(path, key, None, position, &here));
                }
                check_new_value(value, is, &here.child(key), path)?;
                path.truncate(length);
            }
            Ok(())
        }
        Value::Array(items) => check_new_list(items, position, &position.schemas(known), path),
        _ => Ok(()),
    }
}

fn check_new_list(
    items: &[Value],
    position: Position<'_>,
    known: &SchemaSet<'_>,
    path: &mut String,
) -> Result<(), EditError> {
    let length = path.len();
    for (i, item) in items.iter().enumerate() {
        path.push_str(&format!("[{i}]"));
        let schema = known.item(i);
        let checked = check_new_value(item, position.child(|list| list.get(i)), &schema, path);
        if let Err(error) = checked {
            // A set serializes its items in an order of its own.
            let others = match position {
                Position::Serialized(Value::Array(list)) if known.is_set() && list.len() <= MAX_SET_ITEMS => {
                    list.as_slice()
                }
                _ => &[],
            };
            let at = path.clone();
            let is_there = others.iter().any(|other| {
                path.clone_from(&at);
                check_new_value(item, Position::Serialized(other), &schema, path).is_ok()
            });
            if !is_there {
                return Err(error);
            }
        }
        path.truncate(length);
    }
    Ok(())
}

/// Appends a key to the path. Returns the previous length of the path.
fn push_key(path: &mut String, key: &str) -> usize {
    let length = path.len();
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
    length
}

fn unknown_key(
    path: &str,
    key: &str,
    before: Option<&Value>,
    position: Position<'_>,
    known: &SchemaSet<'_>,
) -> EditError {
    let written = match position {
        Position::Serialized(value) => Some(value),
        Position::Omitted | Position::Rejected(_) | Position::RejectedAbsent => None,
    };
    let maps = [before, written].into_iter().flatten().filter_map(Value::as_object).flatten();
    let keys = maps.map(|(key, _)| key.as_str()).chain(known.keys());
    EditError::UnknownKey { path: path.to_owned(), near: nearest(key, keys).map(str::to_owned) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use garde::Validate;
    use proptest::prelude::*;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::{Map, json};

    use super::*;

    crate::review::drafts!(Draft, Choice);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
    #[serde(rename_all = "camelCase")]
    #[garde(allow_unvalidated)]
    struct Draft {
        order_id: String,
        cents: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        to: Option<Account>,
        labels: BTreeMap<String, u32>,
        accounts: BTreeMap<u8, Account>,
        meta: serde_json::Value,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines: Vec<Line>,
        marks: BTreeSet<Mark>,
        outer: Outer,
        inner: Inner,
        beside: Beside,
        bare: Bare,
        #[serde(flatten)]
        window: Window,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Account {
        iban: String,
        name: Option<String>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Line {
        sku: String,
        count: Option<u8>,
        bare: Bare,
    }

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    enum Mark {
        Seen { times: u8 },
        Checked { level: u8 },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Window {
        opens: u8,
        closes: Option<u8>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    enum Outer {
        Wait,
        Refund { cents: u32, reason: Option<String> },
        Wire(Account),
        Split(u8, String),
        Nested(Box<Inner>),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Inner {
        Wait,
        Refund { cents: u32, reason: Option<String> },
        Wire(Account),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", content = "with")]
    enum Beside {
        Wait,
        Refund { cents: u32, reason: Option<String> },
        Wire(Account),
        Words(BTreeMap<String, String>),
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(untagged)]
    enum Bare {
        Number(u32),
        Wire(Account),
        Ask { question: String },
        Text(String),
    }

    fn word() -> impl Strategy<Value = String> {
        "[a-z]{1,6}"
    }

    fn account() -> impl Strategy<Value = Account> {
        (word(), prop::option::of(word())).prop_map(|(iban, name)| Account { iban, name })
    }

    /// Generates free JSON without `null`, which a merge patch cannot write into free JSON.
    fn free() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            word().prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(word(), inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn inner() -> impl Strategy<Value = Inner> {
        prop_oneof![
            Just(Inner::Wait),
            (any::<u32>(), prop::option::of(word()))
                .prop_map(|(cents, reason)| Inner::Refund { cents, reason }),
            account().prop_map(Inner::Wire),
        ]
    }

    fn outer() -> impl Strategy<Value = Outer> {
        prop_oneof![
            Just(Outer::Wait),
            (any::<u32>(), prop::option::of(word()))
                .prop_map(|(cents, reason)| Outer::Refund { cents, reason }),
            account().prop_map(Outer::Wire),
            (any::<u8>(), word()).prop_map(|(n, text)| Outer::Split(n, text)),
            inner().prop_map(|inner| Outer::Nested(Box::new(inner))),
        ]
    }

    fn beside() -> impl Strategy<Value = Beside> {
        prop_oneof![
            Just(Beside::Wait),
            (any::<u32>(), prop::option::of(word()))
                .prop_map(|(cents, reason)| Beside::Refund { cents, reason }),
            account().prop_map(Beside::Wire),
            prop::collection::btree_map(word(), word(), 0..3).prop_map(Beside::Words),
        ]
    }

    fn bare() -> impl Strategy<Value = Bare> {
        prop_oneof![
            any::<u32>().prop_map(Bare::Number),
            account().prop_map(Bare::Wire),
            word().prop_map(|question| Bare::Ask { question }),
            word().prop_map(Bare::Text),
        ]
    }

    fn line() -> impl Strategy<Value = Line> {
        (word(), prop::option::of(any::<u8>()), bare()).prop_map(|(sku, count, bare)| Line {
            sku,
            count,
            bare,
        })
    }

    fn mark() -> impl Strategy<Value = Mark> {
        prop_oneof![
            any::<u8>().prop_map(|times| Mark::Seen { times }),
            any::<u8>().prop_map(|level| Mark::Checked { level })
        ]
    }

    prop_compose! {
        fn draft()(
            (order_id, cents, note, to) in (word(), any::<u32>(), prop::option::of(word()), prop::option::of(account())),
            labels in prop::collection::btree_map(word(), any::<u32>(), 0..4),
            accounts in prop::collection::btree_map(any::<u8>(), account(), 0..3),
            meta in free(),
            lines in prop::collection::vec(line(), 0..3),
            marks in prop::collection::btree_set(mark(), 0..3),
            (outer, inner, beside, bare) in (outer(), inner(), beside(), bare()),
            window in (any::<u8>(), prop::option::of(any::<u8>())),
        ) -> Draft {
            let window = Window { opens: window.0, closes: window.1 };
            Draft { order_id, cents, note, to, labels, accounts, meta, lines, marks, outer, inner, beside, bare, window }
        }
    }

    /// Returns the merge patch (RFC 7396) that turns `before` into `after`.
    fn difference(before: &Value, after: &Value) -> Value {
        let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
        let mut out = Map::new();
        for (key, value) in new {
            match old.get(key) {
                Some(was) if was == value => {}
                Some(was) => drop(out.insert(key.clone(), difference(was, value))),
                None => drop(out.insert(key.clone(), value.clone())),
            }
        }
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            out.insert(key.clone(), Value::Null);
        }
        Value::Object(out)
    }

    fn apply(before: &Value, patch: &Value) -> Result<Value, EditError> {
        apply_edit(before, Edit::Patch(patch), DraftVtable::new::<Draft>())
    }

    /// Collects the paths of a patch at which a key is defined by a type, not inside a map or free JSON.
    fn typed_keys(patch: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
        let Value::Object(map) = patch else { return };
        for (key, value) in map {
            path.push(key.clone());
            out.push(path.clone());
            let is_open = ["labels", "accounts", "meta"].contains(&key.as_str()) || key == "with";
            if !is_open {
                typed_keys(value, path, out);
            }
            path.pop();
        }
    }

    fn misspell(patch: &mut Value, path: &[String]) {
        let map = patch.as_object_mut().unwrap();
        let (key, rest) = path.split_first().unwrap();
        if rest.is_empty() {
            let value = map.remove(key).unwrap();
            map.insert(format!("{key}q"), value);
        } else {
            misspell(map.get_mut(key).unwrap(), rest);
        }
    }

    proptest! {
        #[test]
        fn a_merge_patch_transforms_one_draft_into_the_other(before in draft(), after in draft()) {
            let (before, after) = (json!(before), json!(after));
            let patch = difference(&before, &after);
            let expected = if before == after { Err(EditError::Unchanged) } else { Ok(after) };
            prop_assert_eq!(apply(&before, &patch), expected, "{}", patch);
        }

        #[test]
        fn a_misspelled_key_is_never_accepted(before in draft(), after in draft(), which in any::<prop::sample::Index>()) {
            let (before, after) = (json!(before), json!(after));
            let mut patch = difference(&before, &after);
            let mut keys = Vec::new();
            typed_keys(&patch, &mut Vec::new(), &mut keys);
            prop_assume!(!keys.is_empty());
            let path = which.get(&keys);
            misspell(&mut patch, path);
            let wrong = format!("{}q", path.join("."));
            match apply(&before, &patch) {
                Err(EditError::UnknownKey { path, near }) => {
                    // If the tag is misspelled, the old variant remains, which does not have the keys of the new one.
                    prop_assert!(path == wrong || wrong.ends_with("kindq"), "{} for {}", path, wrong);
                    prop_assert!(near.is_some(), "{}", path);
                }
                other => prop_assert!(false, "{patch}: {other:?}"),
            }
        }

        #[test]
        fn an_edit_without_a_change_is_rejected(before in draft()) {
            let json = json!(before);
            prop_assert_eq!(apply(&json, &json!({})), Err(EditError::Unchanged));
            prop_assert_eq!(apply(&json, &json!({ "cents": before.cents })), Err(EditError::Unchanged));
            let whole = json.to_string();
            prop_assert_eq!(apply_edit(&json, Edit::Whole(&whole), DraftVtable::new::<Draft>()), Err(EditError::Unchanged));
        }
    }

    fn sample() -> Value {
        json!(Draft {
            order_id: "A-9133".into(),
            cents: 4200,
            note: Some("late".into()),
            to: Some(Account { iban: "DE02".into(), name: None }),
            labels: BTreeMap::from([("vip".into(), 1)]),
            accounts: BTreeMap::new(),
            meta: json!({ "source": { "mail": 1 } }),
            lines: vec![Line { sku: "x".into(), count: None, bare: Bare::Text("t".into()) }],
            marks: BTreeSet::new(),
            outer: Outer::Refund { cents: 1, reason: Some("broken".into()) },
            inner: Inner::Refund { cents: 1, reason: Some("broken".into()) },
            beside: Beside::Refund { cents: 1, reason: Some("broken".into()) },
            bare: Bare::Number(1),
            window: Window { opens: 1, closes: None },
        })
    }

    #[test]
    fn null_removes_an_existing_key() {
        let after = apply(
            &sample(),
            &json!({
                "note": null,
                "to": null,
                "labels": { "vip": null },
                "meta": { "source": { "mail": null } },
                "outer": { "Refund": null, "Wire": { "iban": "DE03" } },
                "inner": { "kind": "wire", "cents": null, "reason": null, "iban": "DE03" },
                "beside": { "kind": "Words", "with": { "cents": null, "reason": null, "why": "a gift" } },
            }),
        )
        .unwrap();
        assert_eq!(after.get("note"), None);
        assert_eq!(
            (&after["to"], &after["labels"], &after["meta"]),
            (&json!(null), &json!({}), &json!({ "source": {} }))
        );
        assert_eq!(after["outer"], json!({ "Wire": { "iban": "DE03", "name": null } }));
        assert_eq!(after["inner"], json!({ "kind": "wire", "iban": "DE03", "name": null }));
        assert_eq!(after["beside"], json!({ "kind": "Words", "with": { "why": "a gift" } }));
        assert_eq!(apply(&sample(), &json!({ "outer": "Wait" })).unwrap()["outer"], "Wait");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        let unknown = |path: &str, near: Option<&str>| {
            Err(EditError::UnknownKey { path: path.into(), near: near.map(str::to_owned) })
        };
        for (patch, path, near) in [
            (json!({ "cnets": 99 }), "cnets", Some("cents")),
            (json!({ "order_id": "A-1" }), "order_id", Some("orderId")),
            (json!({ "to": { "ibn": "x" } }), "to.ibn", Some("iban")),
            (json!({ "colour": null }), "colour", None),
            (json!({ "labels": { "vpi": null } }), "labels.vpi", Some("vip")),
            (json!({ "meta": { "source": { "mial": null } } }), "meta.source.mial", Some("mail")),
            (
                json!({ "lines": [{ "sku": "x", "bare": 1 }, { "sku": "y", "cuont": 1, "bare": 1 }] }),
                "lines[1].cuont",
                Some("count"),
            ),
            // A key of a variant other than the chosen one.
            (json!({ "inner": { "kind": "wait", "cents": 5 } }), "inner.cents", Some("cents")),
            (json!({ "outer": { "Refnd": { "cents": 1 } } }), "outer.Refnd", Some("Refund")),
            (
                json!({ "beside": { "kind": "Wire", "with": { "cents": null, "reason": null, "ibn": "x" } } }),
                "beside.with.ibn",
                Some("iban"),
            ),
        ] {
            assert_eq!(apply(&sample(), &patch), unknown(path, near), "{patch}");
        }
        let known = json!({ "to": { "name": null }, "lines": [{ "sku": "x", "bare": { "iban": "DE02", "name": null } }] });
        assert!(apply(&sample(), &known).is_ok());
    }

    #[test]
    fn only_a_valid_value_replaces_a_whole_draft() {
        for patch in [json!(null), json!(2), json!("x"), json!(["A-9133", 1])] {
            assert_eq!(apply(&sample(), &patch), Err(EditError::NotAnObject), "{patch}");
        }
        let of = |before: Value, patch: Value| {
            apply_edit(&before, Edit::Patch(&patch), DraftVtable::new::<Choice>())
        };
        assert_eq!(of(json!({ "Pay": { "cents": 1 } }), json!("Wait")), Ok(json!("Wait")));
        assert_eq!(of(json!("Wait"), json!({ "Pay": { "cents": 1 } })), Ok(json!({ "Pay": { "cents": 1 } })));
        assert_eq!(of(json!("Wait"), json!("Wiat")), Err(EditError::NotAnObject));
        assert!(matches!(of(json!("Wait"), json!({ "Pay": { "cents": 0 } })), Err(EditError::Invalid(_))));
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    enum Choice {
        Wait,
        Pay {
            #[garde(range(min = 1))]
            cents: u32,
        },
    }

    #[test]
    fn a_skipped_empty_field_is_known_by_its_schema() {
        let mut before = sample();
        before.as_object_mut().unwrap().remove("lines");
        before.as_object_mut().unwrap().remove("note");
        assert_eq!(apply(&before, &json!({ "lines": [], "note": null })), Err(EditError::Unchanged));
    }
}
