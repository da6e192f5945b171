//! Folders that take no file: a disk that fills up, one that is full, one that is read-only. Each is mounted
//! in a mount namespace that ends with the test.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;

use super::drplan::Ran;
use super::drplan::Spec;
use super::lab::Lab;
use super::store::APPLY;
use super::team::Shared;
use crate::runs;

/// How long mounting may take.
const MOUNT_LIMIT: Duration = Duration::from_secs(10);

/// A disk that holds plan, journal and traces of a small run, and little more.
const DISK: &str = "mount -t tmpfs -o size=256k,mode=700 disk .drplan";

const FULL: &str = "No space left on device";
const READ_ONLY: &str = "Read-only file system";

/// A mount namespace; it ends with this value.
struct Namespace {
    anchor: Child,
}

impl Namespace {
    /// Makes one in which a script of the shell has mounted something, in a folder.
    async fn new(dir: &Path, script: &str) -> Result<Self> {
        // It lives until its input ends, which it does when this program is dead, however it died.
        let script = format!("set -e; {script}; echo mounted; exec cat");
        let mut anchor = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &script])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start `unshare`")?;
        let stdout = anchor.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let said = tokio::time::timeout(MOUNT_LIMIT, lines.next_line()).await;
        let said = said.context("mounting takes too long")??;
        ensure!(
            said.as_deref() == Some("mounted"),
            "cannot mount in a namespace of one's own: only root can"
        );
        Ok(Self { anchor })
    }

    fn pid(&self) -> Result<u32> {
        self.anchor.id().context("the namespace has ended")
    }

    /// A file as those inside see it.
    fn path(&self, path: &Path) -> Result<PathBuf> {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()?));
        Ok(root.join(path.strip_prefix("/")?))
    }

    /// A spec whose commands run inside.
    fn spec(&self, spec: &Spec, programs: &Path) -> Result<Spec> {
        let wrapper = programs.join(format!("inside-{}", self.pid()?));
        let script = format!(
            "#!/bin/sh\nexec nsenter --target {} --mount --wdns=\"$PWD\" '{}' \"$@\"\n",
            self.pid()?,
            spec.drplan.program.display()
        );
        fs::write(&wrapper, script)?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
        let mut inside = spec.clone();
        inside.drplan.program = wrapper;
        Ok(inside)
    }
}

/// Writes until there is no room left.
fn fill(file: &Path) -> Result<()> {
    let mut filler = fs::File::create(file).context("cannot make the filler")?;
    let full = loop {
        if let Err(error) = filler.write_all(&[0; 1024]) {
            break error;
        }
    };
    ensure!(
        full.to_string().contains(FULL),
        "the disk is not full: {full}"
    );
    Ok(())
}

/// All files below a folder, with what is in them.
fn files(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut out = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => left.push(entry.path()),
                false => {
                    out.insert(entry.path(), fs::read(entry.path())?);
                }
            }
        }
    }
    Ok(out)
}

/// Every step that was begun, in the order of names.
fn begun(shared: &Shared) -> Result<Vec<String>> {
    let mut log = shared.log()?;
    log.sort();
    Ok(log)
}

fn all_steps() -> Vec<String> {
    let rows = (1..13).map(|n| format!("r{n}"));
    let mut all: Vec<String> = rows.chain(["first".to_owned()]).collect();
    all.sort();
    all
}

/// Goes on only with this exit code, and if it says what the system said and what to do.
fn refused(ran: Ran, exit: Exit, says: &[&str]) -> Result<Ran> {
    let ran = ran.ends(exit)?.expect_says(says)?;
    let said = ran.said();
    ensure!(
        !said.contains(".tmp"),
        "nobody knows a temporary file:\n{said}"
    );
    Ok(ran)
}

pub(super) async fn a_disk_that_fills_up_ends_a_run_before_what_cannot_be_kept(
    lab: &mut Lab,
) -> Result<()> {
    let shared = Shared::new(lab, "full")?;
    let spec = shared.of(&lab.spec("alone")?);
    fs::create_dir(spec.dir.join(".drplan"))?;
    let namespace = Namespace::new(&spec.dir, DISK).await?;
    let inside = namespace.spec(&spec, &lab.root)?;
    let seen = namespace.path(&spec.dir)?;
    let disk = seen.join(".drplan");
    let filler = disk.join("filler");

    let run = inside.start(APPLY)?;
    shared.wait_for("log").await?;
    let run_folder = runs::only(&runs::of(&seen)?)?.to_owned();
    let id = runs::id(&run_folder)?;
    fill(&filler)?;
    shared.let_go()?;
    let next = format!("next: drplan apply --resume {id}");
    let says = [
        "cannot write the journal `",
        FULL,
        "nothing new was begun",
        "make some there",
        &next,
    ];
    refused(run.ended().await?, Exit::Partial, &says)?;
    no_temporary_file(&disk)?;
    let before = begun(&shared)?;
    ensure!(
        before.len() < all_steps().len(),
        "everything was done on a full disk"
    );
    let journal = fs::read_to_string(runs::journal(&run_folder))?;
    for step in &before {
        let address = match step.as_str() {
            "first" => "command.first".to_owned(),
            row => format!("command.row[\\\"{row}\\\"]"),
        };
        let kept = format!("\"event\":\"effect_started\",\"address\":\"{address}\"");
        ensure!(
            journal.contains(&kept),
            "`{address}` was begun and not written down"
        );
    }
    inside.run(&["status"]).await?.expect(0)?;
    inside.run(&["evidence", "verify"]).await?.expect(0)?;

    full_from_the_start(&inside, &disk).await?;
    ensure!(
        begun(&shared)? == before,
        "something was begun on a full disk"
    );

    fs::remove_file(&filler)?;
    inside
        .run(&["apply", "--resume", &id])
        .await?
        .expect(0)?
        .expect_says(&["Recovered"])?;
    let all = begun(&shared)?;
    ensure!(
        all == all_steps(),
        "expected every step once, found {all:?}"
    );
    inside.run(&["evidence", "verify", &id]).await?.expect(0)?;
    Ok(())
}

/// What was begun to be written, and could not be, is taken away again.
fn no_temporary_file(disk: &Path) -> Result<()> {
    let left = files(disk)?.into_keys();
    let is_temporary = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(".tmp")
    };
    let left: Vec<PathBuf> = left.filter(is_temporary).collect();
    ensure!(left.is_empty(), "temporary files are left: {left:?}");
    Ok(())
}

/// What there is to lose on a disk. Whoever takes the lock says so in it, which is no loss.
fn kept(disk: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut out = files(disk)?;
    out.remove(&disk.join("lock"));
    Ok(out)
}

/// What is written on a full disk is written whole or not at all.
async fn full_from_the_start(inside: &Spec, disk: &Path) -> Result<()> {
    let before = kept(disk)?;
    for args in [
        APPLY,
        &["plan", "--out", ".drplan/x.plan"],
        &["snapshot", "--out", ".drplan/x.snapshot"],
        &["report", "--format", "html", "--out", ".drplan/x.html"],
        &["evidence", "export", "--out", ".drplan/x.json"],
    ] {
        refused(
            inside.run(args).await?,
            Exit::Error,
            &["cannot ", FULL, "make some there"],
        )?;
    }
    let now = kept(disk)?;
    let differs = differing(&before, &now);
    ensure!(differs.is_empty(), "it changed in part: {differs:?}");
    Ok(())
}

/// The files that are not the same in both.
fn differing<'f>(
    before: &'f BTreeMap<PathBuf, Vec<u8>>,
    now: &'f BTreeMap<PathBuf, Vec<u8>>,
) -> BTreeSet<&'f Path> {
    let all = before.keys().chain(now.keys());
    let differing = all.filter(|path| before.get(*path) != now.get(*path));
    differing.map(PathBuf::as_path).collect()
}

pub(super) async fn a_read_only_folder_is_read_and_nothing_is_applied_in_it(
    lab: &mut Lab,
) -> Result<()> {
    let shared = Shared::new(lab, "read-only")?;
    let spec = shared.of(&lab.spec("alone")?);
    shared.let_go()?;
    let first = [APPLY, &["--target", "command.first"]].concat();
    spec.run(&first).await?.expect(0)?;
    spec.run(&["plan", "--out", "saved.plan"])
        .await?
        .expect(0)?;
    let read_only = "mount --bind \"$PWD\" \"$PWD\"; mount -o remount,ro,bind \"$PWD\"";
    let namespace = Namespace::new(&spec.dir, read_only).await?;
    let inside = namespace.spec(&spec, &lab.root)?;
    let before = files(&spec.dir)?;
    for (args, says) in [
        (&["status"][..], "has ended well"),
        (&["report"], "1 done"),
        (&["evidence", "verify"], "holds"),
        (&["plan"], "12 to run"),
        (&["show", "saved.plan"], "12 to run"),
    ] {
        inside.run(args).await?.expect(0)?.expect_says(&[says])?;
    }
    for args in [APPLY, &["apply", "saved.plan"]] {
        let says = [
            "cannot lock `",
            READ_ONLY,
            "nothing is begun without them",
            "run_store",
        ];
        refused(inside.run(args).await?, Exit::Error, &says)?;
    }
    for args in [
        &["plan", "--out", "x.plan"][..],
        &["snapshot", "--out", "x.snapshot"],
        &["report", "--out", "x.txt"],
    ] {
        refused(
            inside.run(args).await?,
            Exit::Error,
            &[READ_ONLY, "that you may write to"],
        )?;
    }
    inside
        .run(&["doctor"])
        .await?
        .ends(Exit::Error)?
        .expect_says(&["BAD", "Read-only file"])?;
    let now = files(&spec.dir)?;
    let differs = differing(&before, &now);
    ensure!(differs.is_empty(), "something was written: {differs:?}");
    shared.expect(&["first"])?;
    nothing_has_run_there(lab, &shared).await
}

/// The same in a folder that has never seen a run.
async fn nothing_has_run_there(lab: &mut Lab, shared: &Shared) -> Result<()> {
    let spec = shared.of(&lab.spec("alone")?);
    let read_only = "mount --bind \"$PWD\" \"$PWD\"; mount -o remount,ro,bind \"$PWD\"";
    let namespace = Namespace::new(&spec.dir, read_only).await?;
    let inside = namespace.spec(&spec, &lab.root)?;
    inside
        .run(&["status"])
        .await?
        .expect(0)?
        .expect_says(&["holds no run"])?;
    let folder = spec.dir.join(".drplan").display().to_string();
    let says = [folder.as_str(), READ_ONLY, "nothing is begun without them"];
    refused(inside.run(APPLY).await?, Exit::Error, &says)?;
    shared.expect(&["first"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_something_else_differs_and_a_temporary_one_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let write = |names: &[&str], text: &str| {
            for name in names {
                fs::write(dir.path().join(name), text).unwrap();
            }
        };
        write(&["same", "lock", "changed", "gone"], "before");
        let before = kept(dir.path()).unwrap();
        no_temporary_file(dir.path()).unwrap();
        write(&["lock", "changed", ".tmpHalf"], "now");
        fs::remove_file(dir.path().join("gone")).unwrap();
        let now = kept(dir.path()).unwrap();
        let differs = differing(&before, &now);
        let names = differs.into_iter().map(|path| path.file_name().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), [".tmpHalf", "changed", "gone"]);
        assert!(no_temporary_file(dir.path()).is_err());
    }
}
