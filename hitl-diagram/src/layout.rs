//! Layered layout from top to bottom, after Sugiyama: cycles are broken by reversing edges, nodes are ranked by their
//! longest path from the start, crossings are reduced by sweeps, and each layer is placed as near to its neighbors as
//! its widths allow.
//!
//! Between two ranks is a layer of bends, one for each edge that passes, as wide as the edge's label. This leaves room
//! for labels, and keeps parallel edges between the same nodes apart.

use super::{
    item::{Item, Size},
    placement::{place, ports, straighten},
};

/// An edge between two boxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: Size,
    /// The weight of its straightness against that of other arrows.
    pub(super) weight: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// The computed positions. Boxes and labels are given by their centers.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) size: Size,
    pub(super) boxes: Vec<Point>,
    /// The points from the border of one box to the border of the other; empty for an arrow from a box to itself.
    pub(super) paths: Vec<Vec<Point>>,
    pub(super) labels: Vec<Point>,
}

const LAYER_GAP: f64 = 15.0;
const BEND: Size = Size { w: 6.0, h: 8.0 };

/// Computes the positions of boxes. The first box is at the top.
pub(super) fn layout(boxes: &[Size], arrows: &[Arrow]) -> Layout {
    let (reversed, order) = open_cycles(boxes.len(), arrows);
    let ends =
        |i: usize| if reversed[i] { (arrows[i].to, arrows[i].from) } else { (arrows[i].from, arrows[i].to) };
    let mut rank = vec![0; boxes.len()];
    for &node in &order {
        for (i, _) in arrows.iter().enumerate().filter(|(_, arrow)| arrow.from != arrow.to) {
            let (up, down) = ends(i);
            if up == node {
                rank[down] = rank[down].max(rank[node] + 1);
            }
        }
    }
    let item = |size, layer| Item { size, layer, up: Vec::new(), down: Vec::new(), x: 0.0 };
    let mut items: Vec<Item> = boxes.iter().zip(&rank).map(|(&size, rank)| item(size, rank * 2)).collect();
    // The items that each arrow passes, top to bottom.
    let chains: Vec<Vec<usize>> = (0..arrows.len())
        .map(|i| {
            let (up, down) = ends(i);
            if up == down {
                return Vec::new();
            }
            let layers = rank[up] * 2 + 1..rank[down] * 2;
            let labelled = if reversed[i] { layers.end - 1 } else { layers.start };
            let mut chain = vec![up];
            for layer in layers {
                let label = if layer == labelled { arrows[i].label } else { Size::default() };
                chain.push(items.len());
                items.push(item(Size { w: label.w.max(BEND.w), h: label.h.max(BEND.h) }, layer));
            }
            chain.push(down);
            for pair in chain.windows(2) {
                // Bends of long arrows are the most visible, so they weigh more.
                let own = if reversed[i] { 0.5 } else { arrows[i].weight };
                let weight = own * if pair.iter().all(|&p| p >= boxes.len()) { 4.0 } else { 1.0 };
                items[pair[0]].down.push((pair[1], weight));
                items[pair[1]].up.push((pair[0], weight));
            }
            chain
        })
        .collect();
    let mut layers = first_order(&items, &order);
    uncross(&items, &mut layers);
    place(&mut items, &layers);
    let mut ports = ports(&items, boxes.len(), &chains);
    for (chain, ports) in chains.iter().zip(&mut ports).filter(|(chain, _)| !chain.is_empty()) {
        straighten(&mut items, &layers, chain, ports);
    }
    let y = heights(&items, &layers);
    let left = items.iter().map(|item| item.x - item.size.w / 2.0).fold(f64::MAX, f64::min);
    let at = |i: usize| Point { x: items[i].x - left, y: y[items[i].layer] };
    let path = |(chain, ports): (&Vec<usize>, &[f64; 2])| {
        let [Some(&up), Some(&down)] = [chain.first(), chain.last()] else { return Vec::new() };
        let end = |i: usize, port: f64, side: f64| Point {
            x: port - left,
            y: at(i).y + side * items[i].size.h / 2.0,
        };
        let mut path = vec![end(up, ports[0], 1.0)];
        path.extend(chain[1..chain.len() - 1].iter().map(|&bend| at(bend)));
        path.push(end(down, ports[1], -1.0));
        // A bend near the middle of the straight line adds nothing but a kink.
        if let [a, bend, b] = path[..]
            && (bend.x - (a.x + b.x) / 2.0).abs() < 1.0
        {
            path.remove(1);
        }
        path
    };
    let labels = chains.iter().enumerate().map(|(i, chain)| match chain.len() {
        0 => Point::default(),
        n => at(chain[if reversed[i] { n - 2 } else { 1 }]),
    });
    Layout {
        size: Size {
            w: items.iter().map(|item| item.x - left + item.size.w / 2.0).fold(0.0, f64::max),
            h: layers
                .iter()
                .enumerate()
                .map(|(l, layer)| y[l] + tallest(&items, layer) / 2.0)
                .fold(0.0, f64::max),
        },
        boxes: (0..boxes.len()).map(at).collect(),
        labels: labels.collect(),
        paths: chains
            .iter()
            .zip(&ports)
            .map(path)
            .zip(&reversed)
            .map(|(path, reversed)| if *reversed { path.into_iter().rev().collect() } else { path })
            .collect(),
    }
}

/// Returns the arrows to reverse, which lead back to an ancestor in a depth-first search, and a topological order of
/// the boxes without them.
fn open_cycles(boxes: usize, arrows: &[Arrow]) -> (Vec<bool>, Vec<usize>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        Open,
        Closed,
    }
    let out: Vec<Vec<usize>> =
        (0..boxes).map(|node| (0..arrows.len()).filter(|&i| arrows[i].from == node).collect()).collect();
    let (mut visits, mut reversed, mut order) =
        (vec![Visit::Not; boxes], vec![false; arrows.len()], Vec::new());
    for root in 0..boxes {
        if visits[root] != Visit::Not {
            continue;
        }
        visits[root] = Visit::Open;
        let mut stack = vec![(root, 0)];
        while let Some((node, next)) = stack.last_mut() {
            match out[*node].get(*next) {
                Some(&arrow) => {
                    *next += 1;
                    let to = arrows[arrow].to;
                    match visits[to] {
                        Visit::Not => {
                            visits[to] = Visit::Open;
                            stack.push((to, 0));
                        }
                        Visit::Open => reversed[arrow] = true,
                        Visit::Closed => {}
                    }
                }
                None => {
                    visits[*node] = Visit::Closed;
                    order.push(*node);
                    stack.pop();
                }
            }
        }
    }
    order.reverse();
    (reversed, order)
}

/// Returns the initial order of each layer, with bends beside the boxes that they come from.
fn first_order(items: &[Item], order: &[usize]) -> Vec<Vec<usize>> {
    let depth = items.iter().map(|item| item.layer).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); depth + 1];
    let mut place: Vec<f64> = (0..items.len()).map(|i| i as f64).collect();
    for (i, &node) in order.iter().enumerate() {
        place[node] = i as f64;
    }
    let mut all: Vec<usize> = (0..items.len()).collect();
    all.sort_by(|&a, &b| place[a].total_cmp(&place[b]));
    for i in all {
        layers[items[i].layer].push(i);
    }
    layers
}

/// Sorts each layer by the mean position of its neighbors, alternately downward and upward, and keeps the order with
/// the fewest crossings.
fn uncross(items: &[Item], layers: &mut Vec<Vec<usize>>) {
    let mut best = (crossings(items, layers), layers.clone());
    for round in 0..24 {
        if best.0 == 0 {
            break;
        }
        let down = round % 2 == 0;
        let mut position = vec![0.0; items.len()];
        layers.iter().for_each(|layer| layer.iter().enumerate().for_each(|(p, &i)| position[i] = p as f64));
        let count = layers.len();
        for step in 1..count {
            let layer = if down { step } else { count - 1 - step };
            let mean = |i: usize| {
                let ties = if down { &items[i].up } else { &items[i].down };
                if ties.is_empty() {
                    position[i]
                } else {
                    ties.iter().map(|tie| position[tie.0]).sum::<f64>() / ties.len() as f64
                }
            };
            let mut keyed: Vec<(f64, usize)> = layers[layer].iter().map(|&i| (mean(i), i)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[layer] = keyed.into_iter().map(|(_, i)| i).collect();
            layers[layer].iter().enumerate().for_each(|(p, &i)| position[i] = p as f64);
        }
        let now = crossings(items, layers);
        if now < best.0 {
            best = (now, layers.clone());
        }
    }
    *layers = best.1;
}

fn crossings(items: &[Item], layers: &[Vec<usize>]) -> usize {
    let mut position = vec![0; items.len()];
    layers.iter().for_each(|layer| layer.iter().enumerate().for_each(|(p, &i)| position[i] = p));
    let mut count = 0;
    for layer in layers {
        let mut ties: Vec<(usize, usize)> = layer
            .iter()
            .flat_map(|&i| items[i].down.iter().map(move |tie| (i, tie.0)))
            .map(|(a, b)| (position[a], position[b]))
            .collect();
        ties.sort_unstable();
        for (i, a) in ties.iter().enumerate() {
            count += ties[i + 1..].iter().filter(|b| a.0 < b.0 && a.1 > b.1).count();
        }
    }
    count
}

fn tallest(items: &[Item], layer: &[usize]) -> f64 {
    layer.iter().map(|&i| items[i].size.h).fold(0.0, f64::max)
}

/// Returns the vertical center of each layer.
fn heights(items: &[Item], layers: &[Vec<usize>]) -> Vec<f64> {
    let mut y = 0.0;
    layers
        .iter()
        .map(|layer| {
            let half = tallest(items, layer) / 2.0;
            y += half;
            let middle = y;
            y += half + LAYER_GAP;
            middle
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: usize, to: usize) -> Arrow {
        Arrow { from, to, label: Size::default(), weight: 1.0 }
    }

    const BOX: Size = Size { w: 80.0, h: 30.0 };

    #[test]
    fn a_chain_is_a_straight_line_downwards() {
        let layout = layout(&[BOX; 3], &[arrow(0, 1), arrow(1, 2)]);
        assert!(
            layout.boxes.windows(2).all(|pair| pair[0].y < pair[1].y && (pair[0].x - pair[1].x).abs() < 1e-6)
        );
    }

    #[test]
    fn boxes_do_not_overlap_and_paths_end_at_their_borders() {
        let arrows = [
            arrow(0, 1),
            arrow(0, 2),
            arrow(0, 3),
            arrow(1, 4),
            arrow(2, 4),
            arrow(3, 4),
            arrow(4, 0),
            arrow(4, 4),
        ];
        let layout = layout(&[BOX; 5], &arrows);
        for (i, a) in layout.boxes.iter().enumerate() {
            for b in &layout.boxes[i + 1..] {
                assert!((a.x - b.x).abs() >= BOX.w || (a.y - b.y).abs() >= BOX.h, "{a:?} {b:?}");
            }
        }
        for (path, arrow) in layout.paths.iter().zip(&arrows).filter(|(path, _)| !path.is_empty()) {
            for (end, node) in [(path[0], arrow.from), (path[path.len() - 1], arrow.to)] {
                let center = layout.boxes[node];
                assert!(
                    (end.x - center.x).abs() <= BOX.w / 2.0
                        && ((end.y - center.y).abs() - BOX.h / 2.0).abs() < 1e-6
                );
            }
        }
        assert!(layout.paths[7].is_empty());
    }

    #[test]
    fn two_crossed_pairs_are_uncrossed() {
        // 0 leads to 1 and 2; 1 to 4, 2 to 3.
        let layout = layout(&[BOX; 5], &[arrow(0, 1), arrow(0, 2), arrow(2, 3), arrow(1, 4)]);
        assert_eq!(layout.boxes[1].x < layout.boxes[2].x, layout.boxes[4].x < layout.boxes[3].x);
    }
}
