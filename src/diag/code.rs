//! The stable codes of diagnostics, with the text that explains each.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explain:literal)*) => {
        /// What sort of diagnostic it is. The code of each is stable; its page in the documentation
        /// is made from [`Code::title`] and [`Code::explain`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $title] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the stable code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Returns a few words that name the mistake.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Returns a paragraph: what it means, why it is a mistake, what to write instead.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$name => $explain,)* }
            }
        }
    };
}

codes! {
    SyntaxError "DR0001" "Syntax error"
        "The text is not HCL: a brace, bracket or string is not closed, an argument has no value, or an expression cannot be read. Every block and every argument is read on its own, so one mistake does not hide the next; correct the place that is marked."
    DuplicateName "DR0002" "Duplicate name"
        "Two blocks of one type have the same name, or an argument is set twice in one block. Names are how other blocks refer to a block, so each must be unique in its module. Rename or remove one of the two places that are marked."
    UnknownBlock "DR0003" "Unknown block"
        "A block of this type does not exist, or not at this place. The message names the nearest type that does. Types of blocks are part of the language; kinds of resources are the first label of a `resource` or `data` block."
    UnknownKind "DR0004" "Unknown kind"
        "The first label of a `resource` or `data` block names a kind that drplan does not have. The message names the nearest ones. A kind that only reads is written with `data`, one that acts with `resource`."
    UnknownArgument "DR0005" "Unknown argument"
        "The kind or block has no argument of this name. The message names the nearest one. Arguments are declared by the schema of the kind; `drplan schema` lists them."
    MissingArgument "DR0006" "Missing argument"
        "An argument that the kind or block needs is not set. Add it; the message says what it is for."
    WrongType "DR0007" "Wrong type"
        "A value has another type than the argument expects and cannot be converted. Strings that hold a number or a truth value are converted, as are numbers and truth values to strings; nothing else is."
    UnknownReference "DR0008" "Unknown reference"
        "An expression refers to something that the spec does not declare: a variable, a local value, a resource, a data source. The message names the nearest name. References start with `var.`, `local.`, `data.`, `check.`, `each.`, `path.`, or the kind of a resource."
    MissingVariable "DR0009" "Missing variable"
        "An input variable without a default has no value. Give it with `--var NAME=VALUE`, in a variable file, or in the environment as `DRPLAN_VAR_NAME`."
    UnknownFunction "DR0010" "Unknown function"
        "There is no function of this name. The message names the nearest one. Functions that read a clock or make random values do not exist, because a plan must be the same whenever it is made from the same input."
    BadFunctionCall "DR0011" "Bad function call"
        "A function was called with the wrong number of arguments, or with a value that it cannot work with. The message says which argument and what the function expects."
    EvaluationError "DR0012" "Evaluation error"
        "An expression cannot be evaluated with the values that it got: an operand of the wrong type, an index that is not there, a division by zero, a null where text is needed. The message shows the values, except secret ones."
    DependencyCycle "DR0013" "Dependency cycle"
        "Some blocks wait for each other, so none of them can be first. The message shows the whole cycle and why each edge exists. Remove one of the references or `depends_on` entries."
    NoProvider "DR0014" "No provider"
        "A resource needs a connection to a system, and no `provider` block of that system is declared. Add one, or name one with the argument `provider` or `providers`."
    AmbiguousProvider "DR0015" "Ambiguous provider"
        "A resource needs a connection to a system of which several are declared, and does not say which. Set `provider = SYSTEM.NAME`, or `providers = { ROLE = SYSTEM.NAME }` if the kind has several roles."
    UnknownProvider "DR0016" "Unknown provider"
        "A `provider` block names a system that drplan does not have, or a resource names a connection that is not declared. The message names the nearest one."
    BadStage "DR0017" "Bad stage"
        "The value of `stage` is not a stage. Stages are, in order: `cluster`, `velero`, `infra`, `databases`, `apps`, `dns`, `verify`."
    StageOrder "DR0018" "Stage order"
        "A resource has an explicit stage that comes before the stage of something that it depends on. Stages run one after the other, so it could never run. Move it to a later stage, or what it depends on to an earlier one."
    MissingStage "DR0019" "Missing stage"
        "This kind has no stage of its own, because it is used in several, and the resource does not say in which one. Add `stage = \"…\"`."
    BadForEach "DR0020" "Bad for_each"
        "The value of `for_each` must be a map or a set of strings that is known when planning, and not secret: its keys become part of addresses. Derive it from variables and local values, not from what a step makes."
    UnknownDomain "DR0021" "Unknown failure domain"
        "A failure domain is named that nothing declares. Failure domains are matched exactly; the message names the nearest one that occurs in `failure_domain` or `domain`."
    NothingGives "DR0022" "Nothing gives what is needed"
        "A resource needs something, such as a CRD, a namespace or a storage class, and neither a step of the spec nor the world gives it. Add the resource that provides it, or restore it from a backup that holds it."
    SecretLiteral "DR0023" "Secret in the spec"
        "A secret stands in the spec as text, or a function tries to uncover one. Specs are stored and shown, so a secret must come from a sensitive variable, an environment variable or a file, by reference."
    BadVariableFile "DR0024" "Bad variable file"
        "A variable file holds something else than `name = value` lines, or a value that cannot be evaluated without the spec. Variable files may use literals and functions, and no references."
    UnknownVariable "DR0025" "Unknown variable"
        "A value is given for an input variable that the spec does not declare. On the command line this is an error, in a file a warning, because it is most often a typing mistake. The message names the nearest variable."
    FileNotFound "DR0026" "File not found"
        "A file that the spec refers to cannot be read. Relative paths start at the folder of the spec."
    BadTarget "DR0027" "Bad target"
        "An address on the command line does not name anything in the plan. The message names the nearest address. An address is `KIND.NAME`, `data.KIND.NAME` or `check.NAME`, with `[\"KEY\"]` behind it for one instance."
    LimitExceeded "DR0028" "Limit exceeded"
        "An expression is nested too deeply, or makes a value that is too large. The limits keep a mistake from using up the machine; the message names the limit. Split the expression with local values, or make less of it."
    BadRunStore "DR0029" "Bad run store"
        "The `run_store` of the recovery lies in a failure domain that is lost, or behind a connection that a step of the recovery makes first. Journals and the lock are needed before the first step and during any disaster, so they must lie outside of everything that the spec recovers."
    PointAfterIncident "DR0030" "Recovery point after the incident"
        "A recovery point was chosen by hand with `--point`, and it was made after the incident. What the incident did may be in it. Choose an earlier one, which `drplan points` lists, or correct `--incident-at`."
    RightMissing "DR0031" "Right is missing"
        "A target was asked whether the credentials of this connection may do what a step does, and refuses it. If the plan is applied with the same credentials, that step fails. Often it is not: a plan needs rights to read alone, so whoever plans in CI need not be whoever applies. `drplan permissions` lists what is needed, and writes it down as roles, policies and statements."
    BadValue "DR0032" "Value that cannot be right"
        "The value of an argument has the right type and can never be right: a time that is no time, a number out of its bounds, a name that no such thing can have, two arguments that exclude each other, or one that means nothing without another. The kind or provider says so before anything is read, as soon as the value is known. The message says what to write instead."
    PointFromTheFuture "DR0033" "Recovery point from the future"
        "The recovery point that the plan takes was made after the plan was, by more than a minute. One of two clocks is wrong: that of the machine that plans, or that of whatever made the backup. Ages, losses and the comparison with `rpo` rest on them. Set the clock, and plan again."
    IncidentFromTheFuture "DR0034" "Incident in the future"
        "`--incident-at`, or `incident_at` of the recovery, lies more than a minute after the reading that the plan rests on. Then no recovery point is kept out, though some may hold what the incident did, and every age is counted from a time that has not come. Most often it is a typing mistake or a time without its zone."
    NothingToAccept "DR0035" "Nothing to accept"
        "`--accept ADDRESS=overwrite` was given where the plan overwrites nothing, or has no such step. The consent is kept in the plan all the same: what came in the way before the plan is applied would be overwritten without another question. Leave it out until a plan shows the conflict."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
