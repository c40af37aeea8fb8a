//! The one write that Quayside is for: the refresh annotation on a Warehouse or Promotion, with its cause beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt;
use serde::{Serialize, Serializer};
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

use super::cause::{CAUSE_ANNOTATION, Cause};
use super::outcome::PatchOutcome;
use crate::domain::scope::ObjectKey;
use crate::domain::target::{Target, TargetKind};

/// The annotation that Kargo's controllers watch.
pub const REFRESH_ANNOTATION: &str = "kargo.akuity.io/refresh";
/// Who the API server records as the author of the annotation.
pub const FIELD_MANAGER: &str = "quayside";

/// A PATCH that takes longer is given up and repeated. Generous, because the sender does not wait for it: its answer is
/// due at the acknowledgement deadline.
const PATCH_TIMEOUT: Duration = Duration::from_secs(15);
/// Only the status object of a failed call is read; the API server's are small.
const MAX_MESSAGE_CHARS: usize = 512;

/// Asks for the whole object, which is the cheapest for the API server while objects are small.
const ACCEPT_WHOLE: &str = "application/json";
/// Asks for the metadata only: a Warehouse with many discovered artifacts is mostly status.
const ACCEPT_METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

/// From this size on, the metadata is worth extracting.
const LARGE_ANSWER_BYTES: usize = 4096;
/// One write in so many asks for the whole object, to see how large objects are by now.
const PROBE_EVERY: u32 = 256;

/// How large the objects of this cluster are, judging by the answers so far.
#[derive(Default)]
struct Sizes {
    writes: AtomicU32,
    large: AtomicBool,
}

impl Sizes {
    /// Whether the next write should ask for the whole object.
    fn ask_whole(&self) -> bool {
        let probe = self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(PROBE_EVERY);
        probe || !self.large.load(Ordering::Relaxed)
    }

    fn saw_whole(&self, bytes: usize) {
        self.large.store(bytes >= LARGE_ANSWER_BYTES, Ordering::Relaxed);
    }
}

/// Writes one token onto one target, and why.
pub trait Patch: Send + Sync {
    /// Makes one attempt.
    fn patch<'a>(&'a self, target: &'a Target, token: &'a str, cause: &'a Cause) -> BoxFuture<'a, PatchOutcome>;
}

/// Writes refresh annotations through the API server.
///
/// It has a connection pool of its own and, unlike [`kube::Client`], no queue in front of it: the task that wants the
/// write drives it.
#[derive(Clone)]
pub struct Patcher {
    service: BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>,
    sizes: Arc<Sizes>,
    names_cause: bool,
}

impl Patcher {
    /// A patcher for the API server of a configuration, which writes the cause of a refresh beside it or not. It never
    /// retries; [`crate::refresh`] decides about that.
    ///
    /// # Errors
    /// When the configuration's TLS or authentication settings cannot be used.
    pub fn new(config: &kube::Config, names_cause: bool) -> kube::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(config.connect_timeout);
        let tls = config.rustls_https_connector_with_connector(tcp)?;
        let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(tls);
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .map_err(BoxError::from)
            .service(client);
        Ok(Self { service: BoxCloneSyncService::new(service), sizes: Arc::default(), names_cause })
    }

    async fn exchange(&self, target: &Target, token: &str, cause: &Cause) -> PatchOutcome {
        // Promotions are few and say nothing about the size of Warehouses.
        let whole = target.kind == TargetKind::Warehouse && self.sizes.ask_whole();
        let cause = self.names_cause.then(|| cause.as_str());
        let accept = if whole { ACCEPT_WHOLE } else { ACCEPT_METADATA };
        let Some(request) = request(target, &Annotations { token, cause }, accept) else {
            return PatchOutcome::Gone;
        };
        let exchange = async {
            let response = self.service.clone().oneshot(request).await.ok()?;
            let (status, retry_after) = (response.status(), retry_after(&response));
            // The body is read to its end so that the connection can be used again.
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, retry_after, body))
        };
        let Some((status, retry_after, body)) = timeout(PATCH_TIMEOUT, exchange).await.ok().flatten() else {
            return PatchOutcome::UNREACHABLE;
        };
        if whole && status.is_success() {
            self.sizes.saw_whole(body.len());
        }
        classify(status, retry_after, &body)
    }
}

impl Patch for Patcher {
    fn patch<'a>(&'a self, target: &'a Target, token: &'a str, cause: &'a Cause) -> BoxFuture<'a, PatchOutcome> {
        self.exchange(target, token, cause).boxed()
    }
}

/// What a refresh writes, all at once.
struct Annotations<'a> {
    token: &'a str,
    /// `None` leaves what is there.
    cause: Option<&'a str>,
}

impl Annotations<'_> {
    /// The merge patch that sets them and nothing else.
    fn merge_patch(&self) -> Option<Vec<u8>> {
        let mut patch = Vec::with_capacity(512);
        patch.extend_from_slice(br#"{"metadata":{"annotations":"#);
        self.serialize(&mut serde_json::Serializer::new(&mut patch)).ok()?;
        patch.extend_from_slice(b"}}");
        Some(patch)
    }
}

impl Serialize for Annotations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { token, cause } = self;
        let set = [Some((REFRESH_ANNOTATION, *token)), cause.map(|cause| (CAUSE_ANNOTATION, cause))];
        serializer.collect_map(set.into_iter().flatten())
    }
}

fn request(target: &Target, annotations: &Annotations<'_>, accept: &'static str) -> Option<Request<Full<Bytes>>> {
    let Target { kind, key: ObjectKey { namespace, name } } = target;
    let plural = kind.plural();
    let uri =
        format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{namespace}/{plural}/{name}?fieldManager={FIELD_MANAGER}");
    Request::builder()
        .method(Method::PATCH)
        .uri(uri)
        .header(header::ACCEPT, accept)
        .header(header::CONTENT_TYPE, "application/merge-patch+json")
        .body(Full::from(annotations.merge_patch()?))
        .ok()
}

fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn classify(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> PatchOutcome {
    match status.as_u16() {
        200..300 => PatchOutcome::Written,
        404 if is_not_found(body) => PatchOutcome::Gone,
        // 401 passes: a ServiceAccount token is renewed. 409 passes: another client wrote at the same time.
        // So does a 404 that does not come from the API server's storage: a proxy, or a CRD that is being replaced.
        401 | 404 | 409 | 429 | 500.. => PatchOutcome::Failed { status: Some(status.as_u16()), retry_after },
        refused => PatchOutcome::Refused { status: refused, message: message(body).into() },
    }
}

/// Whether a `Status` object says that there is no such object.
fn is_not_found(body: &[u8]) -> bool {
    let status: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    status["reason"] == "NotFound"
}

/// The message of a `Status` object.
fn message(body: &[u8]) -> String {
    let status: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    status["message"].as_str().unwrap_or_default().chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_fall_into_retry_classes() {
        let of = |status: u16| classify(StatusCode::from_u16(status).unwrap(), None, b"{\"message\":\"no\"}");
        assert_eq!(of(200), PatchOutcome::Written);
        let gone = classify(StatusCode::NOT_FOUND, None, br#"{"kind":"Status","reason":"NotFound"}"#);
        assert_eq!(gone, PatchOutcome::Gone);
        let elsewhere = classify(StatusCode::NOT_FOUND, None, b"404 page not found");
        assert_eq!(elsewhere.label(), "server_error");
        for status in [400, 403, 422] {
            assert_eq!(of(status), PatchOutcome::Refused { status, message: "no".into() });
        }
        for (status, label) in [(401, "server_error"), (409, "server_error"), (429, "throttled"), (500, "server_error")]
        {
            assert_eq!(of(status).label(), label, "{status}");
        }
    }

    #[test]
    fn large_objects_are_asked_for_by_their_metadata_and_looked_at_again_now_and_then() {
        let sizes = Sizes::default();
        assert!(sizes.ask_whole());
        sizes.saw_whole(LARGE_ANSWER_BYTES);
        assert!(!sizes.ask_whole());
        let probes = (0..PROBE_EVERY).filter(|_| sizes.ask_whole()).count();
        assert_eq!(probes, 1);
        sizes.saw_whole(LARGE_ANSWER_BYTES - 1);
        assert!(sizes.ask_whole());
    }

    #[test]
    fn the_request_is_a_merge_patch_of_the_annotations_alone() {
        let key = || ObjectKey::new("northwind", "storefront");
        let annotations = Annotations { token: "t", cause: None };
        let promotion = request(&Target::promotion(key()), &annotations, ACCEPT_WHOLE).unwrap();
        assert!(promotion.uri().path().ends_with("/namespaces/northwind/promotions/storefront"));
        let request = request(&Target::warehouse(key()), &annotations, ACCEPT_WHOLE).unwrap();
        assert_eq!(
            request.uri(),
            "/apis/kargo.akuity.io/v1alpha1/namespaces/northwind/warehouses/storefront?fieldManager=quayside"
        );
        assert_eq!(request.headers()[header::CONTENT_TYPE], "application/merge-patch+json");
    }

    #[test]
    fn the_cause_is_in_the_same_patch_or_not_mentioned_at_all() {
        let patch = |cause| String::from_utf8(Annotations { token: "t", cause }.merge_patch().unwrap()).unwrap();
        assert_eq!(patch(None), r#"{"metadata":{"annotations":{"kargo.akuity.io/refresh":"t"}}}"#);
        let cause = Cause::delivery("d1", "northwind", "quay", "repo_push");
        let patched: serde_json::Value = serde_json::from_str(&patch(Some(cause.as_str()))).unwrap();
        let annotations = json!({"kargo.akuity.io/refresh": "t", "quayside.dev/last-refresh-cause": cause.as_str()});
        assert_eq!(patched, json!({"metadata": {"annotations": annotations}}));
    }
}
