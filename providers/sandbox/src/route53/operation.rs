//! The operations that are served, and how method and path name them.

use std::fmt;

use http::Method;

/// The path prefix of the only API version.
const VERSION: &str = "2013-04-01";

/// One operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Applies a batch of record set changes.
    ChangeResourceRecordSets,
    /// Makes a hosted zone.
    CreateHostedZone,
    /// Reports whether a change has reached all name servers.
    GetChange,
    /// Returns one hosted zone.
    GetHostedZone,
    /// Lists hosted zones by id.
    ListHostedZones,
    /// Lists hosted zones by name.
    ListHostedZonesByName,
    /// Lists the record sets of a zone.
    ListResourceRecordSets,
}

impl Operation {
    /// Returns the operation's name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChangeResourceRecordSets => "ChangeResourceRecordSets",
            Self::CreateHostedZone => "CreateHostedZone",
            Self::GetChange => "GetChange",
            Self::GetHostedZone => "GetHostedZone",
            Self::ListHostedZones => "ListHostedZones",
            Self::ListHostedZonesByName => "ListHostedZonesByName",
            Self::ListResourceRecordSets => "ListResourceRecordSets",
        }
    }

    /// Reports whether the operation changes anything.
    pub fn changes(self) -> bool {
        matches!(
            self,
            Self::ChangeResourceRecordSets | Self::CreateHostedZone
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operation and the id in its path, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) operation: Operation,
    pub(crate) id: String,
}

impl Target {
    /// Reads method and path; `None` if nothing is served there.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let rest = path
            .strip_prefix('/')?
            .strip_prefix(VERSION)?
            .strip_prefix('/')?;
        let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        let (operation, id) = match (method, parts.as_slice()) {
            (&Method::GET, ["hostedzone"]) => (Operation::ListHostedZones, ""),
            (&Method::POST, ["hostedzone"]) => (Operation::CreateHostedZone, ""),
            (&Method::GET, ["hostedzonesbyname"]) => (Operation::ListHostedZonesByName, ""),
            (&Method::GET, ["hostedzone", id]) => (Operation::GetHostedZone, *id),
            (&Method::GET, ["hostedzone", id, "rrset"]) => (Operation::ListResourceRecordSets, *id),
            (&Method::POST, ["hostedzone", id, "rrset"]) => {
                (Operation::ChangeResourceRecordSets, *id)
            }
            (&Method::GET, ["change", id]) => (Operation::GetChange, *id),
            _ => return None,
        };
        Some(Self {
            operation,
            id: id.to_owned(),
        })
    }

    /// Returns the ARN that a denial names.
    pub(crate) fn arn(&self) -> String {
        match self.operation {
            Operation::GetChange => format!("arn:aws:route53:::change/{}", self.id),
            _ if self.id.is_empty() => "*".to_owned(),
            _ => format!("arn:aws:route53:::hostedzone/{}", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_path_name_the_operation() {
        for (method, path, expected) in [
            (
                Method::GET,
                "/2013-04-01/hostedzone",
                Some((Operation::ListHostedZones, "")),
            ),
            (
                Method::POST,
                "/2013-04-01/hostedzone",
                Some((Operation::CreateHostedZone, "")),
            ),
            (
                Method::POST,
                "/2013-04-01/hostedzone/Z1/rrset/",
                Some((Operation::ChangeResourceRecordSets, "Z1")),
            ),
            (
                Method::GET,
                "/2013-04-01/hostedzone/Z1/rrset",
                Some((Operation::ListResourceRecordSets, "Z1")),
            ),
            (
                Method::GET,
                "/2013-04-01/change/C1",
                Some((Operation::GetChange, "C1")),
            ),
            (Method::DELETE, "/2013-04-01/hostedzone/Z1", None),
            (Method::GET, "/2012-12-12/hostedzone", None),
        ] {
            let target = Target::of(&method, path).map(|t| (t.operation, t.id));
            assert_eq!(
                target,
                expected.map(|(o, id)| (o, id.to_owned())),
                "{method} {path}"
            );
        }
    }
}
