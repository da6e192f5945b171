//! A site: what a disaster takes away, in one folder.
//!
//! [`SiteDir`] is a folder and the functions on it; its processes outlive whoever started them, and
//! `state.json` says which they are. [`Site`] is the same folder with an owner: its processes end
//! when it is dropped. Neither knows what a recovery is.

mod bring_up;
mod cluster;
mod control_plane;
mod identity;
mod postgres;
mod state;
mod velero;

use std::fs;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

pub use bring_up::UpOptions;
pub use cluster::client;
pub use identity::Identity;
pub use velero::keep as keep_velero;

use crate::components::Components;
use crate::process::Ending;
use crate::process::Process;
use crate::process::end_all;
use state::State;

/// How long a command waits for another one that works on the same folder. Longer than the slowest
/// start, because the other one may be left over from a caller that was killed.
const LOCK_LIMIT: Duration = Duration::from_secs(180);

/// How often a taken lock is tried again.
const LOCK_EVERY: Duration = Duration::from_millis(100);

/// Everything that a site writes into its folder; nothing else is ever deleted there. The state
/// comes last, so that an interrupted deletion can be repeated.
const OWN_FILES: &[&str] = &[
    "admin.kubeconfig",
    "drplan.kubeconfig",
    "velero.kubeconfig",
    "component.kubeconfig",
    "postgres.url",
    "audit",
    "config",
    "etcd",
    "home",
    "logs",
    "pki",
    "postgres",
    "velero",
    "state.json",
    "lock",
];

/// A part of a site that is started by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// etcd, the API server, its controllers, the scheduler and fake nodes.
    ControlPlane,
    /// Velero's CRDs, namespace and server; wants the control plane.
    Velero,
    /// An empty PostgreSQL server.
    Postgres,
}

/// Whether a part runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs and answers.
    Up,
    /// It does not, and here is why.
    Down(String),
}

/// A folder that holds a site.
#[derive(Clone, Debug)]
pub struct SiteDir {
    path: PathBuf,
}

impl SiteDir {
    /// Names a folder; it need not be there yet.
    ///
    /// # Errors
    ///
    /// When the path cannot be made absolute.
    pub fn new(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)
            .with_context(|| format!("cannot make `{}` absolute", path.display()))?;
        Ok(Self { path })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kubeconfig of an identity, with its token and the site's CA in it.
    #[must_use]
    pub fn kubeconfig(&self, identity: Identity) -> PathBuf {
        self.path.join(format!("{}.kubeconfig", identity.name()))
    }

    /// The certificate authority of the API server and of PostgreSQL.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.path.join("pki/ca.crt")
    }

    /// The API server's audit log.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.path.join("audit/audit.log")
    }

    /// The folder with one log for each process.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Reads the address of PostgreSQL with its superuser and password.
    ///
    /// # Errors
    ///
    /// When this part was never started.
    pub fn postgres_url(&self) -> Result<String> {
        let file = self.path.join("postgres.url");
        fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))
    }

    /// Opens a client of the site's API server.
    ///
    /// # Errors
    ///
    /// When the control plane was never started.
    pub async fn client(&self, identity: Identity) -> Result<kube::Client> {
        cluster::client(&self.kubeconfig(identity)).await
    }

    /// The recorded process of that name (`etcd`, `kube-apiserver`, `velero`, `postgres`, …).
    ///
    /// # Errors
    ///
    /// When the state cannot be read.
    pub fn process(&self, name: &str) -> Result<Option<Process>> {
        Ok(State::load(&self.path)?.and_then(|state| state.processes.get(name).cloned()))
    }

    /// Starts a part and returns when it is ready; what already runs is left alone.
    ///
    /// # Errors
    ///
    /// When something does not become ready in time; with the end of its log. What was started
    /// stays, for another try or for [`SiteDir::down`].
    pub async fn up(
        &self,
        components: &Components,
        name: &str,
        part: Part,
        options: &UpOptions,
    ) -> Result<()> {
        fs::create_dir_all(&self.path)
            .with_context(|| format!("cannot create `{}`", self.path.display()))?;
        let _lock = self.lock().await?;
        let mut state = match State::load(&self.path)? {
            Some(state) if state.name == name => state,
            Some(state) => {
                bail!(
                    "`{}` holds site `{}`, not `{name}`",
                    self.path.display(),
                    state.name
                )
            }
            None => State::new(name)?,
        };
        bring_up::bring_up(self, components, &mut state, part, options).await
    }

    /// Probes a part and starts nothing. Velero is asked through a short-lived
    /// `ServerStatusRequest`, written as [`Identity::Admin`].
    ///
    /// # Errors
    ///
    /// When the state is unreadable, so that nobody can say.
    pub async fn is_up(&self, part: Part) -> Result<Liveness> {
        let Some(state) = State::load(&self.path)? else {
            return Ok(Liveness::Down(format!(
                "no site in `{}`",
                self.path.display()
            )));
        };
        let probed = match part {
            Part::ControlPlane => control_plane::probe(self, &state).await,
            Part::Velero => velero::probe(self, &state).await,
            Part::Postgres => postgres::probe(self, &state).await,
        };
        Ok(match probed {
            Ok(()) => Liveness::Up,
            Err(error) => Liveness::Down(format!("{error:#}")),
        })
    }

    /// Ends every recorded process and keeps the data.
    ///
    /// # Errors
    ///
    /// When the state is unreadable or a process cannot be ended.
    pub async fn down(&self, ending: Ending) -> Result<()> {
        if !self.holds_a_site() {
            return Ok(());
        }
        let _lock = self.lock().await?;
        self.end_processes(ending)
    }

    /// Ends every recorded process and deletes everything that the site wrote.
    ///
    /// # Errors
    ///
    /// As [`SiteDir::down`], and when something cannot be deleted.
    pub async fn destroy(&self, ending: Ending) -> Result<()> {
        if !self.holds_a_site() {
            return Ok(());
        }
        let _lock = self.lock().await?;
        self.end_processes(ending)?;
        self.delete()
    }

    /// Guards every deletion: a folder without a state is somebody else's.
    fn holds_a_site(&self) -> bool {
        self.path.join("state.json").exists()
    }

    fn end_processes(&self, ending: Ending) -> Result<()> {
        let Some(mut state) = State::load(&self.path)? else {
            return Ok(());
        };
        // Clients end before what they talk to, else they would spend their grace on retries.
        for group in state::ENDING_ORDER {
            let named = group.iter().filter_map(|name| state.processes.get(*name));
            end_all(&named.collect::<Vec<_>>(), ending)?;
        }
        end_all(&state.processes.values().collect::<Vec<_>>(), ending)?;
        state.processes.clear();
        state.save(&self.path)
    }

    fn delete(&self) -> Result<()> {
        for name in OWN_FILES {
            let path = self.path.join(name);
            let deleted = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else if path.exists() {
                fs::remove_file(&path)
            } else {
                Ok(())
            };
            deleted.with_context(|| format!("cannot delete `{}`", path.display()))?;
        }
        // The folder stays when somebody else put something into it.
        fs::remove_dir(&self.path).ok();
        Ok(())
    }

    /// Keeps two commands from working on the same folder; let go when the file is dropped.
    async fn lock(&self) -> Result<File> {
        let path = self.path.join("lock");
        let file =
            File::create(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        let start = Instant::now();
        while file.try_lock().is_err() {
            if start.elapsed() > LOCK_LIMIT {
                bail!(
                    "`{}` was locked for {} s by another command",
                    path.display(),
                    LOCK_LIMIT.as_secs()
                );
            }
            tokio::time::sleep(LOCK_EVERY).await;
        }
        Ok(file)
    }
}

/// A site that ends with its owner.
#[derive(Debug)]
pub struct Site {
    dir: SiteDir,
}

impl Site {
    /// Starts the parts one after the other.
    ///
    /// # Errors
    ///
    /// As [`SiteDir::up`]; what was started has ended again then, and the logs are kept.
    pub async fn start(
        dir: &Path,
        components: &Components,
        name: &str,
        parts: &[Part],
        options: &UpOptions,
    ) -> Result<Self> {
        let site = Self {
            dir: SiteDir::new(dir)?,
        };
        for part in parts {
            site.dir.up(components, name, *part, options).await?;
        }
        Ok(site)
    }

    /// Ends all processes and keeps the folder.
    ///
    /// # Errors
    ///
    /// As [`SiteDir::down`].
    pub async fn end(self, ending: Ending) -> Result<()> {
        self.dir.down(ending).await
    }

    /// Ends all processes and deletes the folder: the disaster.
    ///
    /// # Errors
    ///
    /// As [`SiteDir::destroy`].
    pub async fn destroy(self, ending: Ending) -> Result<()> {
        self.dir.destroy(ending).await
    }
}

impl Deref for Site {
    type Target = SiteDir;

    fn deref(&self) -> &SiteDir {
        &self.dir
    }
}

impl Drop for Site {
    /// Ends what is left, without patience: whoever wants order calls [`Site::end`].
    fn drop(&mut self) {
        self.dir.end_processes(Ending::Abrupt).ok();
    }
}
