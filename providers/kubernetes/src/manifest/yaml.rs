//! The objects of a text. A plan asks for the same files in every round, and reading YAML is what costs
//! most there: each text is read once in a process, a long one in parts side by side, and its objects are shared.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Json;

use crate::normalise;

/// The most objects of one manifest.
pub(super) const OBJECTS_MAX: usize = 20_000;
/// The most maps, lists and values of one file.
const NODES_MAX: usize = 5_000_000;
/// How deep a file may nest; schemas inside definitions are deep.
const DEPTH_MAX: usize = 256;
/// How much text is remembered, in bytes; what comes later is read anew each time.
const REMEMBERED_MAX: usize = 32 << 20;

/// From which size on a text is read in parts, in bytes: below, threads cost more than they save.
const SIDE_BY_SIDE_MIN: usize = 16 << 10;
/// The most parts of one text.
const PARTS_MAX: usize = 8;
/// Where a document begins.
const BEGIN: &str = "\n---";

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

/// Reads all documents of a text; empty ones are null.
fn read(text: &str) -> Result<Vec<Json>, String> {
    if text.len() < SIDE_BY_SIDE_MIN {
        return in_order(text);
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let read = side_by_side(&parts(text, processors.min(PARTS_MAX)));
    // What is wrong is told by the line of the whole text.
    read.map_or_else(|| in_order(text), Ok)
}

/// Takes a text apart where documents begin, into at most so many parts. A line with `---` begins a document wherever
/// it stands, also in a block of lines. A directive says something of what is behind it, so that it is left there.
fn parts(text: &str, wanted: usize) -> Vec<&str> {
    let has_directive = text.starts_with('%') || text.contains("\n%");
    let wanted = if has_directive { 1 } else { wanted };
    let size = text.len() / wanted.max(1);
    let begins = |(at, _): &(usize, &str)| {
        let behind = text[at + BEGIN.len()..].chars().next();
        behind.is_none_or(char::is_whitespace)
    };
    let (mut out, mut from) = (Vec::new(), 0);
    for (at, _) in text.match_indices(BEGIN).filter(begins) {
        // In front of the line, behind the end of the one before.
        let at = at + 1;
        if out.len() + 1 < wanted && at - from >= size {
            out.push(&text[from..at]);
            from = at;
        }
    }
    out.push(&text[from..]);
    out
}

/// Reads parts of a text at one time; nothing if one of them is wrong, or no threads are to be had.
fn side_by_side(parts: &[&str]) -> Option<Vec<Json>> {
    let (first, others) = parts.split_first()?;
    if others.is_empty() {
        return None;
    }
    std::thread::scope(|scope| {
        let start = |part: &&'_ str| {
            let part = (*part).to_owned();
            std::thread::Builder::new().spawn_scoped(scope, move || in_order(&part))
        };
        let readers: Vec<_> = others.iter().map(start).collect();
        let mut out = in_order(first).ok()?;
        for reader in readers {
            out.extend(reader.ok()?.join().ok()?.ok()?);
        }
        Some(out)
    })
}

fn in_order(text: &str) -> Result<Vec<Json>, String> {
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
    fn read_in_parts_a_text_says_the_same() {
        let documents = [
            "# what it is for\n---\na: 1\n",
            "---\r\nb: |\r\n  ---\r\n  ---- no document\r\n",
            "---\n---\n",
            "--- # with a comment\nc: \"x\\n---\\ny\"\n...\n",
            "---\n----: d\n",
            "---\ne: &of-one [1]\nf: *of-one\n",
            "---\n---\tg\n",
        ];
        for times in 1..4 {
            let text = documents.concat().repeat(times);
            let whole = in_order(&text).expect("it is YAML");
            for wanted in 2..12 {
                let parts = parts(&text, wanted);
                assert!(parts.len() > 1 && parts.len() <= wanted, "{parts:?}");
                assert_eq!(parts.concat(), text);
                assert_eq!(side_by_side(&parts).as_ref(), Some(&whole), "{parts:?}");
            }
        }
    }

    #[test]
    fn a_text_with_a_directive_or_a_mistake_is_read_whole() {
        let text = "a: 1\n---\nb: 2\n---\n".repeat(9);
        assert_eq!(parts(&format!("%YAML 1.2\n---\n{text}"), 4).len(), 1);
        let long = text.replace("a: 1", &format!("a: {}", "x".repeat(9000)));
        let long = format!("{long}c: [\n");
        let why = read(&long).expect_err("no YAML");
        assert!(why.starts_with("document 19: "), "{why}");
    }

    #[test]
    fn a_mistake_is_told_each_time_with_its_document() {
        for _ in 0..2 {
            let why = documents("a: 1\n---\nb: [\n").expect_err("no YAML");
            assert!(why.starts_with("document 2: "), "{why}");
        }
    }
}
