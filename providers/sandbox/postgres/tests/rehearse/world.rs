//! A server and a store behind a private network, and the simulated programs behind the door.

use std::collections::BTreeMap;
use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use drplan_api::Clock;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Network;
use drplan_api::ProviderError;
use drplan_api::Stream;
use drplan_api::System;
use drplan_api::process::Detached;
use drplan_api::process::Output;
use drplan_api::process::ProcessDoor;
use drplan_api::process::Program;
use drplan_api::process::Traces;
use drplan_postgres::DumpToc;
use drplan_postgres::PostgresSystem;
use drplan_s3::S3System;
use drplan_sandbox_postgres::Options;
use drplan_sandbox_postgres::Role;
use drplan_sandbox_postgres::Server;
use drplan_sandbox_postgres::Tools;
use drplan_sandbox_s3::AccessKey;
use drplan_sandbox_s3::Put;
use drplan_sandbox_s3::Rights;
use drplan_sandbox_s3::Store;
use serde_json::json;

/// How many bytes a connection holds before its reader must read.
const PIPE_BYTES: usize = 64 * 1024;

pub(crate) const SHOP: &[u8] = include_bytes!("../archives/shop.dump");

/// A world with the dump of the shop in the bucket `dumps`.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) server: Server,
    store: Store,
    door: Door,
}

struct Net {
    server: Server,
    store: Store,
}

impl Network for Net {
    fn dial<'a>(&'a self, host: &'a str, _: u16) -> Fut<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            match host {
                "db.world" => {
                    let server = self.server.clone();
                    tokio::spawn(async move { server.serve(far).await });
                }
                "store.world" => {
                    let store = self.store.clone();
                    tokio::spawn(async move { store.serve(far).await });
                }
                _ => return Err(io::ErrorKind::ConnectionRefused.into()),
            }
            Ok(Box::new(near) as Box<dyn Stream>)
        })
    }
}

/// Programs that outlive whoever started them.
#[derive(Clone)]
struct Door {
    tools: Tools,
    ended: Arc<Mutex<BTreeMap<PathBuf, Option<i32>>>>,
}

impl Door {
    fn note(&self, traces: &Traces, code: Option<i32>) {
        let mut ended = self.ended.lock().unwrap_or_else(|e| panic!("{e}"));
        ended.insert(traces.status.clone(), code);
    }
}

impl ProcessDoor for Door {
    fn run(&self, program: Program) -> Fut<'_, Result<Output, ProviderError>> {
        Box::pin(async move {
            if !self.tools.knows(&program) {
                let name = program.argv.first().cloned().unwrap_or_default();
                return Err(ProviderError::new(ErrorKind::NotFound, name, "this world"));
            }
            Ok(self.tools.run(&program, &|_| {}).await)
        })
    }

    fn detach<'a>(
        &'a self,
        program: Program,
        traces: &'a Traces,
    ) -> Fut<'a, Result<(), ProviderError>> {
        let (door, traces) = (self.clone(), traces.clone());
        Box::pin(async move {
            door.note(&traces, None);
            tokio::spawn(async move {
                let file = std::fs::File::create(&traces.stderr).unwrap_or_else(|e| panic!("{e}"));
                let said = |line: &str| {
                    writeln!(&file, "{line}").unwrap_or_else(|e| panic!("{e}"));
                };
                let output = door.tools.run(&program, &said).await;
                door.note(&traces, output.code);
            });
            Ok(())
        })
    }

    fn is_marked_running(&self, _: &str) -> bool {
        false
    }

    fn look<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<Detached, ProviderError>> {
        let ended = self.ended.lock().unwrap_or_else(|e| panic!("{e}"));
        let found = match ended.get(&traces.status) {
            None => Detached::Unknown,
            Some(None) => Detached::Running,
            Some(Some(code)) => Detached::Ended(*code),
        };
        Box::pin(async move { Ok(found) })
    }

    fn forget<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<(), ProviderError>> {
        let mut ended = self.ended.lock().unwrap_or_else(|e| panic!("{e}"));
        ended.remove(&traces.status);
        Box::pin(async { Ok(()) })
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let start = "2026-01-05T03:00:00Z".parse().unwrap_or_default();
        let clock = Clock::starting_at(start);
        let mut options = Options::new(clock.clone(), 7_123_456_789);
        options.roles = vec![
            Role::superuser("postgres", Some("s3cret")),
            Role::group("reader"),
            Role::group("app"),
        ];
        change(&mut options);
        let version = options.version;
        let server = Server::new(options);
        let store = Store::in_memory(drplan_sandbox_s3::Options {
            clock,
            region: "us-east-1".to_owned(),
            seed: 1,
            keys: vec![AccessKey::new("AKID", "secret", Rights::All)],
        });
        store
            .create_bucket("dumps")
            .unwrap_or_else(|e| panic!("{e}"));
        let world = Self {
            door: Door {
                tools: tools(&server, version),
                ended: Arc::default(),
            },
            server,
            store,
        };
        world.dump("shop/1.dump", SHOP);
        world
    }

    pub(crate) fn dump(&self, key: &str, bytes: &'static [u8]) {
        let put = Put {
            bytes: bytes.into(),
            ..Put::default()
        };
        self.store
            .put("dumps", key, put)
            .unwrap_or_else(|e| panic!("{e}"));
    }

    pub(crate) fn process(&self) -> Arc<dyn ProcessDoor> {
        Arc::new(self.door.clone())
    }

    fn doors(&self) -> Doors {
        Doors {
            process: self.process(),
            network: Some(Arc::new(Net {
                server: self.server.clone(),
                store: self.store.clone(),
            })),
            ..Doors::local()
        }
    }

    async fn open(&self, system: &dyn System, id: &str, config: Json) -> Arc<dyn Conn> {
        let cx = Connecting {
            id: ConnId::new(id),
            config,
            base_dir: PathBuf::from("/"),
            doors: self.doors(),
        };
        system.connect(&cx).await.unwrap_or_else(|e| panic!("{e}"))
    }

    pub(crate) async fn database(&self) -> Arc<dyn Conn> {
        let url = "postgres://postgres:s3cret@db.world/postgres";
        self.open(&PostgresSystem, "postgres.site", json!({"connection": url}))
            .await
    }

    pub(crate) async fn bucket(&self) -> Arc<dyn Conn> {
        let config = json!({
            "endpoint": "http://store.world", "access_key": "AKID", "secret_key": "secret",
        });
        let system = S3System::new().lens(Arc::new(DumpToc));
        self.open(&system, "s3.site", config).await
    }
}

pub(crate) fn tools(server: &Server, version: (u32, u32)) -> Tools {
    let server = server.clone();
    Tools::new(version, move |host, port| {
        (host == "db.world" && port == 5432).then(|| server.clone())
    })
}
