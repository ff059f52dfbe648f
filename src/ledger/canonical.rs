//! The canonical form of JSON (RFC 8785) for the values that the format uses: strings, booleans,
//! null, arrays, objects with ASCII keys, and integers from 0 to 2^53 - 1.

use serde::Serialize;
use serde_json::Value;

use super::limits;

/// The canonical text of a value. Within the values that the format uses, `serde_json`'s compact
/// form with sorted keys is RFC 8785's, which a test holds it to.
pub fn to_canonical<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&serde_json::to_value(value)?)
}

/// Whether a value keeps to what the format uses, so that its canonical form is beyond doubt.
pub(super) fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_u64().is_some_and(|n| n <= limits::INTEGER),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(map) => map
            .iter()
            .all(|(key, value)| key.is_ascii() && is_plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..=limits::INTEGER).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,8}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn ours_is_the_form_of_rfc_8785(value in plain()) {
            prop_assert!(is_plain(&value));
            prop_assert_eq!(to_canonical(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }

    #[test]
    fn floats_negatives_and_large_numbers_are_not_plain() {
        for text in ["1.0", "-1", "9007199254740992", "{\"é\":1}", "[1e3]"] {
            assert!(!is_plain(&serde_json::from_str(text).unwrap()), "{text}");
        }
    }
}
