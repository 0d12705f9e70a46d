//! Drawing a graph as SVG.

use std::fmt::Write as _;

use hitl_runtime::graph::{EdgeKind, EdgeSpec, GraphSpec, Point};
use unicode_width::UnicodeWidthStr as _;

use super::{
    EdgeLabel, Highlight, covered,
    item::Size,
    layout::{Arrow, Layout, Point as At, layout},
    signers,
};

const MARGIN: f64 = 28.0;
const TITLE: f64 = 30.0;
/// The maximum length of a label in characters. A longer one is cut, and its full text is a tooltip.
const MAX_LABEL_CHARS: usize = 40;

const STYLE: &str = "
    text { font-family: ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif; text-anchor: middle; }
    .name, .case { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
    .title { font-size: 14px; font-weight: 600; fill: #0f172a; text-anchor: start; }
    .name { font-size: 13px; fill: #0f172a; }
    .note { font-size: 10.5px; fill: #64748b; }
    .end { font-size: 12px; fill: #475569; }
    .label { font-size: 11px; fill: #475569; }
    .case { font-size: 11px; fill: #334155; }
    .plate { fill: #ffffff; }
    .node { fill: #ffffff; stroke: #94a3b8; stroke-width: 1.25; }
    .effect { stroke: #475569; stroke-width: 2; }
    .review { fill: #fffbeb; stroke: #d97706; stroke-width: 1.75; }
    .pause { fill: #d97706; }
    .point { fill: #f1f5f9; stroke: #94a3b8; stroke-width: 1.25; }
    .bar { stroke: #334155; stroke-width: 5; stroke-linecap: round; }
    .edge { fill: none; stroke: #64748b; stroke-width: 1.4; }
    .reject { stroke: #dc2626; stroke-dasharray: 5 4; } text.reject { fill: #b91c1c; stroke: none; }
    .ask { stroke: #2563eb; stroke-dasharray: 5 4; } text.ask { fill: #1d4ed8; stroke: none; }
    .expire { stroke: #7c3aed; stroke-dasharray: 5 4; } text.expire { fill: #6d28d9; stroke: none; }
    .here { fill: #f59e0b; stroke: #92400e; stroke-width: 2.5; } .here-glow { fill: #f59e0b; opacity: 0.22; }
    .here-text { fill: #1c1004; } .here-pause { fill: #1c1004; }
    .trouble { fill: #dc2626; stroke: #7f1d1d; stroke-width: 2.5; } .trouble-glow { fill: #dc2626; opacity: 0.2; }
    .trouble-text { fill: #ffffff; } .trouble-pause { fill: #ffffff; }
    .done { fill: #16a34a; stroke: #14532d; stroke-width: 2.5; } .done-glow { fill: #16a34a; opacity: 0.2; }
    .done-text { fill: #ffffff; }
";

/// Draws the graph as SVG, with the position of a thread highlighted.
pub fn svg(spec: &GraphSpec, highlight: &Highlight) -> String {
    let last = spec.nodes.len() + 1;
    let index = |point: Point| match point {
        Point::Start => 0,
        Point::Node(node) => node + 1,
        Point::End => last,
    };
    let sizes: Vec<Size> = (0..=last).map(|i| size(spec, i)).collect();
    let labels: Vec<Option<Label>> = spec.edges.iter().map(|edge| Label::of(spec, edge)).collect();
    let arrows: Vec<Arrow> = spec
        .edges
        .iter()
        .zip(&labels)
        .map(|(edge, label)| Arrow {
            from: index(edge.from),
            to: index(edge.to),
            label: label.as_ref().map_or(Size::default(), |label| Size { w: label.width() + 12.0, h: 18.0 }),
            weight: if verdict(edge).is_some() { 1.0 } else { 4.0 },
        })
        .collect();
    let Layout { size: whole, boxes, paths, labels: places } = layout(&sizes, &arrows);
    // An arrow from a node to itself extends to the right.
    let loops = arrows
        .iter()
        .filter(|arrow| arrow.from == arrow.to)
        .map(|arrow| 56.0 + arrow.label.w)
        .fold(0.0, f64::max);
    let title = format!("{} ", spec.name);
    let w = (whole.w + loops).max(title.width() as f64 * 8.4) + 2.0 * MARGIN;
    let h = whole.h + TITLE + 2.0 * MARGIN;
    let (dx, dy) = ((w - whole.w - loops) / 2.0, MARGIN + TITLE);
    let moved = |p: At| At { x: p.x + dx, y: p.y + dy };

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n<defs>\n",
        xml(spec.name)
    );
    for (id, color) in [("next", "#64748b"), ("reject", "#dc2626"), ("ask", "#2563eb"), ("expire", "#7c3aed")]
    {
        let _ = writeln!(
            out,
            "<marker id=\"to-{id}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" \
             orient=\"auto-start-reverse\"><path d=\"M0 1 L9.5 5 L0 9 z\" fill=\"{color}\"/></marker>"
        );
    }
    let _ = write!(out, "</defs>\n<rect class=\"plate\" width=\"100%\" height=\"100%\" rx=\"10\"/>\n");
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
        MARGIN + 8.0,
        xml(spec.name)
    );
    for i in 0..=last {
        glow(&mut out, highlight.class(spec, i), moved(boxes[i]), sizes[i]);
    }
    for ((edge, path), arrow) in spec.edges.iter().zip(&paths).zip(&arrows) {
        let kind = verdict(edge);
        let path: Vec<At> = path.iter().copied().map(moved).collect();
        let d =
            if path.is_empty() { around(moved(boxes[arrow.from]), sizes[arrow.from]) } else { smooth(&path) };
        let class = kind.unwrap_or_default();
        let marker = kind.unwrap_or("next");
        let _ = writeln!(out, "<path class=\"edge {class}\" marker-end=\"url(#to-{marker})\" d=\"{d}\"/>");
    }
    for (((label, place), edge), arrow) in labels.iter().zip(&places).zip(spec.edges).zip(&arrows) {
        let Some(label) = label else { continue };
        let own = boxes[arrow.from];
        let beside = At { x: own.x + sizes[arrow.from].w / 2.0 + 34.0 + label.width() / 2.0, y: own.y };
        let at = moved(if arrow.from == arrow.to { beside } else { *place });
        label.put(&mut out, at, verdict(edge));
    }
    for i in 0..=last {
        item(&mut out, spec, highlight, i, moved(boxes[i]), sizes[i]);
    }
    for fork in spec.forks {
        bar(
            &mut out,
            spec,
            &paths,
            |edge| edge.from == fork.from && matches!(edge.kind, EdgeKind::Fork { .. }),
            |path| path.first(),
            &moved,
        );
        bar(
            &mut out,
            spec,
            &paths,
            |edge| edge.to == fork.join && edge.joins.is_some(),
            |path| path.last(),
            &moved,
        );
    }
    out.push_str("</svg>\n");
    out
}

fn verdict(edge: &EdgeSpec) -> Option<&'static str> {
    match edge.kind {
        EdgeKind::Reject => Some("reject"),
        EdgeKind::Ask => Some("ask"),
        EdgeKind::Expire => Some("expire"),
        _ => None,
    }
}

/// The text of an edge, whole and as shown.
struct Label {
    whole: String,
    shown: String,
    is_case: bool,
}

impl Label {
    fn of(spec: &GraphSpec, edge: &EdgeSpec) -> Option<Self> {
        let EdgeLabel { text: whole, is_code: is_case } = EdgeLabel::of(spec, edge)?;
        let shown = if whole.chars().count() > MAX_LABEL_CHARS {
            whole.chars().take(MAX_LABEL_CHARS - 1).chain(['…']).collect()
        } else {
            whole.clone()
        };
        Some(Self { whole, shown, is_case })
    }

    fn width(&self) -> f64 {
        self.shown.width() as f64 * if self.is_case { 6.7 } else { 6.2 }
    }

    fn put(&self, out: &mut String, at: At, verdict: Option<&str>) {
        let w = self.width() + 8.0;
        let class = if self.is_case { "case" } else { "label" };
        let _ = writeln!(
            out,
            "<rect class=\"plate\" x=\"{:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"16\" rx=\"4\"/>\
             <text class=\"{class} {}\" x=\"{:.1}\" y=\"{:.1}\"><title>{}</title>{}</text>",
            at.x - w / 2.0,
            at.y - 8.0,
            verdict.unwrap_or_default(),
            at.x,
            at.y + 3.8,
            xml(&self.whole),
            xml(&self.shown)
        );
    }
}

/// Returns the second line of a node's box.
fn note(spec: &GraphSpec, node: usize) -> Option<String> {
    let node = spec.nodes.get(node)?;
    match (&node.interrupt, node.effect) {
        (Some(interrupt), _) => {
            let covered = covered(node).map(|others| format!(", {others}")).unwrap_or_default();
            let when = interrupt.when.map(|when| format!(" if {}", when.text)).unwrap_or_default();
            Some(match signers(interrupt) {
                Some(role) => format!("{} signed by {role}{covered}{when}", interrupt.field),
                None => format!("{} signed{covered}{when}", interrupt.field),
            })
        }
        (None, true) => Some("effect".to_owned()),
        (None, false) => None,
    }
}

fn size(spec: &GraphSpec, index: usize) -> Size {
    let Some(node) = index.checked_sub(1).and_then(|i| spec.nodes.get(i)) else {
        // Wide enough for the arrows that meet here.
        let point = if index == 0 { Point::Start } else { Point::End };
        let arrows = spec.edges_to(point).count().max(spec.edges_from(point).count());
        return Size { w: (arrows as f64 * 24.0 + 16.0).max(64.0), h: 26.0 };
    };
    if node.junction {
        return Size { w: (node.name.width() as f64 * 5.8 + 24.0).max(64.0), h: 22.0 };
    }
    let note = note(spec, index - 1);
    let name = node.name.width() as f64 * 7.9;
    let second = note.as_ref().map_or(0.0, |note| note.width() as f64 * 5.8);
    let pause = if node.interrupt.is_some() { 22.0 } else { 0.0 };
    Size { w: (name.max(second) + 34.0 + pause).max(84.0), h: if note.is_some() { 46.0 } else { 34.0 } }
}

fn glow(out: &mut String, highlight: Option<&str>, at: At, size: Size) {
    let Some(highlight) = highlight else { return };
    let _ = writeln!(
        out,
        "<rect class=\"{highlight}-glow\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"14\"/>",
        at.x - size.w / 2.0 - 7.0,
        at.y - size.h / 2.0 - 7.0,
        size.w + 14.0,
        size.h + 14.0
    );
}

fn item(out: &mut String, spec: &GraphSpec, highlight: &Highlight, index: usize, at: At, size: Size) {
    let node = index.checked_sub(1).and_then(|i| spec.nodes.get(i));
    let is_end = index > spec.nodes.len();
    let highlight = highlight.class(spec, index);
    let (is_lit, glow) = (highlight.is_some(), highlight.unwrap_or_default());
    let (x, y) = (at.x - size.w / 2.0, at.y - size.h / 2.0);
    let round = if node.is_some_and(|node| !node.junction) { 7.0 } else { size.h / 2.0 };
    let class = match node {
        None => "point",
        Some(node) if node.junction => "point junction",
        Some(node) if node.interrupt.is_some() => "node review",
        Some(node) if node.effect => "node effect",
        Some(_) => "node",
    };
    let _ = writeln!(
        out,
        "<rect class=\"{class} {glow}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{round:.1}\"/>",
        size.w, size.h
    );
    let text = |class: &str, x: f64, y: f64, words: &str| {
        let highlight = if is_lit { format!("{glow}-text") } else { String::new() };
        format!("<text class=\"{class} {highlight}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", xml(words))
    };
    let Some(spec_of) = node else {
        out.push_str(&text("end", at.x, at.y + 4.0, if is_end { "end" } else { "start" }));
        return;
    };
    if spec_of.junction {
        out.push_str(&text("note", at.x, at.y + 4.0, spec_of.name));
        return;
    }
    let middle = if spec_of.interrupt.is_some() {
        for bar in [0.0, 6.0] {
            let class = if is_lit { format!("{glow}-pause") } else { "pause".to_owned() };
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"3.5\" height=\"13\" rx=\"1\"/>",
                x + 14.0 + bar,
                at.y - 6.5
            );
        }
        at.x + 11.0
    } else {
        at.x
    };
    match note(spec, index - 1) {
        Some(note) => {
            out.push_str(&text("name", middle, at.y - 3.0, spec_of.name));
            out.push_str(&text("note", middle, at.y + 13.0, &note));
        }
        None => out.push_str(&text("name", middle, at.y + 4.5, spec_of.name)),
    }
}

/// Draws the bar at which branches fork or join.
fn bar<'a>(
    out: &mut String,
    spec: &GraphSpec,
    paths: &'a [Vec<At>],
    is_of_it: impl Fn(&EdgeSpec) -> bool,
    end: impl Fn(&'a Vec<At>) -> Option<&'a At>,
    moved: &dyn Fn(At) -> At,
) {
    let ends =
        spec.edges.iter().zip(paths).filter(|(edge, _)| is_of_it(edge)).filter_map(|(_, path)| end(path));
    let ends: Vec<At> = ends.copied().map(moved).collect();
    let (Some(y), true) = (ends.first().map(|at| at.y), ends.len() > 1) else { return };
    let left = ends.iter().map(|at| at.x).fold(f64::MAX, f64::min) - 8.0;
    let right = ends.iter().map(|at| at.x).fold(f64::MIN, f64::max) + 8.0;
    let _ =
        writeln!(out, "<line class=\"bar\" x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\"/>");
}

/// Returns a curve that starts and ends vertically, and between two points never leaves their horizontal range.
fn smooth(path: &[At]) -> String {
    let lean = |a: At, b: At| (b.x - a.x) / (b.y - a.y);
    let slope = |i: usize| {
        let (Some(before), Some(after)) = (i.checked_sub(1).and_then(|i| path.get(i)), path.get(i + 1))
        else {
            return 0.0;
        };
        let (a, b) = (lean(*before, path[i]), lean(path[i], *after));
        // The harmonic mean; vertical at a turning point.
        if a * b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
    };
    let mut d = path.first().map(|at| format!("M{:.1} {:.1}", at.x, at.y)).unwrap_or_default();
    for (i, pair) in path.windows(2).enumerate() {
        let (a, b) = (pair[0], pair[1]);
        let pull = (b.y - a.y) * if i == 0 || i + 2 == path.len() { 0.45 } else { 1.0 / 3.0 };
        let (one, two) = (a.x + slope(i) * pull, b.x - slope(i + 1) * pull);
        let _ = write!(d, " C{one:.1} {:.1} {two:.1} {:.1} {:.1} {:.1}", a.y + pull, b.y - pull, b.x, b.y);
    }
    d
}

/// Returns a loop from the right side of a box to itself.
fn around(at: At, size: Size) -> String {
    let (x, y) = (at.x + size.w / 2.0, at.y);
    format!(
        "M{x:.1} {:.1} C{:.1} {:.1} {:.1} {:.1} {x:.1} {:.1}",
        y - 9.0,
        x + 34.0,
        y - 24.0,
        x + 34.0,
        y + 24.0,
        y + 9.0
    )
}

fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
