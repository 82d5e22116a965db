//! The state of a provider account: decides which requests it admits, and how it refuses the others.
//!
//! The code is pure: callers pass the time in. The account counts whole seconds, so that the same case gives the
//! same result in every run.

use std::{collections::HashMap, time::Duration};

use super::{
    catalogue::Limits,
    dialect,
    limits::{LimitState, LimitWindow},
    message::ProviderMessage,
    profile,
    request::RequestedCall,
    tokens,
};
use crate::{
    observation::Canaries,
    scenario::{Account, ErrorName, KeyState},
};

/// The price of a token in millionths of a dollar: a million tokens cost ten dollars.
const MICROS_PER_TOKEN: u64 = 10;

/// The state of an account since the case began.
#[derive(Debug, Clone)]
pub(crate) struct AccountState {
    account: Account,
    keys: HashMap<String, Usage>,
}

/// The usage of one key.
#[derive(Debug, Clone)]
struct Usage {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    spent_micros: u64,
}

/// The account's decision on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The request is admitted; the state of the limits if the account has any.
    Passes(Option<LimitState>),
    /// The request is invalid for this account and is refused.
    Refused(ErrorName),
    /// The request exceeds a limit and has to wait.
    Limited(ErrorName, LimitState),
    /// The request exceeds the allowance of a whole minute; waiting does not help.
    Beyond(LimitState),
}

impl Admission {
    /// The provider's response to a refused request; `None` if it is admitted.
    pub(crate) fn refusal(&self, asked: &RequestedCall, canaries: &Canaries) -> Option<ProviderMessage> {
        Some(match self {
            Self::Passes(_) => return None,
            Self::Refused(name) => dialect::error(asked, *name, canaries),
            Self::Limited(name, state) => dialect::limited(asked, *name, state, canaries),
            Self::Beyond(state) => dialect::beyond(asked, state, canaries),
        })
    }
}

impl AccountState {
    /// A new account: every allowance is full, nothing is spent.
    pub(crate) fn new(account: Account) -> Self {
        Self { account, keys: HashMap::new() }
    }

    /// Decides on a request that arrives `now` after the case began, and counts it if it is admitted.
    /// `own` is the deployment's key.
    ///
    /// An invalid request is refused before limits are checked, because waiting cannot make it valid.
    pub(crate) fn admit(&mut self, asked: &RequestedCall, own: &str, now: Duration) -> Admission {
        let key = asked.key.as_deref().unwrap_or_default();
        if let Some(refused) = self.key_refused(asked, key, own) {
            return Admission::Refused(refused);
        }
        let unknown = |models: &Vec<String>| !asked.model.is_empty() && !models.contains(&asked.model);
        if self.account.models.as_ref().is_some_and(unknown) {
            return Admission::Refused(ErrorName::ModelNotFound);
        }
        let tokens = tokens::estimate(asked);
        if self.account.context_window.is_some_and(|window| tokens > window) {
            return Admission::Refused(ErrorName::ContextLength);
        }
        let usage = self.keys.entry(key.to_owned()).or_insert_with(|| Usage::new(&self.account));
        let cost = tokens.saturating_mul(MICROS_PER_TOKEN);
        let spent = usage.spent_micros.saturating_add(cost);
        if self.account.spend_limit_micros.is_some_and(|limit| spent > limit) {
            return Admission::Refused(ErrorName::Quota);
        }
        let admission = usage.take(tokens, now.as_secs());
        if matches!(admission, Admission::Passes(_)) {
            usage.spent_micros = spent;
        }
        admission
    }

    fn key_refused(&self, asked: &RequestedCall, key: &str, own: &str) -> Option<ErrorName> {
        let keys = self.account.keys.as_ref()?;
        let listed = |list: &[String]| list.iter().any(|known| known == key);
        let state = if listed(&keys.valid) {
            KeyState::Valid
        } else if listed(&keys.revoked) {
            KeyState::Revoked
        } else if key == own {
            keys.own
        } else {
            KeyState::Unknown
        };
        match state {
            KeyState::Valid => None,
            KeyState::Revoked => Some(profile::of(asked.provider).revoked_key),
            KeyState::Unknown => Some(ErrorName::InvalidApiKey),
        }
    }
}

impl Usage {
    fn new(account: &Account) -> Self {
        Self {
            requests: account.requests_per_minute.map(Bucket::full),
            tokens: account.tokens_per_minute.map(Bucket::full),
            spent_micros: 0,
        }
    }

    /// Takes one request and `tokens` tokens from the allowances, or takes nothing.
    fn take(&mut self, tokens: u64, now: u64) -> Admission {
        if self.requests.is_none() && self.tokens.is_none() {
            return Admission::Passes(None);
        }
        for bucket in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            bucket.refill(now);
        }
        let wait = |bucket: &Option<Bucket>, n| bucket.as_ref().map_or(Some(0), |bucket| bucket.wait(n));
        match (wait(&self.requests, 1), wait(&self.tokens, tokens)) {
            (Some(0), Some(0)) => {
                for (bucket, n) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
                    if let Some(bucket) = bucket {
                        bucket.take(n);
                    }
                }
                Admission::Passes(Some(self.state(Limits::None, 0, 0)))
            }
            // The allowance of requests is at least one.
            (_, None) | (None, _) => Admission::Beyond(self.state(Limits::Tokens, tokens, 0)),
            (Some(requests), Some(for_tokens)) if requests >= for_tokens => {
                Admission::Limited(ErrorName::RateLimit, self.state(Limits::Requests, 1, requests))
            }
            (_, Some(wait)) => {
                Admission::Limited(ErrorName::TokenLimit, self.state(Limits::Tokens, tokens, wait))
            }
        }
    }

    fn state(&self, used_up: Limits, requested: u64, wait: u64) -> LimitState {
        let standard = LimitState::standard(Limits::None, Duration::ZERO);
        let window = |bucket: &Option<Bucket>, standard| bucket.as_ref().map_or(standard, Bucket::window);
        LimitState {
            requests: window(&self.requests, standard.requests),
            tokens: window(&self.tokens, standard.tokens),
            used_up,
            requested,
            retry_after: reported(wait),
        }
    }
}

/// A token bucket: it holds the allowance of one minute and refills continuously.
///
/// It counts sixtieths, so that the refill of one second is a whole number.
#[derive(Debug, Clone)]
struct Bucket {
    per_minute: u64,
    sixtieths: u64,
    /// The time of the last refill, in seconds.
    at: u64,
}

impl Bucket {
    fn full(per_minute: u64) -> Self {
        Self { per_minute, sixtieths: per_minute.saturating_mul(60), at: 0 }
    }

    fn refill(&mut self, now: u64) {
        // Concurrent requests may be processed in another order than they arrived.
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let whole = self.per_minute.saturating_mul(60);
        self.sixtieths = self.sixtieths.saturating_add(passed.saturating_mul(self.per_minute)).min(whole);
    }

    /// The seconds until `n` can be taken; `None` if it never can.
    fn wait(&self, n: u64) -> Option<u64> {
        if n > self.per_minute {
            return None;
        }
        Some(n.saturating_mul(60).saturating_sub(self.sixtieths).div_ceil(self.per_minute))
    }

    fn take(&mut self, n: u64) {
        self.sixtieths = self.sixtieths.saturating_sub(n.saturating_mul(60));
    }

    fn window(&self) -> LimitWindow {
        let missing = self.per_minute.saturating_mul(60).saturating_sub(self.sixtieths);
        LimitWindow {
            limit: self.per_minute,
            remaining: self.sixtieths / 60,
            reset: reported(missing.div_ceil(self.per_minute)),
        }
    }
}

/// The time that the provider reports for a wait of this many seconds: a longer one is rounded up to tens of seconds, so
/// that a slow proxy gets the same value as a fast one.
fn reported(seconds: u64) -> Duration {
    const EXACT: u64 = 10;
    Duration::from_secs(if seconds > EXACT { seconds.next_multiple_of(EXACT) } else { seconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        observation::Identity,
        scenario::{Api, Keys, Provider},
    };

    /// A chat request that needs `tokens` tokens.
    fn asked(tokens: u64) -> RequestedCall {
        RequestedCall {
            key: Some("own".into()),
            body: json!({"model": "m", "max_tokens": tokens}).into(),
            model: "m".into(),
            ..RequestedCall::plain(Provider::Openai, Api::OpenaiChat, false)
        }
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn canaries() -> Canaries {
        Identity { token: "abc123".into() }.canaries("main", 1)
    }

    #[test]
    fn the_third_of_two_requests_a_minute_waits_half_a_minute() {
        let account = Account { requests_per_minute: Some(2), ..Account::default() };
        let mut state = AccountState::new(account);
        let Admission::Passes(Some(left)) = state.admit(&asked(1), "own", at(0.0)) else { panic!() };
        assert_eq!((left.requests.remaining, left.requests.reset), (1, at(30.0)));
        assert!(matches!(state.admit(&asked(1), "own", at(0.2)), Admission::Passes(_)));
        let limited = state.admit(&asked(1), "own", at(0.9));
        let refusal = limited.refusal(&asked(1), &canaries()).unwrap();
        let of_limits = |name: &str| name.starts_with("retry-after") || name.starts_with("x-ratelimit-");
        let headers: Vec<String> = refusal
            .headers
            .iter()
            .filter(|(name, _)| of_limits(name))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        insta::assert_snapshot!(format!("{}\n{}\n{}", refusal.status, headers.join("\n"), refusal.text()), @r#"
        429
        retry-after: 30
        retry-after-ms: 30000
        x-ratelimit-limit-requests: 2
        x-ratelimit-limit-tokens: 30000
        x-ratelimit-remaining-requests: 0
        x-ratelimit-remaining-tokens: 29972
        x-ratelimit-reset-requests: 1m0s
        x-ratelimit-reset-tokens: 56ms
        {"error":{"message":"Rate limit reached for m in organization org-mock on requests per min (RPM): Limit 2, Used 2, Requested 1. Please try again in 30s. Visit https://platform.openai.com/account/rate-limits to learn more. (canary-msg-abc123-main-1)","type":"requests","param":null,"code":"rate_limit_exceeded"}}
        "#);
        assert!(matches!(state.admit(&asked(1), "own", at(29.9)), Admission::Limited(..)));
        assert!(matches!(state.admit(&asked(1), "own", at(30.0)), Admission::Passes(_)));
    }

    #[test]
    fn each_key_has_its_own_allowance() {
        let account = Account { requests_per_minute: Some(1), ..Account::default() };
        let mut state = AccountState::new(account);
        for key in ["a", "b"] {
            let asked = RequestedCall { key: Some(key.into()), ..asked(1) };
            assert!(matches!(state.admit(&asked, "own", at(0.0)), Admission::Passes(_)));
            assert!(matches!(state.admit(&asked, "own", at(0.0)), Admission::Limited(..)));
        }
    }

    #[test]
    fn a_request_beyond_the_minute_allowance_gets_no_retry_time() {
        let account = Account { tokens_per_minute: Some(100), ..Account::default() };
        let mut state = AccountState::new(account);
        let refusal = state.admit(&asked(101), "own", at(0.0)).refusal(&asked(101), &canaries()).unwrap();
        assert_eq!(
            (refusal.status, refusal.header("retry-after"), refusal.header("retry-after-ms")),
            (429, None, None)
        );
        assert_eq!(refusal.header("x-ratelimit-remaining-tokens"), Some("100"));
        assert!(refusal.text().contains("Limit 100, Requested 101."), "{}", refusal.text());
        assert!(matches!(state.admit(&asked(100), "own", at(0.0)), Admission::Passes(_)), "it cost nothing");
        let limited = state.admit(&asked(50), "own", at(0.0));
        assert!(
            matches!(&limited, Admission::Limited(ErrorName::TokenLimit, state) if state.retry_after == at(30.0))
        );
    }

    #[test]
    fn keys_models_and_length_are_checked_before_limits() {
        let keys = Keys { valid: vec!["good".into()], revoked: vec!["old".into()], ..Keys::default() };
        let account = Account {
            requests_per_minute: Some(1),
            keys: Some(keys),
            models: Some(vec!["m".into()]),
            context_window: Some(10),
            ..Account::default()
        };
        let mut state = AccountState::new(account);
        let with = |key: &str, model: &str, tokens, provider| RequestedCall {
            key: Some(key.into()),
            model: model.into(),
            provider,
            ..asked(tokens)
        };
        use Provider::{Gemini, Openai};
        for (request, name) in [
            (with("wrong", "m", 1, Openai), ErrorName::InvalidApiKey),
            (with("old", "m", 1, Openai), ErrorName::InvalidApiKey),
            (with("old", "m", 1, Gemini), profile::of(Gemini).revoked_key),
            (with("good", "other", 1, Openai), ErrorName::ModelNotFound),
            (with("own", "m", 11, Openai), ErrorName::ContextLength),
        ] {
            assert_eq!(state.admit(&request, "own", at(0.0)), Admission::Refused(name), "{request:?}");
        }
        assert!(matches!(state.admit(&asked(10), "own", at(0.0)), Admission::Passes(_)));
        assert!(matches!(state.admit(&with("good", "m", 1, Openai), "own", at(0.0)), Admission::Passes(_)));
    }

    #[test]
    fn spent_money_is_not_refilled() {
        // Room for 25 tokens.
        let account = Account { spend_limit_micros: Some(250), ..Account::default() };
        let mut state = AccountState::new(account);
        assert_eq!(state.admit(&asked(20), "own", at(0.0)), Admission::Passes(None));
        for time in [0.0, 60.0, 1e6] {
            assert_eq!(state.admit(&asked(6), "own", at(time)), Admission::Refused(ErrorName::Quota));
        }
        assert_eq!(state.admit(&asked(5), "own", at(1e6)), Admission::Passes(None));
    }

    #[test]
    fn a_success_reports_the_limits_unless_the_turn_sets_their_headers() {
        let account =
            Account { requests_per_minute: Some(2), tokens_per_minute: Some(60), ..Account::default() };
        let Admission::Passes(Some(left)) = AccountState::new(account).admit(&asked(30), "own", at(0.0))
        else {
            panic!()
        };
        let mut turn = crate::scenario::Turn {
            answer: crate::scenario::TurnReply::Reply(crate::scenario::SuccessReply::Ok),
            headers: [("x-ratelimit-limit-tokens".to_owned(), Some("7".to_owned()))].into_iter().collect(),
            faults: Vec::new(),
        };
        let shown = |turn: &crate::scenario::Turn| {
            let mut message = dialect::message(&asked(30), turn, &canaries());
            dialect::show_limits(&mut message, Provider::Openai, turn, &left);
            ["limit-tokens", "remaining-tokens", "remaining-requests", "reset-requests"]
                .map(|name| message.header(&format!("x-ratelimit-{name}")).map(str::to_owned))
        };
        assert_eq!(shown(&turn), ["7", "30", "1", "30s"].map(|value| Some(value.to_owned())));
        turn.answer = crate::scenario::TurnReply::Error(ErrorName::Quota);
        assert_eq!(shown(&turn)[1], None);
    }

    /// Requests, each with the seconds since the previous one and its tokens.
    fn traffic() -> impl Strategy<Value = Vec<(f64, u64)>> {
        prop::collection::vec((prop_oneof![Just(0.0), 0.0..90.0f64], 1u64..200), 1..60)
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_the_allowance_and_its_refill(
            rpm in 1u64..20, tpm in 1u64..400, traffic in traffic()
        ) {
            let account = Account { requests_per_minute: Some(rpm), tokens_per_minute: Some(tpm), ..Account::default() };
            let mut state = AccountState::new(account);
            let mut now = 0.0;
            let mut admitted: Vec<(u64, u64)> = Vec::new();
            for (pause, tokens) in traffic {
                now += pause;
                if let Admission::Passes(Some(left)) = state.admit(&asked(tokens), "own", at(now)) {
                    prop_assert!(left.requests.remaining <= rpm && left.tokens.remaining <= tpm);
                    admitted.push((at(now).as_secs(), tokens));
                }
            }
            for from in 0..admitted.len() {
                for to in from..admitted.len() {
                    let window = &admitted[from..=to];
                    let seconds = window[window.len() - 1].0 - window[0].0;
                    let tokens: u64 = window.iter().map(|(_, tokens)| tokens).sum();
                    prop_assert!(window.len() as u64 * 60 <= rpm * (60 + seconds));
                    prop_assert!(tokens * 60 <= tpm * (60 + seconds));
                }
            }
        }

        #[test]
        fn a_client_that_waits_as_reported_passes_and_waits_hardly_too_long(
            rpm in 1u64..20, tpm in 1u64..400, traffic in traffic()
        ) {
            let account = Account { requests_per_minute: Some(rpm), tokens_per_minute: Some(tpm), ..Account::default() };
            let mut state = AccountState::new(account);
            let mut now = 0.0;
            for (pause, tokens) in traffic {
                now += pause;
                match state.admit(&asked(tokens), "own", at(now)) {
                    Admission::Limited(_, limits) => {
                        let wait = limits.retry_after.as_secs_f64();
                        prop_assert!(wait >= 1.0);
                        let message = dialect::limited(&asked(tokens), ErrorName::RateLimit, &limits, &canaries());
                        prop_assert_eq!(message.header("retry-after").unwrap(), limits.retry_after.as_secs().to_string());
                        // The last moment that is too early, whatever the wait was before it was rounded.
                        let rounding = if wait > 10.0 { 9.0 } else { 0.0 };
                        let early = (now + wait - rounding).floor() - 0.001;
                        let earlier = state.clone().admit(&asked(tokens), "own", at(early.max(now)));
                        prop_assert!(matches!(earlier, Admission::Limited(..)), "{:?}", earlier);
                        let later = state.clone().admit(&asked(tokens), "own", at(now + wait));
                        prop_assert!(matches!(later, Admission::Passes(_)), "{:?}", later);
                    }
                    Admission::Beyond(_) => prop_assert!(tokens > tpm),
                    Admission::Passes(_) => prop_assert!(tokens <= tpm),
                    Admission::Refused(name) => prop_assert!(false, "{}", name),
                }
            }
        }

        #[test]
        fn no_request_makes_it_panic(tokens in any::<u64>(), rpm in 1u64..=1_000_000_000, spend in any::<u64>(), now in any::<u64>()) {
            let account = Account {
                requests_per_minute: Some(rpm),
                tokens_per_minute: Some(rpm),
                spend_limit_micros: Some(spend),
                ..Account::default()
            };
            let mut state = AccountState::new(account);
            for now in [now, 0, u64::MAX] {
                let admission = state.admit(&asked(tokens), "own", Duration::from_secs(now));
                admission.refusal(&asked(tokens), &canaries());
            }
        }
    }
}
