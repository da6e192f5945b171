//! The sequences of requests that both stores are asked.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_sdk_s3::types::ChecksumMode;
use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;
use aws_sdk_s3::types::Delete;
use aws_sdk_s3::types::MetadataDirective;
use aws_sdk_s3::types::ObjectIdentifier;
use aws_sdk_s3::types::ObjectLockMode;
use aws_sdk_s3::types::VersioningConfiguration;

use crate::record::Record;

/// The fewest bytes of a part that is not the last.
const PART: usize = 5 * 1024 * 1024;
/// Long before any object was written.
const PAST: i64 = 1_000_000_000;
/// Long after the tests.
const FUTURE: i64 = 4_000_000_000;

/// The name of every sequence; each works in a bucket of that name.
pub(crate) const SEQUENCES: [&str; 12] = [
    "buckets",
    "objects",
    "ranges",
    "read-conditions",
    "write-conditions",
    "versions",
    "suspended",
    "lists",
    "multipart",
    "copies",
    "locks",
    "checksums",
];

/// Asks one sequence.
pub(crate) async fn ask(name: &str, client: &Client, record: &mut Record) {
    if name != "locks" {
        let made = client.create_bucket().bucket(name).send().await;
        record.done("create the bucket", made);
    }
    match name {
        "buckets" => buckets(client, record).await,
        "objects" => objects(client, record).await,
        "ranges" => ranges(client, record).await,
        "read-conditions" => read_conditions(client, record).await,
        "write-conditions" => write_conditions(client, record).await,
        "versions" => versions(client, record).await,
        "suspended" => suspended(client, record).await,
        "lists" => lists(client, record).await,
        "multipart" => multipart(client, record).await,
        "copies" => copies(client, record).await,
        "locks" => locks(client, record).await,
        "checksums" => checksums(client, record).await,
        other => record.lines.push(format!("no such sequence: {other}")),
    }
}

fn text(text: &str) -> ByteStream {
    ByteStream::from(text.as_bytes().to_vec())
}

async fn put(client: &Client, record: &mut Record, bucket: &str, key: &str, content: &str) {
    let put = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(text(content))
        .send()
        .await;
    record.note(&format!("put {key}"), put, |r, put| {
        format!("{} {}", put.e_tag().unwrap_or("-"), r.id(put.version_id()))
    });
}

async fn get(client: &Client, record: &mut Record, bucket: &str, key: &str, version: Option<&str>) {
    let request = client.get_object().bucket(bucket).key(key);
    let got = request
        .set_version_id(version.map(str::to_owned))
        .send()
        .await;
    let got = record.note(&format!("get {key}"), got, |r, got| {
        format!("{} {}", got.e_tag().unwrap_or("-"), r.id(got.version_id()))
    });
    if let Some(got) = got {
        record.body(got.body).await;
    }
}

async fn switch(client: &Client, record: &mut Record, bucket: &str, to: BucketVersioningStatus) {
    let step = format!("versioning {}", to.as_str());
    let wanted = VersioningConfiguration::builder().status(to).build();
    let request = client.put_bucket_versioning().bucket(bucket);
    record.done(&step, request.versioning_configuration(wanted).send().await);
}

async fn buckets(client: &Client, record: &mut Record) {
    let again = client.create_bucket().bucket("buckets").send().await;
    record.done("create it again", again);
    record.done("head", client.head_bucket().bucket("buckets").send().await);
    record.done(
        "head a missing one",
        client.head_bucket().bucket("missing").send().await,
    );
    let location = client.get_bucket_location().bucket("buckets").send().await;
    record.note("location", location, |_, found| {
        found
            .location_constraint()
            .map_or("-", |l| l.as_str())
            .to_owned()
    });
    let versioning = client
        .get_bucket_versioning()
        .bucket("buckets")
        .send()
        .await;
    record.note("versioning", versioning, |_, found| {
        found.status().map_or("-", |s| s.as_str()).to_owned()
    });
    let lock = client
        .get_object_lock_configuration()
        .bucket("buckets")
        .send()
        .await;
    record.done("lock configuration", lock);
    let listed = client.list_buckets().prefix("buck").send().await;
    record.note("list", listed, |_, found| {
        let names = found.buckets().iter().filter_map(|b| b.name());
        names.collect::<Vec<_>>().join(" ")
    });
    put(client, record, "buckets", "k", "x").await;
    record.done(
        "delete while full",
        client.delete_bucket().bucket("buckets").send().await,
    );
    let gone = client
        .delete_object()
        .bucket("buckets")
        .key("k")
        .send()
        .await;
    record.done("empty it", gone);
    record.done(
        "delete",
        client.delete_bucket().bucket("buckets").send().await,
    );
    record.done(
        "delete again",
        client.delete_bucket().bucket("buckets").send().await,
    );
    let list = client.list_objects_v2().bucket("buckets").send().await;
    record.done("list what is gone", list);
}

async fn objects(client: &Client, record: &mut Record) {
    let bucket = "objects";
    get(client, record, bucket, "missing", None).await;
    let head = client
        .head_object()
        .bucket(bucket)
        .key("missing")
        .send()
        .await;
    record.done("head missing", head);
    let put_all = client
        .put_object()
        .bucket(bucket)
        .key("a b/ä+&=?%41")
        .body(text("hello"))
        .content_type("text/plain; charset=utf-8")
        .content_encoding("identity")
        .content_language("en")
        .content_disposition("attachment")
        .cache_control("no-cache")
        .metadata("origin", "a value")
        .send()
        .await;
    record.done("put with everything", put_all);
    let head = client
        .head_object()
        .bucket(bucket)
        .key("a b/ä+&=?%41")
        .send()
        .await;
    record.note("head", head, |_, h| {
        let metadata = h.metadata().and_then(|m| m.get("origin")).cloned();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {metadata:?}",
            h.content_length(),
            h.content_type(),
            h.content_encoding(),
            h.content_language(),
            h.content_disposition(),
            h.cache_control(),
        )
    });
    put(client, record, bucket, "empty", "").await;
    get(client, record, bucket, "empty", None).await;
    put(client, record, bucket, "empty", "not any more").await;
    get(client, record, bucket, "empty", None).await;
    put(client, record, bucket, "folder/", "").await;
    get(client, record, bucket, "folder/", None).await;
    let version = client
        .get_object()
        .bucket(bucket)
        .key("empty")
        .version_id("null")
        .send()
        .await;
    record.done("get the null version", version);
    let other = client
        .get_object()
        .bucket(bucket)
        .key("empty")
        .version_id(ID)
        .send()
        .await;
    record.done("get a version that is not there", other);
    let gone = client
        .delete_object()
        .bucket(bucket)
        .key("empty")
        .send()
        .await;
    record.note("delete", gone, |_, d| {
        format!("{:?} {:?}", d.delete_marker(), d.version_id())
    });
    let again = client
        .delete_object()
        .bucket(bucket)
        .key("empty")
        .send()
        .await;
    record.done("delete what is gone", again);
    let many = Delete::builder()
        .objects(named("folder/", None))
        .objects(named("never-was", None))
        .build();
    if let Ok(many) = many {
        let deleted = client
            .delete_objects()
            .bucket(bucket)
            .delete(many)
            .send()
            .await;
        record.note("delete two", deleted, |_, d| {
            let keys = d.deleted().iter().filter_map(|one| one.key());
            format!(
                "{} / {} errors",
                keys.collect::<Vec<_>>().join(" "),
                d.errors().len()
            )
        });
    }
    let nowhere = client
        .put_object()
        .bucket("missing")
        .key("k")
        .body(text("x"))
        .send()
        .await;
    record.done("put into a missing bucket", nowhere);
}

/// A version that no store has given out.
const ID: &str = "11111111-1111-4111-8111-111111111111";

fn named(key: &str, version: Option<&str>) -> ObjectIdentifier {
    let made = ObjectIdentifier::builder()
        .key(key)
        .set_version_id(version.map(str::to_owned));
    made.build()
        .unwrap_or_else(|e| panic!("a key makes an identifier: {e}"))
}

async fn ranges(client: &Client, record: &mut Record) {
    put(client, record, "ranges", "k", "0123456789").await;
    put(client, record, "ranges", "empty", "").await;
    for (key, range) in [
        ("k", "bytes=0-3"),
        ("k", "bytes=4-"),
        ("k", "bytes=8-99"),
        ("k", "bytes=-3"),
        ("k", "bytes=-99"),
        ("k", "bytes=10-"),
        ("k", "bytes=10-12"),
        ("k", "bytes=-0"),
        ("empty", "bytes=0-0"),
        ("empty", "bytes=-1"),
    ] {
        let got = client
            .get_object()
            .bucket("ranges")
            .key(key)
            .range(range)
            .send()
            .await;
        let got = record.note(&format!("{key} {range}"), got, |_, g| {
            format!("{:?} {:?}", g.content_length(), g.content_range())
        });
        if let Some(got) = got {
            record.body(got.body).await;
        }
    }
    let head = client
        .head_object()
        .bucket("ranges")
        .key("k")
        .range("bytes=2-4")
        .send()
        .await;
    record.note("head a range", head, |_, h| {
        format!("{:?} {:?}", h.content_length(), h.content_range())
    });
}

async fn read_conditions(client: &Client, record: &mut Record) {
    let bucket = "read-conditions";
    put(client, record, bucket, "k", "x").await;
    let (same, other) = ("\"9dd4e461268c8034f5c8564e155c67a6\"", "\"0\"");
    let get = || client.get_object().bucket(bucket).key("k");
    let head = || client.head_object().bucket(bucket).key("k");
    let (past, future) = (DateTime::from_secs(PAST), DateTime::from_secs(FUTURE));
    record.done("if-match same", get().if_match(same).send().await);
    record.done("if-match other", get().if_match(other).send().await);
    record.done("if-none-match same", get().if_none_match(same).send().await);
    record.done(
        "if-none-match other",
        get().if_none_match(other).send().await,
    );
    record.done(
        "if-modified-since past",
        get().if_modified_since(past).send().await,
    );
    record.done(
        "if-unmodified-since past",
        get().if_unmodified_since(past).send().await,
    );
    record.done(
        "if-unmodified-since future",
        get().if_unmodified_since(future).send().await,
    );
    let both = get().if_match(same).if_unmodified_since(past).send().await;
    record.done("if-match same, if-unmodified-since past", both);
    record.done("head if-match other", head().if_match(other).send().await);
    record.done(
        "head if-none-match same",
        head().if_none_match(same).send().await,
    );
}

async fn write_conditions(client: &Client, record: &mut Record) {
    let bucket = "write-conditions";
    let put = |content: &str| {
        client
            .put_object()
            .bucket(bucket)
            .key("k")
            .body(text(content))
    };
    record.done(
        "if-match, nothing there",
        put("a").if_match("\"0\"").send().await,
    );
    record.done("if-none-match *", put("a").if_none_match("*").send().await);
    record.done(
        "if-none-match * again",
        put("b").if_none_match("*").send().await,
    );
    record.done("if-match other", put("b").if_match("\"0\"").send().await);
    let same = "\"0cc175b9c0f1b6a831c399e269772661\"";
    record.done("if-match same", put("b").if_match(same).send().await);
    record.done(
        "if-match the one before",
        put("c").if_match(same).send().await,
    );
    get(client, record, bucket, "k", None).await;
    let gone = client.delete_object().bucket(bucket).key("k").send().await;
    record.done("delete", gone);
    record.done(
        "if-none-match * after the delete",
        put("d").if_none_match("*").send().await,
    );
    switch(client, record, bucket, BucketVersioningStatus::Enabled).await;
    let gone = client.delete_object().bucket(bucket).key("k").send().await;
    record.done("mark as deleted", gone);
    record.done(
        "if-none-match * over a marker",
        put("e").if_none_match("*").send().await,
    );
}

async fn list_versions(client: &Client, record: &mut Record, bucket: &str) {
    let listed = client.list_object_versions().bucket(bucket).send().await;
    record.note("list versions", listed, |r, found| {
        let mut lines = Vec::new();
        for v in found.versions() {
            let id = r.id(v.version_id());
            lines.push(format!(
                "{} {id} {:?}",
                v.key().unwrap_or("-"),
                v.is_latest()
            ));
        }
        for m in found.delete_markers() {
            let id = r.id(m.version_id());
            lines.push(format!(
                "{} {id} {:?} marker",
                m.key().unwrap_or("-"),
                m.is_latest()
            ));
        }
        lines.join(", ")
    });
}

async fn versions(client: &Client, record: &mut Record) {
    let bucket = "versions";
    put(client, record, bucket, "k", "zero").await;
    switch(client, record, bucket, BucketVersioningStatus::Enabled).await;
    get(client, record, bucket, "k", None).await;
    let mut ids = Vec::new();
    for content in ["one", "two"] {
        let put = client
            .put_object()
            .bucket(bucket)
            .key("k")
            .body(text(content))
            .send()
            .await;
        let put = record.note(content, put, |r, put| r.id(put.version_id()));
        ids.extend(put.and_then(|p| p.version_id().map(str::to_owned)));
    }
    get(client, record, bucket, "k", ids.first().map(String::as_str)).await;
    get(client, record, bucket, "k", Some("null")).await;
    get(client, record, bucket, "k", Some(ID)).await;
    let gone = client.delete_object().bucket(bucket).key("k").send().await;
    let marker = record.note("delete", gone, |r, d| {
        format!("{:?} {}", d.delete_marker(), r.id(d.version_id()))
    });
    get(client, record, bucket, "k", None).await;
    let head = client.head_object().bucket(bucket).key("k").send().await;
    record.done("head behind a marker", head);
    let marker = marker.and_then(|d| d.version_id().map(str::to_owned));
    get(client, record, bucket, "k", marker.as_deref()).await;
    list_versions(client, record, bucket).await;
    let list = client.list_objects_v2().bucket(bucket).send().await;
    record.note("list objects", list, |_, l| format!("{:?}", l.key_count()));
    let never = client
        .delete_object()
        .bucket(bucket)
        .key("never")
        .send()
        .await;
    record.note("delete what never was", never, |_, d| {
        format!("{:?}", d.delete_marker())
    });
    let unmark = client
        .delete_object()
        .bucket(bucket)
        .key("k")
        .set_version_id(marker);
    record.note("remove the marker", unmark.send().await, |r, d| {
        format!("{:?} {}", d.delete_marker(), r.id(d.version_id()))
    });
    get(client, record, bucket, "k", None).await;
    let newest = client
        .delete_object()
        .bucket(bucket)
        .key("k")
        .set_version_id(ids.pop());
    record.note("remove the newest", newest.send().await, |r, d| {
        format!("{:?} {}", d.delete_marker(), r.id(d.version_id()))
    });
    get(client, record, bucket, "k", None).await;
    let many = Delete::builder()
        .objects(named("k", ids.first().map(String::as_str)))
        .objects(named("k", Some("null")))
        .objects(named("fresh", None))
        .build();
    if let Ok(many) = many {
        let deleted = client
            .delete_objects()
            .bucket(bucket)
            .delete(many)
            .send()
            .await;
        record.note("delete three", deleted, |r, d| {
            let mut lines = Vec::new();
            for one in d.deleted() {
                let (id, marker) = (r.id(one.version_id()), one.delete_marker());
                let of = r.id(one.delete_marker_version_id());
                lines.push(format!("{} {id} {marker:?} {of}", one.key().unwrap_or("-")));
            }
            lines.sort();
            lines.join(", ")
        });
    }
    list_versions(client, record, bucket).await;
}

async fn suspended(client: &Client, record: &mut Record) {
    let bucket = "suspended";
    switch(client, record, bucket, BucketVersioningStatus::Enabled).await;
    put(client, record, bucket, "k", "one").await;
    switch(client, record, bucket, BucketVersioningStatus::Suspended).await;
    put(client, record, bucket, "k", "two").await;
    put(client, record, bucket, "k", "three").await;
    list_versions(client, record, bucket).await;
    let gone = client.delete_object().bucket(bucket).key("k").send().await;
    record.note("delete", gone, |r, d| {
        format!("{:?} {}", d.delete_marker(), r.id(d.version_id()))
    });
    list_versions(client, record, bucket).await;
    switch(client, record, bucket, BucketVersioningStatus::Enabled).await;
    put(client, record, bucket, "k", "four").await;
    list_versions(client, record, bucket).await;
}

async fn lists(client: &Client, record: &mut Record) {
    let bucket = "lists";
    for key in ["a", "b/1", "b/2", "b/c/3", "ba", "d/4", "e", "e f"] {
        put(client, record, bucket, key, "x").await;
    }
    let list = || client.list_objects_v2().bucket(bucket);
    for (step, request) in [
        ("all", list()),
        ("prefix b", list().prefix("b")),
        ("prefix nothing", list().prefix("zz")),
        ("delimiter", list().delimiter("/")),
        ("prefix and delimiter", list().prefix("b/").delimiter("/")),
        ("another delimiter", list().delimiter("b")),
        ("start after a key", list().start_after("b/2")),
        ("start after no key", list().start_after("b/20")),
        (
            "start after, delimiter",
            list().start_after("b/1").delimiter("/"),
        ),
        (
            "start after a prefix, delimiter",
            list().start_after("b/").delimiter("/"),
        ),
        (
            "start before the prefix",
            list().start_after("a").prefix("d/"),
        ),
        (
            "start behind the prefix",
            list().start_after("e").prefix("d/"),
        ),
        ("two keys", list().max_keys(2)),
        ("no keys", list().max_keys(0)),
        ("more than a page", list().max_keys(5000)),
        ("fewer than none", list().max_keys(-1)),
    ] {
        record.note(step, request.send().await, |_, l| {
            let keys: Vec<_> = l.contents().iter().filter_map(|o| o.key()).collect();
            let folders: Vec<_> = l
                .common_prefixes()
                .iter()
                .filter_map(|p| p.prefix())
                .collect();
            let (max, more, count) = (l.max_keys(), l.is_truncated(), l.key_count());
            format!(
                "{} | {} {max:?} {more:?} {count:?}",
                keys.join(" "),
                folders.join(" ")
            )
        });
    }
    let mut token = None;
    for page in 1..=6 {
        let request = list()
            .delimiter("/")
            .max_keys(2)
            .set_continuation_token(token);
        let found = record.note(&format!("page {page}"), request.send().await, |_, l| {
            let keys: Vec<_> = l.contents().iter().filter_map(|o| o.key()).collect();
            let folders: Vec<_> = l
                .common_prefixes()
                .iter()
                .filter_map(|p| p.prefix())
                .collect();
            format!("{} | {}", keys.join(" "), folders.join(" "))
        });
        token = found.and_then(|l| l.next_continuation_token().map(str::to_owned));
        if token.is_none() {
            break;
        }
    }
    let old = || client.list_objects().bucket(bucket);
    for (step, request) in [
        ("old, all", old()),
        ("old, two", old().max_keys(2)),
        ("old, two with delimiter", old().max_keys(2).delimiter("/")),
        ("old, marker", old().marker("b/2")),
        ("old, marker is a folder", old().marker("b/").delimiter("/")),
    ] {
        record.note(step, request.send().await, |_, l| {
            let keys: Vec<_> = l.contents().iter().filter_map(|o| o.key()).collect();
            let folders: Vec<_> = l
                .common_prefixes()
                .iter()
                .filter_map(|p| p.prefix())
                .collect();
            format!(
                "{} | {} {:?}",
                keys.join(" "),
                folders.join(" "),
                l.next_marker()
            )
        });
    }
    let missing = client.list_objects_v2().bucket("missing").send().await;
    record.done("list a missing bucket", missing);
}

async fn multipart(client: &Client, record: &mut Record) {
    let bucket = "multipart";
    let begun = client
        .create_multipart_upload()
        .bucket(bucket)
        .key("k")
        .content_type("text/plain")
        .metadata("origin", "parts")
        .send()
        .await;
    let begun = record.note("begin", begun, |r, b| r.id(b.upload_id()));
    let id = begun
        .and_then(|b| b.upload_id().map(str::to_owned))
        .unwrap_or_default();
    let part = |number: i32, body: Vec<u8>| {
        let request = client.upload_part().bucket(bucket).key("k").upload_id(&id);
        request.part_number(number).body(ByteStream::from(body))
    };
    let mut tags = Vec::new();
    for (number, body) in [
        (1, vec![b'1'; PART]),
        (2, vec![b'2'; 7]),
        (3, vec![b'3'; 5]),
    ] {
        let sent = part(number, body).send().await;
        let sent = record.note(&format!("part {number}"), sent, |_, p| {
            p.e_tag().unwrap_or("-").to_owned()
        });
        tags.extend(sent.and_then(|p| p.e_tag().map(str::to_owned)));
    }
    record.done("part 2 again", part(2, vec![b'x'; 9]).send().await);
    record.done("part 0", part(0, vec![b'x'; 9]).send().await);
    record.done("part 10001", part(10_001, vec![b'x'; 9]).send().await);
    let nowhere = client
        .upload_part()
        .bucket(bucket)
        .key("k")
        .upload_id("nonsense");
    let nowhere = nowhere.part_number(1).body(text("x")).send().await;
    record.done("part of no upload", nowhere);
    let parts = client
        .list_parts()
        .bucket(bucket)
        .key("k")
        .upload_id(&id)
        .send()
        .await;
    record.note("list parts", parts, |_, l| {
        let parts = l.parts().iter();
        let shown = parts.map(|p| format!("{:?} {:?}", p.part_number(), p.size()));
        shown.collect::<Vec<_>>().join(", ")
    });
    let uploads = client
        .list_multipart_uploads()
        .bucket(bucket)
        .prefix("k")
        .send()
        .await;
    record.note("list uploads", uploads, |r, l| {
        let mut lines = Vec::new();
        for upload in l.uploads() {
            lines.push(format!(
                "{} {}",
                upload.key().unwrap_or("-"),
                r.id(upload.upload_id())
            ));
        }
        lines.join(", ")
    });
    get(client, record, bucket, "k", None).await;
    let tag = |n: usize| tags.get(n).cloned().unwrap_or_default();
    let two = "8f14e45fceea167a5a36dedd4bea2543".to_owned();
    let complete = |named: Vec<(i32, String)>| {
        let parts = named.into_iter().map(|(number, tag)| {
            CompletedPart::builder()
                .part_number(number)
                .e_tag(tag)
                .build()
        });
        let all = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.collect()))
            .build();
        let request = client
            .complete_multipart_upload()
            .bucket(bucket)
            .key("k")
            .upload_id(&id);
        request.multipart_upload(all)
    };
    record.done(
        "complete out of order",
        complete(vec![(3, tag(2)), (1, tag(0))]).send().await,
    );
    record.done(
        "complete with a wrong tag",
        complete(vec![(1, two)]).send().await,
    );
    record.done(
        "complete with a missing part",
        complete(vec![(9, tag(0))]).send().await,
    );
    let small = complete(vec![
        (2, "\"a2c0c1bd8bb48b4a0c9aa4f7e2b0a3b5\"".into()),
        (3, tag(2)),
    ]);
    record.done("complete with a stale tag", small.send().await);
    record.done("complete with nothing", complete(Vec::new()).send().await);
    let whole = complete(vec![(1, tag(0)), (3, tag(2))]).send().await;
    record.note("complete", whole, |_, c| {
        c.e_tag().unwrap_or("-").to_owned()
    });
    let head = client.head_object().bucket(bucket).key("k").send().await;
    record.note("head", head, |_, h| {
        format!(
            "{:?} {:?} {:?}",
            h.content_length(),
            h.content_type(),
            h.metadata()
        )
    });
    let second = client
        .head_object()
        .bucket(bucket)
        .key("k")
        .part_number(2)
        .send()
        .await;
    record.note("head part 2", second, |_, h| {
        format!("{:?} {:?}", h.content_length(), h.parts_count())
    });
    record.done("complete again", complete(vec![(1, tag(0))]).send().await);
    let abort = || {
        client
            .abort_multipart_upload()
            .bucket(bucket)
            .key("k")
            .upload_id(&id)
    };
    record.done("abort what is complete", abort().send().await);
    let second = client
        .create_multipart_upload()
        .bucket(bucket)
        .key("gone")
        .send()
        .await;
    let second = record.done("begin another", second);
    let second = second
        .and_then(|b| b.upload_id().map(str::to_owned))
        .unwrap_or_default();
    let abort = || {
        client
            .abort_multipart_upload()
            .bucket(bucket)
            .key("gone")
            .upload_id(&second)
    };
    record.done("abort", abort().send().await);
    record.done("abort again", abort().send().await);
    let parts = client
        .list_parts()
        .bucket(bucket)
        .key("gone")
        .upload_id(&second)
        .send()
        .await;
    record.done("list parts of what is aborted", parts);
}

async fn copies(client: &Client, record: &mut Record) {
    let bucket = "copies";
    let origin = client
        .put_object()
        .bucket(bucket)
        .key("from")
        .body(text("x"))
        .content_type("text/plain")
        .metadata("origin", "first")
        .send()
        .await;
    record.done("put", origin);
    let copy = |from: &str, to: &str| {
        client
            .copy_object()
            .bucket(bucket)
            .key(to)
            .copy_source(format!("{bucket}/{from}"))
    };
    let same = "\"9dd4e461268c8034f5c8564e155c67a6\"";
    record.note("copy", copy("from", "to").send().await, |_, c| {
        c.copy_object_result()
            .and_then(|r| r.e_tag())
            .unwrap_or("-")
            .to_owned()
    });
    let replaced = copy("from", "replaced")
        .metadata_directive(MetadataDirective::Replace)
        .metadata("origin", "second")
        .content_type("text/css");
    record.done("copy with other metadata", replaced.send().await);
    for key in ["to", "replaced"] {
        let head = client.head_object().bucket(bucket).key(key).send().await;
        record.note(&format!("head {key}"), head, |_, h| {
            format!("{:?} {:?}", h.content_type(), h.metadata())
        });
    }
    record.done("copy to itself", copy("from", "from").send().await);
    let itself = copy("from", "from").metadata_directive(MetadataDirective::Replace);
    record.done("copy to itself with other metadata", itself.send().await);
    record.done("copy what is missing", copy("missing", "x").send().await);
    let elsewhere = client
        .copy_object()
        .bucket(bucket)
        .key("x")
        .copy_source("missing/k");
    record.done("copy from a missing bucket", elsewhere.send().await);
    let unless = copy("from", "x")
        .copy_source_if_none_match(same)
        .send()
        .await;
    record.done("copy if none match", unless);
    let when = copy("from", "x").copy_source_if_match("\"0\"").send().await;
    record.done("copy if match other", when);
    let when = copy("from", "x").copy_source_if_match(same).send().await;
    record.done("copy if match same", when);
    let begun = client
        .create_multipart_upload()
        .bucket(bucket)
        .key("big")
        .send()
        .await;
    let begun = record.done("begin", begun);
    let id = begun
        .and_then(|b| b.upload_id().map(str::to_owned))
        .unwrap_or_default();
    let part = client
        .upload_part_copy()
        .bucket(bucket)
        .key("big")
        .upload_id(&id);
    let part = part
        .part_number(1)
        .copy_source(format!("{bucket}/from"))
        .send()
        .await;
    record.note("copy into a part", part, |_, p| {
        p.copy_part_result()
            .and_then(|r| r.e_tag())
            .unwrap_or("-")
            .to_owned()
    });
}

async fn locks(client: &Client, record: &mut Record) {
    let bucket = "locks";
    let made = client
        .create_bucket()
        .bucket(bucket)
        .object_lock_enabled_for_bucket(true);
    record.done("create the bucket", made.send().await);
    let versioning = client.get_bucket_versioning().bucket(bucket).send().await;
    record.note("versioning", versioning, |_, v| {
        v.status().map_or("-", |s| s.as_str()).to_owned()
    });
    switch(client, record, bucket, BucketVersioningStatus::Suspended).await;
    let kept = client
        .get_object_lock_configuration()
        .bucket(bucket)
        .send()
        .await;
    record.note("configuration", kept, |_, c| {
        let found = c.object_lock_configuration();
        let enabled = found.and_then(|c| c.object_lock_enabled());
        format!(
            "{:?} {:?}",
            enabled.map(|e| e.as_str()),
            found.and_then(|c| c.rule()).is_some()
        )
    });
    let put = client
        .put_object()
        .bucket(bucket)
        .key("k")
        .body(text("x"))
        .object_lock_mode(ObjectLockMode::Governance)
        .object_lock_retain_until_date(DateTime::from_secs(FUTURE))
        .send()
        .await;
    let put = record.note("put under retention", put, |r, p| r.id(p.version_id()));
    let id = put.and_then(|p| p.version_id().map(str::to_owned));
    let past = client
        .put_object()
        .bucket(bucket)
        .key("past")
        .body(text("x"))
        .object_lock_mode(ObjectLockMode::Governance)
        .object_lock_retain_until_date(DateTime::from_secs(PAST));
    record.done("put under retention that is over", past.send().await);
    let remove = || {
        client
            .delete_object()
            .bucket(bucket)
            .key("k")
            .set_version_id(id.clone())
    };
    record.done("remove the version", remove().send().await);
    let kept = client
        .get_object_retention()
        .bucket(bucket)
        .key("k")
        .send()
        .await;
    record.note("retention", kept, |_, r| {
        let found = r.retention();
        let mode = found.and_then(|r| r.mode()).map(|m| m.as_str().to_owned());
        format!(
            "{mode:?} {:?}",
            found.and_then(|r| r.retain_until_date()).map(|d| d.secs())
        )
    });
    record.done(
        "delete the key",
        client.delete_object().bucket(bucket).key("k").send().await,
    );
    let bypass = remove().bypass_governance_retention(true).send().await;
    record.done("remove with bypass", bypass);
    self::put(client, record, bucket, "free", "x").await;
    let none = client
        .get_object_retention()
        .bucket(bucket)
        .key("free")
        .send()
        .await;
    record.done("retention of what has none", none);
    let held = client
        .get_object_legal_hold()
        .bucket(bucket)
        .key("free")
        .send()
        .await;
    record.done("hold of what has none", held);
    let unlocked = client
        .put_object()
        .bucket("objects")
        .key("k")
        .body(text("x"))
        .object_lock_mode(ObjectLockMode::Governance)
        .object_lock_retain_until_date(DateTime::from_secs(FUTURE));
    record.done("retention in a bucket without lock", unlocked.send().await);
}

async fn checksums(client: &Client, record: &mut Record) {
    let bucket = "checksums";
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let key = algorithm.as_str().to_owned();
        let put = client
            .put_object()
            .bucket(bucket)
            .key(&key)
            .body(text("123456789"));
        record.done(&key, put.checksum_algorithm(algorithm).send().await);
        let head = client.head_object().bucket(bucket).key(&key);
        let head = head.checksum_mode(ChecksumMode::Enabled).send().await;
        record.note("head", head, |_, h| {
            let sums = [
                h.checksum_crc32(),
                h.checksum_crc32_c(),
                h.checksum_crc64_nvme(),
                h.checksum_sha1(),
                h.checksum_sha256(),
            ];
            let shown: Vec<&str> = sums.into_iter().flatten().collect();
            format!(
                "{} {:?}",
                shown.join(" "),
                h.checksum_type().map(|t| t.as_str())
            )
        });
    }
    let put = || {
        client
            .put_object()
            .bucket(bucket)
            .key("wrong")
            .body(text("x"))
    };
    record.done(
        "a wrong checksum",
        put().checksum_crc32("AAAAAA==").send().await,
    );
    let md5 = put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await;
    record.done("a wrong MD5", md5);
    let right = put().content_md5("ndTkYSaMgDT1yFZOFVxnpg==").send().await;
    record.done("a right MD5", right);
    for kind in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha256] {
        let key = format!("parts-{}", kind.as_str());
        let begun = client.create_multipart_upload().bucket(bucket).key(&key);
        let begun = record.done(&key, begun.checksum_algorithm(kind.clone()).send().await);
        let id = begun
            .and_then(|b| b.upload_id().map(str::to_owned))
            .unwrap_or_default();
        let part = client.upload_part().bucket(bucket).key(&key).upload_id(&id);
        let part = part
            .part_number(1)
            .body(text("123456789"))
            .checksum_algorithm(kind);
        let Some(part) = record.done("part", part.send().await) else {
            continue;
        };
        let named = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag().map(str::to_owned))
            .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
            .set_checksum_sha256(part.checksum_sha256().map(str::to_owned));
        let all = CompletedMultipartUpload::builder()
            .parts(named.build())
            .build();
        let done = client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(&key)
            .upload_id(&id);
        record.note(
            "complete",
            done.multipart_upload(all).send().await,
            |_, c| {
                let sums = [c.checksum_crc32(), c.checksum_sha256()];
                let shown: Vec<&str> = sums.into_iter().flatten().collect();
                format!(
                    "{} {:?}",
                    shown.join(" "),
                    c.checksum_type().map(|t| t.as_str())
                )
            },
        );
    }
}
