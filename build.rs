//! Packs the scenarios, proxy definitions, schemas, snapshots, durations and pages of the manual that are part of the binary
//! into one compressed archive for each folder; `src/bundled.rs` reads them. Finds the commit for `upfault --version`.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::ZlibEncoder};

/// The folders of the package whose files are embedded. An archive has the name of the last part.
const FOLDERS: [&str; 6] = ["docs", "proxies", "scenarios", "schema", "snapshots", "src/shard/durations"];

/// The files of these folders that are not embedded: what a page is generated from, and the pages that list results. They
/// weigh as much as the rest of the manual, and a browser shows their tables better. The same files are excluded in Cargo.toml.
const LEFT_OUT: [&str; 5] =
    ["field-failures.md", "field-failures.yaml", "gateway-findings.md", "gateways.md", "litellm.md"];

fn main() -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "Cargo names the output folder in no other way")]
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for folder in FOLDERS {
        // Cargo looks at every file below the folder.
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        find(Path::new(folder), "", &mut files)?;
        files.retain(|(path, _)| folder != "docs" || !LEFT_OUT.contains(&path.as_str()));
        // Files at the same path in two folders are next to each other: the snapshots of two versions of a proxy are nearly
        // the same, and the compression finds repetitions only within 32 KiB.
        files.sort_by(|(one, _), (other, _)| below_first(one).cmp(below_first(other)).then(one.cmp(other)));
        let name = folder.rsplit('/').next().unwrap_or(folder);
        fs::write(out.join(format!("{name}.archive")), pack(&files)?)?;
    }
    println!(
        "cargo::rustc-env=UPFAULT_COMMIT={}",
        commit().map(|commit| format!(" ({commit})")).unwrap_or_default()
    );
    Ok(())
}

/// The commit that is built, and its date: `33ab5d35 2026-11-30`. The same sources always give the same text.
///
/// It is the variable `UPFAULT_COMMIT` if that is set (a build without the repository, as in a container), the commit that
/// Cargo wrote into the package, or that of the git repository. A debug build has none, because otherwise each commit would
/// compile the crate again.
#[expect(clippy::disallowed_methods, reason = "Cargo passes its settings to a build script in variables")]
fn commit() -> Option<String> {
    println!("cargo::rerun-if-env-changed=UPFAULT_COMMIT");
    if let Some(given) = env::var("UPFAULT_COMMIT").ok().filter(|given| !given.is_empty()) {
        return Some(given);
    }
    if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        return None;
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    if let Ok(packaged) = fs::read_to_string(root.join(".cargo_vcs_info.json")) {
        let (_, sha) = packaged.split_once("\"sha1\": \"")?;
        return sha.get(..8).map(str::to_owned);
    }
    // A package that was unpacked inside of another repository is not a part of it.
    let top = git(&root, &["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(&root).ok()? {
        return None;
    }
    for state in ["HEAD", "logs/HEAD"] {
        let path = root.join(git(&root, &["rev-parse", "--git-path", state])?);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    for sources in ["src", "Cargo.toml", "Cargo.lock", "build.rs"] {
        println!("cargo::rerun-if-changed={sources}");
    }
    let commit = git(&root, &["show", "--no-patch", "--abbrev=8", "--format=%h %cs", "HEAD"])?;
    let is_changed =
        !git(&root, &["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if is_changed { format!("{commit}, changed") } else { commit })
}

/// What a git command prints, or `None` if it fails.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
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
