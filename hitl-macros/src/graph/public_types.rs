//! The public types of a graph: the graph itself, and the enums for the status of a thread.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use super::{
    model::{Model, Verdicts},
    parse::Graph,
};
use crate::{diagnostics::Errors, names, spans};

/// The variants with a fixed name. `Several` is reserved even if the graph does not have it.
const RESERVED_TURNS: [&str; 5] = ["Done", "InDoubt", "Failed", "Running", "Several"];

/// The enums for the status of a thread.
pub(super) struct Turns<'a> {
    pub(super) name: Ident,
    pub(super) reviews: Ident,
    /// Each verdict block with its variant.
    pub(super) variants: Vec<(&'a Verdicts<'a>, Ident)>,
    /// `true` if two reviews can be open at once.
    pub(super) several: bool,
}

impl<'a> Turns<'a> {
    pub(super) fn new(graph: &Graph, model: &'a Model<'_>, errors: &mut Errors) -> Self {
        let mut variants: Vec<(&Verdicts<'_>, Ident)> = Vec::new();
        for block in &model.verdicts {
            let node = &model.nodes[block.node].name;
            let span = names::last(block.mention).map_or_else(Span::call_site, Ident::span);
            // Without the node's span, or an editor would take the variant for the node.
            let variant = Ident::new(&names::camel(node), Span::call_site().resolved_at(span));
            let twin = variants
                .iter()
                .find(|(_, other)| *other == variant)
                .map(|(block, _)| &model.nodes[block.node].name);
            if RESERVED_TURNS.iter().any(|turn| variant == turn) {
                errors.at(span, format!("the turn variant `{variant}` is reserved, so a reviewed node cannot be called `{node}`: rename the node"));
            } else if let Some(twin) = twin.filter(|twin| *twin != node) {
                errors.at(span, format!("the reviewed nodes `{twin}` and `{node}` would both have the turn variant `{variant}`: rename one of them"));
            } else if twin.is_none() {
                variants.push((block, variant));
            }
        }
        let reviewed = |branch: &super::model::Branch| {
            variants.iter().any(|(block, _)| branch.nodes.contains(&block.node))
        };
        let several = model.forks.iter().any(|fork| {
            let open = fork.branches.iter().filter(|branch| reviewed(branch)).count();
            open > usize::from(fork.each.is_none())
        });
        let name = spans::hide_from_editors(&graph.name);
        Self { reviews: format_ident!("{name}Review"), name: format_ident!("{name}Turn"), variants, several }
    }
}

pub(super) fn cfgs(graph: &Graph) -> Vec<&Attribute> {
    graph.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect()
}

pub(super) fn deps(graph: &Graph) -> TokenStream {
    graph.deps.as_ref().map_or_else(|| quote!(()), |deps| quote!(#deps))
}

/// Generates the types that the documentation shows.
pub(super) fn public_types(graph: &Graph, turns: &Turns<'_>) -> TokenStream {
    let Graph { attrs, vis, name, state, .. } = graph;
    let this = spans::hide_from_editors(name);
    let cfgs = cfgs(graph);
    let text = names::plain(name);
    let undocumented = docs(attrs).is_empty().then(|| {
        let docs = format!("A graph on the state [`{}`].", names::text(state));
        quote!(#[doc = #docs])
    });
    let (param, value) = match &graph.deps {
        Some(deps) => (quote!(deps: #deps,), quote!(deps)),
        None => (quote!(), quote!(())),
    };
    let turn = turn(graph, turns);
    let new = format!("Creates an agent of [`{text}`] on a store.");
    quote! {
        #(#attrs)*
        #undocumented
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name {}

        #(#cfgs)*
        #[allow(dead_code, clippy::new_ret_no_self, private_interfaces)]
        impl #this {
            #[doc = #new]
            #[allow(unreachable_pub)]
            pub fn new(#param store: impl ::hitl::Store) -> ::hitl::Agent<#this> {
                ::hitl::Agent::new(#value, store)
            }
        }

        #turn
    }
}

/// Generates the turn enum of a graph and its formatting.
fn turn(graph: &Graph, turns: &Turns<'_>) -> TokenStream {
    let Graph { vis, state, .. } = graph;
    let Turns { name, reviews, variants, several } = turns;
    let this = spans::hide_from_editors(&graph.name);
    let cfgs = cfgs(graph);
    let text = names::plain(&graph.name);
    let (names, docs): (Vec<_>, Vec<_>) = variants
        .iter()
        .map(|(block, variant)| (variant, format!("`{}` waits for a verdict.", names::text(block.mention))))
        .unzip();
    // Named by the type of the draft, because the node may be private where the turn is used.
    let types: Vec<_> = variants
        .iter()
        .map(|(block, _)| {
            let node = block.mention;
            let asks = if block.asks { quote!(CanAsk) } else { quote!(NoAsk) };
            let node = quote!(<#node as ::hitl::__private::Node>);
            quote!(::hitl::Review<#this, #node::Draft, ::hitl::__private::#asks, #node::Edits>)
        })
        .collect();
    let allow = quote!(#[allow(dead_code, private_interfaces, unreachable_pub, clippy::large_enum_variant)]);
    let output = spans::of_state(state, quote!(Output));
    let turn_docs = format!("The status of a thread of [`{text}`].");
    let reviews_docs = format!("One of several open reviews on a thread of [`{text}`].");
    let several_variant = several.then(|| {
        quote!(
            /// More than one review is open. The order of the verdicts does not matter.
            Several(::std::vec::Vec<#reviews>),
        )
    });
    let several_enum = several.then(|| {
        quote! {
            #(#cfgs)*
            #[doc = #reviews_docs]
            #[must_use]
            #allow
            #vis enum #reviews {
                #(#[doc = #docs] #names(#types),)*
            }
        }
    });
    let shown = quote!(::core::fmt::Display::fmt(it, f));
    let several_shown = several.then(|| {
        quote!(Self::Several(all) => {
            for (i, one) in all.iter().enumerate() {
                if i > 0 {
                    f.write_str("\n")?;
                }
                ::core::fmt::Display::fmt(one, f)?;
            }
            ::core::result::Result::Ok(())
        })
    });
    let format = |of: &Ident, arms: TokenStream| {
        quote! {
            #[automatically_derived]
            impl ::core::fmt::Display for #of {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self { #arms }
                }
            }
            #[automatically_derived]
            impl ::core::fmt::Debug for #of {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Display::fmt(self, f)
                }
            }
        }
    };
    let review_arms = quote!(#(Self::#names(it) => #shown,)*);
    let formats = format(
        name,
        quote! {
            #review_arms
            #several_shown
            Self::InDoubt(it) => #shown,
            Self::Failed(it) => #shown,
            Self::Running(it) => #shown,
            // `Done`, whose type rustc cannot check if the graph's state is none: that is reported elsewhere.
            _ => f.write_str("done"),
        },
    );
    let several_formats = several.then(|| format(reviews, review_arms));
    quote! {
        #(#cfgs)*
        #[doc = #turn_docs]
        #[must_use = "a turn says who must act next, or has the output"]
        #allow
        #vis enum #name {
            #(#[doc = #docs] #names(#types),)*
            #several_variant
            /// The run has ended with this output.
            Done(#output),
            /// The outcome of an effect is unknown. A person resolves it.
            InDoubt(::hitl::InDoubt<#this>),
            /// A node failed, without retries left.
            Failed(::hitl::Failed<#this>),
            /// The thread is running in some process, or was when that process crashed.
            Running(::hitl::Running<#this>),
        }
        #several_enum
        #(#cfgs)*
        const _: () = { #formats #several_formats };
    }
}

/// Returns the text of the doc comments.
pub(super) fn docs(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}
