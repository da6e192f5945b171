//! The provider's own kinds against the simulated server and programs, under paused time.

use std::time::Duration;

use crate::world::SHOP;
use crate::world::World;
use drplan_api::Json;
use drplan_api::Planned;
use drplan_api::acting;
use drplan_api::reading;
use drplan_postgres::DumpArchive;
use drplan_postgres::PostgresRestore;
use drplan_sandbox_postgres::Role;
use drplan_testkit::Driver;
use drplan_testkit::Failure;
use drplan_testkit::apply_twice;
use drplan_testkit::crash_at_each_point;
use drplan_testkit::want;
use serde_json::json;

async fn dump(world: &World) -> Json {
    let want = want(
        "data.dump_archive.shop",
        json!({"bucket": "dumps", "prefix": "shop/"}),
    );
    let driver = Driver::new(reading(DumpArchive), want.role("bucket", "s3.site"));
    let looked = driver.conn("s3.site", world.bucket().await).look().await;
    assert!(
        matches!(looked.planned, Planned::Nothing(_)),
        "{:?}",
        looked.planned
    );
    looked.outputs
}

pub(crate) async fn driver(world: &World, more: Json) -> Driver {
    let mut spec = json!({"database": "shop", "dump": dump(world).await});
    if let (Some(spec), Json::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    let want = want("postgres_restore.shop", spec)
        .role("database", "postgres.site")
        .role("bucket", "s3.site");
    let looked_at = world.clone();
    Driver::new(acting(PostgresRestore), want)
        .conn("postgres.site", world.database().await)
        .conn("s3.site", world.bucket().await)
        .process(world.process())
        .fingerprint(move || {
            let found = looked_at.server.database("shop").map(|d| {
                let tables = d.relations.iter();
                let tables = tables.map(|((s, n), r)| json!([s, n, r.rows, r.sha256]));
                json!({"tables": tables.collect::<Vec<_>>(), "indexes": d.indexes})
            });
            let names = looked_at.server.databases();
            Box::pin(async move { json!({"shop": found, "databases": names}) })
        })
}

#[tokio::test(start_paused = true)]
async fn a_database_comes_back_from_a_real_dump_with_its_rows_proven() {
    let world = World::new();
    let began = tokio::time::Instant::now();
    let applied = driver(&world, json!({"owner": "app", "jobs": 3}))
        .await
        .apply()
        .await;
    let proof = format!("{:?}", applied.proof);
    for claim in [
        "`sales.orders` has 300 rows, 300 were restored",
        "`public.people` has 40 rows, 40 were restored",
        "5 of 5 tables are there",
        "4 of 4 constraints are there",
        "1 of 1 valid indexes are there",
    ] {
        assert!(proof.contains(claim), "{claim}: {proof}");
    }
    let shop = world
        .server
        .database("shop")
        .unwrap_or_else(|| panic!("it is there"));
    assert_eq!((shop.owner.as_str(), shop.large_objects), ("app", 1));
    assert!(shop.extensions.contains("pg_trgm"));
    assert!(shop.granted.contains("reader"));
    assert!(
        began.elapsed() > Duration::from_millis(300),
        "restoring takes time"
    );
    assert_eq!(
        world.server.databases(),
        ["postgres", "shop", "template0", "template1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_time_changes_nothing_and_a_crash_anywhere_is_made_good() {
    let make = async || driver(&World::new(), json!({})).await;
    apply_twice(make).await;
    crash_at_each_point(make).await;
}

#[tokio::test(start_paused = true)]
async fn missing_roles_leave_privileges_out_and_a_missing_owner_stops() {
    let world = World::with(|options| options.roles.retain(|role| role.name != "reader"));
    let applied = driver(&world, json!({})).await.apply().await;
    let proof = format!("{:?}", applied.proof);
    assert!(
        proof.contains("privileges, since roles are missing: reader"),
        "{proof}"
    );
    let shop = world.server.database("shop").map(|d| d.granted);
    assert_eq!(shop.map(|granted| granted.len()), Some(0));
    let world = World::new();
    let failed = driver(&world, json!({"owner": "nobody"}))
        .await
        .try_apply()
        .await;
    let failed = format!("{failed:?}");
    assert!(failed.contains("role `nobody`, does not exist"), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn what_the_program_says_reaches_the_person_and_half_of_it_stays() {
    let world = World::with(|options| options.extensions.retain(|name| name != "pg_trgm"));
    let failed = driver(&world, json!({})).await.try_apply().await.err();
    let Some(Failure::Failed(because) | Failure::NeedsAPerson(because)) = failed else {
        panic!("it failed otherwise: {failed:?}");
    };
    assert!(
        because.0.contains("extension \"pg_trgm\" is not available"),
        "{because:?}"
    );
    let staging = world
        .server
        .databases()
        .into_iter()
        .find(|n| n.starts_with("shop_drplan_"));
    let staging = staging.and_then(|name| world.server.database(&name));
    let staging = staging.unwrap_or_else(|| panic!("the staging database stays"));
    assert!(staging.schemas.contains("sales"), "what came before stays");
    assert!(staging.relations.is_empty(), "what comes behind never came");
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_way_is_told_apart_by_the_users_question() {
    let world = World::new();
    world
        .server
        .create_database("shop", "app")
        .unwrap_or_else(|e| panic!("{e}"));
    world
        .server
        .load("shop", SHOP)
        .unwrap_or_else(|e| panic!("{e}"));
    let foreign = driver(&world, json!({})).await.look().await;
    assert!(
        matches!(foreign.planned, Planned::Conflict(..)),
        "{:?}",
        foreign.planned
    );
    let alive = |sql: &str| json!({"alive": {"sql": sql}});
    let question = alive("select count(*) > 299 from sales.orders");
    let looked = driver(&world, question).await.look().await;
    assert!(
        matches!(looked.planned, Planned::Nothing(_)),
        "{:?}",
        looked.planned
    );
    let question = alive("SELECT EXISTS (SELECT 1 FROM sales.missing);");
    let looked = driver(&world, question).await.look().await;
    assert!(
        matches!(looked.planned, Planned::Conflict(..)),
        "{:?}",
        looked.planned
    );
    let question = alive("select max(id) > 3 from sales.orders");
    let looked = driver(&world, question).await.look().await;
    let why = format!("{:?}", looked.planned);
    assert!(
        why.contains("does not know this statement: select max"),
        "{why}"
    );
}

/// Connects to a database of the world with the provider's own driver.
async fn session(world: &World, password: &str, database: &str) -> Session {
    let (near, far) = tokio::io::duplex(1024);
    let server = world.server.clone();
    tokio::spawn(async move { server.serve(far).await });
    let mut config = tokio_postgres::Config::new();
    config.user("postgres").password(password).dbname(database);
    let (client, connection) = config.connect_raw(near, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

type Session = Result<tokio_postgres::Client, tokio_postgres::Error>;

#[tokio::test(start_paused = true)]
async fn a_database_in_use_is_waited_for_and_then_its_users_are_named() {
    let world = World::new();
    let made = world.server.create_database("shop", "app");
    made.unwrap_or_else(|e| panic!("{e}"));
    let holder = session(&world, "s3cret", "shop").await;
    let failed = driver(&world, json!({})).await.try_apply().await;
    let failed = format!("{failed:?}");
    assert!(failed.contains("connected to `shop`: process"), "{failed}");
    drop(holder);
    driver(&world, json!({})).await.apply().await;
    let names = world.server.databases();
    assert!(
        names.iter().any(|name| name.starts_with("shop-aside-")),
        "{names:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_ends_the_sessions_in_it() {
    let world = World::new();
    let made = world.server.create_database("shop", "app");
    made.unwrap_or_else(|e| panic!("{e}"));
    let client = session(&world, "s3cret", "shop")
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let size = "select pg_database_size(current_database())";
    assert!(client.query_one(size, &[]).await.is_ok());
    world.server.lose_database("shop");
    let ended = client.query_one(size, &[]).await.err();
    let code = ended.and_then(|e| e.code().map(|c| c.code().to_owned()));
    assert_eq!(code.as_deref(), Some("57P01"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_transaction_changes_nothing_and_must_be_ended() {
    let world = World::new();
    let client = session(&world, "s3cret", "postgres")
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let create = "create database \"a\" template template0";
    client
        .batch_execute(create)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let rename = "begin;alter database \"a\" rename to \"b\";\
                  alter database \"none\" rename to \"c\";commit";
    let code = |e: tokio_postgres::Error| e.code().map(|c| c.code().to_owned());
    let refused = client.batch_execute(rename).await.err().and_then(code);
    assert_eq!(refused.as_deref(), Some("3D000"));
    assert!(world.server.database("a").is_some(), "nothing was renamed");
    let size = "select pg_database_size(current_database())";
    let refused = client.batch_execute(size).await.err().and_then(code);
    assert_eq!(refused.as_deref(), Some("25P02"));
    client
        .batch_execute("rollback")
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    let refused = client.batch_execute(create).await.err().and_then(code);
    assert_eq!(refused.as_deref(), Some("42P04"));
    let inside = format!("begin;{create};commit");
    let refused = client.batch_execute(&inside).await.err().and_then(code);
    assert_eq!(refused.as_deref(), Some("25001"));
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let world = World::new();
    let everywhere = "0.0.0.0:0".parse().unwrap_or_else(|e| panic!("{e}"));
    assert!(world.server.listen(everywhere).await.is_err());
    let here = "127.0.0.1:0".parse().unwrap_or_else(|e| panic!("{e}"));
    let listening = world
        .server
        .listen(here)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(
        world.server.listen(listening.address()).await.is_err(),
        "the port is taken"
    );
    let mut config = tokio_postgres::Config::new();
    config
        .user("postgres")
        .password("s3cret")
        .host("127.0.0.1")
        .port(listening.address().port());
    let (client, connection) = config
        .connect(tokio_postgres::NoTls)
        .await
        .unwrap_or_else(|e| panic!("{e}"));
    tokio::spawn(connection);
    let roles = client
        .query("select rolname::text from pg_roles order by 1", &[])
        .await;
    assert_eq!(roles.map(|rows| rows.len()).ok(), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_newer_dump_wants_newer_programs_and_a_wrong_password_is_refused() {
    let world = World::with(|options| options.version = (11, 22));
    let failed = driver(&world, json!({})).await.try_apply().await;
    let failed = format!("{failed:?}");
    assert!(failed.contains("the dump has format 1.14-0"), "{failed}");
    let world = World::with(|options| {
        options.roles[0] = Role::superuser("postgres", Some("another"));
    });
    let refused = session(&world, "s3cret", "postgres").await.err();
    let code = refused.and_then(|e| e.code().map(|c| c.code().to_owned()));
    assert_eq!(code.as_deref(), Some("28P01"));
}
