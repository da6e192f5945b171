//! A small element tree: bounded reading that refuses what it does not expect, and writing.
//!
//! It knows nothing about Route 53; attributes (only namespaces occur) are not kept.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::BytesRef;
use quick_xml::events::Event;

/// How deep elements may nest.
const DEPTH_MAX: usize = 16;

/// An element with text or children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a child with text.
    pub(crate) fn field(self, name: &str, text: impl ToString) -> Self {
        self.child(Self {
            name: name.to_owned(),
            text: text.to_string(),
            children: Vec::new(),
        })
    }

    /// Adds a child with text, if there is a text.
    pub(crate) fn maybe(self, name: &str, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => self.field(name, text),
            None => self,
        }
    }

    pub(crate) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) fn all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Writes a document whose root has the namespace.
    pub(crate) fn document(&self, namespace: &str) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, Some(namespace));
        out
    }

    fn write(&self, out: &mut String, namespace: Option<&str>) {
        out.push('<');
        out.push_str(&self.name);
        if let Some(namespace) = namespace {
            out.push_str(" xmlns=\"");
            out.push_str(&escape(namespace));
            out.push('"');
        }
        out.push('>');
        out.push_str(&escape(self.text.as_str()));
        for child in &self.children {
            child.write(out, None);
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// A message if it is not one well-formed element of bounded depth.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::from_reader(bytes);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        loop {
            let closed = match reader.read_event().map_err(|e| e.to_string())? {
                Event::Start(tag) => {
                    if open.len() == DEPTH_MAX || root.is_some() {
                        return Err("the document is too deep or has two roots".to_owned());
                    }
                    open.push(Self::new(&local_name(tag.local_name().as_ref())?));
                    None
                }
                Event::Empty(tag) => Some(Self::new(&local_name(tag.local_name().as_ref())?)),
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    push_text(&mut open, &text.decode().map_err(|e| e.to_string())?)?;
                    None
                }
                Event::CData(text) => {
                    push_text(&mut open, &text.decode().map_err(|e| e.to_string())?)?;
                    None
                }
                Event::GeneralRef(reference) => {
                    push_text(&mut open, &resolved(&reference)?)?;
                    None
                }
                Event::DocType(_) => return Err("a document type is not allowed".to_owned()),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
                Event::Eof if open.is_empty() => {
                    return root.ok_or_else(|| "the document is empty".to_owned());
                }
                Event::Eof => return Err("the document ends too early".to_owned()),
            };
            if let Some(element) = closed {
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None if root.is_none() => root = Some(element),
                    None => return Err("the document has two roots".to_owned()),
                }
            }
        }
    }

    /// Takes the element apart; fails unless it has the name.
    pub(crate) fn open(self, name: &str) -> Result<Fields, String> {
        if self.name != name {
            return Err(format!("expected element '{name}', found '{}'", self.name));
        }
        Fields::of(self)
    }

    /// Returns the text of an element without children.
    pub(crate) fn into_text(self) -> Result<String, String> {
        if self.children.is_empty() {
            return Ok(self.text);
        }
        Err(format!("element '{}' must hold text only", self.name))
    }
}

/// The children of one element, each taken once; what stays untaken is an error.
#[derive(Debug)]
pub(crate) struct Fields {
    name: String,
    rest: Vec<Element>,
}

impl Fields {
    fn of(element: Element) -> Result<Self, String> {
        if !element.text.trim().is_empty() {
            return Err(format!("element '{}' must not hold text", element.name));
        }
        Ok(Self {
            name: element.name,
            rest: element.children,
        })
    }

    /// Takes a child element, if there is one.
    pub(crate) fn take(&mut self, name: &str) -> Option<Element> {
        let at = self.rest.iter().position(|child| child.name == name)?;
        Some(self.rest.remove(at))
    }

    /// Takes a child element and opens it.
    pub(crate) fn opened(&mut self, name: &str) -> Result<Option<Self>, String> {
        self.take(name).map(Self::of).transpose()
    }

    /// Takes the text of a child, if there is one.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        self.take(name).map(Element::into_text).transpose()
    }

    /// Takes the text of a child that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?
            .ok_or_else(|| format!("element '{}' lacks '{name}'", self.name))
    }

    /// Takes every child; fails unless all have the name.
    pub(crate) fn list(self, name: &str) -> Result<Vec<Element>, String> {
        match self.rest.iter().find(|child| child.name != name) {
            Some(stranger) => Err(self.unexpected(stranger)),
            None => Ok(self.rest),
        }
    }

    /// Fails if a child was not taken.
    pub(crate) fn end(self) -> Result<(), String> {
        match self.rest.first() {
            Some(stranger) => Err(self.unexpected(stranger)),
            None => Ok(()),
        }
    }

    fn unexpected(&self, stranger: &Element) -> String {
        format!(
            "element '{}' in '{}' is unknown, repeated or unsupported",
            stranger.name, self.name
        )
    }
}

fn local_name(name: &[u8]) -> Result<String, String> {
    String::from_utf8(name.to_vec()).map_err(|_| "an element's name is not UTF-8".to_owned())
}

fn push_text(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("there is text outside the root element".to_owned()),
    }
    Ok(())
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|e| e.to_string())? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(|e| e.to_string())?;
    resolve_xml_entity(&name)
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("the entity '{name}' is unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let tree = Element::new("R")
            .field("V", "\"a\" & <b> 'c'")
            .child(Element::new("E"));
        assert_eq!(Element::parse(tree.document("urn:x").as_bytes()), Ok(tree));
    }

    #[test]
    fn malformed_documents_are_refused() {
        let deep = "<a>".repeat(20) + &"</a>".repeat(20);
        for text in [
            "",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "x<a/>",
            "<a>&nbsp;</a>",
            deep.as_str(),
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Element::parse(b"<!DOCTYPE a><a/>").is_err());
    }

    #[test]
    fn an_untaken_child_is_an_error() {
        let tree = Element::new("R").field("Known", 1).field("Strange", 2);
        let mut fields = tree.open("R").expect("the name is right");
        assert_eq!(fields.required("Known"), Ok("1".to_owned()));
        let fault = fields.end().expect_err("a child is left");
        assert!(fault.contains("'Strange' in 'R'"), "{fault}");
    }
}
