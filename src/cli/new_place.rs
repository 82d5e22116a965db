//! Where `upfault new` writes a scenario.

use std::{
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};

use super::{context::CliContext, failure::Failure, new_ask};
use crate::{
    scenario::is_scenario,
    snapshot::{create_atomically, write_atomically},
};

/// The folder of scenarios in a project.
const FOLDER: &str = "scenarios";

/// Where a scenario is written.
pub(super) struct ScenarioPlace {
    path: PathBuf,
    /// The path as messages show it.
    pub(super) shown: String,
    /// What `upfault run` calls it.
    pub(super) id: String,
    /// Whether the user wants to replace what is there.
    may_replace: bool,
}

impl ScenarioPlace {
    /// The place for a name or a file. On a terminal, asks whether an existing file is to be replaced, and for another name
    /// if not, or if the name cannot be used.
    ///
    /// # Errors
    ///
    /// If the name cannot be that of a scenario, or if the user gives no other one.
    pub(super) fn chosen(
        context: &CliContext,
        input: &mut dyn BufRead,
        output: &mut dyn Write,
        wanted: &str,
        force: bool,
    ) -> Result<Self, Failure> {
        let mut wanted = wanted.to_owned();
        loop {
            let failure = match Self::named(context, &wanted) {
                Ok(place) if force => return Ok(Self { may_replace: true, ..place }),
                Ok(place) if !context.interactive || !place.path.exists() => return Ok(place),
                Ok(place) => {
                    if new_ask::confirmed(input, output, &format!("replace {}", place.shown))? {
                        return Ok(Self { may_replace: true, ..place });
                    }
                    place.exists()
                }
                Err(failure) if !context.interactive => return Err(failure),
                Err(failure) => {
                    writeln!(output, "{}", failure.render(false)).map_err(Failure::io("cannot ask"))?;
                    failure
                }
            };
            wanted = new_ask::another_name(input, output)?;
            if wanted.is_empty() {
                return Err(failure);
            }
        }
    }

    fn named(context: &CliContext, name: &str) -> Result<Self, Failure> {
        let shown = |path: &Path| path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string();
        if is_scenario(Path::new(name)) {
            let path = context.place(name);
            let shown = shown(&path);
            return Ok(Self { path, id: shown.clone(), shown, may_replace: false });
        }
        let id = name.trim_start_matches("./").trim_start_matches("scenarios/").trim_end_matches('/');
        let is_part = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '[', ']', '*'])
        };
        if !id.split('/').all(is_part) || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Failure::Usage(format!(
                "`{name}` cannot be the name of a scenario\nhelp: write FOLDER/NAME, for example `incidents/cut-in-mid-answer`, or a file \
                 such as `cut.yaml`"
            )));
        }
        let path = context.root.join(FOLDER).join(format!("{id}.yaml"));
        Ok(Self { shown: shown(&path), path, id: id.to_owned(), may_replace: false })
    }

    /// Writes the file. An existing file is replaced only if the user wants it.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let written = match self.may_replace {
            true => write_atomically(&self.path, text),
            false => create_atomically(&self.path, text),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(self.exists()),
            other => other.map_err(Failure::io(format!("cannot write {}", self.shown))),
        }
    }

    fn exists(&self) -> Failure {
        Failure::Usage(format!(
            "{} already exists\nhelp: choose another name (`upfault new NAME …`), or replace it with `--force`",
            self.shown
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_terminal_another_name_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let context = CliContext { interactive: true, ..CliContext::for_tests(folder.path(), None) };
        std::fs::create_dir(folder.path().join("scenarios")).unwrap();
        std::fs::write(folder.path().join("scenarios/a.yaml"), "mine").unwrap();
        let chosen = |answers: &str, wanted: &str| {
            ScenarioPlace::chosen(&context, &mut answers.as_bytes(), &mut Vec::new(), wanted, false)
                .map(|place| (place.id, place.may_replace))
                .map_err(|failure| failure.render(false))
        };
        assert_eq!(chosen("", "b"), Ok(("b".to_owned(), false)));
        assert_eq!(chosen("y\n", "a"), Ok(("a".to_owned(), true)));
        assert_eq!(chosen("n\nours/b\n", "a"), Ok(("ours/b".to_owned(), false)));
        assert_eq!(chosen("\na b\nb\n", "a"), Ok(("b".to_owned(), false)));
        assert!(chosen("n\n\n", "a").unwrap_err().contains("already exists"));
    }
}
