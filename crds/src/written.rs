//! Values that manifests write as a text of one form.

/// Reads and writes a type by its `FromStr` and `Display`, and shows it to the schema as a string.
macro_rules! written {
    ($type:ident, $error:ident, $schema:tt) => {
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        crate::written::shown!($type, $schema);
    };
}

/// Shows a type to the schema as a string, wherever it is used.
macro_rules! shown {
    ($type:ident, $schema:tt) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

pub(crate) use {shown, written};
