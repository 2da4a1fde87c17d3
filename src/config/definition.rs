//! What is known of one configuration: name, type, default, allowed values, when it may change, and a sentence about it.
//!
//! Pure and constant: the tables in [`catalogue`](super::catalogue) are made of these at compile time.

/// A configuration's type, numbered as DescribeConfigs does on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ConfigType {
    /// A key that was set but that nobody knows; its value is never shown, it may be a secret.
    Unknown = 0,
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl ConfigType {
    /// The number on the wire.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// Kafka's name, as its error messages print it.
    pub const fn name(self) -> &'static str {
        match self {
            ConfigType::Unknown => "UNKNOWN",
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }

    /// True if the value must not be told to anybody.
    pub const fn is_sensitive(self) -> bool {
        matches!(self, ConfigType::Password | ConfigType::Unknown)
    }
}

/// Which values of the type are allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    Any,
    AtLeast(i64),
    /// Both ends included.
    Between(i64, i64),
    /// `compression.gzip.level`: 1 to 9, or -1 for the codec's own default.
    GzipLevel,
    OneOf(&'static [&'static str]),
    OneOfIgnoringCase(&'static [&'static str]),
    NonEmpty,
    /// A list with at least one element; allowed elements, or none given: any.
    NonEmptyList(&'static [&'static str]),
    /// `*`, or a list of `partition:broker`.
    ThrottledReplicas,
    /// `-1` or a positive number; 0 is refused.
    PositiveOrUnlimited,
}

/// When a broker configuration may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// At run time, for one broker at a time.
    PerBroker,
    /// At run time, for one broker or for all.
    ClusterWide,
}

/// One row of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Definition {
    pub name: &'static str,
    pub config_type: ConfigType,
    /// As a user would write it; `None`: not set.
    pub default: Option<&'static str>,
    pub check: Check,
    pub update: UpdateMode,
    /// Ringmill's behaviour depends on it. Otherwise it is accepted, shown, and has no effect.
    pub acts: bool,
    /// Known only when set at run time: not listed by DescribeConfigs while nobody set it.
    pub hidden_until_set: bool,
    pub documentation: &'static str,
}

impl Definition {
    pub(super) const fn new(
        config_type: ConfigType,
        name: &'static str,
        default: Option<&'static str>,
        documentation: &'static str,
    ) -> Definition {
        Definition {
            name,
            config_type,
            default,
            check: Check::Any,
            update: UpdateMode::ReadOnly,
            acts: false,
            hidden_until_set: false,
            documentation,
        }
    }

    const fn with(mut self, check: Check) -> Definition {
        self.check = check;
        self
    }

    pub(super) const fn at_least(self, min: i64) -> Definition {
        self.with(Check::AtLeast(min))
    }

    pub(super) const fn between(self, min: i64, max: i64) -> Definition {
        self.with(Check::Between(min, max))
    }

    pub(super) const fn gzip_level(self) -> Definition {
        self.with(Check::GzipLevel)
    }

    pub(super) const fn one_of(self, allowed: &'static [&'static str]) -> Definition {
        self.with(Check::OneOf(allowed))
    }

    pub(super) const fn one_of_ignoring_case(self, allowed: &'static [&'static str]) -> Definition {
        self.with(Check::OneOfIgnoringCase(allowed))
    }

    pub(super) const fn non_empty(self) -> Definition {
        self.with(Check::NonEmpty)
    }

    pub(super) const fn non_empty_list(self, allowed: &'static [&'static str]) -> Definition {
        self.with(Check::NonEmptyList(allowed))
    }

    pub(super) const fn throttled_replicas(self) -> Definition {
        self.with(Check::ThrottledReplicas)
    }

    pub(super) const fn positive_or_unlimited(self) -> Definition {
        self.with(Check::PositiveOrUnlimited)
    }

    pub(super) const fn per_broker(mut self) -> Definition {
        self.update = UpdateMode::PerBroker;
        self
    }

    pub(super) const fn cluster_wide(mut self) -> Definition {
        self.update = UpdateMode::ClusterWide;
        self
    }

    pub(super) const fn hidden_until_set(mut self) -> Definition {
        self.hidden_until_set = true;
        self
    }

    pub(super) const fn acts(mut self) -> Definition {
        self.acts = true;
        self
    }

    /// True if the value is a secret.
    pub const fn is_sensitive(&self) -> bool {
        self.config_type.is_sensitive()
    }
}

/// Rows of a table, one configuration each: `TYPE "name" [default] check(..) update() acts(): "what it is";`
macro_rules! definitions {
    ($($kind:ident $name:literal [$($default:literal)?] $($flag:ident($($argument:expr),*))* : $documentation:literal;)*) => {
        &[$(
            crate::config::definition::Definition::new(
                crate::config::definition::ConfigType::$kind,
                $name,
                definitions!(@default $($default)?),
                $documentation,
            )$(.$flag($($argument),*))*
        ),*]
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}
pub(super) use definitions;
