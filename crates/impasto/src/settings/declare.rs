//! One declaration for the settings of a command: its flags, its settings file, its JSON schema, its documentation and
//! its ranges are all made from it.

/// Declares a structure of settings, and another with every setting optional, over which files and flags lie.
///
/// First come `lists` and `files`, which only the optional structure has; then the settings, under the headings of the
/// help: `value` always has one, `option` may have none. Doc comments describe the setting everywhere; `#[arg(…)]` is for
/// `clap` (feature `clap`), where settings get `long` and their heading by themselves; `where` gives a
/// [`Range`](crate::settings::Range).
macro_rules! declare {
    (
        $(#[$name_meta:meta])*
        $name:ident over $(#[$settings_meta:meta])* $settings:ident
        lists { $($(#[doc = $list_doc:literal])+ $(#[arg($($list_arg:tt)*)])? $list:ident: $item:ty;)* }
        files { $($(#[doc = $file_doc:literal])+ $(#[arg($($file_arg:tt)*)])? $file:ident: $file_type:ty;)* }
        $(settings $heading:literal { $(
            $(#[doc = $doc:literal])+ $(#[arg($($arg:tt)*)])? $kind:ident $field:ident: $type:ty $(where $range:expr)?;
        )* })+
    ) => {
        $(#[$settings_meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $settings {
            $($($(#[doc = $doc])+ pub $field: $crate::settings::declared!(type $kind $type),)*)+
        }

        $(#[$name_meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[cfg_attr(feature = "clap", derive(clap::Args))]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $list_doc])+
                #[serde(skip_serializing_if = "Vec::is_empty")]
                $(#[cfg_attr(feature = "clap", arg($($list_arg)*))])?
                pub $list: Vec<$item>,
            )*
            $(
                $(#[doc = $file_doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                $(#[cfg_attr(feature = "clap", arg($($file_arg)*))])?
                pub $file: Option<$file_type>,
            )*
            $($(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                #[cfg_attr(feature = "clap", arg(long, help_heading = $heading, $($($arg)*)?))]
                pub $field: Option<$type>,
            )*)+
        }

        impl $crate::settings::Declared for $name {
            const KEYS: &'static [&'static str] =
                &[$(stringify!($list),)* $(stringify!($file),)* $($(stringify!($field),)*)+];
            const LISTS: &'static [&'static str] = &[$(stringify!($list)),*];
            const RANGES: &'static [(&'static str, $crate::settings::Range)] =
                &[$($($((stringify!($field), $range),)?)*)+];
        }

        impl $name {
            /// These over those: what both give is taken from these.
            pub fn over(self, under: Self) -> Self {
                Self {
                    $($list: if self.$list.is_empty() { under.$list } else { self.$list },)*
                    $($file: self.$file.or(under.$file),)*
                    $($($field: self.$field.or(under.$field),)*)+
                }
            }

            /// The settings: what is given here, the rest as it is there.
            fn over_settings(&self, under: $settings) -> $settings {
                $settings {
                    $($($field: $crate::settings::declared!(over $kind self.$field.clone(), under.$field),)*)+
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
                $crate::settings::read_toml(text, path)
            }
        }

        impl $settings {
            /// Checks every number that has a range.
            pub(crate) fn check_ranges(&self) -> Result<(), $crate::settings::SettingsError> {
                $($($($range.check($crate::settings::declared!(option $kind self.$field))?;)?)*)+
                Ok(())
            }
        }

        impl From<&$settings> for $name {
            /// Every setting as given, none left to a default.
            #[allow(clippy::needless_update, reason = "not every command has lists and files")]
            fn from(settings: &$settings) -> Self {
                let settings = settings.clone();
                Self {
                    $($($field: $crate::settings::declared!(option $kind settings.$field),)*)+
                    ..Self::default()
                }
            }
        }
    };
}

/// What differs between settings that always have a value and those that may have none.
macro_rules! declared {
    (type value $type:ty) => { $type };
    (type option $type:ty) => { Option<$type> };
    (over value $over:expr, $under:expr) => { $over.unwrap_or($under) };
    (over option $over:expr, $under:expr) => { $over.or($under) };
    (option value $value:expr) => { Some($value) };
    (option option $value:expr) => { $value };
}

pub(crate) use {declare, declared};
