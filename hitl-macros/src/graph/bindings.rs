//! The bindings of `match` arms that write a field: `Call::Refund(draft) => refund` writes the payload to `draft`.
//!
//! The arm leads to a generated node, which matches the value once more and writes what the pattern binds. To the
//! proof, to the journal and to an edit it is a node as any other.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Expr, Pat, Type, visit::Visit};

use super::{
    guard::Guard,
    model::{Model, Node, Route},
    parse::{Arm, Match},
};
use crate::{diagnostics::Errors, names, spans};

/// The names that a pattern gives to parts of the value.
#[derive(Default)]
pub(crate) struct ArmNames {
    /// The names that write the field of that name.
    pub(crate) bound: Vec<Ident>,
    /// The names that the guard uses. They are only for the guard: outside of `graph!`, such a name is any name.
    pub(crate) guarded: Vec<Ident>,
}

impl ArmNames {
    /// Finds the names in a pattern, except those that begin with `_`, or with a capital, which are constants.
    pub(super) fn new(pattern: &Pat, guard: Option<&Guard>) -> Self {
        let mut found = Parts(Vec::new());
        found.add_parts(pattern);
        let (mut names, used) = (Self::default(), guard.map_or(&[][..], |guard| &guard.words));
        for name in found.0 {
            let word = names::plain(&name);
            let kept = if used.contains(&word) { &mut names.guarded } else { &mut names.bound };
            if !word.starts_with(|first: char| first == '_' || first.is_uppercase()) && !kept.contains(&name)
            {
                kept.push(name);
            }
        }
        names
    }
}

struct Parts(Vec<Ident>);

impl Parts {
    /// Adds the names in a pattern. A name for the whole value is none of a part.
    fn add_parts(&mut self, pattern: &Pat) {
        match pattern {
            Pat::Ident(whole) => whole.subpat.iter().for_each(|(_, pattern)| self.add_parts(pattern)),
            Pat::Or(either) => either.cases.iter().for_each(|pattern| self.add_parts(pattern)),
            Pat::Paren(inner) => self.add_parts(&inner.pat),
            Pat::Reference(inner) => self.add_parts(&inner.pat),
            other => self.visit_pat(other),
        }
    }
}

impl<'ast> Visit<'ast> for Parts {
    fn visit_pat_ident(&mut self, binding: &'ast syn::PatIdent) {
        self.0.push(binding.ident.clone());
        syn::visit::visit_pat_ident(self, binding);
    }
}

/// Returns whether the `match` may lead to another arm for another value of what an arm binds. It does not if it only
/// tells the variants of a field of the state apart: no pattern looks into a payload, and no guard at a value.
fn is_inspected(found: &Match) -> bool {
    !is_place(&found.scrutinee)
        || found.arms.iter().any(|arm| {
            let looks = arm.guard.as_ref().is_some_and(|guard| !guard.words.is_empty());
            looks || !is_variant(&arm.pattern)
        })
}

/// Returns whether a pattern requires a variant and no more.
fn is_variant(pattern: &Pat) -> bool {
    let is_any = |pattern: &Pat| match pattern {
        Pat::Ident(name) => name.subpat.is_none() && !is_constant(&name.ident),
        Pat::Wild(_) | Pat::Rest(_) => true,
        _ => false,
    };
    match pattern {
        Pat::Wild(_) => true,
        // Also a variant that was imported.
        Pat::Ident(name) => {
            let inner = name.subpat.as_ref().is_none_or(|(_, inner)| is_variant(inner));
            inner && !is_screaming(&name.ident)
        }
        Pat::Path(path) => names::last(&path.path).is_some_and(|name| !is_screaming(name)),
        Pat::TupleStruct(variant) => variant.elems.iter().all(is_any),
        Pat::Struct(variant) => variant.fields.iter().all(|field| is_any(&field.pat)),
        Pat::Or(either) => either.cases.iter().all(is_variant),
        Pat::Paren(inner) => is_variant(&inner.pat),
        Pat::Reference(inner) => is_variant(&inner.pat),
        _ => false,
    }
}

/// Returns whether a name in a payload is a constant or a variant.
fn is_constant(name: &Ident) -> bool {
    names::plain(name).trim_start_matches('_').starts_with(char::is_uppercase)
}

/// Returns whether a name may be that of a constant: it has capitals and no other letters.
fn is_screaming(name: &Ident) -> bool {
    let word = names::plain(name);
    word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase)
}

/// Returns whether an expression is a field of the state, or a part of it.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) => true,
        Expr::Field(field) => is_place(&field.base),
        Expr::Reference(reference) => is_place(&reference.expr),
        Expr::Paren(inner) => is_place(&inner.expr),
        Expr::Group(inner) => is_place(&inner.expr),
        _ => false,
    }
}

/// Reports bindings that would not be what the `match` has seen.
pub(super) fn check(found: &Match, arm: &Arm, field: Option<&Ident>, errors: &mut Errors) {
    let Some(first) = arm.names.bound.first() else { return };
    if arm.guard.is_some() && has_alternatives(&arm.pattern) {
        errors.at(
            first.span(),
            format!(
                "the guard is tried for each alternative of the pattern, so that `{first}` could be bound to another one than the guard has accepted: write an arm for each alternative"
            ),
        );
    }
    if let Some(name) = arm.names.bound.iter().find(|name| Some(*name) == field) {
        errors.at(
            name.span(),
            format!(
                "`match {}` reads `{name}`, so an arm cannot write it: use another field",
                names::text(&found.scrutinee)
            ),
        );
    }
}

fn has_alternatives(pattern: &Pat) -> bool {
    struct Alternatives(bool);
    impl<'ast> Visit<'ast> for Alternatives {
        fn visit_pat_or(&mut self, _: &'ast syn::PatOr) {
            self.0 = true;
        }
    }
    let mut found = Alternatives(false);
    found.visit_pat(pattern);
    found.0
}

/// Returns the name of the node of an arm: the point before the `match`, the matched field, the variants in the
/// pattern, and the fields that it writes.
pub(super) fn node_name(from: &str, field: &Ident, arm: &Arm) -> String {
    struct Variants(Vec<String>);
    impl<'ast> Visit<'ast> for Variants {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0.extend(names::last(path).map(names::plain));
        }
    }
    let mut variants = Variants(Vec::new());
    variants.visit_pat(&arm.pattern);
    let fields: Vec<_> = arm.names.bound.iter().map(names::plain).collect();
    // The name of a junction has several parts.
    let from = from.replace(':', ".");
    format!("bind:{from}:{}:{}:{}", names::plain(field), variants.0.join("+"), fields.join("+"))
}

/// Returns the name of the function of a node.
fn function(number: usize) -> Ident {
    format_ident!("__hitl_bind_{number}")
}

/// Generates the functions of all nodes that bind fields. Like `fn route` they are functions of the graph's type, so
/// that `Self` means the same.
pub(super) fn functions(model: &Model<'_>, this: &Ident, state: &Type) -> Option<TokenStream> {
    let nodes = model.nodes.iter().enumerate();
    let all: Vec<_> = nodes
        .filter_map(|(number, node)| {
            let (route, case) = node.arm?;
            let Route { field, source, .. } = &model.routes[route];
            Some(bind(&function(number), field.as_ref()?, source, &source.arms[case], state))
        })
        .collect();
    (!all.is_empty()).then(|| {
        quote! {
            #[automatically_derived]
            impl #this {
                #(#all)*
            }
        }
    })
}

fn bind(function: &Ident, field: &Ident, found: &Match, arm: &Arm, state: &Type) -> TokenStream {
    let view = spans::of_state(state, quote!(View<'_>));
    let fields = Ident::new("fields", Span::mixed_site());
    let local = spans::hide_from_editors(field);
    let Match { keyword, scrutinee, .. } = found;
    let (pattern, read) = (&arm.pattern, names::plain(field));
    let mut writes = TokenStream::new();
    for (i, word) in arm.names.bound.iter().enumerate() {
        let (text, convert) = (names::plain(word), Ident::new("convert", spans::at(word.span())));
        let value = quote! {
            (&&&&&__h::Conversion::<_, _, __h::Bound>::bind(#fields.#word, &#word)).#convert()
        };
        writes = match i {
            0 => quote!(__h::write_first(#fields, #text, #value)),
            _ => quote!(__h::write_next(#writes?, #fields, #text, #value)),
        };
    }
    quote! {
        #[doc(hidden)]
        #[allow(unused_imports, unused_variables, unreachable_patterns, clippy::all, clippy::pedantic)]
        fn #function(#fields: &#view) -> ::core::result::Result<__h::Writes, __h::NodeError> {
            use __h::conversion_traits::*;
            let ::core::option::Option::Some(#local) = #fields.#field.as_ref() else {
                return __h::unbound(#read);
            };
            #keyword #scrutinee {
                #pattern => #writes,
                _ => __h::unbound(#read),
            }
        }
    }
}

/// Generates the table of the node of an arm.
pub(super) fn entry(
    model: &Model<'_>,
    (number, node): (usize, &Node<'_>),
    (route, case): (usize, usize),
    (this, state, deps): (&Ident, &Type, &TokenStream),
) -> TokenStream {
    let (Route { field, source, .. }, name) = (&model.routes[route], &node.name);
    // Without a field the graph has an error of its own.
    let Some(field) = field else { return quote!(__h::NodeEntry::<#state, #deps>::junction(#name)) };
    let (function, read, arm) = (function(number), names::plain(field), &source.arms[case]);
    let written = arm.names.bound.iter().map(names::plain);
    let inspected = is_inspected(source);
    quote! {
        __h::NodeEntry::<#state, #deps>::binding(
            __h::NodeSpec {
                name: #name,
                reads: &[__h::ReadSpec { field: #read, kind: __h::ReadKind::Required }],
                writes: &[#(#written),*],
                junction: true,
                inspected: #inspected,
                ..__h::NodeSpec::BLANK
            },
            |args| __h::run_binding::<#state>(args, #this::#function),
            |slots| __h::bind::<#state>(slots, #this::#function),
        )
    }
}

#[cfg(test)]
mod tests {
    use syn::{
        parse::{ParseStream, Parser},
        parse_quote,
    };

    use super::*;

    fn names_in(pattern: &str, guard: &str) -> ArmNames {
        let pattern = Pat::parse_multi_with_leading_vert.parse_str(pattern).unwrap();
        let guard = (!guard.is_empty()).then(|| Guard::parse.parse_str(guard).unwrap());
        ArmNames::new(&pattern, guard.as_ref())
    }

    #[test]
    fn a_part_of_the_value_writes_the_field_of_its_name() {
        for (pattern, guard, fields) in [
            ("Call::Refund(draft)", "", &["draft"][..]),
            ("Call::Refund { draft, note: text, .. }", "", &["draft", "text"]),
            ("Call::Refund(draft) | Call::Credit(draft)", "", &["draft"]),
            ("Some(all @ [first, ..])", "", &["all", "first"]),
            ("(Call::Refund(draft), High)", "", &["draft"]),
            ("Call::Refund(金额)", "", &["金额"]),
            // A name for the whole value, a constant, and an unused part.
            ("draft", "", &[]),
            ("whole @ Call::Refund(draft)", "", &["draft"]),
            ("High", "", &[]),
            ("Call::Refund(_)", "", &[]),
            ("Call::Refund(_draft)", "", &[]),
            // Names for the guard, and words in it that are other ones.
            ("Call::Refund(draft)", "draft.amount > 100.0", &[]),
            ("Call::Refund(draft, days)", "matches!(days, 3..)", &["draft"]),
            ("Call::Refund(draft)", "urgent.draft && urgent.draft()", &["draft"]),
            ("Call::Refund(draft)", "runs(draft) < 3", &["draft"]),
        ] {
            let bound: Vec<_> = names_in(pattern, guard).bound.iter().map(ToString::to_string).collect();
            assert_eq!(bound, fields, "{pattern} if {guard}");
        }
    }

    #[test]
    fn a_match_that_looks_into_a_payload_is_known() {
        for (arms, inspected) in [
            ("Call::Refund(draft) => a, Call::Say(_) => end, Call::Stop => end", false),
            ("Call::Transfer(.., draft) => a, Call::Both { draft, .. } | Stop => end, other => end", false),
            ("Call::Refund(draft) if runs(a) < 3 => a, _ => end", false),
            ("Call::Refund(draft, 0) => a, Call::Refund(draft, _) => b", true),
            ("Call::Refund(draft) => a, Call::Refund(High) => b", true),
            ("Call::Refund(draft) => a, Call::Refund(_LIMIT) => b", true),
            ("Call::Tool(Tool::Refund(draft)) => a, Call::Tool(_) => b", true),
            ("Call::Refund(draft @ Refund { cents: 0, .. }) => a, _ => b", true),
            ("Call::Refund(draft) => a, big!() => b", true),
            ("Call::Refund(draft) => a, BIG => b", true),
            ("Call::Refund(draft) => a, limits::BIG => b", true),
            ("N => b, Call::Refund(draft) => a", true),
            ("Call::Refund(draft) => a, Call::Refund(other) if other.cents > 3 => b", true),
            ("Call::Refund(draft) if draft_is_small() => a, _ => b", true),
            ("Some([draft, ..]) => a, _ => c", true),
        ] {
            let found = |scrutinee: &str| {
                let text = format!("{{ start -> match {scrutinee} {{ {arms} }}; }}");
                let tokens: TokenStream = text.parse().unwrap();
                let graph = quote!(G<S> #tokens);
                let mut errors = Errors::default();
                let read = |input: ParseStream| super::super::parse::graph(input, &mut errors);
                let graph = read.parse2(graph).unwrap();
                let [super::super::parse::Statement::Chain(steps)] = &graph.statements[..] else { panic!() };
                let [_, super::super::parse::Step::Match(found)] = &steps[..] else { panic!() };
                is_inspected(found)
            };
            assert_eq!(found("call"), inspected, "{arms}");
            assert_eq!(found("ticket.call"), inspected, "{arms}");
            assert!(found("call.kind()"), "{arms}");
        }
    }

    #[test]
    fn the_node_of_an_arm_has_a_name() {
        let pattern: Pat = parse_quote!(desk::Call::Refund(draft) | desk::Call::Credit(draft));
        let names = ArmNames::new(&pattern, None);
        let arm = Arm { pattern, guard: None, chain: vec![], names };
        let name = |from| node_name(from, &parse_quote!(call), &arm);
        assert_eq!(name("plan"), "bind:plan:call:Refund+Credit:draft");
        assert_eq!(name("match:risk:plan"), "bind:match.risk.plan:call:Refund+Credit:draft");
    }
}
