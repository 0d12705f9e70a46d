//! Code generation for `graph!`: the graph's type, its turns, its description, and a constant for each part that can be
//! wrong, so that rustc reports every error in one run, each at its own word.

use proc_macro2::{Delimiter, Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::{
    bindings,
    model::{Kind, Model, Node, Point, Route},
    parse::{Each, Graph, Step},
    public_types::{Turns, cfgs, deps, docs, public_types},
};
use crate::{diagnostics::Errors, editor, names, spans};

pub(crate) fn emit(
    graph: &Graph,
    model: &Model<'_>,
    names: &editor::Names,
    errors: &mut Errors,
    unconnected: &Errors,
) -> TokenStream {
    let turns = Turns::new(graph, model, errors);
    let types = public_types(graph, &turns);
    if errors.is_empty() && unconnected.is_empty() {
        let proof = proof(graph, model, names, &turns);
        return quote!(#types #proof);
    }
    // An editor still resolves the names in the statements, and the code around the graph still finds its types.
    let cfgs = cfgs(graph);
    let mentions = model.nodes.iter().flat_map(|node| &node.mentions);
    // rustc reports a name that is no node, and then does not evaluate the constants.
    let only_editors = unconnected.is_empty().then(|| quote!(#[cfg(rust_analyzer)]));
    let unconnected = unconnected.iter().map(|(span, message)| {
        let rejection = spans::call(span, "reject", quote!(#message));
        quote! {
            const _: () = {
                let _: ::core::marker::PhantomData<__HitlMentions>;
                #rejection
            };
        }
    });
    let (name, state, deps) = (spans::hide_from_editors(&graph.name), &graph.state, deps(graph));
    let turn = &turns.name;
    let view = spans::of_state(state, quote!(View<'_>));
    let editor = names.emit(state);
    quote! {
        #types
        #(#cfgs)*
        #[allow(unexpected_cfgs)]
        const _: () = {
            use ::hitl::__private as __h;
            #editor
            #only_editors
            type __HitlMentions = (#(::core::marker::PhantomData<#mentions>,)*);
            #(#unconnected)*
            impl __h::SealedGraph for #name {}
            impl __h::Graph for #name {
                type State = #state;
                type Deps = #deps;
                type Turn = #turn;
                const SPEC: &'static __h::GraphSpec = ::core::unreachable!();
                const NODES: &'static [__h::NodeTable] = &[];
                fn route(_: usize, _: &#view, _: &__h::Runs) -> ::core::option::Option<usize> {
                    ::core::unreachable!()
                }
                fn turn(_: __h::ThreadState<Self>) -> ::core::result::Result<Self::Turn, __h::Error> {
                    ::core::unreachable!()
                }
            }
        };
        #errors
    }
}

/// Generates the description, its proof, and the implementation of `Graph`.
fn proof(graph: &Graph, model: &Model<'_>, names: &editor::Names, turns: &Turns<'_>) -> TokenStream {
    let Graph { name, state, attrs, .. } = graph;
    let this = spans::hide_from_editors(name);
    let text = names::plain(name);
    let cfgs = cfgs(graph);
    let deps = deps(graph);
    let docs = docs(attrs);
    let state_spec = spans::of_state(state, quote!(SPEC));
    let count = Literal::usize_unsuffixed(model.nodes.len());
    let entries = model.nodes.iter().enumerate().map(|(number, node)| match node.arm {
        Some(arm) => bindings::entry(model, (number, node), arm, (&this, state, &deps)),
        None => entry(node, state, &deps),
    });
    let bindings = bindings::functions(model, &this, state);
    let edges = model.edges.iter().map(|edge| {
        let (from, to, kind) = (point(edge.from), point(edge.to), kind(edge.kind));
        let joins = match edge.joins {
            Some((fork, branch)) => quote!(::core::option::Option::Some((#fork, #branch))),
            None => quote!(::core::option::Option::None),
        };
        quote!(__h::EdgeSpec { from: #from, to: #to, kind: #kind, joins: #joins })
    });
    let routes = model.routes.iter().map(|route| {
        let from = point(route.from);
        let field = route.field.as_ref().map(names::plain).unwrap_or_default();
        let cases = route.source.arms.iter().map(|arm| match &arm.guard {
            Some(guard) => format!("{} if {}", names::text(&arm.pattern), names::text(&guard.expr)),
            None => names::text(&arm.pattern),
        });
        let guarded = route.source.arms.iter().flat_map(|arm| &arm.names.guarded).map(names::plain);
        quote!(__h::RouteSpec { from: #from, field: #field, cases: &[#(#cases),*], guarded: &[#(#guarded),*] })
    });
    let forks = model.forks.iter().map(|fork| {
        let (from, join) = (point(fork.from), point(fork.join));
        let branches = fork.branches.iter().map(|branch| {
            let nodes = &branch.nodes;
            quote!(__h::BranchSpec { nodes: &[#(#nodes),*] })
        });
        let each = each(fork.each);
        quote!(__h::ForkSpec { from: #from, join: #join, each: #each, branches: &[#(#branches),*] })
    });
    let renamed = model.renamed.iter().map(|(old, node)| {
        let (old, new) = (names::plain(old), &model.nodes[*node].name);
        quote!((#old, #new))
    });
    let editor = names.emit(state);
    let checks = checks(model);
    let items = items(model, state);
    let route_fn = route_fn(model, state);
    let turn_fn = turn_fn(turns);
    let turn = &turns.name;
    let in_turns: Vec<_> = turns.variants.iter().map(|(block, _)| block.mention).collect();
    let later = model
        .nodes
        .iter()
        .flat_map(|node| node.mentions.iter().skip(1))
        .filter(|mention| !in_turns.iter().any(|shown| std::ptr::eq(**mention, *shown)));
    quote! {
        #(#cfgs)*
        #[allow(unexpected_cfgs)]
        const _: () = {
            use ::hitl::__private as __h;
            #editor
            #[allow(dead_code)]
            type __HitlMentions = (#(::core::marker::PhantomData<#later>,)*);
            #[allow(unused_parens)]
            const __HITL_NODES: &[__h::NodeTable; #count] = &[#(#entries),*];
            const __HITL_SPEC: &__h::GraphSpec = &__h::GraphSpec {
                name: #text,
                docs: #docs,
                state: #state_spec,
                nodes: &__h::specs(__HITL_NODES),
                edges: &[#(#edges),*],
                routes: &[#(#routes),*],
                forks: &[#(#forks),*],
                renamed: &[#(#renamed),*],
            };
            const __HITL_PROOF: &__h::Proof<#count> = &__h::prove(__HITL_SPEC);
            #checks
            #items
            #bindings

            #[automatically_derived]
            impl __h::SealedGraph for #this {}

            #[automatically_derived]
            impl __h::Graph for #this {
                type State = #state;
                type Deps = #deps;
                type Turn = #turn;
                const SPEC: &'static __h::GraphSpec = __HITL_SPEC;
                const NODES: &'static [__h::NodeTable] = __HITL_NODES;
                #route_fn
                #turn_fn
            }
        };
    }
}

fn entry(node: &Node<'_>, state: &Type, deps: &TokenStream) -> TokenStream {
    let name = &node.name;
    if node.junction.is_some() {
        return quote!(__h::NodeEntry::<#state, #deps>::junction(#name));
    }
    let path = node.mentions.first();
    let span = node.span();
    let table = Ident::new(if node.counted { "counted" } else { "table" }, Span::mixed_site());
    let (root, close) = (quote_spanned!(span=> ::), quote_spanned!(span=> >));
    let args = spans::delimited(span, Delimiter::Parenthesis, quote!(#name, ::core::marker::PhantomData));
    // In parentheses: without them rustc could take the path for a const argument, the function, and warn about that.
    quote!(#root hitl::__private::NodeEntry::<#state, #deps>::#table::<(#path) #close #args)
}

fn point(point: Point) -> TokenStream {
    match point {
        Point::Start => quote!(__h::Point::Start),
        Point::Node(node) => quote!(__h::Point::Node(#node)),
        Point::End => quote!(__h::Point::End),
    }
}

fn kind(kind: Kind) -> TokenStream {
    match kind {
        Kind::Next => quote!(__h::EdgeKind::Next),
        Kind::Case { route, case } => quote!(__h::EdgeKind::Case { route: #route, case: #case }),
        Kind::Fork { fork, branch } => quote!(__h::EdgeKind::Fork { fork: #fork, branch: #branch }),
        Kind::Empty { fork } => quote!(__h::EdgeKind::Empty { fork: #fork }),
        Kind::Reject => quote!(__h::EdgeKind::Reject),
        Kind::Ask => quote!(__h::EdgeKind::Ask),
        Kind::Expire => quote!(__h::EdgeKind::Expire),
    }
}

fn each(each: Option<&Each>) -> TokenStream {
    let Some(each) = each else { return quote!(::core::option::Option::None) };
    let (item, list) = (names::plain(&each.item), names::plain(&each.list));
    let at_most = each.at_most.map_or_else(|| quote!(__h::EachSpec::AT_MOST), |number| quote!(#number));
    quote!(::core::option::Option::Some(__h::EachSpec { item: #item, list: #list, at_most: #at_most }))
}

/// Generates a constant for each node, for each edge that has a requirement, for each `match`, each `for` and
/// each name that a guard uses.
fn checks(model: &Model<'_>) -> TokenStream {
    let given = |number: usize| quote!(__HITL_SPEC, __HITL_PROOF, #number);
    let nodes = model.nodes.iter().enumerate().map(|(i, node)| (node.span(), "check_node", given(i)));
    let edges =
        model.edges.iter().enumerate().filter(|(_, edge)| edge.to == Point::End || edge.kind.is_verdict());
    let edges = edges.map(|(i, edge)| (edge.span, "check_edge", given(i)));
    let routes = model
        .routes
        .iter()
        .enumerate()
        .filter_map(|(i, route)| Some((route.field.as_ref()?.span(), "check_route", given(i))));
    let lists = model
        .forks
        .iter()
        .enumerate()
        .filter_map(|(i, fork)| Some((fork.each?.list.span(), "check_list", given(i))));
    let arms = model.routes.iter().flat_map(|route| &route.source.arms);
    let guards = arms.flat_map(|arm| &arm.names.guarded).map(|name| {
        let text = names::plain(name);
        (name.span(), "check_guard", quote!(__HITL_SPEC, #text))
    });
    nodes
        .chain(edges)
        .chain(routes)
        .chain(lists)
        .chain(guards)
        .map(|(span, check, args)| {
            let call = spans::call(span, check, args);
            quote!(const _: () = #call;)
        })
        .collect()
}

/// Generates a check for each `for` that one of its fields is a list of the other. rustc resolves the fields and
/// compares their types.
fn items(model: &Model<'_>, state: &Type) -> Option<TokenStream> {
    let (fields, state_fields) =
        (Ident::new("fields", Span::mixed_site()), spans::of_state(state, quote!(Fields)));
    let pairs: Vec<_> = model
        .forks
        .iter()
        .filter_map(|fork| fork.each)
        .map(|Each { item, list, .. }| {
            let local = |word: &Ident, name| Ident::new(name, spans::at(word.span()));
            let (one, all) = (local(item, "item"), local(list, "list"));
            quote! {
                if let (::core::option::Option::Some(#one), ::core::option::Option::Some(#all)) =
                    (&#fields.#item, &#fields.#list)
                {
                    let _ = __h::ItemOf { item: #one }.list(#all);
                }
            }
        })
        .collect();
    (!pairs.is_empty()).then(|| {
        quote! {
            #[allow(dead_code, clippy::all)]
            fn __hitl_items(#fields: &#state_fields) {
                #(#pairs)*
            }
        }
    })
}

/// Generates `fn route`: the user's `match` expressions, over a reference to the field.
fn route_fn(model: &Model<'_>, state: &Type) -> TokenStream {
    let view = spans::of_state(state, quote!(View<'_>));
    let [route, fields, runs] = ["route", "fields", "runs"].map(|name| Ident::new(name, Span::mixed_site()));
    let routes = model.routes.iter().enumerate().filter_map(|(number, Route { field, source, .. })| {
        let field = field.as_ref()?;
        let local = spans::hide_from_editors(field);
        let (keyword, scrutinee) = (&source.keyword, &source.scrutinee);
        let arms = source.arms.iter().enumerate().map(|(case, arm)| {
            let pattern = &arm.pattern;
            let guard = arm.guard.iter().map(|guard| guard.emit(&runs));
            // If rustc suggests a missing arm, it inserts it after this span, so it must end the arm.
            let mut case = Literal::usize_suffixed(case);
            case.set_span(match arm.chain.last() {
                Some(end @ (Step::Node(_) | Step::End(_))) => end.span(),
                _ => Span::mixed_site(),
            });
            quote!(#pattern #(if #guard)* => #case)
        });
        Some(quote! {
            #number => {
                let #local = #fields.#field.as_ref()?;
                ::core::option::Option::Some(#keyword #scrutinee { #(#arms,)* })
            }
        })
    });
    quote! {
        #[allow(unused_variables, clippy::all, clippy::pedantic)]
        fn route(
            #route: usize,
            #fields: &#view,
            #runs: &__h::Runs,
        ) -> ::core::option::Option<usize> {
            match #route {
                #(#routes)*
                _ => ::core::option::Option::None,
            }
        }
    }
}

/// Generates `fn turn`: the conversion of the runtime's status into the graph's own type.
fn turn_fn(turns: &Turns<'_>) -> TokenStream {
    let (name, reviews) = (&turns.name, &turns.reviews);
    let open = |of: &Ident| {
        let arms = turns.variants.iter().map(|(block, variant)| {
            let node = block.node;
            quote!(#node => #of::#variant(review.open()?))
        });
        quote!(match review.node() {
            #(#arms,)*
            _ => return ::core::result::Result::Err(review.unknown()),
        })
    };
    let one = open(name);
    let several = if turns.several {
        let one = open(reviews);
        quote! {
            let mut open = ::std::vec::Vec::new();
            for review in reviews {
                open.push(#one);
            }
            #name::Several(open)
        }
    } else {
        quote!(return ::core::result::Result::Err(__h::several(reviews)))
    };
    quote! {
        #[allow(unreachable_code, clippy::all)]
        fn turn(state: __h::ThreadState<Self>) -> ::core::result::Result<Self::Turn, __h::Error> {
            ::core::result::Result::Ok(match state {
                __h::ThreadState::Review(review) => #one,
                __h::ThreadState::Several(reviews) => { #several }
                __h::ThreadState::Done(output) => #name::Done(output),
                __h::ThreadState::InDoubt(it) => #name::InDoubt(it),
                __h::ThreadState::Failed(it) => #name::Failed(it),
                __h::ThreadState::Running(it) => #name::Running(it),
            })
        }
    }
}
