//! Text styles, each with one meaning.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Important text.
pub(in crate::serve::cli) const BOLD: Style = Style::new().bold();
/// Secondary text.
pub(in crate::serve::cli) const DIM: Style = Style::new().dimmed();
/// Success, additions.
pub(in crate::serve::cli) const GREEN: Style = AnsiColor::Green.on_default();
/// Waiting for a person.
pub(in crate::serve::cli) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Failures, removals.
pub(in crate::serve::cli) const RED: Style = AnsiColor::Red.on_default();
/// A misleading or invisible character.
pub(in crate::serve::cli) const SUSPICIOUS: Style = AnsiColor::Magenta.on_default().bold();

/// Formats text in a style.
pub(in crate::serve::cli) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
