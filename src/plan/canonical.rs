//! Writes canonical JSON straight from data, without building a tree of it first: a plan of ten
//! thousand steps would cost more memory as a tree than everything else together.
//!
//! The bytes are those of [`drplan_api::canonical`].

use std::cell::RefCell;
use std::io;
use std::io::Write;
use std::ops::Range;

use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::ser::Serializer;

/// Writes data as JSON with sorted keys and without spaces.
///
/// # Errors
///
/// If it cannot be expressed as JSON.
pub(crate) fn canonical(data: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let out = RefCell::new(Vec::new());
    let sorted = Sorted {
        out: &out,
        open: Vec::new(),
        scratch: Vec::new(),
    };
    data.serialize(&mut Serializer::with_formatter(Shared(&out), sorted))?;
    Ok(out.into_inner())
}

/// The output, which the serializer writes and the formatter rearranges.
struct Shared<'o>(&'o RefCell<Vec<u8>>);

impl Write for Shared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One pair of an object, as ranges of the output.
struct Pair {
    /// The key without its quotes.
    key: Range<usize>,
    /// Where the pair ends.
    end: usize,
}

/// Sorts the pairs of each object when it ends. A byte moves at most once for each object around it.
struct Sorted<'o> {
    out: &'o RefCell<Vec<u8>>,
    open: Vec<Vec<Pair>>,
    scratch: Vec<u8>,
}

impl Sorted<'_> {
    fn sort(&mut self, mut pairs: Vec<Pair>) {
        let mut out = self.out.borrow_mut();
        let Some(start) = pairs.first().map(|first| first.key.start - 1) else {
            return;
        };
        if pairs.is_sorted_by(|a, b| key(&out, a) <= key(&out, b)) {
            return;
        }
        pairs.sort_by(|a, b| key(&out, a).cmp(&key(&out, b)));
        self.scratch.clear();
        for (i, pair) in pairs.iter().enumerate() {
            if i > 0 {
                self.scratch.push(b',');
            }
            self.scratch
                .extend_from_slice(&out[pair.key.start - 1..pair.end]);
        }
        out.truncate(start);
        out.extend_from_slice(&self.scratch);
    }
}

/// A key as it sorts: escaped ones by what they stand for.
fn key<'k>(out: &'k [u8], pair: &Pair) -> std::borrow::Cow<'k, [u8]> {
    let escaped = &out[pair.key.clone()];
    if !escaped.contains(&b'\\') {
        return escaped.into();
    }
    let quoted = &out[pair.key.start - 1..=pair.key.end];
    match serde_json::from_slice::<String>(quoted) {
        Ok(text) => text.into_bytes().into(),
        Err(_) => escaped.into(),
    }
}

impl Formatter for Sorted<'_> {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(Vec::new());
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        let at = self.out.borrow().len();
        if let Some(pairs) = self.open.last_mut() {
            // One further, because of the quote.
            pairs.push(Pair {
                key: at + 1..at + 1,
                end: at,
            });
        }
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let at = self.out.borrow().len();
        if let Some(pair) = self.open.last_mut().and_then(|pairs| pairs.last_mut()) {
            pair.key.end = at - 1;
        }
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let at = self.out.borrow().len();
        if let Some(pair) = self.open.last_mut().and_then(|pairs| pairs.last_mut()) {
            pair.end = at;
        }
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if let Some(pairs) = self.open.pop() {
            self.sort(pairs);
        }
        writer.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Unsorted<'s> {
        z: Option<u8>,
        a: serde_json::Value,
        #[serde(rename = "m n")]
        m_n: Form<'s>,
        m: Vec<Form<'s>>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Form<'s> {
        Unit,
        One(&'s str),
        Fields { y: f64, b: [i64; 2] },
    }

    #[test]
    fn the_bytes_are_those_of_the_canonical_form_of_a_tree() {
        let data = Unsorted {
            z: None,
            a: json!({"b\"c": 1, "b c": {"y": [], "x": {}}, "b": "é\n\u{1}", "\n": 2, "": [{"k": 1.5e300}]}),
            m_n: Form::Fields { y: 0.1, b: [-1, 2] },
            m: vec![
                Form::Unit,
                Form::One("\\"),
                Form::Fields { y: 1.0, b: [3, 4] },
            ],
        };
        let tree = drplan_api::canonical(&serde_json::to_value(&data).expect("JSON"));
        let bytes = canonical(&data).expect("JSON");
        assert_eq!(String::from_utf8(bytes).expect("text"), tree);
    }
}
