//! What a failure of a database server means.
//!
//! The driver's errors hold neither passwords nor statements' parameters; only codes, messages and
//! the system's own causes are taken from them.

use std::error::Error as _;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use tokio_postgres::error::SqlState;

/// Translates a failed request. `during` is a fragment such as "read the tables of `shop`".
pub(crate) fn pg_error(error: &tokio_postgres::Error, during: &str, at: &str) -> ProviderError {
    let made = ProviderError::new(kind_of(error), during, at);
    let made = match error.as_db_error() {
        Some(db) => made.because(format!("{} ({})", db.message(), db.code().code())),
        None => made.caused_by(error),
    };
    match hint_for(error) {
        Some(hint) => made.hint(hint),
        None => made,
    }
}

fn kind_of(error: &tokio_postgres::Error) -> ErrorKind {
    match error.code() {
        Some(code) => kind_of_code(code),
        None if tls_refused(error) => ErrorKind::Denied,
        None if error.is_closed() || io_cause(error).is_some() => ErrorKind::Unreachable,
        // What is left before the first answer is about passwords and certificates.
        None => ErrorKind::Denied,
    }
}

fn kind_of_code(code: &SqlState) -> ErrorKind {
    match code.code() {
        "28P01" | "28000" | "42501" | "0LP01" => ErrorKind::Denied,
        "3D000" | "3F000" | "42P01" | "42703" | "42704" => ErrorKind::NotFound,
        "42P04" | "55006" | "40001" | "40P01" | "55P03" => ErrorKind::Conflict,
        "53300" | "57P01" | "57P02" | "57P03" | "57014" => ErrorKind::Unreachable,
        other if other.starts_with("08") || other.starts_with("53") => ErrorKind::Unreachable,
        other if other.starts_with("XX") => ErrorKind::Corrupt,
        _ => ErrorKind::Invalid,
    }
}

fn io_cause(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref() {
            return Some(io);
        }
        next = cause.source();
    }
    None
}

/// A certificate that is not trusted arrives as invalid data inside an I/O error.
fn tls_refused(error: &tokio_postgres::Error) -> bool {
    io_cause(error).is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData)
}

fn hint_for(error: &tokio_postgres::Error) -> Option<&'static str> {
    match error.code().map(SqlState::code) {
        Some("28P01" | "28000") => Some("check user and password of `connection`"),
        Some("42501") => Some("grant the right, or connect as a user who has it"),
        Some("53300") => Some("end idle connections or raise `max_connections`"),
        Some("57014") => Some("raise `statement_timeout` of the provider block"),
        Some(_) => None,
        None if tls_refused(error) => Some(
            "give the server's authority as `ca`; verification cannot be turned off, only \
             encryption as a whole with `sslmode=disable`",
        ),
        None => None,
    }
}

/// Makes the error of a request that was not answered in time.
pub(crate) fn timed_out(during: &str, at: &str, seconds: u64) -> ProviderError {
    ProviderError::new(ErrorKind::Unreachable, during, at)
        .because(format!("there was no answer within {seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_can_be_done_about_them() {
        let cases = [
            ("28P01", ErrorKind::Denied),
            ("28000", ErrorKind::Denied),
            ("42501", ErrorKind::Denied),
            ("3D000", ErrorKind::NotFound),
            ("53300", ErrorKind::Unreachable),
            ("57P03", ErrorKind::Unreachable),
            ("08006", ErrorKind::Unreachable),
            ("55006", ErrorKind::Conflict),
            ("42601", ErrorKind::Invalid),
        ];
        for (code, kind) in cases {
            assert_eq!(kind_of_code(&SqlState::from_code(code)), kind, "{code}");
        }
    }
}
