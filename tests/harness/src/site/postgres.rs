//! An empty PostgreSQL server with password authentication.
//!
//! Knows nothing about what will be restored into it. No durability: a machine that loses power
//! loses this site too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::SiteDir;
use super::bring_up::Bench;
use super::state::State;
use crate::launch::Launch;
use crate::launch::base_env;
use crate::private;
use crate::process::Farewell;
use crate::wait;

const PROCESS: &str = "postgres";

/// How long the server may take to accept a connection.
const UP_LIMIT: Duration = Duration::from_secs(60);

/// How long one connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The system user of Debian's packages; PostgreSQL refuses to run as root.
const SYSTEM_USER: &str = "postgres";

pub(super) async fn probe(site: &SiteDir, state: &State) -> Result<()> {
    state.living(PROCESS)?;
    connect(&site.postgres_url()?).await
}

pub(super) async fn up(bench: &mut Bench<'_>) -> Result<()> {
    if bench.state.living(PROCESS).is_err() {
        bench.end(&[PROCESS])?;
        let owner = Owner::find()?;
        prepare(bench, &owner)?;
        bench.state.choose_ports(&[PROCESS])?;
        write_url(bench)?;
        start(bench, &owner)?;
    }
    let process = bench.state.living(PROCESS)?;
    let url = bench.site.postgres_url()?;
    wait::until("PostgreSQL", UP_LIMIT, process, || connect(&url)).await
}

/// The user as whom the server runs.
struct Owner {
    /// Numbers of user and group; `None` when that is who we are already.
    ids: Option<(u32, u32)>,
}

impl Owner {
    fn find() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { ids: None });
        }
        let users = fs::read_to_string("/etc/passwd").context("cannot read `/etc/passwd`")?;
        let ids = ids_of(&users, SYSTEM_USER)
            .with_context(|| format!("no user `{SYSTEM_USER}`, as whom root runs PostgreSQL"))?;
        Ok(Self { ids: Some(ids) })
    }

    /// The program with the arguments before it that make it run as this user.
    fn runs(&self, program: &Path) -> (PathBuf, Vec<String>) {
        let Some((user, group)) = self.ids else {
            return (program.to_owned(), Vec::new());
        };
        let args = [
            format!("--reuid={user}"),
            format!("--regid={group}"),
            "--clear-groups".to_owned(),
            program.display().to_string(),
        ];
        (PathBuf::from("setpriv"), args.to_vec())
    }

    fn give(&self, path: &Path) -> Result<()> {
        match self.ids {
            Some((user, group)) => chown(path, Some(user), Some(group))
                .with_context(|| format!("cannot give `{}` to `{SYSTEM_USER}`", path.display())),
            None => Ok(()),
        }
    }

    /// PostgreSQL opens its data by an absolute path, so every folder above must let it through.
    fn must_reach(&self, folder: &Path) -> Result<()> {
        let (program, args) = self.runs(Path::new("test"));
        let status = Command::new(program)
            .args(args)
            .arg("-x")
            .arg(folder)
            .status();
        if !status.context("cannot run `test`")?.success() {
            bail!(
                "the user `{SYSTEM_USER}` cannot enter `{}`: choose a folder whose parents everybody \
                 may enter (mode 0711)",
                folder.display(),
            );
        }
        Ok(())
    }
}

fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let mut matching = fields.filter(|fields| fields.first() == Some(&name));
    let fields = matching.next()?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// Creates the cluster unless it is there. Its password stays in `postgres/password`.
fn prepare(bench: &Bench<'_>, owner: &Owner) -> Result<()> {
    let site = bench.site.path();
    let folder = site.join("postgres");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    owner.give(&folder)?;
    if owner.ids.is_some() {
        // Enough to pass through, not to list.
        fs::set_permissions(site, fs::Permissions::from_mode(0o711))?;
    }
    owner.must_reach(&folder)?;
    let data = folder.join("data");
    if data.join("PG_VERSION").exists() {
        return Ok(());
    }
    if data.exists() {
        fs::remove_dir_all(&data).context("cannot remove what an interrupted start left")?;
    }
    let password = folder.join("password");
    private::write(&password, private::random_word()?.as_bytes())?;
    owner.give(&password)?;
    create_cluster(bench, owner, &folder)
}

fn create_cluster(bench: &Bench<'_>, owner: &Owner, folder: &Path) -> Result<()> {
    let (program, args) = owner.runs(&bench.components.postgres_bin.join("initdb"));
    let output = Command::new(program)
        .args(args)
        .args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ])
        .args(["--locale=C.UTF-8", "--no-sync", "--no-instructions"])
        .arg(format!("--pwfile={}", folder.join("password").display()))
        // Under another name first: a cluster that is there is whole.
        .arg(format!("--pgdata={}", folder.join("data.new").display()))
        .env_clear()
        .envs(base_env(folder))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("cannot run `initdb`")?;
    if !output.status.success() {
        bail!(
            "`initdb` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    fs::rename(folder.join("data.new"), folder.join("data"))
        .context("cannot move the new cluster into place")
}

fn write_url(bench: &Bench<'_>) -> Result<()> {
    let file = bench.site.path().join("postgres/password");
    let password =
        fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let port = bench.state.port(PROCESS)?;
    let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
    private::write(&bench.site.path().join("postgres.url"), url.as_bytes())
}

fn start(bench: &mut Bench<'_>, owner: &Owner) -> Result<()> {
    let (program, args) = owner.runs(&bench.components.postgres_bin.join("postgres"));
    let port = bench.state.port(PROCESS)?;
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "log_line_prefix=%m [%p] %q%a ",
    ];
    let mut launch = Launch::of(&program).farewell(Farewell::Interrupt);
    for arg in args {
        launch = launch.arg(arg);
    }
    launch = launch
        .arg("-D")
        .arg(
            bench
                .site
                .path()
                .join("postgres/data")
                .display()
                .to_string(),
        )
        .arg("-p")
        .arg(port.to_string());
    for setting in settings {
        launch = launch.arg("-c").arg(setting);
    }
    bench.start(PROCESS, launch)
}

async fn connect(url: &str) -> Result<()> {
    let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
    let (client, connection) = tokio::time::timeout(CONNECT_LIMIT, connecting)
        .await
        .context("PostgreSQL does not answer")?
        .context("PostgreSQL refuses the connection")?;
    let driver = tokio::spawn(connection);
    let answer = tokio::time::timeout(CONNECT_LIMIT, client.simple_query("select 1")).await;
    driver.abort();
    answer
        .context("PostgreSQL does not answer a query")?
        .context("PostgreSQL fails a query")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "postgresql:x:7:8::/:/x\npostgres:x:106:113:PostgreSQL,,,:/var:/bin/bash\n";
        assert_eq!(ids_of(users, "postgres"), Some((106, 113)));
        assert_eq!(ids_of(users, "nobody"), None);
    }
}
