//! The names of defects, and the error for an unknown one.

use std::{fmt, str::FromStr};

use super::defect::Defect;

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// There is no defect with this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown defect `{name}`{}", .nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownDefect {
    /// The unknown name.
    pub name: String,
    /// The defect with the most similar name, if there is one.
    pub nearest: Option<Defect>,
}

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(name: &str) -> Result<Self, UnknownDefect> {
        Self::ALL.iter().copied().find(|defect| defect.as_str() == name).ok_or_else(|| UnknownDefect {
            name: name.to_owned(),
            nearest: Self::ALL
                .iter()
                .copied()
                .map(|defect| (strsim::jaro_winkler(name, defect.as_str()), defect))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, defect)| defect),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_has_a_kebab_case_name_and_a_summary() {
        for defect in Defect::ALL {
            assert_eq!(defect.to_string().parse(), Ok(*defect));
            assert!(
                defect.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(!defect.summary().is_empty() && !defect.summary().ends_with('.'));
        }
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let error = "retry-after-droped".parse::<Defect>().unwrap_err();
        insta::assert_snapshot!(error, @"unknown defect `retry-after-droped`; did you mean `retry-after-dropped`?");
        insta::assert_snapshot!("xyz".parse::<Defect>().unwrap_err(), @"unknown defect `xyz`");
    }
}
