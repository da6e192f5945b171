//! The zone `shop.example`: what outlives the disaster and is moved last.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use drplan_harness::Route53;
use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change;
use drplan_sandbox::route53::Data;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::Operation;
use drplan_sandbox::route53::Outcome;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use jiff::Timestamp;

/// The zone's name.
const ZONE: &str = "shop.example";

/// The address of site A.
pub(crate) const OLD: &str = "192.0.2.10";

/// The address of site B.
pub(crate) const NEW: &str = "198.51.100.20";

/// A Route 53 server with one zone.
pub(crate) struct Zone {
    server: Route53,
    id: String,
}

impl Zone {
    /// Starts a server whose record `www` leads to A.
    pub(crate) async fn start(dir: &Path) -> Result<Self> {
        let server = Route53::start(dir, 0, &[ZONE.to_owned()]).await?;
        let id = server
            .service()
            .zone_id(ZONE)
            .context("the zone is not there")?;
        let zone = Self { server, id };
        zone.points_to_a()?;
        Ok(zone)
    }

    pub(crate) fn server(&self) -> &Route53 {
        &self.server
    }

    /// What somebody else does to the record.
    pub(crate) fn set(&self, address: &str) -> Result<()> {
        let name = DomainName::parse("www.shop.example")?;
        let set = RecordSet::simple(name, RecordType::A, 60, [address]);
        let change = Change {
            action: Action::Upsert,
            set,
        };
        self.server.service().change(&self.id, &[change])?;
        Ok(())
    }

    /// Points the record to site A.
    pub(crate) fn points_to_a(&self) -> Result<()> {
        self.set(OLD)
    }

    /// The values of the record.
    pub(crate) fn www(&self) -> Result<Vec<String>> {
        let sets = self.server.service().record_sets(&self.id);
        let www = sets.iter().find(|set| set.rtype == RecordType::A);
        match www.map(|set| &set.data) {
            Some(Data::Values { values, .. }) => Ok(values.clone()),
            _ => bail!("the zone has no record `www` with values"),
        }
    }

    /// How many changes were made through the API.
    pub(crate) fn changes(&self) -> u64 {
        let service = self.server.service();
        service.count(Operation::ChangeResourceRecordSets, Outcome::Done)
    }

    /// When each of them was answered, also where the answer was lost.
    ///
    /// # Errors
    ///
    /// When the server does not remember all of them any more.
    pub(crate) fn changed_at(&self) -> Result<Vec<Timestamp>> {
        let changes = Operation::ChangeResourceRecordSets;
        let made = [Outcome::Done, Outcome::AnswerLost];
        let log = self.server.service().log();
        let of = log
            .iter()
            .filter(|entry| entry.operation == Some(changes) && made.contains(&entry.outcome));
        let at: Vec<Timestamp> = of.map(|entry| entry.at).collect();
        let counted: u64 = made
            .iter()
            .map(|outcome| self.server.service().count(changes, *outcome))
            .sum();
        if counted != at.len() as u64 {
            bail!(
                "the zone was changed {counted} times and remembers {}",
                at.len()
            );
        }
        Ok(at)
    }

    pub(crate) async fn end(self) {
        self.server.end().await;
    }
}
