//! Messages about a proxy that stopped serving during a run.

use super::plural;
use crate::event::ProxyStop;

/// How many cases are named.
const NAMED: usize = 3;

/// One line for each cause for which the proxy stopped serving.
pub(super) fn stop_lines(stops: &[ProxyStop]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for stop in stops {
        let line = line(stop);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn line(stop: &ProxyStop) -> String {
    let ProxyStop { how, case, running, log } = stop;
    if let Some(case) = case {
        return format!("the proxy {how} because of {case}");
    }
    let named = running.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match running.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let log = log.as_ref().map(|log| format!("; its log: {log}")).unwrap_or_default();
    format!(
        "the proxy {how} while {} ran, but not when upfault repeated them: {named}{more}{log}",
        plural(running.len(), "case")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(case: Option<&str>, running: &[&str]) -> ProxyStop {
        ProxyStop {
            how: "exited with code 1".to_owned(),
            case: case.map(str::to_owned),
            running: running.iter().map(|id| (*id).to_owned()).collect(),
            log: Some("/run/x.log".to_owned()),
        }
    }

    #[test]
    fn a_cause_is_one_line_and_a_stop_without_a_cause_names_the_running_cases() {
        let stops =
            [stop(Some("a/b"), &["a/b", "c/d"]), stop(Some("a/b"), &[]), stop(None, &["a", "b", "c", "d"])];
        insta::assert_snapshot!(stop_lines(&stops).join("\n"), @r"
        the proxy exited with code 1 because of a/b
        the proxy exited with code 1 while 4 cases ran, but not when upfault repeated them: a, b, c and 1 more; its log: /run/x.log
        ");
    }
}
