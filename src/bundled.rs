//! The files inside the binary. `build.rs` packs each folder into one compressed archive; the first use of a
//! folder decompresses it.

use std::{collections::BTreeMap, io::Read as _, sync::LazyLock};

use flate2::read::ZlibDecoder;

/// The scenarios that come with upfault.
pub(crate) static SCENARIOS: LazyLock<Folder> =
    LazyLock::new(|| Folder::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/scenarios.archive"))));

/// The proxy definitions that come with upfault: one folder for each proxy.
pub(crate) static PROXIES: LazyLock<Folder> =
    LazyLock::new(|| Folder::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/proxies.archive"))));

/// The JSON Schemas and the OpenAPI document. `just schema` generates the files from the types, and tests check that they
/// are up to date. The program embeds the files and does not contain the code that generates them.
pub(crate) static SCHEMAS: LazyLock<Folder> =
    LazyLock::new(|| Folder::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/schema.archive"))));

/// The accepted snapshots that come with upfault.
pub(crate) static SNAPSHOTS: LazyLock<Folder> =
    LazyLock::new(|| Folder::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/snapshots.archive"))));

/// The pages of the manual that `upfault help` prints: those in docs/ that are not lists of results.
pub(crate) static DOCS: LazyLock<Folder> =
    LazyLock::new(|| Folder::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/docs.archive"))));

/// The durations of cases by which shards are split: one file for each proxy.
pub(crate) static DURATIONS: LazyLock<Folder> =
    LazyLock::new(|| Folder::unpack(include_bytes!(concat!(env!("OUT_DIR"), "/durations.archive"))));

/// Text files, sorted by their paths below the folder. The separator in paths is `/`.
#[derive(Debug)]
pub(crate) struct Folder(BTreeMap<&'static str, &'static str>);

impl Folder {
    fn unpack(archive: &[u8]) -> Self {
        let mut text = String::new();
        if let Err(error) = ZlibDecoder::new(archive).read_to_string(&mut text) {
            // The archives are part of the program, and a test unpacks each of them.
            unreachable!("an archive inside the binary does not decompress: {error}");
        }
        let mut rest: &'static str = text.leak();
        let mut files = BTreeMap::new();
        while let Some((path, text, after)) = first_file(rest) {
            files.insert(path, text);
            rest = after;
        }
        Self(files)
    }

    /// The text of the file at this path.
    pub(crate) fn get(&self, path: &str) -> Option<&'static str> {
        self.0.get(path).copied()
    }

    /// The files, each with its path and text.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.0.iter().map(|(path, text)| (*path, *text))
    }

    /// The names of the folders directly below this one, without duplicates.
    pub(crate) fn folders(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.0.keys().filter_map(|path| Some(path.split_once('/')?.0)).collect();
        names.dedup();
        names
    }
}

/// The path and text of the first file of an archive, and the rest of the archive.
fn first_file(archive: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (header, rest) = archive.split_once('\n')?;
    let (length, path) = header.split_once(' ')?;
    let (text, rest) = rest.split_at_checked(length.parse().ok()?)?;
    Some((path, text, rest))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// How many files `build.rs` leaves out of the manual.
    const LEFT_OUT: usize = 5;

    #[test]
    fn each_archive_contains_the_files_of_its_folder() {
        let folders = [
            ("proxies", &PROXIES, 2),
            ("scenarios", &SCENARIOS, 2),
            ("schema", &SCHEMAS, 2),
            ("snapshots", &SNAPSHOTS, 2),
            ("src/shard/durations", &DURATIONS, 1),
            ("docs", &DOCS, 20),
        ];
        for (name, folder, fewest) in folders {
            assert!(folder.files().count() >= fewest, "{name}");
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            for (path, text) in folder.files() {
                assert_eq!(fs::read_to_string(root.join(path)).unwrap(), text, "{name}/{path}");
            }
            let walk = ignore::WalkBuilder::new(&root).standard_filters(false).build();
            let on_disk = walk.flatten().filter(|entry| entry.path().is_file()).count();
            let left_out = if name == "docs" { LEFT_OUT } else { 0 };
            assert_eq!(folder.files().count(), on_disk - left_out, "{name}");
        }
    }

    #[test]
    fn folders_have_no_duplicates() {
        for folders in [PROXIES.folders(), SNAPSHOTS.folders()] {
            assert!(folders.contains(&"litellm"), "{folders:?}");
            assert!(folders.is_sorted_by(|one, next| one < next), "{folders:?}");
        }
    }
}
