//! What settings that may be given or not are made of, for painting and for training alike.

/// Declares the structure, its keys, how one lies over another, and how it becomes settings. The lists come first, then
/// files and names, then what every run has, what it may have, and tables.
macro_rules! overrides {
    (
        $(#[$doc:meta])*
        $name:ident over $settings:ident
        lists { $($list:ident: $item:ty),* $(,)? }
        files { $($file:ident: $file_type:ty),* $(,)? }
        settings { $($field:ident: $type:ty),* $(,)? }
        optional { $($optional:ident: $optional_type:ty),* $(,)? }
        tables { $($table:ident: $table_type:ty),* $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(#[serde(skip_serializing_if = "Vec::is_empty")] pub $list: Vec<$item>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $file: Option<$file_type>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $optional: Option<$optional_type>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $table: Option<$table_type>,)*
        }

        /// Every key of a settings file, lists first.
        const KEYS: &[&str] = &[
            $(stringify!($list),)* $(stringify!($file),)* $(stringify!($field),)* $(stringify!($optional),)*
            $(stringify!($table),)*
        ];

        /// The keys that hold lists, of which one may stand without brackets.
        const LISTS: &[&str] = &[$(stringify!($list)),*];

        impl $name {
            /// These over those: what both give is taken from these.
            pub fn over(self, under: Self) -> Self {
                Self {
                    $($list: if self.$list.is_empty() { under.$list } else { self.$list },)*
                    $($file: self.$file.or(under.$file),)*
                    $($field: self.$field.or(under.$field),)*
                    $($optional: self.$optional.or(under.$optional),)*
                    $($table: self.$table.or(under.$table),)*
                }
            }

            /// The settings: what is given here, the rest as it is there.
            fn over_settings(&self, under: $settings) -> $settings {
                $settings {
                    $($field: self.$field.clone().unwrap_or(under.$field),)*
                    $($optional: self.$optional.clone().or(under.$optional),)*
                    $($table: self.$table.clone().unwrap_or(under.$table),)*
                }
            }

            /// Reads a settings file. Paths in it are taken from the folder the program runs in, as on the command
            /// line.
            ///
            /// # Errors
            /// If it cannot be read, is not TOML, has an unknown key or a value of a wrong type.
            pub fn read(path: &std::path::Path) -> Result<Self, $crate::settings::SettingsError> {
                Self::from_toml(&$crate::settings::read_text(path)?, path)
            }

            /// Settings from TOML; `path` is named in errors.
            ///
            /// # Errors
            /// As [`Self::read`].
            pub fn from_toml(text: &str, path: &std::path::Path) -> Result<Self, $crate::settings::SettingsError> {
                $crate::settings::read_toml(text, path, KEYS, LISTS)
            }
        }

        impl From<&$settings> for $name {
            /// Every setting as given, none left to a default.
            fn from(settings: &$settings) -> Self {
                let settings = settings.clone();
                Self {
                    $($field: Some(settings.$field),)*
                    $($optional: settings.$optional,)*
                    $($table: Some(settings.$table),)*
                    ..Self::default()
                }
            }
        }
    };
}

pub(crate) use overrides;
