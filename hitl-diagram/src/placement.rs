//! Horizontal placement: each item near its neighbors, and each line as straight as the others allow.

use super::item::Item;

const SIDE_GAP: f64 = 26.0;
const PORT_GAP: f64 = 26.0;

/// Places each item as near to its neighbors as the others in its layer allow.
pub(super) fn place(items: &mut [Item], layers: &[Vec<usize>]) {
    for layer in layers {
        let mut x = 0.0;
        for &i in layer {
            items[i].x = x + items[i].size.w / 2.0;
            x += items[i].size.w + SIDE_GAP;
        }
    }
    for round in 0..40 {
        let down = round % 2 == 0;
        let count = layers.len();
        for step in 0..count {
            let layer = &layers[if down { step } else { count - 1 - step }];
            let wishes: Vec<(f64, f64)> = layer
                .iter()
                .map(|&i| {
                    let item = &items[i];
                    // The last rounds consider the neighbors on both sides.
                    let ties = item.up.iter().filter(|_| down || round > 30);
                    let ties = ties.chain(item.down.iter().filter(|_| !down || round > 30));
                    let (sum, weight) =
                        ties.fold((0.0, 0.0), |(s, w), tie| (s + items[tie.0].x * tie.1, w + tie.1));
                    if weight == 0.0 { (item.x, 0.1) } else { (sum / weight, weight) }
                })
                .collect();
            let widths: Vec<f64> = layer.iter().map(|&i| items[i].size.w + SIDE_GAP).collect();
            for (&i, x) in layer.iter().zip(nearest(&wishes, &widths)) {
                items[i].x = x;
            }
        }
    }
}

/// Aligns the bends of an arrow vertically, and with one of its ends if possible, as far as the neighbors of the bends
/// leave room.
pub(super) fn straighten(items: &mut [Item], layers: &[Vec<usize>], chain: &[usize], ports: &mut [f64; 2]) {
    const ALMOST: f64 = 6.0;
    if (ports[0] - ports[1]).abs() < ALMOST {
        *ports = [(ports[0] + ports[1]) / 2.0; 2];
    }
    let bends = &chain[1..chain.len() - 1];
    let (mut low, mut high) = (f64::MIN, f64::MAX);
    for &bend in bends {
        let layer = &layers[items[bend].layer];
        let Some(p) = layer.iter().position(|&i| i == bend) else { return };
        let room = |other: usize| (items[bend].size.w + items[other].size.w + SIDE_GAP) / 2.0;
        if let Some(&left) = p.checked_sub(1).and_then(|p| layer.get(p)) {
            low = low.max(items[left].x + room(left));
        }
        if let Some(&right) = layer.get(p + 1) {
            high = high.min(items[right].x - room(right));
        }
    }
    if low <= high {
        let middle = bends.iter().map(|&bend| items[bend].x).sum::<f64>() / bends.len() as f64;
        let wish = if bends.len() == 1 {
            (ports[0] + ports[1]) / 2.0
        } else if (ports[0] - middle).abs() < (ports[1] - middle).abs() {
            ports[0]
        } else {
            ports[1]
        };
        bends.iter().for_each(|&bend| items[bend].x = wish.clamp(low, high));
    }
}

/// Returns the positions that are nearest to the wishes (position and weight), keep the order and do not overlap. Items
/// that would overlap are merged into a block, which moves as one (pool adjacent violators).
fn nearest(wishes: &[(f64, f64)], widths: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(widths.len());
    let mut offset = 0.0;
    for (i, width) in widths.iter().enumerate() {
        if i > 0 {
            offset += (widths[i - 1] + width) / 2.0;
        }
        offsets.push(offset);
    }
    // Each block: the weighted sum of its wishes, its weight, the number of its items.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for ((wish, weight), offset) in wishes.iter().zip(&offsets) {
        let mut block = ((wish - offset) * weight, *weight, 1);
        while let Some(last) = blocks.last()
            && last.0 / last.1 > block.0 / block.1
        {
            block = (block.0 + last.0, block.1 + last.1, block.2 + last.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    let shifts = blocks.iter().flat_map(|block| std::iter::repeat_n(block.0 / block.1, block.2));
    shifts.zip(offsets).map(|(shift, offset)| shift + offset).collect()
}

/// Returns the horizontal positions at which each arrow leaves the upper box and enters the lower one, in the order of
/// the next items so that arrows do not cross at a box.
pub(super) fn ports(items: &[Item], boxes: usize, chains: &[Vec<usize>]) -> Vec<[f64; 2]> {
    let mut ports = vec![[0.0; 2]; chains.len()];
    for node in 0..boxes {
        for side in [0, 1] {
            let end =
                |chain: &[usize]| if side == 0 { chain.first().copied() } else { chain.last().copied() };
            let mut here: Vec<usize> = (0..chains.len()).filter(|&i| end(&chains[i]) == Some(node)).collect();
            let next = |i: usize| {
                let chain = &chains[i];
                items[chain[if side == 0 { 1 } else { chain.len() - 2 }]].x
            };
            here.sort_by(|&a, &b| next(a).total_cmp(&next(b)));
            let gap = PORT_GAP.min((items[node].size.w - 20.0) / here.len().max(1) as f64);
            for (p, &i) in here.iter().enumerate() {
                ports[i][side] = items[node].x + (p as f64 - (here.len() - 1) as f64 / 2.0) * gap;
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferred_positions_are_kept_if_there_is_room() {
        assert_eq!(nearest(&[(0.0, 1.0), (100.0, 1.0)], &[10.0, 10.0]), [0.0, 100.0]);
        assert_eq!(nearest(&[(0.0, 1.0), (0.0, 1.0)], &[10.0, 10.0]), [-5.0, 5.0]);
    }
}
