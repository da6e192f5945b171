//! A server that answers whatever it is asked with a refusal in which all secrets stand. It speaks four
//! protocols, and says with each refusal in which of them it was asked.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

/// How long it waits for a request.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a client of PostgreSQL begins with if it would like to encrypt.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The protocols; `echo-of-` and its name stand in each refusal.
pub(super) const PROTOCOLS: &[&str] = &["kubernetes", "s3", "dns", "sql"];

/// Starts it, for as long as the tests run, and returns its port.
pub(super) fn start(secrets: &[&str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let said = format!("no access for {}", secrets.join(" or for "));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let said = said.clone();
            // A client that goes away has nothing to complain about.
            std::thread::spawn(move || answer(stream, &said).ok());
        }
    });
    port
}

fn answer(mut stream: TcpStream, said: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut asked = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        asked.extend_from_slice(&buffer[..read]);
        if asked == SSL_REQUEST {
            stream.write_all(b"N")?;
            asked.clear();
            continue;
        }
        let is_sql = asked.first() == Some(&0);
        if read == 0 || is_sql || asked.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    let text = String::from_utf8_lossy(&asked).into_owned();
    if asked.first() == Some(&0) {
        return stream.write_all(&sql(&format!("echo-of-sql: {said}")));
    }
    let shown = text
        .lines()
        .find(|line| line.to_lowercase().starts_with("authorization"));
    let said = format!("{said}; you showed {}", shown.unwrap_or("nothing"));
    let (kind, body) = if text.contains("/api") || text.contains("/version") {
        let body = kubernetes(&format!("echo-of-kubernetes: {said}"));
        ("application/json", body)
    } else {
        let said = said.replace('&', "&amp;").replace('<', "&lt;");
        let body = match text.contains(" /2013-04-01/") {
            true => route53(&format!("echo-of-dns: {said}")),
            false => s3(&format!("echo-of-s3: {said}")),
        };
        ("application/xml", body)
    };
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes())
}

fn kubernetes(said: &str) -> String {
    serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": said, "reason": "Forbidden", "code": 403,
    })
    .to_string()
}

fn s3(said: &str) -> String {
    format!("<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>")
}

/// A refusal of Route 53, which wraps what S3 does not.
fn route53(said: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
         <Code>AccessDenied</Code><Message>{said}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

/// A refusal of PostgreSQL.
fn sql(said: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C28P01\0M{said}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap_or_default();
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}
