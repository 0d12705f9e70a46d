//! The names of fields and nodes in the arguments of attributes. A form that another framework has is reported, and
//! understood, so that it causes no further errors.

use proc_macro2::Ident;
use syn::{
    LitStr, Result, Token, bracketed,
    ext::IdentExt,
    parenthesized,
    parse::ParseStream,
    token::{Bracket, Paren},
};

use super::args::parse_equals;
use crate::{diagnostics::Errors, names};

/// Parses `= plan` or `= (plan, notes)`. A list without `=` or in square brackets is reported, and parsed.
pub(super) fn parse_names(
    word: &Ident,
    example: &str,
    input: ParseStream,
    names: &mut Vec<Ident>,
    errors: &mut Errors,
) -> Result<()> {
    if input.peek(Paren) {
        errors.at(word.span(), format!("`{word}` needs a `=`: write `{word} = {example}`"));
    } else {
        parse_equals(word, example, input)?;
    }
    if input.peek(Paren) || input.peek(Bracket) {
        return parse_list(word, input, names, errors);
    }
    let name = parse_name(word, input, errors)?;
    add_name(name, names, errors);
    Ok(())
}

/// Parses `(plan, notes)`.
pub(super) fn parse_list(
    word: &Ident,
    input: ParseStream,
    names: &mut Vec<Ident>,
    errors: &mut Errors,
) -> Result<()> {
    let content;
    if input.peek(Bracket) {
        let bracket = bracketed!(content in input);
        errors.at(
            bracket.span.open(),
            format!("several names are written in parentheses: `{word} = (plan, notes)`"),
        );
    } else {
        parenthesized!(content in input);
    }
    while !content.is_empty() {
        let name = parse_name(word, &content, errors)?;
        add_name(name, names, errors);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// Parses a name. One in quotes is reported, and parsed.
pub(super) fn parse_name(word: &Ident, input: ParseStream, errors: &mut Errors) -> Result<Ident> {
    if !input.peek(LitStr) {
        return input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(error.span(), format!("`{word}` takes a name: write `{word} = name`"))
        });
    }
    let quoted: LitStr = input.parse()?;
    let name = quoted.parse_with(Ident::parse_any).map_err(|_| {
        syn::Error::new(
            quoted.span(),
            format!(
                "`{word}` takes a name without quotes, or several in parentheses: `{word} = (plan, notes)`"
            ),
        )
    })?;
    errors.at(
        quoted.span(),
        format!(
            "`{word}` takes a name without quotes: write `{}` instead of `\"{name}\"`",
            names::plain(&name)
        ),
    );
    Ok(name)
}

/// Adds a name to a list. One that is already in it is reported.
pub(super) fn add_name(name: Ident, names: &mut Vec<Ident>, errors: &mut Errors) {
    if names.iter().any(|earlier| names::plain(earlier) == names::plain(&name)) {
        errors.at(name.span(), format!("`{}` is given twice", names::plain(&name)));
    } else {
        names.push(name);
    }
}
