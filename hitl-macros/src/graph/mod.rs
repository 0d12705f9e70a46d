//! The macro `graph!`.

mod check;
mod emit;
mod forks;
mod lower;
mod model;
mod parse;
mod public_types;
mod regions;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use syn::parse::Parser;

use crate::{crate_path::CratePath, diagnostics::Errors};

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let parser = |input: syn::parse::ParseStream| {
        let path = CratePath::parse(input)?;
        Ok((parse::graph(input, &mut errors)?, path))
    };
    let (graph, path) = match parser.parse2(input) {
        Ok(parsed) => parsed,
        Err(error) => {
            errors.push(error);
            return quote::quote!(#errors);
        }
    };
    let model = read(&graph, &mut errors);
    let tokens = path.apply(emit::emit(&graph, &model, &mut errors));
    crate::diagnostics::print_expansion(&graph.name.to_string(), &tokens);
    tokens
}

/// Builds and checks the model. Each step runs only if the one before found no errors, so that one mistake is one
/// message.
fn read<'a>(graph: &'a parse::Graph, errors: &mut Errors) -> model::Model<'a> {
    let well_formed = errors.is_empty();
    let mut model = model::Model::new(graph, errors);
    if well_formed && errors.is_empty() {
        check::reachability(&model, errors);
    }
    if well_formed && errors.is_empty() {
        regions::find(&mut model, errors);
    }
    model
}
