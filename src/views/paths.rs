//! Where things are found: the same paths for the router, the page and the command line.

use crate::domain::percent::escaped;

/// What stands in front of a path whose answer is JSON.
pub const JSON: &str = "/api/v1";

/// The page of a delivery.
#[must_use]
pub fn delivery(id: &str) -> String {
    format!("/deliveries/{}", escaped(id.as_bytes()))
}

/// The page of a Warehouse.
#[must_use]
pub fn warehouse(namespace: &str, name: &str) -> String {
    format!("/warehouses/{}/{}", escaped(namespace.as_bytes()), escaped(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(warehouse("kargo-demo", "app"), "/warehouses/kargo-demo/app");
        assert_eq!(delivery("a/b c?d#é"), "/deliveries/a%2Fb%20c%3Fd%23%C3%A9");
    }
}
