//! `drplan show`.

use super::Ambient;
use super::args::ShowArgs;
use super::failure::Failure;
use super::plan::show;
use crate::report::Exit;

pub(super) fn run(args: &ShowArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let plan = crate::plan::read(&args.plan)?;
    show(&plan, &args.form, ambient)?;
    Ok(Exit::Ok)
}
