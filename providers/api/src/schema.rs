//! What a kind or a provider block accepts, declared once as data.
//!
//! The parser's checks, `drplan schema`, `schemas/*.json` and the reference pages all derive from it.

use serde::Deserialize;
use serde::Serialize;

use crate::Action;
use crate::HazardLevel;

/// The type of one argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// An exact number.
    Number,
    /// A length of time such as `"90s"`, `"10m"` or `"1h30m"`.
    Duration,
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// A list of one type.
    List(Box<Self>),
    /// A map from text to one type.
    Map(Box<Self>),
    /// An object or a nested block with its own arguments.
    Object(Vec<Arg>),
    /// A whole resource or data source of one of these kinds.
    Reference(&'static [&'static str]),
    /// Files of the spec's folder, given as a list of paths or patterns; the kind receives a list of
    /// `{"path", "content"}`, and the plan embeds them.
    Files,
    /// A file or folder of the spec's folder, given as a path; the kind receives
    /// `{"path", "digest"}` with the path relative to that folder, and the plan pins the digest.
    Tree,
    /// Anything.
    Any,
}

/// One argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether it must be given.
    pub required: bool,
    /// Whether the kind can plan while this argument is a hole. If not, the engine plans the whole
    /// resource late when it is one.
    pub late: bool,
    /// Whether the value is a secret: it must come from something sensitive, so that the plan holds a
    /// reference and never the value.
    pub secret: bool,
    /// One or two sentences for the reference.
    pub doc: &'static str,
}

impl Arg {
    /// Declares an argument that must be given.
    pub fn required(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            name,
            ty,
            required: true,
            late: false,
            secret: false,
            doc,
        }
    }

    /// Declares an argument that may be left out.
    pub fn optional(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            name,
            ty,
            required: false,
            late: false,
            secret: false,
            doc,
        }
    }

    /// Says that the value is a secret.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Allows the argument to be a hole while planning; its field must be a [`crate::Late`].
    #[must_use]
    pub fn late(mut self) -> Self {
        self.late = true;
        self
    }
}

/// Arguments and exports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// What can be given, in the order of the reference page.
    pub args: Vec<Arg>,
    /// What can be read from it: name and meaning.
    pub exports: Vec<(&'static str, &'static str)>,
}

/// When a resource runs by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The bare cluster.
    Cluster,
    /// Velero and what it needs.
    Velero,
    /// The platform's own parts.
    Infra,
    /// Databases.
    Databases,
    /// Applications.
    Apps,
    /// The cutover.
    Dns,
    /// What is checked at the end.
    Verify,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 7] = [
        Self::Cluster,
        Self::Velero,
        Self::Infra,
        Self::Databases,
        Self::Apps,
        Self::Dns,
        Self::Verify,
    ];

    /// Returns the word that stands in specs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Velero => "velero",
            Self::Infra => "infra",
            Self::Databases => "databases",
            Self::Apps => "apps",
            Self::Dns => "dns",
            Self::Verify => "verify",
        }
    }

    /// Reads the word that stands in specs.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }
}

/// What a kind is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A state that must hold.
    Goal,
    /// Acts only around others: in the plan only if one of what it guards has an action.
    Guard,
    /// A goal if this argument is given, else a guard.
    GoalIf(&'static str),
    /// Only reads.
    Data,
}

/// The declaration of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Def {
    /// The kind's name in specs, without `data.`.
    pub name: &'static str,
    /// One sentence for the reference.
    pub doc: &'static str,
    /// Goal, guard or data source.
    pub mode: Mode,
    /// Arguments and exports.
    pub schema: Schema,
    /// The default stage; `None` means that the spec must say it.
    pub stage: Option<Stage>,
    /// The roles of connections: role and system, `("cluster", "kubernetes")`.
    pub roles: &'static [(&'static str, &'static str)],
    /// Every action that a step of this kind may turn out to be when it is planned late.
    pub envelope: &'static [Action],
    /// The worst hazard that a late step of this kind may have.
    pub hazard_max: HazardLevel,
    /// Whether this kind moves traffic: it waits for all checks that do not themselves depend on it.
    pub cutover: bool,
    /// The version of the op payload in plan files.
    pub op_version: u32,
}
