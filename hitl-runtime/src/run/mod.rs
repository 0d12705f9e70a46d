//! How a thread moves: steps, fork and join, retries, leases, recovery.

mod agent;
mod clock;
mod cx;
mod decide;
mod detach;
mod drive;
mod expiry;
mod graph;
mod history;
mod node;
mod node_error;
mod post;
mod review;
mod route;
mod settle;
mod standstill;
mod start;
mod step;
mod sweep;
mod token;
mod turn;
mod verify;
mod view;

pub use agent::Agent;
pub use clock::{Clock, ManualClock, SystemClock};
pub use cx::Cx;
pub use graph::{Asks, CanAsk, Graph, NoAsk, NodeEntry, specs};
pub use history::{HistoryEntry, Snapshot};
pub use node::{Args, Deps, Node, NodeFuture, Provides, Run, Writes};
pub use node_error::NodeError;
pub use review::{AnyReview, Review, several};
pub use standstill::{Failed, InDoubt, Running};
pub use sweep::Noticed;
pub use turn::Outlook;
pub use verify::Head;
pub use view::{FailureView, InDoubtView, ReviewView, ThreadView};
