//! Finds APIs of a single operating system: paths, methods, `cfg` conditions and files such as `/proc`.

use super::{
    File,
    source::{Token, paths},
};

/// The module that may use them.
const SEAM: &str = "platform";

/// Paths of APIs that not every operating system has.
const APIS: [&str; 12] = [
    "std::os",
    "nix",
    "rustix",
    "libc",
    "windows",
    "windows_sys",
    "process_wrap::tokio::ProcessGroup",
    "process_wrap::tokio::JobObject",
    "tokio::net::unix",
    "tokio::net::windows",
    "tokio::signal::unix",
    "tokio::signal::windows",
];

/// Beginnings of such paths.
const BEGINNINGS: [&str; 1] = ["tokio::net::Unix"];

/// Ends of such paths, however much of them a `use` imports.
const ENDS: [&str; 2] = ["consts::OS", "consts::FAMILY"];

/// Methods that tokio's commands and socket2's sockets have on some systems only. Those of the standard library need a trait of
/// `std::os`.
const METHODS: [&str; 15] = [
    "process_group",
    "uid",
    "gid",
    "pre_exec",
    "arg0",
    "creation_flags",
    "raw_arg",
    "set_reuse_port",
    "bind_device",
    "set_cloexec",
    "set_freebind",
    "set_mark",
    "set_quickack",
    "set_tcp_mss",
    "set_tcp_user_timeout",
];

/// Words of a `cfg` condition that depend on the operating system.
const CONDITIONS: [&str; 5] = ["unix", "windows", "target_os", "target_family", "target_env"];

/// Beginnings of strings that name a file of a single operating system.
const FILES: [&str; 4] = ["\"/proc", "\"/sys/", "\"/etc/", "\"/dev/"];

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
        if APIS.iter().any(|api| text == *api || text.starts_with(&format!("{api}::")))
            || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
            || ENDS.iter().any(|end| text == *end || text.ends_with(&format!("::{end}")))
        {
            found.push((path.line, format!("`{text}`")));
        }
    }
    for three in file.tokens.windows(3).filter(|three| is_code(three[1].line)) {
        let [dot, name, open] = three else { continue };
        if dot.text == "." && open.text == "(" && METHODS.contains(&name.text.as_str()) {
            found.push((name.line, format!("`.{}()`", name.text)));
        }
    }
    let is_condition = |token: &Token| token.text == "cfg" || token.text == "cfg_attr";
    for (i, token) in file.tokens.iter().enumerate().filter(|(_, token)| is_condition(token)) {
        let mut depth = 0;
        // `cfg(…)`, `cfg!(…)` or `cfg_attr(…)`.
        for inner in file.tokens[i + 1..].iter().skip_while(|token| token.text == "!") {
            depth += i32::from(inner.text == "(") - i32::from(inner.text == ")");
            if depth == 0 {
                break;
            }
            if CONDITIONS.contains(&inner.text.as_str()) && is_code(token.line) {
                found.push((token.line, format!("`{}` with `{}`", token.text, inner.text)));
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
