//! The items of a layout.

/// The size of a box or of a label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) w: f64,
    pub(super) h: f64,
}

/// A box, or a bend of an arrow.
pub(super) struct Item {
    pub(super) size: Size,
    pub(super) layer: usize,
    /// The connected items in the layers above and below, and the weight of each connection.
    pub(super) up: Vec<(usize, f64)>,
    pub(super) down: Vec<(usize, f64)>,
    pub(super) x: f64,
}
