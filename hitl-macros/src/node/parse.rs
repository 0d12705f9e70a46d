//! Parsing of a function up to its body. The body is kept as tokens: errors in incomplete code are left to rustc.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, GenericArgument, LitStr, PathArguments, PathSegment, Result, Signature, Token, Type,
    Visibility, ext::IdentExt, parse::ParseStream, token,
};

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenTree,
}

impl Function {
    pub(crate) fn parser(input: ParseStream) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let (vis, sig) = (|| Ok((input.parse()?, input.parse()?)))().map_err(|e: syn::Error| {
            syn::Error::new(e.span(), format!("this is not the signature of an `async fn`: {e}"))
        })?;
        if !input.peek(token::Brace) {
            return Err(input.error("a node needs a body: write `async fn name(…) -> Result<T> { … }`"));
        }
        let function = Self { attrs, vis, sig, body: input.parse()? };
        if input.is_empty() {
            Ok(function)
        } else {
            Err(input.error("a node must be one `async fn`: remove what follows it"))
        }
    }
}

/// A function whose signature cannot be parsed: what is before its parameters.
pub(crate) struct Unparsed {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
}

impl Unparsed {
    pub(crate) fn parser(input: ParseStream) -> Result<Self> {
        let (attrs, vis) = (input.call(Attribute::parse_outer)?, input.parse()?);
        // `async`, `unsafe`, `extern "C"`.
        while !input.peek(Token![fn]) && (input.peek(Ident::peek_any) || input.peek(LitStr)) {
            input.parse::<TokenTree>()?;
        }
        input.parse::<Token![fn]>()?;
        let name = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(Self { attrs, vis, name })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attr in &self.attrs {
            attr.to_tokens(tokens);
        }
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// Strips parentheses, and the invisible groups that `macro_rules!` adds.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            ty => return ty,
        };
    }
}

/// Returns the last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peel(ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// Returns the first type in a segment's angle brackets.
pub(crate) fn type_argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(list) = &segment.arguments else { return None };
    list.args.iter().find_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Returns the `T` of `&T`.
pub(crate) fn referent(ty: &Type) -> Option<&Type> {
    match peel(ty) {
        Type::Reference(reference) if reference.mutability.is_none() => Some(&reference.elem),
        _ => None,
    }
}
