//! Names for an editor: the fields and the words of a macro's own syntax, in code that only rust-analyzer sees, so that
//! it completes them.
//!
//! The names are found in the tokens, because code that is being typed cannot be parsed. The code is emitted first:
//! rust-analyzer inserts a longer name at the cursor, and compares positions in the output before and after.
//! `.ci/editor` asks a rust-analyzer.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{format_ident, quote};

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

    /// Finds the names in a `graph!`, from the name of the graph or from a group inside on.
    pub(crate) fn of_graph(tokens: TokenStream) -> Self {
        let mut names = Self::default();
        names.add_statements(tokens, false);
        names
    }

    fn add_statements(&mut self, tokens: TokenStream, is_verdicts: bool) {
        // The next braces are the arms of a `match` or the body of a `for`, and the next name is a field.
        let (mut is_choice, mut is_field) = (false, false);
        let mut is_first = true;
        for token in tokens {
            match &token {
                TokenTree::Ident(word) if word == "match" || word == "for" => {
                    (is_choice, is_field) = (true, true)
                }
                TokenTree::Ident(word) if word == "in" => is_field = true,
                TokenTree::Ident(field) if is_field => {
                    self.fields.push(field.clone());
                    is_field = false;
                }
                TokenTree::Ident(word) if is_verdicts && is_first => {
                    self.words.push(("verdict", word.clone()))
                }
                TokenTree::Group(group) => {
                    let is_block = group.delimiter() == Delimiter::Brace && !is_choice;
                    self.add_statements(group.stream(), is_block);
                    is_choice &= group.delimiter() != Delimiter::Brace;
                }
                _ => {}
            }
            is_first = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == ',');
        }
    }

    /// Generates a function that names the fields of `state` and the words.
    pub(crate) fn emit(&self, state: &TokenStream) -> TokenStream {
        let fields = &self.fields;
        let words = self.words.iter().map(|(module, word)| {
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
    let split = tokens.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','));
    split.map(<[TokenTree]>::to_vec).collect()
}

fn ident(token: TokenTree) -> Option<Ident> {
    match token {
        TokenTree::Ident(ident) => Some(ident),
        _ => None,
    }
}
