//! Drawing a graph as a Mermaid flowchart.

use std::fmt::Write as _;

use hitl_runtime::graph::{EdgeKind, GraphSpec, Point};

use super::{EdgeLabel, Highlight, covered, signers};

/// Draws the graph as Mermaid text. Nodes have numbers as IDs, so that no name can be a Mermaid keyword.
pub fn mermaid(spec: &GraphSpec, highlight: &Highlight) -> String {
    let mut out = "flowchart TD\n    start([start])\n".to_owned();
    for (i, node) in spec.nodes.iter().enumerate() {
        let name = text(node.name);
        let _ = match (&node.interrupt, node.effect) {
            (Some(interrupt), _) => {
                let by = signers(interrupt).map(|role| format!(" by {}", text(&role))).unwrap_or_default();
                let others = covered(node).map(|others| format!(", {}", text(&others))).unwrap_or_default();
                let when = interrupt.when.map(|when| format!(" if {}", text(when.text))).unwrap_or_default();
                let who = format!("<br/><small>signed{by}{others}{when}</small>");
                writeln!(out, "    n{i}{{{{\"{name}{who}\"}}}}:::review")
            }
            (None, false) if node.junction => writeln!(out, "    n{i}([\"{name}\"])"),
            (None, true) => writeln!(out, "    n{i}[[\"{name}\"]]"),
            (None, false) => writeln!(out, "    n{i}[\"{name}\"]"),
        };
    }
    out.push_str("    finish([end])\n");
    for edge in spec.edges {
        let (from, to) = (id(edge.from), id(edge.to));
        let words = EdgeLabel::of(spec, edge).map(|words| text(&words.text));
        let _ = match (edge.kind, words) {
            (EdgeKind::Reject | EdgeKind::Ask | EdgeKind::Expire, Some(label)) => {
                writeln!(out, "    {from} -. \"{label}\" .-> {to}")
            }
            (EdgeKind::Fork { .. }, Some(label)) => writeln!(out, "    {from} == \"{label}\" ==> {to}"),
            (EdgeKind::Fork { .. }, None) => writeln!(out, "    {from} ==> {to}"),
            (_, Some(label)) => writeln!(out, "    {from} -- \"{label}\" --> {to}"),
            (_, None) => writeln!(out, "    {from} --> {to}"),
        };
    }
    out.push_str("    classDef review fill:#fef3c7,stroke:#d97706,color:#78350f\n");
    let mut here: Vec<String> = highlight.nodes.iter().map(|node| format!("n{node}")).collect();
    if highlight.end {
        here.push("finish".to_owned());
    }
    if !here.is_empty() {
        let colors = match (highlight.trouble, highlight.end) {
            (true, _) => "fill:#dc2626,stroke:#991b1b,color:#ffffff",
            (_, true) => "fill:#16a34a,stroke:#166534,color:#ffffff",
            _ => "fill:#f59e0b,stroke:#92400e,color:#000000",
        };
        let _ =
            write!(out, "    classDef here {colors},stroke-width:3px\n    class {} here\n", here.join(","));
    }
    out
}

fn id(point: Point) -> String {
    match point {
        Point::Start => "start".to_owned(),
        Point::Node(node) => format!("n{node}"),
        Point::End => "finish".to_owned(),
    }
}

/// Escapes text inside quotes, which Mermaid reads as HTML.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
