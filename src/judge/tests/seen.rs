//! A builder for synthetic observations.

use std::time::Duration;

pub(crate) use super::side_reply::{SideReply, error, events, named_events, say};
use crate::{
    observation::{
        Arrangement, Attempt, AttemptEnd, CodedBody, DeploymentArranged, Exchange, ExchangeOutcome, Identity,
        Observation, ReceivedFrame, Response, ResponseBody, ResponseEnd, SentReply, StepName,
    },
    scenario::{
        Api, Combination, Cooldown, Expect, Fault, Level, Provider, ProxySettings, SuccessReply, Turn,
    },
    wire::frames::{self, Carrier},
};

pub(crate) const ERROR: &str = r#"{"error":{"message":"no MSG","type":"kind","param":"p","code":"c"}}"#;
pub(crate) const OK: &str =
    r#"{"choices":[{"index":0,"message":{"content":"one TXT two"},"finish_reason":"stop"}]}"#;
pub(crate) const LIMITED: &str =
    r#"{"choices":[{"index":0,"message":{"content":"one TXT two"},"finish_reason":"length"}]}"#;
pub(crate) const ONE: &str =
    r#"{"choices":[{"index":0,"delta":{"content":"one TXT"},"finish_reason":null}]}"#;
pub(crate) const TWO: &str = r#"{"choices":[{"index":0,"delta":{"content":" two"},"finish_reason":null}]}"#;
pub(crate) const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
pub(crate) const DONE: &str = "[DONE]";
pub(crate) const GOOD: &[&str] = &[ONE, TWO, STOP, DONE];

/// Builds an observation. Its clock advances only with the calls of the builder.
#[derive(Debug, Clone)]
pub(crate) struct ObservationBuilder {
    pub observation: Observation,
    now: f64,
    /// When the current exchange was sent, in milliseconds.
    sent: f64,
    step: u32,
}

fn turn_with(fault: Fault) -> Turn {
    Turn {
        answer: crate::scenario::TurnReply::Reply(SuccessReply::Ok),
        headers: indexmap::IndexMap::new(),
        faults: vec![fault],
    }
}

/// A plain call to one deployment.
pub(crate) fn plain() -> ObservationBuilder {
    let mut seen = ObservationBuilder {
        observation: Observation {
            began: None,
            arrangement: Arrangement {
                identity: Identity { token: "tok".to_owned() },
                combination: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
                level: Level::Required,
                proxy: ProxySettings { timeout: Duration::from_secs(2), ..ProxySettings::default() },
                deployments: Vec::new(),
                expect: Expect::default(),
                except: indexmap::IndexMap::new(),
                compared_with: Vec::new(),
                other_looks: Vec::new(),
                proxy_secrets: vec!["sk-proxy".to_owned()],
                upstream_addresses: vec!["127.0.0.1:9".to_owned()],
                own_retries: None,
                foreign_addresses: Vec::new(),
                caches: false,
                volatile: Vec::new(),
            },
            exchanges: Vec::new(),
            attempts: Vec::new(),
            harm: None,
        },
        now: 1.0,
        sent: 0.0,
        step: 1,
    };
    seen.deploy("primary");
    seen
}

/// A streaming call to one deployment.
pub(crate) fn streamed() -> ObservationBuilder {
    plain().set(|arrangement| arrangement.combination.stream = true)
}

impl ObservationBuilder {
    /// Sets the endpoint that the caller calls, and the provider that the proxy calls.
    pub(crate) fn calling(self, api: Api, provider: Provider) -> Self {
        self.set(|arrangement| {
            arrangement.combination.api = api;
            arrangement.combination.provider = provider;
        })
    }

    /// Sets the endpoint that the last attempt called.
    pub(crate) fn asked(mut self, api: Api) -> Self {
        if let Some(attempt) = self.observation.attempts.last_mut() {
            attempt.api = Some(api);
        }
        self
    }

    /// Replaces the observation.
    pub(crate) fn holding(self, observation: Observation) -> Self {
        Self { observation, ..self }
    }

    fn deploy(&mut self, name: &str) {
        let identity = &self.observation.arrangement.identity;
        let deployment = DeploymentArranged {
            provider: None,
            name: name.to_owned(),
            model: identity.model(name),
            key: identity.key(name),
            turns: Vec::new(),
        };
        self.observation.arrangement.deployments.push(deployment);
    }

    pub(crate) fn set(mut self, edit: impl FnOnce(&mut Arrangement)) -> Self {
        edit(&mut self.observation.arrangement);
        self
    }

    /// Adds `backup` as the fallback of `primary`.
    pub(crate) fn chained(mut self) -> Self {
        self.deploy("backup");
        self.set(|arrangement| arrangement.proxy.fallback = vec!["primary".into(), "backup".into()])
    }

    /// Adds a deployment that callers address by its own name.
    pub(crate) fn with_deployment(mut self, name: &str) -> Self {
        self.deploy(name);
        self
    }

    /// Adds an exchange with `to` that was sent concurrently with the previous one and got the response `said`.
    pub(crate) fn together(mut self, to: &str, said: SideReply) -> Self {
        let sent = self.observation.exchanges.last().map(|before| before.sent_ms);
        let now = self.now;
        self.sent = sent.unwrap_or(self.sent);
        self = self.received(said);
        if let Some(last) = self.observation.exchanges.last_mut() {
            (last.to, last.together) = (Some(to.to_owned()), true);
        }
        self.now = self.now.max(now);
        self
    }

    pub(crate) fn retrying(self, retries: u32) -> Self {
        self.set(|arrangement| arrangement.proxy.retries = retries)
    }

    pub(crate) fn cooling(self, after: u32, seconds: u64) -> Self {
        let lasting = Duration::from_secs(seconds);
        self.set(|arrangement| arrangement.proxy.cooldown = Some(Cooldown { after, lasting }))
    }

    /// Adds an expectation of the scenario.
    pub(crate) fn expecting(self, edit: impl FnOnce(&mut Expect)) -> Self {
        self.set(|arrangement| edit(&mut arrangement.expect))
    }

    /// The caller waits before it sends the next request.
    pub(crate) fn pausing(mut self, ms: f64) -> Self {
        self.sent += ms;
        self.now += ms;
        self
    }

    pub(crate) fn wait(mut self, ms: f64) -> Self {
        self.now += ms;
        self
    }

    /// An attempt at `primary` with a complete response.
    pub(crate) fn tried(self, said: SideReply) -> Self {
        self.tried_at("primary", said, AttemptEnd::Finished)
    }

    /// An attempt at `primary` that ended like `end`.
    pub(crate) fn tried_until(self, said: SideReply, end: AttemptEnd) -> Self {
        self.tried_at("primary", said, end)
    }

    /// An attempt at `primary` without a status line.
    pub(crate) fn tried_in_vain(mut self, end: AttemptEnd) -> Self {
        self = self.tried_at("primary", say(0, ""), end);
        if let Some(attempt) = self.observation.attempts.last_mut() {
            attempt.sent = SentReply::default();
        }
        self
    }

    /// Edits the last attempt.
    pub(crate) fn attempt(mut self, edit: impl FnOnce(&mut Attempt)) -> Self {
        if let Some(attempt) = self.observation.attempts.last_mut() {
            edit(attempt);
        }
        self
    }

    /// Sets the fault of the last attempt.
    pub(crate) fn with_fault(self, fault: Fault) -> Self {
        self.attempt(|attempt| attempt.turn = Some(turn_with(fault)))
    }

    /// Makes `primary` unreachable with a fault of its address.
    pub(crate) fn unreachable(self, fault: Fault) -> Self {
        self.set(|arrangement| arrangement.deployments[0].turns = vec![turn_with(fault)])
    }

    pub(crate) fn tried_at(mut self, deployment: &str, said: SideReply, end: AttemptEnd) -> Self {
        let before = self.observation.attempts.iter().filter(|attempt| attempt.deployment == deployment);
        let n = u32::try_from(before.count()).unwrap() + 1;
        let canaries = self.observation.arrangement.identity.canaries(deployment, n);
        let fill = |text: &str| {
            text.replace("MSG", &canaries.message)
                .replace("TXT", &canaries.content)
                .replace("RID", &canaries.request_id)
        };
        let body = fill(&String::from_utf8_lossy(&said.body));
        let sent = SentReply {
            base64: false,
            status: Some(said.status),
            headers: said.headers.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
            bytes: body.len() as u64,
            body,
            frames: 1,
            timer_error_ms: 0.0,
            ..SentReply::default()
        };
        let mut sent = sent;
        if std::str::from_utf8(&said.body).is_err() {
            // Binary frames must not be converted to text.
            sent.set_body(&said.body);
            sent.bytes = said.body.len() as u64;
        }
        if sent.header("content-encoding").is_some() {
            let written = sent.body_bytes().into_owned();
            sent.set_written_body(&written);
        }
        let at_ms = self.now;
        self.now += 1.0;
        self.observation.attempts.push(Attempt {
            deployment: deployment.to_owned(),
            n,
            at_ms,
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            api: Some(self.observation.arrangement.combination.api),
            headers: Vec::new(),
            body: String::new(),
            turn: None,
            canaries,
            sent,
            end,
            end_ms: (end != AttemptEnd::Open).then_some(self.now),
        });
        self
    }

    /// The caller gets this complete response, and the next step begins.
    pub(crate) fn received(self, said: SideReply) -> Self {
        self.received_until(said, ResponseEnd::Complete)
    }

    pub(crate) fn received_until(mut self, said: SideReply, ending: ResponseEnd) -> Self {
        let identity = self.observation.arrangement.identity.clone();
        let fill = |text: &str| {
            let mut text = text.to_owned();
            for (prefix, deployment) in [("backup.", "backup"), ("", "primary")] {
                let canaries = identity.canaries(deployment, 1);
                text = text
                    .replace(&format!("{prefix}MSG"), &canaries.message)
                    .replace(&format!("{prefix}TXT"), &canaries.content)
                    .replace(&format!("{prefix}RID"), &canaries.request_id);
            }
            text
        };
        let text = fill(&String::from_utf8_lossy(&said.body));
        let case = self.observation.arrangement.combination;
        let header = |wanted: &str| {
            said.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        // The client reads the body like this.
        let expected = || case.stream.then(|| crate::dialect::carrier(case.api));
        let carrier = match header("content-type").or(header("upgrade")) {
            Some(_) => Carrier::of_reply(Some(said.status), header),
            None => expected(),
        };
        // Binary frames must not be converted to text.
        let bytes = if text.contains('\u{fffd}') { said.body.clone() } else { text.clone().into_bytes() };
        let (bytes, coded) = CodedBody::decode(header("content-encoding"), &bytes);
        let undecodable = coded.as_ref().and_then(|coded| coded.error.clone());
        let mut decoder = carrier.filter(|_| undecodable.is_none()).map(frames::FrameDecoder::new);
        let mut decoded = Vec::new();
        if let Some(decoder) = &mut decoder {
            decoder.feed(&bytes);
            decoded.extend(std::iter::from_fn(|| decoder.pop()));
        }
        let damage =
            decoder.and_then(|decoder| decoder.damage()).or(undecodable.filter(|_| carrier.is_some()));
        // A body without a coding is text.
        let utf8 = coded.is_none() || std::str::from_utf8(&bytes).is_ok();
        let text = if coded.is_some() { String::from_utf8_lossy(&bytes).into_owned() } else { text };
        let frame =
            |frame: frames::Frame| ReceivedFrame { at_ms: self.now, event: frame.event, data: frame.data };
        let frames = decoded.into_iter().map(frame).collect();
        let answer = Response {
            status: said.status,
            headers: said.headers.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
            head_ms: self.now,
            body: ResponseBody { bytes: bytes.len() as u64, utf8, frames, damage, coded, text },
            ending,
            closed: None,
        };
        self.now += said.lasting;
        self.over(ExchangeOutcome::Answer(answer))
    }

    /// The caller gets no response.
    pub(crate) fn received_nothing(self, ending: ResponseEnd) -> Self {
        self.over(ExchangeOutcome::NoAnswer { ending })
    }

    /// Adds the recovery request: the upstream succeeds, and the caller gets `said`.
    pub(crate) fn recovering(mut self, said: SideReply) -> Self {
        self = self.tried(say(200, OK)).received(said);
        if let Some(last) = self.observation.exchanges.last_mut() {
            last.step = StepName::Recovery;
        }
        self
    }

    fn over(mut self, outcome: ExchangeOutcome) -> Self {
        self.observation.exchanges.push(Exchange {
            step: StepName::Step(self.step),
            sent_ms: self.sent,
            method: "POST".to_owned(),
            url: "http://127.0.0.1:1/v1/chat/completions".to_owned(),
            request_headers: Vec::new(),
            request_body: String::new(),
            outcome,
            end_ms: self.now,
            left: None,
            to: None,
            together: false,
            mistake: None,
        });
        self.step += 1;
        self.sent = self.now + 1.0;
        self.now = self.sent + 1.0;
        self
    }
}
