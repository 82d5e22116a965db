//! Checks of settings that say how a proxy goes about a request as a whole: handing it on as it is,
//! pinging while it waits.

use std::{ops::Range, time::Duration};

use super::{
    file::Located,
    model::{Combination, ProxySettings},
    validate::FileChecker,
};

/// A pass-through has one upstream and one attempt, and pings would change what it hands back.
pub(super) fn conduct(check: &mut FileChecker<'_>, range: &Range<usize>, settings: &ProxySettings) {
    if let Some(interval) = settings.keep_alive
        && !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&interval)
    {
        let place = check.word(range, "keep_alive");
        check.error(&place, "`keep_alive` must lie between 50ms and 1m").help =
            Some("more often it pings for nothing; more seldom no case would see a ping".to_owned());
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
            "a pass-through hands one request to one upstream, and its answer back unchanged".to_owned(),
        );
    }
}

/// Only a stream can be pinged on.
pub(super) fn pings(check: &mut FileChecker<'_>, settings: &Located<ProxySettings>, matrix: &[Combination]) {
    if settings.value.keep_alive.is_some() && !matrix.iter().all(|one| one.stream) {
        let place = check.word(&settings.range, "keep_alive");
        check.error(&place, "`keep_alive` needs a stream in every case of the file").help =
            Some("write `stream: [true]` in the matrix".to_owned());
    }
}
