//! Code generation for `#[node]`: the function unchanged, a type of the same name by which a graph refers to it, and
//! the implementations that connect the two.

use proc_macro2::{Delimiter, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericParam, Generics, Path};

use super::{
    choice::Choice,
    expression::Expression,
    fields,
    model::{Node, Param, Role},
};
use crate::{diagnostics::Errors, editor, names, spans, stand_in::Replaced};

pub(crate) fn emit(node: &Node, names: &editor::Names, errors: &Errors) -> TokenStream {
    let function = &node.function;
    // After an error nothing calls the function; rustc must not warn about that as well.
    let allow_dead_code = (!errors.is_empty()).then(|| quote!(#[allow(dead_code)]));
    let cfgs: Vec<_> = function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let (vis, ident) = (&function.vis, &function.sig.ident);
    let item = node.unparsed.is_none().then_some(function);
    let Some(state) = &node.args.state else {
        let replaced = Replaced {
            cfgs: cfgs.into_iter().cloned().collect(),
            vis: vis.clone(),
            name: ident.clone(),
            generics: Generics::default(),
        };
        let stand_in = replaced.stand_in(errors);
        return quote!(#stand_in #allow_dead_code #item);
    };
    let this = spans::hide_from_editors(ident);
    let generics = NodeGenerics::new(&function.sig.generics);
    let NodeGenerics { declared, stored, given, bounds, .. } = &generics;

    let has_errors = !errors.is_empty() || node.unparsed.is_some();
    // If the node is incomplete, its description is the first error, so that rustc proves no graph with it.
    let (spec, errors) = if node.is_incomplete && !errors.is_empty() {
        errors.split_first()
    } else {
        (spec(node), quote!(#errors))
    };
    let signed =
        node.params.iter().find(|param| node.signed.as_ref().is_some_and(|(field, _)| *field == param.field));
    let reviewed = signed.map(|param| fields::reviewed(param, state));
    let expressions = expressions(node, state);
    // Set without a review too, so that a verdict block for the node is reported once only, by the proof.
    let draft = node.signed.as_ref().map_or_else(|| quote!(()), |(_, ty)| quote!(#ty));
    let takes_edit = node.args.interrupt.as_ref().is_none_or(|rule| rule.edit.unwrap_or(true));
    let edits = Ident::new(if takes_edit { "CanEdit" } else { "NoEdit" }, Span::call_site());
    let run = run(node, state, has_errors, &this, &generics);
    let unshown = node.unshown.iter().map(|(field, message)| {
        let unshown = unshown(state, field, message);
        quote!(#(#cfgs)* #unshown)
    });

    // An editor shows them for the name of the node in a `graph!`. rustdoc does not see them, or it would test their
    // examples twice.
    let signature = format!("```rust\n{}\n```\n", signature(&names::text(&function.sig)));
    let docs = function.attrs.iter().filter(|attr| attr.path().is_ident("doc")).map(|attr| &attr.meta);
    let docs = quote!(#[cfg_attr(not(any(doc, doctest)), doc = #signature, #(#docs),*)]);

    // With the span of the function, so that rustc reports a second node of this name once, and not once for the
    // function and once for the type.
    let keyword = quote_spanned!(spans::first(&function.sig)=> struct);
    let stored = spans::delimited(function.body.span(), Delimiter::Brace, stored.clone());

    // Not in a `const _` and without an alias: in a graph of 1,000 nodes that saves rustc 1,000 bodies to check.
    let editor = names.emit(state);
    quote! {
        #(#cfgs)*
        #[allow(unexpected_cfgs)]
        impl<#(#declared),*> #this #given #bounds {
            #editor
        }

        #errors
        #allow_dead_code
        // A node is async, also if it awaits nothing.
        #[allow(clippy::unused_async)]
        #item

        #(#cfgs)*
        #[doc(hidden)]
        #docs
        #[allow(non_camel_case_types, dead_code, unreachable_pub, missing_debug_implementations)]
        #vis #keyword #ident <#(#declared),*> #stored

        #(#cfgs)*
        #[automatically_derived]
        impl<#(#declared),*> ::hitl::__private::SealedNode for #this #given #bounds {}

        #(#cfgs)*
        #[automatically_derived]
        impl<#(#declared),*> ::hitl::__private::Node for #this #given #bounds {
            type State = #state;
            type Draft = #draft;
            type Edits = ::hitl::__private::#edits;
            const SPEC: ::hitl::__private::NodeSpec = #spec;
            #reviewed
            #expressions
        }

        #(#cfgs)*
        #run

        #(#unshown)*
    }
}

/// Returns the text of a signature with a space after each colon that is not of a path.
fn signature(text: &str) -> String {
    let mut out = String::new();
    let (mut before, mut signs) = (' ', text.chars().peekable());
    while let Some(sign) = signs.next() {
        out.push(sign);
        if sign == ':' && before != ':' && signs.peek().is_some_and(|next| !matches!(next, ':' | ' ')) {
            out.push(' ');
        }
        before = sign;
    }
    out
}

/// Generates the error for a parameter that the review does not show. It is a panic in a constant that also takes the
/// field: if the state has no such field, rustc reports that and does not evaluate the constant.
fn unshown(state: &Path, field: &Ident, message: &str) -> TokenStream {
    let fields = Ident::new("fields", Span::mixed_site());
    let view = spans::of_state(state, quote!(View<'_>));
    let panic = spans::call(field.span(), "reject", quote!(#message));
    quote! {
        #[allow(unused_variables, clippy::all)]
        const _: () = {
            let _ = |#fields: #view| {
                let _ = #fields.#field;
            };
            #panic
        };
    }
}

/// The type and const parameters of a node, in the forms that the output needs.
struct NodeGenerics {
    /// The declarations: `M, const N: usize`.
    declared: Vec<TokenStream>,
    /// The field that uses the type parameters.
    stored: TokenStream,
    /// The arguments: `<M, N>`.
    given: TokenStream,
    /// The `where` clause of the implementations.
    bounds: TokenStream,
    predicates: TokenStream,
}

impl NodeGenerics {
    fn new(generics: &Generics) -> Self {
        let (mut declared, mut types, mut given, mut predicates) =
            (Vec::new(), Vec::new(), Vec::new(), TokenStream::new());
        for param in &generics.params {
            match param {
                GenericParam::Lifetime(_) => {}
                GenericParam::Type(param) => {
                    let (name, bounds) = (&param.ident, &param.bounds);
                    declared.push(name.to_token_stream());
                    types.push(name);
                    given.push(name);
                    // A node is identified by its type, so the type must not borrow.
                    predicates.extend(quote!(#name: 'static,));
                    if !bounds.is_empty() {
                        predicates.extend(quote!(#name: #bounds,));
                    }
                }
                GenericParam::Const(param) => {
                    let (name, ty) = (&param.ident, &param.ty);
                    declared.push(quote!(const #name: #ty));
                    given.push(name);
                }
            }
        }
        if let Some(clause) = &generics.where_clause {
            for predicate in &clause.predicates {
                predicates.extend(quote!(#predicate,));
            }
        }
        Self {
            declared,
            stored: if types.is_empty() {
                TokenStream::new()
            } else {
                quote!(__types: ::core::marker::PhantomData<fn() -> (#(#types,)*)>)
            },
            given: if given.is_empty() { TokenStream::new() } else { quote!(<#(#given),*>) },
            bounds: if predicates.is_empty() { TokenStream::new() } else { quote!(where #predicates) },
            predicates,
        }
    }
}

/// Generates `NodeSpec { … }`.
fn spec(node: &Node) -> TokenStream {
    let Node { name, args, params, .. } = node;
    let reads = params.iter().filter(|p| p.role.is_field()).map(|param| {
        let (field, kind) = (
            &param.field,
            match param.role {
                Role::Approved(_) => quote!(Approved),
                Role::Optional => quote!(Optional),
                _ => quote!(Required),
            },
        );
        quote!(::hitl::__private::ReadSpec { field: #field, kind: ::hitl::__private::ReadKind::#kind })
    });
    let writes = args.writes.iter().map(names::plain);
    let payload = |is: fn(&Role) -> Option<bool>| {
        params.iter().find_map(|param| is(&param.role)).map(|required| {
            let payload = if required { quote!(Required) } else { quote!(Optional) };
            quote!(::hitl::__private::Payload::#payload)
        })
    };
    let rejection =
        payload(|role| if let Role::Rejection { required } = role { Some(*required) } else { None });
    let question =
        payload(|role| if let Role::Question { required } = role { Some(*required) } else { None });
    let interrupt = args.interrupt.as_ref().map(|rule| {
        let field = node.signed.as_ref().map_or("", |(field, _)| field);
        let role = optional(node.role.as_ref().map(|role| match role {
            Choice::Fixed(role) => quote!(::hitl::__private::RoleSpec::Fixed(#role)),
            Choice::Chosen { by, values } => {
                let by = by.spec();
                quote!(::hitl::__private::RoleSpec::Chosen { by: #by, roles: &[#(#values),*] })
            }
        }));
        let expires = optional(node.expires.as_ref().map(|expires| match expires {
            Choice::Fixed(after) => quote!(::hitl::__private::ExpirySpec::Fixed(#after)),
            Choice::Chosen { by, values } => {
                let by = by.spec();
                quote!(::hitl::__private::ExpirySpec::Chosen { by: #by, values: &[#(#values),*] })
            }
        }));
        let risk = optional(node.risk.as_ref().map(|risk| match risk {
            Choice::Fixed(risk) => quote!(::hitl::__private::RiskSpec::Fixed(#risk)),
            Choice::Chosen { by, values } => {
                let by = by.spec();
                quote!(::hitl::__private::RiskSpec::Chosen { by: #by, values: &[#(#values),*] })
            }
        }));
        let irreversible = rule.reversible.as_ref().is_some_and(|reversible| !reversible.value);
        let not_requester = rule.not.is_some();
        let remind = optional(rule.remind_ms.map(duration));
        let edit = rule.edit.unwrap_or(true);
        let is_payload = |ident: &Ident| {
            let field = names::plain(ident);
            node.params.iter().any(|param| param.role.is_payload() && param.field == field)
        };
        let [covers, shows] = [&rule.covers, &rule.show].map(|list| list.iter().map(names::plain));
        let unsigned = rule.unsigned.iter().filter(|ident| !is_payload(ident)).map(names::plain);
        let when = optional(node.condition.as_ref().map(Expression::spec));
        quote! {
            ::core::option::Option::Some(
                ::hitl::__private::InterruptSpec {
                    field: #field,
                    role: #role,
                    expires: #expires,
                    remind: #remind,
                    edit: #edit,
                    covers: &[#(#covers),*],
                    shows: &[#(#shows),*],
                    unsigned: &[#(#unsigned),*],
                    when: #when,
                    risk: #risk,
                    irreversible: #irreversible,
                    not_requester: #not_requester,
                }
            )
        }
    });
    let retry =
        (args.retries.is_some() || args.backoff_ms.is_some() || args.timeout_ms.is_some()).then(|| {
            let retries = args.retries.map_or(0, |(_, n)| n);
            let (backoff, timeout) =
                (duration(args.backoff_ms.unwrap_or(0)), optional(args.timeout_ms.map(duration)));
            quote!(::hitl::__private::RetrySpec { retries: #retries, backoff: #backoff, timeout: #timeout })
        });
    let risk = args.risk.as_ref().filter(|_| args.low_risk.is_none()).map(|risk| {
        let level = if risk == "high" { quote!(High) } else { quote!(Medium) };
        quote!(::core::option::Option::Some(::hitl::__private::RiskLevel::#level))
    });
    let fields = [
        ("effect", args.effect.map(|_| quote!(true))),
        ("idempotent", args.idempotent.map(|_| quote!(true))),
        ("low_risk", args.low_risk.map(|_| quote!(true))),
        ("risk", risk),
        ("rejection", rejection),
        ("question", question),
        ("interrupt", interrupt),
        ("retry", retry),
    ];
    let fields = fields.into_iter().filter_map(|(field, value)| {
        let (field, value) = (Ident::new(field, Span::call_site()), value?);
        Some(quote!(#field: #value,))
    });
    quote! {
        ::hitl::__private::NodeSpec {
            name: #name,
            reads: &[#(#reads),*],
            writes: &[#(#writes),*],
            #(#fields)*
            ..::hitl::__private::NodeSpec::BLANK
        }
    }
}

/// Generates the functions of the review's expressions, if it has any.
fn expressions(node: &Node, state: &Path) -> Option<TokenStream> {
    let chosen = |choice: &Option<Choice>, ty: TokenStream| match choice {
        Some(Choice::Chosen { by, .. }) => Some(by.function(state, &ty)),
        _ => None,
    };
    let when = node.condition.as_ref().map(|condition| condition.function(state, &quote!(bool)));
    let role = chosen(&node.role, quote!(&'static str));
    let expires = chosen(&node.expires, quote!(::core::time::Duration));
    let risk = chosen(&node.risk, quote!(::hitl::__private::RiskLevel));
    if when.is_none() && role.is_none() && expires.is_none() && risk.is_none() {
        return None;
    }
    let [when, role, expires, risk] = [when, role, expires, risk].map(optional);
    Some(quote! {
        #[allow(unused_parens, unused_variables, clippy::all, clippy::pedantic)]
        const EXPRESSIONS: ::hitl::__private::ReviewExpressions = ::hitl::__private::ReviewExpressions {
            when: #when,
            role: #role,
            expires: #expires,
            risk: #risk,
        };
    })
}

fn optional(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// Generates a duration of this many milliseconds.
fn duration(ms: u64) -> TokenStream {
    quote!(::core::time::Duration::from_millis(#ms))
}

/// Generates the implementation of `Run`, which calls the function.
fn run(node: &Node, state: &Path, has_errors: bool, this: &Ident, generics: &NodeGenerics) -> TokenStream {
    let NodeGenerics { declared, given, predicates, .. } = generics;
    let deps = node.params.iter().filter_map(|param| match &param.role {
        Role::Deps(part) => Some(quote!(__D: ::hitl::__private::Provides<#part>,)),
        _ => None,
    });
    let args = Ident::new("args", Span::mixed_site());
    let body = match &node.unparsed {
        // Evaluated when rustc has no errors and generates the code: if it knows a syntax that this macro does not.
        Some(error) => quote! {
            const { ::hitl::__private::reject(#error) };
            ::core::unreachable!()
        },
        None if !has_errors && node.unshown.is_empty() => call(node, state, given, &args),
        None => quote!(::core::unreachable!()),
    };
    quote! {
        #[automatically_derived]
        impl<#(#declared,)* __D> ::hitl::__private::Run<__D> for #this #given
        where
            #(#deps)*
            #predicates
        {
            #[allow(unused_variables, clippy::all)]
            fn run<'a>(
                #args: ::hitl::__private::Args<'a, <Self as ::hitl::__private::Node>::State, __D>,
            ) -> ::hitl::__private::NodeFuture<'a> {
                #body
            }
        }
    }
}

/// Generates the call of the function and the conversion of its result.
fn call(node: &Node, state: &Path, given: &TokenStream, args: &Ident) -> TokenStream {
    let ident = &node.function.sig.ident;
    // The user's own identifier, so that a rename in an editor edits one place.
    let callee = ident;
    let turbofish = (!given.is_empty()).then(|| quote!(::#given));
    let fields = Ident::new("fields", Span::mixed_site());
    let (mut bindings, mut values) = (TokenStream::new(), Vec::new());
    let takes_signature = node.params.iter().any(|param| matches!(param.role, Role::Approved(_)));
    for (i, param) in node.params.iter().enumerate() {
        if param.role.is_field() {
            let (binding, value) = fields::take(param, args, &fields, i);
            bindings.extend(binding);
            values.push(value);
        } else {
            let mut value = context_value(param, args, &mut bindings);
            if takes_signature {
                // Evaluated outside of the async block below, which would otherwise capture all of `args`.
                let local = Ident::new(&format!("p{i}"), spans::at(spans::first(&param.ty)));
                bindings.extend(quote!(let #local = #value;));
                value = quote!(#local);
            }
            values.push(value);
        }
    }
    let output = spans::at(node.output_span());
    let outs: Vec<_> = (0..node.args.writes.len())
        .map(|i| Ident::new(&format!("out{i}"), spans::at(node.output_ends(i).1)))
        .collect();
    let mut writes = TokenStream::new();
    for (i, (field, out)) in node.args.writes.iter().zip(&outs).enumerate() {
        let (text, at) = (names::plain(field), spans::at(node.output_ends(i).0));
        let value = fields::returned(field, &fields, out);
        let earlier = (i > 0).then(|| quote!(#writes?,));
        let arguments =
            spans::delimited(at, Delimiter::Parenthesis, quote!(#earlier &#fields, #text, #value));
        let write = Ident::new(if i == 0 { "write_first" } else { "write_next" }, at);
        let root = quote_spanned!(at=> ::);
        writes = quote!(#root hitl::__private::#write #arguments);
    }
    let (pattern, writes) = match outs.as_slice() {
        [] => (quote_spanned!(output=> ()), quote!(::hitl::__private::no_writes())),
        [only] => (quote!(#only), writes),
        many => (quote_spanned!(output=> (#(#many),*)), writes),
    };
    // Errors about the future, such as not being `Send`, point at the function's name.
    let call = Ident::new("call_node", spans::at(ident.span()));
    let mut called = quote!(#callee #turbofish (#(#values),*));
    if takes_signature {
        called = quote_spanned!(spans::at(ident.span())=> async move { #called.await });
    }
    // Refers to the fields that are only named in `show` or `unsigned`, so that rustc reports a name that is no field, and a
    // shown field that is no draft.
    let rules = node.args.interrupt.iter();
    let shown = rules.clone().flat_map(|rule| &rule.show).map(|name| {
        // A local of its own, under which rustc reports that its type cannot be signed.
        let local = Ident::new("shown", spans::at(name.span()));
        quote!({ let #local = #fields.#name; ::hitl::__private::require_draft(#local) };)
    });
    let unsigned = rules.flat_map(|rule| &rule.unsigned);
    let unsigned = unsigned.filter(|name| !node.params.iter().any(|param| param.field == names::plain(name)));
    let named = shown.chain(unsigned.map(|name| quote!(let _ = #fields.#name;)));
    // The parentheses too, so that rustc reports the call and its path at one position.
    let view = spans::of_state(state, quote!(view));
    let slots = quote!(::hitl::__private::Args::slots(&#args));
    let slots = spans::delimited(spans::first(state), Delimiter::Parenthesis, slots);
    quote! {
        #[allow(unused_imports)]
        use ::hitl::__private::conversion_traits::*;
        let #fields = match #view #slots {
            ::core::result::Result::Ok(fields) => fields,
            ::core::result::Result::Err(error) => return ::hitl::__private::unreadable_state(error),
        };
        #(#named)*
        #bindings
        ::hitl::__private::#call(#called, move |#pattern| { #writes })
    }
}

/// Generates the value of a parameter that is not a field.
fn context_value(param: &Param, args: &Ident, bindings: &mut TokenStream) -> TokenStream {
    let Param { name, ty, role, .. } = param;
    let at = spans::at(spans::first(ty));
    let mut payload = |what: &str| {
        let local = Ident::new(&name.to_string(), Span::mixed_site());
        let taker = Ident::new(what, Span::mixed_site());
        bindings.extend(quote! {
            let ::core::option::Option::Some(#local) = ::hitl::__private::Args::#taker(&#args) else { return ::hitl::__private::missing_parameter(#what) };
        });
        quote!(#local)
    };
    match role {
        Role::Deps(_) => quote_spanned!(at=> ::hitl::__private::Args::deps(&#args)),
        Role::Rejection { required: true } => payload("rejection"),
        Role::Rejection { required: false } => quote!(::hitl::__private::Args::rejection(&#args)),
        Role::Question { required: true } => payload("question"),
        Role::Question { required: false } => quote!(::hitl::__private::Args::question(&#args)),
        // Fields are handled by `bind_field`.
        _ => quote_spanned!(at=> ::hitl::__private::Args::cx(&#args)),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn a_signature_is_printed_as_written() {
        let tokens =
            quote!(async fn plan<M: Model>(notes: Option<&[String]>, to: std::path::PathBuf) -> Result<()>);
        assert_eq!(
            signature(&names::text(tokens)),
            "async fn plan<M: Model>(notes: Option<&[String]>, to: std::path::PathBuf) -> Result<()>"
        );
    }
}
