//! drplan.
