//! The text of a Rust expression, as rustfmt spaces it on one line. It is in journals, so it depends on the tokens alone,
//! and not on how the source is wrapped.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// Formats an expression: `draft.amount > 100.0 && !risk.is_low()`.
pub(crate) fn expr_text(expr: impl ToTokens) -> String {
    let mut text = Text::default();
    text.add(expr.to_token_stream());
    text.out
}

/// The text so far, and what the spacing of the next token depends on.
#[derive(Default)]
struct Text {
    out: String,
    /// `true` after an operand: what follows is a binary operator, a member, or an argument list.
    after_operand: bool,
    /// `true` if a space must come before the next token, unless it is punctuation that sticks to the one before.
    space: bool,
    /// `true` within the parameters of a closure.
    in_closure: bool,
    /// The depth within the `<…>` of a path.
    generics: usize,
}

/// Keywords after which an operand begins.
const BEFORE_OPERAND: [&str; 10] = ["as", "else", "if", "in", "let", "match", "move", "mut", "ref", "return"];

impl Text {
    fn add(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.group(group.delimiter(), group.stream()),
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    self.word(&word);
                    self.after_operand = !BEFORE_OPERAND.contains(&word.as_str());
                }
                TokenTree::Literal(literal) => {
                    self.word(&literal.to_string());
                    self.after_operand = true;
                }
                TokenTree::Punct(first) => {
                    let mut operator = String::from(first.as_char());
                    let mut spacing = first.spacing();
                    while spacing == Spacing::Joint
                        && self.generics == 0
                        && let Some(TokenTree::Punct(next)) = tokens.next_if(|next| is_part(&operator, next))
                    {
                        operator.push(next.as_char());
                        spacing = next.spacing();
                    }
                    self.operator(&operator);
                }
            }
        }
    }

    fn word(&mut self, word: &str) {
        if self.space || self.after_operand {
            self.out.push(' ');
        }
        self.out.push_str(word);
        self.space = BEFORE_OPERAND.contains(&word);
    }

    fn group(&mut self, delimiter: Delimiter, inner: TokenStream) {
        // An expression that a `macro_rules!` was given binds as if it were in parentheses.
        let is_one = delimiter == Delimiter::None && inner.clone().into_iter().count() < 2;
        let delimiter = match delimiter {
            Delimiter::None if !is_one => Delimiter::Parenthesis,
            delimiter => delimiter,
        };
        let (open, close, pad) = match delimiter {
            Delimiter::Parenthesis => ("(", ")", ""),
            Delimiter::Bracket => ("[", "]", ""),
            Delimiter::Brace => ("{", "}", " "),
            Delimiter::None => ("", "", ""),
        };
        if self.space || self.after_operand && delimiter == Delimiter::Brace {
            self.out.push(' ');
        }
        self.out.push_str(open);
        let mut text = Self::default();
        text.add(inner);
        if !text.out.is_empty() {
            self.out.extend([pad, &text.out, pad]);
        }
        self.out.push_str(close);
        (self.after_operand, self.space) = (true, false);
    }

    fn operator(&mut self, operator: &str) {
        let is_binary = self.after_operand;
        let (before, after) = match operator {
            "." | ".." | "..=" | "?" | "::" => (self.space && !is_binary, false),
            "!" if is_binary => (false, false),
            "," | ";" | ":" => (false, true),
            "'" => (self.space, false),
            "<" if self.out.ends_with("::") => {
                self.generics = 1;
                (false, false)
            }
            "<" if self.generics > 0 => {
                self.generics += 1;
                (false, false)
            }
            ">" if self.generics > 0 => {
                self.generics -= 1;
                (false, false)
            }
            "|" if self.in_closure => {
                self.in_closure = false;
                (false, true)
            }
            "|" if !is_binary => {
                self.in_closure = true;
                (self.space, false)
            }
            "||" if !is_binary => (self.space, true),
            // A unary operator.
            _ if !is_binary => (self.space, false),
            _ => (true, true),
        };
        if before {
            self.out.push(' ');
        }
        self.out.push_str(operator);
        self.space = after;
        self.after_operand = operator == "?" || operator == ">" && !after;
    }
}

/// Returns whether a token continues an operator of several characters, such as `==` and `..=`.
fn is_part(operator: &str, next: &TokenTree) -> bool {
    let TokenTree::Punct(next) = next else { return false };
    let longer = format!("{operator}{}", next.as_char());
    ["==", "!=", "<=", ">=", "&&", "||", "::", "..", "..=", "=>", "->", "<<", ">>"].contains(&longer.as_str())
}

#[cfg(test)]
mod tests {
    use proc_macro2::Group;
    use quote::quote;

    use super::*;

    #[test]
    fn an_expression_is_spaced_as_rustfmt_does() {
        for text in [
            "draft.amount > 100.0",
            "draft.cents > limit(&draft.tag)",
            "!risk.is_low() && (draft.amount >= -1.5 || *plan != x)",
            "matches!(risk, Risk::High | Risk::Middle)",
            "draft.items.iter().any(|item| item.cents as u64 * 2 > LIMIT)",
            "draft.items.iter().map(|item| item.cents).sum::<u64>() > 7",
            "match risk { Risk::High => true, Risk::Low => draft.cents > 7 }",
            "if draft.urgent { true } else { draft.cents > 1 }",
            "(1..=5).contains(&draft.cents)",
            "draft.tags[0] == \"vip\" && draft.codes.len() % 2 == 1",
            "draft.parse::<u8>()? > 1",
            "Pair { draft, other: 1 }.is_large()",
            "draft.f(|| true)",
            "Some(&draft.cents) < None",
        ] {
            let tokens: TokenStream = text.parse().unwrap();
            assert_eq!(expr_text(tokens), text);
        }
    }

    #[test]
    fn an_argument_of_a_macro_stays_together() {
        let sum = Group::new(Delimiter::None, "draft.a + draft.b".parse().unwrap());
        let one = Group::new(Delimiter::None, "limit".parse().unwrap());
        assert_eq!(expr_text(quote!(#sum * 2 > #one)), "(draft.a + draft.b) * 2 > limit");
    }
}
