//! Packs the scenarios, proxy definitions, schemas, snapshots and durations that are part of the binary into one
//! compressed archive for each folder. `src/bundled.rs` reads them.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::ZlibEncoder};

/// The folders of the package whose files are embedded. An archive has the name of the last part.
const FOLDERS: [&str; 5] = ["proxies", "scenarios", "schema", "snapshots", "src/shard/durations"];

fn main() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "Cargo names the output folder in no other way")]
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for folder in FOLDERS {
        // Cargo looks at every file below the folder.
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        find(Path::new(folder), "", &mut files)?;
        // Files at the same path in two folders are next to each other: the snapshots of two versions of a proxy are nearly
        // the same, and the compression finds repetitions only within 32 KiB.
        files.sort_by(|(one, _), (other, _)| below_first(one).cmp(below_first(other)).then(one.cmp(other)));
        let name = folder.rsplit('/').next().unwrap_or(folder);
        fs::write(out.join(format!("{name}.archive")), pack(&files)?)?;
    }
    Ok(())
}

/// Adds the text files below `folder`, each with its path below the embedded folder. The separator in the
/// path is `/`.
fn find(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}{name}");
        if entry.path().is_dir() {
            find(&entry.path(), &format!("{name}/"), files)?;
        } else if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
            files.push((name, text));
        }
    }
    Ok(())
}

/// The path without its first folder.
fn below_first(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, rest)| rest)
}

/// For each file a line with its length in bytes and its path, and then its text; all of it compressed.
fn pack(files: &[(String, String)]) -> io::Result<Vec<u8>> {
    let mut archive = ZlibEncoder::new(Vec::new(), Compression::best());
    for (path, text) in files {
        write!(archive, "{} {path}\n{text}", text.len())?;
    }
    archive.finish()
}
