//! The difference between a draft and its edit.

use hitl_runtime::agent::ReviewView;
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use textwrap::core::display_width;

use crate::schema::Schema;

use super::{
    style::{DIM, GREEN, RED, paint},
    table::wrap,
    value::{Row, rows},
};

/// Returns the lines that an edit removes, adds and leaves unchanged.
pub(crate) fn diff(review: &ReviewView, after: &Value, width: Option<usize>) -> String {
    let schema = Some(Schema::new(&review.schema));
    between(&rows(&review.field, &review.draft, schema), &rows(&review.field, after, schema), width)
}

fn between(old: &[Row], new: &[Row], width: Option<usize>) -> String {
    let (old_pairs, new_pairs) = (keyed(old), keyed(new));
    let column = old.iter().chain(new).map(|row| display_width(&row.key)).max().unwrap_or(0).min(32);
    let mut out = String::new();
    let mut put = |sign: &str, style, rows: &[Row]| {
        for row in rows {
            let gap = column.max(display_width(&row.key));
            let rest = width.map(|width| width.saturating_sub(gap + 6).max(20));
            for (i, line) in wrap(&row.value, rest).iter().enumerate() {
                let key = if i == 0 { row.key.as_str() } else { "" };
                let pad = " ".repeat(gap - display_width(key));
                out.push_str(&paint(style, format_args!("  {sign} {key}{pad}  {line}")));
                out.push('\n');
            }
        }
    };
    for op in capture_diff_slices(Algorithm::Myers, &old_pairs, &new_pairs) {
        match op {
            DiffOp::Equal { old_index, len, .. } => put(" ", DIM, &old[old_index..old_index + len]),
            other => {
                put("-", RED, &old[other.old_range()]);
                put("+", GREEN, &new[other.new_range()]);
            }
        }
    }
    out
}

fn keyed(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.key.as_str(), row.value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_diff_shows_unchanged_lines_around_an_edit() {
        let before = json!({ "a_order": "A-9133", "amount": 149.0, "note": "x" });
        let after = json!({ "a_order": "A-9133", "amount": 99.0, "why": "half" });
        let text = anstream::adapter::strip_str(&between(
            &rows("draft", &before, None),
            &rows("draft", &after, None),
            Some(60),
        ))
        .to_string();
        assert_eq!(
            text,
            "    a_order  A-9133\n  - amount   149\n  - note     x\n  + amount   99\n  + why      half\n"
        );
    }
}
