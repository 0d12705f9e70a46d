//! Aligned columns, by display width.

use textwrap::core::display_width;

use super::{
    style::{BOLD, DIM, paint},
    value::Row,
};
use crate::bidi::balance_isolates;

/// The maximum width of the key column; a longer key moves only its own value.
const WIDEST_KEY: usize = 32;

/// Formats keys and values in two columns, each line indented. Long values are wrapped, never cut.
pub(crate) fn pairs(rows: &[Row], indent: &str, width: Option<usize>) -> String {
    pairs_with(rows, indent, width, |key| paint(DIM, key))
}

/// Formats values to be signed as [`pairs`] does, but in bold.
pub(crate) fn signed_pairs(rows: &[Row], indent: &str, width: Option<usize>) -> String {
    let bold = rows.iter().map(|row| Row::new(row.key.as_str(), lines(&row.value, |line| paint(BOLD, line))));
    pairs(&bold.collect::<Vec<_>>(), indent, width)
}

fn lines(text: &str, each: impl Fn(&str) -> String) -> String {
    text.split('\n').map(each).collect::<Vec<_>>().join("\n")
}

pub(crate) fn pairs_with(
    rows: &[Row],
    indent: &str,
    width: Option<usize>,
    key_as: impl Fn(&str) -> String,
) -> String {
    let column = rows.iter().map(|row| display_width(&row.key)).max().unwrap_or(0).min(WIDEST_KEY);
    let mut out = String::new();
    for row in rows {
        let gap = column.max(display_width(&row.key)) + 2;
        let rest = width.map(|width| width.saturating_sub(display_width(indent) + gap).max(20));
        for (i, line) in wrap(&row.value, rest).iter().enumerate() {
            out.push_str(indent);
            if i == 0 {
                out.push_str(&key_as(&row.key));
                out.push_str(&" ".repeat(gap - display_width(&row.key)));
            } else {
                out.push_str(&" ".repeat(gap));
            }
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Splits text into lines that are not wider than `width`.
pub(crate) fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    match width {
        None => {
            let mut open = 0;
            text.split('\n').map(|line| balance_isolates(line, &mut open)).collect()
        }
        Some(width) => {
            let mut open = 0;
            let options = textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
            text.split('\n')
                .flat_map(|line| textwrap::wrap(line, &options))
                .map(|line| balance_isolates(&line, &mut open))
                .collect()
        }
    }
}

/// Formats text as one line of at most `width` columns.
pub(crate) fn short(text: &str, width: Option<usize>) -> String {
    let mut parts = text.split('\n');
    let first = parts.next().unwrap_or_default();
    let more = parts.next().is_some();
    let Some(width) = width else { return if more { text.replace('\n', " ") } else { first.to_owned() } };
    let whole = if more { text.replace('\n', " ") } else { first.to_owned() };
    if display_width(&whole) <= width {
        return whole;
    }
    // Styles are dropped in a text that is cut, because the cut might remove their reset.
    let plain = anstream::adapter::strip_str(&whole).to_string();
    let mut out = String::new();
    let mut used = 0;
    for c in plain.chars() {
        used += display_width(c.encode_utf8(&mut [0; 4]));
        if used >= width {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    balance_isolates(&out, &mut 0)
}

/// Formats columns with headings; the last one is not padded.
pub(crate) fn columns(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| display_width(head)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(display_width(cell));
        }
    }
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let mut out = String::new();
        for (cell, width) in cells.zip(&widths) {
            out.push_str(&cell);
            out.push_str(&" ".repeat(width - display_width(&cell) + 2));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    };
    let mut out = line(&mut heads.iter().map(|head| paint(DIM, head)));
    for row in rows {
        out.push_str(&line(&mut row.iter().cloned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn values_are_aligned_and_not_truncated() {
        let rows = [
            Row::new("order_id", "A-9133"),
            Row::new("reason", "it arrived broken and nobody wants it any more"),
            Row::new("注文", "箱が壊れていました"),
        ];
        let expected = "  order_id  A-9133\n  reason    it arrived broken and\n            nobody wants it any\n            more\n  注文      箱が壊れていました\n";
        assert_eq!(plain(&pairs(&rows, "  ", Some(34))), expected);
        assert!(
            plain(&pairs(&rows, "", None))
                .contains("reason    it arrived broken and nobody wants it any more\n")
        );
    }

    #[test]
    fn a_long_word_is_wrapped_completely() {
        let rows = [Row::new("k", "x".repeat(50))];
        let text = plain(&pairs(&rows, "", Some(23)));
        assert_eq!(text.matches('x').count(), 50);
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn a_second_line_cannot_pass_for_a_row() {
        let rows = [Row::new("reason", "fine\namount  1"), Row::new("amount", "900")];
        assert_eq!(plain(&pairs(&rows, "", None)), "reason  fine\n        amount  1\namount  900\n");
    }

    #[test]
    fn truncated_text_is_marked() {
        assert_eq!(short("one\ntwo", Some(20)), "one two");
        assert_eq!(short("注文を取り消す", Some(7)), "注文を…");
        assert_eq!(short("exactly", Some(7)), "exactly");
        assert_eq!(short("a longer text", None), "a longer text");
    }

    #[test]
    fn a_right_to_left_value_is_isolated_in_each_of_its_lines() {
        let rows = [Row::new("k", "\u{2068}שלום שלום שלום שלום שלום שלום שלום\u{2069}")];
        let text = plain(&pairs(&rows, "", Some(23)));
        assert!(text.lines().count() > 1);
        for line in text.lines() {
            assert_eq!(
                (line.matches('\u{2068}').count(), line.matches('\u{2069}').count()),
                (1, 1),
                "{line:?}"
            );
        }
        assert_eq!(short("\u{2068}שלום שלום\u{2069}", Some(6)), "\u{2068}שלום…\u{2069}");
    }

    #[test]
    fn headers_are_aligned_with_their_columns() {
        let rows = [vec!["t-1".to_owned(), "2 min".to_owned()], vec!["订单".to_owned(), String::new()]];
        assert_eq!(plain(&columns(&["thread", "waits"], &rows)), "thread  waits\nt-1     2 min\n订单\n");
    }
}
