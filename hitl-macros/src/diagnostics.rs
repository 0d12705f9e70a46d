//! Compile errors are collected, so that one run of the compiler reports all of them.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    /// Adds an error at one position.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Adds an error that underlines all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the position and the message of each error.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Span, String)> {
        self.0.iter().flat_map(|all| all.clone().into_iter().map(|error| (error.span(), error.to_string())))
    }

    /// Returns the first error as an expression, and the others as items.
    pub(crate) fn split_first(&self) -> (TokenStream, TokenStream) {
        let mut all =
            self.0.iter().flat_map(|all| all.clone().into_iter().map(|error| error.to_compile_error()));
        (all.next().unwrap_or_default(), all.collect())
    }

    /// Returns the messages, for tests.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.iter().map(|(_, message)| message).collect()
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(all) = &self.0 {
            all.to_compile_error().to_tokens(tokens);
        }
    }
}

/// Returns the line of another position for a message: ` on line 12`, or nothing if the compiler does not know it.
pub(crate) fn on_line(span: Span) -> String {
    if !proc_macro::is_available() {
        return String::new();
    }
    match span.unwrap().start().line() {
        0 => String::new(),
        line => format!(" on line {line}"),
    }
}

/// Prints the output of a macro for the item `name` if `HITL_EXPAND` is `name`. Cargo does not track the variable, so
/// touch the file first.
pub(crate) fn print_expansion(name: &str, tokens: &TokenStream) {
    if std::env::var_os("HITL_EXPAND").is_some_and(|wanted| wanted == name) {
        eprintln!("// {name}\n{tokens}");
    }
}
