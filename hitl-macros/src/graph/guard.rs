//! The guards of `match` arms: Rust expressions in which `runs(node)` is the number of times that a node has run.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{
    Expr, Path, Result,
    parse::{ParseStream, Parser},
};

use crate::names;

const RUNS: &str = "runs";

/// `if runs(research) < 3`
pub(crate) struct Guard {
    pub(crate) expr: Expr,
    /// The nodes whose runs it counts.
    pub(crate) counted: Vec<Path>,
    /// The other words in it, except those of members: `matches` and `days` in `matches!(days.len(), 3..)`.
    pub(crate) words: Vec<String>,
}

impl Guard {
    pub(super) fn parse(input: ParseStream) -> Result<Self> {
        let expr: Expr = input.parse()?;
        let mut counted = Vec::new();
        let rest = replace_counts(expr.to_token_stream(), &mut |_, node| {
            counted.push(node);
            TokenStream::new()
        })?;
        Ok(Self { expr, counted, words: words(rest) })
    }

    /// Generates the expression. `runs` is the variable with the counts.
    pub(super) fn emit(&self, runs: &Ident) -> TokenStream {
        let counts = replace_counts(self.expr.to_token_stream(), &mut |word, node| {
            let name = names::last(&node).map(names::plain).unwrap_or_default();
            quote_spanned!(word.span()=> #runs.of(#name))
        });
        counts.unwrap_or_else(syn::Error::into_compile_error)
    }
}

/// Returns the words in an expression, except those of members.
fn words(tokens: TokenStream) -> Vec<String> {
    let (mut found, mut before) = (Vec::new(), String::new());
    for token in tokens {
        let is_member = before.ends_with('.') && !before.ends_with("..");
        match token {
            TokenTree::Punct(mark) => {
                before.push(mark.as_char());
                continue;
            }
            TokenTree::Ident(word) if !is_member => found.push(names::plain(&word)),
            TokenTree::Group(group) => found.extend(words(group.stream())),
            TokenTree::Ident(_) | TokenTree::Literal(_) => {}
        }
        before.clear();
    }
    found
}

/// Replaces each call `runs(node)` in an expression. A method `.runs(…)` and a path `self::runs(…)` are the user's.
fn replace_counts(
    tokens: TokenStream,
    replace: &mut impl FnMut(&Ident, Path) -> TokenStream,
) -> Result<TokenStream> {
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    // The punctuation directly before the token.
    let mut before = String::new();
    while let Some(token) = tokens.next() {
        let is_qualified = before.ends_with("::") || before.ends_with('.') && !before.ends_with("..");
        match &token {
            TokenTree::Punct(mark) => before.push(mark.as_char()),
            _ => before.clear(),
        }
        match token {
            TokenTree::Ident(word) if word == RUNS && !is_qualified => match tokens.peek() {
                Some(TokenTree::Group(args)) if args.delimiter() == Delimiter::Parenthesis => {
                    let node = Path::parse_mod_style.parse2(args.stream()).map_err(|_| {
                        syn::Error::new(
                            word.span(),
                            "`runs` takes one node of the graph: `runs(research) < 3`",
                        )
                    })?;
                    tokens.next();
                    out.extend(replace(&word, node));
                }
                _ => out.extend([TokenTree::Ident(word)]),
            },
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), replace_counts(group.stream(), replace)?);
                inner.set_span(group.span());
                out.extend([TokenTree::Group(inner)]);
            }
            other => out.extend([other]),
        }
    }
    Ok(out)
}
