//! Code generation for `#[draft]`: the derives that a signature needs, and the comparison of a value with the one read
//! back from its JSON.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse_quote;

use super::parse::{Draft, Field, Shape, Variant};
use crate::{diagnostics::Errors, spans, stand_in::Replaced};

pub(crate) fn emit(draft: &Draft, errors: &Errors) -> TokenStream {
    let Draft { item, vis, name, cfgs, names_serde, names_schemars, shape, .. } = draft;
    // A type that borrows is not a draft and has been reported; rustc would report it again for each field and use.
    if draft.generics.lifetimes().next().is_some() {
        let (cfgs, vis, name) = (cfgs.clone(), vis.clone(), name.clone());
        return Replaced { cfgs, vis, name, generics: draft.generics.clone() }.stand_in(errors);
    }
    let serde = (!names_serde).then(|| quote!(#[serde(crate = "::hitl::__private::serde")]));
    let schemars = (!names_schemars).then(|| quote!(#[schemars(crate = "::hitl::__private::schemars")]));
    let this = spans::hide_from_editors(name);
    let mut generics = draft.generics.clone();
    for param in generics.type_params_mut() {
        param.bounds.push(parse_quote!(::hitl::__private::Draft));
    }
    let (declared, given, bounds) = generics.split_for_impl();
    let same = match shape {
        Shape::Struct(fields) => compare_struct(fields),
        Shape::Enum(variants) => compare_enum(variants),
    };
    // After an error the type still gets its derives, so that its uses cause no further errors.
    quote! {
        #errors
        #[derive(
            ::hitl::__private::serde::Serialize,
            ::hitl::__private::serde::Deserialize,
            ::hitl::__private::schemars::JsonSchema
        )]
        #serde
        #schemars
        #item

        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated, unreachable_patterns, unused_variables, clippy::all)]
        impl #declared ::hitl::__private::Draft for #this #given #bounds {
            fn same(
                &self,
                back: &Self,
                comparison: &mut ::hitl::__private::Comparison,
            ) -> ::core::result::Result<(), ::std::string::String> {
                #same
            }
        }
    }
}

fn compare_struct(fields: &[Field]) -> TokenStream {
    let compared = fields.iter().map(|field| {
        let member = &field.member;
        compare_field(field, &quote!(&self.#member), &quote!(&back.#member))
    });
    quote!(#(#compared)* ::core::result::Result::Ok(()))
}

fn compare_enum(variants: &[Variant]) -> TokenStream {
    if variants.is_empty() {
        return quote!(match *self {});
    }
    let arms = variants.iter().map(|Variant { name, cfgs, fields }| {
        let side = |prefix: &str| -> Vec<Ident> {
            (0..fields.len()).map(|i| Ident::new(&format!("{prefix}{i}"), Span::mixed_site())).collect()
        };
        let (values, backs) = (side("value"), side("back"));
        let pattern = |locals: &[Ident]| {
            let each = fields.iter().zip(locals).map(|(field, local)| {
                let (cfgs, member) = (&field.cfgs, &field.member);
                quote!(#(#cfgs)* #member: #local)
            });
            quote!(Self::#name { #(#each),* })
        };
        let (value, back) = (pattern(&values), pattern(&backs));
        let compared = fields
            .iter()
            .zip(values.iter().zip(&backs))
            .map(|(field, (value, back))| compare_field(field, &quote!(#value), &quote!(#back)));
        quote! {
            #(#cfgs)*
            (#value, #back) => {
                #(#compared)*
                ::core::result::Result::Ok(())
            }
        }
    });
    quote! {
        match (self, back) {
            #(#arms)*
            _ => comparison.other_variant(),
        }
    }
}

/// Generates the comparison of one field. If its type is not a draft, rustc's error points at the type.
fn compare_field(field: &Field, value: &TokenStream, back: &TokenStream) -> TokenStream {
    let Field { text, renamed, cfgs, ty, foreign, .. } = field;
    let named = renamed.as_ref().map(|json| quote!(#(#cfgs)* comparison.renamed(#text, #json);));
    if *foreign {
        return quote!(#named #(#cfgs)* comparison.foreign(););
    }
    let compare = quote_spanned!(spans::at(spans::first(ty))=> ::hitl::__private::Comparison::field::<#ty>);
    quote!(#named #(#cfgs)* #compare(comparison, #text, #value, #back)?;)
}
