//! The Kubernetes API, as this server uses it: objects as JSON, refusals as the server words them.

use std::fmt;

use http::Method;
use http::Request;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use crate::text::items;
use crate::text::text;

/// The name under which the server's fields are managed: real clients are known by what they call
/// themselves.
const MANAGER: &str = "velero-server";

/// What is said of a path that is not served.
const UNSERVED: &str = "404 page not found";

/// How many objects one page of a list holds.
const PAGE_OBJECTS: usize = 500;

/// How many pages of one list are read.
const PAGES_MAX: usize = 200;

/// Objects of one resource in one namespace, or in all, or in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `v1`, `apps/v1`.
    pub(crate) version: String,
    pub(crate) plural: String,
    /// Empty for all namespaces, and for what belongs to the cluster.
    pub(crate) namespace: String,
}

/// What the API refused, or could not be asked.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
}

pub(crate) type Answer<T> = Result<T, Refusal>;

/// A client of the API.
#[derive(Clone)]
pub(crate) struct Kube {
    client: Client,
}

impl Place {
    pub(crate) fn new(version: &str, plural: &str, namespace: &str) -> Self {
        Self {
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// Objects of one of Velero's own kinds.
    pub(crate) fn velero(plural: &str, namespace: &str) -> Self {
        Self::new("velero.io/v1", plural, namespace)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        let root = match self.version.split_once('/') {
            Some(_) => "/apis/",
            None => "/api/",
        };
        let mut url = format!("{root}{}", self.version);
        if !self.namespace.is_empty() {
            url = format!("{url}/namespaces/{}", escaped(&self.namespace));
        }
        url = format!("{url}/{}", self.plural);
        if !name.is_empty() {
            url = format!("{url}/{}", escaped(name));
        }
        url
    }
}

/// A name as a part of a path; names may hold colons and the like.
fn escaped(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

impl Refusal {
    pub(crate) fn is_missing(&self) -> bool {
        self.code == 404
    }

    pub(crate) fn is_there_already(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.code == 409 && self.reason == "Conflict"
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                // A path that is not served is answered by no API at all.
                let is_unserved = status.code == 404 && status.message.trim() == UNSERVED;
                Self {
                    code: status.code,
                    reason: status.reason.clone(),
                    message: if is_unserved {
                        "the server could not find the requested resource".to_owned()
                    } else {
                        status.message.clone()
                    },
                }
            }
            other => Self {
                code: 0,
                reason: String::new(),
                message: other.to_string(),
            },
        }
    }
}

impl Kube {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    async fn ask(&self, method: Method, url: &str, body: Option<(&str, &Value)>) -> Answer<Value> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some((kind, _)) = body {
            request = request.header(http::header::CONTENT_TYPE, kind);
        }
        let content = body.map(|(_, value)| value.to_string().into_bytes());
        let request = request
            .body(content.unwrap_or_default())
            .map_err(kube::Error::HttpError)?;
        Ok(self.client.request(request).await?)
    }

    /// Anything that is read by its path, such as discovery.
    pub(crate) async fn read(&self, url: &str) -> Answer<Value> {
        self.ask(Method::GET, url, None).await
    }

    pub(crate) async fn get(&self, place: &Place, name: &str) -> Answer<Value> {
        self.read(&place.url(name)).await
    }

    /// An object, and `None` when it is not there.
    pub(crate) async fn find(&self, place: &Place, name: &str) -> Answer<Option<Value>> {
        match self.get(place, name).await {
            Ok(found) => Ok(Some(found)),
            Err(refusal) if refusal.is_missing() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// All objects of a place, and the revision of the list.
    pub(crate) async fn list(&self, place: &Place) -> Answer<(Vec<Value>, String)> {
        self.list_with(place, "").await
    }

    /// The objects with these labels, and the revision of the list.
    pub(crate) async fn list_with(
        &self,
        place: &Place,
        labels: &str,
    ) -> Answer<(Vec<Value>, String)> {
        let mut all = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGES_MAX {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("limit", &PAGE_OBJECTS.to_string())
                .append_pair("labelSelector", labels)
                .append_pair("continue", &token)
                .finish();
            let page = self.read(&format!("{}?{query}", place.url(""))).await?;
            let kind = text(&page, "/kind").trim_end_matches("List");
            for item in items(&page, "/items") {
                let mut item = item.clone();
                // Only the list says what its items are.
                if item["kind"].is_null() {
                    item["kind"] = json!(kind);
                    item["apiVersion"] = page["apiVersion"].clone();
                }
                all.push(item);
            }
            token = text(&page, "/metadata/continue").to_owned();
            if token.is_empty() {
                return Ok((all, text(&page, "/metadata/resourceVersion").to_owned()));
            }
        }
        Err(Refusal {
            code: 0,
            reason: String::new(),
            message: format!("a list of {} has more than {PAGES_MAX} pages", place.plural),
        })
    }

    pub(crate) async fn create(&self, place: &Place, object: &Value) -> Answer<Value> {
        let url = format!("{}?fieldManager={MANAGER}", place.url(""));
        self.ask(Method::POST, &url, Some(("application/json", object)))
            .await
    }

    pub(crate) async fn patch(&self, place: &Place, name: &str, patch: &Value) -> Answer<Value> {
        let url = format!("{}?fieldManager={MANAGER}", place.url(name));
        let kind = "application/merge-patch+json";
        self.ask(Method::PATCH, &url, Some((kind, patch))).await
    }

    pub(crate) async fn replace_status(&self, place: &Place, object: &Value) -> Answer<Value> {
        let name = crate::text::name(object);
        let url = format!("{}/status?fieldManager={MANAGER}", place.url(name));
        self.ask(Method::PUT, &url, Some(("application/json", object)))
            .await
    }

    pub(crate) async fn delete(&self, place: &Place, name: &str) -> Answer<()> {
        self.ask(Method::DELETE, &place.url(name), None).await?;
        Ok(())
    }

    /// Writes what differs between an object as it was read and as it shall be.
    pub(crate) async fn update(&self, place: &Place, old: &Value, new: &Value) -> Answer<()> {
        if let Some(patch) = crate::merge::patch(old, new) {
            self.patch(place, crate::text::name(old), &patch).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_urls_of_the_api() {
        let core = Place::new("v1", "pods", "shop");
        assert_eq!(core.url("a"), "/api/v1/namespaces/shop/pods/a");
        let role = Place::new("rbac.authorization.k8s.io/v1", "clusterroles", "");
        let url = role.url("system:node");
        assert_eq!(
            url,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"
        );
    }
}
