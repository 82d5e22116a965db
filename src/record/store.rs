//! The folder of recordings.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::{
    allowed::Allowed,
    exchange::PassedExchange,
    scenario_text::{NotRecorded, ScenarioText, scenario_text},
};
use crate::snapshot::create_atomically;

/// The number of files of one name in a folder.
const MOST_OF_ONE_NAME: usize = 1000;

/// The folder of recordings. A file in it is complete or not there.
#[derive(Debug)]
pub(crate) struct RecordStore {
    folder: PathBuf,
    allowed: Allowed,
    /// The file of each kind of exchange that was recorded, by the SHA-256 of the kind, which contains a whole body.
    known: HashMap<[u8; 32], PathBuf>,
}

/// How an exchange was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SavedRecording {
    /// A new file.
    New(PathBuf),
    /// It equals an exchange that is already in this file, except for times, numbers and ids.
    Same(PathBuf),
}

impl RecordStore {
    /// Opens a folder, which is created if it does not exist. The values of these headers and JSON members may stay, in
    /// addition to those that are known to be harmless.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created, or no file can be created in it.
    pub(crate) fn open(folder: &Path, headers: &[String], members: &[String]) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // A folder that cannot be written should be reported before a provider is paid.
        tempfile::Builder::new().prefix(".upfault-").tempfile_in(folder)?;
        Ok(Self { folder: folder.to_owned(), allowed: Allowed::new(headers, members), known: HashMap::new() })
    }

    /// Writes an exchange as a scenario of this day.
    ///
    /// # Errors
    ///
    /// If the exchange cannot be a scenario, or the file cannot be written. Then there is no file.
    pub(crate) fn save(
        &mut self,
        exchange: &PassedExchange,
        day: Date,
    ) -> Result<SavedRecording, NotRecorded> {
        let ScenarioText { name, text, kind } = scenario_text(exchange, day, &self.allowed)?;
        let kind = Sha256::digest(kind).into();
        if let Some(file) = self.known.get(&kind) {
            return Ok(SavedRecording::Same(file.clone()));
        }
        for n in 1..=MOST_OF_ONE_NAME {
            let number = if n == 1 { String::new() } else { format!("-{n}") };
            let file = format!("{day}-{name}{number}.yaml");
            let path = self.folder.join(&file);
            match create_atomically(&path, &text) {
                Ok(()) => {
                    self.known.insert(kind, path.clone());
                    return Ok(SavedRecording::New(path));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    return Err(NotRecorded::Unwritable { name: file, source });
                }
            }
        }
        let source =
            io::Error::other(format!("there are {MOST_OF_ONE_NAME} recordings of this kind; remove some"));
        Err(NotRecorded::Unwritable { name, source })
    }
}
