//! Route 53 records by compare and swap.
