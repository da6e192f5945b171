//! DNS is taken back exactly, or not at all.
#![cfg(feature = "rehearse")]

use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change;
use drplan_sandbox::route53::Config;
use drplan_sandbox::route53::Data;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox::route53::Route53;
use drplan_sandbox::route53::Running;

use crate::bucket::Bucket;
use crate::drplan::World;

const SECRET: &str = "canary-of-the-zone";

const OLD: &str = "192.0.2.10";

/// The address is known only once a step has made it, as in most recoveries.
const SPEC: &str = r#"
variable "key" {
  sensitive = true
}

provider "route53" "dns" {
  endpoint   = "ENDPOINT"
  region     = "us-east-1"
  access_key = "AKID"
  secret_key = var.key
}

resource "command" "site" {
  check   = ["test", "-e", "site"]
  apply   = ["sh", "-c", "printf 198.51.100.20 > site"]
  outputs = { address = { file = "site" } }
}

resource "route53_record" "www" {
  zone     = "shop.example"
  name     = "NAME"
  type     = "A"
  ttl      = 30
  records  = [command.site.outputs.address]
  replaces = ["192.0.2.10"]
}
"#;

/// A strict Route 53 in which `www` leads to the old site.
struct Zone {
    runtime: tokio::runtime::Runtime,
    running: Running,
    id: String,
}

impl Zone {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(1)
            .build()
            .expect("a runtime");
        let service = Route53::new(Config::new("AKID", SECRET)).expect("a service");
        let service = service.zone("shop.example").expect("a zone");
        let id = service.zone_id("shop.example").expect("an id");
        let address = "127.0.0.1:0".parse().expect("an address");
        let running = runtime.block_on(service.listen(address)).expect("a server");
        let zone = Self {
            runtime,
            running,
            id,
        };
        zone.set(OLD, 60);
        zone
    }

    /// What somebody else does to the record.
    fn set(&self, address: &str, ttl: u32) {
        self.set_at("www", address, ttl);
    }

    fn set_at(&self, name: &str, address: &str, ttl: u32) {
        let name = DomainName::parse(&format!("{name}.shop.example")).expect("a name");
        let set = RecordSet::simple(name, RecordType::A, ttl, [address]);
        let change = Change {
            action: Action::Upsert,
            set,
        };
        let service = self.running.service();
        service.change(&self.id, &[change]).expect("a change");
    }

    fn www(&self) -> (Vec<String>, u32) {
        let sets = self.running.service().record_sets(&self.id);
        let www = sets.into_iter().find(|set| set.rtype == RecordType::A);
        match www.expect("the record").data {
            Data::Values { values, ttl_s } => (values, ttl_s),
            Data::Alias { .. } => panic!("an alias"),
        }
    }

    fn world(&self, name: &str) -> World {
        let spec = SPEC
            .replace("ENDPOINT", &self.running.url())
            .replace("NAME", name);
        World::of(&spec).with("DRPLAN_VAR_key", SECRET)
    }

    fn end(self) {
        self.runtime.block_on(self.running.end());
    }
}

fn run_of(world: &World) -> String {
    let report = world.run("report --json").ends_with(0).json();
    report["run"].as_str().expect("an id").to_owned()
}

#[test]
fn the_record_of_a_run_is_taken_back_and_taken_back_only_once() {
    let zone = Zone::start();
    let world = zone.world("www");
    world.run("apply --auto-approve").ends_with(0);
    let new = (vec!["198.51.100.20".to_owned()], 30);
    assert_eq!(zone.www(), new);
    let run = run_of(&world);
    let line = format!("revert dns {run}");
    world
        .run("report")
        .ends_with(0)
        .says(&format!("drplan {line}"));
    world
        .run(&line)
        .ends_with(9)
        .says("nobody can be asked")
        .hides(SECRET);
    assert_eq!(zone.www(), new, "nobody said yes");
    world
        .run(&format!("{line} --auto-approve"))
        .ends_with(0)
        .says("Taken back")
        .hides("Recovered")
        .hides(SECRET);
    assert_eq!(zone.www(), (vec![OLD.to_owned()], 60));
    let told = world.run("report --json").ends_with(0).json();
    assert_eq!(told["verdict"], "taken_back");
    assert_eq!(told["counts"]["outside_the_plan"], 0);
    world.run("evidence verify").ends_with(0);
    // Once more there is nothing to do, and what that run did can itself be taken back.
    world
        .run(&format!("{line} --auto-approve"))
        .ends_with(0)
        .says("Nothing is left to do");
    let back = run_of(&world);
    world
        .run(&format!("revert dns {back} --auto-approve"))
        .ends_with(0);
    assert_eq!(zone.www(), new);
    for (name, text) in world.files() {
        assert!(!text.contains(SECRET), "{name}");
    }
    zone.end();
}

#[test]
fn what_somebody_changed_since_is_left_alone() {
    let zone = Zone::start();
    let world = zone.world("www");
    world.run("apply --auto-approve").ends_with(0);
    let line = format!("revert dns {} --auto-approve", run_of(&world));
    for (address, ttl) in [("203.0.113.9", 30), ("198.51.100.20", 31)] {
        zone.set(address, ttl);
        world
            .run(&line)
            .ends_with(11)
            .says("is not what the run left behind")
            .says("nothing was changed");
        assert_eq!(zone.www(), (vec![address.to_owned()], ttl));
    }
    zone.end();
}

#[test]
fn a_record_that_was_not_there_before_is_not_deleted_and_the_command_is_named() {
    let zone = Zone::start();
    let world = zone.world("new");
    world.run("apply --auto-approve").ends_with(0);
    world
        .run(&format!("revert dns {} --auto-approve", run_of(&world)))
        .ends_with(9)
        .says("drplan deletes no record")
        .says("aws route53 change-resource-record-sets");
    zone.end();
}

#[test]
fn a_run_that_moved_nothing_has_nothing_to_take_back() {
    let world = World::of(
        r#"
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
"#,
    );
    world.run("apply --auto-approve").ends_with(0);
    world
        .run(&format!("revert dns {}", run_of(&world)))
        .ends_with(9)
        .says("changed no DNS record");
}

#[test]
fn a_plan_that_takes_back_says_its_order_and_where_its_run_is_kept() {
    let (zone, bucket) = (Zone::start(), Bucket::start());
    zone.set_at("api", OLD, 60);
    let world = zone.world("www").with(Bucket::KEY.0, Bucket::KEY.1);
    let spec = world.read("main.dr.hcl");
    let record = spec.split("resource \"route53_record\"").last();
    let record = record.expect("a record").replace("www", "api");
    let api = format!("resource \"route53_record\"{record}");
    world.write("main.dr.hcl", &(bucket.recovery("shop") + &spec + &api));
    world.run("apply --auto-approve").ends_with(0);
    let line = format!("revert dns {} --auto-approve", run_of(&world));
    world.run(&line).ends_with(0).says("Taken back");
    let plan = bucket.latest_plan();
    let steps = plan["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 2, "{plan}");
    let edges = plan["edges"].as_array().expect("edges");
    let pairs: Vec<_> = edges.iter().map(|e| (&e["before"], &e["after"])).collect();
    assert_eq!(pairs, [(&0.into(), &1.into())]);
    // Whoever goes on with it opens the bucket from the plan alone.
    let targets = plan["targets"].as_array().expect("targets");
    assert!(targets.iter().any(|t| t["conn"] == "s3.store"), "{plan}");
    zone.end();
}
