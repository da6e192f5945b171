//! Names that are like one that does not exist.

/// How many names are offered.
const NEAREST_MAX: usize = 3;

/// Says which names there are that are most like one that does not exist. `what` is "backup".
pub(crate) fn nearest<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let mut scored: Vec<(f64, &str)> = names
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best: Vec<String> = scored
        .iter()
        .take(NEAREST_MAX)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    if best.is_empty() {
        return format!("there is no {what} at all");
    }
    format!("the nearest are {}", best.join(", "))
}
