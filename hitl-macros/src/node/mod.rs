//! The attributes `#[node]` and `#[interrupt_before]`.

pub(crate) mod args;
mod choice;
mod emit;
mod expression;
mod fields;
mod model;
mod name_list;
pub(crate) mod parse;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Item, Meta, Result,
    parse::{ParseStream, Parser},
};

use self::parse::{Function, Unparsed};
use crate::{crate_path::CratePath, diagnostics::Errors, editor, names, stand_in::Replaced};

pub(crate) fn expand(args: TokenStream, item: TokenStream, path: &CratePath) -> TokenStream {
    let mut errors = Errors::default();
    let mut function = match Function::parser.parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => match Unparsed::parser.parse2(item.clone()) {
            Ok(function) => return unparsed(args, function, &error, errors),
            Err(_) => return not_a_function(item, error, &mut errors),
        },
    };
    // If `#[interrupt_before]` is below `#[node]`, swap them: rustc then expands it first, and it passes its arguments
    // on.
    if let Some(at) = function.attrs.iter().position(|attr| names::ends_in(attr.path(), "interrupt_before")) {
        let interrupt = function.attrs.remove(at);
        let path = path.argument();
        return quote!(#interrupt #[::hitl::node(#args #path)] #function);
    }
    if let Some(at) = function.attrs.iter().position(|attr| names::ends_in(attr.path(), "node")) {
        let second = function.attrs.remove(at);
        let name = names::plain(&function.sig.ident);
        errors.on(second.path(), format!("node `{name}` has two `#[node]`: keep one"));
    }
    let names = editor::Names::of_node(&args);
    let args = args::parse(args, &mut errors);
    let node = model::Node::new(function, args, &mut errors);
    let tokens = emit::emit(&node, &names, &errors);
    crate::diagnostics::print_expansion(&node.name, &tokens);
    tokens
}

/// Generates a node in place of a function whose signature cannot be parsed. rustc parses an item before its attributes
/// are expanded, so it has reported the signature.
fn unparsed(
    args: TokenStream,
    mut function: Unparsed,
    error: &syn::Error,
    mut errors: Errors,
) -> TokenStream {
    function.attrs.retain(|attr| !names::ends_in(attr.path(), "interrupt_before"));
    let names = editor::Names::of_node(&args);
    let args = args::parse(args, &mut errors);
    emit::emit(&model::Node::unparsed(&function, args, error.to_string()), &names, &errors)
}

/// Generates the error for an item that is no function. A type is replaced, so that its uses cause no further errors.
fn not_a_function(item: TokenStream, error: syn::Error, errors: &mut Errors) -> TokenStream {
    let replaced = syn::parse2::<Item>(item.clone()).ok().as_ref().and_then(Replaced::of);
    match replaced {
        Some(replaced) => {
            let name = &replaced.name;
            errors.at(
                name.span(),
                format!("`{name}` is a type, but a node is a function: write `async fn {name}(…) -> Result<T> {{ … }}`"),
            );
            replaced.stand_in(errors)
        }
        None => {
            errors.push(error);
            quote!(#item #errors)
        }
    }
}

/// Moves the arguments into the `#[node(…)]` of the same function, which parses them.
pub(crate) fn expand_interrupt(args: TokenStream, item: TokenStream) -> TokenStream {
    match pass_to_node(args, item.clone()) {
        Ok(tokens) => tokens,
        // `#[node]` reports an item that is no function.
        Err(_) if Function::parser.parse2(item.clone()).is_err() && has_node(&item) => item,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error)
        }
    }
}

/// Returns whether an item has the attribute `#[node]`.
fn has_node(item: &TokenStream) -> bool {
    let attrs = (|input: ParseStream| {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<TokenStream>()?;
        Ok(attrs)
    })
    .parse2(item.clone());
    attrs.is_ok_and(|attrs| attrs.iter().any(|attr| names::ends_in(attr.path(), "node")))
}

/// Reports `#[interrupt_after]`, which frameworks for other languages have.
pub(crate) fn expand_interrupt_after(item: TokenStream) -> TokenStream {
    let error = syn::Error::new(
        Span::call_site(),
        "`#[interrupt_after]` does not exist, because a person signs before an effect and not after it: put `#[interrupt_before]` on the node that comes next",
    )
    .into_compile_error();
    quote!(#error #item)
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
