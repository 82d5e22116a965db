//! The rules of an instance that a defect can bend: the hook for what is done, rather than said.

use super::Defect;

/// Who goes on where a stream was cut (only ever asked by a defect).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// The same route again.
    Same,
    /// The first fallback.
    Fallback,
}

/// How an instance goes about its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    /// The timeout of a route is applied.
    pub timeouts: bool,
    /// Tries beyond those that a route allows.
    pub extra_retries: u32,
    /// How often an error that cannot pass is tried again.
    pub terminal_retries: u32,
    /// Calls for a stream are tried again like others.
    pub stream_retries: bool,
    /// Retry-After is waited for.
    pub wait_retry_after: bool,
    /// Fallbacks are tried.
    pub fallbacks: bool,
    /// A failing route is left alone, where the settings say so.
    pub cooldown: bool,
    /// A 4xx other than 429 counts towards it.
    pub client_errors_cool_down: bool,
    /// Those who call a route that is left alone are told for how long.
    pub reports_cooldown: bool,
    /// A rejected key counts towards it, and is told as a limit.
    pub rejected_key_cools_down: bool,
    /// A failure makes the next request on the route fail.
    pub poison: bool,
    /// Who is asked for the rest of a cut stream.
    pub resume: Option<Resume>,
    /// A fallback is asked even where the model before it answers.
    pub ask_fallback_too: bool,
    /// An upstream 503 is never answered.
    pub mute: bool,
    /// A request is carried on with when its caller has left.
    pub outlives_caller: bool,
    /// A request that may be tried again is so once more when its caller has left.
    pub retries_after_leave: bool,
    /// Redirects are followed with all headers.
    pub follow_redirects: bool,
    /// Certificates of upstreams are checked.
    pub check_certificates: bool,
}

impl Rules {
    /// The honest rules, with at most one of them bent.
    pub fn of(defect: Option<Defect>) -> Self {
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
            mute: false,
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
            Some(Defect::FailureUnanswered) => rules.mute = true,
            Some(Defect::CallerGoneIgnored) => rules.outlives_caller = true,
            Some(Defect::RetriesForNobody) => rules.retries_after_leave = true,
            Some(Defect::RedirectFollowed) => rules.follow_redirects = true,
            Some(Defect::CertificatesUnchecked) => rules.check_certificates = false,
            _ => {}
        }
        rules
    }
}
