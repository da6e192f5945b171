//! Who vouches for a plan or for evidence: Ed25519 signatures over digests.
//!
//! Keys are PEM files as `openssl genpkey -algorithm ed25519` writes them. A signature is over the name of
//! what is signed and its digest, so that one of a plan is none of evidence.
#![expect(
    clippy::disallowed_methods,
    reason = "keys are files that a person names"
)]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::ED25519;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair as _;
use ring::signature::UnparsedPublicKey;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde::Serialize;

/// How many bytes of a key file are read.
const KEY_BYTES_MAX: u64 = 64 * 1024;
/// What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why a key cannot be used, or does not vouch for something.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The file is no key.
    #[error("`{path}` is no {wanted}: {why}")]
    Key {
        /// Which file.
        path: String,
        /// What it should be.
        wanted: &'static str,
        /// What is wrong; never a part of the file.
        why: String,
    },
    /// It bears no signature, and one is demanded.
    #[error("the {noun} is not signed")]
    Unsigned {
        /// What is not.
        noun: &'static str,
    },
    /// The signature is not one of the key over this.
    #[error("the signature of the {noun} is not that of the key `{key}`")]
    Wrong {
        /// What was signed.
        noun: &'static str,
        /// The key that was to vouch for it.
        key: String,
    },
}

/// A signature and the key that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The public key, base64 of its 32 bytes.
    pub key: String,
    /// The signature, base64 of its 64 bytes.
    pub signature: String,
}

/// A private key.
pub struct Signer(Ed25519KeyPair);

/// A public key that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    bytes: Vec<u8>,
}

fn message(noun: &str, digest: &str) -> Vec<u8> {
    format!("drplan {noun}\n{digest}\n").into_bytes()
}

fn file(path: &Path, wanted: &'static str) -> Result<Vec<u8>, SignatureError> {
    let failed = |why: String| SignatureError::Key {
        path: path.display().to_string(),
        wanted,
        why,
    };
    let length = std::fs::metadata(path)
        .map_err(|e| failed(e.to_string()))?
        .len();
    if length > KEY_BYTES_MAX {
        return Err(failed(format!("it has {length} bytes")));
    }
    std::fs::read(path).map_err(|e| failed(e.to_string()))
}

impl Signer {
    /// Reads a private key.
    ///
    /// # Errors
    ///
    /// If the file is no Ed25519 key in PKCS #8.
    pub fn read(path: &Path) -> Result<Self, SignatureError> {
        const WANTED: &str = "private Ed25519 key";
        let failed = |why: &str| SignatureError::Key {
            path: path.display().to_string(),
            wanted: WANTED,
            why: why.to_owned(),
        };
        let pem = file(path, WANTED)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem)
            .map_err(|_| failed("it has no `PRIVATE KEY` in PEM"))?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map(Self)
            .map_err(|_| {
                failed(
                    "it is another sort of key; make one with `openssl genpkey -algorithm ed25519`",
                )
            })
    }

    /// Vouches for a digest of something.
    pub fn sign(&self, noun: &str, digest: &str) -> Signature {
        Signature {
            key: STANDARD.encode(self.0.public_key().as_ref()),
            signature: STANDARD.encode(self.0.sign(&message(noun, digest)).as_ref()),
        }
    }
}

impl Trusted {
    /// Reads a public key.
    ///
    /// # Errors
    ///
    /// If the file is no public Ed25519 key.
    pub fn read(path: &Path) -> Result<Self, SignatureError> {
        const WANTED: &str = "public Ed25519 key";
        let failed = |why: &str| SignatureError::Key {
            path: path.display().to_string(),
            wanted: WANTED,
            why: why.to_owned(),
        };
        let pem = file(path, WANTED)?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).map_err(|_| {
            failed("it has no `PUBLIC KEY` in PEM; `openssl pkey -in KEY -pubout` writes one")
        })?;
        match der.strip_prefix(&SPKI_PREFIX) {
            Some(bytes) if bytes.len() == 32 => Ok(Self {
                bytes: bytes.to_vec(),
            }),
            _ => Err(failed("it is another sort of key")),
        }
    }

    /// Checks that this key vouches for a digest of something.
    ///
    /// # Errors
    ///
    /// If nobody does, or another key.
    pub fn check(
        &self,
        noun: &'static str,
        digest: &str,
        signature: Option<&Signature>,
    ) -> Result<(), SignatureError> {
        let signature = signature.ok_or(SignatureError::Unsigned { noun })?;
        let bytes = STANDARD.decode(&signature.signature).unwrap_or_default();
        UnparsedPublicKey::new(&ED25519, &self.bytes)
            .verify(&message(noun, digest), &bytes)
            .map_err(|_| SignatureError::Wrong {
                noun,
                key: STANDARD.encode(&self.bytes),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for these tests with `openssl genpkey -algorithm ed25519`.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIGqkt9yNdha6UgmFzWXOlnre+ty2GYOCVcNkXSYArkSV
-----END PRIVATE KEY-----
";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA4CzWUNEz+UZYRniO/1It4ACd3LqiedKTC/sOoIxOspQ=
-----END PUBLIC KEY-----
";
    const OTHER: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEADkxlRsXXehDgZCEokzjKgQzkKEZEnltZxphmYu5Cjn8=
-----END PUBLIC KEY-----
";

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    fn trusted(text: &str) -> Trusted {
        Trusted::read(written(text).path()).expect("a key")
    }

    #[test]
    fn a_key_vouches_for_what_it_signed_and_for_nothing_else() {
        let signer = Signer::read(written(PRIVATE).path()).expect("a key");
        let signature = signer.sign("plan file", "abc");
        let ours = trusted(PUBLIC);
        assert!(ours.check("plan file", "abc", Some(&signature)).is_ok());
        for (noun, digest) in [("plan file", "abd"), ("evidence", "abc")] {
            let refused = ours.check(noun, digest, Some(&signature));
            assert!(matches!(refused, Err(SignatureError::Wrong { .. })));
        }
        let other = trusted(OTHER).check("plan file", "abc", Some(&signature));
        assert!(matches!(other, Err(SignatureError::Wrong { .. })));
        let none = ours.check("plan file", "abc", None);
        assert!(matches!(none, Err(SignatureError::Unsigned { .. })));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in [PUBLIC, "canary", ""] {
            let error = Signer::read(written(text).path())
                .err()
                .map(|e| e.to_string());
            let error = error.expect("an error");
            assert!(error.contains("private Ed25519 key"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        assert!(Trusted::read(written(PRIVATE).path()).is_err());
    }
}
