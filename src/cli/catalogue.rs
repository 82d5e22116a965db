//! `upfault list --catalogue`

use clap::ValueEnum;
use jiff::{ToSpan, civil::Date, tz::TimeZone};

use super::{failure::Failure, print};
use crate::{
    provider::{ErrorRow, SourceConfidence, catalogue_rows, last_read},
    report::EXIT_OK,
    scenario::Provider,
};

/// The age in days from which a row's source should be read again.
const OLD_AFTER_DAYS: i64 = 90;

/// Which rows of the catalogue to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogueRows {
    /// Those whose source was last read more than 90 days ago
    Old,
    /// All
    All,
}

/// Prints rows of the error catalogue, one per line, and how many are old.
pub(super) fn list(which: CatalogueRows) -> Result<u8, Failure> {
    print::out(&text(which, jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()))?;
    Ok(EXIT_OK)
}

fn text(which: CatalogueRows, today: Date) -> String {
    let limit = today.saturating_sub(OLD_AFTER_DAYS.days());
    let mut lines = String::new();
    let (mut all, mut old, mut recalled) = (0, 0, 0);
    for provider in Provider::all() {
        for (place, row) in
            catalogue_rows(provider).filter(|(place, row)| !is_inherited(provider, place, row))
        {
            let checked = last_read(provider, row);
            all += 1;
            // A recalled row has no source that could be read again.
            let is_recalled = row.confidence == SourceConfidence::Recalled;
            let is_old = !is_recalled && checked.is_some_and(|checked| checked < limit);
            recalled += usize::from(is_recalled);
            old += usize::from(is_old);
            if which == CatalogueRows::All || is_old {
                let evidence = match row.confidence {
                    SourceConfidence::Documented => "documented",
                    SourceConfidence::Recorded => "recorded",
                    SourceConfidence::Reported => "reported",
                    SourceConfidence::Recalled => "recalled",
                };
                let day = checked.map_or("-".to_owned(), |checked| checked.to_string());
                let source = if is_recalled { String::new() } else { format!("  {day}  {}", row.source) };
                lines.push_str(&format!("{provider}  {place}  {}  {evidence}{source}\n", row.status));
            }
        }
    }
    format!(
        "{lines}{all} rows: {old} last checked before {limit}, more than {OLD_AFTER_DAYS} days ago; {recalled} recalled, \
         without a source\n"
    )
}

/// Whether a provider of a project has the row only because it is like another provider.
fn is_inherited(provider: Provider, place: &str, row: &ErrorRow) -> bool {
    let mut known = catalogue_rows(provider.known());
    provider != provider.known()
        && known.any(|(other, of)| other == place && ErrorRow { checked: row.checked, ..of.clone() } == *row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_is_listed_with_its_source_and_its_day() {
        let text = text(CatalogueRows::All, day("2026-11-29"));
        let slow_down = text.lines().find(|line| line.starts_with("openai  slow_down ")).unwrap();
        insta::assert_snapshot!(slow_down, @"openai  slow_down  429  documented  2026-11-29  https://developers.openai.com/api/docs/guides/error-codes (status, type and code; text recalled)");
        assert!(text.lines().any(|line| line == "openai  unavailable  503  recalled"), "{text}");
        assert!(
            text.contains("\nopenai  content_policy of openai/images  400  reported  2026-11-22  "),
            "{text}"
        );
    }

    #[test]
    fn a_row_is_old_after_ninety_days() {
        let count = |today| text(CatalogueRows::Old, day(today)).lines().count();
        // 2026-11-22, on which most sources were read, is 90 days ago.
        assert_eq!(count("2027-02-20"), 1);
        let later = text(CatalogueRows::Old, day("2027-02-21"));
        assert!(later.contains("\nopenai  quota  429  recorded  2026-11-22  "), "{later}");
        assert!(!later.contains("slow_down"), "it was checked a week later: {later}");
        assert!(!later.contains("  recalled  "), "{later}");
    }
}
