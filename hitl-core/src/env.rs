//! Environment variables.

use std::env::{self, VarError};

/// The error for an environment variable that is not valid Unicode. It is not treated as unset, because the variable
/// may request a safeguard.
#[derive(Debug, PartialEq)]
pub struct NotUnicode(pub &'static str);

/// Returns the trimmed value of an environment variable, or `None` if it is unset or blank.
pub fn optional_var(name: &'static str) -> Result<Option<String>, NotUnicode> {
    parse(name, env::var(name))
}

fn parse(name: &'static str, value: Result<String, VarError>) -> Result<Option<String>, NotUnicode> {
    match value {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(NotUnicode(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_variable_is_not_treated_as_unset() {
        assert_eq!(parse("X", Ok(" alias/seals ".into())), Ok(Some("alias/seals".into())));
        assert_eq!(parse("X", Ok(" ".into())), Ok(None));
        assert_eq!(parse("X", Err(VarError::NotPresent)), Ok(None));
        assert_eq!(parse("X", Err(VarError::NotUnicode("alias/seals".into()))), Err(NotUnicode("X")));
    }
}
