//! The arguments of `helm` that the rehearsal knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use drplan_api::process::Program;

/// How long waiting may take if nobody says: Helm's own default.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);

/// What `helm` is asked to do.
pub(super) enum Command {
    /// Print the description of a chart.
    ShowChart { chart: PathBuf },
    /// Install or upgrade a release.
    Upgrade(Box<Wanted>),
}

/// A release as it is wanted.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) chart: PathBuf,
    pub(super) namespace: String,
    pub(super) create_namespace: bool,
    pub(super) kubeconfig: PathBuf,
    pub(super) values: Vec<PathBuf>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) wait: bool,
    pub(super) timeout: Duration,
}

pub(super) fn read(program: &Program) -> Result<Command, String> {
    let words: Vec<&str> = program.argv.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["show", "chart", rest @ ..] => Ok(Command::ShowChart {
            chart: chart(program, rest)?,
        }),
        ["upgrade", "--install", name, rest @ ..] => upgrade(program, name, rest),
        _ => Err(format!(
            "the rehearsal's helm does not know `helm {}`",
            words.first().unwrap_or(&"")
        )),
    }
}

fn chart(program: &Program, words: &[&str]) -> Result<PathBuf, String> {
    let Some(chart) = words.first() else {
        return Err("no chart is named".to_owned());
    };
    if words.contains(&"--repo") || chart.starts_with("oci://") {
        return Err(format!(
            "chart `{chart}` is in a repository, and a rehearsal has no network: put the chart into a folder beside the spec"
        ));
    }
    Ok(program.cwd.join(chart))
}

fn upgrade(program: &Program, name: &str, words: &[&str]) -> Result<Command, String> {
    let mut wanted = Wanted {
        name: name.to_owned(),
        chart: chart(program, words)?,
        namespace: "default".to_owned(),
        create_namespace: false,
        kubeconfig: PathBuf::new(),
        values: Vec::new(),
        labels: BTreeMap::new(),
        wait: false,
        timeout: TIMEOUT_DEFAULT,
    };
    let mut words = words.iter().skip(1);
    while let Some(&word) = words.next() {
        let mut value = || match words.next() {
            Some(value) => Ok((*value).to_owned()),
            None => Err(format!("flag needs an argument: {word}")),
        };
        match word {
            "--namespace" => wanted.namespace = value()?,
            "--kubeconfig" => wanted.kubeconfig = value()?.into(),
            "--values" => wanted.values.push(value()?.into()),
            "--labels" => wanted.labels = labels(&value()?),
            "--timeout" => wanted.timeout = seconds(&value()?)?,
            "--history-max" => drop(value()?),
            "--create-namespace" => wanted.create_namespace = true,
            "--wait" => wanted.wait = true,
            "--reset-values" => {}
            other => return Err(format!("the rehearsal's helm does not know `{other}`")),
        }
    }
    Ok(Command::Upgrade(Box::new(wanted)))
}

fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').and_then(|n| n.parse().ok());
    number
        .map(Duration::from_secs)
        .ok_or_else(|| format!("invalid argument \"{text}\" for \"--timeout\""))
}
