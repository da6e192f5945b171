//! Checksums of content: those that clients give are verified, those that they ask for are made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::crypto::Crc32;
use s3s::crypto::Crc32c;
use s3s::crypto::Crc64Nvme;
use s3s::crypto::Md5;
use s3s::crypto::Sha1;
use s3s::crypto::Sha256;
use s3s::dto::Checksum;

use crate::refusal::Refusal;

/// An algorithm, in the order in which S3 documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Refusal> {
        let found = ALGORITHMS
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            Refusal::Request("checksum algorithm provided is unsupported".to_owned())
        })
    }

    fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Computes the checksum of bytes in base64.
    pub(crate) fn sum(self, bytes: &[u8]) -> String {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        hasher.update(bytes);
        Sums::from(hasher.finalize())
            .get(self)
            .cloned()
            .unwrap_or_default()
    }
}

/// Whether a checksum of a multipart upload covers the content or the checksums of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cover {
    /// The content.
    #[default]
    Whole,
    /// The checksums of the parts.
    Parts,
}

impl Cover {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole => "FULL_OBJECT",
            Self::Parts => "COMPOSITE",
        }
    }
}

/// Checksums in base64, at most one of each algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    values: [Option<String>; 5],
    pub(crate) cover: Cover,
}

impl Sums {
    pub(crate) fn covering(cover: Cover) -> Self {
        Self {
            values: Default::default(),
            cover,
        }
    }

    pub(crate) fn get(&self, algorithm: Algorithm) -> Option<&String> {
        self.values[algorithm as usize].as_ref()
    }

    pub(crate) fn set(&mut self, algorithm: Algorithm, value: Option<String>) {
        self.values[algorithm as usize] = value;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    pub(crate) fn given(&self) -> impl Iterator<Item = (Algorithm, &String)> {
        ALGORITHMS
            .into_iter()
            .filter_map(|a| self.get(a).map(|value| (a, value)))
    }

    /// Adds those that stand behind a chunked body.
    pub(crate) fn add_trailers(&mut self, trailers: &HeaderMap) {
        for algorithm in ALGORITHMS {
            let value = trailers.get(algorithm.header());
            if let Some(value) = value.and_then(|v| v.to_str().ok()) {
                self.set(algorithm, Some(value.to_owned()));
            }
        }
    }

    /// Returns the checksums of content: those given, verified, and the one asked for by name.
    pub(crate) fn verify(self, bytes: &[u8], asked: Option<&str>) -> Result<Self, Refusal> {
        if self.given().count() > 1 {
            return Err(Refusal::Request(
                "expecting a single x-amz-checksum- header; multiple checksum types are not allowed"
                    .to_owned(),
            ));
        }
        for (algorithm, value) in self.given() {
            if algorithm.sum(bytes) != *value {
                return Err(Refusal::Digest(algorithm.name()));
            }
        }
        let mut sums = self;
        if let Some(name) = asked
            && sums.is_empty()
        {
            let algorithm = Algorithm::named(name)?;
            sums.set(algorithm, Some(algorithm.sum(bytes)));
        }
        Ok(sums)
    }
}

impl From<Checksum> for Sums {
    fn from(sums: Checksum) -> Self {
        Self {
            values: [
                sums.checksum_crc32,
                sums.checksum_crc32c,
                sums.checksum_crc64nvme,
                sums.checksum_sha1,
                sums.checksum_sha256,
            ],
            cover: Cover::Whole,
        }
    }
}

/// Verifies `Content-MD5`.
pub(crate) fn verify_md5(given: Option<&str>, bytes: &[u8]) -> Result<(), Refusal> {
    match given {
        Some(given) if given != STANDARD.encode(Md5::checksum(bytes)) => {
            Err(Refusal::Digest("Content-MD5"))
        }
        _ => Ok(()),
    }
}

/// The checksum over the checksums of parts, with their number.
pub(crate) fn composite(algorithm: Algorithm, parts: &[String]) -> Option<String> {
    let mut raw = Vec::new();
    for part in parts {
        raw.extend(STANDARD.decode(part).ok()?);
    }
    Some(format!("{}-{}", algorithm.sum(&raw), parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_verified_and_one_that_is_asked_for_is_made() {
        // The check value of CRC-32 for these nine digits is cbf43926.
        let mut sums = Sums::default();
        sums.set(Algorithm::Crc32, Some("y/Q5Jg==".to_owned()));
        let verified = sums.clone().verify(b"123456789", None);
        assert_eq!(verified.ok().as_ref(), Some(&sums));
        assert!(matches!(
            sums.verify(b"12345678", None),
            Err(Refusal::Digest("CRC32"))
        ));
        let made = Sums::default().verify(b"123456789", Some("crc32")).ok();
        let made = made.and_then(|sums| sums.get(Algorithm::Crc32).cloned());
        assert_eq!(made.as_deref(), Some("y/Q5Jg=="));
    }

    #[test]
    fn two_checksums_at_once_are_refused() {
        let mut sums = Sums::default();
        sums.set(Algorithm::Crc32, Some(Algorithm::Crc32.sum(b"a")));
        sums.set(Algorithm::Sha1, Some(Algorithm::Sha1.sum(b"a")));
        assert!(matches!(sums.verify(b"a", None), Err(Refusal::Request(_))));
    }

    #[test]
    fn md5_is_of_the_content() {
        assert!(verify_md5(Some("1B2M2Y8AsgTpgAmY7PhCfg=="), b"").is_ok());
        assert!(verify_md5(Some("1B2M2Y8AsgTpgAmY7PhCfg=="), b"x").is_err());
        assert!(verify_md5(None, b"x").is_ok());
    }
}
