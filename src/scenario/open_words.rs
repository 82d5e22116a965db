//! Vocabularies to which a project's files can add words: providers and errors.

use std::{
    fmt,
    marker::PhantomData,
    sync::{PoisonError, RwLock},
};

use serde::{
    Deserialize, Deserializer,
    de::{EnumAccess, Error, VariantAccess, Visitor},
};

/// A word that a project's file has added, and the known word that it is most like.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnWord<T: 'static> {
    /// The name in files and reports.
    pub name: &'static str,
    /// The known word: the provider whose dialect it speaks, or the error that providers without it send instead.
    pub like: T,
}

/// The words that the project's files have added, for the whole process: a file of the project can use them anywhere.
pub(super) struct OwnWords<T: 'static>(RwLock<Added<T>>);

struct Added<T: 'static> {
    words: Vec<&'static OwnWord<T>>,
    /// The names of all words, known and added; `None` if nothing was added.
    names: Option<&'static [&'static str]>,
}

impl<T: Copy + Eq + 'static> OwnWords<T> {
    pub(super) const fn new() -> Self {
        Self(RwLock::new(Added { words: Vec::new(), names: None }))
    }

    /// Replaces the added words.
    ///
    /// Words live as long as the process, because a copy of one can be anywhere. A project has few of them, and they
    /// seldom change.
    pub(super) fn replace(&self, words: &[(String, T)], known: &'static [&'static str]) {
        let mut added = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |(word, (name, like)): (&&OwnWord<T>, &(String, T))| word.name == name && word.like == *like;
        if added.words.len() == words.len() && added.words.iter().zip(words).all(is_same) {
            return;
        }
        let leaked = |(name, like): &(String, T)| {
            &*Box::leak(Box::new(OwnWord { name: name.clone().leak(), like: *like }))
        };
        added.words = words.iter().map(leaked).collect();
        let own = added.words.iter().map(|word| word.name);
        let names: Vec<&'static str> = known.iter().copied().chain(own).collect();
        added.names = (!added.words.is_empty()).then(|| &*names.leak());
    }

    /// The added words, in the order of their files.
    pub(super) fn all(&self) -> Vec<&'static OwnWord<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).words.clone()
    }

    /// The names of all words; `known` are those of the known ones.
    pub(super) fn names(&self, known: &'static [&'static str]) -> &'static [&'static str] {
        self.0.read().unwrap_or_else(PoisonError::into_inner).names.unwrap_or(known)
    }
}

/// A vocabulary to which words can be added.
pub(super) trait OpenWord: Sized + Copy + 'static {
    /// The word with this name.
    fn named(name: &str) -> Option<Self>;

    /// The names of all words.
    fn all_names() -> &'static [&'static str];
}

/// Reads a word as serde reads the variant of an enum, so that errors have the same form and position.
pub(super) struct WordVisitor<T>(pub(super) PhantomData<T>);

impl<'de, T: OpenWord> Visitor<'de> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<T, A::Error> {
        let (ReadWord(word), rest) = access.variant()?;
        rest.unit_variant()?;
        Ok(word)
    }
}

struct ReadWord<T>(T);

impl<'de, T: OpenWord> Deserialize<'de> for ReadWord<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<T>(PhantomData<T>);

        impl<T: OpenWord> Visitor<'_> for Named<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
                T::named(name).ok_or_else(|| E::unknown_variant(name, T::all_names()))
            }
        }

        deserializer.deserialize_identifier(Named(PhantomData)).map(Self)
    }
}

/// Declares an enum like `words!`, to which a project's files can add words.
macro_rules! open_words {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$vmeta])* $variant, )+
            /// A word that a file of the project has added.
            Own(&'static $crate::scenario::OwnWord<$name>),
        }

        const _: () = {
            use $crate::scenario::open_words::{OpenWord, OwnWords, WordVisitor};

            static OWN: OwnWords<$name> = OwnWords::new();

            impl $name {
                /// The words that upfault knows, in the order of declaration.
                pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

                /// The name of each of them, in the same order.
                pub const NAMES: &'static [&'static str] = &[ $( $text, )+ ];

                /// The name in files and reports.
                pub const fn as_str(self) -> &'static str {
                    match self {
                        $( Self::$variant => $text, )+
                        Self::Own(own) => own.name,
                    }
                }

                /// The place in [`ALL`](Self::ALL); for an added word, that of the word that it is like.
                pub const fn index(self) -> usize {
                    enum Place { $( $variant, )+ }
                    match self {
                        $( Self::$variant => Place::$variant as usize, )+
                        Self::Own(own) => own.like.index(),
                    }
                }

                /// The known word: itself, or the one that an added word is like.
                pub const fn known(self) -> Self {
                    match self {
                        Self::Own(own) => own.like,
                        known => known,
                    }
                }

                /// Every word: the known ones and those that the project's files have added.
                pub fn all() -> Vec<Self> {
                    Self::ALL.iter().copied().chain(OWN.all().into_iter().map(Self::Own)).collect()
                }

                /// The names of all words, in the same order.
                pub fn names() -> &'static [&'static str] {
                    OWN.names(Self::NAMES)
                }

                /// Replaces the added words by these, each with the known word that it is like.
                pub(crate) fn replace_own(words: &[(String, Self)]) {
                    OWN.replace(words, Self::NAMES);
                }
            }

            impl OpenWord for $name {
                fn named(name: &str) -> Option<Self> {
                    let known = Self::ALL.iter().copied().find(|word| word.as_str() == name);
                    known.or_else(|| OWN.all().into_iter().map(Self::Own).find(|word| word.as_str() == name))
                }

                fn all_names() -> &'static [&'static str] {
                    Self::names()
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_enum(
                        stringify!($name),
                        Self::NAMES,
                        WordVisitor(std::marker::PhantomData),
                    )
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let index = u32::try_from(self.index()).unwrap_or_default();
                    serializer.serialize_unit_variant(stringify!($name), index, self.as_str())
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.pad(self.as_str())
                }
            }

            impl std::str::FromStr for $name {
                type Err = String;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    Self::named(text)
                        .ok_or_else(|| format!("`{text}` is none of: {}", Self::names().join(", ")))
                }
            }

            /// The schema of the known words: the files of a project can add some.
            #[cfg(test)]
            impl schemars::JsonSchema for $name {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    $(#[$meta])*
                    #[derive(schemars::JsonSchema)]
                    #[expect(dead_code, reason = "only its schema is used")]
                    enum Known { $( $(#[$vmeta])* #[schemars(rename = $text)] $variant, )+ }
                    Known::json_schema(generator)
                }
            }
        };
    };
}

pub(super) use open_words;
