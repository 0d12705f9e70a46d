//! The expressions of a review, such as its condition, `when = draft.amount > 100.0`: Rust in which the field under
//! review and the fields that the review shows are places, as `draft.amount` is after `let draft: RefundDraft`.
//!
//! An expression may read no other field. So the person sees what it depends on, and the signature covers it.

use proc_macro2::{Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{
    Expr, ExprCall, FieldValue, Macro, PatIdent, Path,
    visit_mut::{self, VisitMut},
};

use crate::{diagnostics::Errors, expr_text::expr_text, names, spans};

/// An expression that reads signed fields only.
pub(crate) struct Expression {
    /// The expression as the user wrote it.
    pub(crate) text: String,
    /// The fields that it reads, each by its first mention.
    pub(crate) reads: Vec<Ident>,
    /// The expression over references to the fields.
    expr: Expr,
}

impl Expression {
    /// Creates an expression of the review before a node; `what` is what it decides. Its text is that of `written`.
    pub(crate) fn new(
        what: &str,
        written: &Expr,
        mut expr: Expr,
        review: &Review<'_>,
        errors: &mut Errors,
    ) -> Option<Self> {
        let Review { node, signed, show } = review;
        let text = expr_text(written);
        let known: Vec<String> =
            std::iter::once((*signed).to_owned()).chain(show.iter().map(names::plain)).collect();
        let mut bound = Bound::default();
        bound.visit_expr_mut(&mut expr);
        for pattern in bound.0.iter().filter(|pattern| known_name(&known, pattern)) {
            let word = names::plain(pattern);
            let message = format!(
                "`{word}` is a field here, and this pattern binds another value to its name: give the pattern another name"
            );
            errors.at(pattern.span(), message);
        }
        if bound.0.iter().any(|pattern| known_name(&known, pattern)) {
            return None;
        }
        let bound = bound.0.iter().map(names::plain).collect();
        let mut fields = Fields { known, bound, reads: Vec::new(), unknown: Vec::new() };
        fields.visit_expr_mut(&mut expr);
        let Fields { known, reads, unknown, .. } = fields;
        for ident in &unknown {
            let word = names::plain(ident);
            let read = format!("the {what} of the review before node `{node}` reads `{word}`");
            match names::near(&word, known.iter().map(String::as_str)) {
                Some(near) => {
                    errors.at(ident.span(), format!("{read}, which is no field of it; did you mean `{near}`?"));
                }
                None => errors.at(
                    ident.span(),
                    format!(
                        "{read}, but the review does not show it: add `show = ({word})`, so that the person sees it and the signature covers it; if it is no field, write `self::{word}`"
                    ),
                ),
            }
        }
        if unknown.is_empty() && reads.is_empty() {
            errors.on(
                written,
                format!(
                    "the {what} of the review before node `{node}` does not depend on what is signed: read `{signed}`, or a field in `show`"
                ),
            );
        }
        (unknown.is_empty() && !reads.is_empty()).then_some(Self { text, reads, expr })
    }

    /// Creates the condition of a review.
    pub(crate) fn condition(expr: &Expr, review: &Review<'_>, errors: &mut Errors) -> Option<Self> {
        if let Expr::Lit(literal) = expr {
            let message = format!(
                "the condition of the review before node `{}` is a literal, but must depend on what is signed: write a Rust expression without quotes, such as `when = draft.amount > 100.0`",
                review.node
            );
            errors.on(literal, message);
            return None;
        }
        Self::new("condition", expr, expr.clone(), review, errors)
    }

    /// Generates the description of the expression.
    pub(crate) fn spec(&self) -> TokenStream {
        let (text, reads) = (&self.text, self.reads.iter().map(names::plain));
        quote!(::hitl::__private::ExpressionSpec { text: #text, reads: &[#(#reads),*] })
    }

    /// Generates the function that evaluates the expression, of this type, on the fields of a state.
    pub(crate) fn function(&self, state: &Path, ty: &TokenStream) -> TokenStream {
        let Self { reads, expr, .. } = self;
        let view = spans::of_state(state, quote!(view));
        let [slots, fields] = ["slots", "fields"].map(|name| Ident::new(name, Span::mixed_site()));
        // rustc points at the type that it expects: at the expression, too.
        let at = spans::at(spans::first(expr));
        let ty = ty.clone().into_iter().map(|mut token| {
            token.set_span(at);
            token
        });
        let locals: Vec<_> = reads.iter().map(spans::hide_from_editors).collect();
        quote! {
            |#slots| {
                let #fields = #view(#slots)?;
                #(
                    let ::core::option::Option::Some(#locals) = #fields.#locals else {
                        return ::core::result::Result::Ok(::core::option::Option::None);
                    };
                )*
                ::core::result::Result::Ok(::core::option::Option::Some((|| -> #(#ty)* { (#expr) })()))
            }
        }
    }
}

/// The review that an expression belongs to.
pub(crate) struct Review<'a> {
    pub(crate) node: &'a str,
    /// The field under review.
    pub(crate) signed: &'a str,
    /// The fields that are shown with it.
    pub(crate) show: &'a [Ident],
}

fn known_name(known: &[String], pattern: &Ident) -> bool {
    known.contains(&names::plain(pattern))
}

/// The names that the patterns in an expression bind.
#[derive(Default)]
struct Bound(Vec<Ident>);

impl VisitMut for Bound {
    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        self.0.push(pattern.ident.clone());
        visit_mut::visit_pat_ident_mut(self, pattern);
    }
}

/// Replaces each mention of a field by a place, and collects the names that are neither fields nor bound.
struct Fields {
    known: Vec<String>,
    bound: Vec<String>,
    reads: Vec<Ident>,
    unknown: Vec<Ident>,
}

impl Fields {
    /// Returns whether a name is a field of the review, and notes that it is read.
    fn reads(&mut self, ident: &Ident) -> bool {
        let name = names::plain(ident);
        if self.bound.contains(&name) || !self.known.contains(&name) {
            return false;
        }
        if !self.reads.iter().any(|read| names::plain(read) == name) {
            self.reads.push(ident.clone());
        }
        true
    }

    /// Replaces the fields in the tokens of a macro call, such as `matches!(risk, Risk::High)`.
    fn in_tokens(&mut self, tokens: TokenStream) -> TokenStream {
        let mut out = TokenStream::new();
        let mut tokens = tokens.into_iter().peekable();
        // A name after a `.` is a member, and one after `::` is in a path.
        let (mut is_part, mut colon) = (false, false);
        while let Some(token) = tokens.next() {
            let was_part = is_part;
            (is_part, colon) = match &token {
                TokenTree::Punct(mark) => match mark.as_char() {
                    '.' => (!was_part, false),
                    ':' => (colon, mark.spacing() == Spacing::Joint),
                    _ => (false, false),
                },
                _ => (false, false),
            };
            let is_path_or_call = {
                let mut ahead = tokens.clone();
                let sign = |token: Option<TokenTree>| match token {
                    Some(TokenTree::Punct(mark)) => Some(mark.as_char()),
                    _ => None,
                };
                match sign(ahead.next()) {
                    // `name::…`, or the name of a member: `name: value`.
                    Some(':') => true,
                    Some('!') => matches!(ahead.next(), Some(TokenTree::Group(_))),
                    _ => false,
                }
            };
            match token {
                TokenTree::Ident(ident) if !was_part && !is_path_or_call && self.reads(&ident) => {
                    out.extend(place(&ident));
                }
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), self.in_tokens(group.stream()));
                    inner.set_span(group.span());
                    out.extend([TokenTree::Group(inner)]);
                }
                other => out.extend([other]),
            }
        }
        out
    }
}

/// Generates the place of a field, all of it at the mention of the field, so that rustc underlines that.
fn place(field: &Ident) -> TokenStream {
    quote_spanned!(field.span()=> (*#field))
}

impl VisitMut for Fields {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        let Expr::Path(path) = &*expr else { return visit_mut::visit_expr_mut(self, expr) };
        let Some(ident) = path.path.get_ident().filter(|_| path.qself.is_none()) else { return };
        if self.reads(ident) {
            *expr = Expr::Verbatim(place(ident));
        } else if ident.to_string().starts_with(|first: char| first.is_lowercase())
            && !self.bound.contains(&names::plain(ident))
            && ident != "self"
        {
            self.unknown.push(ident.clone());
        }
    }

    /// The name of a function is no field.
    fn visit_expr_call_mut(&mut self, call: &mut ExprCall) {
        if !matches!(&*call.func, Expr::Path(_)) {
            self.visit_expr_mut(&mut call.func);
        }
        call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
    }

    /// `Range { draft }` is `Range { draft: draft }`.
    fn visit_field_value_mut(&mut self, value: &mut FieldValue) {
        value.colon_token.get_or_insert_default();
        self.visit_expr_mut(&mut value.expr);
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        call.tokens = self.in_tokens(std::mem::take(&mut call.tokens));
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;

    use super::*;

    fn condition(expr: TokenStream) -> (Option<Expression>, Vec<String>) {
        let mut errors = Errors::default();
        let show = [Ident::new("risk", Span::call_site())];
        let expr = syn::parse2(expr).unwrap();
        let review = Review { node: "pay", signed: "draft", show: &show };
        (Expression::condition(&expr, &review, &mut errors), errors.messages())
    }

    #[test]
    fn the_fields_of_a_condition_are_places() {
        for (expr, text, reads) in [
            (quote!(draft.amount > 100.0), "(*draft).amount > 100.0", "draft"),
            (
                quote!(draft.amount > LIMIT && risk == 3),
                "(*draft).amount > LIMIT && (*risk) == 3",
                "draft risk",
            ),
            (quote!(matches!(risk, Risk::High)), "matches!((*risk), Risk::High)", "risk"),
            (quote!(is_large(&draft, draft.risk)), "is_large(&(*draft), (*draft).risk)", "draft"),
            (
                quote!(draft.items.iter().any(|item| item.high)),
                "(*draft).items.iter().any(|item| item.high)",
                "draft",
            ),
            (
                quote!(matches!(draft.kind, K::A if risk != Risk::Low)),
                "matches!((*draft).kind, K::A if (*risk) != Risk::Low)",
                "draft risk",
            ),
            (
                quote!(any!(0..draft.n, P { a: draft }, self::draft)),
                "any!(0..(*draft).n, P { a: (*draft) }, self::draft)",
                "draft",
            ),
            (
                quote!(Pair { draft, other: 1 }.is_large()),
                "Pair { draft: (*draft), other: 1 }.is_large()",
                "draft",
            ),
        ] {
            let (made, errors) = condition(expr.clone());
            let made = made.unwrap_or_else(|| panic!("{errors:?}"));
            assert_eq!(
                made.expr.to_token_stream().to_string(),
                text.parse::<TokenStream>().unwrap().to_string()
            );
            assert_eq!(made.reads.iter().map(names::plain).collect::<Vec<_>>().join(" "), reads);
            assert!(errors.is_empty(), "{errors:?}");
        }
    }

    #[test]
    fn a_condition_reads_only_what_is_signed() {
        for (expr, said) in [
            (quote!(plan.len() > 3), "reads `plan`, but the review does not show it: add `show = (plan)`"),
            (quote!(drafts.amount > 3), "did you mean `draft`?"),
            (quote!(draft.items.iter().any(|risk| risk.high)), "`risk` is a field here"),
            (quote!("draft.amount > 100"), "is a literal"),
            (quote!(true), "is a literal"),
            (quote!(is_open()), "does not depend on what is signed: read `draft`"),
            (quote!(Self::LIMIT > 3), "does not depend on what is signed"),
        ] {
            let (made, errors) = condition(expr);
            assert!(made.is_none() && errors.len() == 1 && errors[0].contains(said), "{said}: {errors:?}");
        }
    }
}
