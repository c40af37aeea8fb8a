//! A request that was taken in before it could be verified, and its row in the store.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use redb::{ReadableTable, Table, TableDefinition};
use zeroize::Zeroizing;

/// Arrival in nanoseconds since 1970, delivery id, path and query, headers, body.
type Row = RowOf<'static>;
type RowOf<'a> = (i128, &'a str, &'a str, Vec<(&'a str, &'a [u8])>, &'a [u8]);

/// A change of the types needs a new name, and a look at what older versions left.
pub(super) const TABLE: TableDefinition<'static, u64, Row> = TableDefinition::new("intake.1");

/// A reader gets this many requests at a time, or this many bytes.
const PAGE_REQUESTS: usize = 64;
const PAGE_BYTES: u64 = 4 * 1024 * 1024;

/// What a request costs besides its content.
const OVERHEAD: usize = 128;

/// A whole POST request. It holds credentials that were not checked, so it has no `Debug`.
pub struct TakenIn {
    /// When its last byte arrived.
    pub arrival: Timestamp,
    /// The id under which it was answered.
    pub delivery_id: String,
    /// Path and query as they were sent. The path is a credential.
    pub path_and_query: Zeroizing<String>,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Names a request that was taken in; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IntakeId(pub(super) u64);

/// How many requests there are, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Their number.
    pub requests: u64,
    /// What they occupy on disk: the store rounds large values up to a power of two.
    pub bytes: u64,
}

impl Tally {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self { requests: self.requests + other.requests, bytes: self.bytes + other.bytes }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self { requests: self.requests.saturating_sub(other.requests), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

impl TakenIn {
    /// The path as it was sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_query.split_once('?').map_or(&*self.path_and_query, |(path, _)| path)
    }

    /// The query as it was sent, without its question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.path_and_query.split_once('?').map(|(_, query)| query)
    }

    /// What it will cost.
    pub(super) fn tally(&self) -> Tally {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        tally(&self.path_and_query, headers, &self.body)
    }

    /// Reads a row. It is public for fuzzing.
    #[must_use]
    pub fn from_row((arrival, id, path_and_query, headers, body): RowOf<'_>) -> Self {
        // What was written was valid. Whatever is not any more is left out, and the request then fails its
        // verification.
        let header = |(name, value): (&str, &[u8])| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
        };
        Self {
            arrival: Timestamp::from_nanosecond(arrival).unwrap_or(Timestamp::MAX),
            delivery_id: id.to_owned(),
            path_and_query: Zeroizing::new(path_and_query.to_owned()),
            headers: headers.into_iter().filter_map(header).collect(),
            body: Bytes::copy_from_slice(body),
        }
    }
}

fn tally<'a>(path_and_query: &str, headers: impl Iterator<Item = (&'a str, &'a [u8])>, body: &[u8]) -> Tally {
    let headers: usize = headers.map(|(name, value)| name.len() + value.len() + size_of::<u64>()).sum();
    let size = (OVERHEAD + path_and_query.len() + headers + body.len()).next_power_of_two();
    Tally { requests: 1, bytes: size as u64 }
}

/// Puts a request at the end.
pub(super) fn put(table: &mut Table<'_, u64, Row>, id: IntakeId, request: &TakenIn) -> Result<(), redb::Error> {
    let TakenIn { arrival, delivery_id, path_and_query, headers, body } = request;
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    table.insert(id.0, (arrival.as_nanosecond(), &**delivery_id, &***path_and_query, headers, &**body))?;
    Ok(())
}

/// Removes a request. Returns what it cost, if it was there.
pub(super) fn remove(table: &mut Table<'_, u64, Row>, id: IntakeId) -> Result<Option<Tally>, redb::Error> {
    Ok(table.remove(id.0)?.map(|row| TakenIn::from_row(row.value()).tally()))
}

/// The oldest requests after this one.
pub(super) fn page(
    table: &impl ReadableTable<u64, Row>,
    after: Option<IntakeId>,
) -> Result<Vec<(IntakeId, TakenIn)>, redb::Error> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for entry in table.range(after.map_or(0, |IntakeId(id)| id.saturating_add(1))..)? {
        let (id, row) = entry?;
        let request = TakenIn::from_row(row.value());
        bytes += request.tally().bytes;
        page.push((IntakeId(id.value()), request));
        if page.len() >= PAGE_REQUESTS || bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

/// What all requests cost, and the id that follows the last one.
pub(super) fn survey(table: &impl ReadableTable<u64, Row>) -> Result<(Tally, u64), redb::Error> {
    let (mut total, mut next) = (Tally::default(), 0);
    for entry in table.iter()? {
        let (id, row) = entry?;
        total = total.plus(TakenIn::from_row(row.value()).tally());
        next = id.value().saturating_add(1);
    }
    Ok((total, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_what_was_sent() {
        let sent = |text: &str| TakenIn {
            arrival: Timestamp::UNIX_EPOCH,
            delivery_id: String::new(),
            path_and_query: Zeroizing::new(text.to_owned()),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        assert_eq!((sent("/quay/ab").path(), sent("/quay/ab").query()), ("/quay/ab", None));
        let both = sent("/quay/ab?a=b?c");
        assert_eq!((both.path(), both.query()), ("/quay/ab", Some("a=b?c")));
        assert_eq!(sent("/quay/ab?").query(), Some(""));
    }
}
