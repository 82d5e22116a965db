//! The rules that an instance follows, such as timeouts, retries and cooldowns. A defect can change one of
//! them.

use super::Defect;

/// Which route continues a cut stream. Only defects use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// The same route.
    Same,
    /// The first fallback.
    Fallback,
}

/// The rules for the attempts of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    /// Whether the timeout of a route is applied.
    pub timeouts: bool,
    /// The number of retries beyond those that a route allows.
    pub extra_retries: u32,
    /// The number of retries after an error that a retry cannot fix.
    pub terminal_retries: u32,
    /// Whether calls for a stream are retried like others.
    pub stream_retries: bool,
    /// Whether a retry waits for Retry-After.
    pub wait_retry_after: bool,
    /// Whether fallbacks are tried.
    pub fallbacks: bool,
    /// Whether a failing route goes into cooldown, if the settings configure one.
    pub cooldown: bool,
    /// Whether a 4xx other than 429 counts towards the cooldown.
    pub client_errors_cool_down: bool,
    /// Whether the error of a route in cooldown contains Retry-After.
    pub reports_cooldown: bool,
    /// Whether a rejected key counts towards the cooldown, and is then reported as a rate limit.
    pub rejected_key_cools_down: bool,
    /// Whether a failure makes the next request on the route fail.
    pub poison: bool,
    /// Which route is asked for the rest of a cut stream.
    pub resume: Option<Resume>,
    /// Whether a fallback is called even if the model before it succeeds.
    pub ask_fallback_too: bool,
    /// Whether a caller gets no response after an upstream 503.
    pub mute_on_503: bool,
    /// Whether a request continues after its caller has left.
    pub outlives_caller: bool,
    /// Whether a request on a route with retries is retried once after its caller has left.
    pub retries_after_leave: bool,
    /// Whether redirects are followed, with all headers.
    pub follow_redirects: bool,
    /// Whether the certificates of upstreams are checked.
    pub check_certificates: bool,
}

impl Rules {
    /// The honest rules, with at most one of them changed by a defect.
    pub(super) fn of(defect: Option<Defect>) -> Self {
        let mut rules = Self {
            timeouts: true,
            extra_retries: 0,
            terminal_retries: 0,
            stream_retries: true,
            wait_retry_after: true,
            fallbacks: true,
            cooldown: true,
            client_errors_cool_down: false,
            reports_cooldown: true,
            rejected_key_cools_down: false,
            poison: false,
            resume: None,
            ask_fallback_too: false,
            mute_on_503: false,
            outlives_caller: false,
            retries_after_leave: false,
            follow_redirects: false,
            check_certificates: true,
        };
        match defect {
            Some(Defect::TimeoutIgnored) => rules.timeouts = false,
            Some(Defect::RetryBudgetExceeded) => rules.extra_retries = 1,
            Some(Defect::TerminalRetried) => rules.terminal_retries = 2,
            Some(Defect::StreamNotRetried) => rules.stream_retries = false,
            Some(Defect::RetryAfterIgnored) => rules.wait_retry_after = false,
            Some(Defect::FallbackSkipped) => rules.fallbacks = false,
            Some(Defect::CooldownIgnored) => rules.cooldown = false,
            Some(Defect::ClientErrorsCoolDown) => rules.client_errors_cool_down = true,
            Some(Defect::CooldownWithoutTime) => rules.reports_cooldown = false,
            Some(Defect::RejectedKeyRests) => rules.rejected_key_cools_down = true,
            Some(Defect::RoutePoisoned) => rules.poison = true,
            Some(Defect::RetryAfterContent) => rules.resume = Some(Resume::Same),
            Some(Defect::FallbackSpliced) => rules.resume = Some(Resume::Fallback),
            Some(Defect::FallbackAskedToo) => rules.ask_fallback_too = true,
            Some(Defect::FailureUnanswered) => rules.mute_on_503 = true,
            Some(Defect::CallerGoneIgnored) => rules.outlives_caller = true,
            Some(Defect::RetriesAfterLeave) => rules.retries_after_leave = true,
            Some(Defect::RedirectFollowed) => rules.follow_redirects = true,
            Some(Defect::CertificatesUnchecked) => rules.check_certificates = false,
            _ => {}
        }
        rules
    }
}
