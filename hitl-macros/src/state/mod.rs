//! The attribute `#[state]`.

mod args;
mod emit;
mod parse;

use proc_macro2::TokenStream;

use crate::diagnostics::Errors;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    match parse::parse(args, item.clone(), &mut errors) {
        Ok(state) => {
            let tokens = emit::emit(&state, &errors);
            crate::diagnostics::print_expansion(&state.name.to_string(), &tokens);
            tokens
        }
        Err(error) => {
            // The item is kept, even if it is not valid here, so that the rest of the file still resolves its name.
            errors.push(error);
            quote::quote!(#item #errors)
        }
    }
}
