//! Builders and scripted servers for the tests of providers.
