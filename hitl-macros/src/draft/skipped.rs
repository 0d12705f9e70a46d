//! Fields that are not in the JSON of a draft: they would be neither shown nor signed.

use proc_macro2::Ident;
use syn::{Attribute, Meta};

use super::arguments::{serde_arguments, text};
use crate::diagnostics::Errors;

/// Predicates that hold for one value alone, which the type's own `Default` restores: nothing is hidden.
const EMPTY: [[&str; 2]; 7] = [
    ["Option", "is_none"],
    ["Vec", "is_empty"],
    ["VecDeque", "is_empty"],
    ["String", "is_empty"],
    ["str", "is_empty"],
    ["BTreeMap", "is_empty"],
    ["BTreeSet", "is_empty"],
];

/// Rejects each attribute of serde that skips a field, unless only the empty value of its type is skipped.
///
/// `skip_serializing_if` with any other predicate hides a value that `default` computes when the journal is read, which may
/// be another one by then.
pub(super) fn reject(attrs: &[Attribute], field: &str, has_default: bool, errors: &mut Errors) {
    let words: Vec<Meta> = attrs.iter().flat_map(serde_arguments).collect();
    let word = |name: &str| words.iter().find(|word| word.path().is_ident(name));
    for name in ["skip", "skip_serializing", "skip_deserializing"] {
        if let Some(word) = word(name) {
            errors.on(
                word,
                format!(
                    "field `{field}` is skipped by `{name}`, so it would be neither shown nor signed: remove `{name}`, or remove the field from the draft"
                ),
            );
        }
    }
    let Some(skip) = word("skip_serializing_if") else { return };
    let restores = match word("default") {
        Some(default) => matches!(default, Meta::Path(_)),
        None => !has_default,
    };
    if !(restores && is_empty(skip)) {
        errors.on(
            skip,
            format!(
                "field `{field}` is skipped where this holds, so its value would be neither shown nor signed: remove this, or make `{field}` an `Option` with `#[serde(default, skip_serializing_if = \"Option::is_none\")]`"
            ),
        );
    }
}

/// Returns whether a type's attributes have serde take what is missing from its `Default`.
pub(super) fn has_default(attrs: &[Attribute]) -> bool {
    attrs.iter().flat_map(serde_arguments).any(|word| word.path().is_ident("default"))
}

/// Returns whether a predicate says that a value is the empty one of its type.
fn is_empty(skip: &Meta) -> bool {
    let Some(Ok(path)) = text(skip).map(|path| path.parse::<syn::Path>()) else { return false };
    let names: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
    let [.., ty, predicate] = names.as_slice() else { return false };
    let is_std = names.len() == 2 || ["std", "core", "alloc"].iter().any(|root| names[0] == root);
    is_std && EMPTY.iter().any(|[of, is]| *ty == of && *predicate == is)
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    fn refused(attr: Attribute, has_default: bool) -> bool {
        let mut errors = Errors::default();
        reject(&[attr], "rate", has_default, &mut errors);
        !errors.is_empty()
    }

    #[test]
    fn a_skipped_value_must_be_the_empty_value() {
        for fine in [
            quote!(default, skip_serializing_if = "Option::is_none"),
            quote!(skip_serializing_if = "Option::is_none"),
            quote!(skip_serializing_if = "::std::vec::Vec::is_empty", default),
            quote!(rename = "r", default = "rate"),
            quote!(with = "cents", alias = "r"),
        ] {
            assert!(!refused(parse_quote!(#[serde(#fine)]), false), "{fine}");
        }
        for hidden in [
            quote!(skip),
            quote!(default, skip_serializing),
            quote!(skip_deserializing),
            quote!(default, skip_serializing_if = "is_todays_rate"),
            quote!(default = "rate", skip_serializing_if = "Option::is_none"),
            quote!(default, skip_serializing_if = "rates::Option::is_none"),
            quote!(default, skip_serializing_if = "Rate::is_empty"),
        ] {
            assert!(refused(parse_quote!(#[serde(#hidden)]), false), "{hidden}");
            assert!(
                refused(parse_quote!(#[cfg_attr(feature = "serde", doc = "x", serde(#hidden))]), false),
                "{hidden}"
            );
        }
    }

    #[test]
    fn the_default_of_a_type_may_not_be_the_empty_value() {
        assert!(refused(parse_quote!(#[serde(skip_serializing_if = "Option::is_none")]), true));
        assert!(!refused(parse_quote!(#[serde(default, skip_serializing_if = "Option::is_none")]), true));
    }
}
