//! References in the types of fields: no value that is read from a journal can have one.

use syn::{GenericArgument, PathArguments, Type, parse_quote};

use crate::names;

/// Returns the owned type in place of a type that contains a reference; `None` if it contains none.
pub(super) fn owned(ty: &Type) -> Option<String> {
    let mut ty = ty.clone();
    replace(&mut ty).then(|| names::text(ty))
}

/// Replaces the references in a type by the types that own the same data. Returns whether there are any.
fn replace(ty: &mut Type) -> bool {
    match ty {
        Type::Reference(reference) => {
            let mut inner = (*reference.elem).clone();
            replace(&mut inner);
            *ty = match &inner {
                Type::Path(path) if path.path.is_ident("str") => parse_quote!(String),
                Type::Slice(slice) => {
                    let item = &slice.elem;
                    parse_quote!(Vec<#item>)
                }
                _ => inner,
            };
            true
        }
        Type::Path(path) => {
            let mut any = false;
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(list) = &mut segment.arguments else { continue };
                for argument in &mut list.args {
                    if let GenericArgument::Type(ty) = argument {
                        any |= replace(ty);
                    }
                }
            }
            any
        }
        Type::Tuple(tuple) => tuple.elems.iter_mut().fold(false, |any, ty| replace(ty) | any),
        Type::Array(array) => replace(&mut array.elem),
        Type::Slice(slice) => replace(&mut slice.elem),
        Type::Paren(paren) => replace(&mut paren.elem),
        Type::Group(group) => replace(&mut group.elem),
        _ => false,
    }
}
