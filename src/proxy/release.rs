//! The releases of a proxy: which ones its package index offers, when they were published, and whether they can be installed.
//!
//! upfault does not speak to package indexes. The commands of the key `releases` ask the package manager, so that its
//! settings (mirrors, credentials, certificates) apply.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    ask, check,
    definition::Definition,
    error::ProxyError,
    find::is_version,
    install::environment_of_installers,
    template::{self, TemplateContext},
    text::Text,
};
use crate::{scenario::ProxyVersion, shell};

/// The word that means the newest release.
const LATEST: &str = "latest";

/// How long one command may take. Package managers wait about half a minute for an index that does not respond.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether everything that a release requires can be installed from the package index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Yes.
    Complete,
    /// Only if the definition replaces some of the requirements.
    WithFallback,
    /// No. Contains the first line of the reason.
    Impossible(String),
    /// The definition has no command that finds out.
    Unknown,
}

impl Definition {
    /// Whether an installation of a proxy, at a version, can be what this definition means: `1.106` and `latest` mean
    /// several releases.
    pub(crate) fn may_mean(&self, proxy: &str, version: &str) -> bool {
        let is_release = self.document.version.as_ref() == Some(&self.version)
            || self.document.versions.contains_key(&self.version);
        let series = Series::parse(&self.version).filter(|_| self.document.releases.is_some() && !is_release);
        proxy == self.name
            && match series {
                Some(series) => ProxyVersion::parse(version).is_some_and(|own| own.is_below(&series.0)),
                None => version == self.version,
            }
    }
}

/// The releases whose newest one a version such as `1.106` or `latest` means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Series(Vec<u64>);

impl Series {
    /// Parses `latest`, `1` or `1.106`; `None` for anything else, which is one release.
    fn parse(version: &str) -> Option<Self> {
        if version == LATEST {
            return Some(Self(Vec::new()));
        }
        let numbers: Option<Vec<u64>> = version.split('.').map(|number| number.parse().ok()).collect();
        numbers.filter(|numbers| numbers.len() < 3).map(Self)
    }

    /// Returns the newest release of the series, of releases that are sorted with the newest first.
    fn newest<'a>(&self, releases: &'a [String]) -> Option<&'a String> {
        releases
            .iter()
            .find(|release| ProxyVersion::parse(release).is_some_and(|version| version.is_below(&self.0)))
    }
}

impl Definition {
    /// Replaces the version `latest` by the newest release that the package index offers, and a version such as `1.106` by its
    /// newest patch. Other versions stay, without asking the index.
    ///
    /// # Errors
    /// [`ProxyError::Index`] if the index cannot be asked, [`ProxyError::Unknown`] if it has no such release.
    pub(crate) fn settled(self) -> Result<Self, ProxyError> {
        let document = &self.document;
        let is_release =
            document.version.as_ref() == Some(&self.version) || document.versions.contains_key(&self.version);
        let series = Series::parse(&self.version).filter(|_| document.releases.is_some() && !is_release);
        let Some(series) = series else { return Ok(self) };
        let releases = self.releases()?;
        let Some(release) = series.newest(&releases) else {
            let newest = releases.first().map(|newest| format!(": the newest is {newest}"));
            return Err(ProxyError::Unknown {
                spec: format!("{}@{}", self.name, self.version),
                detail: newest.unwrap_or_default(),
                help: format!("`upfault proxy versions {}` lists what the package index offers", self.name),
            });
        };
        self.in_version(release)
    }

    /// Returns the definition of another version, in the same mode.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] if the definition is not valid for this version.
    pub(crate) fn in_version(&self, version: &str) -> Result<Self, ProxyError> {
        let other = check::load(self.source.clone(), Some(version))?;
        let Self { name, summary, mode, extension, .. } = self.clone();
        Ok(Self { name, summary, extension, ..other.with_mode(mode)? })
    }

    /// Returns the releases that the package index offers, without previews, the newest first.
    ///
    /// # Errors
    /// [`ProxyError::Index`].
    pub(crate) fn releases(&self) -> Result<Vec<String>, ProxyError> {
        let Some(commands) = &self.document.releases else {
            return Err(ProxyError::Invalid(format!(
                "{} does not say how to list the releases of {}\nhelp: add `releases: {{list: [COMMAND]}}` to it",
                self.file(),
                self.name
            )));
        };
        let (words, printed) = self.asked("which releases exist", &commands.list, &self.index_context())?;
        let mut releases: Vec<(ProxyVersion, String)> = versions_in(&printed)
            .into_iter()
            .filter(|text| is_version(text))
            .filter_map(|text| Some((ProxyVersion::parse(&text)?, text)))
            .filter(|(version, _)| !version.is_preview())
            .collect();
        releases.sort_by(|one, other| other.cmp(one));
        if releases.is_empty() {
            let detail = "printed no versions".to_owned();
            return Err(self.cannot_ask("which releases exist", &words, detail));
        }
        Ok(releases.into_iter().map(|(_, text)| text).collect())
    }

    /// Returns a date by which this version and what it requires were published; `None` if the definition has no command
    /// that finds it out. It is the day after the publication, because packages that belong together are published one
    /// after the other.
    ///
    /// # Errors
    /// [`ProxyError::Index`].
    pub(super) fn ask_published_by(&self) -> Result<Option<String>, ProxyError> {
        const WHAT: &str = "when this version was published";
        let Some(command) = self.document.releases.as_ref().map(|commands| &commands.date) else {
            return Ok(None);
        };
        if command.is_empty() {
            return Ok(None);
        }
        let (words, printed) = self.asked(WHAT, command, &self.index_context())?;
        match first_date(&printed).and_then(|date| date.tomorrow().ok()) {
            Some(date) => Ok(Some(date.to_string())),
            None => Err(self.cannot_ask(WHAT, &words, "printed no date".to_owned())),
        }
    }

    /// Finds out whether this version can be installed, without installing it. `cache` is the folder for installed proxies.
    ///
    /// # Errors
    /// [`ProxyError::Index`] if its date is needed and cannot be found out.
    pub(crate) fn resolution(&self, cache: &Path) -> Result<Resolution, ProxyError> {
        let Some(commands) = self.document.releases.as_ref().filter(|commands| !commands.resolve.is_empty())
        else {
            return Ok(Resolution::Unknown);
        };
        let mut definition = self.clone();
        if definition.needs_date(&commands.resolve)? {
            definition.published_by = self.ask_published_by()?;
        }
        let here = self.source.unpack(cache)?;
        let ask = |definition: &Self| {
            let context = definition.install_context(Path::new("."), &here);
            definition.asked("whether it can be installed", &commands.resolve, &context).map(drop)
        };
        let why = match ask(&definition) {
            Ok(()) => return Ok(Resolution::Complete),
            Err(ProxyError::Index { detail, .. }) => reason(&detail),
            Err(error) => return Err(error),
        };
        definition.fallback = true;
        match ask(&definition) {
            Ok(()) => Ok(Resolution::WithFallback),
            Err(ProxyError::Index { .. }) => Ok(Resolution::Impossible(why)),
            Err(error) => Err(error),
        }
    }

    /// Whether these templates depend on the date of the release.
    pub(super) fn needs_date(&self, command: &[Text]) -> Result<bool, ProxyError> {
        const DATE: &str = "\u{1}date";
        let dated = Self { published_by: Some(DATE.to_owned()), ..self.clone() };
        let environment = template::environment(&self.source);
        let words = template::render_command(&environment, &self.source, command, &dated.index_context())?;
        Ok(words.iter().any(|word| word.contains(DATE)))
    }

    /// Returns the variables of commands that ask the index and need no file of the definition.
    fn index_context(&self) -> TemplateContext {
        self.install_context(Path::new("."), Path::new("."))
    }

    /// Runs a command and returns its words and what it printed.
    fn asked(
        &self,
        what: &str,
        command: &[Text],
        context: &TemplateContext,
    ) -> Result<(Vec<String>, String), ProxyError> {
        self.check_programs()?;
        let environment = template::environment(&self.source);
        let words = template::render_command(&environment, &self.source, command, context)?;
        match ask::output(&words, Some(environment_of_installers()), PATIENCE) {
            Ok(printed) => Ok((words, printed.out)),
            Err(detail) => Err(self.cannot_ask(what, &words, detail)),
        }
    }

    fn cannot_ask(&self, what: &str, words: &[String], detail: String) -> ProxyError {
        ProxyError::Index {
            proxy: self.title().into(),
            what: what.into(),
            command: shell::command(words).into(),
            detail: detail.into(),
        }
    }
}

/// Returns the line that says why something cannot be installed: the first one after how the command ended that is not only
/// decoration.
fn reason(detail: &str) -> String {
    let lines = detail.lines().skip(1).map(|line| line.trim_matches(|c: char| !c.is_alphanumeric()));
    let mut said = lines.filter(|line| line.contains(' ') && !line.contains("No solution found"));
    said.next()
        .map(|line| line.trim_start_matches("cause: "))
        .unwrap_or_else(|| detail.lines().next().unwrap_or_default())
        .to_owned()
}

/// Returns the versions that a command has printed.
fn versions_in(printed: &str) -> Vec<String> {
    let texts =
        |values: &Vec<Value>| values.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect();
    match serde_json::from_str(printed) {
        Ok(Value::Array(values)) => texts(&values),
        Ok(Value::Object(members)) => {
            members.get("versions").and_then(Value::as_array).map(texts).unwrap_or_default()
        }
        _ => printed.lines().map(|line| line.trim().to_owned()).collect(),
    }
}

/// Returns the first date of the form `2026-11-28`.
fn first_date(text: &str) -> Option<jiff::civil::Date> {
    const LENGTH: usize = "2026-11-28".len();
    (0..text.len()).filter_map(|start| text.get(start..start + LENGTH)).find_map(|word| {
        let is_date = word.bytes().enumerate().all(|(i, byte)| match i {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if is_date { word.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A definition whose index is a shell script. `released` is what the last install command prints about the date.
    fn definition(version: &str, releases: &str) -> (tempfile::TempDir, Result<Definition, ProxyError>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("proxy.yaml"),
            format!(
                "name: fake\nversion: '1.0.0'\nversions: {{'1.7': {{}}}}\napis: {{}}\n{releases}\n\
                 launch: {{command: [x]}}\nready: {{get: /}}\n"
            ),
        )
        .unwrap();
        let spec = format!("{}@{version}", folder.path().display());
        let found = Definition::find(&spec, folder.path()).and_then(Definition::settled);
        (folder, found)
    }

    fn settled(version: &str, printed: &str) -> String {
        let releases = format!("releases: {{list: [printf, '%b', '{printed}']}}");
        match definition(version, &releases).1 {
            Ok(definition) => definition.version,
            Err(error) => error.to_string(),
        }
    }

    const INDEX: &str = r#"{"name": "fake", "versions": ["1.9.2", "1.10.0", "1.110.0rc1", "1.9.10", "1.10.0.dev3", "2.0.1"]}"#;

    #[test]
    fn latest_and_a_series_mean_their_newest_release() {
        assert_eq!(settled("latest", INDEX), "2.0.1");
        assert_eq!(settled("1", INDEX), "1.10.0");
        assert_eq!(settled("1.9", INDEX), "1.9.10");
        assert_eq!(settled("1.10", INDEX), "1.10.0");
        assert_eq!(settled("latest", r#"["0.1.0", "0.2.0"]"#), "0.2.0");
        assert_eq!(settled("latest", r"0.1.0\n0.10.0\nnot a version\n0.9.0\n"), "0.10.0");
    }

    #[test]
    fn one_release_is_not_looked_up() {
        let fails = "releases: {list: ['false']}";
        for version in ["1.0.0", "1.9.10", "1.110.0rc1", "1.7"] {
            assert_eq!(definition(version, fails).1.unwrap().version, version);
        }
        assert_eq!(definition("1.8", "").1.unwrap().version, "1.8", "a definition that cannot list releases");
    }

    #[test]
    fn a_series_that_does_not_exist_is_an_error_with_the_newest_release() {
        insta::assert_snapshot!(settled("1.8", INDEX), @"
        there is no proxy `fake@1.8`: the newest is 2.0.1
        help: `upfault proxy versions fake` lists what the package index offers
        ");
    }

    #[test]
    fn an_index_that_cannot_be_asked_is_an_error_with_the_command_and_its_words() {
        let (_folder, found) =
            definition("latest", "releases: {list: [sh, -c, 'echo no route >&2; exit 7']}");
        insta::assert_snapshot!(found.unwrap_err(), @"
        cannot find out which releases exist of fake latest: `sh -c 'echo no route >&2; exit 7'` exited with code 7
          no route
        help: check the connection to the package index, or name one release (`NAME@1.2.3`)
        ");
        assert!(settled("latest", "[]").contains("printed no versions"));
    }

    #[test]
    fn the_date_is_the_day_after_the_first_one_that_is_printed() {
        let date = |printed: &str| {
            let releases = format!("releases: {{list: [x], date: [echo, '{printed}']}}");
            definition("1.9.2", &releases).1.unwrap().ask_published_by()
        };
        assert_eq!(date("upload-time = 2026-02-28T23:59:59.1Z, 2027-01-01").unwrap().unwrap(), "2026-03-01");
        assert!(date("2026-13-01").unwrap_err().to_string().contains("printed no date"));
    }

    #[test]
    fn what_a_release_requires_can_be_complete_replaced_or_missing() {
        let resolution = |script: &str| {
            let releases = format!(
                "releases:\n  list: [x]\n  resolve: [sh, -c, '{script}', '{{% if fallback %}}fallback{{% endif %}}']"
            );
            definition("1.9.2", &releases).1.unwrap().resolution(Path::new("/nonexistent")).unwrap()
        };
        assert_eq!(resolution("true"), Resolution::Complete);
        assert_eq!(resolution("test \"$0\" = fallback"), Resolution::WithFallback);
        assert_eq!(
            resolution("echo × No solution found: >&2; echo \"╰─▶ because there is no extra\" >&2; exit 1"),
            Resolution::Impossible("because there is no extra".to_owned())
        );
        assert_eq!(
            definition("1", "").1.unwrap().resolution(Path::new("/nonexistent")).unwrap(),
            Resolution::Unknown
        );
    }
}
