//! Which blocks a world file has, and which arguments they take: what [`WorldFile`] decodes, with what
//! a person must be told when something else stands there.
//!
//! [`WorldFile`]: drplan_sandbox::world::WorldFile

/// A block, or the file itself.
pub(super) struct Shape {
    /// Its type.
    pub(super) name: &'static str,
    /// What its label names; `None` if it has none.
    pub(super) label: Option<&'static str>,
    /// Whether several of one label are tried in order.
    pub(super) repeats: bool,
    /// Its arguments.
    pub(super) args: &'static [Arg],
    /// The blocks in it.
    pub(super) blocks: &'static [Self],
}

/// An argument.
pub(super) struct Arg {
    /// Its name.
    pub(super) name: &'static str,
    /// What its value must be.
    pub(super) kind: Kind,
    /// Whether it must be set.
    pub(super) required: bool,
    /// What it says, for who left it out.
    pub(super) what: &'static str,
}

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Flag,
    /// A whole number between two others.
    Number(i64, i64),
    /// A point in time.
    Time,
    /// A length of time.
    Length,
    /// Texts by name.
    Map,
    /// What a program writes, by path.
    Files,
    /// Servers of the world, as `cluster.b`.
    Servers,
    /// A Service of a cluster: `CLUSTER/NAMESPACE/SERVICE`.
    Service,
    /// A folder beside the spec.
    Folder,
    /// A URL with a host.
    Url,
    /// `HOST:PORT`.
    Place,
    /// A version such as `17` or `17.6`.
    Version,
    /// A type of DNS records.
    RecordType,
}

const fn may(name: &'static str, kind: Kind) -> Arg {
    Arg {
        name,
        kind,
        required: false,
        what: "",
    }
}

const fn must(name: &'static str, kind: Kind, what: &'static str) -> Arg {
    Arg {
        name,
        kind,
        required: true,
        what,
    }
}

const fn block(
    name: &'static str,
    label: Option<&'static str>,
    args: &'static [Arg],
    blocks: &'static [Shape],
) -> Shape {
    Shape {
        name,
        label,
        repeats: false,
        args,
        blocks,
    }
}

/// How many nodes a cluster may have.
const NODES_MAX: i64 = 1000;

const KEY: Shape = block(
    "key",
    Some("ID"),
    &[
        must("secret", Kind::Text, "its secret, which opens nothing else"),
        may("read_only", Kind::Flag),
    ],
    &[],
);

const BUCKET: Shape = block(
    "bucket",
    Some("NAME"),
    &[may("folder", Kind::Folder), may("versioned", Kind::Flag)],
    &[],
);

const RECORD: Shape = block(
    "record",
    Some("NAME"),
    &[
        must("type", Kind::RecordType, "its type, such as \"A\""),
        may("ttl", Kind::Number(0, i32::MAX as i64)),
        must("values", Kind::Texts, "the values that it has, a list"),
    ],
    &[],
);

const STORAGE_CLASS: Shape = block(
    "storage_class",
    Some("NAME"),
    &[may("default", Kind::Flag), may("provisioner", Kind::Text)],
    &[],
);

const CLUSTER: Shape = block(
    "cluster",
    Some("NAME"),
    &[
        must("server", Kind::Url, "where it is reached: a URL"),
        may("nodes", Kind::Number(0, NODES_MAX)),
        may("version", Kind::Text),
        may("velero", Kind::Flag),
        may("running", Kind::Flag),
    ],
    &[STORAGE_CLASS],
);

const POSTGRES: Shape = block(
    "postgres",
    Some("NAME"),
    &[
        must("address", Kind::Place, "where it is reached: HOST:PORT"),
        must("user", Kind::Text, "who may connect"),
        must(
            "password",
            Kind::Text,
            "the user's password, which opens nothing else",
        ),
        may("version", Kind::Version),
        may("roles", Kind::Texts),
        may("running", Kind::Flag),
    ],
    &[],
);

const PROGRAM: Shape = Shape {
    repeats: true,
    ..block(
        "program",
        Some("PROGRAM"),
        &[
            may("args", Kind::Texts),
            may("takes", Kind::Length),
            may("starts", Kind::Servers),
            may("stops", Kind::Servers),
            may("true_if", Kind::Servers),
            may("address_of", Kind::Service),
            may("within", Kind::Length),
            may("files", Kind::Files),
            may("stdout", Kind::Text),
            may("stderr", Kind::Text),
            may("exit", Kind::Number(0, 255)),
        ],
        &[],
    )
};

/// The whole file.
pub(super) const WORLD: Shape = block(
    "a world file",
    None,
    &[
        may("start", Kind::Time),
        may("lost", Kind::Texts),
        may("variables", Kind::Map),
    ],
    &[
        block(
            "object_store",
            None,
            &[may("hosts", Kind::Texts)],
            &[KEY, BUCKET],
        ),
        block(
            "dns",
            None,
            &[may("hosts", Kind::Texts)],
            &[KEY, block("zone", Some("NAME"), &[], &[RECORD])],
        ),
        CLUSTER,
        POSTGRES,
        block(
            "page",
            Some("NAMESPACE/SERVICE"),
            &[
                may("status", Kind::Number(100, 999)),
                may("body", Kind::Text),
            ],
            &[],
        ),
        block(
            "host",
            Some("NAME"),
            &[may("address", Kind::Text), may("refuses", Kind::Flag)],
            &[],
        ),
        PROGRAM,
        block(
            "durations",
            None,
            &[
                may("pod_start", Kind::Length),
                may("pod_ready", Kind::Length),
                may("init_run", Kind::Length),
                may("job_run", Kind::Length),
                may("pod_stop", Kind::Length),
                may("volume_bind", Kind::Length),
                may("load_balancer", Kind::Length),
                may("ingress", Kind::Length),
            ],
            &[],
        ),
    ],
);
