//! The attribute `#[draft]`.

mod arguments;
mod emit;
mod parse;
mod skipped;

use proc_macro2::TokenStream;

use crate::diagnostics::Errors;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    match parse::parse(args, item.clone(), &mut errors) {
        Ok(draft) => {
            let tokens = emit::emit(&draft, &errors);
            crate::diagnostics::print_expansion(&draft.name.to_string(), &tokens);
            tokens
        }
        Err(error) => {
            // The item is kept, even if it is not valid here, so that the rest of the file still resolves its name.
            errors.push(error);
            quote::quote!(#item #errors)
        }
    }
}
