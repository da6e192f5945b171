//! Records through the seam, against the strict server on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use drplan_api::ErrorKind;
use drplan_api::Landed;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Registry;
use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change;
use drplan_sandbox::route53::Config;
use drplan_sandbox::route53::Data;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::Fault;
use drplan_sandbox::route53::Operation;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox::route53::Route53;
use drplan_sandbox::route53::Routing;
use drplan_sandbox::route53::Running;
use drplan_testkit::SINGLE_SECRET;
use drplan_testkit::Single;
use serde_json::Value;
use serde_json::json;

/// A server with the zone `shop.example`, in which `www` points to the old site.
struct World {
    running: Running,
    zone_id: String,
}

impl World {
    async fn start() -> Self {
        let service = Route53::new(Config::new("AKID", SINGLE_SECRET)).unwrap();
        let service = service.zone("shop.example").unwrap();
        let zone_id = service.zone_id("shop.example").unwrap();
        let running = service
            .listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let world = Self { running, zone_id };
        world.put(Action::Create, a_record("10.0.1.4"));
        world
    }

    fn put(&self, action: Action, set: RecordSet) {
        let change = Change { action, set };
        self.running
            .service()
            .change(&self.zone_id, &[change])
            .unwrap();
    }

    async fn record(&self, more: Value) -> Single {
        self.record_with_secret(more, SINGLE_SECRET).await
    }

    async fn record_with_secret(&self, more: Value, secret: &str) -> Single {
        let mut args = json!({"zone": "shop.example", "name": "www", "type": "A"});
        for (key, value) in more.as_object().unwrap() {
            args[key] = value.clone();
        }
        let config = json!({
            "endpoint": self.running.url(), "access_key": "AKID", "secret_key": secret,
        });
        let registry = drplan_route53::register(Registry::new());
        Single::open(registry, "route53_record", config, args).await
    }

    fn inject(&self, operation: Operation, fault: Fault) {
        self.running.service().inject(operation, fault);
    }

    fn sets(&self) -> Vec<RecordSet> {
        self.running.service().record_sets(&self.zone_id)
    }

    fn values_of(&self, name: &str) -> Vec<String> {
        let name = DomainName::parse(name).unwrap();
        let here = self.sets().into_iter().filter(|set| set.name == name);
        here.flat_map(|set| match set.data {
            Data::Values { values, .. } => values,
            Data::Alias { dns_name, .. } => vec![dns_name.to_string()],
        })
        .collect()
    }
}

fn a_record(value: &str) -> RecordSet {
    let name = DomainName::parse("www.shop.example").unwrap();
    RecordSet::simple(name, RecordType::A, 60, [value])
}

async fn apply(driver: &Single) {
    let step = driver.step().await;
    driver.begin(&step.op).await.unwrap();
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
    let proof = driver
        .kind()
        .prove(&driver.read_cx(), &step.op)
        .await
        .unwrap();
    assert!(proof.holds() && proof.evidence.len() == 2, "{proof:?}");
    let again = driver.look().await;
    assert!(matches!(again.planned, Planned::Nothing(_)), "{again:?}");
}

#[tokio::test]
async fn a_record_that_is_as_wanted_is_left_alone() {
    let world = World::start().await;
    let driver = world
        .record(
            json!({"zone": "Shop.Example.", "name": "WWW.shop.example", "records": ["10.0.1.4"]}),
        )
        .await;
    let looked = driver.look().await;
    assert!(matches!(looked.planned, Planned::Nothing(_)), "{looked:?}");
    assert_eq!(looked.outputs, json!({"fqdn": "www.shop.example"}));
}

#[tokio::test]
async fn the_old_sites_value_is_swapped_and_the_way_back_is_known() {
    let world = World::start().await;
    let driver = world
        .record(json!({"records": ["10.8.1.4", "10.8.1.5"], "replaces": [["10.0.1.4"]], "ttl": 30}))
        .await;
    let step = driver.step().await;
    let inverse = step.effects[0].inverse.as_ref().unwrap();
    assert_eq!(inverse["Changes"][1]["ResourceRecordSet"]["TTL"], 60);
    let paths: Vec<&str> = step
        .diff
        .iter()
        .map(|change| change.path.as_str())
        .collect();
    assert_eq!(paths, ["records", "ttl"]);
    assert!(!format!("{step:?}").contains(SINGLE_SECRET));
    apply(&driver).await;
    assert_eq!(
        world.values_of("www.shop.example"),
        ["10.8.1.4", "10.8.1.5"]
    );
}

#[tokio::test]
async fn a_health_check_outlives_the_swap() {
    let world = World::start().await;
    let checked = RecordSet {
        health_check_id: Some("abcdef11-2222-3333-4444-555555fedcba".to_owned()),
        ..a_record("10.0.1.4")
    };
    world.put(Action::Upsert, checked.clone());
    let driver = world
        .record(json!({"records": ["10.8.1.4"], "replaces": ["10.0.1.4"]}))
        .await;
    apply(&driver).await;
    assert_eq!(world.values_of("www.shop.example"), ["10.8.1.4"]);
    let checks: Vec<_> = world
        .sets()
        .into_iter()
        .map(|s| s.health_check_id)
        .collect();
    assert!(checks.contains(&checked.health_check_id), "{checks:?}");
}

#[tokio::test]
async fn an_absent_record_is_created() {
    let world = World::start().await;
    for more in [
        json!({"name": "*", "type": "CNAME", "records": ["lb.site-b.example"]}),
        json!({"name": "@", "type": "TXT", "records": ["v=spf1 -all", "\"a\" \"b\""]}),
        json!({"name": "app", "alias": {"name": "LB.elb.example", "zone_id": "Z9"}}),
        json!({"name": "blue", "records": ["10.8.0.1"], "set_identifier": "b", "weight": 100}),
        json!({"name": "blue", "records": ["10.0.0.1"], "set_identifier": "a", "weight": 0}),
        json!({"name": "pair", "records": ["10.8.0.1"], "set_identifier": "p", "failover": "PRIMARY"}),
    ] {
        apply(&world.record(more).await).await;
    }
    assert_eq!(world.values_of("*.shop.example"), ["lb.site-b.example"]);
    assert_eq!(world.values_of("app.shop.example"), ["lb.elb.example."]);
    assert_eq!(
        world.values_of("blue.shop.example"),
        ["10.0.0.1", "10.8.0.1"]
    );
}

#[tokio::test]
async fn one_weighted_set_is_changed_beside_its_sibling() {
    let world = World::start().await;
    for (id, weight) in [("a", 100), ("b", 0)] {
        let set = RecordSet {
            name: DomainName::parse("w.shop.example").unwrap(),
            routing: Routing::Weighted {
                set_identifier: id.to_owned(),
                weight,
            },
            ..a_record("10.0.0.1")
        };
        world.put(Action::Create, set);
    }
    let driver = world
        .record(json!({"name": "w", "records": ["10.0.0.1"], "set_identifier": "b", "weight": 100}))
        .await;
    apply(&driver).await;
    let weights: Vec<u8> = world
        .sets()
        .into_iter()
        .filter_map(|set| match set.routing {
            Routing::Weighted { weight, .. } => Some(weight),
            _ => None,
        })
        .collect();
    assert_eq!(weights, [100, 100]);
}

#[tokio::test]
async fn a_value_that_nobody_named_is_a_conflict() {
    let world = World::start().await;
    for (more, says) in [
        (json!({"records": ["10.8.1.4"]}), "holds 10.0.1.4"),
        (
            json!({"type": "CNAME", "records": ["lb.example"], "replaces": ["10.0.1.4"]}),
            "a CNAME cannot stand beside",
        ),
        (
            json!({"records": ["10.8.1.4"], "set_identifier": "x", "weight": 1}),
            "set identifier",
        ),
    ] {
        let looked = world.record(more).await.look().await;
        let Planned::Conflict(because, changes) = looked.planned else {
            panic!("no conflict: {:?}", looked.planned);
        };
        assert!(because.0.contains(says), "{because}");
        assert!(!changes.is_empty());
    }
}

#[tokio::test]
async fn a_change_by_somebody_else_after_the_plan_is_never_overwritten() {
    let world = World::start().await;
    for foreign in [Some("10.66.0.1"), None] {
        let driver = world
            .record(json!({"records": ["10.8.1.4"], "replaces": ["10.0.1.4"]}))
            .await;
        let step = driver.step().await;
        match foreign {
            Some(value) => world.put(Action::Upsert, a_record(value)),
            None => world.put(Action::Delete, a_record("10.0.1.4")),
        }
        let error = driver.begin(&step.op).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        let now = foreign.map_or_else(Vec::new, |value| vec![value.to_owned()]);
        assert_eq!(world.values_of("www.shop.example"), now, "nothing changed");
        let says = foreign.unwrap_or("there is no record www.shop.example A now");
        assert!(error.to_string().contains(says), "{error}");
        let landed = driver.kind().probe(&driver.read_cx(), &step.op, 0).await;
        assert!(matches!(landed.unwrap(), Landed::Foreign(_)));
        world.put(Action::Upsert, a_record("10.0.1.4"));
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_out_by_reading_the_record() {
    let world = World::start().await;
    let driver = world
        .record(json!({"records": ["10.8.1.4"], "replaces": ["10.0.1.4"]}))
        .await;
    let step = driver.step().await;
    let cx = driver.read_cx();
    assert_eq!(
        driver.kind().probe(&cx, &step.op, 0).await.unwrap(),
        Landed::No
    );
    world.inject(Operation::ChangeResourceRecordSets, Fault::LostAnswer);
    let error = driver.begin(&step.op).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert_eq!(
        driver.kind().probe(&cx, &step.op, 0).await.unwrap(),
        Landed::Yes
    );
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
    assert!(driver.kind().prove(&cx, &step.op).await.unwrap().holds());
    // A second begin finds its own work and leaves it.
    driver.begin(&step.op).await.unwrap();
}

#[tokio::test]
async fn a_change_that_not_all_name_servers_have_is_not_over() {
    let world = World::start().await;
    let driver = world
        .record(json!({"records": ["10.8.1.4"], "replaces": ["10.0.1.4"]}))
        .await;
    let step = driver.step().await;
    driver.begin(&step.op).await.unwrap();
    // Whoever goes on after the begin finds the record as wanted, and asks for its change all the same.
    let looked = driver.look().await;
    assert!(matches!(looked.planned, Planned::Nothing(_)), "{looked:?}");
    let cx = driver.read_cx();
    for landed in [Landed::Running, Landed::Yes] {
        assert_eq!(driver.kind().probe(&cx, &step.op, 0).await.unwrap(), landed);
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_and_never_a_secret() {
    let world = World::start().await;
    let more = json!({"records": ["10.8.1.4"], "replaces": ["10.0.1.4"]});
    let wrong = world.record_with_secret(more.clone(), "hunter2").await;
    let error = wrong.look().await.present.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(
        error.to_string().contains("the secret key is wrong"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));

    let driver = world.record(more.clone()).await;
    let step = driver.step().await;
    for (fault, kind) in [
        (Fault::Throttling, ErrorKind::Throttled { after_ms: None }),
        (
            Fault::PriorRequestNotComplete,
            ErrorKind::Throttled { after_ms: None },
        ),
        (Fault::Unavailable, ErrorKind::Unreachable),
        (Fault::Internal, ErrorKind::Unreachable),
    ] {
        world.inject(Operation::ChangeResourceRecordSets, fault);
        assert_eq!(driver.begin(&step.op).await.unwrap_err().kind, kind);
    }
    assert_eq!(world.values_of("www.shop.example"), ["10.0.1.4"]);

    let unknown = world
        .record(json!({"zone": "shop.exampel", "records": ["10.8.1.4"]}))
        .await;
    let error = unknown.look().await.present.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.hint.as_deref(), Some("did you mean `shop.example`?"));

    let invalid = world
        .record(json!({"name": "new", "records": ["10.8.1.4"]}))
        .await;
    let step = invalid.step().await;
    // What the plan lets pass the service may still refuse.
    let text = step.op.to_string().replace("10.8.1.4", "10.8.1.400");
    let op = serde_json::from_str(&text).expect("a payload");
    let error = invalid.begin(&op).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn a_zone_of_many_records_is_read_in_pages_and_a_silent_service_is_unreachable() {
    let world = World::start().await;
    let changes: Vec<Change> = (0..700)
        .map(|n| Change {
            action: Action::Create,
            set: RecordSet {
                name: DomainName::parse(&format!("h{n:03}.shop.example")).unwrap(),
                ..a_record("10.0.0.1")
            },
        })
        .collect();
    world
        .running
        .service()
        .change(&world.zone_id, &changes)
        .unwrap();
    let driver = world
        .record(json!({"name": "h699", "records": ["10.0.0.1"]}))
        .await;
    assert!(matches!(driver.look().await.planned, Planned::Nothing(_)));

    world.running.end().await;
    let error = driver.look().await.present.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
}
