//! What people and machines see.

use super::Code;
use super::Diagnostic;
use super::Diagnostics;
use super::Severity;
use super::Sources;
use super::render;
use super::to_json;
use crate::lang::FileId;
use crate::lang::Span;

const TEXT: &str = "resource \"kind\" \"name\" {\n  é = wrong\n}\n";

fn span(file: FileId, what: &str) -> Span {
    let start = TEXT.find(what).expect("in the text");
    Span {
        file,
        start: u32::try_from(start).expect("small"),
        end: u32::try_from(start + what.len()).expect("small"),
    }
}

fn example() -> (Diagnostic, Sources) {
    let mut sources = Sources::new();
    let file = sources.add("shop.dr.hcl", TEXT);
    let diagnostic = Diagnostic::error(Code::WrongType, "`é` is no number")
        .label(span(file, "wrong"), "this is a string")
        .label(span(file, "\"name\""), "in this block")
        .hint("write a number")
        .address("kind.name");
    (diagnostic, sources)
}

#[test]
fn a_person_sees_the_source_the_places_and_the_way_out() {
    let (diagnostic, sources) = example();
    let expected = r#"error[DR0007]: `é` is no number
 --> shop.dr.hcl:2:7
  |
1 | resource "kind" "name" {
  |                 ------ in this block
2 |   é = wrong
  |       ^^^^^ this is a string
  |
  = note: in `kind.name`
  = help: write a number"#;
    assert_eq!(render(&diagnostic, &sources, false, 100), expected);
    assert!(render(&diagnostic, &sources, true, 100).contains('\u{1b}'));
}

#[test]
fn without_the_file_the_words_remain() {
    let (diagnostic, _) = example();
    let text = render(&diagnostic, &Sources::new(), false, 100);
    for part in ["error[DR0007]", "this is a string", "write a number"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn json_has_the_shape_that_tools_of_terraform_read() {
    let (diagnostic, sources) = example();
    let json = to_json(&diagnostic, &sources);
    let expected = serde_json::json!({
        "severity": "error",
        "code": "DR0007",
        "summary": "`é` is no number",
        "detail": "this is a string\nin this block\nwrite a number",
        "hints": ["write a number"],
        "address": "kind.name",
        "range": {
            "filename": "shop.dr.hcl",
            "start": {"line": 2, "column": 7, "byte": 32},
            "end": {"line": 2, "column": 12, "byte": 37},
        },
        "snippet": {
            "context": "resource \"kind\" \"name\"",
            "code": "  é = wrong",
            "start_line": 2,
            "highlight_start_offset": 7,
            "highlight_end_offset": 12,
            "values": [],
        },
    });
    assert_eq!(json, expected);
}

#[test]
fn diagnostics_are_sorted_by_place() {
    let (first, _) = example();
    let earlier = Diagnostic::warning(Code::UnknownVariable, "x").label(
        Span {
            start: 3,
            ..first.labels[0].span
        },
        "",
    );
    let nowhere = Diagnostic::note(Code::NothingGives, "y");
    let all: Diagnostics = [nowhere, first, earlier].into_iter().collect();
    assert!(all.has_errors());
    assert_eq!(all.errors(), 1);
    let sorted: Vec<_> = all.sorted().into_iter().map(|d| d.severity).collect();
    assert_eq!(sorted, [Severity::Warning, Severity::Error, Severity::Note]);
}

#[test]
fn codes_are_unique_stable_and_explained() {
    let mut seen = std::collections::BTreeSet::new();
    for (i, code) in Code::ALL.iter().enumerate() {
        assert!(seen.insert(code.as_str()));
        assert_eq!(code.as_str(), format!("DR{:04}", i + 1));
        assert!(code.explain().len() > 80, "{code}");
        let json = serde_json::to_value(code).expect("JSON");
        assert_eq!(json, code.as_str());
    }
}
