//! JSON patches, with the words of the library that Velero uses for them.

use serde_json::Value;

/// Why a patch was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A value is not as a test wants it.
    Differs(String),
    /// Something is not there.
    Missing(String),
    /// Anything else.
    Other(String),
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) op: String,
    pub(super) from: String,
    pub(super) path: String,
    pub(super) value: Value,
}

type Done = Result<(), Fault>;

impl Fault {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Differs(text) | Self::Missing(text) | Self::Other(text) => text,
        }
    }
}

/// Applies all operations, or none.
pub(super) fn apply(object: &Value, operations: &[Operation]) -> Result<Value, Fault> {
    let mut object = object.clone();
    for operation in operations {
        one(&mut object, operation)?;
    }
    Ok(object)
}

fn one(object: &mut Value, operation: &Operation) -> Done {
    let Operation {
        op,
        from,
        path,
        value,
    } = operation;
    match op.as_str() {
        "add" => add(object, path, value.clone()),
        "remove" => remove(object, path).map(drop),
        "replace" => replace(object, path, value.clone()),
        "test" => test(object, path, value),
        "move" => {
            let what = "move operation does not apply: doc is missing from path";
            let moved = object
                .pointer(from)
                .cloned()
                .ok_or_else(|| missing(what, from))?;
            remove(object, from)?;
            let what = "move operation does not apply: doc is missing destination path";
            add(object, path, moved).map_err(|_| missing(what, path))
        }
        "copy" => {
            let copied = object.pointer(from).cloned().ok_or_else(|| {
                let what =
                    format!("copy operation does not apply: doc is missing from path: \"{from}\"");
                Fault::Missing(format!("{what}: missing value"))
            })?;
            let what = "copy operation does not apply: doc is missing destination path";
            add(object, path, copied).map_err(|_| missing(what, path))
        }
        other => Err(Fault::Other(format!("Unexpected kind: {other}"))),
    }
}

fn missing(what: &str, path: &str) -> Fault {
    Fault::Missing(format!("{what}: {path}: missing value"))
}

/// The parent's path and the last key of a path.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((parent, key.replace("~1", "/").replace("~0", "~")))
}

fn is_container(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn add(object: &mut Value, path: &str, value: Value) -> Done {
    let about = || {
        let what = format!("add operation does not apply: doc is missing path: \"{path}\"");
        Fault::Missing(format!("{what}: missing value"))
    };
    let (parent, key) = split(path).ok_or_else(about)?;
    let container = object
        .pointer_mut(parent)
        .filter(|found| is_container(found));
    match container.ok_or_else(about)? {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let index = index(&key, items.len(), path, "add")?;
            items.insert(index, value);
        }
        Value::Object(fields) => {
            fields.insert(key, value);
        }
        _ => return Err(about()),
    }
    Ok(())
}

fn remove(object: &mut Value, path: &str) -> Result<Value, Fault> {
    let about = || {
        let what = format!("remove operation does not apply: doc is missing path: \"{path}\"");
        Fault::Missing(format!("{what}: missing value"))
    };
    let (parent, key) = split(path).ok_or_else(about)?;
    let container = object
        .pointer_mut(parent)
        .filter(|found| is_container(found));
    match container.ok_or_else(about)? {
        Value::Array(items) => {
            let last = items.len().saturating_sub(1);
            let index = index(&key, last, path, "remove")?;
            if items.is_empty() {
                return Err(Fault::Other(out_of_range(index, path, "remove")));
            }
            Ok(items.remove(index))
        }
        Value::Object(fields) => fields.remove(&key).ok_or_else(|| {
            let what = format!("unable to remove nonexistent key: {key}: missing value");
            Fault::Missing(format!("error in remove for path: '{path}': {what}"))
        }),
        _ => Err(about()),
    }
}

fn index(key: &str, last: usize, path: &str, op: &str) -> Result<usize, Fault> {
    let index: usize = key.parse().map_err(|_| {
        let what = format!("value was not a proper array index: '{key}'");
        Fault::Other(format!("error in {op} for path: '{path}': {what}"))
    })?;
    if index > last {
        return Err(Fault::Other(out_of_range(index, path, op)));
    }
    Ok(index)
}

fn out_of_range(index: usize, path: &str, op: &str) -> String {
    let what = format!("Unable to access invalid index: {index}: invalid index referenced");
    format!("error in {op} for path: '{path}': {what}")
}

fn replace(object: &mut Value, path: &str, value: Value) -> Done {
    let (parent, _) = split(path).unwrap_or_default();
    if object
        .pointer(parent)
        .is_none_or(|found| !is_container(found))
    {
        return Err(missing(
            "replace operation does not apply: doc is missing path",
            path,
        ));
    }
    let what = "replace operation does not apply: doc is missing key";
    let found = object
        .pointer_mut(path)
        .ok_or_else(|| missing(what, path))?;
    *found = value;
    Ok(())
}

fn test(object: &Value, path: &str, value: &Value) -> Done {
    let (parent, _) = split(path).unwrap_or_default();
    if object
        .pointer(parent)
        .is_none_or(|found| !is_container(found))
    {
        return Err(missing(
            "test operation does not apply: is missing path",
            path,
        ));
    }
    if object.pointer(path).unwrap_or(&Value::Null) == value {
        return Ok(());
    }
    Err(Fault::Differs(format!(
        "testing value {path} failed: test failed"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(op: &str, path: &str, value: Value) -> Operation {
        Operation {
            op: op.to_owned(),
            from: String::new(),
            path: path.to_owned(),
            value,
        }
    }

    #[test]
    fn operations_change_what_is_there_and_name_what_is_not() {
        let object = json!({"spec": {"list": [1, 2], "x": "y"}});
        let run =
            |op: &str, path: &str, value: Value| apply(&object, &[operation(op, path, value)]);
        assert_eq!(
            run("add", "/spec/list/-", json!(3)).map(|o| o["spec"]["list"].clone()),
            Ok(json!([1, 2, 3]))
        );
        assert_eq!(
            run("replace", "/spec/x", json!("z")).map(|o| o["spec"]["x"].clone()),
            Ok(json!("z"))
        );
        assert_eq!(run("test", "/spec/x", json!("y")), Ok(object.clone()));
        assert!(matches!(
            run("test", "/spec/x", json!("z")),
            Err(Fault::Differs(_))
        ));
        assert!(matches!(
            run("test", "/none/x", json!("z")),
            Err(Fault::Missing(_))
        ));
        assert_eq!(
            run("remove", "/spec/none", Value::Null).map_err(|fault| fault.text().to_owned()),
            Err(
                "error in remove for path: '/spec/none': unable to remove nonexistent key: none: \
                 missing value"
                    .to_owned()
            )
        );
        assert!(matches!(
            run("add", "/none/x", json!(1)),
            Err(Fault::Missing(_))
        ));
        assert!(matches!(
            run("remove", "/spec/list/7", json!(1)),
            Err(Fault::Other(_))
        ));
    }
}
