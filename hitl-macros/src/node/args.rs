//! The arguments of `#[node(…)]` and `#[interrupt_before(…)]`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{
    Expr, LitBool, LitInt, LitStr, Path, Result, Token,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    token::Paren,
};

use super::name_list::{add_name, parse_list, parse_name, parse_names};
use crate::{diagnostics::Errors, names};

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) state: Option<Path>,
    pub(crate) writes: Vec<Ident>,
    /// `true` if `writes` names no field because of an error.
    pub(crate) is_writes_invalid: bool,
    /// `true` while the last argument was `writes`.
    ends_in_writes: bool,
    pub(crate) effect: Option<Span>,
    pub(crate) idempotent: Option<Span>,
    pub(crate) low_risk: Option<Span>,
    /// The risk of an effect: `low`, which also sets `low_risk`, or that of one that a signature covers.
    pub(crate) risk: Option<Ident>,
    pub(crate) retries: Option<(Span, u32)>,
    pub(crate) backoff_ms: Option<u64>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) interrupt: Option<Interrupt>,
}

#[derive(Default)]
pub(crate) struct Interrupt {
    pub(crate) role: Option<Expr>,
    pub(crate) expires: Option<Expr>,
    pub(crate) remind_ms: Option<u64>,
    pub(crate) review: Option<Ident>,
    pub(crate) edit: Option<bool>,
    /// The later effects that run on the same signature.
    pub(crate) covers: Vec<Ident>,
    /// The fields that are shown beside the draft and signed with it.
    pub(crate) show: Vec<Ident>,
    /// The fields that are read although they are not signed.
    pub(crate) unsigned: Vec<Ident>,
    /// The condition under which a person is asked.
    pub(crate) when: Option<Expr>,
    /// The risk of the action.
    pub(crate) risk: Option<Expr>,
    /// `reversible = …`, and its position.
    pub(crate) reversible: Option<LitBool>,
    /// The word in `not = requester`.
    pub(crate) not: Option<Ident>,
}

const NODE: [&str; 7] = ["writes", "effect", "idempotent", "risk", "retries", "backoff", "timeout"];
const INTERRUPT: [&str; 12] = [
    "role",
    "expires",
    "remind",
    "review",
    "edit",
    "covers",
    "show",
    "unsigned",
    "when",
    "risk",
    "reversible",
    "not",
];

/// Parses the arguments. An error in one of them does not hide errors in the others.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Args {
    let mut args = Args::default();
    let parser = |input: ParseStream| {
        if input.is_empty() || (input.peek(Ident::peek_any) && input.peek2(Token![=])) {
            args.state = misplaced_state(input, errors)?;
        } else {
            match input.call(Path::parse_mod_style) {
                Ok(path) => {
                    args.state = Some(path);
                    parse_comma(input, errors);
                }
                Err(_) => {
                    errors.at(input.span(), STATE_FIRST);
                    skip_argument(input);
                }
            }
        }
        each_argument(input, errors, |word, input, errors| node_arg(word, input, &mut args, errors));
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    args
}

const STATE_FIRST: &str =
    "the first argument of `#[node]` must be the type of the state: `#[node(Ticket, writes = plan)]`";

/// Reports that the first argument is not the type of the state. Returns the type if it is given as `state = Ticket`.
fn misplaced_state(input: ParseStream, errors: &mut Errors) -> Result<Option<Path>> {
    let ahead = input.fork();
    if ahead.call(Ident::parse_any).is_ok_and(|word| word == "state") {
        let word = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        if let Ok(path) = input.call(Path::parse_mod_style) {
            errors.at(
                word.span(),
                format!(
                    "the type of the state has no name before it: write `#[node({}, …)]`",
                    names::text(&path)
                ),
            );
            parse_comma(input, errors);
            return Ok(Some(path));
        }
    }
    errors.at(input.span(), STATE_FIRST);
    Ok(None)
}

fn node_arg(word: &Ident, input: ParseStream, args: &mut Args, errors: &mut Errors) -> Result<()> {
    if word == "__interrupt" {
        let content;
        parenthesized!(content in input);
        let interrupt = args.interrupt.insert(Interrupt::default());
        each_argument(&content, errors, |word, input, errors| interrupt_arg(word, input, interrupt, errors));
        return Ok(());
    }
    if !NODE.iter().any(|known| word == known) && (input.is_empty() || input.peek(Token![,])) {
        // `writes = plan, notes`: a name without a value, right after the names of fields.
        let is_state = args.state.is_none() && word.to_string().starts_with(char::is_uppercase);
        if !is_state && args.ends_in_writes && names::near(&word.to_string(), NODE).is_none() {
            let first = args.writes.first().map(names::plain).unwrap_or_default();
            errors.at(
                word.span(),
                format!("several fields are written in parentheses: `writes = ({first}, {word})`"),
            );
            add_name(word.clone(), &mut args.writes, errors);
            return Ok(());
        }
        // `writes = plan, Ticket`: the state, which is reported as not the first argument.
        if is_state {
            args.state = Some(word.clone().into());
            return Ok(());
        }
    }
    args.ends_in_writes = word == "writes";
    match known_argument(word, &NODE, "node", errors)? {
        "writes" => {
            let done = parse_names(word, "plan", input, &mut args.writes, errors);
            args.is_writes_invalid |= args.writes.is_empty();
            done
        }
        "effect" => set_once(word, &mut args.effect, word.span(), errors),
        "idempotent" => set_once(word, &mut args.idempotent, word.span(), errors),
        "risk" => {
            parse_equals(word, "low", input)?;
            let level = input
                .call(Ident::parse_any)
                .map_err(|e| syn::Error::new(e.span(), "expected `risk = low`"))?;
            if level == "low" {
                args.low_risk = Some(level.span());
            } else if level != "medium" && level != "high" {
                errors.at(
                    level.span(),
                    format!("`risk = {level}` does not exist: write `risk = low` if the effect needs no signature, or `risk = medium` or `risk = high` if it does"),
                );
            }
            set_once(word, &mut args.risk, level, errors)
        }
        "retries" => {
            parse_equals(word, "3", input)?;
            let number: LitInt = input.parse()?;
            set_once(word, &mut args.retries, (word.span(), number.base10_parse()?), errors)
        }
        "backoff" => {
            let ms = duration(word, "1s", input)?;
            set_once(word, &mut args.backoff_ms, ms, errors)
        }
        _ => {
            let ms = duration(word, "30s", input)?;
            set_once(word, &mut args.timeout_ms, ms, errors)
        }
    }
}

fn interrupt_arg(word: &Ident, input: ParseStream, args: &mut Interrupt, errors: &mut Errors) -> Result<()> {
    match known_argument(word, &INTERRUPT, "interrupt_before", errors)? {
        "role" => {
            parse_equals(word, "\"refund-approver\"", input)?;
            let role: Expr = input.parse()?;
            set_once(word, &mut args.role, role, errors)
        }
        "expires" => {
            parse_equals(word, "\"24h\"", input)?;
            let expires: Expr = input.parse()?;
            set_once(word, &mut args.expires, expires, errors)
        }
        "remind" => {
            let ms = duration(word, "4h", input)?;
            set_once(word, &mut args.remind_ms, ms, errors)
        }
        "edit" => {
            parse_equals(word, "false", input)?;
            let edit: LitBool = input.parse().map_err(|e| {
                syn::Error::new(
                    e.span(),
                    "`edit` must be a bool: write `edit = false` if the review accepts no edit",
                )
            })?;
            set_once(word, &mut args.edit, edit.value, errors)
        }
        "when" => {
            parse_equals(word, "draft.amount > 100.0", input)?;
            let condition: Expr = input.parse()?;
            set_once(word, &mut args.when, condition, errors)
        }
        "risk" => {
            parse_equals(word, "high", input)?;
            let risk: Expr = input.parse()?;
            set_once(word, &mut args.risk, risk, errors)
        }
        "reversible" => {
            parse_equals(word, "false", input)?;
            let reversible: LitBool = input.parse().map_err(|e| {
                syn::Error::new(
                    e.span(),
                    "`reversible` must be a bool: write `reversible = false` if the action cannot be undone",
                )
            })?;
            set_once(word, &mut args.reversible, reversible, errors)
        }
        "not" => {
            parse_equals(word, "requester", input)?;
            let who = input.call(Ident::parse_any)?;
            if who != "requester" {
                errors.at(
                    who.span(),
                    format!("`not = {who}` does not exist: write `not = requester`, so that the person who started the thread may not sign"),
                );
            }
            set_once(word, &mut args.not, who, errors)
        }
        "covers" => parse_names(word, "(hold, wire)", input, &mut args.covers, errors),
        "show" => parse_names(word, "(iban)", input, &mut args.show, errors),
        "unsigned" => {
            if !input.peek(Paren) {
                let message =
                    "`unsigned` takes the fields that need no signature in parentheses: `unsigned(message)`";
                return Err(syn::Error::new(word.span(), message));
            }
            parse_list(word, input, &mut args.unsigned, errors)
        }
        _ => {
            parse_equals(word, "draft", input)?;
            let field = parse_name(word, input, errors)?;
            set_once(word, &mut args.review, field, errors)
        }
    }
}

/// Calls `arg` on each `word …` of a list. After an error it continues behind the next comma.
pub(crate) fn each_argument(
    input: ParseStream,
    errors: &mut Errors,
    mut arg: impl FnMut(&Ident, ParseStream, &mut Errors) -> Result<()>,
) {
    while !input.is_empty() {
        let done = input.call(Ident::parse_any).and_then(|word| arg(&word, input, errors));
        match done {
            Ok(()) => parse_comma(input, errors),
            Err(error) => {
                errors.push(error);
                skip_argument(input);
            }
        }
    }
}

/// Parses the comma before the next argument.
fn parse_comma(input: ParseStream, errors: &mut Errors) {
    if !input.is_empty() && input.parse::<Token![,]>().is_err() {
        errors.at(input.span(), "expected `,` between arguments");
        skip_argument(input);
    }
}

fn skip_argument(input: ParseStream) {
    while !input.is_empty() {
        if input.parse::<Token![,]>().is_ok() || input.parse::<proc_macro2::TokenTree>().is_err() {
            return;
        }
    }
}

/// Returns the argument that `word` names. A near miss is reported and then treated as the word it is similar to.
pub(crate) fn known_argument<'a>(
    word: &Ident,
    words: &[&'a str],
    attribute: &str,
    errors: &mut Errors,
) -> Result<&'a str> {
    let given = word.to_string();
    if let Some(known) = words.iter().find(|known| **known == given) {
        return Ok(known);
    }
    let message = format!("`#[{attribute}]` has no argument `{given}`");
    match names::near(&given, words.iter().copied()) {
        Some(near) => {
            errors.at(word.span(), format!("{message}; did you mean `{near}`?"));
            Ok(near)
        }
        None => Err(syn::Error::new(
            word.span(),
            format!("{message}; it takes {}", names::list(words.iter().copied())),
        )),
    }
}

pub(crate) fn parse_equals(word: &Ident, example: &str, input: ParseStream) -> Result<()> {
    match input.parse::<Token![=]>() {
        Ok(_) => Ok(()),
        Err(_) => Err(syn::Error::new(word.span(), format!("`{word}` needs a value: `{word} = {example}`"))),
    }
}

pub(crate) fn set_once<T>(word: &Ident, slot: &mut Option<T>, value: T, errors: &mut Errors) -> Result<()> {
    if slot.replace(value).is_some() {
        errors.at(word.span(), format!("`{word}` is given twice"));
    }
    Ok(())
}

/// Parses `= "24h"` into milliseconds.
fn duration(word: &Ident, example: &str, input: ParseStream) -> Result<u64> {
    parse_equals(word, &format!("\"{example}\""), input)?;
    let wrong = |span| {
        syn::Error::new(
            span,
            format!(
                "a duration is a number and a unit, `ms`, `s`, `m`, `h` or `d`: `{word} = \"{example}\"`"
            ),
        )
    };
    let literal: LitStr = input.parse().map_err(|e: syn::Error| wrong(e.span()))?;
    milliseconds(&literal.value()).ok_or_else(|| wrong(literal.span()))
}

/// Returns the milliseconds of a duration such as `24h`; `None` if it is none, or is zero.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor).filter(|ms| *ms > 0)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn parsed(tokens: TokenStream) -> (Args, Vec<String>) {
        let mut errors = Errors::default();
        let args = parse(tokens, &mut errors);
        (args, errors.messages())
    }

    #[test]
    fn every_argument_is_parsed() {
        let (args, errors) = parsed(quote!(
            crate::Ticket,
            writes = (plan, r#type),
            effect,
            idempotent,
            retries = 3,
            backoff = "1s",
            timeout = "30s",
            __interrupt(role = "approver", expires = "24h", review = draft)
        ));
        assert_eq!(errors, [""; 0]);
        assert_eq!(args.writes.iter().map(names::plain).collect::<Vec<_>>(), ["plan", "type"]);
        assert!(args.effect.is_some() && args.idempotent.is_some() && args.low_risk.is_none());
        assert_eq!(
            (args.retries.unwrap().1, args.backoff_ms, args.timeout_ms),
            (3, Some(1_000), Some(30_000))
        );
        let interrupt = args.interrupt.unwrap();
        assert!(interrupt.role.is_some() && interrupt.expires.is_some());
        assert_eq!(interrupt.review.unwrap().to_string(), "draft");
    }

    #[test]
    fn all_errors_are_reported() {
        let (args, errors) =
            parsed(quote!(Ticket, write = plan, colour = red, efect, timeout = 30, risk = hi));
        assert_eq!(
            errors,
            [
                "`#[node]` has no argument `write`; did you mean `writes`?",
                "`#[node]` has no argument `colour`; it takes `writes`, `effect`, `idempotent`, `risk`, `retries`, `backoff` and `timeout`",
                "`#[node]` has no argument `efect`; did you mean `effect`?",
                "a duration is a number and a unit, `ms`, `s`, `m`, `h` or `d`: `timeout = \"30s\"`",
                "`risk = hi` does not exist: write `risk = low` if the effect needs no signature, or `risk = medium` or `risk = high` if it does",
            ]
        );
        assert_eq!(args.writes.len(), 1);
        assert!(args.effect.is_some());
    }

    #[test]
    fn the_state_must_be_the_first_argument() {
        for (tokens, has_state) in [
            (quote!(), false),
            (quote!(writes = plan), false),
            (quote!("x"), false),
            (quote!(state = Ticket, writes = plan), true),
            (quote!(writes = plan, Ticket, effect), true),
            (quote!(effect, Ticket), true),
        ] {
            let (args, errors) = parsed(tokens);
            assert_eq!((errors.len(), args.state.is_some()), (1, has_state), "{errors:?}");
        }
    }

    #[test]
    fn names_in_another_form_are_one_error_and_are_parsed() {
        for (tokens, words) in [
            (quote!(Ticket, writes = "plan"), "write `plan` instead of `\"plan\"`"),
            (quote!(Ticket, writes = [plan]), "in parentheses"),
            (quote!(Ticket, writes(plan), effect), "`writes` needs a `=`"),
            (quote!(Ticket, writes = ("plan")), "without quotes"),
        ] {
            let (args, errors) = parsed(tokens);
            assert!(errors.len() == 1 && errors[0].contains(words), "{words}: {errors:?}");
            assert_eq!(args.writes, ["plan"]);
            assert!(!args.is_writes_invalid);
        }
        let (args, errors) = parsed(quote!(Ticket, writes = plan, notes, effect));
        assert_eq!(errors, ["several fields are written in parentheses: `writes = (plan, notes)`"]);
        assert!(args.writes.len() == 2 && args.effect.is_some());
        for tokens in [quote!(Ticket, writes), quote!(Ticket, writes = 3), quote!(Ticket, writes = "a, b")] {
            let (args, errors) = parsed(tokens);
            assert!(args.is_writes_invalid && errors.len() == 1, "{errors:?}");
        }
    }

    #[test]
    fn durations_are_parsed() {
        for (text, ms) in [
            ("250ms", Some(250)),
            ("2 m", Some(120_000)),
            ("7d", Some(604_800_000)),
            ("7", None),
            ("h", None),
            ("0s", None),
            ("99999999999999999d", None),
        ] {
            assert_eq!(milliseconds(text), ms, "{text}");
        }
    }
}
