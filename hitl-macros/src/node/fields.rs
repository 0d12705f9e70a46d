//! Code generation for the fields that a node takes and returns: their values, and the check that their types fit.

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type};

use super::{
    model::{Param, Role},
    parse::{last_segment, peel, referent, type_argument},
};
use crate::spans;

/// Generates the table of the draft under review. It has the type of the field, so that another type in the parameter is
/// reported only as that.
pub(super) fn reviewed(param: &Param, state: &Path) -> TokenStream {
    let Param { name, role, .. } = param;
    // As in `take`: rustc underlines all of the type in `Approved<…>`, if it cannot be signed.
    let (first, last) = match role {
        Role::Approved(ty) => spans::ends(ty),
        _ => spans::ends(&param.ty),
    };
    let local = Ident::new("reviewed", spans::at(first));
    let mut zero = Literal::usize_unsuffixed(0);
    zero.set_span(spans::at(last));
    let fields = Ident::new("fields", Span::mixed_site());
    let view = spans::of_state(state, quote!(View<'static>));
    quote! {
        const REVIEWED: ::core::option::Option<::hitl::__private::DraftVtable> = {
            let #local = (|#fields: #view| #fields.#name,);
            ::core::option::Option::Some(::hitl::__private::DraftVtable::of(#local.#zero))
        };
    }
}

/// Generates the code that takes a parameter from its field, and the argument for the call. The field has the span of the
/// parameter, so that rustc's error about a missing field points there.
pub(super) fn take(param: &Param, args: &Ident, fields: &Ident, number: usize) -> (TokenStream, TokenStream) {
    let Param { name, field, ty, role } = param;
    // A local of its own, spanning the type of the parameter from its first to its last token: rustc underlines all of
    // it, if it is not the type of the field.
    let (first, last) = spans::ends(ty);
    let local = Ident::new(&format!("p{number}"), spans::at(first));
    let mut zero = Literal::usize_unsuffixed(0);
    zero.set_span(spans::at(last));
    let some = quote!(::core::option::Option::Some(#local));
    let missing = quote!(return ::hitl::__private::missing_parameter(#field));
    match role {
        Role::Optional => {
            let wanted = last_segment(ty).and_then(type_argument).and_then(referent);
            let value = converted(name, wanted, "convert", &quote!(#local));
            // A `match` in place of `map`, so that a type that is not converted here can coerce.
            let bind = quote!(let #local = (#fields.#name.as_ref(),););
            let argument = quote!(match #local.0 {
                ::core::option::Option::Some(#local) => {
                    let #local = (#value,);
                    ::core::option::Option::Some(#local.#zero)
                }
                ::core::option::Option::None => ::core::option::Option::None,
            });
            (bind, argument)
        }
        Role::Approved(wanted) => {
            let approved = at_name("approved", name);
            let bind = quote! {
                let #local = match (&&&::hitl::__private::SignedField::<_, #wanted>::take(#fields.#name.as_ref()))
                    .#approved(&#args, #field)
                {
                    ::core::result::Result::Ok(value) => (value,),
                    ::core::result::Result::Err(error) => return ::hitl::__private::failed_node(error),
                };
            };
            // The future owns the `Approved` and lends it, so that it ends with the call.
            let lend = quote_spanned!(spans::at(first)=> &);
            (bind, quote!(#lend #local.#zero))
        }
        Role::Owned => {
            let clone = quote_spanned!(spans::at(spans::first(ty))=> ::core::clone::Clone::clone);
            let value = converted(name, Some(ty), "same", &quote!(#local));
            let bind = quote! {
                let #some = #fields.#name else { #missing };
                let #local = (#clone(#value),);
            };
            (bind, quote!(#local.#zero))
        }
        _ => {
            let value = converted(name, referent(ty), "convert", &quote!(#local));
            let bind = quote! {
                let #some = #fields.#name else { #missing };
                let #local = (#value,);
            };
            (bind, quote!(#local.#zero))
        }
    }
}

/// Generates the value that a node returns for a field, as a reference to the type of the field. If it has another type,
/// rustc reports that under the name of the field.
pub(super) fn returned(field: &Ident, fields: &Ident, out: &Ident) -> TokenStream {
    let convert = at_name("convert", field);
    quote! {
        (&&&&&::hitl::__private::Conversion::<_, _, ::hitl::__private::Written>::write(#fields.#field, &#out)).#convert()
    }
}

/// Generates the conversion of a reference to a field into a reference to the type `wanted`. If the types do not fit, rustc
/// reports that under the name of the parameter.
fn converted(name: &Ident, wanted: Option<&Type>, method: &str, value: &TokenStream) -> TokenStream {
    let Some(wanted) = wanted.filter(|ty| !is_abstract(ty)) else { return value.clone() };
    let wanted = peel(wanted);
    let method = at_name(method, name);
    quote!((&&&&&::hitl::__private::Conversion::<_, #wanted, ::hitl::__private::Taken>::take(#value)).#method())
}

/// Returns a name of a method at the position of a user's word.
fn at_name(method: &str, word: &Ident) -> Ident {
    Ident::new(method, spans::at(word.span()))
}

/// Returns whether a type cannot be named in the body of the function, or may be the result of an unsizing coercion.
fn is_abstract(ty: &Type) -> bool {
    fn any(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(word) => word == "impl" || word == "dyn",
            TokenTree::Group(group) => any(group.stream()),
            _ => false,
        })
    }
    any(ty.to_token_stream())
}
