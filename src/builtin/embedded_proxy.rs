//! Which embedded proxy runs.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    defects::{Defect, UnknownDefect},
    dialect,
    extension::{Extension, Unextended},
    variants::HonestVariant,
};
use crate::scenario::Case;

/// The embedded proxy: as it is, in another honest form, or with a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmbeddedProxy {
    /// The reference.
    #[default]
    Reference,
    /// Another proxy that keeps the contract.
    Variant(HonestVariant),
    /// The reference with a defect.
    Defective(Defect),
}

impl EmbeddedProxy {
    /// The name after `builtin:`; `None` for the reference.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Reference => None,
            Self::Variant(variant) => Some(variant.as_str()),
            Self::Defective(defect) => Some(defect.as_str()),
        }
    }

    /// Whether it ends or blocks the process, so that it must run in a separate one.
    pub fn stops_the_process(self) -> bool {
        matches!(self, Self::Defective(defect) if defect.stops_the_process())
    }

    /// The case as the proxy can run it.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub fn fitted(self, case: &Case) -> Result<Case, String> {
        let case = match self {
            Self::Variant(variant) => variant.fitted(case),
            Self::Reference | Self::Defective(_) => case.clone(),
        };
        dialect::lacks(&case.combination, &case.scenario.proxy).map_or(Ok(case), Err)
    }

    pub(super) fn extension(self) -> Arc<dyn Extension> {
        match self {
            Self::Reference => Arc::new(Unextended),
            Self::Variant(variant) => variant.extension(),
            Self::Defective(defect) => defect.extension(),
        }
    }
}

impl From<Option<Defect>> for EmbeddedProxy {
    fn from(defect: Option<Defect>) -> Self {
        defect.map_or(Self::Reference, Self::Defective)
    }
}

/// Parses the name after `builtin:`.
impl FromStr for EmbeddedProxy {
    type Err = UnknownDefect;

    fn from_str(name: &str) -> Result<Self, UnknownDefect> {
        match HonestVariant::ALL.iter().find(|variant| variant.as_str() == name) {
            Some(variant) => Ok(Self::Variant(*variant)),
            None => name.parse().map(Self::Defective),
        }
    }
}

/// The name with which `--proxy` selects it.
impl fmt::Display for EmbeddedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("builtin")?;
        self.name().map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_and_defects_have_different_names_and_parse() {
        for variant in HonestVariant::ALL {
            assert_eq!(variant.as_str().parse(), Ok(EmbeddedProxy::Variant(*variant)));
            assert!(Defect::ALL.iter().all(|defect| defect.as_str() != variant.as_str()));
            assert!(!variant.summary().is_empty() && !variant.summary().ends_with('.'));
        }
        assert_eq!("detail-lost".parse(), Ok(EmbeddedProxy::Defective(Defect::DetailLost)));
        assert!("no-such".parse::<EmbeddedProxy>().is_err());
        assert_eq!(EmbeddedProxy::default().to_string(), "builtin");
    }
}
