//! `FORMAT=PATH`, the value of `--report`.

use crate::report::{ReportFormat, ReportTarget};

/// `FORMAT=PATH`, or `FORMAT` for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportTo {
    /// The format.
    pub format: ReportFormat,
    /// Where to write it.
    pub target: ReportTarget,
}

impl std::str::FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, target) = report_target(text)?;
        let format = ReportFormat::named(format).ok_or_else(|| {
            let names = ReportFormat::ALL.map(|format| format!("`{}`", format.name)).join(", ");
            format!("unknown report format `{format}`; the formats are {names}")
        })?;
        Ok(Self { format, target })
    }
}

/// Splits `FORMAT=PATH`.
pub(super) fn report_target(text: &str) -> Result<(&str, ReportTarget), String> {
    match text.split_once('=') {
        None | Some((_, "-")) => Ok((text.trim_end_matches("=-"), ReportTarget::Stdout)),
        Some((_, "")) => Err("the path is missing after `=`".to_owned()),
        Some((format, path)) => Ok((format, ReportTarget::File(path.into()))),
    }
}
