//! What else is wrong with a spec in which mistakes were found already.
//!
//! Names, connections and values are looked at although the shape of some blocks is wrong, so that an
//! author sees all mistakes at once. What only follows from a known mistake is left out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use drplan_api::Facts;
use drplan_api::Registry;
use drplan_api::Timestamp;

use super::expand::Expander;
use super::expand::Situation;
use super::files::SpecFiles;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::diag::Severity;
use crate::lang::Span;
use crate::spec::Module;
use crate::spec::variables::Bound;

/// With these, blocks may be missing, and nobody knows which names there are.
const HIDES_NAMES: &[Code] = &[Code::SyntaxError, Code::UnknownBlock];

/// With these, values are missing that others are made of.
const HIDES_VALUES: &[Code] = &[
    Code::BadVariableFile,
    Code::MissingVariable,
    Code::UnknownKind,
    Code::UnknownVariable,
];

/// Returns the mistakes in names, connections and values that do not follow from the known ones.
pub(crate) fn further(
    module: &Module,
    registry: &Registry,
    bound: &Bound,
    dir: &Path,
    known: &Diagnostics,
) -> Diagnostics {
    let codes: BTreeSet<Code> = errors(known).map(|d| d.code).collect();
    let hides = |list: &[Code]| list.iter().any(|code| codes.contains(code));
    if hides(HIDES_NAMES) {
        return Diagnostics::default();
    }
    let (files, none) = (SpecFiles::new(dir), BTreeSet::new());
    let points = BTreeMap::new();
    let situation = Situation {
        module,
        registry,
        bound,
        files: &files,
        lost: &none,
        assumed: &none,
        accept: &none,
        redo: &none,
        points: &points,
        // Nothing is read, so nothing has an age.
        observed_at: Timestamp::UNIX_EPOCH,
        incident_at: None,
        offline: true,
    };
    let found = match Expander::new(&situation) {
        Err(found) => found,
        Ok(_) if hides(HIDES_VALUES) => return Diagnostics::default(),
        Ok(expander) => expander.round(&Facts::default()).err().unwrap_or_default(),
    };
    let places: BTreeSet<Span> = errors(known).filter_map(Diagnostic::span).collect();
    let headers: BTreeSet<Span> = module.resources.values().map(|block| block.span).collect();
    let follows = |d: &Diagnostic| match (d.code, d.span()) {
        (Code::NoProvider, _) => codes.contains(&Code::UnknownProvider),
        // That arguments do not fit together may be because one of them is missing.
        (Code::WrongType, Some(span)) => headers.contains(&span) || holds_one(&places, span),
        (_, Some(span)) => places.contains(&span),
        (_, None) => false,
    };
    let more = found.into_iter();
    more.filter(|d| d.severity == Severity::Error && !follows(d))
        .collect()
}

/// Whether one of the places lies in a span.
fn holds_one(places: &BTreeSet<Span>, span: Span) -> bool {
    let first = Span {
        end: span.start,
        ..span
    };
    let last = Span {
        start: span.end,
        ..span
    };
    let mut from = places.range(first..=last);
    from.any(|place| place.end <= span.end)
}

fn errors(all: &Diagnostics) -> impl Iterator<Item = &Diagnostic> {
    all.iter().filter(|d| d.severity == Severity::Error)
}
