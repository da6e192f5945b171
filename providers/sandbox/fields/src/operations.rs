//! The operations of a JSON patch, as the real server carries them out.
//!
//! It is laxer than the standard: a key that a map lacks can be replaced, is `null` to a test and
//! to a copy, and a negative index counts from the end. Failures are not told apart, as the real
//! server names neither the operation nor the path.

use serde_json::Map;
use serde_json::Value;

use crate::PatchError;

/// What is said of every operation that fails.
const REJECTED: &str = "the server rejected our request due to an error in our request";

/// How many operations a patch may have.
const OPERATIONS_MAX: usize = 10_000;

/// How much all copies of a patch may hold together.
const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// An object after all operations of a patch.
pub(crate) fn carry_out(original: &Value, patch: &Value) -> Result<Value, PatchError> {
    let operations = read(patch)?;
    let mut patched = original.clone();
    let mut copied_bytes = 0;
    for operation in operations {
        one(&mut patched, operation, &mut copied_bytes)
            .ok_or_else(|| PatchError::Unprocessable(REJECTED.to_owned()))?;
    }
    Ok(patched)
}

/// The operations; what they say is looked at only when they are carried out.
fn read(patch: &Value) -> Result<Vec<&Map<String, Value>>, PatchError> {
    let bad = |what: &str| PatchError::BadRequest(format!("error decoding patch: {what}"));
    let Value::Array(operations) = patch else {
        return Err(bad("a JSON patch is a list of operations"));
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(bad(&format!(
            "there are more than {OPERATIONS_MAX} operations"
        )));
    }
    let mut read = Vec::new();
    for operation in operations {
        let Value::Object(operation) = operation else {
            return Err(bad("an operation is an object"));
        };
        for name in ["op", "path", "from"] {
            let given = operation.get(name).unwrap_or(&Value::Null);
            if !given.is_null() && !given.is_string() {
                return Err(bad(&format!("{name} is a text")));
            }
        }
        read.push(operation);
    }
    Ok(read)
}

/// Carries one operation out; `None` where it cannot be.
///
/// `copied_bytes` counts what all copies so far hold: each may double the object.
fn one(object: &mut Value, operation: &Map<String, Value>, copied_bytes: &mut usize) -> Option<()> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str);
    let path = text("path")?;
    let value = || operation.get("value").cloned().unwrap_or_default();
    match text("op")? {
        "add" => Place::find(object, path)?.add(value()),
        "remove" => Place::find(object, path)?.remove(),
        "replace" => Place::find(object, path)?.replace(value()),
        "test" => (*Place::find(object, path)?.get()? == value()).then_some(()),
        "copy" => {
            let place = Place::find(object, text("from")?)?;
            let copied = place.get()?;
            *copied_bytes += copied.to_string().len();
            if *copied_bytes > COPIED_BYTES_MAX {
                return None;
            }
            let copied = copied.clone();
            Place::find(object, path)?.add(copied)
        }
        "move" => {
            let mut from = Place::find(object, text("from")?)?;
            let moved = from.get()?.clone();
            from.remove()?;
            Place::find(object, path)?.add(moved)
        }
        _ => None,
    }
}

/// A place in a map or a list, whether or not something stands there.
enum Place<'a> {
    Map(&'a mut Map<String, Value>, String),
    List(&'a mut Vec<Value>, String),
}

impl<'a> Place<'a> {
    fn find(object: &'a mut Value, path: &str) -> Option<Self> {
        let (way, last) = path.rsplit_once('/')?;
        let parent = way.split('/').skip(1).try_fold(object, |at, key| {
            let key = unescaped(key);
            match at {
                Value::Object(map) => map.get_mut(&key),
                Value::Array(values) => index(&key, values.len()).map(|index| &mut values[index]),
                _ => None,
            }
        });
        match parent? {
            Value::Object(map) => Some(Self::Map(map, unescaped(last))),
            Value::Array(values) => Some(Self::List(values, unescaped(last))),
            _ => None,
        }
    }

    /// What stands there; a map has `null` where it has nothing.
    fn get(&self) -> Option<&Value> {
        match self {
            Self::Map(map, key) => Some(map.get(key).unwrap_or(&Value::Null)),
            Self::List(values, key) => values.get(index(key, values.len())?),
        }
    }

    fn add(self, value: Value) -> Option<()> {
        match self {
            Self::Map(map, key) => {
                map.insert(key, value);
            }
            Self::List(values, key) if key == "-" => values.push(value),
            // The place after the last is one, too.
            Self::List(values, key) => values.insert(index(&key, values.len() + 1)?, value),
        }
        Some(())
    }

    fn replace(self, value: Value) -> Option<()> {
        match self {
            Self::Map(map, key) => {
                map.insert(key, value);
            }
            Self::List(values, key) => {
                let index = index(&key, values.len())?;
                values[index] = value;
            }
        }
        Some(())
    }

    fn remove(&mut self) -> Option<()> {
        match self {
            Self::Map(map, key) => map.remove(key).map(|_| ()),
            Self::List(values, key) => {
                let index = index(key, values.len())?;
                values.remove(index);
                Some(())
            }
        }
    }
}

/// The index that a key says, below `count`; a negative one counts from the end.
fn index(key: &str, count: usize) -> Option<usize> {
    let said: i64 = key.parse().ok()?;
    let index = if said < 0 {
        count.checked_sub(usize::try_from(said.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(said).ok()?
    };
    (index < count).then_some(index)
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn copies_that_double_an_object_again_and_again_are_refused() {
        let copies = (0..40)
            .map(|n| json!({ "op": "copy", "from": "/data", "path": format!("/data/a{n}") }));
        let patch: Value = copies.collect();
        let object = json!({ "data": { "text": "x".repeat(1000) } });
        assert!(carry_out(&object, &patch).is_err());
        let many: Value = (0..=OPERATIONS_MAX).map(|_| json!({})).collect();
        assert!(carry_out(&object, &many).is_err());
    }

    #[test]
    fn operations_are_carried_out_one_after_the_other() {
        let object = json!({ "a": { "b": 1 }, "l": [1, 2], "x/y": 0 });
        for (patch, wanted) in [
            (json!([]), object.clone()),
            (
                json!([{ "op": "replace", "path": "/a/new", "value": 2 }]),
                json!({ "a": { "b": 1, "new": 2 }, "l": [1, 2], "x/y": 0 }),
            ),
            (
                json!([{ "op": "test", "path": "/a/none", "value": null }]),
                object.clone(),
            ),
            (
                json!([{ "op": "add", "path": "/l/-", "value": 3 }, { "op": "remove", "path": "/l/0" }]),
                json!({ "a": { "b": 1 }, "l": [2, 3], "x/y": 0 }),
            ),
            (
                json!([{ "op": "add", "path": "/l/2", "value": 3 }, { "op": "replace", "path": "/l/-1", "value": 4 }]),
                json!({ "a": { "b": 1 }, "l": [1, 2, 4], "x/y": 0 }),
            ),
            (
                json!([{ "op": "move", "from": "/x~1y", "path": "/a/b" }, { "op": "copy", "from": "/l", "path": "/m" }]),
                json!({ "a": { "b": 0 }, "l": [1, 2], "m": [1, 2] }),
            ),
        ] {
            assert_eq!(carry_out(&object, &patch), Ok(wanted), "{patch}");
        }
    }

    #[test]
    fn an_operation_that_cannot_be_carried_out_rejects_the_patch() {
        let object = json!({ "a": { "b": 1 }, "l": [1, 2] });
        for operation in [
            json!({ "op": "frob", "path": "/a" }),
            json!({ "op": "move", "path": "/a" }),
            json!({ "op": "move", "from": "/a", "path": "/a/b" }),
            json!({ "op": "remove", "path": "/a/none" }),
            json!({ "op": "remove", "path": "/l/-" }),
            json!({ "op": "add", "path": "/l/3", "value": 1 }),
            json!({ "op": "replace", "path": "/l/2", "value": 1 }),
            json!({ "op": "add", "path": "/none/deeper", "value": 1 }),
            json!({ "op": "add", "path": "/a/b/c", "value": 1 }),
            json!({ "op": "test", "path": "/a/b", "value": 2 }),
            json!({ "op": "replace", "path": "", "value": {} }),
        ] {
            let outcome = carry_out(&object, &json!([operation]));
            assert!(
                matches!(outcome, Err(PatchError::Unprocessable(_))),
                "{operation}"
            );
        }
    }

    #[test]
    fn what_is_no_list_of_operations_is_no_patch() {
        for patch in [
            json!({}),
            json!("x"),
            json!([1]),
            json!([{ "op": 1, "path": "/a" }]),
        ] {
            let outcome = carry_out(&json!({}), &patch);
            assert!(matches!(outcome, Err(PatchError::BadRequest(_))), "{patch}");
        }
    }
}
