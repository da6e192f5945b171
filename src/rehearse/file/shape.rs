//! Which blocks a world file has, and which arguments they take: what [`WorldFile`] decodes, with what
//! a person must be told when something else stands there. The page `docs/reference/rehearsal.md` is made
//! of it.
//!
//! [`WorldFile`]: drplan_sandbox::world::WorldFile

/// A block, or the file itself.
pub(super) struct Shape {
    /// Its type.
    pub(super) name: &'static str,
    /// What its label names; `None` if it has none.
    pub(super) label: Option<&'static str>,
    /// What it says, for the reference.
    pub(super) what: &'static str,
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
    /// What it says, for who left it out and for the reference.
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

const fn may(name: &'static str, kind: Kind, what: &'static str) -> Arg {
    Arg {
        name,
        kind,
        required: false,
        what,
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
    what: &'static str,
    args: &'static [Arg],
    blocks: &'static [Shape],
) -> Shape {
    Shape {
        name,
        label,
        what,
        repeats: false,
        args,
        blocks,
    }
}

/// What `connections` says.
const CONNECTIONS: &str = "the connections of the spec, as \"kubernetes.site\", whose part of a snapshot it begins \
                           with; the one of its name if not given";

/// How many nodes a cluster may have.
const NODES_MAX: i64 = 1000;

const KEY: Shape = block(
    "key",
    Some("ID"),
    "an access key, beside the world's own, with which whoever names none signs",
    &[
        must("secret", Kind::Text, "its secret, which opens nothing else"),
        may(
            "read_only",
            Kind::Flag,
            "whether it may only read; else it may do everything",
        ),
    ],
    &[],
);

const BUCKET: Shape = block(
    "bucket",
    Some("NAME"),
    "a bucket; what is written to it stays in memory",
    &[
        may(
            "folder",
            Kind::Folder,
            "the folder beside the spec that holds its objects, and is only read; without it the bucket is empty",
        ),
        may("versioned", Kind::Flag, "whether it keeps versions"),
    ],
    &[],
);

const RECORD: Shape = block(
    "record",
    Some("NAME"),
    "a record set, by its name relative to the zone",
    &[
        must("type", Kind::RecordType, "its type, such as \"A\""),
        may(
            "ttl",
            Kind::Number(0, i32::MAX as i64),
            "how long it is cached, in seconds; 60 if not given",
        ),
        must("values", Kind::Texts, "the values that it has, a list"),
    ],
    &[],
);

const ZONE: Shape = block(
    "zone",
    Some("NAME"),
    "a hosted zone, by its name",
    &[],
    &[RECORD],
);

const OBJECT_STORE: Shape = block(
    "object_store",
    None,
    "one object store for all buckets",
    &[may(
        "hosts",
        Kind::Texts,
        "the host names that lead to it, beside those of AWS",
    )],
    &[KEY, BUCKET],
);

const DNS: Shape = block(
    "dns",
    None,
    "Route 53, whose records are also the names of the world",
    &[may(
        "hosts",
        Kind::Texts,
        "the host names that lead to it, beside that of AWS",
    )],
    &[KEY, ZONE],
);

const STORAGE_CLASS: Shape = block(
    "storage_class",
    Some("NAME"),
    "a storage class",
    &[
        may(
            "default",
            Kind::Flag,
            "whether it is taken where a claim names none",
        ),
        may("provisioner", Kind::Text, "its provisioner"),
    ],
    &[],
);

const CLUSTER: Shape = block(
    "cluster",
    Some("NAME"),
    "a Kubernetes cluster; it runs once a program starts it",
    &[
        must("server", Kind::Url, "where it is reached: a URL"),
        may(
            "nodes",
            Kind::Number(0, NODES_MAX),
            "how many nodes it has; 3 if not given",
        ),
        may("version", Kind::Text, "its version, such as \"v1.35.3\""),
        may(
            "kubeconfig",
            Kind::Text,
            "the file, relative to the spec, that leads to it if it runs from the beginning",
        ),
        may("connections", Kind::Texts, CONNECTIONS),
        may(
            "velero",
            Kind::Flag,
            "whether a Velero server runs once the Deployment `velero/velero` is ready",
        ),
        may(
            "running",
            Kind::Flag,
            "whether it runs from the beginning, without a program",
        ),
    ],
    &[STORAGE_CLASS],
);

const POSTGRES: Shape = block(
    "postgres",
    Some("NAME"),
    "a PostgreSQL server; it runs once a program starts it",
    &[
        must("address", Kind::Place, "where it is reached: HOST:PORT"),
        must("user", Kind::Text, "who may connect"),
        must(
            "password",
            Kind::Text,
            "the user's password, which opens nothing else",
        ),
        may(
            "version",
            Kind::Version,
            "its version, such as \"17\" or \"17.6\"",
        ),
        may("roles", Kind::Texts, "roles that exist beside the user"),
        may("connections", Kind::Texts, CONNECTIONS),
        may(
            "running",
            Kind::Flag,
            "whether it runs from the beginning, without a program",
        ),
    ],
    &[],
);

const PAGE: Shape = block(
    "page",
    Some("NAMESPACE/SERVICE"),
    "what the pods behind a Service answer over HTTP once they are ready",
    &[
        may(
            "status",
            Kind::Number(100, 999),
            "the status; 200 if not given",
        ),
        may("body", Kind::Text, "the body; empty if not given"),
    ],
    &[],
);

const HOST: Shape = block(
    "host",
    Some("NAME"),
    "a host outside of the zones",
    &[
        may("address", Kind::Text, "the IP address that it leads to"),
        may("refuses", Kind::Flag, "whether it refuses every connection"),
    ],
    &[],
);

const PROGRAM: Shape = Shape {
    repeats: true,
    ..block(
        "program",
        Some("PROGRAM"),
        "what stands in for a program of the spec, by its name there; of several blocks the first whose `args` fit is taken",
        &[
            may(
                "args",
                Kind::Texts,
                "how its arguments begin; without it, any arguments fit",
            ),
            may(
                "takes",
                Kind::Length,
                "how long it runs; 1s if not given, no time with `true_if` or `address_of`",
            ),
            may("starts", Kind::Servers, "what runs afterwards"),
            may("stops", Kind::Servers, "what does not run afterwards"),
            may(
                "true_if",
                Kind::Servers,
                "it ends with `exit` if all of these run, else with 1; `made.NAME` is what another program `makes`",
            ),
            may(
                "makes",
                Kind::Texts,
                "what is there once it ended with 0, by names of your own, for the `true_if` of a check",
            ),
            may(
                "address_of",
                Kind::Service,
                "it prints the address of this Service's load balancer, and ends with 1 while there is none",
            ),
            may(
                "within",
                Kind::Length,
                "how long it waits for what `true_if` and `address_of` ask for; not at all if not given",
            ),
            may(
                "files",
                Kind::Files,
                "what it writes, by path relative to where it runs",
            ),
            may("stdout", Kind::Text, "what it prints"),
            may("stderr", Kind::Text, "what it complains"),
            may("exit", Kind::Number(0, 255), "how it ends; 0 if not given"),
        ],
        &[],
    )
};

const DURATIONS: Shape = block(
    "durations",
    None,
    "how long things take in every cluster",
    &[
        may(
            "pod_start",
            Kind::Length,
            "from a pod's place on a node to its first container; 12s if not given",
        ),
        may(
            "pod_ready",
            Kind::Length,
            "until the readiness probe passes, after its own initial delay; 8s if not given",
        ),
        may(
            "init_run",
            Kind::Length,
            "how long an init container runs; 3s if not given",
        ),
        may(
            "job_run",
            Kind::Length,
            "how long a container of a Job runs; 20s if not given",
        ),
        may(
            "pod_stop",
            Kind::Length,
            "from a pod's deletion to its end; 3s if not given",
        ),
        may(
            "volume_bind",
            Kind::Length,
            "from a claim to its volume; 6s if not given",
        ),
        may(
            "load_balancer",
            Kind::Length,
            "from a Service to the address of its load balancer; 90s if not given",
        ),
        may(
            "ingress",
            Kind::Length,
            "from an Ingress to its address; 45s if not given",
        ),
    ],
    &[],
);

/// The whole file.
pub(super) const WORLD: Shape = block(
    "a world file",
    None,
    "what there is at the beginning, and what stands in for programs",
    &[
        may(
            "start",
            Kind::Time,
            "what the clock shows first, from which ages of backups follow; the machine's time if not given",
        ),
        may(
            "lost",
            Kind::Texts,
            "the failure domains that are lost, as `drplan plan --lost` declares them",
        ),
        may(
            "variables",
            Kind::Map,
            "values of the spec's variables in the rehearsal, sensitive ones too",
        ),
    ],
    &[
        OBJECT_STORE,
        DNS,
        CLUSTER,
        POSTGRES,
        PAGE,
        HOST,
        PROGRAM,
        DURATIONS,
    ],
);
