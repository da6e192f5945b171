//! No database is restored twice, put in place half done, or thrown away when it was finished. A staging
//! database may be made anew after one that was half done: nothing but that restore was ever in it.

use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_sandbox_postgres::Deed;

use super::super::life::Life;
use super::owner::DATABASE;
use super::owner::argument;

pub(super) fn broken(life: &Life) -> Vec<String> {
    let plans = life.runs.iter().filter_map(|run| run.plan.as_ref());
    let steps = plans.flat_map(|plan| &plan.steps);
    let restores = steps.filter(|step| step.kind == DATABASE);
    let restores: BTreeSet<(&Address, &str)> = restores
        .filter_map(|step| Some((&step.address, argument(step, "database").as_str()?)))
        .collect();
    let mut out = Vec::new();
    for (server, there) in life.scene.world().databases() {
        let deeds = there.deeds();
        for (address, database) in &restores {
            let hows = of(database, &deeds).into_iter();
            out.extend(hows.map(|how| format!("server {server}: `{address}` {how}")));
        }
    }
    out
}

/// What is wrong with what became of a database.
fn of(database: &str, deeds: &[Deed]) -> Vec<String> {
    let mut in_place = 0;
    let mut out = Vec::new();
    for deed in deeds {
        match deed {
            Deed::Renamed { from, to, finished } if to == database => {
                in_place += 1;
                if !finished {
                    out.push(format!("puts `{from}` in place half done"));
                }
                if in_place > 1 {
                    out.push(format!("puts `{from}` in place of what it had restored"));
                }
            }
            Deed::Made(name) if in_place > 0 && is_staging(name, database) => {
                out.push(format!("begins `{name}`, and was done"));
            }
            Deed::Dropped { name, finished } if *finished && is_staging(name, database) => {
                out.push(format!("drops `{name}`, which was finished"));
            }
            _ => {}
        }
    }
    out
}

/// Whether a name is that of a database which a restore fills before it is put in place.
fn is_staging(name: &str, database: &str) -> bool {
    name.strip_prefix(database)
        .is_some_and(|rest| rest.starts_with("_drplan_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Deed {
        Deed::Made("shop_drplan_1".to_owned())
    }

    fn dropped(finished: bool) -> Deed {
        Deed::Dropped {
            name: "shop_drplan_1".to_owned(),
            finished,
        }
    }

    fn renamed(finished: bool) -> Deed {
        Deed::Renamed {
            from: "shop_drplan_1".to_owned(),
            to: "shop".to_owned(),
            finished,
        }
    }

    #[test]
    fn a_restore_that_begins_anew_after_a_half_done_one_is_one_restore() {
        let deeds = [made(), dropped(false), made(), renamed(true)];
        assert!(of("shop", &deeds).is_empty());
    }

    #[test]
    fn what_is_restored_twice_lost_or_half_done_is_seen() {
        for deeds in [
            vec![made(), renamed(true), made()],
            vec![made(), dropped(true)],
            vec![made(), renamed(false)],
            vec![renamed(true), renamed(true)],
        ] {
            assert_eq!(of("shop", &deeds).len(), 1, "{deeds:?}");
        }
    }
}
