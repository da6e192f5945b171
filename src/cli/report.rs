//! `drplan report` and `drplan evidence`.
#![expect(
    clippy::disallowed_methods,
    reason = "files that a person names are read and written here"
)]

use std::path::Path;

use super::Ambient;
use super::args::Cli;
use super::args::EvidenceCommand;
use super::args::ExportArgs;
use super::args::ReportArgs;
use super::args::ReportFormat;
use super::args::VarArgs;
use super::args::VerifyArgs;
use super::failure::Failure;
use super::holder::Holder;
use super::holder::holder;
use super::open_store;
use super::print;
use super::standing;
use super::talk;
use super::words::Words;
use crate::render;
use crate::report::Bundle;
use crate::report::Exit;
use crate::report::Report;
use crate::report::Standing;
use crate::signature::Signer;
use crate::signature::Trusted;
use crate::store::RunStore;
use crate::store::Texts;

pub(super) async fn run(cli: &Cli, args: &ReportArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let found = found(cli, &args.vars, args.run.as_deref(), ambient).await?;
    let report = told(&found, cli, &args.vars, ambient).await?;
    let format = if args.json {
        ReportFormat::Json
    } else {
        args.format
    };
    let to_file = args.out.is_some();
    let text = match format {
        ReportFormat::Text if to_file => {
            let plain = render::style::Style {
                color: false,
                ..ambient.style()
            };
            render::report::text(&report, plain)
        }
        ReportFormat::Text => render::report::text(&report, ambient.style()),
        ReportFormat::Json => render::report::json(&report).map_err(anyhow::Error::from)?,
        ReportFormat::Markdown => render::report::markdown(&report),
        ReportFormat::Junit => render::report::junit(&report).map_err(anyhow::Error::from)?,
        ReportFormat::Html => render::report::html(&report),
    };
    match &args.out {
        Some(path) => write(path, &text)?,
        None => print(&text)?,
    }
    Ok(Exit::Ok)
}

/// What a run left behind, and where.
struct Found {
    store: RunStore,
    recovery: String,
    texts: Texts,
}

async fn found(
    cli: &Cli,
    vars: &VarArgs,
    run: Option<&str>,
    ambient: &Ambient,
) -> Result<Found, Failure> {
    let (store, recovery) = open_store::of_spec(cli, vars, ambient).await?;
    let texts = store.texts(&store.find(run).await?).await?;
    Ok(Found {
        store,
        recovery,
        texts,
    })
}

/// The report of a run, with the way on that `status` names.
async fn told(
    found: &Found,
    cli: &Cli,
    vars: &VarArgs,
    ambient: &Ambient,
) -> Result<Report, Failure> {
    let stored = found.texts.parse()?;
    let now = ambient.doors.clock.now();
    let report = crate::report::report(&stored.plan, &stored.seal, &stored.records);
    let report = report.map_err(|illegal| Failure::senseless(&stored.id, &illegal))?;
    // Who may read the run may not read the lock, and loses nothing but the way on by that: it is another for a run
    // that lives.
    let holder = match holder(&found.store, &found.recovery, now).await {
        Ok(holder) => holder,
        Err(failure) => {
            talk("the report does not tell how to go on: who holds the lock cannot be read");
            talk(&failure.render(ambient.style()));
            return Ok(report);
        }
    };
    let living = holder.as_ref().and_then(Holder::living);
    let standing = Standing::of(&stored, living, now);
    let standing = standing::of_run(standing, cli, (vars, &stored.plan), holder.is_some());
    Ok(report.going_on(&standing.frontier.next, &standing.frontier.from))
}

pub(super) async fn evidence(
    cli: &Cli,
    command: &EvidenceCommand,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Verify(args) => verify(cli, args, ambient).await,
        EvidenceCommand::Export(args) => export(cli, args, ambient).await,
    }
}

async fn verify(cli: &Cli, args: &VerifyArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    if args.signed_by.is_some() && args.file.is_none() {
        return Err(Failure::refused(
            Exit::Usage,
            "`--signed-by` is about exported evidence, which alone bears a signature",
            "name it with `--file`; `drplan evidence export --sign KEY` writes one",
        ));
    }
    let head = args.head.as_deref();
    if let Some(head) = head.filter(|head| !is_head(head)) {
        return Err(Failure::refused(
            Exit::Usage,
            format!("`--head {head}` is no head of a journal"),
            "give the 64 hexadecimal digits that `apply` printed when it ended",
        ));
    }
    let verified = match &args.file {
        Some(path) => {
            let by = args.signed_by.as_deref().map(Trusted::read).transpose()?;
            bundle(path)?.verify(&path.display().to_string(), head, by.as_ref())
        }
        None => {
            let found = found(cli, &args.vars, args.run.as_deref(), ambient).await?;
            crate::report::verify(&found.texts, head)
        }
    };
    if args.json {
        let json = serde_json::to_string_pretty(&verified).map_err(anyhow::Error::from)?;
        print(&(json + "\n"))?;
    } else {
        let what = match &args.file {
            Some(path) => ["--file".to_owned(), path.display().to_string()].to_vec(),
            None => vec![verified.run.clone()],
        };
        let mut again = Words::new(cli, &["evidence", "verify"]).and(what);
        again.add("--head", &verified.head);
        print(&render::evidence::verified(
            &verified,
            &again.text(),
            ambient.style(),
        ))?;
    }
    Ok(if verified.holds {
        Exit::Ok
    } else {
        Exit::Error
    })
}

/// Whether a text can be the digest of a line.
fn is_head(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn bundle(path: &Path) -> Result<Bundle, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::refused(
            Exit::Error,
            format!("cannot read `{}`: {e}", path.display()),
            "name a file that `drplan evidence export` wrote",
        )
    })?;
    serde_json::from_str(&text).map_err(|e| {
        Failure::refused(
            Exit::Error,
            format!("`{}` is no exported evidence: {e}", path.display()),
            "name a file that `drplan evidence export` wrote",
        )
    })
}

async fn export(cli: &Cli, args: &ExportArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let signer = args.sign.as_deref().map(Signer::read).transpose()?;
    let found = found(cli, &args.vars, args.run.as_deref(), ambient).await?;
    let report = told(&found, cli, &args.vars, ambient).await?;
    let head = report.chain.head.clone();
    let bundle = Bundle::of(found.texts, report, signer.as_ref());
    let text = serde_json::to_string_pretty(&bundle).map_err(anyhow::Error::from)?;
    write(&args.out, &(text + "\n"))?;
    talk(&format!(
        "check it with: drplan evidence verify --file {} --head {head}",
        args.out.display()
    ));
    Ok(Exit::Ok)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    crate::private::write(path, text.as_bytes()).map_err(|e| {
        Failure::refused(
            Exit::Error,
            format!("cannot write `{}`: {e}", path.display()),
            crate::private::remedy(e.kind())
                .unwrap_or("name a file in a folder that you may write to"),
        )
    })?;
    talk(&format!("wrote {}", path.display()));
    Ok(())
}
