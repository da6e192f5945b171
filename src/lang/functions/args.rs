//! The arguments of a call, and what can be wrong with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bigdecimal::BigDecimal;

use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::eval::Cx;
use crate::lang::eval::ELEMENTS_MAX;
use crate::lang::eval::TEXT_BYTES_MAX;
use crate::lang::number;

/// The arguments of one call.
pub(super) struct Args<'a> {
    pub(super) cx: &'a Cx<'a>,
    pub(super) values: &'a [Value],
    pub(super) spans: &'a [Span],
    pub(super) span: Span,
}

/// Why a call failed.
pub(super) enum Fault {
    /// It cannot be done until more is known.
    Later,
    /// Something is wrong.
    Wrong {
        code: Code,
        /// Which argument, if one is to blame.
        at: Option<usize>,
        message: String,
        hint: Option<String>,
    },
}

impl Fault {
    /// The call as a whole is wrong.
    pub(super) fn call(message: impl Into<String>) -> Self {
        Self::new(None, message)
    }

    /// One argument is wrong.
    pub(super) fn arg(at: usize, message: impl Into<String>) -> Self {
        Self::new(Some(at), message)
    }

    /// The result would be too large.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::call(message).code(Code::LimitExceeded)
    }

    fn new(at: Option<usize>, message: impl Into<String>) -> Self {
        Self::Wrong {
            code: Code::BadFunctionCall,
            at,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Wrong { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    pub(super) fn code(mut self, new: Code) -> Self {
        if let Self::Wrong { code, .. } = &mut self {
            *code = new;
        }
        self
    }
}

impl Args<'_> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns an argument; null if it was not given.
    pub(super) fn get(&self, at: usize) -> &Value {
        self.values.get(at).unwrap_or(&Value::Null)
    }

    /// Writes an argument for a message.
    pub(super) fn shown(&self, at: usize) -> String {
        self.cx.show(self.get(at))
    }

    fn wrong(&self, at: usize, expected: &str) -> Fault {
        Fault::arg(
            at,
            format!("expected {expected}, and this is {}", self.shown(at)),
        )
    }

    pub(super) fn text(&self, at: usize) -> Result<String, Fault> {
        self.get(at)
            .to_text()
            .ok_or_else(|| self.wrong(at, "a string"))
    }

    pub(super) fn number(&self, at: usize) -> Result<BigDecimal, Fault> {
        self.get(at)
            .to_number()
            .ok_or_else(|| self.wrong(at, "a number"))
    }

    pub(super) fn integer(&self, at: usize) -> Result<i64, Fault> {
        number::to_integer(&self.number(at)?).ok_or_else(|| self.wrong(at, "a whole number"))
    }

    /// Returns a count or an index: a whole number of at least zero.
    pub(super) fn count(&self, at: usize) -> Result<usize, Fault> {
        usize::try_from(self.integer(at)?)
            .map_err(|_| self.wrong(at, "a whole number of at least 0"))
    }

    pub(super) fn list(&self, at: usize) -> Result<&[Value], Fault> {
        match self.get(at) {
            Value::List(list) => Ok(list),
            _ => Err(self.wrong(at, "a list")),
        }
    }

    pub(super) fn map(&self, at: usize) -> Result<&BTreeMap<String, Value>, Fault> {
        match self.get(at) {
            Value::Map(map) => Ok(map),
            _ => Err(self.wrong(at, "a map")),
        }
    }

    /// Returns a list of strings.
    pub(super) fn texts(&self, at: usize) -> Result<Vec<String>, Fault> {
        let convert = |(i, item): (usize, &Value)| {
            item.to_text().ok_or_else(|| {
                let shown = self.cx.show(item);
                Fault::arg(at, format!("expected strings, and element {i} is {shown}"))
            })
        };
        self.list(at)?.iter().enumerate().map(convert).collect()
    }

    /// Returns a list of numbers.
    pub(super) fn numbers(&self, at: usize) -> Result<Vec<BigDecimal>, Fault> {
        let convert = |(i, item): (usize, &Value)| {
            item.to_number().ok_or_else(|| {
                let shown = self.cx.show(item);
                Fault::arg(at, format!("expected numbers, and element {i} is {shown}"))
            })
        };
        self.list(at)?.iter().enumerate().map(convert).collect()
    }

    /// Makes the diagnostic of a failed call.
    pub(super) fn report(&self, name: &str, fault: Fault) -> Diagnostic {
        let Fault::Wrong {
            code,
            at,
            message,
            hint,
        } = fault
        else {
            return Diagnostic::error(Code::BadFunctionCall, format!("`{name}` cannot run yet"))
                .label(self.span, "");
        };
        let span = at.and_then(|at| self.spans.get(at)).copied();
        let what = match at {
            Some(at) if self.len() > 1 => format!("argument {} of `{name}`", at + 1),
            Some(_) => format!("the argument of `{name}`"),
            None => format!("`{name}`"),
        };
        let error = Diagnostic::error(code, format!("{what}: {message}"))
            .label(span.unwrap_or(self.span), "");
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Makes a list, within the limit.
pub(super) fn list(items: Vec<Value>) -> Result<Value, Fault> {
    if items.len() > ELEMENTS_MAX {
        return Err(too_many());
    }
    Ok(Value::List(items))
}

/// Says that a list would be too long.
pub(super) fn too_many() -> Fault {
    Fault::limit(format!("the result has more than {ELEMENTS_MAX} elements"))
}

/// Makes a string, within the limit.
pub(super) fn text(text: impl Into<Arc<str>>) -> Result<Value, Fault> {
    let text = text.into();
    if text.len() > TEXT_BYTES_MAX {
        let limit = TEXT_BYTES_MAX >> 20;
        return Err(Fault::limit(format!(
            "the result is longer than {limit} MiB"
        )));
    }
    Ok(Value::String(text))
}
