//! Where rustc puts the caret, and where an editor goes.
//!
//! A word of the user's is emitted once, with its own span, so that an editor finds one target and renames every
//! mention. An error in generated code still has to stand under that word: for this its span goes on punctuation,
//! which editors pass over. rustc makes the span of a call from its first and last token, and of both the path and
//! the call; they must come from one context, or it underlines the whole macro.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

/// Generated code that stands at `span` in messages and that lints know as generated.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// The same name, resolved the same way, at a place that no editor goes to.
pub(crate) fn unseen(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(Span::call_site().resolved_at(ident.span()));
    ident
}

/// `::hitl::__private::name(args)`, whose panics and type errors stand at `span`.
pub(crate) fn call(span: Span, name: &str, args: TokenStream) -> TokenStream {
    let name = Ident::new(name, Span::mixed_site());
    let root = quote_spanned!(span=> ::);
    let close = quote_spanned!(span=> >);
    let args = delimited(span, Delimiter::Parenthesis, args);
    quote!(#root hitl::__private::#name::< #close #args)
}

/// A group whose delimiters stand at `span`.
pub(crate) fn delimited(span: Span, delimiter: Delimiter, tokens: TokenStream) -> TokenStream {
    let mut group = Group::new(delimiter, tokens);
    group.set_span(span);
    TokenTree::Group(group).into_token_stream()
}

/// Where the first and the last token stand. Joining spans is not stable; rustc joins those of an expression's own
/// first and last token.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let first = first(&tokens);
    let last = tokens.into_token_stream().into_iter().last().map_or(first, |token| token.span());
    (first, last)
}

/// The first token's span: what a caret needs where joining spans is not possible.
pub(crate) fn first(tokens: &impl ToTokens) -> Span {
    tokens.into_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
