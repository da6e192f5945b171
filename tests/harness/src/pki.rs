//! A certificate authority for one site and the keys that hang on it.
//!
//! Knows nothing about who uses them; nobody may skip verification because of this module.

use std::path::Path;

use anyhow::Result;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;

use crate::private;

/// The addresses under which servers of a site are called.
const NAMES: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "10.96.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
];

/// Writes `ca.crt`, `server.crt`, `server.key` and the service accounts' `sa.key` and `sa.pub`
/// into `dir`. The authority's own key is not kept: nothing else shall ever be signed with it.
pub(crate) fn create(dir: &Path, site: &str) -> Result<()> {
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    authority
        .distinguished_name
        .push(DnType::CommonName, format!("site {site} CA"));
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;

    let mut server =
        CertificateParams::new(NAMES.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())?;
    server
        .distinguished_name
        .push(DnType::CommonName, format!("site {site}"));
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let issuer = Issuer::new(authority, authority_key);
    let server_certificate = server.signed_by(&server_key, &issuer)?;

    let accounts_key = KeyPair::generate()?;
    let files = [
        ("ca.crt", authority_certificate.pem()),
        ("server.crt", server_certificate.pem()),
        ("server.key", server_key.serialize_pem()),
        ("sa.key", accounts_key.serialize_pem()),
        ("sa.pub", accounts_key.public_key_pem()),
    ];
    for (name, content) in files {
        private::write(&dir.join(name), content.as_bytes())?;
    }
    Ok(())
}
