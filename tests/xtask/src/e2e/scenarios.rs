//! The table of scenarios: a name, a sentence that must hold, and the function that finds out.

use std::pin::Pin;

use anyhow::Result;

use super::audit;
use super::audit_all;
use super::bad_input;
use super::clock;
use super::disk;
use super::dns;
use super::drift;
use super::kill;
use super::kill::Depth;
use super::kill::Met;
use super::kill::POINTS;
use super::kill::Resume;
use super::lab::Lab;
use super::pauses;
use super::recovery;
use super::rights;
use super::rivals;
use super::secrets;
use super::store;

type Outcome<'l> = Pin<Box<dyn Future<Output = Result<()>> + 'l>>;

enum Run {
    One(for<'l> fn(&'l mut Lab) -> Outcome<'l>),
    Kill(usize, Resume),
}

/// One scenario.
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) sentence: String,
    run: Run,
}

impl Scenario {
    /// At which point it kills drplan, if it does.
    pub(super) fn kills_at(&self) -> Option<usize> {
        match self.run {
            Run::One(_) => None,
            Run::Kill(point, _) => Some(point),
        }
    }

    /// Runs it; says too whether it came where it was meant to.
    pub(super) async fn run(&self, lab: &mut Lab) -> Result<Met> {
        match self.run {
            Run::One(run) => run(lab).await.map(|()| Met::InTime),
            Run::Kill(point, resume) => kill::killed_and_resumed(lab, &POINTS[point], resume).await,
        }
    }
}

macro_rules! scenarios {
    ($($name:literal $sentence:literal $run:path;)*) => {
        vec![$(Scenario {
            name: $name.to_owned(),
            sentence: $sentence.to_owned(),
            run: Run::One(|lab| Box::pin($run(lab))),
        }),*]
    };
}

/// All scenarios, in an order that saves time.
pub(super) fn all(depth: Depth) -> Vec<Scenario> {
    let mut out = scenarios! {
        "summary" "the summary of the destroyed shop's plan fits on one screen and says what is lost and what is not" recovery::the_summary_fits_on_one_screen;
        "full" "the full plan names every object and every table that A held" recovery::the_full_plan_names_every_object;
        "objects" "every object is on B as it was on A, and no other" recovery::every_object_is_as_it_was_on_a;
        "rows" "every row, index and constraint is on B as it was on A, once" recovery::every_row_is_as_it_was_on_a;
        "record" "the name leads to B after one change of the zone" recovery::the_name_leads_to_b;
        "workloads" "the restored Deployments run on B" recovery::the_workloads_run_on_b;
        "second-plan" "a second plan is empty, for anybody" recovery::the_second_plan_is_empty;
        "audit-drplan" "drplan's successful writes are exactly the plan's" audit::drplan_writes_exactly_the_plan;
        "audit-velero" "Velero's writes are exactly its list of objects" audit::velero_writes_exactly_its_own_list;
        "healthy" "a day on which nothing is lost asks nobody" drift::a_healthy_day_asks_nobody;
        "drift-object" "an object deleted inside a living namespace is listed and left alone" drift::an_object_deleted_in_a_living_namespace_is_listed_and_left_alone;
        "drift-restore" "a hand-edited Deployment under a restore is shown with its text diff and left alone" drift::a_hand_edited_deployment_under_a_restore_is_shown_and_left_alone;
        "drift-manifest" "a hand-edited Deployment under a manifest is put back" drift::a_hand_edited_deployment_under_a_manifest_is_put_back;
        "namespace" "a deleted namespace makes a plan that restores just that one" drift::a_deleted_namespace_comes_back_alone;
        "rights" "whoever has nothing but the rights that drplan asks for recovers" rights::the_rights_that_are_asked_for_are_enough;
        "pause-killed" "drplan killed while everything is paused leaves marks and says so, and the next apply releases exactly" pauses::a_run_killed_in_between_leaves_marks_and_the_next_apply_releases;
        "pause-half" "what is half paused when drplan dies is released as it was, once somebody says yes" pauses::what_is_half_paused_is_released_as_it_was;
        "pause-failed" "a step that fails keeps everything paused and says so, and another machine goes on" pauses::a_step_that_fails_keeps_everything_paused_and_says_so;
        "pause-born" "what a restore brings back paused never ran, and is released from anywhere" pauses::what_comes_back_paused_never_ran_and_is_released_from_anywhere;
        "two-applies" "of two applies at once the second is refused, names the first and writes nothing" rivals::of_two_applies_at_once_the_second_is_refused_and_writes_nothing;
        "dns-moved" "a record that somebody changed between plan and apply is refused and named" dns::a_record_that_was_changed_since_the_plan_is_refused;
        "dns-right" "a record that has the right value already is left alone" dns::a_record_with_the_right_value_is_left_alone;
        "bad-cluster" "a cluster that cannot be reached and that nobody declared lost is named" bad_input::a_cluster_that_nobody_declared_lost;
        "bad-token" "a token that the cluster does not know is an error without the token" bad_input::a_token_that_the_cluster_does_not_know;
        "bad-bucket" "a bucket that does not exist is named" bad_input::a_bucket_that_does_not_exist;
        "bad-credentials" "credentials that the bucket refuses are an error without the key" bad_input::credentials_that_the_bucket_refuses;
        "bad-backup" "a backup that does not exist is an error with the nearest names" bad_input::a_backup_that_does_not_exist;
        "bad-archive" "an archive that breaks off is not believed" bad_input::an_archive_that_breaks_off;
        "bad-dump" "a dump that breaks off is not believed" bad_input::a_dump_that_breaks_off;
        "bad-database" "a database that holds foreign data is a conflict and stays as it is" bad_input::a_database_that_holds_foreign_data;
    };
    for (index, resume) in kill::rounds(depth) {
        let (word, from) = match resume {
            Resume::Same => ("same", "from the same folder"),
            Resume::Empty => ("empty", "from an empty folder"),
        };
        out.push(Scenario {
            name: format!("kill-{:02}-{word}", index + 1),
            sentence: format!(
                "drplan killed {}, then resumed {from}, comes to the same end",
                POINTS[index].when()
            ),
            run: Run::Kill(index, resume),
        });
    }
    out.extend(scenarios! {
        "store-two" "of two machines that apply at once one goes and the other learns who does" store::of_two_applies_at_once_one_goes;
        "store-asleep" "who slept while another took its run over does nothing more" store::who_slept_while_another_took_over_does_nothing_more;
        "store-gone" "a bucket that goes away ends a run only if it stays away, and another folder goes on" store::a_bucket_that_goes_away_ends_a_run_only_if_it_stays_away;
        "store-clock" "a clock that is set during a run ends nothing, and the report says so" clock::a_clock_that_is_set_during_a_run_ends_nothing_and_is_said;
        "store-full" "a disk that fills up ends a run before what cannot be written down" disk::a_disk_that_fills_up_ends_a_run_before_what_cannot_be_kept;
        "store-read-only" "in a read-only folder runs are shown and nothing is applied" disk::a_read_only_folder_is_read_and_nothing_is_applied_in_it;
        "audit-all" "over all runs and all lives of site B, every write into a cluster or the zone falls between the begin and the end of an effect in a journal, and every such effect that is recorded as done was written" audit_all::everything_written_is_in_a_journal_and_the_other_way_round;
        "secrets" "no secret is in any output, plan, journal or frontier of all these runs" secrets::no_secret_is_in_any_output_plan_journal_or_frontier;
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let all = all(Depth::Both);
        let names: std::collections::BTreeSet<&String> = all.iter().map(|s| &s.name).collect();
        assert_eq!(names.len(), all.len());
    }
}
