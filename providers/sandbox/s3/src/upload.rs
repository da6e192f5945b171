//! Multipart uploads.

use std::collections::BTreeMap;

use bytes::Bytes;
use bytes::BytesMut;
use drplan_api::Timestamp;
use s3s::crypto::Checksum as _;
use s3s::crypto::Md5;

use crate::attributes::Attributes;
use crate::checksum::Algorithm;
use crate::checksum::Cover;
use crate::checksum::Sums;
use crate::checksum::composite;
use crate::content::Content;
use crate::lock::Protection;
use crate::object::Object;
use crate::object::etag_of;
use crate::refusal::Refusal;
use crate::token::hex;

/// The fewest bytes of a part that is not the last.
const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// The numbers that parts may have.
pub(crate) const PART_NUMBERS: std::ops::RangeInclusive<i32> = 1..=10_000;

/// A part that was uploaded.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
    pub(crate) sums: Sums,
    pub(crate) modified: Timestamp,
}

/// An upload that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) begun: Timestamp,
    pub(crate) attributes: Attributes,
    pub(crate) protection: Protection,
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) cover: Cover,
    pub(crate) parts: BTreeMap<i32, Part>,
}

/// A part as the request that completes an upload names it.
pub(crate) struct Named {
    pub(crate) number: i32,
    pub(crate) etag: Option<String>,
}

impl Part {
    pub(crate) fn new(bytes: Bytes, sums: Sums, modified: Timestamp) -> Self {
        Self {
            etag: etag_of(&bytes),
            bytes,
            sums,
            modified,
        }
    }
}

impl Upload {
    /// Puts the named parts together.
    pub(crate) fn complete(&self, named: &[Named]) -> Result<Object, Refusal> {
        if named.is_empty() {
            return Err(Refusal::Request(
                "You must specify at least one part".to_owned(),
            ));
        }
        if named.windows(2).any(|two| two[0].number >= two[1].number) {
            return Err(Refusal::PartOrder);
        }
        let mut bytes = BytesMut::new();
        let (mut digests, mut sizes, mut sums) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (n, name) in named.iter().enumerate() {
            let part = self.part(name)?;
            let size = part.bytes.len() as u64;
            if size < PART_BYTES_MIN && n + 1 < named.len() {
                let number = name.number;
                return Err(Refusal::PartTooSmall { number, size });
            }
            digests.extend(Md5::checksum(&part.bytes));
            sizes.insert(name.number, size);
            bytes.extend_from_slice(&part.bytes);
            if let Some(algorithm) = self.algorithm {
                let sum = part.sums.get(algorithm).cloned();
                sums.push(sum.unwrap_or_else(|| algorithm.sum(&part.bytes)));
            }
        }
        let bytes = bytes.freeze();
        Ok(Object {
            etag: format!("{}-{}", hex(&Md5::checksum(&digests)), named.len()),
            sums: self.sums(&bytes, &sums),
            content: Content::Memory(bytes),
            attributes: self.attributes.clone(),
            parts: sizes,
        })
    }

    fn part(&self, name: &Named) -> Result<&Part, Refusal> {
        let part = self.parts.get(&name.number);
        let part = part.ok_or(Refusal::InvalidPart(name.number))?;
        match &name.etag {
            Some(etag) if *etag != part.etag => Err(Refusal::InvalidPart(name.number)),
            _ => Ok(part),
        }
    }

    fn sums(&self, bytes: &[u8], parts: &[String]) -> Sums {
        let mut sums = Sums::covering(self.cover);
        if let Some(algorithm) = self.algorithm {
            let value = match self.cover {
                Cover::Whole => Some(algorithm.sum(bytes)),
                Cover::Parts => composite(algorithm, parts),
            };
            sums.set(algorithm, value);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(sizes: &[u64]) -> Upload {
        let part = |size: &u64| {
            let size = usize::try_from(*size).unwrap_or_default();
            let bytes = Bytes::from(vec![b'x'; size]);
            Part::new(bytes, Sums::default(), Timestamp::UNIX_EPOCH)
        };
        Upload {
            key: "k".to_owned(),
            begun: Timestamp::UNIX_EPOCH,
            attributes: Attributes::default(),
            protection: Protection::default(),
            algorithm: None,
            cover: Cover::Whole,
            parts: (1..).zip(sizes.iter().map(part)).collect(),
        }
    }

    fn named(numbers: &[i32]) -> Vec<Named> {
        let one = |number: &i32| Named {
            number: *number,
            etag: None,
        };
        numbers.iter().map(one).collect()
    }

    #[test]
    fn parts_come_together_in_order_or_not_at_all() {
        let two = upload(&[PART_BYTES_MIN, 3]);
        let whole = two.complete(&named(&[1, 2])).expect("an object");
        assert_eq!(whole.content.size(), PART_BYTES_MIN + 3);
        assert_eq!(whole.parts, BTreeMap::from([(1, PART_BYTES_MIN), (2, 3)]));
        assert!(whole.etag.ends_with("-2"));
        let no = |numbers: &[i32]| two.complete(&named(numbers)).err();
        assert!(matches!(no(&[2, 1]), Some(Refusal::PartOrder)));
        assert!(matches!(no(&[1, 3]), Some(Refusal::InvalidPart(3))));
        assert!(matches!(no(&[]), Some(Refusal::Request(_))));
        let small = upload(&[3, 3]).complete(&named(&[1, 2])).err();
        assert!(matches!(
            small,
            Some(Refusal::PartTooSmall { number: 1, .. })
        ));
    }
}
