//! Builders of wants, holes and openers.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Hole;
use drplan_api::Json;
use drplan_api::Opener;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use serde_json::json;

/// Starts a want of the recovery `test`: `want("http_check.shop", json!({"url": "…"}))`.
pub fn want(address: &str, args: Json) -> WantBuilder {
    WantBuilder(RawWant {
        address: Address::new(address),
        recovery: "test".to_owned(),
        args,
        roles: BTreeMap::new(),
    })
}

/// A want under construction.
#[derive(Clone, Debug)]
pub struct WantBuilder(RawWant);

impl WantBuilder {
    /// Fills a role with a connection: `.role("cluster", "kubernetes.site")`.
    #[must_use]
    pub fn role(mut self, role: &str, conn: &str) -> Self {
        self.0.roles.insert(role.to_owned(), ConnId::new(conn));
        self
    }

    /// Names the recovery.
    #[must_use]
    pub fn recovery(mut self, name: &str) -> Self {
        name.clone_into(&mut self.0.recovery);
        self
    }
}

impl From<WantBuilder> for RawWant {
    fn from(builder: WantBuilder) -> Self {
        builder.0
    }
}

/// Makes the JSON of a secret hole; fill it with [`crate::Driver::secret`].
pub fn secret_hole(expr: usize) -> Json {
    json!({"$hole": Hole { expr, secret: true, after: Vec::new() }})
}

/// Makes the JSON of a hole that is known after another resource.
pub fn hole(expr: usize, after: &str) -> Json {
    json!({"$hole": Hole { expr, secret: false, after: vec![Address::new(after)] }})
}

/// Opens holes from a map.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<usize, Json>);

impl Secrets {
    /// Fills one hole.
    pub fn set(&mut self, expr: usize, value: impl Into<Json>) {
        self.0.insert(expr, value.into());
    }
}

impl Opener for Secrets {
    fn open(&self, hole: &Hole) -> Result<Json, ProviderError> {
        self.0.get(&hole.expr).cloned().ok_or_else(|| {
            ProviderError::new(
                ErrorKind::NotFound,
                "open a hole",
                format!("expression {}", hole.expr),
            )
            .hint("give it to the driver with `.secret(expr, value)`")
        })
    }
}
