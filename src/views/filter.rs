//! Which deliveries somebody asks for; the same for the query of a view, the command line and the page.

use std::fmt::Write;

use jiff::Timestamp;

use crate::journal::record::Record;

/// Deliveries that are listed unless more are asked for.
const DEFAULT_LIMIT: usize = 50;
/// Deliveries that are listed at most.
const MOST: usize = 10_000;

/// What a delivery has to be like; an absent member says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `NAME` of a receiver, or `PROJECT/NAME`.
    pub receiver: Option<String>,
    /// `NAMESPACE/NAME` of a Warehouse that it refreshes or almost does.
    pub warehouse: Option<String>,
    /// A part of the name of a repository.
    pub repository: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The earliest arrival.
    pub since: Option<Timestamp>,
    /// How many are listed at most.
    pub limit: Option<usize>,
}

impl Filter {
    /// Reads a query string.
    ///
    /// # Errors
    /// What is wrong with it, in words for a person.
    pub fn from_query(query: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                continue;
            }
            let value = value.into_owned();
            match &*key {
                "receiver" => filter.receiver = Some(value),
                "warehouse" => filter.warehouse = Some(value),
                "repository" => filter.repository = Some(value),
                "outcome" => filter.outcome = Some(value),
                "since" => {
                    let since =
                        value.parse().map_err(|_| "since must be a time such as 2026-01-31T12:00:00Z".to_owned())?;
                    filter.since = Some(since);
                }
                "limit" => {
                    filter.limit = Some(value.parse().map_err(|_| "limit must be a number".to_owned())?);
                }
                _ => {
                    return Err(
                        "the query may hold receiver, warehouse, repository, outcome, since and limit".to_owned()
                    );
                }
            }
        }
        if filter.warehouse.as_ref().is_some_and(|warehouse| !warehouse.contains('/')) {
            return Err("write warehouse as NAMESPACE/NAME".to_owned());
        }
        Ok(filter)
    }

    /// The query string that [`Self::from_query`] reads.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                query.append_pair(key, value);
            }
        };
        put("receiver", self.receiver.as_deref());
        put("warehouse", self.warehouse.as_deref());
        put("repository", self.repository.as_deref());
        put("outcome", self.outcome.as_deref());
        let mut query = query.finish();
        let mut number = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let separator = if query.is_empty() { "" } else { "&" };
                // Writing to a text cannot fail.
                write!(query, "{separator}{key}={value}").ok();
            }
        };
        number("since", self.since.map(|since| since.to_string()));
        number("limit", self.limit.map(|limit| limit.to_string()));
        query
    }

    /// How many deliveries are listed at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT).min(MOST)
    }

    /// Whether a delivery is one of those.
    #[must_use]
    pub fn passes(&self, record: &Record) -> bool {
        let receiver = self.receiver.as_deref().is_none_or(|wanted| match wanted.rsplit_once('/') {
            Some((project, name)) => record.project == project && record.receiver == name,
            None => record.receiver == wanted,
        });
        let warehouse = self.warehouse.as_deref().and_then(|wanted| wanted.split_once('/'));
        let names = &record.repositories.first;
        receiver
            && warehouse.is_none_or(|(namespace, name)| record.concerns(namespace, name))
            && self.repository.as_deref().is_none_or(|part| names.iter().any(|name| name.contains(part)))
            && self.outcome.as_deref().is_none_or(|outcome| record.outcome == outcome)
            && self.since.is_none_or(|since| record.time >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::Names;

    #[test]
    fn a_query_reads_what_it_writes() {
        let filter = Filter {
            receiver: Some("northwind/quay".to_owned()),
            repository: Some("a b&c".to_owned()),
            since: Some("2026-01-31T12:00:00Z".parse().unwrap()),
            limit: Some(3),
            ..Filter::default()
        };
        assert_eq!(Filter::from_query(&filter.query()), Ok(filter));
        assert_eq!(Filter::from_query(""), Ok(Filter::default()));
        assert_eq!(Filter::from_query("outcome=&receiver="), Ok(Filter::default()));
        for wrong in ["since=yesterday", "limit=-1", "warehouse=app", "reciever=quay"] {
            assert!(Filter::from_query(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_member_narrows_down() {
        let record = Record {
            project: "northwind".to_owned(),
            receiver: "quay".to_owned(),
            outcome: "refreshed".to_owned(),
            time: Timestamp::from_second(10).unwrap(),
            repositories: Names::of(&["quay.io/northwind/storefront"]),
            ..Record::default()
        };
        for query in [
            "receiver=quay",
            "receiver=northwind/quay",
            "repository=storefront",
            "outcome=refreshed",
            "since=1970-01-01T00:00:10Z",
        ] {
            assert!(Filter::from_query(query).unwrap().passes(&record), "{query}");
        }
        for query in [
            "receiver=gitlab",
            "receiver=contoso/quay",
            "repository=backend",
            "outcome=ignored",
            "since=1970-01-01T00:00:11Z",
            "warehouse=northwind/app",
        ] {
            assert!(!Filter::from_query(query).unwrap().passes(&record), "{query}");
        }
    }
}
