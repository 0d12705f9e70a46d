//! The operators of the reviews.

use hitl::Operator;

pub fn clerk() -> Operator {
    Operator::new("carl").role("clerk")
}

pub fn director() -> Operator {
    Operator::new("dora").role("director")
}

/// Returns an operator who has the role of a clerk and that of a director.
pub fn both() -> Operator {
    Operator::new("bea").role("clerk").role("director")
}
