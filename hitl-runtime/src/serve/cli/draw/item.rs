//! What has a place on the sheet.

/// A box to be placed, or the room that a label wants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) w: f64,
    pub(super) h: f64,
}

/// A box, or a bend of an arrow.
pub(super) struct Item {
    pub(super) size: Size,
    pub(super) layer: usize,
    /// The items above and below that it is tied to, and how firmly.
    pub(super) up: Vec<(usize, f64)>,
    pub(super) down: Vec<(usize, f64)>,
    pub(super) x: f64,
}
