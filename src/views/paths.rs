//! Where things are found: the same paths for the router, the page and the command line.

/// What stands in front of a path whose answer is JSON.
pub const JSON: &str = "/api/v1";

/// The page of a delivery.
#[must_use]
pub fn delivery(id: &str) -> String {
    format!("/deliveries/{}", segment(id))
}

/// The page of a Warehouse.
#[must_use]
pub fn warehouse(namespace: &str, name: &str) -> String {
    format!("/warehouses/{}/{}", segment(namespace), segment(name))
}

/// One segment of a path, whatever it holds.
fn segment(text: &str) -> String {
    use std::fmt::Write;
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            write!(segment, "%{byte:02X}").ok();
        }
    }
    segment
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
