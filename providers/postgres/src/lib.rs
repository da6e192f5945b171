//! PostgreSQL: dump archives and restores of them.
