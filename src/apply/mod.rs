//! Applying a plan: the only writer.
//!
//! Opens no spec. Every step observes its one resource again, lets the same kind decide, and goes on
//! only inside the plan's envelope. What was begun is in the journal before the request leaves, and is
//! probed, never blindly repeated.

mod attempt;
mod begin;
mod contexts;
mod earlier;
mod effects;
mod engine;
mod envelope;
mod event;
mod frontier;
mod goes_on;
mod guard;
mod journal;
mod orders;
mod outlook;
mod paths;
mod programs;
mod question;
mod queue;
mod shared;
mod slots;
mod stale;
mod step;

pub use earlier::Earlier;
pub use earlier::refused;
pub use earlier::taken;
pub use engine::Apply;
pub use engine::Asked;
pub use engine::Cut;
pub use engine::Ending;
pub use engine::Gatekeeper;
pub use engine::Stop;
pub use engine::apply;
pub use event::Event;
pub use event::Outcome;
pub use event::Sink;
pub use event::Taken;
pub use frontier::Frontier;
pub use journal::BrokenJournal;
pub use journal::Journal;
pub use journal::JournalError;
pub use journal::Line;
pub use journal::Log;
pub use journal::Records;
pub(crate) use journal::decoded as decoded_journal;
pub use journal::parse as parse_journal;
pub(crate) use journal::whole as whole_lines;
pub use orders::Hold;
pub use orders::OnFailure;
pub use orders::Orders;
pub use orders::Wishes;
pub use programs::still_running;
