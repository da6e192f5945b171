//! From a module and facts to a graph: expansion in rounds, edges with their reasons, order.

mod block;
mod blocks;
mod build;
mod connections;
mod edge;
mod expand;
mod exports;
mod exprs;
mod files;
mod instance;
mod order;
mod scope;
mod targets;

pub use build::Graph;
pub use build::Node;
pub use build::What;
pub use build::build;
pub use edge::Edge;
pub use edge::EdgeWhy;
pub use expand::Asks;
pub use expand::Expanded;
pub use expand::Expander;
pub use expand::Instance;
pub use expand::Round;
pub use expand::Situation;
pub(crate) use exports::with_secrets;
pub use exprs::Exprs;
pub use files::SpecFiles;
pub use order::Order;
pub use order::order;
pub use order::path;
pub(crate) use order::sentence;
pub use targets::TargetAsk;
pub use targets::TargetPlan;
pub(crate) use targets::lost_closure;
