//! AWS's own client against the store, in process and under paused time.

#![expect(clippy::disallowed_methods, reason = "tests make and spoil folders")]

#[path = "client/mod.rs"]
mod client;

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_sdk_s3::types::ChecksumMode;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;
use aws_sdk_s3::types::ObjectLockMode;
use aws_sdk_s3::types::VersioningConfiguration;
use client::Uploads;
use client::in_process;
use client::outcome;
use client::uploading;
use drplan_api::Clock;
use drplan_sandbox_s3::AccessKey;
use drplan_sandbox_s3::Options;
use drplan_sandbox_s3::Put;
use drplan_sandbox_s3::Refusal;
use drplan_sandbox_s3::Rights;
use drplan_sandbox_s3::Store;
use drplan_sandbox_s3::StoreError;

type Tested<T = ()> = Result<T, Box<dyn Error>>;

const SECRET: &str = "a-secret/with+signs";
const PART: usize = 5 * 1024 * 1024;

fn options() -> Options {
    let only = |name: &str| BTreeSet::from([name.to_owned()]);
    let scoped = Rights::Buckets {
        read: only("shop"),
        write: only("copies"),
    };
    let start = "2026-01-05T03:00:00Z".parse().unwrap_or_default();
    Options {
        clock: Clock::starting_at(start),
        region: "eu-west-1".to_owned(),
        seed: 7,
        keys: vec![
            AccessKey::new("AKIDALL", SECRET, Rights::All),
            AccessKey::new("AKIDREADER", SECRET, Rights::ReadOnly),
            AccessKey::new("AKIDSCOPED", SECRET, scoped),
        ],
    }
}

async fn world() -> Tested<(Store, Client)> {
    let store = Store::in_memory(options());
    let client = in_process(&store, "AKIDALL", SECRET);
    client
        .create_bucket()
        .bucket("shop")
        .send()
        .await
        .map_err(Box::new)?;
    Ok((store, client))
}

async fn put(client: &Client, key: &str, text: &str) -> Tested<Option<String>> {
    let body = ByteStream::from(text.as_bytes().to_vec());
    let put = client
        .put_object()
        .bucket("shop")
        .key(key)
        .body(body)
        .send()
        .await?;
    Ok(put.version_id().map(str::to_owned))
}

async fn get(client: &Client, key: &str) -> Tested<String> {
    let got = client.get_object().bucket("shop").key(key).send().await?;
    Ok(String::from_utf8(got.body.collect().await?.to_vec())?)
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_by_both_doors_and_carries_the_stores_time() -> Tested {
    let (store, client) = world().await?;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let body = ByteStream::from_static(b"hello");
    client
        .put_object()
        .bucket("shop")
        .key("a/b c/ä")
        .body(body)
        .content_type("text/plain")
        .metadata("Origin", "here")
        .send()
        .await?;
    assert_eq!(store.get("shop", "a/b c/ä")?, "hello");
    store.put(
        "shop",
        "direct",
        Put {
            bytes: "there".into(),
            ..Put::default()
        },
    )?;
    assert_eq!(get(&client, "direct").await?, "there");
    let head = client
        .head_object()
        .bucket("shop")
        .key("a/b c/ä")
        .send()
        .await?;
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(head.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(
        head.metadata()
            .and_then(|m| m.get("origin"))
            .map(String::as_str),
        Some("here")
    );
    let modified = head.last_modified().map(|at| at.secs()).unwrap_or_default();
    assert_eq!(
        modified,
        "2026-01-05T04:00:00Z"
            .parse::<jiff::Timestamp>()?
            .as_second()
    );
    let keys: Vec<String> = store.list("shop", "")?.into_iter().map(|o| o.key).collect();
    assert_eq!(keys, ["a/b c/ä", "direct"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn checksums_travel_in_headers_and_trailers_and_a_wrong_one_is_refused() -> Tested {
    let (_, client) = world().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("object");
    std::fs::write(&file, vec![b'x'; 200_000])?;
    // A streaming body makes the client send chunks with the checksum behind them.
    let streamed = client
        .put_object()
        .bucket("shop")
        .key("streamed")
        .body(ByteStream::from_path(&file).await?)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await?;
    assert!(streamed.checksum_sha256().is_some());
    let got = client
        .get_object()
        .bucket("shop")
        .key("streamed")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await?;
    assert_eq!(got.checksum_sha256(), streamed.checksum_sha256());
    assert_eq!(got.body.collect().await?.into_bytes().len(), 200_000);
    let wrong = client
        .put_object()
        .bucket("shop")
        .key("wrong")
        .body(ByteStream::from_static(b"x"))
        .checksum_crc32("AAAAAA==")
        .send()
        .await;
    assert_eq!(outcome(&wrong), "400 BadDigest");
    let absent = client
        .head_object()
        .bucket("shop")
        .key("wrong")
        .send()
        .await;
    assert_eq!(outcome(&absent), "404 NotFound");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn versions_are_kept_marked_and_removed() -> Tested {
    let (_, client) = world().await?;
    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    let put_versioning = client.put_bucket_versioning().bucket("shop");
    put_versioning
        .versioning_configuration(enabled)
        .send()
        .await?;
    let first = put(&client, "k", "one").await?.ok_or("a version")?;
    let second = put(&client, "k", "two").await?.ok_or("a version")?;
    assert_ne!(first, second);
    let deleted = client
        .delete_object()
        .bucket("shop")
        .key("k")
        .send()
        .await?;
    assert_eq!(deleted.delete_marker(), Some(true));
    assert!(get(&client, "k").await.is_err());
    let old = client
        .get_object()
        .bucket("shop")
        .key("k")
        .version_id(&first)
        .send()
        .await?;
    assert_eq!(old.body.collect().await?.to_vec(), b"one");
    let listed = client.list_object_versions().bucket("shop").send().await?;
    let versions: Vec<_> = listed
        .versions()
        .iter()
        .filter_map(|v| v.version_id())
        .collect();
    assert_eq!(versions, [second.as_str(), first.as_str()]);
    assert_eq!(listed.delete_markers().len(), 1);
    let marker = deleted.version_id().ok_or("a version")?;
    client
        .delete_object()
        .bucket("shop")
        .key("k")
        .version_id(marker)
        .send()
        .await?;
    assert_eq!(get(&client, "k").await?, "two");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_multipart_upload_becomes_one_object_with_readable_parts() -> Tested {
    let (_, client) = world().await?;
    let begun = client
        .create_multipart_upload()
        .bucket("shop")
        .key("big")
        .send()
        .await?;
    let id = begun.upload_id().ok_or("an upload")?;
    let mut parts = CompletedMultipartUpload::builder();
    for (number, size) in [(1, PART), (2, 10)] {
        let body = ByteStream::from(vec![b'0' + u8::try_from(number)?; size]);
        let request = client.upload_part().bucket("shop").key("big").upload_id(id);
        let part = request.part_number(number).body(body).send().await?;
        let named = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag().map(str::to_owned))
            .set_checksum_crc32(part.checksum_crc32().map(str::to_owned));
        parts = parts.parts(named.build());
    }
    let listed = client
        .list_parts()
        .bucket("shop")
        .key("big")
        .upload_id(id)
        .send()
        .await?;
    assert_eq!(listed.parts().len(), 2);
    let complete = || {
        let request = client.complete_multipart_upload().bucket("shop").key("big");
        request
            .upload_id(id)
            .multipart_upload(parts.clone().build())
    };
    let done = complete().if_none_match("*").send().await?;
    assert!(done.e_tag().is_some_and(|tag| tag.ends_with("-2\"")));
    assert_eq!(outcome(&complete().send().await), "404 NoSuchUpload");
    let second = client
        .get_object()
        .bucket("shop")
        .key("big")
        .part_number(2)
        .send()
        .await?;
    assert_eq!(second.parts_count(), Some(2));
    assert_eq!(second.body.collect().await?.to_vec(), b"2222222222");
    let uploads = client
        .list_multipart_uploads()
        .bucket("shop")
        .send()
        .await?;
    assert!(uploads.uploads().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn rights_and_signatures_are_checked() -> Tested {
    let (store, client) = world().await?;
    store.create_bucket("copies")?;
    put(&client, "k", "one").await?;
    let reader = in_process(&store, "AKIDREADER", SECRET);
    assert_eq!(get(&reader, "k").await?, "one");
    let denied = reader.put_object().bucket("shop").key("k").send().await;
    assert_eq!(outcome(&denied), "403 AccessDenied");
    let stranger = in_process(&store, "AKIDNOBODY", SECRET);
    let unknown = stranger.list_buckets().send().await;
    assert_eq!(outcome(&unknown), "403 InvalidAccessKeyId");
    let forger = in_process(&store, "AKIDALL", "guessed");
    let forged = forger.get_object().bucket("shop").key("k").send().await;
    assert_eq!(outcome(&forged), "403 SignatureDoesNotMatch");
    let scoped = in_process(&store, "AKIDSCOPED", SECRET);
    let copied = scoped
        .copy_object()
        .bucket("copies")
        .key("k")
        .copy_source("shop/k")
        .send()
        .await;
    assert_eq!(outcome(&copied), "ok");
    let back = scoped
        .copy_object()
        .bucket("copies")
        .key("j")
        .copy_source("copies/k")
        .send()
        .await;
    assert_eq!(outcome(&back), "403 AccessDenied");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_locked_version_stays_until_its_time_has_come() -> Tested {
    let (store, client) = world().await?;
    let locked = client
        .create_bucket()
        .bucket("locked")
        .object_lock_enabled_for_bucket(true);
    locked.send().await?;
    let until = "2026-01-05T04:00:00Z"
        .parse::<jiff::Timestamp>()?
        .as_second();
    let put = client
        .put_object()
        .bucket("locked")
        .key("k")
        .body(ByteStream::from_static(b"x"))
        .object_lock_mode(ObjectLockMode::Compliance)
        .object_lock_retain_until_date(aws_sdk_s3::primitives::DateTime::from_secs(until))
        .send()
        .await?;
    let version = put.version_id().ok_or("a version")?;
    let remove = || {
        client
            .delete_object()
            .bucket("locked")
            .key("k")
            .version_id(version)
    };
    assert_eq!(outcome(&remove().send().await), "403 AccessDenied");
    assert_eq!(
        outcome(&remove().bypass_governance_retention(true).send().await),
        "403 AccessDenied"
    );
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert_eq!(outcome(&remove().send().await), "ok");
    assert!(matches!(
        store.get("locked", "k"),
        Err(Refusal::NoSuchKey { .. })
    ));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_only_read_and_can_be_saved_and_opened_again() -> Tested {
    let folder = tempfile::tempdir()?;
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::create_dir_all(from.join("shop/backups/nightly"))?;
    std::fs::write(from.join("shop/backups/nightly/log"), "text")?;
    let store = Store::open(&from, options())?;
    let client = in_process(&store, "AKIDALL", SECRET);
    assert_eq!(get(&client, "backups/nightly/log").await?, "text");
    put(&client, "backups/nightly/log", "changed").await?;
    let index = "2026-01-04T00:00:00Z".parse()?;
    let dated = Put {
        bytes: "dump".into(),
        modified: Some(index),
        etag: Some("0123456789abcdef0123456789abcdef-2".to_owned()),
        ..Put::default()
    };
    store.put("shop", "dumps/a", dated)?;
    store.create_bucket("empty")?;
    assert_eq!(
        std::fs::read_to_string(from.join("shop/backups/nightly/log"))?,
        "text"
    );
    store.save(&to)?;
    let again = Store::open(&to, options())?;
    assert_eq!(again.buckets(), ["empty", "shop"]);
    assert_eq!(again.list("shop", "")?, store.list("shop", "")?);
    assert_eq!(again.get("shop", "backups/nightly/log")?, "changed");
    std::fs::write(to.join("shop/backups/nightly/log"), "spoiled")?;
    assert!(matches!(
        Store::open(&to, options()),
        Err(StoreError::Object { .. })
    ));
    std::fs::remove_file(to.join("shop/dumps/a"))?;
    std::fs::write(to.join("shop/backups/nightly/log"), "changed")?;
    let missing = Store::open(&to, options()).err().map(|e| e.to_string());
    assert!(
        missing.is_some_and(|text| text.contains("`dumps/a`")),
        "the object is named"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_the_same_answers() -> Tested {
    let run = || async {
        let (_, client) = world().await?;
        let begun = client
            .create_multipart_upload()
            .bucket("shop")
            .key("big")
            .send()
            .await?;
        Tested::Ok(begun.upload_id().map(str::to_owned))
    };
    assert_eq!(run().await?, run().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_in_the_same_process_carries_http() -> Tested {
    let (store, client) = world().await?;
    put(&client, "k", "one").await?;
    let (near, far) = tokio::io::duplex(16 * 1024);
    let served = tokio::spawn(async move { store.serve(far).await });
    let io = hyper_util::rt::TokioIo::new(near);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let driver = tokio::spawn(connection);
    let request = http::Request::get("/shop/k").header("host", "store.invalid");
    let answer = sender
        .send_request(request.body(axum::body::Body::empty())?)
        .await?;
    assert_eq!(answer.status(), 403, "nobody comes in without a signature");
    drop((sender, answer));
    driver.await??;
    served.await??;
    Ok(())
}

#[tokio::test]
async fn it_listens_on_loopback_only() -> Tested {
    let store = Store::in_memory(options());
    let refused = store.listen("0.0.0.0:0".parse()?).await;
    assert!(matches!(refused, Err(StoreError::NotLoopback(_))));
    let listening = store.listen("127.0.0.1:0".parse()?).await?;
    let taken = store.listen(listening.address()).await;
    assert!(matches!(taken, Err(StoreError::Listen { .. })));
    assert!(
        tokio::net::TcpStream::connect(listening.address())
            .await
            .is_ok()
    );
    let address = listening.address();
    drop(listening);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_an_upload_that_breaks_in_the_middle_nothing_is_seen() -> Tested {
    let (store, client) = world().await?;
    let breaking = uploading(&store, "AKIDALL", SECRET, Uploads::Half);
    let put = |client: &Client, text: &'static str| {
        let put = client.put_object().bucket("shop").key("half");
        put.body(ByteStream::from_static(text.as_bytes())).send()
    };
    assert!(put(&breaking, "a text that is cut").await.is_err());
    let found = client.get_object().bucket("shop").key("half").send().await;
    assert_eq!(outcome(&found), "404 NoSuchKey");
    put(&client, "what was there").await?;
    assert!(put(&breaking, "a text that is cut").await.is_err());
    let found = client
        .get_object()
        .bucket("shop")
        .key("half")
        .send()
        .await?;
    assert_eq!(found.body.collect().await?.into_bytes(), "what was there");
    Ok(())
}
