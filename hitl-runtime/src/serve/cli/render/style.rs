//! Few colours, each with one meaning.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// What the eye looks for first.
pub(in crate::serve::cli) const BOLD: Style = Style::new().bold();
/// What it may skip.
pub(in crate::serve::cli) const DIM: Style = Style::new().dimmed();
/// Done, added.
pub(in crate::serve::cli) const GREEN: Style = AnsiColor::Green.on_default();
/// Waits for a person.
pub(in crate::serve::cli) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Failed, removed.
pub(in crate::serve::cli) const RED: Style = AnsiColor::Red.on_default();
/// A character that is not what it seems.
pub(in crate::serve::cli) const ODD: Style = AnsiColor::Magenta.on_default().bold();

/// The text in a style.
pub(in crate::serve::cli) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
