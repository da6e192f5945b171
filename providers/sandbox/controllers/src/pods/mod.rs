//! Pods: where they run, and what becomes of them there.
//!
//! No process is ever started. A pod starts after the usual time once all that it needs is there;
//! what is missing shows in its status as it would on a real node.

mod container;
mod kubelet;
mod needs;
mod restore_wait;
mod scheduler;
mod status;

pub(crate) use kubelet::Kubelet;
pub(crate) use scheduler::SELECTED_NODE;
pub(crate) use scheduler::Scheduler;
pub(crate) use scheduler::claim_names;
