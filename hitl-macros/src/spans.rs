//! Spans of generated code: they determine the position of rustc's errors and the targets of an editor.
//!
//! An identifier of the user is emitted once with its own span, so that an editor finds one target and renames every
//! mention. An error in generated code must still point at that identifier, so its span is given to punctuation, which
//! editors ignore. rustc computes the span of a call from its first and last token, and it underlines both the path and
//! the call. These tokens must have the same syntax context, or rustc underlines the whole macro.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

/// Returns a span at the location of `span` that lints recognize as generated code.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// Returns the same identifier with the same name resolution, at a location that editors ignore.
pub(crate) fn hide_from_editors(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(Span::call_site().resolved_at(ident.span()));
    ident
}

/// Generates `::hitl::__private::name(args)`, with its panics and type errors at `span`.
pub(crate) fn call(span: Span, name: &str, args: TokenStream) -> TokenStream {
    let name = Ident::new(name, Span::mixed_site());
    let root = quote_spanned!(span=> ::);
    let close = quote_spanned!(span=> >);
    let args = delimited(span, Delimiter::Parenthesis, args);
    quote!(#root hitl::__private::#name::< #close #args)
}

/// Generates `<State as State>::name` at the position of the state's type. If the type is no state, rustc reports every
/// mention there, and drops a report that repeats another.
pub(crate) fn of_state(state: impl ToTokens, name: TokenStream) -> TokenStream {
    let at = first(&state);
    let name = name.into_iter().map(|mut token| {
        token.set_span(at);
        token
    });
    quote_spanned!(at=> <#state as ::hitl::__private::State>::#(#name)*)
}

/// Creates a group whose delimiters are at `span`.
pub(crate) fn delimited(span: Span, delimiter: Delimiter, tokens: TokenStream) -> TokenStream {
    let mut group = Group::new(delimiter, tokens);
    group.set_span(span);
    TokenTree::Group(group).into_token_stream()
}

/// Returns the spans of the first and of the last token. `Span::join` is not stable, but rustc joins the spans of the
/// first and last token of an expression.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let first = first(&tokens);
    let last = tokens.into_token_stream().into_iter().last().map_or(first, |token| token.span());
    (first, last)
}

/// Returns the span of the first token, for errors about tokens whose spans cannot be joined.
pub(crate) fn first(tokens: &impl ToTokens) -> Span {
    tokens.into_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
