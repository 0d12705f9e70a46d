//! The attribute `#[draft]`.

mod arguments;
mod emit;
mod parse;
mod rules;
mod skipped;

use proc_macro2::TokenStream;

use crate::{diagnostics::Errors, stand_in::Replaced};

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    match parse::parse(args, item.clone(), &mut errors) {
        Ok(draft) => {
            let tokens = emit::emit(&draft, &errors);
            crate::diagnostics::print_expansion(&draft.name.to_string(), &tokens);
            tokens
        }
        Err(error) => {
            errors.push(error);
            match syn::parse2(item.clone()).ok().as_ref().and_then(Replaced::of) {
                Some(replaced) => replaced.stand_in(&errors),
                // The item is kept, so that the rest of the file still resolves its name.
                None => quote::quote!(#item #errors),
            }
        }
    }
}
