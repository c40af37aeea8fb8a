//! An owed refresh and its row in the store.

use jiff::Timestamp;
use redb::{ReadableTable, Table, TableDefinition};

use crate::domain::scope::ObjectKey;
use crate::domain::target::{Target, TargetKind};

/// Delivery ids kept for a target: enough to find the pushes in the logs.
const DELIVERIES_KEPT: usize = 4;

/// Kind, namespace and name.
type Key = (&'static str, &'static str, &'static str);
/// First and last arrival in nanoseconds since 1970, count, and the last delivery ids.
type Row = (i128, i128, u64, Vec<&'static str>);

/// A change of the types needs a new name, and a look at what older versions left.
pub(super) const TABLE: TableDefinition<'static, Key, Row> = TableDefinition::new("owed.1");

/// A target that owes a refresh since before the process began, or since its senders were answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// What is to be refreshed.
    pub target: Target,
    /// When the first push arrived for which it is owed.
    pub first_arrival: Timestamp,
    /// When the last one arrived.
    pub last_arrival: Timestamp,
    /// How many there were.
    pub deliveries: u64,
    /// The ids of the last few, oldest first.
    pub delivery_ids: Vec<String>,
}

/// One delivery that owes refreshes.
pub(super) struct Delivery {
    pub(super) targets: Vec<Target>,
    pub(super) arrival: Timestamp,
    pub(super) id: String,
}

impl Owed {
    fn first(target: Target, delivery: &Delivery) -> Self {
        let Delivery { targets: _, arrival, id } = delivery;
        Self { target, first_arrival: *arrival, last_arrival: *arrival, deliveries: 1, delivery_ids: vec![id.clone()] }
    }

    fn joined_by(mut self, delivery: &Delivery) -> Self {
        self.first_arrival = self.first_arrival.min(delivery.arrival);
        self.last_arrival = self.last_arrival.max(delivery.arrival);
        self.deliveries = self.deliveries.saturating_add(1);
        if self.delivery_ids.len() >= DELIVERIES_KEPT {
            self.delivery_ids.drain(..=self.delivery_ids.len() - DELIVERIES_KEPT);
        }
        self.delivery_ids.push(delivery.id.clone());
        self
    }

    fn from_row(target: Target, (first, last, deliveries, ids): (i128, i128, u64, Vec<&str>)) -> Self {
        Self {
            target,
            first_arrival: time(first),
            last_arrival: time(last),
            deliveries,
            delivery_ids: ids.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Adds a delivery to what each of its targets owes.
pub(super) fn owe(table: &mut Table<'_, Key, Row>, delivery: &Delivery) -> Result<(), redb::Error> {
    for target in &delivery.targets {
        let key = key(target);
        let before = table.get(key)?.map(|row| Owed::from_row(target.clone(), row.value()));
        let owed = match before {
            Some(owed) => owed.joined_by(delivery),
            None => Owed::first(target.clone(), delivery),
        };
        let ids = owed.delivery_ids.iter().map(String::as_str).collect();
        let (first, last) = (owed.first_arrival.as_nanosecond(), owed.last_arrival.as_nanosecond());
        table.insert(key, (first, last, owed.deliveries, ids))?;
    }
    Ok(())
}

/// Removes a target to which nothing is owed that arrived after `up_to`. Returns whether it was there.
pub(super) fn settle(table: &mut Table<'_, Key, Row>, target: &Target, up_to: Timestamp) -> Result<bool, redb::Error> {
    let key = key(target);
    let settled = table.get(key)?.is_some_and(|row| row.value().1 <= up_to.as_nanosecond());
    if settled {
        table.remove(key)?;
    }
    Ok(settled)
}

/// Everything that is owed. A kind that a newer version wrote is left out and stays where it is.
pub(super) fn all(table: &impl ReadableTable<Key, Row>) -> Result<Vec<Owed>, redb::Error> {
    let mut all = Vec::new();
    for entry in table.iter()? {
        let (key, row) = entry?;
        let (kind, namespace, name) = key.value();
        if let Some(kind) =
            [TargetKind::Warehouse, TargetKind::Promotion].into_iter().find(|known| known.as_str() == kind)
        {
            let target = Target { kind, key: ObjectKey::new(namespace, name) };
            all.push(Owed::from_row(target, row.value()));
        }
    }
    Ok(all)
}

fn key(target: &Target) -> (&str, &str, &str) {
    (target.kind.as_str(), &target.key.namespace, &target.key.name)
}

/// What was written was a time; anything else counts as the latest one, so that it is settled never rather than early.
fn time(nanoseconds: i128) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(second: i64, id: &str) -> Delivery {
        Delivery { targets: Vec::new(), arrival: Timestamp::from_second(second).unwrap(), id: id.to_owned() }
    }

    #[test]
    fn whoever_joins_widens_the_time_and_the_last_few_ids_are_kept() {
        let target = Target { kind: TargetKind::Warehouse, key: ObjectKey::new("northwind", "storefront") };
        let mut owed = Owed::first(target, &delivery(50, "a"));
        for (second, id) in [(60, "b"), (40, "c"), (55, "d"), (56, "e"), (57, "f")] {
            owed = owed.joined_by(&delivery(second, id));
        }
        assert_eq!((owed.first_arrival.as_second(), owed.last_arrival.as_second()), (40, 60));
        assert_eq!(owed.deliveries, 6);
        assert_eq!(owed.delivery_ids, ["c", "d", "e", "f"]);
    }
}
