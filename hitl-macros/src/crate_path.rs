//! The argument `crate = path`: where generated code finds `hitl`, for a facade that re-exports it or a dependency that
//! has another name.
//!
//! The macros generate `::hitl` throughout. If a path is given, it takes the place of `::hitl` in their output.

use proc_macro2::{Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Path, Result, Token, parse::ParseStream};

use crate::{diagnostics::Errors, names};

/// Expands an attribute, with the path that its arguments give.
pub(crate) fn expand(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
    expand: impl FnOnce(TokenStream, TokenStream, &CratePath) -> TokenStream,
) -> proc_macro::TokenStream {
    let mut errors = Errors::default();
    let (args, path) = CratePath::take(args.into(), &mut errors);
    let expanded = path.apply(expand(args, item.into(), &path));
    quote!(#expanded #errors).into()
}

/// The path of `hitl`, if it is not `::hitl`.
#[derive(Default)]
pub(crate) struct CratePath(Option<Path>);

impl CratePath {
    /// Takes `crate = path` out of the arguments of an attribute.
    pub(crate) fn take(args: TokenStream, errors: &mut Errors) -> (TokenStream, Self) {
        let (mut found, mut rest) = (Self::default(), Vec::new());
        for argument in arguments(args) {
            match argument.as_slice() {
                [TokenTree::Ident(word), equals, value @ ..] if word == "crate" && is_punct(equals, '=') => {
                    let value = value.iter().filter(|token| !is_punct(token, ',')).cloned();
                    if let Err(error) = found.set(word.span(), value.collect()) {
                        errors.push(error);
                    }
                }
                _ => rest.extend(argument),
            }
        }
        if found.0.is_some() && rest.last().is_some_and(|token| is_punct(token, ',')) {
            rest.pop();
        }
        (rest.into_iter().collect(), found)
    }

    /// Parses `crate = path;` at the beginning of a `graph!`.
    pub(crate) fn parse(input: ParseStream) -> Result<Self> {
        let mut found = Self::default();
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            let word = input.parse::<Token![crate]>()?.span;
            input.parse::<Token![=]>()?;
            let mut value = TokenStream::new();
            while !input.is_empty() && !input.peek(Token![;]) {
                value.extend([input.parse::<TokenTree>()?]);
            }
            found.set(word, value)?;
            input.parse::<Token![;]>().map_err(|_| wrong(word, "crate = facade::hitl;"))?;
        }
        Ok(found)
    }

    fn set(&mut self, word: Span, value: TokenStream) -> Result<()> {
        let path = syn::parse::Parser::parse2(Path::parse_mod_style, value);
        if self.0.replace(path.map_err(|_| wrong(word, "crate = facade::hitl"))?).is_some() {
            return Err(syn::Error::new(word, "`crate` is given twice"));
        }
        Ok(())
    }

    /// Returns the argument for another macro that the output calls.
    pub(crate) fn argument(&self) -> Option<TokenStream> {
        let path = self.0.as_ref()?;
        Some(quote!(, crate = #path))
    }

    /// Puts the path in the place of each `::hitl`.
    pub(crate) fn apply(&self, tokens: TokenStream) -> TokenStream {
        match &self.0 {
            Some(path) => replace(tokens, path),
            None => tokens,
        }
    }
}

fn wrong(word: Span, example: &str) -> syn::Error {
    syn::Error::new(word, format!("`crate` needs the path of hitl: `{example}`"))
}

/// Splits arguments behind their commas.
fn arguments(args: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut all = vec![Vec::new()];
    for token in args {
        let ends = is_punct(&token, ',');
        if let Some(last) = all.last_mut() {
            last.push(token);
        }
        if ends {
            all.push(Vec::new());
        }
    }
    all
}

fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

fn replace(tokens: TokenStream, path: &Path) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (TokenTree::Punct(first), Some(TokenTree::Punct(second)), Some(TokenTree::Ident(word)))
                if is_root(first, second, word) && !tokens[..at].last().is_some_and(ends_a_path) =>
            {
                out.extend(located(path, first.span()));
                at += 3;
                continue;
            }
            (TokenTree::Group(group), ..) => {
                let mut replaced = Group::new(group.delimiter(), replace(group.stream(), path));
                replaced.set_span(group.span());
                out.extend([TokenTree::Group(replaced)]);
            }
            (TokenTree::Literal(literal), ..) => out.extend([TokenTree::Literal(in_text(literal, path))]),
            (token, ..) => out.extend([token.clone()]),
        }
        at += 1;
    }
    out
}

fn is_root(first: &Punct, second: &Punct, word: &Ident) -> bool {
    first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':' && word == "hitl"
}

/// Returns whether a `::` behind the token continues a path, as in `facade::hitl`. A `>` does not: the generated code
/// has no associated item of that name, but it has `impl<D> ::hitl::…`.
fn ends_a_path(token: &TokenTree) -> bool {
    let TokenTree::Ident(word) = token else { return false };
    let word = word.to_string();
    matches!(word.as_str(), "crate" | "self" | "super" | "Self") || syn::parse_str::<Ident>(&word).is_ok()
}

/// Returns the tokens of the path at a span, so that errors point where `::hitl` stood.
fn located(path: &Path, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    path.to_token_stream().into_iter().map(at).collect()
}

/// Returns a string that is a path into `hitl`, for an attribute such as `#[serde(crate = "…")]`, with the other path.
fn in_text(literal: &Literal, path: &Path) -> Literal {
    let text = literal.to_string();
    let Some(rest) = text.strip_prefix("\"::hitl::__private::").and_then(|rest| rest.strip_suffix('"'))
    else {
        return literal.clone();
    };
    let mut replaced = Literal::string(&format!("{}::__private::{rest}", names::text(path)));
    replaced.set_span(literal.span());
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(args: &str) -> (String, String) {
        let mut errors = Errors::default();
        let (rest, path) = CratePath::take(args.parse().expect("tokens"), &mut errors);
        assert!(errors.is_empty());
        (rest.to_string(), path.0.map(names::text).unwrap_or_default())
    }

    #[test]
    fn the_path_is_taken_out_of_the_arguments() {
        assert_eq!(taken("crate::Ticket, writes = plan").1, "");
        assert_eq!(taken("Ticket, crate = a::b, effect"), ("Ticket , effect".into(), "a::b".into()));
        assert_eq!(taken("Agent, crate = a"), ("Agent".into(), "a".into()));
        assert_eq!(taken("crate = crate::hitl"), (String::new(), "crate::hitl".into()));
        for (args, message) in [
            ("crate = 3", "`crate` needs the path of hitl: `crate = facade::hitl`"),
            ("crate =, effect", "`crate` needs the path of hitl: `crate = facade::hitl`"),
            ("crate = a, crate = b", "`crate` is given twice"),
        ] {
            let mut errors = Errors::default();
            let _ = CratePath::take(args.parse().expect("tokens"), &mut errors);
            assert_eq!(errors.messages(), [message]);
        }
    }

    #[test]
    fn the_path_takes_the_place_of_the_root() {
        let (_, path) = CratePath::take(quote!(crate = facade::hitl), &mut Errors::default());
        let generated = quote! {
            use ::hitl::__private as __h;
            #[serde(crate = "::hitl::__private::serde")]
            impl<D> ::hitl::T for D {}
            fn f(a: &::hitl::A, b: other::hitl::B, c: crate::hitl::D) -> ::hitl::E { g::<::hitl::C>("::hitl") }
        };
        let expected = quote! {
            use facade::hitl::__private as __h;
            #[serde(crate = "facade::hitl::__private::serde")]
            impl<D> facade::hitl::T for D {}
            fn f(a: &facade::hitl::A, b: other::hitl::B, c: crate::hitl::D) -> facade::hitl::E { g::<facade::hitl::C>("::hitl") }
        };
        assert_eq!(path.apply(generated.clone()).to_string(), expected.to_string());
        assert_eq!(CratePath::default().apply(generated.clone()).to_string(), generated.to_string());
    }
}
