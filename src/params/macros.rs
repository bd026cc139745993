//! The macros that declare parameters.
//!
//! A struct is the one definition of a kind's parameters: everything else follows from its fields.

/// Declares the parameters of a kind: a struct with a doc, a range and a default for each field. Scenario files, `--set`, the
/// JSON Schema, the reference file and messages know the keys from it, and the kind is built from its values.
///
/// The doc of the struct is the summary of the kind. A field without a default must be given. The types are `f64`,
/// `u32`, `u64`, `usize` and `i64` with a range, [`Count`](crate::params::Count) with a range and the default `Count::All`,
/// `bool`, `String` (with a list of words as its range, one of them), [`PathBuf`](std::path::PathBuf) (relative to the
/// folder of the scenario file, from code to the current folder), [`Texts`](crate::params::Texts),
/// [`PolicyTable`](crate::params::PolicyTable), [`PolicyTables`](crate::params::PolicyTables), and an enum of
/// [`words!`](crate::words). Flags and words need a default. With `#[key(NAME)]` a field has the doc, range and default of a
/// [`shared_key!`](crate::shared_key).
///
/// ```
/// use recmirror::params::Parameters;
///
/// recmirror::words! {
///     /// Who is asked first.
///     pub enum Order { Oldest = "oldest", Newest = "newest" }
/// }
///
/// recmirror::parameters! {
///     /// asks users one after the other
///     pub struct QueueParameters = "queue" {
///         /// users who are asked at one step
///         #[range(1..=100)]
///         users: usize = 10,
///         /// seconds that one answer takes
///         #[range(0.0..=60.0)]
///         pause: f64,
///         /// who is asked first
///         order: Order = Order::Oldest,
///     }
/// }
///
/// let queue = QueueParameters::read(&toml::from_str("pause = 2").expect("TOML"))?;
/// assert_eq!(queue, QueueParameters { pause: 2.0, ..Default::default() });
/// assert_eq!((queue.users, queue.order), (10, Order::Oldest));
/// assert_eq!(QueueParameters::KEYS[1].doc, "seconds that one answer takes");
/// assert!(QueueParameters::read(&toml::Table::new()).is_err());
/// assert!(QueueParameters::default().pause.is_nan(), "it must be given");
/// let problem = QueueParameters::read(&toml::from_str("pause = 'long'").expect("TOML")).expect_err("a text");
/// assert!(problem.to_string().contains("`pause`"), "{problem}");
/// # Ok::<(), recmirror::params::ParameterError>(())
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[doc = $summary:literal])+
        $visibility:vis struct $name:ident = $kind:literal {
            $(
                $(#[doc = $doc:literal])*
                $(#[range($range:expr)])?
                $(#[key($key:ident)])?
                $field:ident: $type:ident $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        #[doc = concat!("The parameters of `", $kind, "`:" $(, $summary)+)]
        #[derive(Clone, Debug, PartialEq, $crate::params::serde::Serialize, $crate::params::serde::Deserialize)]
        #[serde(crate = "recmirror::params::serde")]
        $visibility struct $name {
            $(
                $(#[doc = $doc])*
                $(#[doc = $key!(doc)])?
                #[doc = ""]
                #[doc = $crate::params::limits!([$($range)?] [$($key)?] [$($default)?])]
                pub $field: $type
            ),*
        }

        impl $crate::params::Parameters for $name {
            const NAME: &'static str = $kind;
            const SUMMARY: &'static str = concat!($($summary),+).trim_ascii();
            const KEYS: &'static [$crate::params::Key] = &[
                $($crate::params::Key {
                    name: stringify!($field),
                    ..$crate::params::key!($type [$($doc)*] [$($range)?] [$($key)?] [$($default)?])
                }),*
            ];

            #[allow(unused_mut, reason = "a kind may have no keys")]
            fn table(&self) -> Result<$crate::params::toml::Table, $crate::params::ParameterError> {
                let mut table = $crate::params::toml::Table::new();
                let mut _keys = Self::KEYS.iter();
                $(if let Some(key) = _keys.next() {
                    $crate::params::write_field($kind, key, &self.$field, &mut table)?;
                })*
                Ok(table)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    $($field: <$type as $crate::params::FieldValue>::default_of(
                        &$crate::params::key!($type [$($doc)*] [$($range)?] [$($key)?] [$($default)?]).kind
                    )),*
                }
            }
        }
    };
}

/// Declares an enum whose variants are words of scenario files, see [`parameters!`](crate::parameters).
#[macro_export]
macro_rules! words {
    ($(#[$outer:meta])* $visibility:vis enum $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, $crate::params::serde::Serialize, $crate::params::serde::Deserialize)]
        #[serde(crate = "recmirror::params::serde")]
        $visibility enum $name {
            $($(#[$inner])* #[doc = concat!("`", $word, "`")] #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// The word in scenario files.
            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }
        }

        impl $crate::params::Words for $name {
            const WORDS: &'static [&'static str] = &[$($word),*];
        }

        impl $crate::params::FieldValue for $name {
            fn default_of(kind: &$crate::params::Kind) -> Self {
                let all = [$($name::$variant),*];
                let value = kind.default_value();
                let is_default = |one: &$name| value.as_ref().is_some_and(|value| value.as_str() == Some(one.word()));
                all.into_iter().find(is_default).unwrap_or(all[0])
            }
        }
    };
}

/// Declares a key that several kinds share: `#[key(NAME)]` in [`parameters!`](crate::parameters) gives a field its
/// default, doc and range.
///
/// ```
/// use recmirror::params::Parameters;
///
/// recmirror::shared_key!(pause_key = 1.5, "seconds that one answer takes", 0.0..=60.0);
///
/// recmirror::parameters! {
///     /// asks users one after the other
///     struct QueueParameters = "queue" {
///         #[key(pause_key)]
///         pause: f64,
///     }
/// }
///
/// assert_eq!(QueueParameters::default().pause, 1.5);
/// assert_eq!(QueueParameters::KEYS[0].kind.wanted(), "a number from 0 to 60");
/// ```
#[macro_export]
macro_rules! shared_key {
    ($visibility:vis $name:ident = $default:literal, $doc:literal $(, $range:expr)?) => {
        macro_rules! $name {
            (doc) => { $doc };
            (limits) => { $crate::params::limits!([$($range)?] [] [$default]) };
            (range) => { $($range)? };
            (default) => { $default };
        }
        $visibility use $name;
    };
}

/// The range and default of a field, for its documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! limits {
    ([] [$key:ident] []) => {
        $key!(limits)
    };
    ([] [] []) => {
        "It must be given."
    };
    ([$range:expr] [] []) => {
        concat!("Range `", stringify!($range), "`; it must be given.")
    };
    ([] [] [$default:expr]) => {
        concat!("Default `", stringify!($default), "`.")
    };
    ([$range:expr] [] [$default:expr]) => {
        concat!("Range `", stringify!($range), "`, default `", stringify!($default), "`.")
    };
}

/// One key of [`parameters!`](crate::parameters).
#[doc(hidden)]
#[macro_export]
macro_rules! key {
    ($type:ident [] [] [$key:ident] []) => {
        $crate::params::Key { name: "", doc: $key!(doc), kind: $crate::params::kind_of_shared!($type $key) }
    };
    ($type:ident [$($doc:literal)+] [$($range:expr)?] [] [$($default:expr)?]) => {
        $crate::params::Key {
            name: "",
            doc: concat!($($doc),+).trim_ascii(),
            kind: $crate::params::kind_of_key!($type [$($range)?] [$($default)?]),
        }
    };
}

/// The values of a key of [`parameters!`](crate::parameters), by its type.
#[doc(hidden)]
#[macro_export]
macro_rules! kind_of_key {
    (f64 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::number($range, $crate::params::maybe!($($default)?)) };
    (u32 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (u64 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (i64 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (usize [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (bool [] [$default:expr]) => { $crate::params::Kind::Bool { default: Some($default) } };
    (String [] [$($default:expr)?]) => { $crate::params::Kind::Text { default: $crate::params::maybe!($($default)?) } };
    (String [$words:expr] [$default:expr]) => { $crate::params::Kind::Word { words: $words, default: Some($default) } };
    (Count [$range:expr] [$default:expr]) => { $crate::params::Kind::count($range, $default) };
    (PathBuf [] [$($default:expr)?]) => { $crate::params::Kind::Path { default: $crate::params::maybe!($($default)?) } };
    (Texts [] []) => { $crate::params::Kind::Texts };
    (PolicyTable [] [$default:expr]) => { $crate::params::Kind::Policy { default: $default } };
    (PolicyTables [] [$default:expr]) => { $crate::params::Kind::Policies { default: $default } };
    ($words:ident [] [$default:expr]) => {
        $crate::params::Kind::Word { words: <$words as $crate::params::Words>::WORDS, default: Some($default.word()) }
    };
}

/// The values of a [`shared_key!`](crate::shared_key), by its type.
#[doc(hidden)]
#[macro_export]
macro_rules! kind_of_shared {
    (bool $key:ident) => { $crate::params::kind_of_key!(bool [] [$key!(default)]) };
    (String $key:ident) => { $crate::params::kind_of_key!(String [] [$key!(default)]) };
    (PathBuf $key:ident) => { $crate::params::kind_of_key!(PathBuf [] [$key!(default)]) };
    (PolicyTable $key:ident) => { $crate::params::kind_of_key!(PolicyTable [] [$key!(default)]) };
    ($number:ident $key:ident) => { $crate::params::kind_of_key!($number [$key!(range)] [$key!(default)]) };
}

/// A value that may be missing.
#[doc(hidden)]
#[macro_export]
macro_rules! maybe {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

/// Lists the kinds of a sort that ship with the crate, and exports their parameters.
macro_rules! builtin_kinds {
    ($(#[$meta:meta])* $name:ident: $sort:ident; $($(#[$attribute:meta])* $($step:ident)::+),* $(,)?) => {
        $($(#[$attribute])* pub use $($step)::+;)*

        $(#[$meta])*
        pub const $name: &[$sort] = &[$($(#[$attribute])* $sort::of::<$($step)::+>()),*];

        /// The parameters of each kind as code leaves them when it sets none.
        #[cfg(test)]
        pub(crate) fn unset_parameters() -> Result<Vec<$crate::params::toml::Table>, $crate::params::ParameterError> {
            use $crate::params::Parameters;
            let tables = [$($(#[$attribute])* <$($step)::+>::default().with_kind()),*];
            tables.into_iter().collect()
        }
    };
}

pub(crate) use builtin_kinds;
pub use {key, kind_of_key, kind_of_shared, limits, maybe, parameters, shared_key, words};
