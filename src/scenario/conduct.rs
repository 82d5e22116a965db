//! Checks of the proxy settings by themselves, and with each other.

use std::ops::Range;

use super::{
    check::FileChecker,
    located::Located,
    model::Combination,
    proxy_settings::{ProxySettings, Setting},
};

/// Checks the value of each setting, and that no other setting contradicts `pass_through`: a pass-through route makes
/// one attempt at one upstream, and pings would change the response that it forwards.
pub(super) fn conduct(check: &mut FileChecker<'_>, range: &Range<usize>, settings: &ProxySettings) {
    for (setting, row) in Setting::rows() {
        if let Some((message, help)) = (row.problem)(settings) {
            check.error(&check.word(range, setting.as_str()), message).help = help.map(str::to_owned);
        }
    }
    if !settings.pass_through {
        return;
    }
    for (setting, _) in settings.chosen().filter(|(_, row)| !row.passes_through) {
        let place = check.word(range, setting.as_str());
        check.error(&place, format!("`{setting}` and `pass_through` exclude each other")).help = Some(
            "a pass-through route forwards one request to one upstream and returns the response unchanged"
                .to_owned(),
        );
    }
}

/// Checks that every case is a stream if a setting is possible only in streams.
pub(super) fn pings(check: &mut FileChecker<'_>, settings: &Located<ProxySettings>, matrix: &[Combination]) {
    if matrix.iter().all(|one| one.stream) {
        return;
    }
    for (setting, _) in settings.value.chosen().filter(|(_, row)| row.needs_stream) {
        let place = check.word(&settings.range, setting.as_str());
        check.error(&place, format!("`{setting}` needs a stream in every case of the file")).help =
            Some("write `stream: [true]` in the matrix".to_owned());
    }
}
