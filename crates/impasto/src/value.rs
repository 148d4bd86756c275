//! Values that are written as text, and what can be wrong with them.

/// A text that is none of the values that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is no {what}: use {expected}")]
pub struct ValueError {
    /// What was to be given.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// What could have been.
    pub expected: &'static str,
}

/// An enumeration with one name for each value, in text, TOML and JSON alike.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident, $what:literal, $expected:literal, { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),*
        }

        impl $type {
            /// All names.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $name),* })
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::value::ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant),)*
                    _ => Err($crate::value::ValueError { what: $what, value: text.into(), expected: $expected }),
                }
            }
        }

        $crate::value::text_in_serde!($type);

        $crate::value::inline_schema!($type, {"type": "string", "enum": Self::NAMES});
    };
}

/// The JSON schema of a value, which stands where the value is used.
macro_rules! inline_schema {
    ($type:ident, $($schema:tt)+) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($schema)+)
            }
        }
    };
}

/// Serde through `Display` and `FromStr`.
macro_rules! text_in_serde {
    ($type:ident) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {inline_schema, named, text_in_serde};
