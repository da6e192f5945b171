//! Which bucket a host name stands for. Under AWS's names it may be the first label, elsewhere buckets
//! stand in the path.

use s3s::S3Result;
use s3s::host::S3Host;
use s3s::host::VirtualHost;

/// What AWS's names end in.
const AWS: &str = ".amazonaws.com";

pub(crate) struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match bucket(host) {
            Some((bucket, domain)) => VirtualHost::new(domain).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

/// Splits `BUCKET.s3.REGION.amazonaws.com`; a bucket's name may have dots.
fn bucket(host: &str) -> Option<(&str, &str)> {
    let name = host.split(':').next()?;
    let service = name.strip_suffix(AWS)?;
    let at = service.rfind(".s3.").or_else(|| {
        // The oldest form has no region.
        service.strip_suffix(".s3").map(str::len)
    })?;
    Some((host.get(..at)?, host.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_of_an_aws_name_is_the_bucket() {
        for (host, wanted) in [
            ("b.s3.eu-west-1.amazonaws.com", Some("b")),
            ("my.b.s3.eu-west-1.amazonaws.com:443", Some("my.b")),
            ("b.s3.amazonaws.com", Some("b")),
            ("s3.eu-west-1.amazonaws.com", None),
            ("s3.shop.example", None),
            ("127.0.0.1:9000", None),
        ] {
            assert_eq!(bucket(host).map(|b| b.0), wanted, "{host}");
        }
    }
}
