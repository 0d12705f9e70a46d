//! The choices of a review, such as its role, `role = if draft.amount > 1000.0 { "director" } else { "clerk" }`: a fixed
//! value, or an `if` or a `match` over the signed fields. Every value that a choice can have is written in it, so that it
//! is known at compile time, and no text from elsewhere, such as a model, can be a role.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Block, Expr, ExprBreak, ExprClosure, ExprLit, ExprReturn, Item, Lit, LitStr, Path, Stmt,
    visit_mut::VisitMut,
};

use super::{
    args::milliseconds,
    expression::{Expression, Review},
};
use crate::{diagnostics::Errors, names, spans};

/// A value of a review that is fixed, or chosen by the signed fields.
pub(crate) enum Choice {
    Fixed(TokenStream),
    Chosen {
        by: Box<Expression>,
        /// Every value that it can have.
        values: Vec<TokenStream>,
    },
}

impl Choice {
    /// Creates the role of a review.
    pub(crate) fn role(expr: &Expr, review: &Review<'_>, errors: &mut Errors) -> Option<Self> {
        let value = |expr: &mut Expr, errors: &mut Errors| {
            if let Some(name) = string(expr) {
                if name.value().trim().is_empty() {
                    errors.on(&name, "`role` must not be empty: `role = \"refund-approver\"`");
                }
                return Some(quote!(#name));
            }
            if let Some(constant) = constant(expr) {
                return Some(spans::call(spans::first(&constant), "role", quote!(#constant)));
            }
            errors.on(
                expr,
                "`role` takes a string in quotes, the name of a role that the operator must hold: write `role = \"refund-approver\"`, a constant, or choose one, `role = match draft.team { Team::Eu => \"eu-approver\", … }`",
            );
            None
        };
        Self::new("role", expr, value, review, errors)
    }

    /// Creates the time until a review expires.
    pub(crate) fn expires(expr: &Expr, review: &Review<'_>, errors: &mut Errors) -> Option<Self> {
        let value = |expr: &mut Expr, errors: &mut Errors| {
            if let Some(constant) = constant(expr) {
                return Some(spans::call(spans::first(&constant), "expiry", quote!(#constant)));
            }
            let Some(ms) = string(expr).and_then(|text| milliseconds(&text.value())) else {
                errors.on(
                    expr,
                    "a duration is a number and a unit, `ms`, `s`, `m`, `h` or `d`: `expires = \"24h\"`, a constant `Duration`, or one that is chosen, `expires = if draft.urgent { \"1h\" } else { \"24h\" }`",
                );
                return None;
            };
            let duration = quote!(::core::time::Duration::from_millis(#ms));
            *expr = Expr::Verbatim(duration.clone());
            Some(duration)
        };
        Self::new("deadline", expr, value, review, errors)
    }

    /// Creates the risk of the action under review.
    pub(crate) fn risk(expr: &Expr, review: &Review<'_>, errors: &mut Errors) -> Option<Self> {
        let value = |expr: &mut Expr, errors: &mut Errors| {
            let word = match &*expr {
                Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
                _ => None,
            };
            let level = match word.as_deref() {
                Some("low") => quote!(Low),
                Some("medium") => quote!(Medium),
                Some("high") => quote!(High),
                _ => {
                    errors.on(
                        expr,
                        "`risk` is `low`, `medium` or `high`: write `risk = high`, or choose one, `risk = if draft.amount > 1000.0 { high } else { low }`",
                    );
                    return None;
                }
            };
            let risk = quote!(::hitl::__private::RiskLevel::#level);
            *expr = Expr::Verbatim(risk.clone());
            Some(risk)
        };
        Self::new("risk", expr, value, review, errors)
    }

    fn new(
        what: &str,
        written: &Expr,
        mut value: impl FnMut(&mut Expr, &mut Errors) -> Option<TokenStream>,
        review: &Review<'_>,
        errors: &mut Errors,
    ) -> Option<Self> {
        let mut expr = written.clone();
        if !is_branch(&expr) {
            return value(&mut expr, errors).map(Self::Fixed);
        }
        let mut others = OtherEnds::default();
        others.visit_expr_mut(&mut expr);
        let (mut values, mut is_valid) = (Vec::new(), others.0.is_none());
        if let Some(at) = others.0 {
            errors.at(
                at,
                format!("the {what} of a review is the end of a branch, so that every one is known: write an `if` or a `match` without `return`, `break` and items"),
            );
        }
        each_end(&mut expr, &mut |end| match end {
            Ok(end) => match value(end, errors) {
                Some(value) => values.push(value),
                None => is_valid = false,
            },
            Err(brace) => {
                is_valid = false;
                errors.at(brace, format!("this branch has no value: end it in the {what} of the review"));
            }
        });
        let by = if is_valid { Expression::new(what, written, expr, review, errors) } else { None };
        Some(Self::Chosen { by: Box::new(by?), values })
    }
}

fn is_branch(expr: &Expr) -> bool {
    matches!(expr, Expr::If(_) | Expr::Match(_) | Expr::Block(_) | Expr::Paren(_) | Expr::Group(_))
}

/// Calls a function on each expression in which the branches of an expression end.
fn each_end(expr: &mut Expr, end: &mut impl FnMut(Result<&mut Expr, Span>)) {
    match expr {
        Expr::If(branch) => {
            each_end_of_block(&mut branch.then_branch, end);
            if let Some((_, other)) = &mut branch.else_branch {
                each_end(other, end);
            }
        }
        Expr::Match(branch) => branch.arms.iter_mut().for_each(|arm| each_end(&mut arm.body, end)),
        Expr::Block(block) => each_end_of_block(&mut block.block, end),
        Expr::Paren(inner) => each_end(&mut inner.expr, end),
        Expr::Group(inner) => each_end(&mut inner.expr, end),
        other => end(Ok(other)),
    }
}

fn each_end_of_block(block: &mut Block, end: &mut impl FnMut(Result<&mut Expr, Span>)) {
    match block.stmts.last_mut() {
        Some(Stmt::Expr(last, None)) => each_end(last, end),
        _ => end(Err(block.brace_token.span.open())),
    }
}

/// The first place at which a choice has a value that is not at the end of a branch, or a name of its own.
#[derive(Default)]
struct OtherEnds(Option<Span>);

impl VisitMut for OtherEnds {
    fn visit_expr_return_mut(&mut self, end: &mut ExprReturn) {
        self.0.get_or_insert(end.return_token.span);
    }

    fn visit_expr_break_mut(&mut self, end: &mut ExprBreak) {
        self.0.get_or_insert(end.break_token.span);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        self.0.get_or_insert(spans::first(item));
    }

    // The value of a closure is no value of the choice.
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
}

fn string(expr: &Expr) -> Option<LitStr> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}

/// Returns the path of a constant: one of several segments, or with a name in capitals.
fn constant(expr: &Expr) -> Option<&Path> {
    let Expr::Path(path) = expr else { return None };
    let is_upper = |name: &str| !name.chars().any(char::is_lowercase);
    let is_constant = path.path.segments.len() > 1
        || names::last(&path.path).is_some_and(|name| is_upper(&name.to_string()));
    is_constant.then_some(&path.path)
}

#[cfg(test)]
mod tests {
    use proc_macro2::Ident;

    use super::*;

    type Make = fn(&Expr, &Review<'_>, &mut Errors) -> Option<Choice>;

    fn made(make: Make, expr: TokenStream) -> (Option<Choice>, Vec<String>) {
        let mut errors = Errors::default();
        let show = [Ident::new("risk", proc_macro2::Span::call_site())];
        let review = Review { node: "pay", signed: "draft", show: &show };
        (make(&syn::parse2(expr).unwrap(), &review, &mut errors), errors.messages())
    }

    #[test]
    fn a_choice_knows_its_values() {
        let tiers = quote!(if draft.cents > 100 {
            "director"
        } else if risk.is_high() {
            ROLE
        } else {
            "clerk"
        });
        let (role, errors) = made(Choice::role, tiers);
        let Some(Choice::Chosen { by, values }) = role else { panic!("{errors:?}") };
        assert_eq!(
            by.text,
            r#"if draft.cents > 100 { "director" } else if risk.is_high() { ROLE } else { "clerk" }"#
        );
        assert_eq!(by.reads.iter().map(names::plain).collect::<Vec<_>>(), ["draft", "risk"]);
        assert_eq!((values.len(), values[2].to_string().as_str()), (3, r#""clerk""#));
        for fixed in [quote!("clerk"), quote!(ROLE), quote!(roles::clerk)] {
            assert!(matches!(made(Choice::role, fixed).0, Some(Choice::Fixed(_))));
        }
        let (expires, errors) = made(
            Choice::expires,
            quote!(match risk {
                Risk::High => {
                    "1h"
                }
                Risk::Low => LONG,
            }),
        );
        let Some(Choice::Chosen { values, .. }) = expires else { panic!("{errors:?}") };
        assert!(values[0].to_string().contains("3600000u64"), "{}", values[0]);
    }

    #[test]
    fn a_choice_of_text_from_elsewhere_is_refused() {
        for (make, expr, said) in [
            (Choice::role as Make, quote!(draft.team), "a string in quotes"),
            (Choice::role, quote!(clerk), "a string in quotes"),
            (Choice::role, quote!(7), "a string in quotes"),
            (Choice::role, quote!(if draft.large { draft.team } else { "clerk" }), "a string in quotes"),
            (Choice::role, quote!(if draft.large { " " } else { "clerk" }), "must not be empty"),
            (Choice::role, quote!(if LARGE { "a" } else { "b" }), "does not depend on what is signed"),
            (Choice::role, quote!(if plan.large { "a" } else { "b" }), "add `show = (plan)`"),
            (
                Choice::role,
                quote!({
                    if draft.vip {
                        return tier(&draft.team);
                    }
                    "clerk"
                }),
                "without `return`",
            ),
            (
                Choice::role,
                quote!('a: {
                    if draft.x {
                        break 'a draft.team;
                    }
                    "clerk"
                }),
                "without `return`",
            ),
            (
                Choice::role,
                quote!({
                    const ROLE: &str = "a";
                    if draft.x { ROLE } else { "b" }
                }),
                "without `return`",
            ),
            (
                Choice::role,
                quote!(if draft.x {
                    role_for! { draft }
                } else {
                    "clerk"
                }),
                "this branch has no value",
            ),
            (
                Choice::role,
                quote!(if draft.x {
                    panic!();
                } else {
                    "clerk"
                }),
                "this branch has no value",
            ),
            (Choice::risk as Make, quote!(draft.risk), "`low`, `medium` or `high`"),
            (Choice::risk, quote!(if draft.large { severe } else { low }), "`low`, `medium` or `high`"),
            (Choice::risk, quote!(Risk::High), "`low`, `medium` or `high`"),
            (Choice::expires, quote!(draft.window), "a duration is a number and a unit"),
            (Choice::expires, quote!(if draft.large { "1x" } else { "24h" }), "a duration is a number"),
        ] {
            let (_, errors) = made(make, expr);
            assert!(errors.len() == 1 && errors[0].contains(said), "{said}: {errors:?}");
        }
    }
}
