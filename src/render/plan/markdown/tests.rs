use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Change;
use drplan_api::Hazard;
use drplan_api::Timestamp;

use super::*;
use crate::plan::Do;
use crate::tests::memory::Case;

/// What somebody who wants to be read as more than text would write.
const HOSTILE: &str =
    "</summary></details><img src=x> @evil #1 [a](b) | `` c ` d `` <b> `\n\n# E\u{202e}";

async fn plan_of(resources: usize) -> Plan {
    let spec = format!(
        "recovery \"shop\" {{}}\nresource \"thing\" \"a\" {{\n  for_each = toset([for i in range({resources}) : \
         \"ä${{i}}\"])\n  value = 1\n}}\n"
    );
    Case::new(&spec).plan().await
}

/// Puts a text wherever a spec or the world can put one.
fn filled(mut plan: Plan, text: &str) -> Plan {
    let mut lost = vec![text.to_owned()];
    plan.head.recovery = text.to_owned();
    plan.head.tool = text.to_owned();
    plan.head.lost.append(&mut lost);
    let point = Point {
        address: Address::new("data.x.y"),
        of: text.to_owned(),
        id: text.to_owned(),
        at: Timestamp::UNIX_EPOCH,
        loss_s: 60,
        incomplete: Some(text.to_owned()),
        bytes: None,
        violates_rpo: true,
        unusable: None,
        chosen: true,
        used: true,
    };
    plan.points = vec![point; 20];
    let finding = Finding {
        code: text.to_owned(),
        severity: "warning".to_owned(),
        address: None,
        message: text.to_owned(),
        at: None,
        hints: vec![text.to_owned()],
    };
    plan.findings = vec![finding; 20];
    let change = |diff: Option<String>| Change {
        path: text.to_owned(),
        before: Some(text.into()),
        after: Some(text.into()),
        sensitive: false,
        text: diff,
    };
    for step in &mut plan.steps {
        step.address = Address::new(format!("thing.a[\"{text}\"]"));
        step.because = text.to_owned();
        step.hazard = Hazard::irreversible(text);
        step.cutover = true;
        step.warnings = vec![text.to_owned()];
        step.manual = vec![text.to_owned(), text.replace('\n', " ")];
        step.diff = vec![change(None), change(Some(format!("+{text}\n````\n-")))];
    }
    plan
}

/// What is left when code is taken out as CommonMark finds it: fences first, then spans; and what is
/// escaped with it.
fn without_code(markdown: &str) -> String {
    let mut out = String::new();
    let mut fence = 0;
    for line in markdown.lines() {
        let marks = line.len() - line.trim_start_matches('`').len();
        let is_mark = marks >= 3 && !line[marks..].contains('`');
        if fence > 0 {
            if is_mark && marks >= fence && line.len() == marks {
                fence = 0;
            }
        } else if is_mark {
            fence = marks;
        } else {
            out.push_str(&without_spans(line));
            out.push('\n');
        }
    }
    assert_eq!(fence, 0, "a fence is left open");
    out
}

/// Without spans of code and without what is escaped.
fn without_spans(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches('`').len();
        let taken = match (c, run) {
            ('\\', _) => rest.chars().take(2).map(char::len_utf8).sum(),
            (_, 0) => {
                out.push(c);
                c.len_utf8()
            }
            _ => end_of_span(&rest[run..], run).map_or(run, |length| run + length),
        };
        rest = &rest[taken..];
    }
    out
}

/// How far it is to behind the next run of just so many backticks.
fn end_of_span(text: &str, run: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(start) = text[at..].find('`') {
        let start = at + start;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        if length == run {
            return Some(start + length);
        }
        at = start + length;
    }
    None
}

#[tokio::test]
async fn a_bot_finds_its_comment_by_the_first_line() {
    let plan = plan_of(1).await;
    assert!(markdown(&plan, BYTES_MAX).starts_with("<!-- drplan plan shop -->\n"));
    let hostile = markdown(&filled(plan, "a--> <b>"), BYTES_MAX);
    assert!(
        hostile.starts_with("<!-- drplan plan a--___b_ -->\n"),
        "{hostile}"
    );
}

#[tokio::test]
async fn nothing_of_a_spec_means_anything_to_markdown() {
    let plan = filled(plan_of(3).await, HOSTILE);
    let text = markdown(&plan, BYTES_MAX);
    assert!(text.contains("warning:"), "{text}");
    let bare = without_code(&text);
    for live in ["<img", "<b>", "@evil", "#1", "](", "\n# E", "\u{202e}"] {
        assert!(!bare.contains(live), "`{live}` is alive in\n{bare}");
    }
    assert!(!text.contains('\u{202e}'), "{text}");
    for (open, close) in [("<details>", "</details>"), ("<summary>", "</summary>")] {
        assert_eq!(bare.matches(open).count(), 3, "{bare}");
        assert_eq!(bare.matches(close).count(), 3, "{bare}");
    }
}

#[tokio::test]
async fn the_number_of_bytes_is_never_exceeded_and_no_step_is_cut() {
    let long = "𝛼$<".repeat(3_000);
    let plans = [
        plan_of(2_000).await,
        filled(plan_of(40).await, HOSTILE),
        filled(plan_of(40).await, &long),
    ];
    for plan in &plans {
        let of = plan.steps.iter().filter(|s| is_shown(s)).count();
        for bytes_max in (BYTES_MIN..40_000).step_by(4_999).chain([BYTES_MAX]) {
            let text = markdown(plan, bytes_max);
            assert!(text.len() <= bytes_max, "{} > {bytes_max}", text.len());
            let bare = without_code(&text);
            let shown = bare.matches("<details>").count();
            assert_eq!(shown, bare.matches("</details>").count());
            assert!(shown < of, "{bytes_max} bytes are enough for everything");
            let words = format!("details of {} of {of} steps are left out", of - shown);
            assert!(text.contains(&words), "no `{words}` in\n{text}");
        }
    }
}

#[tokio::test]
async fn a_plan_that_fits_is_whole_and_says_so_by_saying_nothing() {
    let text = markdown(&plan_of(20).await, BYTES_MAX);
    assert_eq!(text.matches("<details>").count(), 20);
    assert!(!text.contains("left out"), "{text}");
    assert!(text.contains("**Plan: 20 steps (20 to create)"), "{text}");
}

#[tokio::test]
async fn what_decides_stands_before_what_explains() {
    let mut plan = filled(plan_of(2).await, "text");
    plan.head.rpo_s = Some(30);
    plan.steps[0].what = Do::Conflict;
    plan.steps[1].what = Do::Act {
        action: Action::Update,
        op: drplan_api::Json::Null,
        effects: Vec::new(),
        binding: drplan_api::Json::Null,
    };
    let text = markdown(&plan, BYTES_MAX);
    let order = [
        "**Plan:",
        "**In the way: 1**",
        "**Cannot be undone: 2**",
        "**Warnings: 22**",
        "- and 12 more",
        "**Recovery points: 20**",
        "(**MORE than the objective 30s**); **incomplete**: text",
        "**Data lost:**",
        "**Steps: 2**",
        "<details>",
    ];
    let at: Vec<Option<usize>> = order.iter().map(|part| text.find(part)).collect();
    assert!(at.is_sorted() && at[0].is_some(), "{at:?}\n{text}");
}
