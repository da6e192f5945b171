//! The object store and the DNS service of a world.

use std::path::Path;

use drplan_api::Clock;
use drplan_api::PRIVATE_KEY;
use drplan_sandbox_s3::AccessKey;
use drplan_sandbox_s3::Options;
use drplan_sandbox_s3::Rights;
use drplan_sandbox_s3::Store;
use drplan_sandbox_s3::Versioning;

use super::WorldError;
use super::file::Dns;
use super::file::Key;
use super::file::ObjectStore;
use crate::route53;
use crate::route53::Action;
use crate::route53::Change;
use crate::route53::Config;
use crate::route53::DomainName;
use crate::route53::Identity;
use crate::route53::RecordSet;
use crate::route53::RecordType;
use crate::route53::Route53;

/// The region that the object store says it is in.
const REGION: &str = "us-east-1";

/// Makes the object store. Folders are only read.
pub(super) fn object_store(
    part: &ObjectStore,
    data_dir: &Path,
    clock: Clock,
    seed: u64,
) -> Result<Store, WorldError> {
    let (id, secret) = PRIVATE_KEY;
    let mut keys = vec![AccessKey::new(id, secret, Rights::All)];
    for (id, key) in &part.key {
        let rights = if key.read_only {
            Rights::ReadOnly
        } else {
            Rights::All
        };
        keys.push(AccessKey::new(id, &key.secret, rights));
    }
    let store = Store::in_memory(Options {
        clock,
        region: REGION.to_owned(),
        seed,
        keys,
    });
    for (name, bucket) in &part.bucket {
        let failed = |why: String| WorldError::Part {
            part: format!("bucket `{name}`"),
            why,
        };
        let folder = bucket.folder.as_ref().map(|f| data_dir.join(f));
        if let Some(missing) = folder.as_ref().filter(|f| !f.is_dir()) {
            return Err(failed(format!(
                "there is no folder `{}`",
                missing.display()
            )));
        }
        match &folder {
            Some(folder) => store
                .load_bucket(name, folder)
                .map_err(|e| failed(e.to_string()))?,
            None => store
                .create_bucket(name)
                .map_err(|e| failed(e.to_string()))?,
        }
        if bucket.versioned {
            store
                .set_versioning(name, Versioning::Enabled)
                .map_err(|e| failed(e.to_string()))?;
        }
    }
    Ok(store)
}

/// Makes the DNS service with its zones and records.
pub(super) fn dns(part: &Dns, clock: Clock) -> Result<Route53, WorldError> {
    let (id, secret) = PRIVATE_KEY;
    let mut config = Config::new(id, secret);
    config.clock = clock;
    config.identities = part.key.iter().map(|(id, key)| identity(id, key)).collect();
    let failed = |name: &str, why: String| WorldError::Part {
        part: format!("zone `{name}`"),
        why,
    };
    let mut service = Route53::new(config).map_err(|e| failed("", e.to_string()))?;
    for (name, zone) in &part.zone {
        service = service
            .zone(name)
            .map_err(|e| failed(name, e.to_string()))?;
        let id = service.zone_id(name).unwrap_or_default();
        let mut changes = Vec::new();
        for (record, set) in &zone.record {
            let full = format!("{record}.{name}");
            let set = RecordSet::simple(
                DomainName::parse(&full).map_err(|e| failed(name, e.to_string()))?,
                RecordType::parse(&set.kind).ok_or_else(|| {
                    failed(name, format!("there is no type of record `{}`", set.kind))
                })?,
                u32::try_from(set.ttl).unwrap_or_default(),
                set.values.iter().cloned(),
            );
            changes.push(Change {
                action: Action::Create,
                set,
            });
        }
        if !changes.is_empty() {
            service
                .change(&id, &changes)
                .map_err(|e| failed(name, e.to_string()))?;
        }
    }
    Ok(service)
}

fn identity(id: &str, key: &Key) -> Identity {
    let identity = Identity::new("key of the world file", id, &key.secret);
    if key.read_only {
        identity.rights(route53::Rights::Read)
    } else {
        identity
    }
}
