//! What the attempts of a step are given: connections, secrets at the effect, and a private folder.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use drplan_api::ErrorKind;
use drplan_api::Opener;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::WriteCx;

use super::step::Stop;
use super::step::Turn;
use crate::bind::StepOpener;
use crate::private;

impl Turn<'_> {
    pub(super) async fn read_cx(&self, want: &RawWant, attempt: u32) -> Result<ReadCx, Stop> {
        let mut conns = BTreeMap::new();
        for (role, id) in &want.roles {
            let conn = self.shared.conn(id, &self.outs).await?;
            conns.insert(role.clone(), conn);
        }
        Ok(ReadCx {
            address: self.step.address.clone(),
            recovery: self.shared.plan.head.recovery.clone(),
            run: self.shared.run.clone(),
            attempt,
            begun: false,
            conns,
            base_dir: self.shared.base_dir.clone(),
            work_dir: self.work_dir()?,
            doors: self.shared.doors.clone(),
        })
    }

    pub(super) async fn write_cx(&self, want: &RawWant, attempt: u32) -> Result<WriteCx, Stop> {
        let opener = StepOpener {
            plan: Arc::clone(&self.shared.plan),
            outs: Arc::clone(&self.outs),
            secrets: Arc::clone(&self.shared.secrets),
        };
        Ok(WriteCx::new(
            self.read_cx(want, attempt).await?,
            Arc::new(opener) as Arc<dyn Opener>,
        ))
    }

    pub(super) fn work_dir(&self) -> Result<PathBuf, ProviderError> {
        let path = self.shared.work_path(&self.step.address);
        private::folder(&path).map_err(|e| {
            ProviderError::new(
                ErrorKind::Invalid,
                "make a private folder",
                path.display().to_string(),
            )
            .caused_by(&e)
        })?;
        Ok(path)
    }
}
