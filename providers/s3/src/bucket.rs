//! Names of buckets.

/// The most characters of a name; only stores other than AWS take more than 63.
const NAME_CHARACTERS_MAX: usize = 255;

/// How the name of a bucket is written, for who wrote another.
pub const BUCKET_FORM: &str =
    "write the name alone, without `s3://` and without a folder; folders are a `prefix`";

/// Tells whether a bucket of any store can have this name.
pub fn is_bucket_name(text: &str) -> bool {
    // Ceph knows `tenant:bucket`, and AWS takes the ARN of an access point.
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    let name = match text.strip_prefix("arn:") {
        Some(rest) => rest.replacen('/', "", 1),
        None => text.to_owned(),
    };
    !name.is_empty() && text.len() <= NAME_CHARACTERS_MAX && name.chars().all(is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_or_a_folder_is_no_bucket() {
        for (text, is_bucket) in [
            ("shop-backups", true),
            ("shop.backups_1", true),
            ("tenant:backups", true),
            (
                "arn:aws:s3:eu-west-1:123456789012:accesspoint/backups",
                true,
            ),
            ("s3://shop-backups", false),
            ("shop-backups/velero", false),
            ("shop backups", false),
            ("", false),
        ] {
            assert_eq!(is_bucket_name(text), is_bucket, "{text}");
        }
    }
}
