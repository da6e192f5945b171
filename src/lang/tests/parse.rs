//! Files with and without mistakes.

use crate::diag::Sources;
use crate::lang::Node;
use crate::lang::Value;
use crate::lang::parse_file;
use crate::lang::parse_values_file;

const GOOD: &str = r#"# a comment with a { and a "
recovery "shop" {
  rpo = "15m" // behind
  contacts = { oncall = "+00", vendor = "v" }
}

resource "kind" name {
  /* { */
  text = <<-EOT
    } not the end ${"}"} "
  EOT
  list = [
    1, # one
    2,
  ]
  call = f(
    a.b[0],
    "x",
  )

  nested { one = 1 }
  nested {
    deep "label" {}
  }
}
empty {}
"#;

#[test]
fn a_good_file_is_read_whole() {
    let mut sources = Sources::new();
    let file = sources.add("a.dr.hcl", GOOD);
    let (blocks, diags) = parse_file(file, GOOD);
    assert!(diags.is_empty(), "{diags:?}");
    let kinds: Vec<_> = blocks.iter().map(|b| b.kind.as_str()).collect();
    assert_eq!(kinds, ["recovery", "resource", "empty"]);
    let resource = &blocks[1];
    assert_eq!(resource.label(0), Some("kind"));
    assert_eq!(resource.label(1), Some("name"));
    let names: Vec<_> = resource.attrs.keys().map(String::as_str).collect();
    assert_eq!(names, ["call", "list", "text"]);
    assert_eq!(resource.blocks.len(), 2);
    assert_eq!(
        resource.nested("nested").nth(1).map(|b| b.blocks.len()),
        Some(1)
    );

    let span = resource.span;
    let header = &GOOD[span.start as usize..span.end as usize];
    assert_eq!(header, r#"resource "kind" name"#);
    let call = &resource.attrs["call"];
    let text = &GOOD[call.expr.span.start as usize..call.expr.span.end as usize];
    assert!(text.starts_with("f(") && text.ends_with(')'), "{text}");
    let Node::Call { args, .. } = &call.expr.node else {
        panic!("{call:?}");
    };
    let arg = args[0].span;
    assert_eq!(&GOOD[arg.start as usize..arg.end as usize], "a.b[0]");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_mistake() {
    let text = "\u{feff}a {\r\n  b = 1\r\n  c = \"x\"\r\n}\r\n";
    let (blocks, diags) = parse_file(crate::lang::FileId(0), text);
    assert!(diags.is_empty(), "{diags:?}");
    assert_eq!(
        blocks[0].attrs["c"].expr.node,
        Node::Lit(Value::string("x"))
    );
    let span = blocks[0].attrs["b"].name_span;
    assert_eq!(&text[span.start as usize..span.end as usize], "b");
}

/// Parses and lists `line:column message` of all diagnostics, and the kinds of the blocks.
fn mistakes(text: &str) -> (Vec<String>, String) {
    let mut sources = Sources::new();
    let file = sources.add("a.dr.hcl", text);
    let (blocks, diags) = parse_file(file, text);
    let found = diags.iter().map(|d| {
        let (_, line, column) = sources.line_column(d.span().expect("a span"));
        format!("{line}:{column} {}", d.message)
    });
    let kinds: Vec<_> = blocks.iter().map(|b| b.kind.clone()).collect();
    (found.collect(), kinds.join(" "))
}

#[test]
fn every_mistake_of_a_file_is_reported_and_the_rest_is_read() {
    let text = r#"a {
  x =
  y = "open
  z = [1, 2
}
b "l" {
  ok = 1
  ok = 2
  bad = 1 +
  colon: 5
  word
  "quoted" = 1
  comma = 1,
}
top = 1
}
c {
  v = ${x}
  q = 'text'
  e = "\q"
  paren = 1)
}
d {
  last = true
}
"#;
    let (found, kinds) = mistakes(text);
    assert_eq!(kinds, "a b c d");
    let expected = [
        "2:3 the argument `x` has no value",
        "3:7 this string is never closed",
        "4:7 this `[` is never closed",
        "8:3 the argument `ok` is set twice",
        "9:11 the expression ends with an operator",
        "10:8 the argument `colon` is set with `:`",
        "11:3 `word` is neither an argument nor a block",
        "12:3 a name in quotes cannot start an argument or a block",
        "13:12 arguments of a block are not separated by commas",
        "15:1 the argument `top` stands outside of any block",
        "16:1 unexpected `}`",
        "18:7 the expression cannot be read",
        "19:7 text stands in double quotes",
        "20:10 unknown escape sequence",
        "21:12 unexpected `)`",
    ];
    let lines = |list: &[String]| list.join("\n");
    assert_eq!(lines(&found), expected.join("\n"));
}

#[test]
fn a_block_that_nothing_closes_does_not_swallow_those_behind_it() {
    let (found, kinds) =
        mistakes("a {\n  x = 1\n\nb {\n  y = {\n    k = 1\n}\n\nc {\n  z = 1\n}\n\nd {\n");
    assert_eq!(kinds, "a b c d");
    assert_eq!(
        found,
        [
            "1:3 this `a` block is never closed",
            "4:3 this `b` block is never closed",
            "13:3 this `d` block is never closed"
        ]
    );
}

#[test]
fn things_without_an_end_are_named() {
    let table = [
        (
            "a {\n x = <<EOT\n hello\n}\n",
            "2:6 this heredoc is never closed",
        ),
        (
            "a {\n x = \"a${b\"\n}\n",
            "2:11 this string is never closed",
        ),
        ("/* a\n", "1:1 this comment is never closed"),
        ("a {\n x = f(1\n}\n", "2:7 this `(` is never closed"),
        ("a \"x {\n}\n", "1:3 this string is never closed"),
        ("a x\n", "1:1 the header of this `a` block has no `{`"),
    ];
    for (text, expected) in table {
        let (found, _) = mistakes(text);
        assert!(found.iter().any(|f| f == expected), "{text}: {found:?}");
    }
}

#[test]
fn a_values_file_holds_values_only() {
    let text = "a = 1\nb = [\"x\"]\nc {\n}\n";
    let (values, diags) = parse_values_file(crate::lang::FileId(0), text);
    assert_eq!(values.len(), 2);
    assert_eq!(diags.len(), 1);
    assert!(diags.iter().all(|d| d.message.contains("holds no blocks")));
}

#[test]
fn garbage_ends_in_diagnostics_and_never_in_a_crash() {
    let pieces = [
        "a", " ", "{", "}", "\"", "${", "%{", "<<-E\n", "E\n", "\n", "=", "[", "]", "(", ")", "é",
        "#", "/*", "*/", "1.5e", "for", "...", "~", ",", "\\", "?", ":", "\u{feff}", "\r", "&&",
        "-",
    ];
    let mut state: u64 = 7;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..14 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 40).unwrap_or(0) % pieces.len();
            text.push_str(pieces[at]);
        }
        let (_, diags) = parse_file(crate::lang::FileId(0), &text);
        let mut sources = Sources::new();
        sources.add("a", text.clone());
        for diagnostic in diags {
            let _text = crate::diag::render(&diagnostic, &sources, false, 100);
            let _json = crate::diag::to_json(&diagnostic, &sources);
        }
    }
}
