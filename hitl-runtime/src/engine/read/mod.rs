//! Views of threads, and checks of their journals. Nothing here writes.

mod check;
mod finding;
mod history;
mod item;
mod metrics;
mod replay;
mod required_roles;
mod review_schemas;
mod thread_view;
mod turn;
mod verify;
mod view;

pub use self::required_roles::may_settle;
pub(super) use self::required_roles::{RequiredRoles, review_roles};
pub use self::{
    check::CompatibilityReport,
    finding::{CLOCK_SKEW, Finding, FindingKind, UncheckedRange},
    item::ItemView,
    review_schemas::ReviewSchema,
    thread_view::{FailureView, InDoubtView, ReviewView, ThreadView},
    verify::{Audit, JournalHead},
};
pub(crate) use self::{
    item::items_of_review,
    turn::{DoubtTurn, EndTurn, FailureTurn, ReviewTurn, RootFields, RunningTurn, Turn},
    view::shown_with,
};
