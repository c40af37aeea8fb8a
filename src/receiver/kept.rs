//! Which headers a receiver may read, so that a request that is kept on disk holds no others.

use http::HeaderMap;

use crate::domain::kind::ReceiverKind;

/// Added by what stands between a sender and a receiver, or meant for it.
const ON_THE_WAY: [&str; 19] = [
    "client-cert",
    "client-cert-chain",
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-client-cert",
    "x-original-uri",
    "x-real-ip",
    "x-ssl-client-cert",
];

/// Removes every header that no receiver of this kind reads. The expressions of a `generic` one may read any header,
/// except those that are not the sender's.
pub fn keep_what_is_read(kind: ReceiverKind, headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().filter(|name| !is_read(kind, name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_read(kind: ReceiverKind, name: &str) -> bool {
    if ON_THE_WAY.contains(&name) || name.starts_with("x-forwarded-") {
        return false;
    }
    // All senders name their own headers so; `ce-` is CloudEvents.
    let is_own = name.starts_with("x-")
        || name.starts_with("ce-")
        || ["authorization", "content-type", "user-agent"].contains(&name);
    is_own || kind == ReceiverKind::Generic
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::super::{SamplePush, implementation};
    use super::*;
    use crate::domain::secret::Secret;

    #[test]
    fn every_header_of_every_signed_sample_is_kept() {
        for kind in ReceiverKind::ALL {
            let receiver = implementation(kind);
            let tags = [receiver.sample_qualifier().to_owned()];
            let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
            for event in receiver.events() {
                let sample = receiver.sample(event, &push).unwrap();
                let sample = receiver.sign(sample, &Secret::new(b"a secret that is long enough".to_vec()));
                let sent: HeaderMap = sample.headers.into_iter().collect();
                let mut kept = sent.clone();
                keep_what_is_read(kind, &mut kept);
                assert_eq!(kept, sent, "{} {event}", kind.as_str());
            }
        }
    }

    #[test]
    fn what_proxies_add_and_cookies_are_kept_for_no_receiver() {
        let headers = ["cookie", "x-forwarded-for", "x-real-ip", "accept", "x-own", "authorization"];
        let kept = |kind| {
            let mut all: HeaderMap = headers
                .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v")))
                .into_iter()
                .collect();
            keep_what_is_read(kind, &mut all);
            headers.into_iter().filter(|name| all.contains_key(*name)).collect::<Vec<_>>()
        };
        assert_eq!(kept(ReceiverKind::Quay), ["x-own", "authorization"]);
        assert_eq!(kept(ReceiverKind::Generic), ["accept", "x-own", "authorization"]);
    }
}
