//! Code generation for `#[state]`: its slots, its input, and the implementations that access fields by name.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;

use super::parse::{Field, State};
use crate::{diagnostics::Errors, names, spans, stand_in::Replaced};

/// Generates the types that stand in for those of a state that is not valid.
pub(super) fn stand_ins(state: &Replaced, errors: &Errors) -> TokenStream {
    let Replaced { cfgs, vis, name, .. } = state;
    let (fields, input) = (format_ident!("{name}Fields"), format_ident!("{name}Input"));
    let this = state.stand_in(errors);
    quote! {
        #this
        #(#cfgs)*
        #[allow(dead_code, missing_docs, unreachable_pub)]
        #vis type #fields = <#name as ::hitl::__private::State>::Fields;
        #(#cfgs)*
        #[allow(dead_code, missing_docs, unreachable_pub)]
        #vis type #input = <#name as ::hitl::__private::State>::Input;
    }
}

pub(crate) fn emit(state: &State, errors: &Errors) -> TokenStream {
    let State { item, name, vis, cfgs, fields, version, migrate } = state;
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
    // Nodes and routes read the fields of the view, so rustc warns about a field that none of them names. An input has a
    // value without them.
    let view_fields = fields.iter().map(|Field { vis, name, ty, input, allows, .. }| {
        let input = input.then(|| quote!(#[allow(dead_code)]));
        // The whole field must have spans of the user's code, or rustc takes it for generated code and does not warn.
        let close = quote_spanned!(spans::ends(ty).1=> >);
        quote!(#(#allows)* #input #vis #name: &'a ::core::option::Option<#ty #close)
    });
    let allows = item.attrs.iter().filter(|attr| attr.path().is_ident("allow"));
    // Only if no field uses the lifetime: rustc lists the fields if a parameter names none of them.
    let lives = fields.is_empty().then(|| quote!(__lives: ::core::marker::PhantomData<&'a ()>));
    let lived = fields.is_empty().then(|| quote!(__lives: ::core::marker::PhantomData));
    let tables = fields.iter().map(|field| table(field, first_mention(fields, &field.ty)));
    let numbered = || fields.iter().map(|field| spans::hide_from_editors(&field.name)).zip(0_usize..);
    let got = numbered().map(|(name, number)| quote!(#name: slots.get(#number)?));
    let taken = numbered().map(|(name, number)| quote!(#name: slots.take(#number)?));
    let input_code = input_code(&input, fields);
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
        #(#allows)*
        #[allow(missing_docs, missing_debug_implementations, unreachable_pub)]
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

        #(#cfgs)*
        #[doc = #input_docs]
        #[allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]
        #vis struct #input { #(#input_fields),* }

        #(#cfgs)*
        const _: () = { #input_code };
    }
}

/// Generates the serialization of the input: that of a struct with the same fields, each of whose types is a parameter.
/// So a type that serde does not know is reported only by the table of the fields.
fn input_code(input: &Ident, fields: &[Field]) -> TokenStream {
    let inputs: Vec<_> = fields.iter().filter(|field| field.input).collect();
    let names: Vec<_> = inputs.iter().map(|field| spans::hide_from_editors(&field.name)).collect();
    let types: Vec<_> = inputs.iter().map(|field| &field.ty).collect();
    let params: Vec<_> = (0..inputs.len()).map(|number| format_ident!("T{number}")).collect();
    let expecting = format!("struct {}", names::plain(input));
    let this = spans::hide_from_editors(input);
    let text = names::plain(input);
    quote! {
        use ::hitl::__private as __h;
        use __h::serde as __serde;

        #[derive(__serde::Serialize, __serde::Deserialize)]
        #[serde(crate = "::hitl::__private::serde", rename = #text, expecting = #expecting, deny_unknown_fields)]
        struct __Input<#(#params),*> { #(#names: #params),* }

        #[automatically_derived]
        impl __serde::Serialize for #this {
            fn serialize<__S: __serde::Serializer>(&self, serializer: __S) -> ::core::result::Result<__S::Ok, __S::Error> {
                #[allow(unused_imports)]
                use __h::{KnownInput as _, OtherInput as _};
                #[allow(clippy::needless_borrow)]
                (&__h::InputCode(__Input { #(#names: &self.#names),* })).write_input(serializer)
            }
        }

        #[automatically_derived]
        impl<'de> __serde::Deserialize<'de> for #this {
            fn deserialize<__D: __serde::Deserializer<'de>>(deserializer: __D) -> ::core::result::Result<Self, __D::Error> {
                #[allow(unused_imports)]
                use __h::{KnownInputType as _, OtherInputType as _};
                #[allow(clippy::needless_borrow)]
                let __Input { #(#names),* } = (&__h::InputType::<__Input<#(#types),*>>::MARKER).read_input(deserializer)?;
                ::core::result::Result::Ok(Self { #(#names),* })
            }
        }
    }
}

/// Returns the type of the first field that has the type `ty`, so that rustc reports a type that is not valid once.
fn first_mention<'a>(fields: &'a [Field], ty: &'a Type) -> &'a Type {
    let text = names::text(ty);
    // A `$crate` can be another crate in each place.
    if text.contains('$') {
        return ty;
    }
    fields.iter().map(|field| &field.ty).find(|other| names::text(other) == text).unwrap_or(ty)
}

/// Generates the functions of a field's type.
fn table(field: &Field, ty: &Type) -> TokenStream {
    let Field { text, .. } = field;
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
