//! Text styles, each with one meaning.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Important text.
pub(crate) const BOLD: Style = Style::new().bold();
/// Secondary text.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Success, additions.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
/// Waiting for a person.
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Failures, removals.
pub(crate) const RED: Style = AnsiColor::Red.on_default();
/// A misleading or invisible character.
pub(crate) const SUSPICIOUS: Style = AnsiColor::Magenta.on_default().bold();

/// Formats text in a style.
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
