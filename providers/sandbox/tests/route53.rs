//! The strict Route 53 under AWS's own client, on a loopback socket and in process.

#![expect(clippy::disallowed_methods, reason = "a test spoils a file")]

use std::error::Error;
use std::sync::Arc;
use std::sync::Mutex;

use aws_credential_types::Credentials;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::BehaviorVersion;
use aws_sdk_route53::config::Region;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::error::ProvideErrorMetadata;
use aws_sdk_route53::operation::RequestId;
use aws_sdk_route53::types as aws;
use aws_sdk_route53::types::ChangeAction::Create;
use aws_sdk_route53::types::ChangeAction::Delete;
use aws_sdk_route53::types::ChangeAction::Upsert;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::HttpClient;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use drplan_api::Clock;
use drplan_sandbox::route53::Config;
use drplan_sandbox::route53::Convergence;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::Fault;
use drplan_sandbox::route53::Identity;
use drplan_sandbox::route53::Operation;
use drplan_sandbox::route53::Outcome;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox::route53::Rights;
use drplan_sandbox::route53::Route53;
use drplan_sandbox::route53::Running;
use drplan_sandbox::route53::SandboxError;
use jiff::SignedDuration;
use jiff::Timestamp;
use tower::ServiceExt;

type Tested<T = ()> = Result<T, Box<dyn Error>>;

const KEY: &str = "AKIDSANDBOX";
const SECRET: &str = "a-secret/with+signs";

/// One server with the zone `shop.example`, and a client that owns it.
struct World {
    server: Running,
    client: Client,
    zone: String,
}

impl World {
    async fn new() -> Tested<Self> {
        Self::with(Config::new(KEY, SECRET)).await
    }

    async fn with(config: Config) -> Tested<Self> {
        let service = Route53::new(config)?.zone("shop.example")?;
        let zone = service.zone_id("shop.example").ok_or("the zone was made")?;
        let server = service.listen("127.0.0.1:0".parse()?).await?;
        let client = client(&server, Credentials::from_keys(KEY, SECRET, None));
        Ok(Self {
            server,
            client,
            zone,
        })
    }

    fn service(&self) -> &Route53 {
        self.server.service()
    }

    async fn change(&self, changes: Vec<(aws::ChangeAction, aws::ResourceRecordSet)>) -> Sent {
        change(&self.client, &self.zone, changes).await
    }

    async fn names(&self) -> Tested<Vec<String>> {
        let listed = self
            .client
            .list_resource_record_sets()
            .hosted_zone_id(&self.zone)
            .send()
            .await?;
        let sets = listed.resource_record_sets();
        Ok(sets
            .iter()
            .map(|set| format!("{} {}", set.name(), set.r#type()))
            .collect())
    }
}

/// The id of an accepted change, or code and message of the refusal.
type Sent = Result<String, (String, String)>;

fn refusal(error: &impl ProvideErrorMetadata) -> (String, String) {
    (
        error.code().unwrap_or_default().to_owned(),
        error.message().unwrap_or_default().to_owned(),
    )
}

async fn change(
    client: &Client,
    zone: &str,
    changes: Vec<(aws::ChangeAction, aws::ResourceRecordSet)>,
) -> Sent {
    let changes = changes.into_iter().map(|(action, set)| {
        let change = aws::Change::builder()
            .action(action)
            .resource_record_set(set);
        change.build().expect("a change has its two parts")
    });
    let batch = aws::ChangeBatch::builder()
        .comment("tried")
        .set_changes(Some(changes.collect()));
    let batch = batch.build().expect("a batch has its changes");
    let sent = client
        .change_resource_record_sets()
        .hosted_zone_id(zone)
        .change_batch(batch)
        .send()
        .await;
    match sent {
        Ok(answer) => {
            let info = answer.change_info().expect("an accepted change has an id");
            assert_eq!(info.status(), &aws::ChangeStatus::Pending);
            Ok(info.id().to_owned())
        }
        Err(error) => Err(refusal(&error)),
    }
}

fn client(server: &Running, credentials: Credentials) -> Client {
    let config = config(credentials)
        .endpoint_url(server.url())
        .http_client(Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn config(credentials: Credentials) -> aws_sdk_route53::config::Builder {
    aws_sdk_route53::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
}

fn set(name: &str, rtype: aws::RrType, ttl_s: i64, values: &[&str]) -> aws::ResourceRecordSet {
    plain(name, rtype, ttl_s, values)
        .build()
        .expect("name and type are given")
}

fn plain(
    name: &str,
    rtype: aws::RrType,
    ttl_s: i64,
    values: &[&str],
) -> aws::builders::ResourceRecordSetBuilder {
    let records = values.iter().map(|value| {
        aws::ResourceRecord::builder()
            .value(*value)
            .build()
            .expect("the value is given")
    });
    aws::ResourceRecordSet::builder()
        .name(name)
        .r#type(rtype)
        .ttl(ttl_s)
        .set_resource_records(Some(records.collect()))
}

fn a(name: &str, value: &str) -> aws::ResourceRecordSet {
    set(name, aws::RrType::A, 60, &[value])
}

fn batch_refusal(message: &str) -> Sent {
    Err(("InvalidChangeBatch".to_owned(), format!("[{message}]")))
}

#[tokio::test]
async fn a_record_is_created_listed_swapped_and_reported_in_sync() -> Tested {
    let world = World::new().await?;
    world
        .change(vec![(Create, a("www.shop.example", "10.0.1.4"))])
        .await
        .map_err(|e| e.0)?;

    let swap = vec![
        (Delete, a("WWW.shop.example.", "10.0.1.4")),
        (Create, a("www.shop.example", "10.8.1.4")),
    ];
    let id = world.change(swap).await.map_err(|e| e.0)?;

    let mut statuses = Vec::new();
    for _ in 0..2 {
        let answer = world.client.get_change().id(&id).send().await?;
        statuses.push(
            answer
                .change_info()
                .ok_or("the change is known")?
                .status()
                .clone(),
        );
    }
    assert_eq!(
        statuses,
        [aws::ChangeStatus::Pending, aws::ChangeStatus::Insync]
    );
    let listed = world
        .client
        .list_resource_record_sets()
        .hosted_zone_id(&world.zone)
        .send()
        .await?;
    assert_eq!(
        listed.resource_record_sets().last(),
        Some(&a("www.shop.example.", "10.8.1.4")),
    );
    assert_eq!(
        world
            .service()
            .count(Operation::ChangeResourceRecordSets, Outcome::Done),
        2
    );
    world.server.end().await;
    Ok(())
}

#[tokio::test]
async fn a_swap_of_a_stale_value_is_refused_and_nothing_changes() -> Tested {
    let world = World::new().await?;
    let record = |ttl_s, values: &[&str]| set("www.shop.example", aws::RrType::A, ttl_s, values);
    let kept = record(60, &["10.0.0.1", "10.0.0.2"]);
    world.change(vec![(Create, kept)]).await.map_err(|e| e.0)?;
    let before = world.service().record_sets(&world.zone);
    let message = "Tried to delete resource record set [name='www.shop.example.', type='A'] but \
                   the values provided do not match the current values";
    for stale in [
        record(60, &["10.0.0.1"]),
        record(60, &["10.0.0.1", "10.0.0.3"]),
        record(61, &["10.0.0.1", "10.0.0.2"]),
    ] {
        let swap = vec![(Delete, stale), (Create, a("www.shop.example", "10.9.9.9"))];
        assert_eq!(world.change(swap).await, batch_refusal(message));
    }
    assert_eq!(world.service().record_sets(&world.zone), before);

    let reordered = record(60, &["10.0.0.2", "10.0.0.1"]);
    world
        .change(vec![(Delete, reordered)])
        .await
        .map_err(|e| e.0)?;
    Ok(())
}

#[tokio::test]
async fn one_bad_change_undoes_the_whole_batch() -> Tested {
    let world = World::new().await?;
    world
        .change(vec![(Create, a("old.shop.example", "10.0.0.1"))])
        .await
        .map_err(|e| e.0)?;
    let before = world.service().record_sets(&world.zone);
    let sent = world
        .change(vec![
            (Create, a("new.shop.example", "10.0.0.2")),
            (Delete, a("old.shop.example", "10.0.0.1")),
            (Upsert, a("up.shop.example", "10.0.0.3")),
            (Delete, a("absent.shop.example", "10.0.0.4")),
        ])
        .await;
    let message = "Tried to delete resource record set [name='absent.shop.example.', type='A'] \
                   but it was not found";
    assert_eq!(sent, batch_refusal(message));
    assert_eq!(world.service().record_sets(&world.zone), before);
    Ok(())
}

#[tokio::test]
async fn what_route_53_refuses_is_refused_in_its_words() -> Tested {
    let world = World::new().await?;
    let cname = |name: &str| set(name, aws::RrType::Cname, 60, &["else.example"]);
    world
        .change(vec![(Create, a("www.shop.example", "10.0.0.1"))])
        .await
        .map_err(|e| e.0)?;
    for (changes, message) in [
        (
            vec![(Create, a("www.shop.example", "10.0.0.2"))],
            "Tried to create resource record set [name='www.shop.example.', type='A'] but it \
             already exists",
        ),
        (
            vec![(Create, cname("www.shop.example"))],
            "RRSet of type CNAME with DNS name www.shop.example. is not permitted as it conflicts \
             with other records with the same DNS name in zone shop.example.",
        ),
        (
            vec![(Create, cname("shop.example"))],
            "RRSet of type CNAME with DNS name shop.example. is not permitted at apex in zone \
             shop.example.",
        ),
        (
            vec![(Create, a("www.other.example", "10.0.0.1"))],
            "RRSet with DNS name www.other.example. is not permitted in zone shop.example.",
        ),
        (
            vec![(Create, a("x.shop.example", "10.0.0.256"))],
            "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a \
             valid IPv4 address) encountered with '10.0.0.256''",
        ),
        (
            vec![(
                Create,
                set("x.shop.example", aws::RrType::Aaaa, 60, &["10.0.0.1"]),
            )],
            "Invalid Resource Record: 'FATAL problem: AAAARRDATAIllegalIPv6Address (Value is not \
             a valid IPv6 address) encountered with '10.0.0.1''",
        ),
        (
            vec![(
                Create,
                set(
                    "x.shop.example",
                    aws::RrType::A,
                    2_147_483_648,
                    &["10.0.0.1"],
                ),
            )],
            "Invalid TTL: 2147483648 is not between 0 and 2147483647",
        ),
        (
            vec![
                (Create, a("x.shop.example", "10.0.0.1")),
                (Delete, a("x.shop.example", "10.0.0.1")),
            ],
            "The request contains an invalid set of changes for a resource record set 'DELETE A \
             x.shop.example.'",
        ),
    ] {
        assert_eq!(world.change(changes).await, batch_refusal(message));
    }
    let bare = aws::ResourceRecordSet::builder()
        .name("x.shop.example")
        .r#type(aws::RrType::A);
    let sent = world.change(vec![(Create, bare.build()?)]).await;
    assert_eq!(
        sent.map_err(|(code, _)| code),
        Err("InvalidInput".to_owned())
    );

    let replaced = vec![
        (Delete, a("www.shop.example", "10.0.0.1")),
        (Create, cname("www.shop.example")),
    ];
    world.change(replaced).await.map_err(|e| e.1)?;
    Ok(())
}

#[tokio::test]
async fn weighted_failover_and_alias_sets_are_kept_and_told_apart() -> Tested {
    let world = World::new().await?;
    let weighted = |identifier: &str, weight, value: &str| {
        let set = plain("w.shop.example.", aws::RrType::A, 60, &[value]);
        set.set_identifier(identifier).weight(weight).build()
    };
    let primary = plain("f.shop.example.", aws::RrType::A, 60, &["10.0.0.1"])
        .set_identifier("site-a")
        .failover(aws::ResourceRecordSetFailover::Primary)
        .health_check_id("check-1")
        .build()?;
    let target = aws::AliasTarget::builder()
        .hosted_zone_id("Z35SXDOTRQ7X7K")
        .dns_name("lb.example.")
        .evaluate_target_health(true)
        .build()?;
    let alias = aws::ResourceRecordSet::builder()
        .name(r"\052.shop.example.")
        .r#type(aws::RrType::A)
        .alias_target(target)
        .build()?;
    let sets = [
        alias,
        primary,
        weighted("blue", 0, "10.0.0.1")?,
        weighted("green", 255, "10.0.0.2")?,
    ];
    world
        .change(sets.iter().map(|set| (Create, set.clone())).collect())
        .await
        .map_err(|e| e.1)?;

    let listed = world
        .client
        .list_resource_record_sets()
        .hosted_zone_id(&world.zone)
        .send()
        .await?;
    assert_eq!(listed.resource_record_sets()[2..], sets);

    let sent = world
        .change(vec![(Delete, weighted("blue", 1, "10.0.0.1")?)])
        .await;
    let message = "Tried to delete resource record set [name='w.shop.example.', type='A', set \
                   identifier='blue'] but the values provided do not match the current values";
    assert_eq!(sent, batch_refusal(message));
    let beside = world
        .change(vec![(Create, a("w.shop.example", "10.0.0.3"))])
        .await;
    assert_eq!(
        beside.map_err(|(code, _)| code),
        Err("InvalidChangeBatch".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn pages_follow_each_other_in_order_without_gap_or_overlap() -> Tested {
    let world = World::new().await?;
    let owner = world.service();
    let changes: Vec<_> = (0..700)
        .map(|n| {
            let name = DomainName::parse(&format!("host-{n:03}.shop.example")).expect("a name");
            let set = RecordSet::simple(name, RecordType::A, 60, [format!("10.0.{}.1", n % 200)]);
            drplan_sandbox::route53::Change {
                action: drplan_sandbox::route53::Action::Create,
                set,
            }
        })
        .collect();
    owner.change(&world.zone, &changes)?;

    let (mut names, mut pages) = (Vec::new(), 0);
    let mut next: Option<(String, aws::RrType)> = None;
    while pages < 10 {
        pages += 1;
        let (name, rtype) = next.take().unzip();
        let request = world
            .client
            .list_resource_record_sets()
            .hosted_zone_id(&world.zone);
        let request = request
            .set_start_record_name(name)
            .set_start_record_type(rtype);
        let page = request.max_items(1000).send().await?;
        assert_eq!(page.max_items(), 300);
        names.extend(
            page.resource_record_sets()
                .iter()
                .map(|set| set.name().to_owned()),
        );
        if !page.is_truncated() {
            break;
        }
        next = page.next_record_name.zip(page.next_record_type);
    }
    let all: Vec<_> = owner
        .record_sets(&world.zone)
        .iter()
        .map(|s| s.name.to_string())
        .collect();
    assert_eq!((pages, names), (3, all));
    Ok(())
}

#[tokio::test]
async fn zones_are_listed_by_name_and_made_once_per_reference() -> Tested {
    let world = World::new().await?;
    let make = |name: &str| {
        world
            .client
            .create_hosted_zone()
            .name(name)
            .caller_reference("once")
            .send()
    };
    let made = make("b.shop.example").await?;
    let made = made.hosted_zone().ok_or("the zone was made")?;
    assert_eq!(made.resource_record_set_count(), Some(2));
    let error = make("c.shop.example")
        .await
        .expect_err("the reference is used");
    assert_eq!(refusal(&error).0, "HostedZoneAlreadyExists");

    let first = world
        .client
        .list_hosted_zones_by_name()
        .max_items(1)
        .send()
        .await?;
    assert_eq!(first.hosted_zones()[0].name(), "shop.example.");
    assert_eq!(first.next_dns_name(), Some("b.shop.example."));
    let second = world.client.list_hosted_zones_by_name();
    let second = second.set_dns_name(first.next_dns_name).send().await?;
    assert_eq!(second.hosted_zones()[0].id(), made.id());

    let got = world.client.get_hosted_zone().id(made.id()).send().await?;
    assert_eq!(
        got.delegation_set().map(|d| d.name_servers().len()),
        Some(4)
    );
    assert_eq!(
        world
            .client
            .list_hosted_zones()
            .send()
            .await?
            .hosted_zones()
            .len(),
        2
    );

    let error = world
        .client
        .get_hosted_zone()
        .id("Z9")
        .send()
        .await
        .expect_err("it is unknown");
    assert_eq!(refusal(&error).0, "NoSuchHostedZone");
    assert!(error.request_id().is_some());
    let error = world
        .client
        .get_change()
        .id("C9")
        .send()
        .await
        .expect_err("it is unknown");
    assert_eq!(refusal(&error).0, "NoSuchChange");
    Ok(())
}

#[tokio::test]
async fn only_known_identities_with_the_right_are_served() -> Tested {
    let mut config = Config::new(KEY, SECRET);
    config.identities = vec![
        Identity::new("reader", "AKIDREADER", "read").rights(Rights::Read),
        Identity::new("guest", "AKIDGUEST", "guest").session_token("token"),
    ];
    let world = World::with(config).await?;
    let new = || vec![(Create, a("www.shop.example", "10.0.0.1"))];
    for (key, secret, token, code) in [
        (KEY, "wrong", None, "SignatureDoesNotMatch"),
        ("AKIDNOBODY", SECRET, None, "InvalidClientTokenId"),
        ("AKIDGUEST", "guest", None, "InvalidClientTokenId"),
        ("AKIDREADER", "read", None, "AccessDenied"),
    ] {
        let credentials = Credentials::from_keys(key, secret, token);
        let sent = change(&client(&world.server, credentials), &world.zone, new()).await;
        assert_eq!(
            sent.map_err(|(code, _)| code),
            Err(code.to_owned()),
            "{key}"
        );
    }
    let reader = client(
        &world.server,
        Credentials::from_keys("AKIDREADER", "read", None),
    );
    let listed = reader
        .list_resource_record_sets()
        .hosted_zone_id(&world.zone)
        .send()
        .await?;
    assert_eq!(listed.resource_record_sets().len(), 2);

    let guest = Credentials::from_keys("AKIDGUEST", "guest", Some("token".to_owned()));
    change(&client(&world.server, guest), &world.zone, new())
        .await
        .map_err(|e| e.1)?;
    let last = world.service().log().pop().ok_or("requests are logged")?;
    assert_eq!(
        (last.identity.as_deref(), last.outcome),
        (Some("guest"), Outcome::Done)
    );
    Ok(())
}

#[tokio::test]
async fn a_request_from_another_time_is_refused_and_a_change_converges_by_the_clock() -> Tested {
    let now = Arc::new(Mutex::new(Timestamp::now()));
    let advance = |by: SignedDuration| {
        let mut now = now.lock().expect("no panic while it is held");
        *now = now.checked_add(by).expect("a time that there is");
    };
    let shown = now.clone();
    let mut config = Config::new(KEY, SECRET);
    config.clock = Clock::told_by(move || *shown.lock().expect("no panic while it is held"));
    config.convergence = Convergence::AfterTime(std::time::Duration::from_secs(60));
    let world = World::with(config).await?;
    let id = world
        .change(vec![(Create, a("a.shop.example", "10.0.0.1"))])
        .await
        .map_err(|e| e.1)?;
    for (pass_s, status) in [
        (59, aws::ChangeStatus::Pending),
        (2, aws::ChangeStatus::Insync),
    ] {
        advance(SignedDuration::from_secs(pass_s));
        let answer = world.client.get_change().id(&id).send().await?;
        assert_eq!(
            answer.change_info().map(|info| info.status().clone()),
            Some(status)
        );
    }
    advance(SignedDuration::from_mins(6));
    let error = world
        .client
        .get_change()
        .id(&id)
        .send()
        .await
        .expect_err("it is too old");
    let (code, message) = refusal(&error);
    assert_eq!(code, "SignatureDoesNotMatch");
    assert!(message.starts_with("Signature expired: "), "{message}");
    Ok(())
}

#[tokio::test]
async fn injected_faults_are_met_once_and_a_lost_answer_leaves_its_work() -> Tested {
    let world = World::new().await?;
    let operation = Operation::ChangeResourceRecordSets;
    world.service().inject(operation, Fault::Throttling);
    world.service().inject(operation, Fault::LostAnswer);
    let new = || vec![(Create, a("www.shop.example", "10.0.0.1"))];

    let throttled = world.change(new()).await;
    assert_eq!(
        throttled,
        Err(("Throttling".to_owned(), "Rate exceeded".to_owned()))
    );
    assert_eq!(world.names().await?.len(), 2);

    let lost = world.change(new()).await;
    assert_eq!(lost, Err((String::new(), String::new())));
    assert_eq!(
        world.names().await?.last().map(String::as_str),
        Some("www.shop.example. A")
    );
    assert_eq!(world.service().count(operation, Outcome::AnswerLost), 1);
    assert_eq!(
        world
            .service()
            .count(operation, Outcome::Refused("Throttling")),
        1
    );
    Ok(())
}

#[tokio::test]
async fn zones_and_changes_outlive_the_server_in_their_file() -> Tested {
    let folder = tempfile::tempdir()?;
    let mut config = Config::new(KEY, SECRET);
    config.state_file = Some(folder.path().join("route53.json"));
    let world = World::with(config.clone()).await?;
    let id = world
        .change(vec![(
            Create,
            set("t.shop.example", aws::RrType::Txt, 60, &["\"a & <b>\""]),
        )])
        .await
        .map_err(|e| e.1)?;
    let before = (world.zone.clone(), world.service().record_sets(&world.zone));
    world.server.end().await;

    let again = World::with(config.clone()).await?;
    assert_eq!(
        (again.zone.clone(), again.service().record_sets(&again.zone)),
        before
    );
    again.client.get_change().id(&id).send().await?;

    std::fs::remove_dir_all(folder.path())?;
    let sent = again
        .change(vec![(Create, a("www.shop.example", "10.0.0.1"))])
        .await;
    assert_eq!(
        sent.map_err(|(code, _)| code),
        Err("InternalFailure".to_owned())
    );
    assert_eq!(again.service().record_sets(&again.zone), before.1);
    Ok(())
}

#[test]
fn a_state_file_that_is_no_state_is_refused_by_name() -> Tested {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "{}")?;
    let mut config = Config::new(KEY, SECRET);
    config.state_file = Some(file.path().to_owned());
    assert!(matches!(
        Route53::new(config),
        Err(SandboxError::Load { .. })
    ));
    Ok(())
}

#[tokio::test]
async fn only_loopback_is_listened_on() -> Tested {
    let refused = Route53::new(Config::new(KEY, SECRET))?
        .listen("0.0.0.0:0".parse()?)
        .await;
    assert!(matches!(refused, Err(SandboxError::NotLoopback(_))));
    Ok(())
}

#[test]
fn secrets_do_not_show_in_debug_output() -> Tested {
    let mut config = Config::new(KEY, SECRET);
    config
        .identities
        .push(Identity::new("guest", "AKIDGUEST", SECRET).session_token(SECRET));
    let shown = format!("{config:?} {:?}", Route53::new(config.clone())?);
    assert!(
        shown.contains("AKIDGUEST") && !shown.contains(SECRET),
        "{shown}"
    );
    Ok(())
}

/// AWS's client over the router itself, without a socket.
#[derive(Debug, Clone)]
struct InProcess(Route53);

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let router = self.0.router();
        HttpConnectorFuture::new(async move {
            let request = request
                .try_into_http1x()
                .map_err(|e| ConnectorError::user(e.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.bytes().unwrap_or_default().to_vec();
            let request = http::Request::from_parts(parts, axum::body::Body::from(body));
            let Ok(response) = router.oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20)
                .await
                .map_err(|e| ConnectorError::io(e.into()))?;
            http::Response::from_parts(parts, body.into())
                .try_into()
                .map_err(|e| ConnectorError::other(Box::from(e), None))
        })
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[tokio::test]
async fn the_router_serves_without_a_socket() -> Tested {
    let service = Route53::new(Config::new(KEY, SECRET))?.zone("shop.example")?;
    let zone = service.zone_id("shop.example").ok_or("the zone was made")?;
    let config = config(Credentials::from_keys(KEY, SECRET, None))
        .endpoint_url("http://route53.invalid")
        .http_client(InProcess(service.clone()))
        .build();
    let client = Client::from_conf(config);
    change(
        &client,
        &zone,
        vec![(Upsert, a("*.shop.example", "10.0.0.1"))],
    )
    .await
    .map_err(|e| e.1)?;
    let listed = client
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .start_record_name("*.shop.example")
        .send()
        .await?;
    assert_eq!(
        listed.resource_record_sets(),
        [a(r"\052.shop.example.", "10.0.0.1")]
    );
    assert_eq!(
        service.count(Operation::ChangeResourceRecordSets, Outcome::Done),
        1
    );
    Ok(())
}
