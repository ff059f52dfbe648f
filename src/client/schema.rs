//! JSON Schemas of the types that views are made of. Ids, names and keys are strings in JSON.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::code::Code;
use super::list::Bounded;
use crate::charter::{MemberName, PublicKey, RefName, RefPattern};
use crate::consensus::Subject;
use crate::id::{Digest, EntryId, Oid};

macro_rules! text {
    ($($type:ty, $name:literal, $pattern:literal, $description:literal;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "pattern": $pattern, "description": $description,
                })
            }
        }
    )*};
}

text! {
    EntryId, "EntryId", "^[0-9a-f]{64}$", "The id of an entry, a proposal, a charter or a ledger.";
    Digest, "Digest", "^[0-9a-f]{64}$", "A SHA-256 digest.";
    Oid, "Oid", "^[0-9a-f]{40}$", "The id of a Git object.";
    MemberName, "MemberName", "^[a-z0-9][a-z0-9-]{0,31}$", "The name of a member, a role or a fault domain.";
    RefName, "RefName", "^refs/", "A full ref name.";
    RefPattern, "RefPattern", "^refs/", "A full ref name, or a prefix that ends in a star.";
    PublicKey, "PublicKey", "^ssh-ed25519 ", "A public key in OpenSSH form.";
    Subject, "Subject", "^(charter$|refs/)", "What a decision is about: a full ref name, or `charter`.";
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({
            "type": "string",
            "enum": names,
            "description": "Why an answer is not a plain success.",
        })
    }
}

impl<T: JsonSchema> JsonSchema for Bounded<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "description": "The first items of a list, and how many more there are.",
            "properties": {
                "shown": {"type": "array", "items": item},
                "more": {"type": "integer", "minimum": 0},
            },
            "required": ["shown", "more"],
            "additionalProperties": false,
        })
    }
}
