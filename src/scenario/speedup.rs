//! Times that are divided by a number, so that a scenario about slow upstreams runs in seconds.

use std::time::Duration;

use super::{check::FileChecker, fault::Fault, file::ScenarioFile, proxy_settings::Setting};

/// A wait that becomes shorter than this cannot be distinguished from the delays of the machine.
pub(crate) const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// The shortest timeout after division: half of the shortest that a file can have.
pub(crate) const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// Divides the times of a file by its `speedup`, and returns it.
///
/// Times that the file only quotes are not divided: headers and bodies that ask for a wait, and the limits of an account.
pub(super) fn speedup(check: &mut FileChecker<'_>, file: &mut ScenarioFile) -> Option<u32> {
    let by = file.speedup.clone()?;
    if !(2..=100).contains(&by.value) {
        check.error(&by.range, "`speedup` must be between 2 and 100").help =
            Some("with 16, a wait of 40 s takes 2.5 s; leave it out to wait as long as written".to_owned());
        return None;
    }
    let by = by.value;
    let before = check.errors.len();
    let lists = file
        .upstream
        .iter_mut()
        .chain(file.deployments.iter_mut().flat_map(|named| named.value.values_mut()));
    for turn in lists.flat_map(|turns| &mut turns.value) {
        // A recording has many short waits, so they need not be longer than the delays of the machine.
        for chunk in turn.value.chunks.iter_mut().flat_map(|chunks| &mut chunks.value) {
            chunk.value.after = chunk.value.after.map(|after| after / by);
        }
        for fault in &mut turn.value.faults {
            for time in fault.value.times_mut() {
                let now = *time / by;
                if *time > Duration::ZERO && now < SHORTEST_WAIT {
                    too_short(check, &fault.range, "wait", *time, by);
                }
                *time = now;
            }
            if let Fault::Drip { bytes_per_second } = &mut fault.value {
                *bytes_per_second = bytes_per_second.saturating_mul(by);
            }
        }
    }
    let range = file.proxy.range.clone();
    let settings = &mut file.proxy.value;
    let cooldown = settings.cooldown.as_mut().map(|cooldown| (Setting::Cooldown, &mut cooldown.lasting));
    let keep_alive = settings.keep_alive.as_mut().map(|time| (Setting::KeepAlive, time));
    for (setting, time) in
        [(Setting::Timeout, &mut settings.timeout)].into_iter().chain(cooldown).chain(keep_alive)
    {
        let now = *time / by;
        if now < SHORTEST_TIMEOUT {
            let place = check.word(&range, setting.as_str());
            too_short(check, &place, setting.as_str(), *time, by);
        } else {
            *time = now;
        }
    }
    let steps = file.steps.iter_mut().flat_map(|steps| &mut steps.value);
    let expect = &mut file.expect.value;
    let between = expect.requests.iter_mut().filter_map(|request| request.after.as_mut());
    let times = steps.filter_map(|step| step.value.pause.as_mut());
    for time in times.chain(&mut expect.within).chain(&mut expect.first_byte_within).chain(between) {
        *time /= by;
    }
    (check.errors.len() == before).then_some(by)
}

fn too_short(
    check: &mut FileChecker<'_>,
    range: &std::ops::Range<usize>,
    what: &str,
    time: Duration,
    by: u32,
) {
    let (written, now) = (humantime::format_duration(time), humantime::format_duration(time / by));
    let help = "use a smaller `speedup`: delays of the machine would be as long";
    check.error(range, format!("this {what} of {written} is only {now} with `speedup: {by}`")).help =
        Some(help.to_owned());
}
