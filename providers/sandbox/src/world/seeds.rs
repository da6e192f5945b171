//! The seeds of a world's parts: each part draws from its own.

/// The seed of one part: for each name another, and for one name of one world always the same.
pub(super) fn seed_of(world: u64, part: &str) -> u64 {
    let digest = drplan_api::digest(format!("{world} {part}").as_bytes());
    let digits = digest.get(..16).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(world)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::super::Beginning;
    use super::super::Faults;
    use super::super::World;

    /// Who answers in a world of two clusters and two database servers.
    fn identities(seed: u64) -> Vec<String> {
        let database = |address| json!({ "address": address, "user": "u", "password": "p" });
        let file = serde_json::from_value(json!({
            "start": "2026-01-05T03:10:00Z",
            "cluster": {
                "a": { "server": "https://a.example:6443" },
                "b": { "server": "https://b.example:6443" },
            },
            "postgres": { "a": database("a.example:5432"), "b": database("b.example:5432") },
        }));
        let from = Beginning {
            data_dir: Path::new("."),
            base_dir: Path::new("."),
            seed,
            faults: Faults::none(),
            recall: None,
        };
        let world = World::new(&file.expect("a world file"), from).expect("a world");
        let clusters = world.clusters().map(|(_, cluster)| cluster.uid());
        let databases = world.databases();
        let databases = databases.map(|(_, server)| server.system_identifier().to_string());
        clusters.chain(databases).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn servers_of_a_world_differ_and_those_of_the_same_world_do_not() {
        let one = identities(1);
        let mut different = one.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 4, "{one:?}");
        assert_eq!(one, identities(1));
        assert!(one.iter().all(|id| !identities(2).contains(id)));
    }
}
