//! The attribute `#[state]`.

mod args;
mod borrowed;
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
        Err(invalid) => {
            errors.push(invalid.error);
            match invalid.replaced {
                Some(replaced) => emit::stand_ins(&replaced, &errors),
                // The item is kept, so that the rest of the file still resolves its name.
                None => quote::quote!(#item #errors),
            }
        }
    }
}
