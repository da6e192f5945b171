//! Object lock on the wire.

use drplan_api::Timestamp;
use s3s::S3Request;
use s3s::S3Result;
use s3s::dto::*;
use s3s::s3_error;

use super::value::from_time;
use super::value::hold;
use super::value::mode;
use super::value::mode_name;
use super::value::time;
use crate::bucket::Bucket as Kept;
use crate::bucket::Versioning;
use crate::lock::Bypass;
use crate::lock::DefaultRetention as Kind;
use crate::lock::Lock;
use crate::lock::Period;
use crate::lock::Protection;
use crate::lock::Retention;
use crate::refusal::Refusal;
use crate::store::Store;

pub(super) async fn get_object_lock_configuration(
    store: &Store,
    request: S3Request<GetObjectLockConfigurationInput>,
) -> S3Result<GetObjectLockConfigurationOutput> {
    let name = request.input.bucket;
    let state = store.state();
    let lock = state.bucket(&name)?.lock;
    let lock = lock.ok_or(Refusal::NoLockConfiguration(name))?;
    let rule = lock.default.map(|kept| {
        let (days, years) = match kept.period {
            Period::Days(days) => (Some(days), None),
            Period::Years(years) => (None, Some(years)),
        };
        ObjectLockRule {
            default_retention: Some(DefaultRetention {
                days,
                mode: Some(ObjectLockRetentionMode::from_static(mode_name(kept.mode))),
                years,
            }),
        }
    });
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule,
        }),
    })
}

pub(super) async fn put_object_lock_configuration(
    store: &Store,
    request: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<PutObjectLockConfigurationOutput> {
    let input = request.input;
    let rule = input.object_lock_configuration.and_then(|c| c.rule);
    let default = match rule.and_then(|rule| rule.default_retention) {
        None => None,
        Some(kept) => Some(default(&kept)?),
    };
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    if bucket.versioning != Versioning::Enabled {
        return Err(Refusal::BucketState(
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
        .into());
    }
    bucket.lock = Some(Lock { default });
    Ok(PutObjectLockConfigurationOutput::default())
}

fn default(kept: &DefaultRetention) -> S3Result<Kind> {
    let name = kept.mode.as_ref().map(ObjectLockRetentionMode::as_str);
    let period = match (kept.days, kept.years) {
        (Some(days), None) if days > 0 => Period::Days(days),
        (None, Some(years)) if years > 0 => Period::Years(years),
        _ => return Err(s3_error!(MalformedXML)),
    };
    Ok(Kind {
        mode: mode(name.unwrap_or_default())?,
        period,
    })
}

/// Lets a change loose on the protection of a version.
fn change(
    bucket: &mut Kept,
    key: &str,
    version: Option<&str>,
    make: impl FnOnce(&str, &mut Protection) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    check_locked(bucket)?;
    let id = bucket.object(key, version)?.0.id.clone();
    let mut versions = bucket.objects.get_mut(key).into_iter().flatten();
    match versions.find(|v| v.id == id) {
        Some(found) => make(&id, &mut found.protection),
        None => Ok(()),
    }
}

fn check_locked(bucket: &Kept) -> Result<(), Refusal> {
    match bucket.lock {
        Some(_) => Ok(()),
        None => Err(Refusal::Request(
            "Bucket is missing Object Lock Configuration".to_owned(),
        )),
    }
}

pub(super) async fn put_object_retention(
    store: &Store,
    request: S3Request<PutObjectRetentionInput>,
) -> S3Result<PutObjectRetentionOutput> {
    let input = request.input;
    let now = store.now();
    let to = input.retention.map_or(Ok(None), |r| retention(r, now))?;
    let bypass = Bypass::asked(input.bypass_governance_retention);
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    change(
        bucket,
        &input.key,
        input.version_id.as_deref(),
        |id, kept| {
            kept.allows_change(id, to, now, bypass)?;
            kept.retention = to;
            Ok(())
        },
    )?;
    Ok(PutObjectRetentionOutput::default())
}

fn retention(wanted: ObjectLockRetention, now: Timestamp) -> Result<Option<Retention>, Refusal> {
    let (name, until) = match (wanted.mode, wanted.retain_until_date) {
        (None, None) => return Ok(None),
        (Some(name), Some(until)) => (name, from_time(until)?),
        _ => {
            return Err(Refusal::Argument(
                "a retention needs both its mode and its date".to_owned(),
            ));
        }
    };
    if until <= now {
        return Err(Refusal::Argument(
            "The retain until date must be in the future!".to_owned(),
        ));
    }
    Ok(Some(Retention {
        mode: mode(name.as_str())?,
        until,
    }))
}

/// How a version in a bucket with lock is protected.
fn protection(
    store: &Store,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> S3Result<Protection> {
    let state = store.state();
    let bucket = state.bucket(bucket)?;
    check_locked(bucket)?;
    Ok(bucket.object(key, version)?.0.protection)
}

pub(super) async fn get_object_retention(
    store: &Store,
    request: S3Request<GetObjectRetentionInput>,
) -> S3Result<GetObjectRetentionOutput> {
    let input = request.input;
    let kept = protection(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    let kept = kept.retention.ok_or(Refusal::NoRetention)?;
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(mode_name(kept.mode))),
            retain_until_date: Some(time(kept.until)),
        }),
    })
}

pub(super) async fn put_object_legal_hold(
    store: &Store,
    request: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<PutObjectLegalHoldOutput> {
    let input = request.input;
    let status = input.legal_hold.and_then(|hold| hold.status);
    let to = match status.as_ref().map(ObjectLockLegalHoldStatus::as_str) {
        Some(ObjectLockLegalHoldStatus::ON) => true,
        Some(ObjectLockLegalHoldStatus::OFF) => false,
        _ => return Err(s3_error!(MalformedXML)),
    };
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    change(
        bucket,
        &input.key,
        input.version_id.as_deref(),
        |_, kept| {
            kept.legal_hold = Some(to);
            Ok(())
        },
    )?;
    Ok(PutObjectLegalHoldOutput::default())
}

pub(super) async fn get_object_legal_hold(
    store: &Store,
    request: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<GetObjectLegalHoldOutput> {
    let input = request.input;
    let kept = protection(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    let held = kept.legal_hold.ok_or(Refusal::NoRetention)?;
    Ok(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold {
            status: Some(hold(held)),
        }),
    })
}
