//! Somebody else moves the name while a recovery is under way.

use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;

use super::lab::Lab;
use super::recovery::LOST;
use super::recovery::acting;
use super::zone;

/// An address that belongs to neither site.
const FOREIGN: &str = "203.0.113.99";

pub(super) async fn a_record_that_was_changed_since_the_plan_is_refused(
    lab: &mut Lab,
) -> Result<()> {
    let spec = lab.recovered().await?;
    lab.zone.points_to_a()?;
    let plan = [&["plan", "--out", "dns.plan"], LOST].concat();
    spec.run(&plan).await?.expect(0)?;
    lab.zone.set(FOREIGN)?;
    let before = lab.zone.changes();
    let ran = spec
        .run(&["apply", "dns.plan", "--approve", "approval.cutover"])
        .await?;
    let www = lab.zone.www()?;
    let changed = lab.zone.changes() - before;
    lab.zone.set(zone::NEW)?;
    ran.ends(Exit::Stale)?
        .expect_says(&["route53_record.www", FOREIGN])?;
    ensure!(
        www == [FOREIGN] && changed == 0,
        "nothing may be written: the record is {www:?} after {changed} changes"
    );
    Ok(())
}

pub(super) async fn a_record_with_the_right_value_is_left_alone(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?;
    lab.zone.points_to_a()?;
    let plan = [&["plan", "--json", "--out", "dns.plan"], LOST].concat();
    let plan = spec.run(&plan).await?.expect(0)?.json()?;
    let steps = acting(&plan);
    ensure!(
        steps.contains(&"route53_record.www"),
        "the record must be planned, the plan has {steps:?}"
    );
    // Somebody was faster and did the same.
    lab.zone.set(zone::NEW)?;
    let before = lab.zone.changes();
    spec.run(&["apply", "dns.plan", "--approve", "approval.cutover"])
        .await?
        .expect(0)?;
    let changed = lab.zone.changes() - before;
    ensure!(changed == 0, "a right record was written {changed} times");
    let empty = [&["plan", "--detailed-exitcode"], LOST].concat();
    spec.run(&empty).await?.expect(0)?;
    Ok(())
}
