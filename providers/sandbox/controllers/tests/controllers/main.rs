//! The controllers over a small store in virtual time.

mod batch;
mod cost;
mod fixture;
mod pods;
mod services;
mod volumes;
mod workloads;
mod world;
