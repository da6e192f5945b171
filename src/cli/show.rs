//! `drplan show`.

use std::path::Path;

use super::Ambient;
use super::args::ShowArgs;
use super::failure::Failure;
use super::plan::show;
use crate::plan::Plan;
use crate::report::Exit;
use crate::signature::Signature;
use crate::signature::Trusted;

/// Reads a plan file, and makes sure of whose it is if that was asked for.
pub(super) fn given(
    path: &Path,
    signed_by: Option<&Path>,
) -> Result<(Plan, Option<Signature>), Failure> {
    let by = signed_by.map(Trusted::read).transpose()?;
    Ok(crate::plan::read_signed(path, by.as_ref())?)
}

pub(super) fn run(args: &ShowArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let (plan, _) = given(&args.plan, args.signed_by.as_deref())?;
    show(&plan, &args.form, ambient)?;
    Ok(Exit::Ok)
}
