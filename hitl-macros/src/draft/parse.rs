//! Parsing of a type with `#[draft]`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, Fields, GenericParam, Generics, Index, Item, Member, Meta, Path, Result, Token, Type,
    Visibility,
};
use syn::{parse::Parser, punctuated::Punctuated};

use super::{arguments, rules, skipped};
use crate::{diagnostics::Errors, names};

/// The traits that `#[draft]` derives.
const DERIVED: [&str; 3] = ["Serialize", "Deserialize", "JsonSchema"];

/// A type with `#[draft]`.
pub(crate) struct Draft {
    /// The item as written, without `#[draft]` attributes and without the derives that `#[draft]` adds.
    pub(crate) item: TokenStream,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) generics: Generics,
    /// `true` if the type names the path of serde: `#[serde(crate = …)]`.
    pub(crate) names_serde: bool,
    pub(crate) names_schemars: bool,
    pub(crate) shape: Shape,
}

pub(crate) enum Shape {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) fields: Vec<Field>,
}

pub(crate) struct Field {
    pub(crate) member: Member,
    /// The name in an error path: `amount`, `[0]`.
    pub(crate) text: String,
    /// Its name in JSON if `#[serde(rename = …)]` gives one.
    pub(crate) renamed: Option<String>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) ty: Type,
    /// `true` with `#[draft(foreign)]`: the author guarantees what cannot be checked of the type.
    pub(crate) foreign: bool,
}

pub(crate) fn parse(args: TokenStream, item: TokenStream, errors: &mut Errors) -> Result<Draft> {
    let item: Item = syn::parse2(item)?;
    if !args.is_empty() {
        errors.on(&args, "`#[draft]` takes no arguments");
    }
    match item {
        Item::Struct(mut item) => {
            rules::check(&mut item.fields, rules::requires_rules(&item.attrs), errors);
            let attrs = attributes(&mut item.attrs, errors);
            let shape = Shape::Struct(fields(&mut item.fields, skipped::has_default(&item.attrs), errors));
            Ok(attrs.into_draft(
                (item.vis.clone(), item.ident.clone()),
                item.generics.clone(),
                shape,
                item.into_token_stream(),
                errors,
            ))
        }
        Item::Enum(mut item) => {
            let required = rules::requires_rules(&item.attrs);
            item.variants.iter_mut().for_each(|variant| rules::check(&mut variant.fields, required, errors));
            let attrs = attributes(&mut item.attrs, errors);
            let variants = item.variants.iter_mut().map(|variant| Variant {
                name: variant.ident.clone(),
                cfgs: cfgs(&variant.attrs),
                fields: fields(&mut variant.fields, false, errors),
            });
            let shape = Shape::Enum(variants.collect());
            Ok(attrs.into_draft(
                (item.vis.clone(), item.ident.clone()),
                item.generics.clone(),
                shape,
                item.into_token_stream(),
                errors,
            ))
        }
        Item::Union(item) => Err(syn::Error::new(
            item.ident.span(),
            format!(
                "`{}` is a union, but a draft is a struct or an enum: its fields are shown and signed",
                item.ident
            ),
        )),
        other => Err(syn::Error::new_spanned(
            other,
            "`#[draft]` applies to a struct or an enum: `#[draft] struct Refund { cents: u32 }`",
        )),
    }
}

/// The attributes of the type.
struct Attributes {
    cfgs: Vec<Attribute>,
    names_serde: bool,
    names_schemars: bool,
}

impl Attributes {
    fn into_draft(
        self,
        (vis, name): (Visibility, Ident),
        generics: Generics,
        shape: Shape,
        item: TokenStream,
        errors: &mut Errors,
    ) -> Draft {
        let borrowed = generics.params.iter().find(|param| matches!(param, GenericParam::Lifetime(_)));
        if let Some(lifetime) = borrowed {
            errors.on(
                lifetime,
                format!(
                    "draft `{name}` borrows, but a draft is read from the journal and must own its data: use `String` for `&str`"
                ),
            );
        }
        let Self { cfgs, names_serde, names_schemars } = self;
        Draft { item, vis, name, cfgs, generics, names_serde, names_schemars, shape }
    }
}

fn attributes(attrs: &mut [Attribute], errors: &mut Errors) -> Attributes {
    let names = |attrs: &[Attribute], whose: &str| {
        attrs.iter().any(|attr| {
            arguments::arguments_of(attr, whose).iter().any(|argument| argument.path().is_ident("crate"))
        })
    };
    let (names_serde, names_schemars) = (names(attrs, "serde"), names(attrs, "schemars"));
    let cfgs = cfgs(attrs);
    for attr in attrs.iter_mut().filter(|attr| attr.path().is_ident("derive")) {
        let Meta::List(list) = &mut attr.meta else { continue };
        let paths = Punctuated::<Path, Token![,]>::parse_terminated.parse2(list.tokens.clone());
        // If it is not a list of paths, rustc reports it.
        let Ok(paths) = paths else { continue };
        let (ours, theirs): (Vec<_>, Vec<_>) = paths
            .into_iter()
            .partition(|path| names::last(path).is_some_and(|word| DERIVED.iter().any(|ours| word == ours)));
        for path in &ours {
            errors.on(path, format!("`#[draft]` derives `{}` itself: remove it here", names::text(path)));
        }
        if !ours.is_empty() {
            list.tokens = theirs.into_iter().collect::<Punctuated<Path, Token![,]>>().into_token_stream();
        }
    }
    Attributes { cfgs, names_serde, names_schemars }
}

/// `has_default`: whether what the JSON lacks comes from the type's own `Default`.
fn fields(fields: &mut Fields, has_default: bool, errors: &mut Errors) -> Vec<Field> {
    let parse = |(i, field): (usize, &mut syn::Field)| {
        let (member, text) = match &field.ident {
            Some(name) => (Member::Named(name.clone()), names::plain(name)),
            None => (Member::Unnamed(Index::from(i)), format!("[{i}]")),
        };
        let (mut foreign, mut renamed) = (false, None);
        field.attrs.retain(|attr| {
            if attr.path().is_ident("draft") {
                parse_foreign(attr, &text, &mut foreign, errors);
                return false;
            }
            renamed = renamed.take().or_else(|| arguments::json_name(attr));
            true
        });
        skipped::reject(&field.attrs, &text, has_default, errors);
        Field { member, text, renamed, cfgs: cfgs(&field.attrs), ty: field.ty.clone(), foreign }
    };
    fields.iter_mut().enumerate().map(parse).collect()
}

fn parse_foreign(attr: &Attribute, field: &str, foreign: &mut bool, errors: &mut Errors) {
    let word = attr.parse_args::<Ident>().ok().filter(|word| word == "foreign");
    if word.is_none() {
        return errors.on(
            &attr.meta,
            format!(
                "`#[draft]` on field `{field}` takes only `foreign`: write `#[draft(foreign)]` if you guarantee its type"
            ),
        );
    }
    if *foreign {
        errors.on(&attr.meta, format!("field `{field}` is marked `#[draft(foreign)]` twice"));
    }
    *foreign = true;
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn parsed(item: TokenStream) -> (Draft, Vec<String>) {
        let mut errors = Errors::default();
        let draft = parse(TokenStream::new(), item, &mut errors).unwrap();
        (draft, errors.messages())
    }

    #[test]
    fn only_our_attributes_are_removed() {
        let (draft, errors) = parsed(quote! {
            #[derive(Clone, garde::Validate)]
            #[serde(rename_all = "camelCase")]
            struct Refund {
                #[garde(skip)] #[draft(foreign)] money: Money,
                #[garde(skip)]
                #[serde(default, skip_serializing_if = "Option::is_none")] note: Option<String>,
            }
        });
        assert_eq!(errors, [""; 0]);
        let Shape::Struct(fields) = &draft.shape else { panic!() };
        let seen: Vec<_> = fields.iter().map(|field| (field.text.as_str(), field.foreign)).collect();
        assert_eq!(seen, [("money", true), ("note", false)]);
        let item = names::text(&draft.item);
        assert!(!item.contains("foreign") && item.contains("camelCase") && item.contains("garde"), "{item}");
        assert!(!draft.names_serde);
    }

    #[test]
    fn json_names_are_read_from_serde_attributes() {
        let (draft, errors) = parsed(quote! {
            struct Refund {
                #[serde(default = "zero", rename = "orderNo", alias = "order")] order_id: String,
                #[serde(rename(serialize = "a", deserialize = "b"))] first: u8,
                #[serde(bound(serialize = "T: X"), rename = "c")] second: u8,
                #[serde(default)] third: u8,
            }
        });
        assert_eq!(errors, [""; 0]);
        let Shape::Struct(fields) = &draft.shape else { panic!() };
        let seen: Vec<_> = fields.iter().map(|field| field.renamed.as_deref()).collect();
        assert_eq!(seen, [Some("orderNo"), Some("a"), Some("c"), None]);
    }

    #[test]
    fn each_error_has_one_message() {
        let (draft, errors) = parsed(quote! {
            #[derive(Clone, serde::Serialize, Deserialize)]
            #[derive(JsonSchema, Debug)]
            #[serde(crate = "my::serde")]
            enum Action<'a> {
                Pay(#[serde(skip)] u8, #[serde(default, skip_deserializing)] u8),
                Send { #[draft(forein)] to: u8, #[draft(foreign)] #[draft(foreign)] by: &'a str },
            }
        });
        assert_eq!(errors.len(), 8, "{errors:#?}");
        assert!(draft.names_serde && !draft.names_schemars);
        let item = names::text(&draft.item);
        assert!(item.contains("Clone") && item.contains("Debug") && !item.contains("Serialize"), "{item}");
        let Shape::Enum(variants) = &draft.shape else { panic!() };
        assert_eq!(variants[0].fields[1].text, "[1]");
    }

    #[test]
    fn a_union_is_rejected() {
        let union = quote!(
            union Both {
                a: u8,
            }
        );
        assert!(parse(TokenStream::new(), union, &mut Errors::default()).is_err());
    }
}
