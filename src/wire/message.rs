//! The macro that messages are declared with. From one declaration come the struct, its defaults, decode and encode.
//!
//! ```text
//! messages! {
//!     /// What it is.
//!     pub struct TopicProduceData {
//!         pub name: Str [0-12, ignorable],                  // in versions 0 to 12; left out of others
//!         pub topic_id: TopicId [13+, ignorable],           // from version 13 on
//!         pub partitions: Option<Vec<i32>> [0+, null 2+],   // may be null from version 2 on
//!         pub epoch: LeaderEpoch [10+, tag 0] = LeaderEpoch::NONE,   // tagged, and what it is when it is not sent
//!     }
//! }
//! ```
//! Fields stand in the order of the wire, tags in ascending order. Decoding gives a field that the version lacks its default.
//! Encoding drops a value that the version cannot carry if the field is `ignorable`, and fails if it is not (unless it is the default).

/// How one version of a message is read and written.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    pub version: i16,
    /// Compact lengths and tagged fields (KIP-482).
    pub flexible: bool,
    /// Whether the field at hand may be null.
    pub(crate) nullable: bool,
    /// Whether it is a tagged one: there, null in place of a struct is 0 instead of -1.
    pub(crate) tagged: bool,
}

impl Codec {
    pub const fn new(version: i16, flexible: bool) -> Codec {
        Codec { version, flexible, nullable: false, tagged: false }
    }

    #[inline]
    pub(crate) const fn of_field(self, spec: FieldSpec) -> Codec {
        Codec { nullable: spec.nullable.contains(self.version), tagged: spec.tag.is_some(), ..self }
    }

    #[inline]
    pub(crate) const fn never_null(self) -> Codec {
        Codec { nullable: false, tagged: false, ..self }
    }
}

/// A range of versions, both ends included; empty if the first is above the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { min: 0, max: -1 };

    #[inline]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// What the brackets behind a field say.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub ignorable: bool,
}

impl FieldSpec {
    pub const fn new(min: i16, max: i16) -> FieldSpec {
        FieldSpec { versions: Versions { min, max }, nullable: Versions::NONE, tag: None, ignorable: false }
    }

    pub const fn null(self, min: i16, max: i16) -> FieldSpec {
        FieldSpec { nullable: Versions { min, max }, ..self }
    }

    pub const fn tag(self, tag: u32) -> FieldSpec {
        FieldSpec { tag: Some(tag), ..self }
    }

    pub const fn ignorable(self) -> FieldSpec {
        FieldSpec { ignorable: true, ..self }
    }

    /// Stands among the untagged fields of this version.
    #[inline]
    pub(crate) const fn is_plain(self, version: i16) -> bool {
        self.tag.is_none() && self.versions.contains(version)
    }

    /// Stands among the tagged fields of this version, if it is sent at all.
    #[inline]
    pub(crate) const fn is_tagged(self, version: i16) -> bool {
        self.tag.is_some() && self.versions.contains(version)
    }
}

/// Turns what stands in a field's brackets into its [`FieldSpec`].
macro_rules! field_spec {
    (@ $spec:expr;) => { $spec };
    (@ $spec:expr; , ignorable $($rest:tt)*) => { $crate::wire::message::field_spec!(@ $spec.ignorable(); $($rest)*) };
    (@ $spec:expr; , tag $tag:literal $($rest:tt)*) => { $crate::wire::message::field_spec!(@ $spec.tag($tag); $($rest)*) };
    (@ $spec:expr; , null $min:literal + $($rest:tt)*) => { $crate::wire::message::field_spec!(@ $spec.null($min, i16::MAX); $($rest)*) };
    (@ $spec:expr; , null $min:literal - $max:literal $($rest:tt)*) => { $crate::wire::message::field_spec!(@ $spec.null($min, $max); $($rest)*) };
    ($min:literal + $($rest:tt)*) => { $crate::wire::message::field_spec!(@ $crate::wire::message::FieldSpec::new($min, i16::MAX); $($rest)*) };
    ($min:literal - $max:literal $($rest:tt)*) => { $crate::wire::message::field_spec!(@ $crate::wire::message::FieldSpec::new($min, $max); $($rest)*) };
}
pub(crate) use field_spec;

macro_rules! field_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}
pub(crate) use field_default;

macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        pub struct $name:ident {
            $( $(#[$field_doc:meta])* pub $field:ident: $type:ty [$($spec:tt)+] $(= $default:expr)?, )*
        }
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $crate::wire::message::field_default!($($default)?), )* }
            }
        }

        impl $crate::wire::primitives::Field for $name {
            #[allow(unused_mut)]
            fn size_min(codec: $crate::wire::message::Codec) -> usize {
                let mut size = usize::from(codec.flexible);
                $( {
                    const SPEC: $crate::wire::message::FieldSpec = $crate::wire::message::field_spec!($($spec)+);
                    if SPEC.is_plain(codec.version) {
                        size += <$type as $crate::wire::primitives::Field>::size_min(codec);
                    }
                } )*
                size
            }

            #[allow(unused_mut, unused_variables)]
            fn read(
                reader: &mut $crate::wire::reader::Reader,
                codec: $crate::wire::message::Codec,
            ) -> Result<Self, $crate::wire::error::DecodeError> {
                $(
                    let mut $field: $type = {
                        const SPEC: $crate::wire::message::FieldSpec = $crate::wire::message::field_spec!($($spec)+);
                        if SPEC.is_plain(codec.version) {
                            $crate::wire::primitives::Field::read(reader, codec.of_field(SPEC)).map_err(|e| e.at(stringify!($field)))?
                        } else {
                            $crate::wire::message::field_default!($($default)?)
                        }
                    };
                )*
                if codec.flexible {
                    reader.tagged_fields(|tag, reader| {
                        $( {
                            const SPEC: $crate::wire::message::FieldSpec = $crate::wire::message::field_spec!($($spec)+);
                            if SPEC.is_tagged(codec.version) && SPEC.tag == Some(tag) {
                                $field = $crate::wire::primitives::Field::read(reader, codec.of_field(SPEC))
                                    .map_err(|e| e.at(stringify!($field)))?;
                                return Ok(true);
                            }
                        } )*
                        Ok(false)
                    })?;
                }
                Ok($name { $( $field, )* })
            }

            #[allow(unused_mut, unused_variables)]
            fn write(
                &self,
                writer: &mut $crate::wire::writer::Writer,
                codec: $crate::wire::message::Codec,
            ) -> Result<(), $crate::wire::error::EncodeError> {
                let mut tagged = 0;
                $( {
                    const SPEC: $crate::wire::message::FieldSpec = $crate::wire::message::field_spec!($($spec)+);
                    if SPEC.is_plain(codec.version) {
                        $crate::wire::primitives::Field::write(&self.$field, writer, codec.of_field(SPEC))
                            .map_err(|e| e.at(stringify!($field)))?;
                    } else if SPEC.is_tagged(codec.version) || !SPEC.ignorable {
                        let default: $type = $crate::wire::message::field_default!($($default)?);
                        if self.$field != default {
                            if !SPEC.is_tagged(codec.version) {
                                let problem = $crate::wire::error::EncodeProblem::NotInVersion(codec.version);
                                return Err($crate::wire::error::EncodeError::new(problem).at(stringify!($field)));
                            }
                            tagged += 1;
                        }
                    }
                } )*
                if !codec.flexible {
                    return Ok(());
                }
                writer.uvarint(tagged);
                if tagged == 0 {
                    return Ok(());
                }
                $( {
                    const SPEC: $crate::wire::message::FieldSpec = $crate::wire::message::field_spec!($($spec)+);
                    let default: $type = $crate::wire::message::field_default!($($default)?);
                    if let Some(tag) = SPEC.tag && SPEC.is_tagged(codec.version) && self.$field != default {
                        writer.uvarint(tag);
                        writer
                            .sized(|writer| $crate::wire::primitives::Field::write(&self.$field, writer, codec.of_field(SPEC)))
                            .map_err(|e| e.at(stringify!($field)))?;
                    }
                } )*
                Ok(())
            }
        }

        impl $crate::wire::primitives::Nullable for $name {
            fn nullable_size_min(_: $crate::wire::message::Codec) -> usize {
                1
            }

            fn read_nullable(
                reader: &mut $crate::wire::reader::Reader,
                codec: $crate::wire::message::Codec,
            ) -> Result<Option<Self>, $crate::wire::error::DecodeError> {
                if reader.i8()? < i8::from(codec.tagged) {
                    return Ok(None);
                }
                $crate::wire::primitives::Field::read(reader, codec.never_null()).map(Some)
            }

            fn write_null(writer: &mut $crate::wire::writer::Writer, codec: $crate::wire::message::Codec) {
                writer.i8(if codec.tagged { 0 } else { -1 });
            }

            fn write_value(
                &self,
                writer: &mut $crate::wire::writer::Writer,
                codec: $crate::wire::message::Codec,
            ) -> Result<(), $crate::wire::error::EncodeError> {
                writer.i8(1);
                $crate::wire::primitives::Field::write(self, writer, codec.never_null())
            }
        }

        #[cfg(test)]
        impl $crate::wire::tests::Sample for $name {
            fn sample(entropy: &mut $crate::wire::tests::Entropy, codec: $crate::wire::message::Codec) -> Self {
                $name { $(
                    $field: {
                        const SPEC: $crate::wire::message::FieldSpec = $crate::wire::message::field_spec!($($spec)+);
                        if SPEC.versions.contains(codec.version) {
                            $crate::wire::tests::Sample::sample(entropy, codec.of_field(SPEC))
                        } else {
                            $crate::wire::message::field_default!($($default)?)
                        }
                    },
                )* }
            }
        }
    )* };
}
pub(crate) use messages;
