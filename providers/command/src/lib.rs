//! Commands: steps that a program of the user's does.
