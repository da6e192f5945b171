//! What applying needs besides the plan: secrets, connections, kinds.

use std::sync::Arc;

use super::Ambient;
use super::args::Cli;
use super::args::VarArgs;
use super::failure::Failure;
use super::session::Session;
use super::values;
use crate::observe::Observer;
use crate::plan::Plan;
use crate::plan::PlanFileError;
use crate::report::Exit;
use crate::secrets::Secrets;

/// What applying needs besides the plan.
pub(super) struct World {
    pub(super) secrets: Arc<Secrets>,
    pub(super) observer: Arc<Observer>,
    pub(super) registry: Arc<drplan_api::Registry>,
}

impl From<Session> for World {
    fn from(session: Session) -> Self {
        Self {
            secrets: session.secrets,
            observer: session.observer,
            registry: session.registry,
        }
    }
}

/// Applying a saved plan opens no spec: variables are read only for the secrets that the plan names.
pub(super) fn world_of(
    cli: &Cli,
    vars: &VarArgs,
    plan: &Plan,
    name: &str,
    ambient: &Ambient,
) -> Result<World, Failure> {
    let given = values::of_plan(plan, vars, ambient)?;
    let secrets = Arc::new(Secrets::new(&cli.chdir, given));
    let registry = Arc::new(crate::registry::registry());
    same_payloads(plan, &registry, name)?;
    let observer = Arc::new(Observer::new(
        Arc::clone(&registry),
        cli.chdir.clone(),
        ambient.doors.clone(),
        Arc::clone(&secrets),
    ));
    Ok(World {
        secrets,
        observer,
        registry,
    })
}

/// A payload is read only by the version of its kind that wrote it.
fn same_payloads(plan: &Plan, registry: &drplan_api::Registry, path: &str) -> Result<(), Failure> {
    for (name, version) in &plan.head.kinds {
        let ours = registry
            .get_resource(name)
            .map(|kind| kind.def().op_version);
        if ours != Some(*version) {
            return Err(PlanFileError::Version {
                path: path.to_owned(),
                found: format!("{} with `{name}` of version {version}", plan.head.format),
            }
            .into());
        }
    }
    Ok(())
}

/// Makes sure that every secret that a plan names is given.
pub(super) fn needs_secrets(plan: &Plan, secrets: &Secrets) -> Result<(), Failure> {
    let missing: Vec<&str> = plan
        .head
        .secrets
        .iter()
        .filter(|n| !secrets.has_variable(n))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let hints: Vec<String> = missing.iter().map(|n| format!("DRPLAN_VAR_{n}")).collect();
    Err(Failure::refused(
        Exit::Refused,
        format!(
            "the plan needs the sensitive variables {}",
            missing.join(", ")
        ),
        format!("give them with {} or `--var-file`", hints.join(", ")),
    ))
}
