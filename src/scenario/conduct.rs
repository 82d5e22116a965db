//! Checks of the proxy settings that concern a request as a whole: pass-through and keep-alive pings.

use std::{ops::Range, time::Duration};

use super::{
    file::Located,
    model::{Combination, ProxySettings},
    validate::FileChecker,
};

/// Checks that no other setting contradicts `pass_through`: a pass-through route makes one attempt at one
/// upstream, and pings would change the response that it forwards.
pub(super) fn conduct(check: &mut FileChecker<'_>, range: &Range<usize>, settings: &ProxySettings) {
    if let Some(interval) = settings.keep_alive
        && !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&interval)
    {
        let place = check.word(range, "keep_alive");
        check.error(&place, "`keep_alive` must be between 50ms and 1m").help = Some(
            "a shorter interval sends needless pings; with a longer one no case would see a ping".to_owned(),
        );
    }
    if !settings.pass_through {
        return;
    }
    let excluded = [
        ("retries", settings.retries > 0),
        ("fallback", !settings.fallback.is_empty()),
        ("cooldown", settings.cooldown.is_some()),
        ("keep_alive", settings.keep_alive.is_some()),
    ];
    for (key, _) in excluded.into_iter().filter(|(_, is_set)| *is_set) {
        let place = check.word(range, key);
        check.error(&place, format!("`{key}` and `pass_through` exclude each other")).help = Some(
            "a pass-through route forwards one request to one upstream and returns the response unchanged"
                .to_owned(),
        );
    }
}

/// Checks that every case is a stream when `keep_alive` is set: pings are only possible in a stream.
pub(super) fn pings(check: &mut FileChecker<'_>, settings: &Located<ProxySettings>, matrix: &[Combination]) {
    if settings.value.keep_alive.is_some() && !matrix.iter().all(|one| one.stream) {
        let place = check.word(&settings.range, "keep_alive");
        check.error(&place, "`keep_alive` needs a stream in every case of the file").help =
            Some("write `stream: [true]` in the matrix".to_owned());
    }
}
