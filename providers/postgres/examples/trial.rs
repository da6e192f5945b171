//! Temporary driver.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "driver")]
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use drplan_api::*;
use drplan_api::process::LocalProcess;
use drplan_postgres::*;
use drplan_s3::{S3Conn, S3System};
use serde_json::json;

struct NoOpener;
impl Opener for NoOpener {
    fn open(&self, _: &Hole) -> Result<Json, ProviderError> { unreachable!() }
}
fn env(n: &str) -> String { std::env::var(n).unwrap_or_default() }

async fn conns() -> Result<BTreeMap<ConnId, Arc<dyn Conn>>, ProviderError> {
    let process = Arc::new(LocalProcess);
    let mut m: BTreeMap<ConnId, Arc<dyn Conn>> = BTreeMap::new();
    let s3 = S3System::new().lens(Arc::new(DumpToc));
    let c = |id: &str, config: Json| Connecting { id: ConnId::new(id), config, base_dir: "/".into(), process: process.clone() };
    m.insert(ConnId::new("s3.dr"), s3.connect(&c("s3.dr", json!({"endpoint": env("S3"), "path_style": true, "access_key": "minioadmin", "secret_key": "minioadmin", "region": "us-east-1"}))).await?);
    let mut cfg = json!({"connection": env("DSN")});
    if !env("CA").is_empty() { cfg["ca"] = env("CA").into(); }
    m.insert(ConnId::new("postgres.site"), PostgresSystem.connect(&c("postgres.site", cfg)).await?);
    Ok(m)
}

async fn look(kind: &Arc<dyn DynKind>, want: &RawWant, conns: &BTreeMap<ConnId, Arc<dyn Conn>>, accept: bool) -> Looked {
    let mut facts = Facts::default();
    let cx = PlanCx { observed_at: Timestamp::now(), incident_at: None, accept_overwrite: accept };
    for round in 0..10 {
        let view = View::new(&facts);
        match kind.look(&cx, want, &view) {
            Ok(l) => return l,
            Err(LookError::Decode(e)) => panic!("decode {e}"),
            Err(LookError::Pending) => {
                let (queries, targets) = view.missing();
                if env("V") == "1" { println!("round {round}: {queries:?} {targets:?}"); }
                for t in targets {
                    let s = match conns[&t].identity().await { Ok(id) => TargetState::Ready(id), Err(e) => TargetState::Unreadable(e) };
                    facts.targets.insert(t, s);
                }
                let mut by: BTreeMap<ConnId, Vec<Ask>> = BTreeMap::new();
                for q in queries { by.entry(q.conn).or_default().push(q.ask); }
                for (conn, asks) in by {
                    let answers = conns[&conn].fetch(&asks).await;
                    for (ask, a) in asks.into_iter().zip(answers) { facts.answers.insert(Query { conn: conn.clone(), ask }, a); }
                }
            }
        }
    }
    panic!("never settles")
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let start = Instant::now();
    let conns = match conns().await { Ok(c) => c, Err(e) => { println!("CONNECT ERROR {e:?}"); return; } };
    let cmd = args[0].as_str();
    let s3 = conns[&ConnId::new("s3.dr")].as_any().downcast_ref::<S3Conn>().unwrap();
    let bucket = || BTreeMap::from([("bucket".to_owned(), ConnId::new("s3.dr"))]);
    let data = reading(DumpArchive);
    let kind = acting(PostgresRestore);
    let work: PathBuf = env("WORK").into();
    let process: Arc<dyn process::ProcessDoor> = Arc::new(LocalProcess);
    let read = || ReadCx { address: Address::new("postgres_restore.shop"), recovery: "shop".into(), run: "run1".into(), attempt: 1,
        conns: BTreeMap::from([("database".to_owned(), conns[&ConnId::new("postgres.site")].clone()), ("bucket".to_owned(), conns[&ConnId::new("s3.dr")].clone())]),
        base_dir: "/".into(), work_dir: work.clone(), process: process.clone() };
    match cmd {
        "bucket" => { s3.client().create_bucket().bucket("dr-dumps").send().await.unwrap(); }
        "put" => { s3.client().put_object().bucket("dr-dumps").key(&args[1]).body(std::fs::read(&args[2]).unwrap().into()).send().await.unwrap(); }
        "data" | "look" => {
            let dargs: Json = serde_json::from_str(&env("DATA")).unwrap_or(json!({"bucket": "dr-dumps", "prefix": "shop/"}));
            let want = RawWant { address: Address::new("data.dump_archive.shop"), recovery: "shop".into(), args: dargs, roles: bucket() };
            let l = look(&data, &want, &conns, false).await;
            if cmd == "data" || l.present.is_err() { println!("{:#?}\n{}", l.planned, serde_json::to_string_pretty(&l.outputs).unwrap()); println!("{:#?} {:?}", l.notes, start.elapsed()); return; }
            let mut roles = bucket();
            roles.insert("database".into(), ConnId::new("postgres.site"));
            let mut a = json!({"database": "shop", "dump": l.outputs});
            if let Ok(Json::Object(extra)) = serde_json::from_str(&env("EXTRA")) { for (k, v) in extra { a[k] = v; } }
            let want = RawWant { address: Address::new("postgres_restore.shop"), recovery: "shop".into(), args: a, roles };
            let l = look(&kind, &want, &conns, env("ACCEPT") == "1").await;
            println!("{:#?}\noutputs {}\n{:#?}", l.planned, l.outputs, l.notes);
            if let Planned::Step(p) = l.planned { std::fs::write("op.json", p.op.to_string()).unwrap(); }
        }
        "id" => println!("{:?}", conns[&ConnId::new("postgres.site")].identity().await),
        _ => {
            let op: Json = serde_json::from_str(&std::fs::read_to_string("op.json").unwrap()).unwrap();
            let n: usize = args.get(1).and_then(|n| n.parse().ok()).unwrap_or(0);
            match cmd {
                "begin" => println!("{:?}", kind.begin(&WriteCx::new(read(), Arc::new(NoOpener)), &op, n).await),
                "probe" => println!("{:?}", kind.probe(&read(), &op, n).await),
                "prove" => { let p = kind.prove(&read(), &op).await; println!("{p:#?}"); if let Ok(p) = p { println!("HOLDS {}", p.holds()); } }
                "poll" => loop {
                    match kind.poll(&read(), &op, n).await {
                        Ok(Progress::Going { done, of, note, again_in }) => { println!("{:?} {done}/{of:?} {note}", start.elapsed()); if args.get(2).is_some() { return; } tokio::time::sleep(again_in).await; }
                        other => { println!("{other:?}"); break; }
                    }
                },
                _ => panic!("what"),
            }
        }
    }
    println!("{:?}", start.elapsed());
}
