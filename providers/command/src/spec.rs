//! The arguments of a `command`, checked for what no type can say.

use std::collections::BTreeMap;

use drplan_api::Arg;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::Late;
use drplan_api::Schema;
use drplan_api::Shape;
use drplan_api::Type;
use serde::Deserialize;
use serde::Serialize;

use drplan_api::shell;

/// What an interrupted command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnInterrupted {
    /// `check` says whether it may run again.
    Check,
    /// A person looks first.
    Manual,
}

/// Where an output comes from, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OutputSpec {
    #[serde(default)]
    pub(crate) file: Option<String>,
    #[serde(default)]
    stdout: Option<bool>,
    #[serde(default)]
    sensitive: Option<bool>,
    #[serde(default)]
    json: Option<bool>,
}

impl OutputSpec {
    pub(crate) fn is_sensitive(&self) -> bool {
        self.sensitive == Some(true)
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json == Some(true)
    }

    /// What is known of it before it is there.
    pub(crate) fn shape(&self) -> Shape {
        if self.is_json() {
            Shape::Any
        } else {
            Shape::Text
        }
    }

    fn problem(&self) -> Option<&'static str> {
        match (&self.file, self.stdout == Some(true)) {
            (None, false) => Some("needs `file = \"PATH\"` or `stdout = true`"),
            (Some(_), true) => Some("has both `file` and `stdout`; keep one"),
            (None, true) if self.is_sensitive() => Some(
                "is sensitive and comes from stdout; let the command write it to a file and name that",
            ),
            _ => None,
        }
    }
}

/// Environment variables; the map or single values may be holes.
pub(crate) type Env = Late<BTreeMap<String, Late<String>>>;

/// The decoded arguments; also the payload of a step, since running needs all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Arguments")]
pub(crate) struct CommandSpec {
    pub(crate) check: Option<Vec<String>>,
    pub(crate) apply: Vec<String>,
    pub(crate) env: Env,
    pub(crate) working_dir: String,
    pub(crate) outputs: BTreeMap<String, OutputSpec>,
    pub(crate) on_interrupted: OnInterrupted,
    /// Whether it runs although its check was true: then the check says nothing of how it went.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) again: bool,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default)]
    check: Option<Vec<String>>,
    apply: Vec<String>,
    #[serde(default)]
    env: Option<Env>,
    #[serde(default)]
    working_dir: Option<String>,
    #[serde(default)]
    outputs: Option<BTreeMap<String, OutputSpec>>,
    #[serde(default)]
    on_interrupted: Option<OnInterrupted>,
    #[serde(default)]
    again: bool,
}

impl From<Arguments> for CommandSpec {
    fn from(given: Arguments) -> Self {
        let on_interrupted = match (given.on_interrupted, &given.check) {
            (Some(chosen), _) => chosen,
            (None, Some(_)) => OnInterrupted::Check,
            (None, None) => OnInterrupted::Manual,
        };
        Self {
            check: given.check,
            apply: given.apply,
            env: given.env.unwrap_or(Late::Known(BTreeMap::new())),
            working_dir: given.working_dir.unwrap_or_default(),
            outputs: given.outputs.unwrap_or_default(),
            on_interrupted,
            again: given.again,
        }
    }
}

impl CommandSpec {
    /// Whether the program gets a variable of its own, or may.
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.env.known().is_none_or(|env| env.contains_key(name))
    }
}

/// Refuses what can never be right.
pub(crate) fn check(given: &mut Given<'_>) {
    for name in ["check", "apply"] {
        let list = given.get(name).and_then(Json::as_array);
        if list.is_some_and(|list| list.first().is_none_or(|first| first == "")) {
            let because = format!("`{name}` names no program");
            given.refuse(name, because, Some("list the program and its arguments"));
        }
    }
    let hint = "add `check`: without it nobody can tell whether they are there yet";
    given.needs("outputs", "check", hint);
    if given.text("on_interrupted") == Some("check") && !given.has("check") {
        let because = "`on_interrupted = \"check\"` needs `check`";
        given.refuse(
            "on_interrupted",
            because,
            Some("add `check`, or write \"manual\""),
        );
    }
    let outputs = given.get("outputs").and_then(Json::as_object);
    for (name, output) in outputs.into_iter().flatten() {
        let problem = OutputSpec::deserialize(output).ok();
        if let Some(problem) = problem.and_then(|output| output.problem()) {
            given.refuse("outputs", format!("the output `{name}` {problem}"), None);
        }
    }
}

impl CommandSpec {
    /// Returns the variables that are known now. Only these reach `check`: a question is kept and
    /// compared, so it must hold no secret.
    pub(crate) fn known_env(&self) -> BTreeMap<String, String> {
        let known = self.env.known().into_iter().flatten();
        known
            .filter_map(|(name, value)| Some((name.clone(), value.known()?.clone())))
            .collect()
    }

    /// Tells whether the program is given something that must not be seen.
    pub(crate) fn gets_secrets(&self) -> bool {
        match &self.env {
            Late::Hole(hole) => hole.secret,
            Late::Known(map) => map
                .values()
                .any(|value| matches!(value, Late::Hole(hole) if hole.secret)),
        }
    }

    /// Whether an output is what `check` prints.
    pub(crate) fn exports_stdout(&self) -> bool {
        self.outputs
            .values()
            .any(|output| output.stdout == Some(true))
    }

    /// Writes the command as a person types it; a value that is not known or secret is taken from the
    /// person's own environment.
    pub(crate) fn manual(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.working_dir.is_empty() {
            lines.push(format!("cd {}", shell::quoted(&self.working_dir)));
        }
        let mut line = String::new();
        match &self.env {
            Late::Hole(_) => lines.push("# export the variables of `env` first".to_owned()),
            Late::Known(map) => {
                for (name, value) in map {
                    line.push_str(name);
                    line.push('=');
                    match value {
                        Late::Known(value) => line.push_str(&shell::quoted(value)),
                        Late::Hole(_) => line.extend(["\"$", name, "\""]),
                    }
                    line.push(' ');
                }
            }
        }
        line.push_str(&shell::joined(&self.apply));
        lines.push(line);
        lines
    }
}

/// Declares the arguments and exports.
pub(crate) fn schema() -> Schema {
    let argv = || Type::List(Box::new(Type::String));
    let output = Type::Object(vec![
        Arg::optional("file", Type::String, "A file that the command writes."),
        Arg::optional(
            "stdout",
            Type::Bool,
            "Whether the output is what `check` prints when it exits 0, so that it can be read again at any time.",
        ),
        Arg::optional(
            "sensitive",
            Type::Bool,
            "Whether the content is secret; only a reference to the file is passed on.",
        ),
        Arg::optional(
            "json",
            Type::Bool,
            "Whether the content is JSON whose fields can be referred to.",
        ),
    ]);
    Schema {
        args: vec![
            Arg::optional(
                "check",
                argv(),
                "Program and arguments that exit 0 if the work is done, 1 if it is not; any other exit code means that it cannot be told. Gets only those variables of `env` that are neither secret nor unknown. Without it the command is a guard.",
            ),
            Arg::required("apply", argv(), "Program and arguments that do the work."),
            Arg::optional(
                "env",
                Type::Map(Box::new(Type::String)),
                "Environment variables beside the inherited ones. The place for secrets.",
            )
            .late(),
            Arg::optional(
                "working_dir",
                Type::String,
                "Where both run; starts at the spec's folder, which is the default.",
            ),
            Arg::optional(
                "outputs",
                Type::Map(Box::new(output)),
                "What the command leaves behind for others to refer to. Needs `check`.",
            ),
            Arg::optional(
                "on_interrupted",
                Type::OneOf(&["check", "manual"]),
                "What happens if the command was cut off: `check` runs it again if `check` says that the work is not done (the default with `check`), `manual` asks a person (the default without).",
            ),
        ],
        exports: vec![(
            "outputs",
            "The outputs by name, known once `check` exits 0.",
        )],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_cannot_work_are_refused_with_a_way_out() {
        for (args, says) in [
            (json!({"apply": []}), "`apply` names no program"),
            (json!({"apply": [""]}), "`apply` names no program"),
            (
                json!({"apply": ["a"], "check": []}),
                "`check` names no program",
            ),
            (
                json!({"apply": ["a"], "outputs": {"x": {"file": "x"}}}),
                "nothing without `check`",
            ),
            (
                json!({"apply": ["a"], "check": ["b"], "outputs": {"x": {}}}),
                "`file = \"PATH\"` or `stdout = true`",
            ),
            (
                json!({"apply": ["a"], "check": ["b"], "outputs": {"x": {"file": "f", "stdout": true}}}),
                "keep one",
            ),
            (
                json!({"apply": ["a"], "check": ["b"], "outputs": {"x": {"stdout": true, "sensitive": true}}}),
                "write it to a file",
            ),
            (
                json!({"apply": ["a"], "on_interrupted": "check"}),
                "needs `check`",
            ),
        ] {
            let mut given = Given::new(&args);
            check(&mut given);
            let faults = given.into_faults();
            let said: Vec<&str> = faults.iter().map(|f| f.because.as_str()).collect();
            assert!(
                said.len() == 1 && said[0].contains(says),
                "{args}: {said:?}"
            );
        }
    }

    #[test]
    fn a_secret_is_neither_known_nor_shown() {
        let spec: CommandSpec = serde_json::from_value(json!({
            "apply": ["./site.sh", "build it"],
            "working_dir": "ops",
            "env": {
                "TOKEN": {"$hole": {"expr": 1, "secret": true, "after": []}},
                "ZONE": "a b",
            },
        }))
        .expect("arguments");
        assert!(spec.gets_secrets());
        assert_eq!(spec.known_env().keys().collect::<Vec<_>>(), ["ZONE"]);
        assert_eq!(
            spec.manual(),
            [
                "cd ops",
                r#"TOKEN="$TOKEN" ZONE='a b' ./site.sh 'build it'"#
            ]
        );
    }
}
