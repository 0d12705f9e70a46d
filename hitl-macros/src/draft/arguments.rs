//! The arguments of other crates' attributes on a draft. A list that the other crate would reject has none: that crate
//! reports it.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token, punctuated::Punctuated};

/// Returns the arguments of an attribute of this name: those of `#[serde(default, rename = "x")]`.
pub(super) fn arguments_of(attr: &Attribute, name: &str) -> Vec<Meta> {
    if attr.path().is_ident(name) { nested(&attr.meta) } else { Vec::new() }
}

/// Returns the arguments of each `#[serde(…)]` that an attribute is or, as `#[cfg_attr(…, serde(…))]`, may become.
pub(super) fn serde_arguments(attr: &Attribute) -> Vec<Meta> {
    serde_in(&attr.meta)
}

/// Returns the name in JSON that `#[serde(rename = "…")]` gives, also as `rename(serialize = "…")`.
pub(super) fn json_name(attr: &Attribute) -> Option<String> {
    let arguments = arguments_of(attr, "serde");
    let rename = arguments.iter().find(|argument| argument.path().is_ident("rename"))?;
    let names = nested(rename);
    let serialized = names.iter().find(|serialized| serialized.path().is_ident("serialize"));
    text(serialized.unwrap_or(rename)).map(LitStr::value)
}

/// Returns the string of an argument `name = "…"`.
pub(super) fn text(argument: &Meta) -> Option<&LitStr> {
    let Meta::NameValue(argument) = argument else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &argument.value else { return None };
    Some(text)
}

fn serde_in(meta: &Meta) -> Vec<Meta> {
    if meta.path().is_ident("serde") {
        return nested(meta);
    }
    if !meta.path().is_ident("cfg_attr") {
        return Vec::new();
    }
    nested(meta).iter().skip(1).flat_map(serde_in).collect()
}

fn nested(meta: &Meta) -> Vec<Meta> {
    let Meta::List(list) = meta else { return Vec::new() };
    let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    parsed.map(|arguments| arguments.into_iter().collect()).unwrap_or_default()
}
