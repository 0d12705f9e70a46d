//! The arguments of `#[state(…)]`.

use proc_macro2::{Ident, TokenStream};
use syn::{
    Expr, Lit, Result,
    parse::{ParseStream, Parser},
};

use crate::{
    diagnostics::Errors,
    node::args::{each_argument, known_argument, parse_equals, set_once},
};

const STATE: [&str; 2] = ["version", "migrate"];

/// The arguments: the version, and the migration from earlier ones.
pub(crate) struct Args {
    pub(crate) version: u32,
    pub(crate) migrate: Option<Expr>,
}

/// The arguments as written, before they are checked against each other.
#[derive(Default)]
struct RawArgs {
    version: Option<Lit>,
    migrate: Option<(Ident, Expr)>,
}

pub(super) fn parse(tokens: TokenStream, state: &Ident, errors: &mut Errors) -> Args {
    let mut given = RawArgs::default();
    let parser = |input: ParseStream| {
        each_argument(input, errors, |word, input, errors| arg(word, input, &mut given, errors));
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    let version = match &given.version {
        None => Some(1),
        Some(Lit::Int(number)) => number.base10_parse().ok().filter(|version| *version > 0),
        Some(_) => None,
    };
    match (&given.version, version, &given.migrate) {
        (literal, None, _) => {
            errors.on(literal, "`version` must be a whole number from 1 to 4294967295: the first version is 1, the next `version = 2`");
        }
        (Some(literal), Some(version @ 2..), None) => errors.on(
            literal,
            format!(
                "version {version} of state `{state}` needs a migration from earlier versions: add `migrate = f`, with `fn f(from: u32, fields: &mut hitl::journal::Map) -> hitl::NodeResult<()>`"
            ),
        ),
        (_, Some(1), Some((word, _))) => errors.at(
            word.span(),
            format!("state `{state}` has `migrate`, but is at version 1, the first: add `version = 2`, or remove `migrate`"),
        ),
        _ => {}
    }
    Args { version: version.unwrap_or(1), migrate: given.migrate.map(|(_, migrate)| migrate) }
}

fn arg(word: &Ident, input: ParseStream, given: &mut RawArgs, errors: &mut Errors) -> Result<()> {
    match known_argument(word, &STATE, "state", errors)? {
        "version" => {
            parse_equals(word, "2", input)?;
            let number = input.parse()?;
            set_once(word, &mut given.version, number, errors)
        }
        _ => {
            parse_equals(word, "my_fn", input)?;
            let migrate = (word.clone(), input.parse()?);
            set_once(word, &mut given.migrate, migrate, errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::{format_ident, quote};

    use super::*;
    use crate::names;

    fn parsed(tokens: TokenStream) -> (u32, Option<String>, Vec<String>) {
        let mut errors = Errors::default();
        let args = parse(tokens, &format_ident!("Ticket"), &mut errors);
        (args.version, args.migrate.map(names::text), errors.messages())
    }

    #[test]
    fn version_and_migration_are_parsed_in_any_order() {
        let none = Vec::new();
        assert_eq!(parsed(quote!()), (1, None, none.clone()));
        assert_eq!(parsed(quote!(version = 1)), (1, None, none.clone()));
        assert_eq!(
            parsed(quote!(migrate = self::migrate_ticket, version = 3)),
            (3, Some("self::migrate_ticket".into()), none)
        );
    }

    #[test]
    fn version_and_migration_require_each_other() {
        for (tokens, words) in [
            (quote!(version = 2), "needs a migration"),
            (quote!(migrate = f), "add `version = 2`"),
            (quote!(version = 1, migrate = f), "add `version = 2`"),
            (quote!(version = 0, migrate = f), "the first version is 1"),
            (quote!(version = "2", migrate = f), "a whole number"),
            (quote!(version = 99999999999, migrate = f), "a whole number"),
            (quote!(version = 2, version = 2, migrate = f), "`version` is given twice"),
            (quote!(versoin = 2, migrate = f), "did you mean `version`?"),
            (quote!(input), "`#[state]` has no argument `input`; it takes `version` and `migrate`"),
        ] {
            let (_, _, messages) = parsed(tokens);
            assert!(messages.len() == 1 && messages[0].contains(words), "{words}: {messages:?}");
        }
    }
}
