//! Code generation for `#[state]`: its slots, its input, and the implementations that access fields by name.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::parse::{Field, State};
use crate::{diagnostics::Errors, names, spans};

pub(crate) fn emit(state: &State, errors: &Errors) -> TokenStream {
    let State { item, name, vis, cfgs, fields, version, migrate, is_valid } = state;
    if !is_valid {
        return quote!(#errors #[allow(dead_code)] #item);
    }
    let slots = format_ident!("{name}Fields");
    let input = format_ident!("{name}Input");
    let slots_docs =
        format!("A snapshot of the fields of [`{name}`]; a field is `None` until it is written.");
    let input_docs = format!("The input of a thread: the `#[input]` fields of [`{name}`].");

    let slot_fields = fields
        .iter()
        .map(|Field { docs, vis, name, ty, .. }| quote!(#(#docs)* #vis #name: ::core::option::Option<#ty>));
    let input_fields = fields
        .iter()
        .filter(|f| f.input)
        .map(|Field { docs, vis, name, ty, .. }| quote!(#(#docs)* #vis #name: #ty));
    let view = format_ident!("{name}View");
    let view_fields =
        fields.iter().map(|Field { vis, name, ty, .. }| quote!(#vis #name: &'a ::core::option::Option<#ty>));
    // Only if no field uses the lifetime: rustc lists the fields if a parameter names none of them.
    let lives = fields.is_empty().then(|| quote!(__lives: ::core::marker::PhantomData<&'a ()>));
    let lived = fields.is_empty().then(|| quote!(__lives: ::core::marker::PhantomData));
    let tables = fields.iter().map(table);
    let numbered = || fields.iter().map(|field| spans::hide_from_editors(&field.name)).zip(0_usize..);
    let got = numbered().map(|(name, number)| quote!(#name: slots.get(#number)?));
    let taken = numbered().map(|(name, number)| quote!(#name: slots.take(#number)?));
    let inputs = fields.iter().filter(|f| f.input).map(|Field { name, text, .. }| {
        let name = spans::hide_from_editors(name);
        quote!((#text, &input.#name as &dyn ::core::any::Any))
    });
    let specs = fields.iter().map(|field| {
        let Field { text, ty, input, output, reduce, .. } = field;
        let (ty, reduced, appends) = (names::text(ty), reduce.is_some(), field.appends());
        quote! {
            __h::FieldSpec {
                name: #text,
                ty: #ty,
                input: #input,
                output: #output,
                reduced: #reduced,
                appends: #appends,
            }
        }
    });
    let outputs: Vec<_> = fields.iter().filter(|f| f.output).collect();
    let output_types = outputs.iter().map(|f| &f.ty);
    let output_values = outputs.iter().map(|f| spans::hide_from_editors(&f.name));
    // One output is its type, several outputs are a tuple, none is `()`.
    let (output_type, output_value) = match outputs.len() {
        1 => (quote!(#(#output_types)*), quote!(#(fields.#output_values)*)),
        _ => (
            quote!((#(#output_types),*)),
            quote!(::core::option::Option::Some((#(fields.#output_values?),*))),
        ),
    };
    let migrate = match migrate {
        Some(migrate) => quote!(|from, fields| __h::migrated(#migrate, from, fields)),
        None => quote!(__h::unmigrated),
    };
    let text = names::plain(name);
    let this = spans::hide_from_editors(name);

    quote! {
        #errors
        #[allow(dead_code)]
        #item

        #(#cfgs)*
        #[doc = #slots_docs]
        #[derive(::core::default::Default)]
        #[allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]
        #vis struct #slots { #(#slot_fields),* }

        #(#cfgs)*
        #[doc(hidden)]
        #[allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]
        #vis struct #view<'a> { #(#view_fields,)* #lives }

        #(#cfgs)*
        const _: () = {
            use ::hitl::__private as __h;

            #[automatically_derived]
            impl __h::View for #view<'_> {
                const STATE: &'static __h::StateTable = <#this as __h::State>::TABLE;
            }

            #[automatically_derived]
            impl __h::SealedState for #this {}

            #[automatically_derived]
            impl __h::State for #this {
                type Fields = #slots;
                type View<'a> = #view<'a>;
                type Input = #input;
                type Output = #output_type;
                const SPEC: __h::StateSpec = __h::StateSpec {
                    name: #text,
                    version: #version,
                    fields: &[#(#specs),*],
                };
                const TABLE: &'static __h::StateTable = &__h::StateTable {
                    spec: <Self as __h::State>::SPEC,
                    fields: &[#(#tables),*],
                    migrate: #migrate,
                };

                #[allow(unused_variables)]
                fn view(slots: &__h::Slots) -> ::core::result::Result<Self::View<'_>, __h::FieldError> {
                    ::core::result::Result::Ok(#view { #(#got,)* #lived })
                }

                #[allow(unused_mut)]
                fn fields(mut slots: __h::Slots) -> ::core::result::Result<Self::Fields, __h::FieldError> {
                    ::core::result::Result::Ok(#slots { #(#taken),* })
                }

                #[allow(unused_variables)]
                fn output(fields: Self::Fields) -> ::core::option::Option<Self::Output> {
                    #output_value
                }

                #[allow(unused_variables)]
                fn inputs(
                    input: &Self::Input,
                ) -> ::std::vec::Vec<(&'static str, &dyn ::core::any::Any)> {
                    ::std::vec![#(#inputs),*]
                }
            }
        };

        // Last, so that the first error about a type that serde does not know is that of the table above.
        #(#cfgs)*
        #[doc = #input_docs]
        #[derive(::hitl::__private::serde::Serialize, ::hitl::__private::serde::Deserialize)]
        #[serde(crate = "::hitl::__private::serde", deny_unknown_fields)]
        #[allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]
        #vis struct #input { #(#input_fields),* }
    }
}

/// Generates the functions of a field's type.
fn table(field: &Field) -> TokenStream {
    let Field { text, ty, .. } = field;
    // An error about a type that is not `Deserialize` or `Serialize` points at the field's type.
    let span = spans::at(spans::first(ty));
    let new = quote_spanned!(span=> __h::FieldTable::new::<#ty>);
    let reduce = match &field.reduce {
        None => quote!(::core::option::Option::None),
        Some(reducer) => {
            let reducer = if field.appends() {
                quote_spanned!(spans::at(spans::first(reducer))=> __h::append)
            } else {
                quote!(#reducer)
            };
            let (old, new) = (local("old"), local("new"));
            quote!(::core::option::Option::Some(|#old, #new| {
                __h::reduce_erased::<#ty>(#text, #reducer, #old, #new)
            }))
        }
    };
    quote! {
        #new(#reduce, |field, value, json| {
            #[allow(unused_imports)]
            use __h::{DraftRoundTrip as _, OtherRoundTrip as _};
            #[allow(clippy::needless_borrow)]
            (&__h::RoundTrip::<#ty>::MARKER).check_round_trip(field, value, json)
        })
    }
}

/// Returns an identifier that user code cannot refer to.
fn local(name: &str) -> syn::Ident {
    syn::Ident::new(name, Span::mixed_site())
}
