//! `drplan permissions`.

#[cfg(all(test, feature = "rehearse"))]
mod tests;

use std::collections::BTreeSet;

use drplan_api::Right;

use super::Ambient;
use super::args::Cli;
use super::args::PermissionsArgs;
use super::args::PermissionsFormat;
use super::args::Purpose;
use super::failure::Failure;
use super::print;
use super::session::Session;
use super::talk;
use crate::render;
use crate::report::Exit;
use crate::report::plan_verdict;
use crate::rights::Needed;
use crate::rights::Rights;
use crate::spec::nearest;

pub(super) async fn run(
    cli: &Cli,
    args: &PermissionsArgs,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
    let basis = session.basis(args.live.as_deref())?;
    let made = session.plan_on(&args.planning, ambient, &basis).await?;
    let rights = chosen(made.rights, args)?;
    print(&match args.format {
        PermissionsFormat::Json => {
            let json = render::permissions::json(&made.plan, &rights);
            serde_json::to_string_pretty(&json).map_err(anyhow::Error::from)? + "\n"
        }
        PermissionsFormat::Text => render::permissions::text(&made.plan, &rights, ambient.style()),
        PermissionsFormat::Grant => grants(&session, &rights, &made.plan.head.recovery, &args.to),
    })?;
    if args.check && rights.conns.values().any(|n| n.missing().next().is_some()) {
        return Err(Failure::refused(
            Exit::Error,
            "rights are missing",
            "`drplan permissions --format grant` writes down what to give",
        ));
    }
    Ok(match plan_verdict(&made.plan, false) {
        Exit::Incomplete => {
            talk(
                "INCOMPLETE: something could not be read (see `drplan plan`), so not all that is needed is \
                 known; do not give these rights for all of them",
            );
            Exit::Incomplete
        }
        _ => Exit::Ok,
    })
}

/// The rights that were asked for.
fn chosen(mut rights: Rights, args: &PermissionsArgs) -> Result<Rights, Failure> {
    if let Some(wanted) = &args.connection {
        let known: Vec<&str> = rights.conns.keys().map(|conn| conn.as_str()).collect();
        if !known.contains(&wanted.as_str()) {
            let near = nearest(wanted, known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `--connection {near}`?"),
                None if known.is_empty() => "no connection of this plan takes any".to_owned(),
                None => format!("connections that take rights: {}", known.join(", ")),
            };
            let what = format!("no connection `{wanted}` takes any rights");
            return Err(Failure::refused(Exit::Usage, what, hint));
        }
        rights.conns.retain(|conn, _| conn.as_str() == wanted);
    }
    if args.purpose == Some(Purpose::Plan) {
        rights
            .conns
            .values_mut()
            .for_each(|needed| needed.apply.clear());
        rights.untold.clear();
    }
    Ok(rights)
}

/// What an administrator gives. Of one connection alone it is a file for the system's own tools.
fn grants(session: &Session, rights: &Rights, of: &str, to: &str) -> String {
    let alone = rights.conns.len() == 1;
    let mut out = String::new();
    for (conn, needed) in &rights.conns {
        let Some(system) = session.registry.get_system(conn.system()) else {
            continue;
        };
        if !alone {
            out.extend(["# ", conn.as_str(), "\n"]);
        }
        out.push_str(&system.grant(&all(needed), of, to));
    }
    out
}

fn all(needed: &Needed) -> Vec<Right> {
    let rights: BTreeSet<&Right> = needed.plan.iter().chain(needed.apply.keys()).collect();
    rights.into_iter().cloned().collect()
}
