//! The rules of garde on the fields of a draft. A rule that garde would reject without naming the field is reported here,
//! and replaced by `skip`, so that it causes no error of the derive, and none about a type without invariants.

use proc_macro2::Ident;
use syn::{Attribute, Fields, Meta, Path, Token, Type, parse_quote, punctuated::Punctuated};

use super::arguments::arguments_of;
use crate::{
    diagnostics::Errors,
    names,
    node::parse::{last_segment, peel, type_argument},
};

/// The rules for text, of which `length` is also for lists.
const TEXT: [&str; 13] = [
    "ascii",
    "alphanumeric",
    "email",
    "url",
    "ip",
    "ipv4",
    "ipv6",
    "credit_card",
    "phone_number",
    "length",
    "contains",
    "prefix",
    "suffix",
];

/// The other rules and words of garde. A word that is similar to none of them may be a newer one.
const OTHERS: [&str; 9] =
    ["pattern", "range", "matches", "dive", "required", "inner", "custom", "skip", "rename"];

/// The limits of `range` and `length`.
const LIMITS: [&str; 3] = ["min", "max", "equal"];

/// The forms of `length`.
const LENGTHS: [&str; 5] = ["simple", "bytes", "chars", "graphemes", "utf16"];

const NUMBERS: [&str; 14] =
    ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];
const LISTS: [&str; 4] = ["String", "Vec", "BTreeMap", "BTreeSet"];

/// Returns whether the attributes of a type derive garde's `Validate` and require a rule for each of its fields.
pub(super) fn requires_rules(attrs: &[Attribute]) -> bool {
    let derived = attrs.iter().filter(|attr| attr.path().is_ident("derive")).flat_map(|attr| {
        attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).unwrap_or_default()
    });
    let is_garde = |path: &Path| {
        names::ends_in(path, "Validate")
            && path.segments.iter().rev().nth(1).is_none_or(|module| module.ident != "validator")
    };
    let free = attrs
        .iter()
        .flat_map(|attr| arguments_of(attr, "garde"))
        .any(|argument| argument.path().is_ident("allow_unvalidated"));
    let mut derived = derived.into_iter();
    derived.any(|path| is_garde(&path)) && !free
}

/// Reports a field without a rule, a misspelt rule, and a rule that does not fit the type of its field.
pub(super) fn check(fields: &mut Fields, required: bool, errors: &mut Errors) {
    // Without any rule, `Validate` may be the derive of another crate. If it is that of garde, garde reports each field.
    let is_garde = |field: &syn::Field| field.attrs.iter().any(|attr| attr.path().is_ident("garde"));
    let required = required && fields.iter().any(is_garde);
    for (number, field) in fields.iter_mut().enumerate() {
        let name = field.ident.as_ref().map_or_else(|| number.to_string(), names::plain);
        let mut has_rule = false;
        for attr in &mut field.attrs {
            has_rule |= attr.path().is_ident("garde");
            // A conditional attribute may be a rule.
            has_rule |= attr.path().is_ident("cfg_attr");
            for rule in arguments_of(attr, "garde") {
                if report(&rule, &name, &field.ty, errors) {
                    *attr = parse_quote!(#[garde(skip)]);
                    break;
                }
            }
        }
        if required && !has_rule {
            errors.on(
                &field.ty,
                format!(
                    "field `{name}` has no rule, but the draft derives `Validate`: add one, `{}`, or `#[garde(skip)]` if every value is valid",
                    example(&field.ty)
                ),
            );
            field.attrs.push(parse_quote!(#[garde(skip)]));
        }
    }
}

/// Reports a rule that is wrong. Returns whether it is.
fn report(rule: &Meta, field: &str, ty: &Type, errors: &mut Errors) -> bool {
    let Some(word) = rule.path().get_ident() else { return false };
    let given = names::plain(word);
    if !TEXT.iter().chain(&OTHERS).any(|known| *known == given) {
        let Some(near) = names::near(&given, TEXT.iter().chain(&OTHERS).copied()) else { return false };
        errors.at(
            word.span(),
            format!(
                "field `{field}` has the rule `{given}`, which garde does not have; did you mean `{near}`?"
            ),
        );
        return true;
    }
    if let Some((limit, near)) = misspelt_limit(rule, &given) {
        errors.at(limit.span(), format!("rule `{given}` takes no `{limit}`; did you mean `{near}`?"));
        return true;
    }
    let (bare, is) = kind(ty);
    let misfit = match is {
        Kind::Number => TEXT.contains(&given.as_str()) || given == "pattern",
        Kind::List => given == "range",
        Kind::Other => false,
    };
    if misfit {
        errors.at(
            word.span(),
            format!(
                "rule `{given}` does not fit field `{field}`, which is a `{}`: write a rule such as `{}`",
                names::text(bare),
                example(ty)
            ),
        );
    }
    misfit
}

/// Returns a misspelt limit of `range` or `length`, and what it should be.
fn misspelt_limit(rule: &Meta, word: &str) -> Option<(Ident, &'static str)> {
    let forms: &[&'static str] = match word {
        "range" => &[],
        "length" => &LENGTHS,
        _ => return None,
    };
    let Meta::List(list) = rule else { return None };
    let limits = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    limits.iter().find_map(|limit| {
        let limit = limit.path().get_ident()?;
        let given = names::plain(limit);
        let mut known = LIMITS.iter().chain(forms).copied();
        if known.clone().any(|word| word == given) {
            return None;
        }
        // `minimum` is too long for a typo of `min`.
        let near = known.clone().find(|word| given.starts_with(word));
        near.or_else(|| names::near(&given, &mut known)).map(|near| (limit.clone(), near))
    })
}

enum Kind {
    Number,
    List,
    Other,
}

/// Returns the type of which a rule checks the values, without `Option`, and its kind.
fn kind(ty: &Type) -> (&Type, Kind) {
    let ty = peel(ty);
    let Some(segment) = last_segment(ty) else { return (ty, Kind::Other) };
    let word = segment.ident.to_string();
    match (word.as_str(), type_argument(segment)) {
        ("Option", Some(inner)) => kind(inner),
        (word, None) if NUMBERS.contains(&word) => (ty, Kind::Number),
        (word, _) if LISTS.contains(&word) => (ty, Kind::List),
        _ => (ty, Kind::Other),
    }
}

/// Returns a rule that fits a type.
fn example(ty: &Type) -> &'static str {
    match kind(ty).1 {
        Kind::Number => "#[garde(range(min = 1, max = 1000))]",
        Kind::List => "#[garde(length(min = 1, max = 100))]",
        Kind::Other => "#[garde(dive)]",
    }
}

#[cfg(test)]
mod tests {
    use syn::{ItemStruct, parse_quote};

    use super::*;

    fn messages(mut item: ItemStruct) -> Vec<String> {
        let mut errors = Errors::default();
        check(&mut item.fields, requires_rules(&item.attrs), &mut errors);
        // Each wrong rule is replaced, so a second check finds nothing.
        let mut again = Errors::default();
        check(&mut item.fields, requires_rules(&item.attrs), &mut again);
        assert!(again.is_empty());
        errors.messages()
    }

    #[test]
    fn each_wrong_rule_has_one_message() {
        let errors = messages(parse_quote! {
            #[derive(Clone, garde::Validate)]
            struct Refund {
                #[garde(rnge(min = 1))] a: u32,
                #[garde(range(minimum = 1))] b: u32,
                #[garde(length(min = 1))] c: Option<u32>,
                #[garde(range(min = 1))] d: String,
                e: Vec<u8>,
            }
        });
        assert_eq!(errors.len(), 5, "{errors:#?}");
        for (error, words) in errors.iter().zip([
            "did you mean `range`?",
            "did you mean `min`?",
            "does not fit field `c`, which is a `u32`: write a rule such as `#[garde(range",
            "does not fit field `d`, which is a `String`: write a rule such as `#[garde(length",
            "field `e` has no rule",
        ]) {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn other_rules_are_left_to_garde() {
        let none = [""; 0];
        assert_eq!(
            messages(parse_quote! {
                #[derive(Validate)]
                struct Refund {
                    #[garde(custom(is_iban), length(chars, min = 1, equal = LENGTH))] a: String,
                    #[garde(inner(length(min = 1)), novel_rule)] b: Vec<String>,
                    #[garde(range(min = self::MIN))] c: Money,
                    #[garde(dive)] d: Address,
                }
            }),
            none
        );
        assert_eq!(
            messages(parse_quote!(
                #[derive(Validate)]
                #[garde(allow_unvalidated)]
                struct A {
                    a: u8,
                }
            )),
            none
        );
        assert_eq!(
            messages(parse_quote!(
                #[derive(validator::Validate)]
                struct A {
                    a: u8,
                }
            )),
            none
        );
        assert_eq!(
            messages(parse_quote!(
                #[derive(Validate)]
                struct A {
                    #[validate(range(min = 1))]
                    a: u8,
                    b: u8,
                }
            )),
            none
        );
        assert_eq!(
            messages(parse_quote!(
                struct A {
                    a: u8,
                }
            )),
            none
        );
    }
}
