//! Quay.io and self-hosted Quay ("Webhook POST" notifications).
//!
//! Quay signs nothing: the unguessable path is the credential. It sends no event name either, so the kind is read from
//! the query (`?event=`), from the envelope of a POST template, or from the members that only one kind has. Quay
//! disables a notification after three failures in a row, so every authentic request is acknowledged.

mod sample;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::{normalize_chart, normalize_image};
use crate::domain::secret::Secret;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::read::registry_event::{Meaning, named};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Quay receiver.
pub struct Quay;

impl Receiver for Quay {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        read(request, settings.credentials.body_token.as_ref())
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "quay.io/northwind/storefront"
    }

    /// Quay sends exactly one header of its own.
    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        Some(Sample::json(&sample::sample(event, push.repository, push.qualifiers)?))
    }
}

fn read(request: &Request<'_>, token: Option<&Secret>) -> Result<Verdict, Rejection> {
    let text = json::prepared(request.body)?;
    let (envelope, subject) = opened(Value::parse(&text)?)?;
    if let Some(token) = token {
        let presented = envelope.as_ref().and_then(|envelope| envelope.token.as_deref());
        let presented = presented.ok_or(Rejection::Unauthorized("missing token"))?;
        if !token.verify_eq(presented.as_bytes()) {
            return Err(Rejection::Unauthorized("unauthorized"));
        }
    }
    let names = [request.query_value("event"), envelope.and_then(|envelope| envelope.event)];
    let named = names.into_iter().flatten().next().and_then(|name| named(&EVENTS, &name));
    let (event, (meaning, member)) = named.unwrap_or_else(|| subject.recognised());

    let (urls, tags) = match &subject {
        Subject::Event(body) => (vec![body.text("docker_url")?], member.map(|key| tags(body, key)).unwrap_or_default()),
        Subject::Texts { repositories, tags } => (repositories.clone(), tags.clone()),
    };
    // A Quay repository may hold images and charts, and the body does not say which.
    let repositories = urls.iter().flat_map(|url| [normalize_image(url), normalize_chart(url)]).collect();
    let push = PushEvent::new(event.into(), repositories, tags);
    Ok(match meaning {
        Meaning::Nothing(because) => Verdict::Ignored(IgnoredEvent::about(push, because)),
        Meaning::Push if push.repositories.is_empty() => Verdict::Ignored(IgnoredEvent::about(push, NO_REPOSITORY)),
        Meaning::Push => Verdict::of_tags(push),
    })
}

/// Why a push without a repository asks for nothing. Quay itself always names it; a template may leave it out.
const NO_REPOSITORY: &str =
    "the body names no repository; put ${$}, or docker_url with the value ${docker_url}, into the POST template";

/// What the recommended POST template `{"event":…,"token":…,"data":"${$}"}` has around the event.
struct Envelope {
    event: Option<String>,
    token: Option<String>,
}

/// What a body says, without its envelope.
enum Subject<'a> {
    /// The event as Quay writes it, or some of its members.
    Event(Object<'a>),
    /// What is left of it when the result of a POST template is a string or a list.
    Texts { repositories: Vec<String>, tags: Vec<String> },
}

/// Takes the event out of its envelope; a bare body stays itself.
fn opened(body: Value<'_>) -> Result<(Option<Envelope>, Subject<'_>), Malformed> {
    let Ok(members) = body.object() else { return Ok((None, Subject::of_template(body)?)) };
    let data = members.last("data").filter(|_| !members.has("docker_url") && !members.has("updated_tags"));
    let data = match data {
        Some(data) if data.is_object() => Subject::Event(data.object()?),
        Some(data) if data.string().is_some() || data.array().is_some() => Subject::of_template(data)?,
        _ => return Ok((None, Subject::Event(members))),
    };
    let text = |key| members.last(key).and_then(Value::string);
    Ok((Some(Envelope { event: text("event"), token: text("token") }), data))
}

impl<'a> Subject<'a> {
    /// Reads a template's result other than an object, such as `"quay.io/a/b"` or `["quay.io/a/b", ["1.0"]]`.
    ///
    /// A text beside the repository may be anything, so it does not count as a tag: with no tag every subscriber is
    /// refreshed. A list within the list can only be one of tags.
    fn of_template(value: Value<'a>) -> Result<Self, Malformed> {
        let elements = value.array().unwrap_or_else(|| vec![value]);
        if let Some(event) = elements.iter().find(|element| element.is_object()) {
            return Ok(Self::Event(event.object()?));
        }
        let (mut repositories, mut tags) = (Vec::new(), Vec::new());
        for element in elements {
            if let Some(text) = element.string() {
                let Some((repository, tag)) = reference(&text) else { continue };
                repositories.push(repository.to_owned());
                tags.extend(tags_in_text(tag));
            } else {
                tags.extend(element.array().unwrap_or_default().into_iter().filter_map(Value::string));
            }
        }
        Ok(Self::Texts { repositories, tags })
    }

    /// Recognises the event by the members that only it has. A body with nothing but a repository counts as a push:
    /// "something changed there" is the safe reading.
    fn recognised(&self) -> (&'static str, (Meaning, Option<&'static str>)) {
        let Self::Event(body) = self else { return EVENTS[0] };
        let name = if body.has("threshold_percent") {
            "quota"
        } else if body.has("vulnerability") {
            "vulnerability_found"
        } else if body.has("build_id") {
            if body.has("is_manual") { "build_queued" } else { "build" }
        } else if body.has("expiring_in") {
            "repo_image_expiry"
        } else if body.has("message") && !body.has("updated_tags") {
            "repo_mirror_sync"
        } else {
            "repo_push"
        };
        named(&EVENTS, name).unwrap_or(EVENTS[0])
    }
}

/// Takes `host/namespace/name:tag` apart; `None` for a text that names no registry.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (host, path) = text.split_once('/')?;
    let is_host = host == "localhost" || (host.contains(['.', ':']) && !host.ends_with(':'));
    if !is_host || text.contains(char::is_whitespace) {
        return None;
    }
    let tag = path.split_once(':').map_or("", |(_, tag)| tag);
    Some((text.strip_suffix(tag).map_or(text, |rest| rest.trim_end_matches(':')), tag))
}

const PUSHED_TAGS: Option<&str> = Some("updated_tags");
const FOUND_TAGS: Option<&str> = Some("tags");
const BUILT_TAGS: Option<&str> = Some("docker_tags");
const BUILD: Meaning =
    Meaning::Nothing("a build event changes no tag; the push that follows is announced as repo_push");
const QUOTA: Meaning = Meaning::Nothing("a quota event names no repository");

/// Every event that Quay sends: its name, what it means, and the member with its tags. Three more stand for the events
/// of one family whose name is not sent and whose shape is the same.
const EVENTS: [(&str, (Meaning, Option<&str>)); 16] = [
    ("repo_push", (Meaning::Push, PUSHED_TAGS)),
    ("repo_mirror_sync", (Meaning::Push, PUSHED_TAGS)),
    ("repo_mirror_sync_started", (Meaning::Nothing("a mirror synchronisation has only begun"), PUSHED_TAGS)),
    ("repo_mirror_sync_success", (Meaning::Push, PUSHED_TAGS)),
    (
        "repo_mirror_sync_failed",
        (
            Meaning::Nothing("a mirror synchronisation failed; tags that did arrive are announced one by one"),
            PUSHED_TAGS,
        ),
    ),
    ("vulnerability_found", (Meaning::Nothing("a vulnerability report changes no tag"), FOUND_TAGS)),
    ("build_queued", (BUILD, BUILT_TAGS)),
    ("build", (BUILD, BUILT_TAGS)),
    ("build_start", (BUILD, BUILT_TAGS)),
    ("build_success", (BUILD, BUILT_TAGS)),
    ("build_failure", (BUILD, BUILT_TAGS)),
    ("build_cancelled", (BUILD, BUILT_TAGS)),
    ("repo_image_expiry", (Meaning::Nothing("an expiry notice changes no tag"), FOUND_TAGS)),
    ("quota_warning", (QUOTA, None)),
    ("quota_error", (QUOTA, None)),
    ("quota", (QUOTA, None)),
];

/// Tags as a list, as a map with the tags as keys, or as the string into which a POST template collapses a list.
///
/// Duplicates of the member decode over one another as in Go: `null` in a list keeps what stood there before.
fn tags(body: &Object<'_>, key: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    let mut length = 0;
    for value in body.all(key) {
        if value.is_null() {
            tags.clear();
            length = 0;
        } else if let Some(elements) = value.array() {
            length = elements.len();
            tags.resize(tags.len().max(length), String::new());
            for (tag, element) in tags.iter_mut().zip(elements).filter(|(_, element)| !element.is_null()) {
                *tag = element.string().or_else(|| element.number().map(str::to_owned)).unwrap_or_default();
            }
        } else {
            tags = match value.object() {
                Ok(members) => members.keys().map(str::to_owned).collect(),
                Err(Malformed) => value.string().map(|text| tags_in_text(&text)).unwrap_or_default(),
            };
            length = tags.len();
        }
    }
    tags.truncate(length);
    tags.retain(|tag| !tag.is_empty());
    tags
}

/// A template writes one tag as it is, several separated by commas, one inline as Python's `['1.0']`, none as `(none)`.
fn tags_in_text(text: &str) -> Vec<String> {
    text.trim_matches(|c: char| matches!(c, '[' | ']') || c.is_whitespace())
        .split(',')
        .map(|tag| tag.trim_matches(|c: char| matches!(c, '\'' | '"') || c.is_whitespace()))
        .filter(|tag| !tag.is_empty() && !matches!(*tag, "(none)" | "null" | "None"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
