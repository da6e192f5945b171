//! The arguments of a `provider "route53"` block.

use drplan_api::Schema;

/// What requests are signed for if the block names no region: where Route 53 is.
pub(crate) const REGION_DEFAULT: &str = "us-east-1";

/// Declares the arguments.
pub(crate) fn schema() -> Schema {
    Schema {
        args: drplan_aws::arguments(),
        exports: Vec::new(),
    }
}
