//! Mistakes are gathered, so that one run of the compiler names all of them.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Every mistake found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    /// A mistake with the caret on one place.
    pub(crate) fn at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// A mistake with the caret under all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The sentences, for tests.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.iter().flat_map(|all| all.clone().into_iter().map(|e| e.to_string())).collect()
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(all) = &self.0 {
            all.to_compile_error().to_tokens(tokens);
        }
    }
}

/// Where else to look: ` on line 12`, or nothing where the compiler does not say.
pub(crate) fn on_line(span: Span) -> String {
    if !proc_macro::is_available() {
        return String::new();
    }
    match span.unwrap().start().line() {
        0 => String::new(),
        line => format!(" on line {line}"),
    }
}

/// `HITL_EXPAND=plan` prints what the macros make of `plan`. Cargo does not watch the variable: touch the file.
pub(crate) fn show(name: &str, tokens: &TokenStream) {
    if std::env::var_os("HITL_EXPAND").is_some_and(|wanted| wanted == name) {
        eprintln!("// {name}\n{tokens}");
    }
}
