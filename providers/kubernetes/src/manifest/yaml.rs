//! The objects of a text. A plan asks for the same files in every round, and reading YAML is what costs
//! most there: each text is read once in a process, and its objects are shared.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Json;

use super::parse::OBJECTS_MAX;
use crate::normalise;

/// The most maps, lists and values of one file.
const NODES_MAX: usize = 5_000_000;
/// How deep a file may nest; schemas inside definitions are deep.
const DEPTH_MAX: usize = 256;
/// How much text is remembered, in bytes; what comes later is read anew each time.
const REMEMBERED_MAX: usize = 32 << 20;

/// Objects without what only servers write, each with the place where it stands.
type Placed = Vec<(String, Arc<Json>)>;

/// What was read, by its text.
#[derive(Default)]
struct Read {
    texts: HashMap<String, Arc<Placed>>,
    bytes: usize,
}

static READ: LazyLock<Mutex<Read>> = LazyLock::new(Mutex::default);

/// Reads the objects of all documents of a text; those that are empty have none.
///
/// # Errors
///
/// In which document what is wrong.
pub(super) fn documents(text: &str) -> Result<Arc<Placed>, String> {
    let remembered = || READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = remembered().texts.get(text) {
        return Ok(Arc::clone(known));
    }
    let mut objects = Placed::new();
    for (i, document) in read(text)?.into_iter().enumerate() {
        if !document.is_null() {
            flatten(format!("document {}", i + 1), document, &mut objects);
        }
    }
    let objects = Arc::new(objects);
    let mut read = remembered();
    if read.bytes + text.len() <= REMEMBERED_MAX {
        read.bytes += text.len();
        read.texts.insert(text.to_owned(), Arc::clone(&objects));
    }
    Ok(objects)
}

/// Takes lists such as `kubectl get -o yaml` prints apart, and what only servers write away.
pub(super) fn flatten(place: String, mut object: Json, out: &mut Placed) {
    let mut put = |place, mut object| {
        normalise::drop_kept_by_server(&mut object);
        out.push((place, Arc::new(object)));
    };
    if object["kind"] != "List" {
        return put(place, object);
    }
    if let Json::Array(items) = object["items"].take() {
        for (i, item) in items.into_iter().enumerate() {
            put(format!("{place}, item {}", i + 1), item);
        }
    }
}

fn read(text: &str) -> Result<Vec<Json>, String> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        emit_comments: false,
        budget: serde_saphyr::budget! {
            max_documents: OBJECTS_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
            max_depth: DEPTH_MAX,
        },
    };
    serde_saphyr::from_multiple_with_options::<Json>(text, options).map_err(|e| {
        let line = e.location().map_or(0, |at| at.line());
        let before = text.lines().take(usize::try_from(line).unwrap_or(0));
        let number = before
            .enumerate()
            .filter(|(i, l)| *i > 0 && l.starts_with("---"))
            .count();
        format!("document {}: {e}", number + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_read_is_not_read_again() {
        let text = "a: 1\n---\nb: 2\n";
        let first = documents(text).expect("it is YAML");
        assert_eq!(first.len(), 2);
        assert!(Arc::ptr_eq(&first, &documents(text).expect("it is YAML")));
    }

    #[test]
    fn a_mistake_is_told_each_time_with_its_document() {
        for _ in 0..2 {
            let why = documents("a: 1\n---\nb: [\n").expect_err("no YAML");
            assert!(why.starts_with("document 2: "), "{why}");
        }
    }
}
