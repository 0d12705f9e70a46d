//! The draft that the models are asked for.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize, JsonSchema, Validate)]
pub struct Refund {
    /// As on the bill.
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order: String,
    #[garde(range(min = 1, max = 500))]
    pub dollars: u32,
}

impl Refund {
    pub fn usual() -> Self {
        Self { order: "A-9133".into(), dollars: 149 }
    }
}
