//! The program: its files, arguments and environment. Secrets go into files that only this user can
//! read, inside the step's private folder; never into arguments.

#![expect(clippy::disallowed_methods, reason = "it reads what the program wrote")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Late;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;
use drplan_api::cut;
use drplan_api::holes;
use drplan_api::process::Program;
use drplan_api::process::Traces;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;

use crate::Chart;
use crate::Op;
use crate::release;

/// How many revisions Helm keeps.
const HISTORY_MAX: u32 = 10;
/// How long reading the chart's own description may take, download included.
const SHOW_TIMEOUT: Duration = Duration::from_secs(120);
/// The most that is shown of a program's complaints.
const COMPLAINT_CHARACTERS_MAX: usize = 800;
/// Variables that would send `helm` to another cluster or let it store releases elsewhere.
const UNSET: &[&str] = &[
    "HELM_DEBUG",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
];

/// Returns the traces of the step's program.
pub(crate) fn traces(cx: &ReadCx) -> Traces {
    Traces::in_dir(&cx.work_dir, "helm")
}

fn kubeconfig_file(cx: &ReadCx) -> PathBuf {
    cx.work_dir.join("kubeconfig")
}

fn secret_values_file(cx: &ReadCx) -> PathBuf {
    cx.work_dir.join("values-secret.yaml")
}

/// Returns what a person types.
pub(crate) fn manual(op: &Op) -> String {
    let (chart, place) = match &op.chart {
        Chart::Path { path, .. } => (path.clone(), String::new()),
        Chart::Named {
            repository,
            name,
            version,
        } => (
            name.clone(),
            format!(" --repo {repository} --version {version}"),
        ),
        Chart::Oci { reference, version } => (reference.clone(), format!(" --version {version}")),
    };
    let mut line = format!(
        "helm upgrade --install {} {chart}{place} --namespace {}",
        op.name, op.namespace
    );
    if op.create_namespace {
        line.push_str(" --create-namespace");
    }
    for file in &op.values_files {
        line.push_str(" --values ");
        line.push_str(&file.path);
    }
    if !op.values.is_null() || op.secret_values.is_some() {
        line.push_str(" --values VALUES.yaml");
    }
    line.push_str(" --reset-values");
    if op.wait {
        line.push_str(" --wait");
    }
    line
}

fn chart_args(cx: &ReadCx, op: &Op) -> Vec<String> {
    match &op.chart {
        // An absolute path cannot be mistaken for the name of a chart.
        Chart::Path { path, .. } => vec![cx.base_dir.join(path).display().to_string()],
        Chart::Named {
            repository,
            name,
            version,
        } => [name, "--repo", repository, "--version", version]
            .map(str::to_owned)
            .to_vec(),
        Chart::Oci { reference, version } => [reference, "--version", version]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn program(cx: &ReadCx, op: &Op, args: Vec<String>, timeout: Duration) -> Program {
    let mut env: BTreeMap<String, String> = UNSET
        .iter()
        .map(|&name| (name.to_owned(), String::new()))
        .collect();
    env.insert(
        "HELM_KUBEINSECURE_SKIP_TLS_VERIFY".to_owned(),
        "false".to_owned(),
    );
    env.insert("HELM_DRIVER".to_owned(), "secret".to_owned());
    let cache = cx.work_dir.join("cache").display().to_string();
    env.insert("HELM_CACHE_HOME".to_owned(), cache);
    let mut argv = vec![op.helm.clone()];
    argv.extend(args);
    Program {
        argv,
        env,
        cwd: cx.base_dir.clone(),
        stdin: None,
        timeout,
    }
}

/// Reads the version of the application from the chart, which also proves that the chart is there.
pub(crate) async fn app_version(cx: &ReadCx, op: &Op) -> Result<Option<String>, ProviderError> {
    let mut args = vec!["show".to_owned(), "chart".to_owned()];
    args.extend(chart_args(cx, op));
    let shown = cx
        .doors
        .process
        .run(program(cx, op, args, SHOW_TIMEOUT))
        .await?;
    if shown.code != Some(0) {
        let kind = match op.chart {
            Chart::Path { .. } => ErrorKind::Invalid,
            Chart::Named { .. } | Chart::Oci { .. } => ErrorKind::Unreachable,
        };
        return Err(
            ProviderError::new(kind, "read the chart", cx.address.to_string())
                .because(complaint(&shown.stderr)),
        );
    }
    let chart: Json = serde_saphyr::from_slice(&shown.stdout).map_err(|_| {
        ProviderError::new(ErrorKind::Corrupt, "read the chart", cx.address.to_string())
            .because(format!("`{} show chart` did not print YAML", op.helm))
    })?;
    Ok(match &chart["appVersion"] {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    })
}

/// Writes the files of an upgrade and returns the program.
pub(crate) fn upgrade(
    cx: &WriteCx,
    op: &Op,
    kube: &KubeConn,
    revision: u64,
    marks: &[(&str, String)],
) -> Result<Program, ProviderError> {
    let mut args = vec![
        "upgrade".to_owned(),
        "--install".to_owned(),
        op.name.clone(),
    ];
    args.extend(chart_args(cx, op));
    // Without it, and without any values, Helm would silently keep those of the last revision.
    args.push("--reset-values".to_owned());
    let mut flag = |name: &str, value: String| args.extend([name.to_owned(), value]);
    flag("--namespace", op.namespace.clone());
    flag("--kubeconfig", write_kubeconfig(cx, kube)?);
    flag("--history-max", HISTORY_MAX.to_string());
    flag("--timeout", format!("{}s", op.wait_timeout_s));
    for file in values_files(cx, op)? {
        flag("--values", file);
    }
    let mut labels = vec![
        format!("{}={}", stamp::RECOVERY, stamp::label_value(&cx.recovery)),
        format!("{}={}", stamp::RUN, stamp::label_value(&cx.run)),
        format!(
            "{}={}",
            stamp::STEP,
            stamp::label_value(cx.address.as_str())
        ),
        format!("{}={}", stamp::WANT, op.want),
        format!("{}={revision}", release::REVISION),
    ];
    labels.extend(marks.iter().map(|(key, value)| format!("{key}={value}")));
    flag("--labels", labels.join(","));
    if op.wait {
        args.push("--wait".to_owned());
    }
    if op.create_namespace {
        args.push("--create-namespace".to_owned());
    }
    // Helm keeps its own deadline for each operation; this one is for doors that keep one too.
    let limit = Duration::from_secs(op.believed_s());
    Ok(program(cx, op, args, limit))
}

fn write_kubeconfig(cx: &ReadCx, kube: &KubeConn) -> Result<String, ProviderError> {
    let text = kube.kubeconfig().ok_or_else(|| {
        ProviderError::new(ErrorKind::Bug, "give `helm` a kubeconfig", kube.server())
            .because("the connection was made without one")
    })?;
    let file = kubeconfig_file(cx);
    write_private(&file, text.as_bytes())?;
    Ok(file.display().to_string())
}

/// Later files win: those of the spec in order, then its values, then the secret ones.
fn values_files(cx: &WriteCx, op: &Op) -> Result<Vec<String>, ProviderError> {
    let mut out = Vec::new();
    let mut put = |file: PathBuf, content: &[u8]| {
        write_private(&file, content)?;
        out.push(file.display().to_string());
        Ok::<_, ProviderError>(())
    };
    for (n, file) in op.values_files.iter().enumerate() {
        put(
            cx.work_dir.join(format!("values-{n}.yaml")),
            file.content.as_bytes(),
        )?;
    }
    // JSON is YAML.
    if !op.values.is_null() {
        put(
            cx.work_dir.join("values.yaml"),
            op.values.to_string().as_bytes(),
        )?;
    }
    if let Some(late) = &op.secret_values {
        put(
            secret_values_file(cx),
            open(cx, late)?.to_string().as_bytes(),
        )?;
    }
    Ok(out)
}

/// Opens a value that is a hole or has holes inside.
fn open(cx: &WriteCx, late: &Late<Json>) -> Result<Json, ProviderError> {
    let mut value = cx.open(late)?;
    for (at, hole) in holes(&value) {
        let opened: Json = cx.open(&Late::Hole(hole))?;
        if let Some(place) = value.pointer_mut(&at) {
            *place = opened;
        }
    }
    Ok(value)
}

fn write_private(file: &Path, content: &[u8]) -> Result<(), ProviderError> {
    let write = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(file)?.write_all(content)
    };
    write().map_err(|e| {
        let target = format!("file {}", file.display());
        ProviderError::new(ErrorKind::Invalid, "write a file for `helm`", target).caused_by(&e)
    })
}

/// Removes the files with secrets once nothing reads them any more.
pub(crate) fn forget_secrets(cx: &ReadCx) {
    for file in [kubeconfig_file(cx), secret_values_file(cx)] {
        // What is not there needs no removing, and the folder is private anyway.
        fs::remove_file(file).ok();
    }
}

/// Removes the traces of an earlier attempt, which would be taken for those of an adopted one.
pub(crate) fn forget_traces(cx: &ReadCx) {
    let traces = traces(cx);
    for file in [traces.status, traces.pid] {
        fs::remove_file(file).ok();
    }
}

/// Returns the end of what the upgrade complained about. With secret values the text stays in its
/// file, because a template may print what it was given.
pub(crate) fn upgrade_complaint(cx: &ReadCx, op: &Op) -> String {
    let file = traces(cx).stderr;
    if op.secret_values.is_some() {
        return format!(
            "its complaint may quote secret values and is only in {}",
            file.display()
        );
    }
    complaint(&fs::read(file).unwrap_or_default())
}

fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    match text.trim() {
        "" => "it said nothing".to_owned(),
        text => cut::tail(text, COMPLAINT_CHARACTERS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_complaint_no_word_is_kept_in_part() {
        let filler = "x".repeat(COMPLAINT_CHARACTERS_MAX - 4);
        let said = format!("hunter22 {filler}\n");
        assert_eq!(complaint(said.as_bytes()), format!("… {filler}"));
        assert_eq!(complaint(b" \n"), "it said nothing");
    }
}
