//! Values in a temporary file, because there can be too many of them for the memory.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    marker::PhantomData,
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

/// Values of one type in a file without a name: it disappears with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Spool<T> {
    file: File,
    /// The number of bytes in the file.
    length: u64,
    values: PhantomData<fn() -> T>,
}

/// The place of a value in its [`Spool`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpoolPlace {
    start: u64,
    length: usize,
}

impl<T: Serialize + DeserializeOwned> Spool<T> {
    /// Creates the file in `folder`.
    ///
    /// # Errors
    ///
    /// If the folder does not exist or cannot be written.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let explained =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        let file = tempfile::tempfile_in(folder).map_err(explained)?;
        Ok(Self { file, length: 0, values: PhantomData })
    }

    /// Adds a value.
    ///
    /// # Errors
    ///
    /// If the disk is full.
    pub(crate) fn push(&mut self, value: &T) -> io::Result<SpoolPlace> {
        let text = serde_json::to_vec(value)?;
        let place = SpoolPlace { start: self.length, length: text.len() };
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&text)?;
        self.length += text.len() as u64;
        Ok(place)
    }

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub(crate) fn read(&self, place: SpoolPlace) -> io::Result<T> {
        let mut text = vec![0; place.length];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place.start))?;
        file.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_any_order_and_between_writes() {
        let mut spool = Spool::new(&std::env::temp_dir()).unwrap();
        let first = spool.push(&"one".to_owned()).unwrap();
        let second = spool.push(&"two\n\u{1f980}".to_owned()).unwrap();
        assert_eq!(spool.read(second).unwrap(), "two\n\u{1f980}");
        let third = spool.push(&String::new()).unwrap();
        let all = [first, second, third].map(|place| spool.read(place).unwrap());
        assert_eq!(all, ["one", "two\n\u{1f980}", ""]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = Spool::<u8>::new(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().starts_with("no/such/folder: "), "{error}");
    }
}
