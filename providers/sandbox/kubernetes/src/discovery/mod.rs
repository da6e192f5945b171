//! Which groups, versions and resources there are, in all forms in which clients ask.

mod aggregated;
mod entry;
mod legacy;
pub(crate) mod schemas;

pub(crate) use aggregated::aggregated;
pub(crate) use legacy::core_versions;
pub(crate) use legacy::group;
pub(crate) use legacy::groups;
pub(crate) use legacy::resources;
