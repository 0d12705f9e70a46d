//! The macro `graph!`.

mod bindings;
mod check;
mod emit;
mod forks;
mod guard;
mod junctions;
mod lower;
mod model;
mod parse;
mod public_types;
mod regions;
#[cfg(test)]
mod tests;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Attribute, Generics, Visibility,
    parse::{ParseStream, Parser},
};

use crate::{crate_path::CratePath, diagnostics::Errors, editor, stand_in::Replaced};

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let head = |input: ParseStream| Ok((CratePath::parse(input)?, input.parse::<TokenStream>()?));
    let (path, input) = match head.parse2(input) {
        Ok(parsed) => parsed,
        Err(error) => return error.into_compile_error(),
    };
    let graph = match (|input: ParseStream| parse::graph(input, &mut errors)).parse2(input.clone()) {
        Ok(graph) => graph,
        Err(error) => {
            errors.push(error);
            return path.apply(stand_ins(input, &errors));
        }
    };
    let mut unconnected = Errors::default();
    let model = read(&graph, &mut errors, &mut unconnected);
    let names = editor::Names::of_graph(graph.body.clone());
    let tokens = path.apply(emit::emit(&graph, &model, &names, &mut errors, &unconnected));
    crate::diagnostics::print_expansion(&graph.name.to_string(), &tokens);
    tokens
}

/// Generates the types that stand in for those of a graph that cannot be parsed.
fn stand_ins(input: TokenStream, errors: &Errors) -> TokenStream {
    let head = |input: ParseStream| {
        let attrs = input.call(Attribute::parse_outer)?;
        let head = (attrs, input.parse::<Visibility>()?, input.parse::<Ident>()?);
        input.parse::<TokenStream>()?;
        Ok(head)
    };
    let Ok((mut cfgs, vis, name)) = head.parse2(input) else { return quote!(#errors) };
    cfgs.retain(|attr| attr.path().is_ident("cfg"));
    let turn = format_ident!("{name}Turn");
    let graph = Replaced { cfgs, vis, name, generics: Generics::default() };
    let this = graph.stand_in(errors);
    let Replaced { cfgs, vis, name, .. } = &graph;
    quote! {
        #this
        #(#cfgs)*
        #[allow(dead_code, missing_docs, unreachable_pub)]
        #vis type #turn = <#name as ::hitl::__private::Graph>::Turn;
    }
}

/// Builds and checks the model. Each step runs only if the one before found no errors, so that one mistake is one
/// message. Nodes without a path are `unconnected`: an error only if every name is that of a node, because a misspelled
/// name disconnects others.
fn read<'a>(graph: &'a parse::Graph, errors: &mut Errors, unconnected: &mut Errors) -> model::Model<'a> {
    let well_formed = errors.is_empty();
    let mut model = model::Model::new(graph, errors);
    if well_formed && errors.is_empty() {
        check::reachability(&model, unconnected);
    }
    if well_formed && errors.is_empty() && unconnected.is_empty() {
        regions::find(&mut model, errors);
    }
    model
}
