//! Architecture rules: which module may use which, which modules may use sockets, and the maximum size of files.
//! docs/architecture.md explains the reasons.
//!
//! The tests read the files as text, so that rules apply to code under `#[cfg]` and in macros too.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/seams.rs"]
mod seams;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/wording.rs"]
mod wording;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use source::{Token, paths, tokens};

/// The modules in reading order. Each may use the ones before it and none after it.
const ORDER: [&str; 30] = [
    "platform",
    "bundled",
    "shell",
    "spool",
    "scenario",
    "shard",
    "wire",
    "observation",
    "dialect",
    "provider",
    "fault",
    "incident",
    "upstream",
    "serve",
    "selftest",
    "lock",
    "proxy",
    "builtin",
    "client",
    "judge",
    "snapshot",
    "record",
    "compare",
    "matrix",
    "event",
    "runner",
    "report",
    "api",
    "cli",
    "internals",
];

/// Uses that the order allows but the design forbids: the module, the modules that it must not use, and the reason.
const FORBIDDEN: [(&str, &[&str], &str); 12] = [
    (
        "provider",
        &["dialect"],
        "it writes with code of its own what `dialect` reads, so that the reader is tested",
    ),
    (
        "selftest",
        &["serve"],
        "it arms the mock directly, so that no API can change a fault before it is verified",
    ),
    ("proxy", &["upstream", "serve"], "only the runner connects upstream, proxy and client"),
    (
        "builtin",
        &["upstream", "serve"],
        "it acts as a proxy, which knows its routes but not the upstreams behind them",
    ),
    (
        "client",
        &["upstream", "serve", "proxy", "builtin"],
        "only the runner connects upstream, proxy and client",
    ),
    (
        "judge",
        &["upstream", "serve", "proxy", "builtin", "client"],
        "it judges data, so that a stored run can be judged again",
    ),
    (
        "snapshot",
        &["upstream", "serve", "proxy", "builtin", "client"],
        "it works on data, so that a stored run can be compared",
    ),
    (
        "compare",
        &["upstream", "serve", "proxy", "builtin", "client"],
        "it compares data, so that stored runs can be compared",
    ),
    (
        "matrix",
        &["upstream", "serve", "proxy", "builtin", "client"],
        "it works on data, so that stored runs and accepted snapshots can be shown",
    ),
    ("event", &["upstream", "serve", "proxy", "builtin", "client"], "events are data for any consumer"),
    ("runner", &["serve", "selftest"], "`serve` and `selftest` are separate commands"),
    (
        "report",
        &["runner", "upstream", "serve", "proxy", "builtin", "client"],
        "a report depends only on events",
    ),
];

/// Modules that must not use sockets.
const PURE: [&str; 13] = [
    "bundled",
    "shell",
    "scenario",
    "shard",
    "wire",
    "observation",
    "dialect",
    "provider",
    "fault",
    "incident",
    "judge",
    "compare",
    "matrix",
];

/// Paths and names of socket APIs.
const SOCKETS: [&str; 12] = [
    "tokio::net",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "reqwest",
    "hyper",
    "hyper_util",
    "axum",
    "socket2",
    "rustls",
    "TcpStream",
];

/// The maximum number of lines of a file, and of its lines without tests.
const MOST_LINES: usize = 800;
const MOST_CODE: usize = 400;

/// Files that may be longer, with reasons.
const LONG_FILES: [(&str, &str); 0] = [];

/// File names that do not describe the content.
const VAGUE: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

struct File {
    /// The path in the repository: `src/judge/fate.rs`.
    name: String,
    text: String,
    tokens: Vec<Token>,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), tokens: tokens(text) }
    }

    /// `["judge", "rules"]` for `src/judge/rules/mod.rs`.
    fn module(&self) -> Vec<String> {
        let path = self.name.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            module.pop();
        }
        module
    }

    /// The number of lines before the test module; 0 for a file of tests.
    fn code_lines(&self) -> usize {
        if self.stem() == "tests" || self.name.contains("/tests/") {
            return 0;
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0] == "#[cfg(test)]" && pair[1].trim_start_matches("pub(crate) ").starts_with("mod ")
        });
        tests.unwrap_or(lines.len())
    }

    fn stem(&self) -> &str {
        Path::new(&self.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders.
fn files(folders: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a folder of the repository can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("it was found below the root");
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                found.push(File::new(&name.display().to_string().replace('\\', "/"), &text));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 1, "there is nothing to check");
    found
}

#[track_caller]
fn assert_none(problems: &[String], what_to_do: &str) {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "  {problem}");
    }
    assert!(
        problems.is_empty(),
        "{} violations of the architecture rules:\n{text}  help: {what_to_do}",
        problems.len()
    );
}

/// Uses of other modules that are not allowed.
fn wrong_edges(file: &File) -> Vec<String> {
    let module = file.module();
    let Some(from) = module.first() else { return Vec::new() };
    let place = |name: &str| ORDER.iter().position(|module| *module == name);
    let mut problems = Vec::new();
    for path in paths(&file.tokens, &module).into_iter().filter(|path| path.local) {
        let at = format!("{}:{}", file.name, path.line);
        match path.segments.first().map(String::as_str) {
            None | Some("*") => problems.push(format!("{at}: the whole crate is used; name the module")),
            Some(to) if to == from => {}
            Some(to) => {
                let forbidden =
                    FORBIDDEN.iter().find(|(module, others, _)| module == from && others.contains(&to));
                match (place(from), place(to)) {
                    (Some(_), None) => problems.push(format!("{at}: `{to}` is not a module of this crate")),
                    (Some(i), Some(k)) if k > i => {
                        problems.push(format!("{at}: `{from}` uses `{to}`, which comes after it"));
                    }
                    _ => {}
                }
                if let Some((.., why)) = forbidden {
                    problems.push(format!("{at}: `{from}` uses `{to}`, but {why}"));
                }
            }
        }
    }
    problems
}

/// Uses of socket APIs in a module that must not use them.
fn sockets(file: &File) -> Vec<String> {
    let module = file.module();
    if !module.first().is_some_and(|module| PURE.contains(&module.as_str())) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for path in paths(&file.tokens, &module).into_iter().filter(|path| !path.local) {
        let text = path.segments.join("::");
        if SOCKETS.iter().any(|socket| text == *socket || text.starts_with(&format!("{socket}::"))) {
            problems.push(format!("{}:{}: `{text}` is a socket API", file.name, path.line));
        }
    }
    problems
}

#[test]
fn modules_use_only_those_before_them() {
    let problems: Vec<String> = files(&["src"]).iter().flat_map(wrong_edges).collect();
    assert_none(
        &problems,
        "let the caller pass the data, or move the type to the first module that needs it; \
         the order is ORDER in tests/architecture.rs",
    );
}

#[test]
fn files_of_a_module_do_not_import_from_each_other_in_a_circle() {
    let found: Vec<String> =
        circles::circles(&files(&["src"])).iter().map(|circle| circle.join(" ")).collect();
    assert_none(&found, "move what both need into a file of its own, which imports from neither");
}

#[test]
fn every_module_is_in_the_order() {
    let problems: Vec<String> = files(&["src"])
        .iter()
        .filter(|file| file.module().first().is_some_and(|module| !ORDER.contains(&module.as_str())))
        .map(|file| format!("{}: this module is not in the order", file.name))
        .collect();
    assert_none(
        &problems,
        "add the module to ORDER in tests/architecture.rs, lib.rs and docs/architecture.md",
    );
}

#[test]
fn lib_rs_lists_the_modules_in_reading_order() {
    let file =
        File::new("src/lib.rs", &fs::read_to_string(root().join("src/lib.rs")).expect("there is a library"));
    let listed: Vec<&str> = file
        .tokens
        .windows(2)
        .filter(|pair| pair[0].text == "mod")
        .map(|pair| pair[1].text.as_str())
        .collect();
    let ordered: Vec<&str> = ORDER.into_iter().filter(|module| listed.contains(module)).collect();
    assert_eq!(listed, ordered, "src/lib.rs is a map of the code: list its modules in the order of ORDER");
    let present: Vec<&str> = ORDER
        .into_iter()
        .filter(|module| {
            root().join(format!("src/{module}/mod.rs")).is_file()
                || root().join(format!("src/{module}.rs")).is_file()
        })
        .collect();
    assert_eq!(listed, present, "src/lib.rs must list every module there is, or its tests never run");
}

#[test]
fn pure_modules_use_no_sockets() {
    let problems: Vec<String> = files(&["src"]).iter().flat_map(sockets).collect();
    assert_none(&problems, "return the data to send, and let a module with sockets send it");
}

#[test]
fn only_the_module_platform_uses_apis_of_a_single_operating_system() {
    let problems: Vec<String> = files(&["src"]).iter().flat_map(seams::outside).collect();
    assert_none(
        &problems,
        "add a function to a file of src/platform that names what differs, with a way for every operating system",
    );
}

#[test]
fn every_file_of_the_module_platform_is_explained() {
    let page = fs::read_to_string(root().join("docs/platforms.md")).expect("there is a page on platforms");
    let problems: Vec<String> = files(&["src/platform"])
        .iter()
        .map(|file| (file, file.name.rsplit('/').next().unwrap_or_default()))
        .filter(|(_, name)| !["mod.rs", "operating_system.rs"].contains(name))
        .filter(|(_, name)| !page.contains(&format!("\n| `{name}` |")))
        .map(|(file, _)| format!("{}: docs/platforms.md does not say how the systems differ", file.name))
        .collect();
    assert_none(&problems, "add a row to the table in docs/platforms.md");
}

#[test]
fn files_stay_small() {
    let mut problems = Vec::new();
    for file in files(&["src"]) {
        if LONG_FILES.iter().any(|(name, reason)| *name == file.name && !reason.is_empty()) {
            continue;
        }
        let (lines, code) = (file.text.lines().count(), file.code_lines());
        if lines > MOST_LINES {
            problems
                .push(format!("{}:{MOST_LINES}: {lines} lines, at most {MOST_LINES} are allowed", file.name));
        }
        if code > MOST_CODE {
            problems.push(format!(
                "{}:{MOST_CODE}: {code} lines before its tests, at most {MOST_CODE}",
                file.name
            ));
        }
    }
    assert_none(&problems, "split the file by topic, and name each file after its topic");
}

/// The line of the first item in a `mod.rs` that is neither `mod` nor `use`.
fn content(file: &File) -> Option<usize> {
    let text = |i: usize| file.tokens.get(i).map_or("", |token| token.text.as_str());
    let mut i = 0;
    while i < file.tokens.len() {
        let start = i;
        // Attributes.
        while text(i) == "#" {
            let mut depth = 0;
            i += if text(i + 1) == "!" { 2 } else { 1 };
            loop {
                depth += i32::from(text(i) == "[") - i32::from(text(i) == "]");
                i += 1;
                if depth <= 0 {
                    break;
                }
            }
        }
        if i == file.tokens.len() {
            return None;
        }
        if text(i) == "pub" {
            i += 1;
            if text(i) == "(" {
                while i < file.tokens.len() && text(i) != ")" {
                    i += 1;
                }
                i += 1;
            }
        }
        let kind = text(i);
        while !matches!(text(i), ";" | "") {
            if kind == "mod" && text(i) == "{" {
                return Some(file.tokens[start].line);
            }
            i += 1;
        }
        if !matches!(kind, "mod" | "use") {
            return Some(file.tokens[start].line);
        }
        i += 1;
    }
    None
}

#[test]
fn mod_rs_only_lists_and_re_exports() {
    let problems: Vec<String> = files(&["src"])
        .iter()
        .filter(|file| file.stem() == "mod" || file.name == "src/lib.rs")
        .filter_map(|file| {
            content(file).map(|line| format!("{}:{line}: this is neither `mod` nor `use`", file.name))
        })
        .collect();
    assert_none(&problems, "move the item to a separate file and re-export it with `pub use`");
}

#[test]
fn file_names_describe_the_content() {
    let problems: Vec<String> = files(&["src", "tests", "benches", "examples"])
        .iter()
        .filter(|file| file.name.trim_end_matches(".rs").split('/').any(|part| VAGUE.contains(&part)))
        .map(|file| format!("{}: the name does not describe the content", file.name))
        .collect();
    assert_none(&problems, "name the file after its topic; split it if it has several topics");
}

/// Unfinished code.
fn unfinished(file: &File) -> Vec<String> {
    let mut problems = Vec::new();
    for (i, token) in file.tokens.iter().enumerate() {
        let next = file.tokens.get(i + 1).map_or("", |next| next.text.as_str());
        let before = |n: usize| i.checked_sub(n).map_or("", |i| file.tokens[i].text.as_str());
        let found = match token.text.as_str() {
            word @ ("todo" | "unimplemented" | "dbg") if next == "!" => format!("{word}!"),
            "ignore" if before(1) == "[" && before(2) == "#" => "#[ignore]".to_owned(),
            _ => continue,
        };
        problems.push(format!("{}:{}: `{found}`", file.name, token.line));
    }
    problems
}

#[test]
fn nothing_is_left_unfinished() {
    let problems: Vec<String> =
        files(&["src", "tests", "benches", "examples"]).iter().flat_map(unfinished).collect();
    assert_none(
        &problems,
        "finish it or remove it; a test that cannot run everywhere must report that it is skipped",
    );
}

/// The files and folders whose wording is checked.
const READ: [&str; 23] = [
    ".ci",
    ".github",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "Dockerfile",
    "README.md",
    "action.yml",
    "benches",
    "build.rs",
    "clippy.toml",
    "deny.toml",
    "docs",
    "examples",
    "justfile",
    "packaging",
    "proxies",
    "pyproject.toml",
    "scenarios",
    "schema",
    "snapshots",
    "src",
    "tests",
];

/// Files that other tools wrote, and the list of banned words itself.
const NOT_OURS: [&str; 2] = ["tests/architecture/wording.rs", "package-lock.json"];

/// Collects the text files at and below a path.
fn texts(path: &Path, found: &mut Vec<(String, String)>) {
    let name =
        path.strip_prefix(root()).expect("it is below the root").display().to_string().replace('\\', "/");
    if path.is_dir() {
        if path.ends_with("node_modules") {
            return;
        }
        for entry in fs::read_dir(path).expect("a folder of the repository can be listed") {
            texts(&entry.expect("its entries can be read").path(), found);
        }
    } else if !NOT_OURS.iter().any(|other| name.ends_with(other)) {
        // A file that is not UTF-8 is not a text file.
        if let Ok(text) = fs::read_to_string(path) {
            found.push((name, text));
        }
    }
}

#[test]
fn wording_is_plain() {
    let mut found = Vec::new();
    for path in READ {
        texts(&root().join(path), &mut found);
    }
    assert!(found.len() > READ.len(), "{} files are too few", found.len());
    let problems: Vec<String> = found.iter().flat_map(|(name, text)| wording::banned(name, text)).collect();
    assert_none(&problems, "rewrite the sentence as tests/architecture/wording.rs suggests");
}

/// The name of the type that a line with `pub` defines, if it defines one.
fn type_name(line: &str) -> Option<&str> {
    // `pub(in crate::x)` has a space.
    let (_, item) =
        line.strip_prefix("pub(").and_then(|rest| rest.split_once(')')).unwrap_or(("", &line[3..]));
    let (kind, rest) = item.trim_start().split_once(' ')?;
    let is_type = ["struct", "enum", "trait", "type", "union"].contains(&kind);
    // The name that a macro is given is empty here.
    let name = rest.split(|c: char| !c.is_alphanumeric()).next().filter(|name| !name.is_empty());
    name.filter(|_| is_type)
}

/// The names of the exported types of a file: `pub`, `pub(crate)` and the like, before its tests.
fn type_names(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let exported = code.lines().map(str::trim_start).filter(|line| line.starts_with("pub"));
    exported.filter_map(type_name).collect()
}

#[test]
fn type_names_are_unique() {
    let sources = files(&["src"]);
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in sources.iter().filter(|file| !file.name.contains("/tests")) {
        for name in type_names(&file.text) {
            places.entry(name).or_default().push(&file.name);
        }
    }
    assert!(places.len() > 400, "only {} types were found", places.len());
    let problems: Vec<String> = places
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(name, files)| format!("{name} is defined in {}", files.join(" and ")))
        .collect();
    assert_none(
        &problems,
        "name each type by what it is, so that a reader need not know its module to understand it",
    );
}

mod of_these_checks {
    use super::*;

    #[test]
    fn exported_types_are_found_and_private_ones_and_functions_are_not() {
        let text = "pub struct A<T>(T);\n    pub(crate) enum B {}\nstruct C;\npub fn d() {}\npub(in crate::x) trait E: F {}\n\
                    pub type G = H;\n#[cfg(test)]\nmod tests {\n    pub struct I;\n}\n";
        assert_eq!(type_names(text), ["A", "B", "E", "G"]);
    }

    #[test]
    fn banned_wording_is_found_across_lines_and_in_identifiers() {
        // The words are assembled here, because the test `wording_is_plain` reads this file too.
        let [verb, camel, other] = [["to", "ld"], ["To", "ld"], ["sta", "nds"]].map(|parts| parts.concat());
        let header = ["no", "header"].join(" ");
        let text = format!(
            "/// It is no\n/// header, and there is no other.\nfn is_{verb}() -> Error{camel} {{}}\n// It {other}\n"
        );
        let found = wording::banned("a.rs", &text);
        let lines: Vec<&str> =
            found.iter().map(|line| line.split('"').take(2).last().unwrap_or_default()).collect();
        assert_eq!(lines, [verb.clone(), camel, other, format!("is {header}")], "{found:?}");
        let first = format!("a.rs:1: \"is {header}\"");
        assert!(found.iter().any(|line| line.starts_with(&first)), "{found:?}");
        assert!(wording::banned("a.rs", "There is no header. It is no longer there.").is_empty());
        // Ids and names that older versions wrote are exempt; a hyphen alone does not make an id.
        let id =
            format!("`success.limit-{verb}`, `cooldown-{verb}-later`\n    #[serde(alias = \"{verb}\")]\n");
        assert!(wording::banned("a.rs", &id).is_empty());
        assert_eq!(wording::banned("a.rs", &format!("a re-{verb} story")).len(), 1);
    }

    const PLANTED: &str = r##"
//! use crate::cli;
/* use crate::cli; /* nested */ use crate::cli; */
use crate::{
    scenario::{Case, Turn as T},
    client::{self, Driver},
};
pub(crate) const TEXT: &str = "use crate::cli;";
const RAW: &str = r#"crate::cli::x " // "#; const QUOTE: char = '"'; const TICK: char = '\'';
fn f<'a>(x: &'a str) -> crate::observation::Body { super::heard(super::super::runner::go::<u8>(x)) }
mod tests { use super::super::*; fn g() { super::super::super::event::x() } }
fn after() { super::super::report::y() }
"##;

    #[test]
    fn planted_uses_are_found_with_their_lines() {
        let file = File::new("src/judge/fate.rs", PLANTED);
        assert_eq!(
            wrong_edges(&file),
            [
                "src/judge/fate.rs:6: `judge` uses `client`, but it judges data, so that a stored run can be judged again",
                "src/judge/fate.rs:6: `judge` uses `client`, but it judges data, so that a stored run can be judged again",
                "src/judge/fate.rs:10: `judge` uses `runner`, which comes after it",
                "src/judge/fate.rs:11: `judge` uses `event`, which comes after it",
                "src/judge/fate.rs:12: `judge` uses `report`, which comes after it",
            ]
        );
    }

    #[test]
    fn a_use_of_the_whole_crate_is_reported() {
        let file =
            File::new("src/event.rs", "use super::*;\nuse crate::{judge, *};\nmod tests { use super::*; }\n");
        assert_eq!(
            wrong_edges(&file),
            [
                "src/event.rs:1: the whole crate is used; name the module",
                "src/event.rs:2: the whole crate is used; name the module",
            ]
        );
    }

    #[test]
    fn planted_circles_are_found_through_re_exports() {
        let files = |a: &str| {
            [
                File::new("src/x/mod.rs", "mod a;\nmod b;\nmod c;\npub use b::B;\npub use c::C;\n"),
                File::new("src/x/a.rs", a),
                File::new(
                    "src/x/b.rs",
                    "use super::{c, C};\n#[cfg(test)]\nmod tests { use crate::x::a::A; }\n",
                ),
                File::new("src/x/c.rs", "fn f() { crate::x::a::g() }\nuse crate::y::Y;\n"),
                File::new("src/y.rs", "use crate::x::a::A;\n"),
            ]
        };
        assert_eq!(circles::circles(&files("use crate::x::B;")), [["x/a.rs", "x/b.rs", "x/c.rs"]]);
        assert!(circles::circles(&files("use crate::y::Y;")).is_empty());
    }

    #[test]
    fn planted_sockets_are_found() {
        let text = "use tokio::{time, net::TcpStream};\nfn f() { reqwest::get(x); std::net::TcpStream::connect(y) }\n\
                    use hyper as h;\nuse std::net::IpAddr;\n";
        let lines: Vec<String> = sockets(&File::new("src/wire/sse.rs", text));
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert_eq!(sockets(&File::new("src/client/driver.rs", text)), Vec::<String>::new());
    }

    #[test]
    fn planted_apis_of_an_operating_system_are_found() {
        let text = "use std::{io, os::unix::fs::PermissionsExt};\n#[cfg(unix)]\nfn f() { nix::unistd::getpid(); }\n\
                    // \"/proc/self\" std::os::x::y\nfn g() { read(\"/proc/self/stat\"); if cfg!(not(target_os = \"linux\")) {} }\n\
                    #[cfg(all(feature = \"x\", debug_assertions))]\nuse tokio::signal::ctrl_c;\n\
                    #[cfg(test)]\nmod tests {\n    #[cfg(unix)]\n    use std::os::unix::fs::symlink;\n}\n";
        assert_eq!(
            seams::outside(&File::new("src/proxy/x.rs", text)),
            [
                "src/proxy/x.rs:1: `std::os::unix::fs::PermissionsExt`",
                "src/proxy/x.rs:2: `cfg` with `unix`",
                "src/proxy/x.rs:3: `nix::unistd::getpid`",
                "src/proxy/x.rs:5: \"/proc…\"",
                "src/proxy/x.rs:5: `cfg` with `target_os`",
            ]
        );
        assert!(seams::outside(&File::new("src/platform/x.rs", text)).is_empty());
    }

    #[test]
    fn planted_methods_files_and_conditions_of_attributes_are_found() {
        let text = "use tokio::net::{TcpStream, UnixStream};\nuse std::env::consts;\nfn f() { consts::OS; consts::ARCH }\n\
                    fn g(c: Command) { c.arg(x).process_group(0); uid(1) }\nfn h() { read(\"/etc/os-release\"); open(\"/dev/null\") }\n\
                    #[cfg_attr(unix, derive(A))]\n#[cfg_attr(test, derive(B))]\nstruct S { uid: u32 }\n";
        assert_eq!(
            seams::outside(&File::new("src/proxy/x.rs", text)),
            [
                "src/proxy/x.rs:1: `tokio::net::UnixStream`",
                "src/proxy/x.rs:3: `consts::OS`",
                "src/proxy/x.rs:4: `.process_group()`",
                "src/proxy/x.rs:5: \"/dev/…\"",
                "src/proxy/x.rs:5: \"/etc/…\"",
                "src/proxy/x.rs:6: `cfg_attr` with `unix`",
            ]
        );
    }

    #[test]
    fn a_mod_rs_may_contain_only_uses_and_modules() {
        let fine =
            "//! Doc.\n#![allow(x)]\nmod a;\n#[cfg(test)]\npub(crate) use a::{\n    B,\n};\npub mod c;\n";
        assert_eq!(content(&File::new("src/judge/mod.rs", fine)), None);
        assert_eq!(
            content(&File::new("src/judge/mod.rs", "mod a;\n\n#[derive(Debug)]\npub struct B { c: u8 }\n")),
            Some(3)
        );
        assert_eq!(
            content(&File::new("src/judge/mod.rs", "mod a;\nmod tests {\n    use super::*;\n}\n")),
            Some(2)
        );
    }

    #[test]
    fn unfinished_code_is_found_but_comments_and_strings_are_not() {
        let text = "// todo!()\nfn f() { todo!() }\n#[ignore = \"slow\"]\nfn ignore() { let x = \"dbg!(1)\"; dbg!(x) }\n";
        assert_eq!(
            unfinished(&File::new("src/x.rs", text)),
            ["src/x.rs:2: `todo!`", "src/x.rs:3: `#[ignore]`", "src/x.rs:4: `dbg!`"]
        );
    }

    #[test]
    fn test_modules_do_not_count_as_code() {
        let text = "fn f() {}\n#[cfg(test)]\nfn seam() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(File::new("src/x.rs", text).code_lines(), 3);
        assert_eq!(File::new("src/x/tests.rs", text).code_lines(), 0);
    }
}
