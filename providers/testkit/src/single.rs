//! One resource of one kind, driven call by call: for tests that look between the calls. The
//! connection is opened by the registry's own system.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::DynKind;
use drplan_api::Facts;
use drplan_api::Hole;
use drplan_api::Json;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::Opener;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::Registry;
use drplan_api::TargetState;
use drplan_api::Timestamp;
use drplan_api::View;
use drplan_api::WriteCx;

/// The most rounds of reads that a kind may need.
const ROUNDS_MAX: usize = 8;
/// The most polls before a test gives up.
const POLLS_MAX: usize = 400;
/// How long a test sleeps between two polls, in milliseconds; the wait that the kind names is for
/// engines.
const POLL_MS: u64 = 25;
/// The secret behind every hole.
pub const SINGLE_SECRET: &str = "open-sesame";

struct OneSecret;

impl Opener for OneSecret {
    fn open(&self, _: &Hole) -> Result<Json, ProviderError> {
        Ok(Json::from(SINGLE_SECRET))
    }
}

/// One resource of one kind, with an open connection. Like all of the test kit it panics where a test
/// cannot go on.
pub struct Single {
    kind: Arc<dyn DynKind>,
    want: RawWant,
    conn: Arc<dyn Conn>,
    role: &'static str,
    dir: tempfile::TempDir,
}

impl Single {
    /// Opens the kind's connection and decodes nothing yet.
    pub async fn open(registry: Registry, kind: &str, config: Json, args: Json) -> Self {
        let kind = Arc::clone(registry.get_resource(kind).expect("a registered kind"));
        let (role, system) = kind.def().roles[0];
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("work")).expect("a folder");
        let id = ConnId::new(format!("{system}.default"));
        let connecting = Connecting {
            id: id.clone(),
            config,
            base_dir: dir.path().to_owned(),
            doors: Doors::local(),
        };
        let conn = registry
            .get_system(system)
            .expect("a registered system")
            .connect(&connecting)
            .await
            .expect("a connection");
        let want = RawWant {
            address: Address::new(format!("{}.it", kind.def().name)),
            recovery: "shop".to_owned(),
            args,
            roles: BTreeMap::from([(role.to_owned(), id)]),
        };
        Self {
            kind,
            want,
            conn,
            role,
            dir,
        }
    }

    /// The folder of the spec.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Forgets the traces, as another machine would not have them.
    pub fn forget_traces(&self) {
        let work = self.dir().join("work");
        std::fs::remove_dir_all(&work).expect("a clean folder");
        std::fs::create_dir(&work).expect("a folder");
    }

    /// Reads the world afresh and decides.
    pub async fn look(&self) -> Looked {
        let id = &self.want.roles[self.role];
        let identity = self.conn.identity().await;
        let state = identity.map_or_else(TargetState::Unreadable, TargetState::Ready);
        let mut facts = Facts {
            targets: BTreeMap::from([(id.clone(), state)]),
            answers: BTreeMap::new(),
        };
        let cx = PlanCx {
            observed_at: Timestamp::UNIX_EPOCH,
            incident_at: None,
            accept_overwrite: false,
        };
        for _ in 0..ROUNDS_MAX {
            let view = View::new(&facts);
            match self.kind.look(&cx, &self.want, &view) {
                Ok(looked) => return looked,
                Err(LookError::Decode(why)) => panic!("{why}"),
                Err(LookError::Pending) => {}
            }
            let (queries, _) = view.missing();
            let asks: Vec<_> = queries.iter().map(|query| query.ask.clone()).collect();
            let answers = self.conn.fetch(&asks).await;
            facts.answers.extend(queries.into_iter().zip(answers));
        }
        panic!("the kind asks for more and more");
    }

    /// Decides, and expects a step.
    pub async fn step(&self) -> Proposal<Json> {
        match self.look().await.planned {
            Planned::Step(step) => *step,
            other => panic!("no step but {other:?}"),
        }
    }

    /// What an attempt that reads may use.
    pub fn read_cx(&self) -> ReadCx {
        ReadCx {
            address: self.want.address.clone(),
            recovery: "shop".to_owned(),
            run: "run-1".to_owned(),
            attempt: 1,
            begun: true,
            conns: BTreeMap::from([(self.role.to_owned(), Arc::clone(&self.conn))]),
            base_dir: self.dir().to_owned(),
            work_dir: self.dir().join("work"),
            doors: Doors::local(),
        }
    }

    /// Begins the only effect.
    pub async fn begin(&self, op: &Json) -> Result<(), ProviderError> {
        let cx = WriteCx::new(self.read_cx(), Arc::new(OneSecret));
        self.kind.begin(&cx, op, 0).await
    }

    /// Polls until the effect ended.
    pub async fn finish(&self, op: &Json) -> Progress {
        for _ in 0..POLLS_MAX {
            let progress = self.kind.poll(&self.read_cx(), op, 0).await;
            match progress.expect("an answer") {
                Progress::Going { .. } => {
                    tokio::time::sleep(std::time::Duration::from_millis(POLL_MS)).await;
                }
                ended => return ended,
            }
        }
        panic!("it goes on and on");
    }

    /// The kind itself, for single calls.
    pub fn kind(&self) -> &dyn DynKind {
        &*self.kind
    }
}
