//! The attributes `#[node]` and `#[interrupt_before]`.

pub(crate) mod args;
mod emit;
mod fields;
mod model;
mod parse;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Meta, Result, parse::Parser};

use self::parse::Function;
use crate::{crate_path::CratePath, diagnostics::Errors, names};

pub(crate) fn expand(args: TokenStream, item: TokenStream, path: &CratePath) -> TokenStream {
    let mut function = match Function::parser.parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    // If `#[interrupt_before]` is below `#[node]`, swap them: rustc then expands it first, and it passes its arguments
    // on.
    if let Some(at) = function.attrs.iter().position(|attr| names::ends_in(attr.path(), "interrupt_before")) {
        let interrupt = function.attrs.remove(at);
        let path = path.argument();
        return quote!(#interrupt #[::hitl::node(#args #path)] #function);
    }
    let mut errors = Errors::default();
    let args = args::parse(args, &mut errors);
    let node = model::Node::new(function, args, &mut errors);
    let tokens = emit::emit(&node, &errors);
    crate::diagnostics::print_expansion(&node.name, &tokens);
    tokens
}

/// Moves the arguments into the `#[node(…)]` of the same function, which parses them.
pub(crate) fn expand_interrupt(args: TokenStream, item: TokenStream) -> TokenStream {
    match pass_to_node(args, item.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error)
        }
    }
}

fn pass_to_node(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut function = Function::parser.parse2(item)?;
    if let Some(second) = function.attrs.iter().find(|attr| names::ends_in(attr.path(), "interrupt_before")) {
        return Err(syn::Error::new_spanned(
            second.path(),
            format!("node `{}` has two `#[interrupt_before]`: keep one", names::plain(&function.sig.ident)),
        ));
    }
    let node = function.attrs.iter_mut().find(|attr| names::ends_in(attr.path(), "node")).ok_or_else(|| {
        syn::Error::new(
            Span::call_site(),
            format!(
                "`{}` has `#[interrupt_before]`, but is not a node: add `#[node(State, writes = field)]` below it",
                names::plain(&function.sig.ident)
            ),
        )
    })?;
    add_argument(node, quote!(__interrupt(#args)));
    Ok(function.into_token_stream())
}

/// Adds an argument to an attribute.
fn add_argument(attr: &mut Attribute, argument: TokenStream) {
    if let Meta::List(list) = &mut attr.meta {
        let given = &list.tokens;
        list.tokens = quote!(#given, #argument);
    }
}
