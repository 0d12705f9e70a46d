//! A type in place of an item that is not valid: rustc reports the errors of the item, and nothing about its uses.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, GenericParam, Generics, Item, Visibility};

use crate::diagnostics::Errors;

/// An item that a macro replaces.
pub(crate) struct Replaced {
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
}

impl Replaced {
    /// Returns the parts of a struct, an enum or a union; `None` for another item.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let (attrs, vis, name, generics) = match item {
            Item::Struct(item) => (&item.attrs, &item.vis, &item.ident, &item.generics),
            Item::Enum(item) => (&item.attrs, &item.vis, &item.ident, &item.generics),
            Item::Union(item) => (&item.attrs, &item.vis, &item.ident, &item.generics),
            _ => return None,
        };
        let cfgs = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
        Some(Self { cfgs, vis: vis.clone(), name: name.clone(), generics: generics.clone() })
    }

    /// Generates a type of the same name, and the errors. The length of the array is the first error, so that rustc
    /// takes the type for an erroneous one and reports no use of it.
    pub(crate) fn stand_in(&self, errors: &Errors) -> TokenStream {
        let Self { cfgs, vis, name, generics } = self;
        let (first, others) = errors.split_first();
        // With defaults, because a use may name them or not. A lifetime can have none.
        let params = generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            _ => None,
        });
        let types = params.clone();
        quote! {
            #others
            #(#cfgs)*
            #[allow(dead_code, missing_docs, non_camel_case_types, unreachable_pub)]
            #vis type #name<#(#params = ()),*> = [::core::marker::PhantomData<(#(#types,)*)>; #first];
        }
    }
}
