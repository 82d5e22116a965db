//! Finds APIs of a single operating system: paths, `cfg` conditions and files such as `/proc`.

use super::{File, source::paths};

/// The module that may use them.
const SEAM: &str = "platform";

/// Paths of APIs that not every operating system has.
const APIS: [&str; 10] = [
    "std::os",
    "nix",
    "rustix",
    "libc",
    "windows",
    "windows_sys",
    "process_wrap::tokio::ProcessGroup",
    "process_wrap::tokio::JobObject",
    "tokio::signal::unix",
    "tokio::signal::windows",
];

/// Words of a `cfg` condition that depend on the operating system.
const CONDITIONS: [&str; 5] = ["unix", "windows", "target_os", "target_family", "target_env"];

/// Beginnings of strings that name a file of a single operating system.
const FILES: [&str; 2] = ["\"/proc", "\"/sys/"];

/// The uses of such APIs outside of the module `platform`, except in tests.
pub fn outside(file: &File) -> Vec<String> {
    let module = file.module();
    if module.first().is_some_and(|module| module == SEAM) {
        return Vec::new();
    }
    let last = file.code_lines();
    let is_code = |line: usize| line <= last;
    let mut found: Vec<(usize, String)> = Vec::new();
    for path in paths(&file.tokens, &module).into_iter().filter(|path| !path.local && is_code(path.line)) {
        let text = path.segments.join("::");
        if APIS.iter().any(|api| text == *api || text.starts_with(&format!("{api}::"))) {
            found.push((path.line, format!("`{text}`")));
        }
    }
    for (i, token) in file.tokens.iter().enumerate().filter(|(_, token)| token.text == "cfg") {
        let mut depth = 0;
        // `cfg(…)` or `cfg!(…)`.
        for inner in file.tokens[i + 1..].iter().skip_while(|token| token.text == "!") {
            depth += i32::from(inner.text == "(") - i32::from(inner.text == ")");
            if depth == 0 {
                break;
            }
            if CONDITIONS.contains(&inner.text.as_str()) && is_code(token.line) {
                found.push((token.line, format!("`cfg` with `{}`", inner.text)));
            }
        }
    }
    for (number, line) in (1..=last).zip(file.text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        found.extend(
            FILES.iter().filter(|name| code.contains(*name)).map(|name| (number, format!("{name}…\""))),
        );
    }
    found.sort();
    found.into_iter().map(|(line, what)| format!("{}:{line}: {what}", file.name)).collect()
}
