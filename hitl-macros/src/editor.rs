//! Names for an editor: the fields and the words of a macro's own syntax, in code that only rust-analyzer sees, so that
//! it completes them.
//!
//! The names are found in the tokens, because code that is being typed cannot be parsed. The code is emitted first:
//! rust-analyzer inserts a longer name at the cursor, and compares positions in the output before and after.
//! `.ci/editor` asks a rust-analyzer.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};

/// The names in the input of a macro.
#[derive(Default)]
pub(crate) struct Names {
    fields: Vec<Ident>,
    /// The words, each with the module of `hitl::__private::words` that has it.
    words: Vec<(&'static str, Ident)>,
}

impl Names {
    /// Finds the names in the arguments of `#[node]`.
    pub(crate) fn of_node(args: &TokenStream) -> Self {
        let mut names = Self::default();
        // The first argument is the state.
        for argument in arguments(args).into_iter().skip(1) {
            match argument.as_slice() {
                [TokenTree::Ident(word), TokenTree::Group(inner)] if word == "__interrupt" => {
                    let inner = arguments(&inner.stream());
                    inner.iter().for_each(|argument| names.add_argument("interrupt_before", argument));
                }
                argument => names.add_argument("node", argument),
            }
        }
        names
    }

    fn add_argument(&mut self, attribute: &'static str, argument: &[TokenTree]) {
        let Some((TokenTree::Ident(word), values)) = argument.split_first() else { return };
        self.words.push((attribute, word.clone()));
        if ["writes", "show", "unsigned", "review"].iter().any(|known| word == known) {
            for value in values {
                match value {
                    TokenTree::Ident(field) => self.fields.push(field.clone()),
                    TokenTree::Group(list) => self.fields.extend(list.stream().into_iter().filter_map(ident)),
                    _ => {}
                }
            }
        }
    }

    /// Finds the names in the statements of a `graph!`.
    pub(crate) fn of_graph(tokens: TokenStream) -> Self {
        let mut names = Self::default();
        names.add_chain(tokens);
        names
    }

    /// Finds the names in statements, or in a chain of steps.
    fn add_chain(&mut self, tokens: TokenStream) {
        // The braces after `match` are its arms, those after `for` its body, and others a verdict block.
        let mut braces: fn(&mut Self, TokenStream) = Self::add_verdicts;
        let mut is_field = false;
        for token in tokens {
            match token {
                TokenTree::Ident(word) if word == "match" => (braces, is_field) = (Self::add_arms, true),
                TokenTree::Ident(word) if word == "for" => (braces, is_field) = (Self::add_chain, true),
                TokenTree::Ident(word) if word == "in" => is_field = true,
                TokenTree::Ident(field) if is_field => {
                    self.fields.push(field);
                    is_field = false;
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    braces(self, group.stream());
                    (braces, is_field) = (Self::add_verdicts, false);
                }
                // In a `match`, the arguments of a method; else a fork.
                TokenTree::Group(group) if !is_field => self.add_chain(group.stream()),
                _ => {}
            }
        }
    }

    /// Finds the names in the chains of the arms of a `match`. Patterns and guards are Rust.
    fn add_arms(&mut self, arms: TokenStream) {
        for arm in arguments(&arms) {
            let arrow = arm.windows(2).position(|pair| is_mark(&pair[0], '=') && is_mark(&pair[1], '>'));
            if let Some(arrow) = arrow {
                self.add_chain(arm.into_iter().skip(arrow + 2).collect());
            }
        }
    }

    /// Finds the names in a verdict block, which begin with the word of a verdict.
    fn add_verdicts(&mut self, verdicts: TokenStream) {
        for verdict in arguments(&verdicts) {
            let mut verdict = verdict.into_iter();
            self.words.extend(verdict.next().and_then(ident).map(|word| ("verdict", word)));
            self.add_chain(verdict.collect());
        }
    }

    /// Generates a function that names the fields of `state` and the words.
    pub(crate) fn emit(&self, state: &impl ToTokens) -> TokenStream {
        // rustc parses the function before it drops it, so a keyword must not be a name.
        let is_name = |word: &Ident| syn::parse2::<Ident>(word.to_token_stream()).is_ok();
        let fields = self.fields.iter().filter(|field| is_name(field));
        let words = self.words.iter().filter(|(_, word)| is_name(word)).map(|(module, word)| {
            let module = format_ident!("{module}");
            quote!(::hitl::__private::words::#module::#word)
        });
        quote! {
            #[cfg(rust_analyzer)]
            fn __editor(fields: &<#state as ::hitl::__private::State>::View<'_>) {
                #(let _ = fields.#fields;)*
                #(let _ = #words;)*
            }
        }
    }
}

/// Splits tokens at the commas.
fn arguments(tokens: &TokenStream) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let split = tokens.split(|token| is_mark(token, ','));
    split.map(<[TokenTree]>::to_vec).collect()
}

fn is_mark(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == sign)
}

fn ident(token: TokenTree) -> Option<Ident> {
    match token {
        TokenTree::Ident(ident) => Some(ident),
        _ => None,
    }
}
