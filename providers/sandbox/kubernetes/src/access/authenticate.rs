//! From a request's credentials to a user.

use http::HeaderMap;
use http::header;

use crate::access::token;
use crate::cluster::Shared;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::options::User;
use crate::request::header_text;
use crate::state::State;

/// Finds out who calls. Without credentials that is nobody in particular; with wrong ones the call
/// is refused.
pub(crate) fn authenticate(shared: &Shared, state: &State, headers: &HeaderMap) -> Outcome<User> {
    let header = header_text(headers, header::AUTHORIZATION);
    let Some(token) = header.strip_prefix("Bearer ").map(str::trim) else {
        return Ok(User::anonymous());
    };
    known(shared, state, token).ok_or_else(Failure::unauthorized)
}

/// The user behind a token.
pub(crate) fn known(shared: &Shared, state: &State, token: &str) -> Option<User> {
    let mut user = match shared.options.rights.user(token) {
        Some(user) => user.clone(),
        None => token::account(shared, state, token)?,
    };
    user.groups.push("system:authenticated".to_owned());
    Some(user)
}
