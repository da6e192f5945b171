//! A chart in a folder, and what it renders to.

#![expect(clippy::disallowed_methods, reason = "a chart is a folder of files")]

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::arguments::Wanted;
use super::template;

/// A chart as it lies in a folder.
pub(super) struct Chart {
    /// The text of `Chart.yaml`.
    pub(super) description: String,
    meta: Value,
    values: Value,
    templates: BTreeMap<String, String>,
    crds: Vec<String>,
}

/// What a chart renders to.
pub(super) struct Rendered {
    /// Objects of the folder `crds`, which are made first and never changed.
    pub(super) crds: Vec<Value>,
    /// The others, in the order in which they are made.
    pub(super) objects: Vec<Value>,
    /// All of the others as one text.
    pub(super) manifest: String,
    /// `Chart.yaml`.
    pub(super) meta: Value,
    /// The values that were given, without the chart's own.
    pub(super) given: Value,
}

/// The order in which Helm makes kinds; what is not listed comes last.
const ORDER: &[&str] = &[
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
];

impl Chart {
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let description = read(&folder.join("Chart.yaml"))?;
        for unknown in ["charts", "values.schema.json", "requirements.yaml"] {
            if folder.join(unknown).exists() {
                return Err(format!("the rehearsal's helm does not know `{unknown}`"));
            }
        }
        let values = folder.join("values.yaml");
        let values = if values.exists() {
            yaml(&read(&values)?, "values.yaml")?
        } else {
            json!({})
        };
        let mut templates = BTreeMap::new();
        for path in files(&folder.join("templates"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".tpl") {
                return Err(format!(
                    "{name}: the rehearsal's helm does not know named templates"
                ));
            }
            if name != "NOTES.txt" {
                templates.insert(name.into_owned(), read(&path)?);
            }
        }
        let meta = yaml(&description, "Chart.yaml")?;
        if meta.get("dependencies").is_some() {
            return Err("the rehearsal's helm does not know `dependencies`".to_owned());
        }
        let crds = files(&folder.join("crds"))?;
        let crds = crds.iter().map(|path| read(path));
        Ok(Self {
            meta,
            description,
            values,
            templates,
            crds: crds.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn render(&self, wanted: &Wanted, revision: u64) -> Result<Rendered, String> {
        let mut given = json!({});
        for file in &wanted.values {
            let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
            json_patch::merge(&mut given, &yaml(&text, "the values")?);
        }
        let mut values = self.values.clone();
        json_patch::merge(&mut values, &given);
        let scope = json!({
            "Values": values,
            "Release": {
                "Name": wanted.name,
                "Namespace": wanted.namespace,
                "Service": "Helm",
                "Revision": revision,
                "IsInstall": revision == 1,
                "IsUpgrade": revision > 1,
            },
            "Chart": chart_scope(&self.meta),
        });
        let (mut objects, mut manifest) = (Vec::new(), String::new());
        for (name, text) in &self.templates {
            let rendered =
                template::render(text, &scope).map_err(|why| format!("{name}: {why}"))?;
            for object in documents(&rendered, name)? {
                if object
                    .pointer("/metadata/annotations/helm.sh~1hook")
                    .is_some()
                {
                    return Err(format!("{name}: the rehearsal's helm does not know hooks"));
                }
                objects.push(object);
            }
        }
        let rank = |o: &Value| {
            let kind = o["kind"].as_str().unwrap_or_default();
            ORDER.iter().position(|k| *k == kind).unwrap_or(ORDER.len())
        };
        objects.sort_by_key(rank);
        for object in &objects {
            manifest.push_str("---\n");
            // JSON is YAML.
            manifest.push_str(&object.to_string());
            manifest.push('\n');
        }
        let mut crds = Vec::new();
        for text in &self.crds {
            crds.extend(documents(text, "crds")?);
        }
        Ok(Rendered {
            crds,
            objects,
            manifest,
            meta: self.meta.clone(),
            given,
        })
    }
}

/// Fields of `Chart.yaml` begin with a capital letter in templates.
fn chart_scope(meta: &Value) -> Value {
    let fields = meta.as_object().into_iter().flatten().map(|(name, value)| {
        let mut letters = name.chars();
        let capital = letters.next().map(|l| l.to_ascii_uppercase());
        (capital.into_iter().chain(letters).collect(), value.clone())
    });
    Value::Object(fields.collect())
}

fn yaml(text: &str, what: &str) -> Result<Value, String> {
    let value: Option<Value> =
        serde_saphyr::from_str(text).map_err(|_| format!("{what} is not YAML"))?;
    Ok(value.filter(|v| !v.is_null()).unwrap_or_else(|| json!({})))
}

fn documents(text: &str, what: &str) -> Result<Vec<Value>, String> {
    let all: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|e| format!("{what}: YAML parse error: {e}"))?;
    Ok(all.into_iter().filter(Value::is_object).collect())
}

/// The files of a folder in order of name; none if there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|e| e.to_string())?;
    let paths: Result<Vec<_>, _> = entries.map(|e| e.map(|e| e.path())).collect();
    let mut paths = paths.map_err(|e| e.to_string())?;
    if let Some(nested) = paths.iter().find(|p| !p.is_file()) {
        let nested = nested.display();
        return Err(format!(
            "the rehearsal's helm does not know the folder `{nested}`"
        ));
    }
    paths.sort();
    Ok(paths)
}
