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
    let write = fields.iter().filter_map(write_arm);
    let replace = fields.iter().map(replace_arm);
    let read = fields.iter().map(|Field { name, text, ty, .. }| {
        let name = spans::hide_from_editors(name);
        // An error about a type that is not `Serialize` points at the field's type.
        let encode = quote_spanned!(spans::at(spans::first(ty))=> __h::encode::<#ty>);
        quote!(#text => #encode(#text, self.#name.as_ref()))
    });
    let round_trips = fields.iter().map(
        |Field { text, ty, .. }| quote!(#text => (&__h::RoundTrip::<#ty>::MARKER).check_round_trip(field, value, json)),
    );
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
    let migrate = migrate.as_ref().map(|migrate| {
        quote! {
            fn migrate(from: u32, fields: &str) -> ::core::result::Result<::std::string::String, ::std::string::String> {
                __h::migrated(#migrate, from, fields)
            }
        }
    });
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
        #[doc = #input_docs]
        #[derive(::hitl::__private::serde::Serialize, ::hitl::__private::serde::Deserialize)]
        #[serde(crate = "::hitl::__private::serde", deny_unknown_fields)]
        #[allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]
        #vis struct #input { #(#input_fields),* }

        #(#cfgs)*
        const _: () = {
            use ::hitl::__private as __h;

            #[automatically_derived]
            impl __h::Fields for #slots {
                fn write(&mut self, field: &str, json: &str) -> ::core::result::Result<(), __h::FieldError> {
                    match field {
                        #(#write,)*
                        _ => __h::Fields::replace(self, field, json),
                    }
                }

                fn replace(&mut self, field: &str, json: &str) -> ::core::result::Result<(), __h::FieldError> {
                    match field {
                        #(#replace,)*
                        _ => return ::core::result::Result::Err(__h::FieldError::unknown(field)),
                    }
                    ::core::result::Result::Ok(())
                }

                fn read(
                    &self,
                    field: &str,
                ) -> ::core::result::Result<::core::option::Option<::std::string::String>, __h::FieldError> {
                    match field {
                        #(#read,)*
                        _ => ::core::result::Result::Err(__h::FieldError::unknown(field)),
                    }
                }

                #[allow(unused_imports, unused_variables, clippy::needless_borrow)]
                fn check_round_trip(
                    field: &str,
                    value: &dyn ::core::any::Any,
                    json: &str,
                ) -> ::core::result::Result<(), __h::FieldError> {
                    use __h::{DraftRoundTrip as _, OtherRoundTrip as _};
                    match field {
                        #(#round_trips,)*
                        _ => ::core::result::Result::Ok(()),
                    }
                }
            }

            #[automatically_derived]
            impl __h::State for #this {
                type Fields = #slots;
                type Input = #input;
                type Output = #output_type;
                const SPEC: __h::StateSpec = __h::StateSpec {
                    name: #text,
                    version: #version,
                    fields: &[#(#specs),*],
                };

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

                #migrate
            }
        };
    }
}

/// Generates the arm that decodes a value into its slot.
fn replace_arm(field: &Field) -> TokenStream {
    let Field { text, ty, .. } = field;
    let name = spans::hide_from_editors(&field.name);
    // An error about a type that is not `Deserialize` points at the field's type.
    let set = quote_spanned!(spans::at(spans::first(ty))=> __h::decode_into::<#ty>);
    quote!(#text => #set(&mut self.#name, #text, json)?)
}

/// Generates the arm that decodes a value and merges it with the value in the slot. `None` without a reducer.
fn write_arm(field: &Field) -> Option<TokenStream> {
    let Field { text, ty, reduce, .. } = field;
    let name = spans::hide_from_editors(&field.name);
    let reduce = match reduce.as_ref()? {
        append if field.appends() => {
            let span = spans::at(spans::first(append));
            quote_spanned!(span=> __h::append)
        }
        other => quote!(#other),
    };
    let (old, new, join) = (local("old"), local("new"), local("join"));
    Some(quote! {
        #text => {
            let #new: #ty = __h::decode(#text, json)?;
            self.#name = ::core::option::Option::Some(match self.#name.take() {
                ::core::option::Option::Some(#old) => {
                    let #join: fn(#ty, #ty) -> #ty = #reduce;
                    __h::reduce(#text, #join, #old, #new)?
                }
                ::core::option::Option::None => #new,
            });
            ::core::result::Result::Ok(())
        }
    })
}

/// Returns an identifier that user code cannot refer to.
fn local(name: &str) -> syn::Ident {
    syn::Ident::new(name, Span::mixed_site())
}
