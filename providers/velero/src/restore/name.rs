//! Names of Restores: fixed by the step, what it wants, and the number of attempts before.

use drplan_api::Address;
use drplan_api::short_hash;

/// The longest part of a name that comes from the address: names become label values of at most 63
/// characters, and `drplan-`, `-HASH-` and the attempt need the rest.
const SLUG_CHARACTERS_MAX: usize = 40;
const HASH_CHARACTERS: usize = 8;

/// The names of one step's Restores, whatever it wanted at the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn of(address: &Address) -> Self {
        let slug = address.slug(usize::MAX);
        let slug = if slug.len() > SLUG_CHARACTERS_MAX {
            let head = address.slug(SLUG_CHARACTERS_MAX - HASH_CHARACTERS - 1);
            format!("{head}-{}", short_hash(&address))
        } else {
            slug
        };
        Self {
            prefix: format!("drplan-{slug}-"),
        }
    }

    pub(crate) fn name(&self, hash: &str, attempt: u32) -> String {
        format!("{}{hash}-{attempt}", self.prefix)
    }

    /// Reads hash and attempt out of a name, if it is one of this step.
    pub(crate) fn parse<'a>(&self, name: &'a str) -> Option<(&'a str, u32)> {
        let (hash, attempt) = name.strip_prefix(&self.prefix)?.split_once('-')?;
        let is_hash = hash.len() == HASH_CHARACTERS && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_hash {
            return None;
        }
        Some((hash, attempt.parse().ok()?))
    }

    pub(crate) fn owns(&self, name: &str) -> bool {
        self.parse(name).is_some()
    }

    /// The attempt that comes after all that are known.
    pub(crate) fn next<'a>(&self, hash: &str, known: impl Iterator<Item = &'a str>) -> u32 {
        let attempts = known.filter_map(|name| self.parse(name));
        let last = attempts.filter(|(h, _)| *h == hash).map(|(_, n)| n).max();
        last.unwrap_or(0) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_knows_its_own_restores_from_those_of_its_neighbours() {
        let shop = Names::of(&Address::new("velero_restore.shop"));
        let name = shop.name("0a1b2c3d", 2);
        assert_eq!(name, "drplan-velero-restore-shop-0a1b2c3d-2");
        assert_eq!(shop.parse(&name), Some(("0a1b2c3d", 2)));
        for other in [
            "drplan-velero-restore-shop-eu-0a1b2c3d-2",
            "drplan-velero-restore-shop-0a1b2c3d",
            "drplan-velero-restore-shop-0a1b2c3d-x",
            "drplan-velero-restore-0a1b2c3d-2",
            "nightly",
        ] {
            assert!(!shop.owns(other), "{other}");
        }
    }

    #[test]
    fn attempts_are_counted_for_the_same_want_only() {
        let shop = Names::of(&Address::new("velero_restore.shop"));
        let known = [
            shop.name("0a1b2c3d", 1),
            shop.name("0a1b2c3d", 4),
            shop.name("ffffffff", 9),
        ];
        assert_eq!(shop.next("0a1b2c3d", known.iter().map(String::as_str)), 5);
        assert_eq!(shop.next("00000000", known.iter().map(String::as_str)), 1);
    }

    #[test]
    fn long_addresses_fit_into_a_label_and_stay_apart() {
        let a = Names::of(&Address::new(format!("velero_restore.{}", "a".repeat(80))));
        let b = Names::of(&Address::new(format!("velero_restore.{}", "a".repeat(81))));
        assert!(a.name("0a1b2c3d", 9999).len() <= 63);
        assert_ne!(a, b);
    }
}
