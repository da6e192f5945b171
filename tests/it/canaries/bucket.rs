//! A bucket `shop` that holds one dump and is only read, for whoever comes.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;

/// Where the dump stands.
const KEY: &str = "dumps/shop.dump";
/// When it was uploaded, in both ways of writing it.
const UPLOADED: &str = "2026-11-20T17:00:00Z";
const UPLOADED_IN_A_HEAD: &str = "Fri, 20 Nov 2026 17:00:00 GMT";
/// Its version.
const TAG: &str = "\"00000000000000000000000000000001\"";

/// Starts it, for as long as the tests run, and returns its port.
pub(super) fn start(dump: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let dump = Arc::new(dump);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let dump = Arc::clone(&dump);
            // A client that goes away has nothing to complain about.
            std::thread::spawn(move || answer(stream, &dump).ok());
        }
    });
    port
}

fn answer(mut stream: TcpStream, dump: &[u8]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let asked = lines.next().transpose()?.unwrap_or_default();
    let mut range = None;
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        if line.to_lowercase().starts_with("range:") {
            range = line.split_once("bytes=").map(|(_, range)| range.to_owned());
        }
    }
    let (status, more, body) = if asked.contains("list-type=2") {
        ("200 OK", String::new(), listing(dump.len()).into_bytes())
    } else if asked.contains(KEY) {
        let (status, more, part) = part(dump, range.as_deref());
        (status, more, part.to_vec())
    } else {
        ("200 OK", String::new(), buckets().into_bytes())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if asked.starts_with("HEAD") {
        return Ok(());
    }
    stream.write_all(&body)
}

/// The part of the dump that a range asks for, with its status and heads.
fn part<'d>(dump: &'d [u8], range: Option<&str>) -> (&'static str, String, &'d [u8]) {
    let heads = format!("etag: {TAG}\r\nlast-modified: {UPLOADED_IN_A_HEAD}\r\n");
    let bounds = range.and_then(|range| range.split_once('-'));
    let Some((from, to)) = bounds else {
        return ("200 OK", heads, dump);
    };
    let from: usize = from.parse().unwrap_or_default();
    let to = to.parse().unwrap_or(usize::MAX).min(dump.len() - 1);
    let of = format!("content-range: bytes {from}-{to}/{}\r\n", dump.len());
    ("206 Partial Content", heads + &of, &dump[from..=to])
}

fn buckets() -> String {
    format!(
        "<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Buckets><Bucket>\
         <Name>shop</Name><CreationDate>{UPLOADED}</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"
    )
}

fn listing(bytes: usize) -> String {
    format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>shop</Name>\
         <IsTruncated>false</IsTruncated><KeyCount>1</KeyCount><Contents><Key>{KEY}</Key>\
         <LastModified>{UPLOADED}</LastModified><ETag>{TAG}</ETag><Size>{bytes}</Size></Contents>\
         </ListBucketResult>"
    )
}
