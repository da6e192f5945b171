//! The program as its users meet it: the real binary over folders of files, with an empty environment
//! and no terminal. Nothing here needs a cluster, a bucket or a network.
#![expect(
    clippy::disallowed_methods,
    reason = "tests stand outside the program: they read and write the disk and the clock themselves"
)]

mod apply;
#[cfg(feature = "rehearse")]
mod bucket;
mod canaries;
mod cases;
mod doctor;
mod drplan;
mod edited;
mod endings;
mod events;
mod examples;
mod forms;
mod goes_on;
mod interrupted;
mod kept;
mod late_question;
mod pages;
mod part;
mod plan_file;
mod redact;
mod rehearse;
mod rehearse_recorded;
mod release;
mod report;
mod revert;
#[cfg(feature = "rehearse")]
mod run_store;
mod secrets;
mod snapshot;
mod terminal;
mod tidy;
mod times;
