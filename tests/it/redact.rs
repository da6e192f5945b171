//! Replaces what differs from run to run by something of the same width, so that columns stay.

/// Shapes that differ: `0` stands for a digit, `h` for a hexadecimal digit, everything else for itself.
/// A shape is found only where no letter or digit touches it. The longest come first.
const SHAPES: &[&str] = &[
    "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh",
    "0000-00-00T00:00:00.000000000Z",
    "0000-00-00 00:00:00 UTC",
    "0000-00-00T00:00:00Z",
    "00000000T000000Z-hhhh",
];

/// Replaces moments, digests and names of runs by zeros, the time of a step's line by `+0s`, the folder of
/// the test by `[DIR]`, the version by `[VERSION]`.
pub(crate) fn redact(text: &str, dir: &str) -> String {
    let text = text
        .replace(dir, "[DIR]")
        .replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    if let Some((seconds, tail)) = elapsed(text) {
        out.push_str(&seconds);
        rest = tail;
    }
    while let Some(first) = rest.chars().next() {
        let shape = SHAPES
            .iter()
            .find(|shape| !before.is_ascii_alphanumeric() && fits(rest, shape));
        let (written, width) = match shape {
            Some(shape) => (shape.replace('h', "0"), shape.len()),
            None => (first.to_string(), first.len_utf8()),
        };
        out.push_str(&written);
        rest = &rest[width..];
        before = out.chars().next_back().unwrap_or(' ');
    }
    out
}

/// The time since the start that begins the line of a step: `      +1s `.
fn elapsed(text: &str) -> Option<(String, &str)> {
    let digits = text.trim_start().strip_prefix('+')?;
    let (time, tail) = digits.split_once(' ')?;
    let is_time = time.ends_with('s')
        && time
            .chars()
            .all(|c| c.is_ascii_digit() || "hms".contains(c));
    is_time.then(|| (format!("{:>9} ", "+0s"), tail))
}

fn fits(text: &str, shape: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes
        .get(shape.len())
        .is_none_or(|next| !next.is_ascii_alphanumeric());
    ends && bytes.len() >= shape.len()
        && bytes
            .iter()
            .zip(shape.bytes())
            .all(|(&byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'h' => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
                other => byte == other,
            })
}

#[test]
fn what_differs_keeps_its_width() {
    for (text, wanted) in [
        (
            "read 2026-11-20 14:09:08 UTC.",
            "read 0000-00-00 00:00:00 UTC.",
        ),
        (
            "run 20261120T140908Z-cf67: 3 steps",
            "run 00000000T000000Z-0000: 3 steps",
        ),
        (
            "      +1s done     command.one",
            "      +0s done     command.one",
        ),
        ("within 2m of 10 steps ", "within 2m of 10 steps "),
        ("in /a/b/x", "in [DIR]/x"),
    ] {
        assert_eq!(redact(text, "/a/b"), wanted);
    }
}
