//! When the snapshots in a folder were accepted: the file `accepted.toml` in it.

use std::{fs, io, path::Path};

use serde::Deserialize;

use super::atomic::write_atomically;

/// The name of the file.
const FILE: &str = "accepted.toml";

/// When, and with what, the snapshots of a proxy were accepted, or why there are none. `upfault run --accept` writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acceptance {
    /// The day of the last run that accepted snapshots, in UTC, as `2026-11-30`; empty if it is not known.
    pub accepted: String,
    /// The proxy and its version, as the installed program reports it: `nginx 1.22.1`.
    pub proxy: String,
    /// The version of upfault.
    pub upfault: String,
    /// The seed of all random choices.
    pub seed: u64,
    /// The policy that decided disputed questions.
    pub policy: String,
    /// Why the folder contains no snapshots. A person writes this.
    pub not_run: Option<String>,
}

impl Acceptance {
    /// Reads the file in a snapshot folder; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or does not have this form.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        toml::from_str(&text).map(Some).map_err(io::Error::other)
    }

    /// Replaces the file in a snapshot folder.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        write_atomically(&folder.join(FILE), &self.text())
    }

    fn text(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let not_run = self.not_run.iter().map(|reason| format!("not_run = {}\n", quoted(reason)));
        format!(
            "# Written by `upfault run --accept`: the last run that accepted snapshots in this folder.\n\
             accepted = {}\nproxy = {}\nupfault = {}\nseed = {}\npolicy = {}\n{}",
            quoted(&self.accepted),
            quoted(&self.proxy),
            quoted(&self.upfault),
            self.seed,
            quoted(&self.policy),
            not_run.collect::<String>()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Acceptance::read(folder.path()).unwrap(), None);
        let written = Acceptance {
            accepted: "2026-11-30".to_owned(),
            proxy: "a \"proxy\": 1.0 # x\n".to_owned(),
            upfault: "0.1.0".to_owned(),
            seed: 7,
            policy: "default, with timeout = 504".to_owned(),
            not_run: Some("it needs a GPU".to_owned()),
        };
        written.write(folder.path()).unwrap();
        assert_eq!(Acceptance::read(folder.path()).unwrap(), Some(written));
    }

    #[test]
    fn a_reason_is_enough_but_other_keys_are_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "not_run = 'it cannot be installed here'\n").unwrap();
        let read = Acceptance::read(folder.path()).unwrap().unwrap();
        assert_eq!(
            (read.not_run.as_deref(), read.accepted.as_str()),
            (Some("it cannot be installed here"), "")
        );
        fs::write(&path, "reason = 'x'\n").unwrap();
        assert!(Acceptance::read(folder.path()).is_err());
    }
}
