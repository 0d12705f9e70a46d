//! Parsing of a `#[state]` struct.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Expr, Item, ItemStruct, Meta, Type, Visibility};

use super::{
    args::{self, Args},
    borrowed,
};
use crate::{diagnostics::Errors, names, stand_in::Replaced};

/// The maximum number of fields: `hitl_runtime::graph::StateSpec::MAX_FIELDS`.
const MAX_FIELDS: usize = 256;

/// The attributes of a field.
const FIELD: [&str; 3] = ["input", "output", "reduce"];

/// A struct with `#[state]`.
pub(crate) struct State {
    /// The item as written, without the attributes of `#[state]` on its fields.
    pub(crate) item: ItemStruct,
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) cfgs: Vec<Attribute>,
    /// The fields, without repeated names.
    pub(crate) fields: Vec<Field>,
    pub(crate) version: u32,
    /// The migration from earlier versions.
    pub(crate) migrate: Option<Expr>,
}

/// An item that is no state.
pub(crate) struct Invalid {
    pub(crate) error: syn::Error,
    /// The parts of the item, if it is a type.
    pub(crate) replaced: Option<Box<Replaced>>,
}

pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) text: String,
    pub(crate) vis: Visibility,
    pub(crate) docs: Vec<Attribute>,
    /// Its `#[allow(…)]` attributes.
    pub(crate) allows: Vec<Attribute>,
    pub(crate) ty: Type,
    pub(crate) input: bool,
    pub(crate) output: bool,
    pub(crate) reduce: Option<Expr>,
}

impl Field {
    /// Returns whether it is a list that grows: `#[reduce(append)]`.
    pub(crate) fn appends(&self) -> bool {
        matches!(&self.reduce, Some(Expr::Path(path)) if path.path.is_ident("append"))
    }
}

pub(crate) fn parse(args: TokenStream, item: TokenStream, errors: &mut Errors) -> Result<State, Invalid> {
    let item: Item = syn::parse2(item).map_err(|error| Invalid { error, replaced: None })?;
    let replaced = Replaced::of(&item).map(Box::new);
    let mut item = check_shape(item).map_err(|error| Invalid { error, replaced })?;
    let name = item.ident.clone();
    let Args { version, migrate } = args::parse(args, &name, errors);
    let mut fields: Vec<Field> = Vec::new();
    for field in &mut item.fields {
        let Some(ident) = field.ident.clone() else { continue };
        let field = parse_field(ident, field, errors);
        if fields.iter().any(|earlier| earlier.text == field.text) {
            // rustc reports both places itself (E0124), so the struct is emitted unchanged.
            continue;
        }
        fields.push(field);
    }
    if let Some(one_too_many) = fields.get(MAX_FIELDS) {
        errors.on(
            &one_too_many.name,
            format!(
                "state `{name}` has {} fields, but the maximum is {MAX_FIELDS}: move some of them to a struct",
                fields.len()
            ),
        );
        fields.truncate(MAX_FIELDS);
    }
    let cfgs = item.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
    Ok(State { name, vis: item.vis.clone(), cfgs, item, fields, version, migrate })
}

/// Returns the struct if a state can have its form: named fields that own their data, and no parameters.
fn check_shape(item: Item) -> syn::Result<ItemStruct> {
    let wrong = |name: &Ident, what: &str| {
        syn::Error::new(
            name.span(),
            format!(
                "state `{name}` is {what}, but a state has named fields, which nodes read and write: write `struct {name} {{ message: String }}`"
            ),
        )
    };
    let item = match item {
        Item::Struct(item) => item,
        Item::Enum(item) => return Err(wrong(&item.ident, "an enum")),
        Item::Union(item) => return Err(wrong(&item.ident, "a union")),
        other => {
            return Err(syn::Error::new_spanned(
                other,
                "`#[state]` applies to a struct with named fields: `#[state] struct Ticket { message: String }`",
            ));
        }
    };
    let name = &item.ident;
    match &item.fields {
        syn::Fields::Named(_) => {}
        syn::Fields::Unnamed(_) => return Err(wrong(name, "a tuple struct")),
        syn::Fields::Unit => return Err(wrong(name, "a unit struct")),
    }
    let mut errors: Option<syn::Error> = None;
    let mut push = |error| match &mut errors {
        Some(all) => syn::Error::combine(all, error),
        none => *none = Some(error),
    };
    let is_generic = !item.generics.params.is_empty();
    if is_generic || item.generics.where_clause.is_some() {
        push(syn::Error::new_spanned(
            if is_generic {
                item.generics.to_token_stream()
            } else {
                item.generics.where_clause.to_token_stream()
            },
            format!("state `{name}` is generic, but a state must be concrete: name the types of its fields"),
        ));
    }
    for field in item.fields.iter().filter(|_| !is_generic) {
        if let Some(owned) = borrowed::owned(&field.ty) {
            let field_name = field.ident.as_ref().map(names::plain).unwrap_or_default();
            push(syn::Error::new_spanned(
                &field.ty,
                format!(
                    "field `{field_name}` borrows, but the values of a state are read from the journal and must own their data: write `{field_name}: {owned}`"
                ),
            ));
        }
    }
    errors.map_or(Ok(item), Err)
}

/// Returns the attributes of a field with one name.
fn attributes(field: &syn::Field, name: &str) -> Vec<Attribute> {
    field.attrs.iter().filter(|attr| attr.path().is_ident(name)).cloned().collect()
}

fn parse_field(name: Ident, field: &mut syn::Field, errors: &mut Errors) -> Field {
    let mut out = Field {
        text: names::plain(&name),
        vis: field.vis.clone(),
        docs: attributes(field, "doc"),
        allows: attributes(field, "allow"),
        ty: field.ty.clone(),
        input: false,
        output: false,
        reduce: None,
        name,
    };
    field.attrs.retain(|attr| {
        let path = attr.path();
        let word = path.get_ident().map(names::plain).unwrap_or_default();
        // A near miss is reported and then treated as the attribute that it is similar to.
        let known = names::near(&word, FIELD);
        if let Some(known) = known.filter(|known| *known != word) {
            errors.on(path, format!("a field of a state has no attribute `#[{word}]`; did you mean `#[{known}]`?"));
        }
        if known == Some("input") {
            set_flag(attr, &mut out.input, &out.text, errors);
        } else if known == Some("output") {
            set_flag(attr, &mut out.output, &out.text, errors);
        } else if known == Some("reduce") {
            parse_reducer(attr, &mut out, errors);
        } else if word == "cfg" {
            errors.on(
                attr,
                format!("field `{}` has a `#[cfg]`, but every build must have the fields that a journal was written with: put the `#[cfg]` on the whole state", out.text),
            );
        } else {
            return true;
        }
        false
    });
    out
}

fn set_flag(attr: &Attribute, set: &mut bool, field: &str, errors: &mut Errors) {
    let word = attr.path();
    if let Meta::List(_) | Meta::NameValue(_) = &attr.meta {
        errors.on(&attr.meta, format!("`#[{}]` takes no arguments", names::text(word)));
    } else if *set {
        errors.on(word, format!("field `{field}` is marked `#[{}]` twice", names::text(word)));
    }
    *set = true;
}

fn parse_reducer(attr: &Attribute, field: &mut Field, errors: &mut Errors) {
    if field.reduce.is_some() {
        return errors.on(attr.path(), format!("field `{}` has two reducers: keep one", field.text));
    }
    match &attr.meta {
        Meta::List(list) if !list.tokens.is_empty() => match list.parse_args::<Expr>() {
            Ok(expr) => field.reduce = Some(expr),
            Err(error) => errors.push(error),
        },
        meta => errors.on(
            meta,
            format!(
                "field `{}` needs a function that merges the old value with the new one: `#[reduce(append)]` for lists, or `#[reduce(my_fn)]` with `fn my_fn(old: T, new: T) -> T`",
                field.text
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn parsed(item: TokenStream) -> (State, Vec<String>) {
        let mut errors = Errors::default();
        let state = parse(TokenStream::new(), item, &mut errors).ok().unwrap();
        (state, errors.messages())
    }

    #[test]
    fn fields_are_parsed_with_their_attributes() {
        let (state, errors) = parsed(quote! {
            pub struct Ticket {
                /// The customer's message.
                #[input] pub message: String,
                #[reduce(append)] notes: Vec<String>,
                #[reduce(u32::max)] r#type: u32,
                #[output] pub outcome: Outcome,
            }
        });
        assert_eq!(errors, [""; 0]);
        let seen: Vec<_> = state
            .fields
            .iter()
            .map(|f| (f.text.as_str(), f.docs.len(), f.input, f.output, f.reduce.as_ref().map(names::text)))
            .collect();
        assert_eq!(
            seen,
            [
                ("message", 1, true, false, None),
                ("notes", 0, false, false, Some("append".to_owned())),
                ("type", 0, false, false, Some("u32::max".to_owned())),
                ("outcome", 0, false, true, None),
            ]
        );
        assert!(state.item.fields.iter().all(|f| f.attrs.iter().all(|a| a.path().is_ident("doc"))));
    }

    #[test]
    fn every_error_is_reported() {
        let (_, errors) = parsed(quote! {
            struct Ticket {
                #[input(x)] a: u8,
                #[output] #[output] b: u8,
                #[reduce] c: u8,
                #[cfg(test)] d: u8,
            }
        });
        assert_eq!(errors.len(), 4, "{errors:#?}");
    }

    #[test]
    fn an_item_of_another_form_is_one_error() {
        for (item, words) in [
            (
                quote!(
                    struct Ticket(u8);
                ),
                "is a tuple struct",
            ),
            (
                quote!(
                    struct Ticket;
                ),
                "is a unit struct",
            ),
            (
                quote!(
                    enum Ticket {
                        A,
                    }
                ),
                "is an enum",
            ),
            (quote!(union Ticket { a: u8 }), "is a union"),
            (
                quote!(
                    struct Ticket<T> {
                        a: T,
                    }
                ),
                "is generic",
            ),
            (
                quote!(
                    struct Ticket<'a> {
                        a: &'a str,
                    }
                ),
                "is generic",
            ),
            (
                quote!(
                    struct Ticket {
                        a: &'static str,
                    }
                ),
                "write `a: String`",
            ),
            (
                quote!(
                    struct Ticket {
                        a: Vec<&[u8]>,
                    }
                ),
                "write `a: Vec<Vec<u8>>`",
            ),
        ] {
            let invalid = parse(TokenStream::new(), item, &mut Errors::default()).err().unwrap();
            let messages: Vec<_> = invalid.error.into_iter().map(|error| error.to_string()).collect();
            assert!(messages.len() == 1 && messages[0].contains(words), "{words}: {messages:?}");
            assert!(invalid.replaced.is_some());
        }
        assert!(
            parse(
                TokenStream::new(),
                quote!(
                    fn f() {}
                ),
                &mut Errors::default()
            )
            .err()
            .unwrap()
            .replaced
            .is_none()
        );
    }

    #[test]
    fn similar_attributes_are_suggested() {
        let (state, errors) = parsed(quote! {
            struct Ticket {
                #[inputs] a: u8,
                #[outputs] b: u8,
                #[reducer(append)] c: Vec<u8>,
                #[serde(default)] #[allow(unused)] #[deprecated] #[must_use] d: u8,
            }
        });
        for (error, words) in errors.iter().zip([
            "did you mean `#[input]`?",
            "did you mean `#[output]`?",
            "did you mean `#[reduce]`?",
        ]) {
            assert!(error.contains(words), "{errors:#?}");
        }
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(state.fields[0].input && state.fields[1].output && state.fields[2].appends());
        assert_eq!(state.item.fields.iter().map(|field| field.attrs.len()).collect::<Vec<_>>(), [0, 0, 0, 4]);
    }

    #[test]
    fn duplicate_fields_are_left_to_rustc() {
        let (state, errors) = parsed(quote!(
            struct Ticket {
                a: u8,
                a: u16,
            }
        ));
        assert_eq!((state.fields.len(), state.item.fields.len(), errors.len()), (1, 2, 0));
    }
}
