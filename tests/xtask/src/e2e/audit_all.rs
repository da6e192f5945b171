//! Who wrote what, over all runs of all scenarios and all lives of site B.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan_harness::audit;

use super::audit::named;
use super::lab::BUCKET;
use super::lab::Lab;
use super::ledger::Ledger;
use super::ledger::Written;
use super::ledger::ZONE;
use crate::runs;

/// Whoever drplan is in a cluster: its own user, and the account of the scenario about rights.
const USERS: &[&str] = &["drplan", super::rights::USER];

/// Where Velero answers a Restore.
const ANSWERS: &str = "velero/restores/";

/// What stands in front of a run in a store of runs, and of a lock.
const RUNS: &str = "runs/";
const LOCKS: &str = "locks/";

/// How many keys an error names.
const SHOWN_MAX: usize = 8;

pub(super) async fn everything_written_is_in_a_journal_and_the_other_way_round(
    lab: &mut Lab,
) -> Result<()> {
    lab.recovered_from_nothing().await?;
    let ledger = ledger(lab).await?;
    let counts = ledger.hold_against(&written(lab)?)?;
    ensure!(
        counts.done > 0 && counts.written >= counts.done,
        "there is nothing to compare: {counts:?}"
    );
    let now = lab.store.contents(BUCKET).await?;
    let foreign = foreign(&lab.left_by_a, &now, &lab.put_by_hand, &ledger.restores);
    ensure!(
        foreign.is_empty(),
        "{} keys of the bucket are not as A left them, and neither a scenario nor Velero wrote \
         them: {:?}",
        foreign.len(),
        foreign.iter().take(SHOWN_MAX).collect::<Vec<_>>()
    );
    let said = format!(
        "{} journals begin {} writes; {} were made in {} lives of site B and in the zone, {} of \
         them are recorded as done\n",
        ledger.journals,
        counts.begun,
        counts.written,
        lab.lives.len() + 1,
        counts.done,
    );
    fs::write(lab.drplan.report.join("audit-all.txt"), said)?;
    Ok(())
}

/// Reads the journals of all runs: beside each spec, and in stores of runs in the buckets.
async fn ledger(lab: &Lab) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    for spec in fs::read_dir(lab.root.join("specs"))? {
        for run in runs::of(&spec?.path())? {
            let journal = runs::journal(&run);
            // A run that died before its first record has none.
            if journal.exists() {
                let text = fs::read_to_string(&journal)?;
                let about = || format!("in `{}`", journal.display());
                ledger.read(&text).with_context(about)?;
            }
        }
    }
    for (run, text) in shared_journals(lab).await? {
        ledger.read(&text).with_context(|| format!("in `{run}`"))?;
    }
    let ends: Vec<_> = lab.lives.iter().map(|life| life.ended_at).collect();
    ledger.end_lives(&ends);
    Ok(ledger)
}

/// The journals that lie in buckets, each put together from its segments.
async fn shared_journals(lab: &Lab) -> Result<BTreeMap<String, String>> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for bucket in lab.store.buckets().await? {
        for key in lab.store.contents(&bucket).await?.into_keys() {
            let Some((run, segment)) = key.split_once("/journal/") else {
                continue;
            };
            if is_of_a_store(&key) && segment.ends_with(".jsonl") {
                let text = String::from_utf8(lab.store.get(&bucket, &key).await?)?;
                let run = format!("{bucket}/{run}");
                out.entry(run).or_default().push_str(&text);
            }
        }
    }
    Ok(out)
}

/// When drplan's writes were accepted by API servers and by the zone.
fn written(lab: &Lab) -> Result<Written> {
    let mut written = Written::new();
    let current = lab.b.audit_log();
    let over = lab.lives.iter().map(|life| &life.audit_log);
    for log in over.chain([&current]) {
        for user in USERS {
            for (at, write) in audit::timed_writes(log, user)? {
                written.entry(named(&write)).or_default().push(at);
            }
        }
    }
    written.insert(ZONE.to_owned(), lab.zone.changed_at()?);
    Ok(written)
}

/// Whether a key belongs to a store of runs.
fn is_of_a_store(key: &str) -> bool {
    let folders = [RUNS, LOCKS];
    folders
        .iter()
        .any(|folder| key.starts_with(folder) || key.contains(&format!("/{folder}")))
}

/// The keys that are not as they were, and that nobody owns up to.
fn foreign(
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    put: &BTreeSet<String>,
    restores: &[String],
) -> Vec<String> {
    let answers = |key: &str| {
        let restore = key.strip_prefix(ANSWERS).and_then(|k| k.split_once('/'));
        restore.is_some_and(|(name, _)| restores.iter().any(|r| r == name))
    };
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    let changed = now.iter().filter(|(key, tag)| {
        before.get(*key) != Some(tag) && !put.contains(*key) && !answers(key) && !is_of_a_store(key)
    });
    gone.chain(changed.map(|(key, _)| key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = of.iter();
        pairs
            .map(|(key, tag)| ((*key).to_owned(), (*tag).to_owned()))
            .collect()
    }

    #[test]
    fn only_what_a_scenario_or_velero_or_a_store_of_runs_wrote_may_differ_in_the_bucket() {
        let before = keys(&[("dumps/shop-1.dump", "a"), ("velero/backups/x", "b")]);
        let put = BTreeSet::from(["cut/shop-1.dump".to_owned()]);
        let restores = ["drplan-apps-1".to_owned()];
        let differ = |now: &[(&str, &str)]| {
            let now = [
                &[("dumps/shop-1.dump", "a"), ("velero/backups/x", "b")],
                now,
            ]
            .concat();
            foreign(&before, &keys(&now), &put, &restores)
        };
        assert_eq!(differ(&[]), [""; 0]);
        let owned = [
            ("cut/shop-1.dump", "c"),
            ("velero/restores/drplan-apps-1/logs.gz", "d"),
            ("team/runs/20260105/journal/000001.jsonl", "e"),
            ("locks/shop.json", "f"),
        ];
        assert_eq!(differ(&owned), [""; 0]);
        assert_eq!(differ(&[("velero/restores/r-1/logs.gz", "d")]).len(), 1);
        assert_eq!(differ(&[("dumps/shop-1.dump", "z")]).len(), 1);
        assert_eq!(differ(&[("new", "g")]), ["new"]);
        let gone = keys(&[("velero/backups/x", "b")]);
        assert_eq!(
            foreign(&before, &gone, &put, &restores),
            ["dumps/shop-1.dump"]
        );
    }
}
