//! The rules that each defect of the embedded proxy breaks.

use upfault::internals::{
    builtin::Defect::{self, *},
    scenario::Case,
};

/// The rules that a defect breaks in the bundled scenarios.
///
/// Expectations of scenarios (`expect.*`) are left out: they repeat the contract for single cases, and depend on the scenarios
/// rather than on the defect.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The defect.
    pub defect: Defect,
    /// The rule that the defect is meant to break.
    pub breaks: &'static str,
    /// All other rules that it breaks.
    pub also: &'static [&'static str],
    /// Scenarios, or folders of scenarios, that are enough to show the defect.
    pub shown_by: &'static [&'static str],
    /// The policy under which it breaks the rule.
    pub policy: &'static str,
}

impl Row {
    /// The same row for a defect that the default policy accepts.
    const fn under(self, policy: &'static str) -> Self {
        Self { policy, ..self }
    }

    /// Whether the defect may break this rule. Expectations of scenarios are not part of the rows.
    pub fn lists(&self, rule: &str) -> bool {
        rule == self.breaks || self.also.contains(&rule) || rule.starts_with("expect.")
    }

    /// Whether a case is one of those that show the defect. A folder does not include scenarios with large bodies: in a debug
    /// build they would slow down all others.
    pub fn is_shown_by(&self, case: &Case) -> bool {
        let is_large = case.scenario.tags.iter().any(|tag| tag == "large");
        self.shown_by.iter().any(|name| holds(name, case) && (!is_large || *name == case.scenario.id))
    }
}

/// Whether a case belongs to this scenario or folder.
pub fn holds(name: &str, case: &Case) -> bool {
    let rest = case.scenario.id.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

const fn row(
    defect: Defect,
    breaks: &'static str,
    also: &'static [&'static str],
    shown_by: &'static [&'static str],
) -> Row {
    Row { defect, breaks, also, shown_by, policy: "default" }
}

/// A row for every defect, in the order of [`Defect::ALL`].
pub const ROWS: &[Row] = &[
    row(
        RateLimitAs500,
        "status.rate-limit",
        &["headers.request-id", "cooldown.status"],
        &["limits/rate-limit", "status", "stream", "fallback/all-fail"],
    ),
    row(ClientErrorAs500, "status.mirrored", &["status.class-kept"], &["status", "detail"]),
    row(AuthErrorAs500, "status.class-kept", &[], &["status", "leaks"]),
    row(AuthErrorAs429, "status.credentials", &[], &["status", "leaks"]),
    row(OverloadAs500, "status.overloaded", &[], &["status", "stream"]),
    row(
        ServerErrorAs400,
        "status.class-kept",
        &["headers.request-id", "status.overloaded"],
        &["status", "stream", "fallback/backup-refuses-request"],
    ),
    row(FailureUnder200, "status.failure-not-success", &["cooldown.status"], &["status", "detail"]),
    row(
        TimeoutAs500,
        "status.timeout",
        &["status.unreachable"],
        &["timeouts/no-answer", "timeouts/silence-in-plain-body"],
    ),
    row(
        UnreachableAs200,
        "status.failure-not-success",
        &[],
        &["connection/refused", "fallback/on-refused-connection", "leaks"],
    ),
    row(
        UnreachableAs400,
        "status.unreachable",
        &["status.broken-reply"],
        &["connection/refused", "fallback/on-refused-connection", "leaks"],
    ),
    row(
        FirstErrorAs502,
        "status.rate-limit",
        &[
            "status.mirrored",
            "detail.message-kept",
            "detail.server-message-kept",
            "detail.code-kept",
            "detail.type-kept",
            "detail.param-kept",
            "fallback.true-error",
            "status.overloaded",
            "detail.limit-code-kept",
        ],
        &["stream", "messages"],
    ),
    row(FirstOverloadAs400, "status.class-kept", &["status.overloaded"], &["stream", "messages"]),
    row(ForbiddenAs401, "status.credentials-apart", &[], &["status"]),
    row(FailureClosed, "status.answered", &["sibling.stream-status"], &["status", "stream", "connection"]),
    row(BrokenReplyAs400, "status.broken-reply", &[], &["bodies", "connection"]),
    row(CutBodyAsSuccess, "status.cut-body", &["status.failure-not-success"], &["connection"]),
    row(
        NullBody,
        "status.failure-not-success",
        &[
            "stream.error-visible",
            "stream.content-intact",
            "stream.no-forged-success",
            "format.content-coding",
        ],
        &["bodies", "stream"],
    ),
    row(
        SuccessMadeUp,
        "status.failure-not-success",
        &[
            "stream.no-forged-success",
            "detail.message-kept",
            "detail.server-message-kept",
            "fallback.true-error",
            "cooldown.status",
            "sibling.stream-status",
            "success.content-intact",
            "stream.sequence-rises",
        ],
        &["status", "aftermath", "stream"],
    ),
    row(
        DetailLost,
        "detail.message-kept",
        &["detail.server-message-kept", "fallback.true-error", "stream.error-detail"],
        &["detail", "status", "fallback/all-fail"],
    ),
    row(
        ServerMessageLost,
        "detail.server-message-kept",
        &["fallback.true-error", "stream.error-detail"],
        &["detail", "status", "fallback/all-fail"],
    ),
    row(DetailRepeated, "detail.message-once", &[], &["detail", "status"]),
    row(
        CodeLost,
        "detail.code-kept",
        &["detail.limit-code-kept", "detail.type-kept", "format.envelope"],
        &["detail", "status"],
    ),
    row(LimitCodeGeneral, "detail.limit-code-kept", &[], &["limits", "detail/quota-code"]),
    row(TypeLost, "detail.type-kept", &["keepalive.true-cause"], &["detail", "status"]),
    row(ParamLost, "detail.param-kept", &[], &["detail", "status"]),
    row(DetailEncodedTwice, "detail.message-plain", &["detail.message-once"], &["detail", "status"]),
    row(DetailEscaped, "detail.message-plain", &["detail.message-once"], &["detail", "status"]),
    row(OtherWordsLost, "detail.message-kept", &["detail.members-kept"], &["bodies", "detail"]),
    row(OtherMembersLost, "detail.members-kept", &[], &["detail", "providers/gemini/retry-hint-in-the-body"]),
    row(TupleInMessage, "detail.no-language-literals", &[], &["detail", "status"]),
    row(
        NoneLiteral,
        "detail.no-language-literals",
        &["detail.code-kept", "detail.param-kept"],
        &["detail", "fallback/backup-refuses-request"],
    ),
    row(ErrorTypeAsInt, "format.envelope", &["detail.type-kept"], &["detail", "status"]),
    row(
        ErrorAsString,
        "format.envelope",
        &[
            "detail.code-kept",
            "detail.param-kept",
            "detail.type-kept",
            "detail.limit-code-kept",
            "keepalive.true-cause",
            "detail.members-kept",
        ],
        &["detail", "status"],
    ),
    row(
        AnthropicEnvelope,
        "format.envelope",
        &[
            "detail.code-kept",
            "detail.limit-code-kept",
            "detail.param-kept",
            "detail.type-kept",
            "detail.members-kept",
        ],
        &["detail", "status"],
    ),
    row(
        OpenaiEnvelope,
        "format.envelope",
        &["detail.code-kept", "detail.type-kept", "detail.members-kept"],
        &["messages", "generate", "converse", "cohere", "ollama"],
    ),
    row(HtmlPassedThrough, "format.envelope", &["format.content-type"], &["bodies"]),
    row(StreamTypeLost, "format.stream-content-type", &[], &["healthy", "stream"]),
    row(ErrorContentType, "format.content-type", &["format.envelope"], &["status", "limits/rate-limit"]),
    row(
        CodingLabelKept,
        "format.content-coding",
        &["success.delivered"],
        &["bodies/gzip", "bodies/deflate", "bodies/gzip-translated"],
    ),
    row(
        CodingLabelDropped,
        "format.content-coding",
        &[
            "success.delivered",
            "status.failure-not-success",
            "detail.message-kept",
            "format.envelope",
            "format.stream-events",
        ],
        &["bodies/gzip", "bodies/zstd"],
    ),
    row(
        RetryAfterDropped,
        "headers.retry-after",
        &["cooldown.retry-after"],
        &["headers", "limits/rate-limit", "limits/retry-after-one-hour"],
    ),
    row(RetryAfterMsDropped, "headers.retry-after-ms", &[], &["headers", "limits/retry-after-ms"]),
    row(LimitHeadersDropped, "headers.rate-limits", &[], &["headers", "limits/rate-limit"]),
    row(FailedHeadersKept, "headers.own-attempt", &[], &["fallback", "retries"]),
    row(
        QuotaLoosened,
        "headers.ratelimit-not-loosened",
        &["headers.rate-limits"],
        &["limits/ratelimit-fields", "limits/ratelimit-fields-of-a-success"],
    ),
    row(RequestIdDropped, "headers.request-id", &[], &["headers", "status"]),
    row(PoisonHeadersForwarded, "headers.no-poison", &[], &["headers", "status"]),
    row(
        StreamErrorAsSse,
        "stream.error-status",
        &["sibling.stream-status"],
        &["status", "limits/rate-limit"],
    ),
    row(
        FirstErrorEmptySuccess,
        "stream.no-forged-success",
        &["fallback.true-error"],
        &["stream", "fallback/both-streams-begin-with-errors"],
    ),
    row(CutStreamFinished, "stream.no-forged-success", &["stream.sequence-rises"], &["connection", "stream"]),
    row(CutStreamSilent, "stream.error-visible", &[], &["connection", "stream"]),
    row(
        ErrorEventSwallowed,
        "stream.no-forged-success",
        &["stream.sequence-rises"],
        &["stream", "connection", "responses", "converse", "invoke", "messages"],
    ),
    row(
        ErrorEventDropped,
        "stream.error-visible",
        &["stream.no-forged-success"],
        &["stream", "responses", "converse", "invoke", "messages", "cohere", "generate", "ollama"],
    ),
    row(
        ErrorEventDetailLost,
        "stream.error-detail",
        &["stream.sequence-rises", "detail.code-kept", "detail.param-kept", "detail.type-kept"],
        &["stream"],
    ),
    row(
        ErrorEventCodeLost,
        "detail.code-kept",
        &["detail.limit-code-kept", "detail.type-kept", "stream.sequence-rises"],
        &["stream", "messages", "responses", "completions"],
    ),
    row(
        ErrorEventEscaped,
        "detail.message-plain",
        &["detail.code-kept", "detail.limit-code-kept", "detail.type-kept", "stream.sequence-rises"],
        &["stream", "messages", "responses", "completions"],
    ),
    row(
        ErrorEventAsFinish,
        "stream.error-visible",
        &["stream.no-forged-success", "stream.sequence-rises"],
        &["stream", "messages"],
    ),
    row(LongEventEndsStream, "success.whole-or-failed", &[], &["stream/long-event"]),
    row(
        ErrorFrameDoubled,
        "stream.one-error-event",
        &["stream.sequence-rises", "stream.one-terminal-event"],
        &["stream", "connection"],
    ),
    row(SequenceRestarted, "stream.sequence-rises", &[], &["responses"]),
    row(FailedAndCompleted, "stream.one-terminal-event", &["stream.one-error-event"], &["responses"]),
    row(FailedEventDropped, "stream.failed-follows", &[], &["responses"]),
    row(ChunkDropped, "stream.content-intact", &["stream.not-held-back"], &["stream", "healthy"]),
    row(
        ChunkDoubled,
        "success.content-intact",
        &["stream.content-intact", "stream.sequence-rises"],
        &["healthy", "stream"],
    ),
    row(StreamHeldBack, "stream.not-held-back", &[], &["stream"]),
    row(StreamHeldBackInBlocks, "stream.not-held-back", &[], &["stream"]),
    row(ErrorEventHeldBack, "stream.not-held-back", &[], &["stream"]),
    row(StreamLeftOpen, "stream.ends-after-error", &[], &["timeouts/silence-in-mid-stream"]),
    // Ollama's last line contains both the end and its reason.
    row(
        TerminatorDropped,
        "success.terminated",
        &["success.delivered", "recovery.next-request-ok"],
        &["healthy", "stream"],
    ),
    row(TerminatorDemanded, "success.delivered", &[], &["healthy", "stream"]),
    row(PingEventSent, "format.stream-events", &["stream.sequence-rises"], &["healthy", "stream"]),
    row(PingedFailureFinished, "stream.no-forged-success", &[], &["keepalive"]),
    row(PingedFailureCut, "stream.error-visible", &[], &["keepalive"]),
    row(
        PingedCodeLost,
        "keepalive.true-cause",
        &["detail.code-kept", "detail.type-kept", "detail.limit-code-kept"],
        &["keepalive"],
    ),
    row(PassThroughStatusMade, "passthrough.status", &[], &["passthrough"]),
    row(PassThroughTypeMade, "passthrough.content-type", &[], &["passthrough"]),
    row(PassThroughWrapped, "passthrough.body", &["format.content-coding"], &["passthrough"]),
    row(PassThroughRepaired, "passthrough.body", &["format.content-coding"], &["passthrough"]),
    row(PassThroughHopByHop, "passthrough.hop-by-hop", &[], &["passthrough"]),
    row(PassThroughCutFinished, "passthrough.cut-stays-cut", &[], &["passthrough"]),
    row(LimitAsStop, "success.limit-told", &[], &["healthy"]),
    row(LimitAsNull, "success.limit-told", &[], &["healthy"]),
    row(FilterAsStop, "success.filter-told", &[], &["healthy", "providers/anthropic", "providers/gemini"]),
    row(IncompleteWithoutReason, "success.reason-told", &[], &["healthy"]),
    row(ToolCallDropped, "success.content-intact", &[], &["healthy"]),
    row(ToolCallNextToTextDropped, "success.content-intact", &[], &["healthy"]),
    row(ToolNameChanged, "success.content-intact", &["stream.content-intact"], &["healthy", "stream"]),
    row(ToolCallsMerged, "success.content-intact", &[], &["healthy"]),
    row(ToolCallIdsLost, "success.content-intact", &[], &["healthy"]),
    row(ToolCallsAsStop, "success.tool-calls-told", &[], &["healthy"]),
    row(CutToolCallAsWhole, "success.limit-told", &[], &["healthy"]),
    row(RefusalTextDropped, "success.content-intact", &[], &["healthy"]),
    row(ChoiceDropped, "success.content-intact", &[], &["healthy"]),
    row(ReasoningDropped, "success.content-intact", &[], &["providers/anthropic"]),
    row(
        LargeEventLost,
        "success.content-intact",
        &["success.delivered"],
        &["stream/large-event", "stream/tool-call-above-one-mebibyte"],
    ),
    row(LargeHeadRefused, "success.delivered", &[], &["headers/many-headers", "headers/long-value"]),
    row(
        SessionLeftOpen,
        "realtime.no-silent-socket",
        &[],
        &["realtime/close-1011-before-session", "realtime/close-1011-after-content"],
    ),
    row(SessionEndAsGoodbye, "realtime.error-visible", &["realtime.close-code"], &["realtime"]),
    row(SessionErrorAsGoodbye, "realtime.error-visible", &["realtime.detail"], &["realtime"]),
    row(
        SessionErrorSwallowed,
        "realtime.no-silent-socket",
        &[],
        &["realtime/error-before-session", "realtime/error-after-content", "realtime/error-then-close"],
    ),
    row(SessionDetailLost, "realtime.detail", &[], &["realtime"]),
    row(SessionErrorAsString, "realtime.event-form", &[], &["realtime"]),
    row(
        SessionEventLost,
        "realtime.events-intact",
        &["success.content-intact", "stream.not-held-back"],
        &["realtime"],
    ),
    row(SessionForged, "realtime.no-forged-success", &[], &["realtime"]),
    row(SessionCut, "realtime.close-told", &[], &["realtime"]),
    row(CloseCodeReplaced, "realtime.close-code", &[], &["realtime"]),
    row(CloseReasonLost, "realtime.close-reason", &[], &["realtime"]),
    row(
        RefusalUpgraded,
        "realtime.no-silent-socket",
        &["realtime.handshake-status"],
        &["realtime/refused-rate-limit", "realtime/refused-key"],
    ),
    row(RefusalAsClose, "realtime.handshake-status", &[], &["realtime"]),
    row(ExitsOnConflict, "process.keeps-running", &[], &["status/409-conflict"]),
    row(ExitsOnThree, "process.keeps-running", &[], &["status", "bodies/html-520"]),
    row(FreezesOnConflict, "process.keeps-answering", &[], &["status/409-conflict", "limits/rate-limit"]),
    row(OneAtATime, "process.serves-others", &[], &["concurrency/one-provider-hangs"]),
    row(FailureUnanswered, "timeout.answered", &[], &["status/503-unavailable"]),
    row(
        TimeoutIgnored,
        "timeout.honoured",
        &["fallback.used"],
        &["timeouts/no-answer", "timeouts/silence-in-mid-stream"],
    ),
    row(TerminalRetried, "retry.terminal-errors-once", &["retry.budget"], &["status", "detail"]),
    row(
        RetryBudgetExceeded,
        "retry.budget",
        &["timeout.honoured"],
        &["retries/no-retries-means-none", "retries/unavailable-for-ever", "status"],
    ),
    row(
        RetryAfterIgnored,
        "retry.pacing",
        &[],
        &["retries/rate-limit-then-ok", "retries/latest-retry-after-counts", "retries/far-date-gives-up"],
    ),
    row(
        RetryAfterContent,
        "retry.not-after-content",
        &["retry.budget", "success.content-intact", "headers.own-attempt"],
        &["connection", "stream", "retries/not-after-content"],
    ),
    row(
        FallbackSkipped,
        "fallback.used",
        &[],
        &["fallback/on-server-error", "fallback/on-rate-limit", "fallback/on-refused-connection"],
    ),
    row(
        FallbackAskedToo,
        "fallback.only-when-needed",
        &[],
        &["fallback/not-on-success", "fallback/on-server-error"],
    ),
    row(
        FallbackSpliced,
        "fallback.no-splice",
        &["headers.own-attempt"],
        &["fallback/not-after-cut", "fallback/not-after-content", "connection"],
    ),
    row(BadRequestFallsBack, "fallback.only-when-needed", &[], &["fallback/not-after-bad-request"])
        .under("strict"),
    row(FallbackErrorHidden, "fallback.true-error", &["detail.type-kept"], &["fallback/all-fail", "leaks"]),
    row(CooldownIgnored, "cooldown.honoured", &[], &["limits", "fallback/cooldown-goes-to-backup"]),
    row(ClientErrorsCoolDown, "cooldown.not-for-bad-requests", &[], &["limits"]),
    row(FirstErrorsCoolDown, "cooldown.not-for-bad-requests", &[], &["limits"]),
    row(CooldownAs500, "cooldown.status", &[], &["limits/cooldown-tells-how-long"]),
    row(CooldownWithoutTime, "cooldown.retry-after", &[], &["limits/cooldown-tells-how-long"]),
    row(GroupCoolsDown, "cooldown.spares-others", &[], &["groups"]),
    row(CooldownAsAsked, "cooldown.honoured", &[], &["limits/cooldown-outlasts-retry-after"]),
    row(
        CooldownEndless,
        "cooldown.ends",
        &[],
        &["limits/cooldown-ends", "fallback/primary-again-after-cooldown"],
    ),
    row(RejectedKeyRests, "cooldown.names-cause", &[], &["limits/cooldown-names-rejected-key"]),
    row(
        RoutePoisoned,
        "recovery.next-request-ok",
        &["request.forwarded", "cooldown.not-for-bad-requests", "cooldown.status", "cooldown.retry-after"],
        &["status", "limits"],
    ),
    row(
        CallerGoneIgnored,
        "disconnect.stream-let-go",
        &["disconnect.plain-let-go", "disconnect.no-new-attempt"],
        &["disconnect"],
    ),
    row(RetriesAfterLeave, "disconnect.no-new-attempt", &[], &["disconnect"]),
    row(
        ErrorsSwapped,
        "detail.own-error",
        &[
            "detail.code-kept",
            "detail.limit-code-kept",
            "detail.message-kept",
            "detail.param-kept",
            "detail.type-kept",
            "headers.own-retry-after",
            "headers.rate-limits",
            "headers.request-id",
            "headers.retry-after",
            "status.mirrored",
            "status.rate-limit",
        ],
        &["concurrency"],
    ),
    row(
        AnswersSwapped,
        "success.own-answer",
        &["success.content-intact", "stream.content-intact"],
        &["concurrency"],
    ),
    row(
        HeadersSwapped,
        "headers.own-retry-after",
        &["detail.own-error", "headers.rate-limits", "headers.request-id", "headers.retry-after"],
        &["concurrency"],
    ),
    row(
        CallersSwapped,
        "success.own-answer",
        &[
            "detail.own-error",
            "detail.message-kept",
            "headers.request-id",
            "status.failure-not-success",
            "success.content-intact",
            "success.delivered",
        ],
        &[
            "concurrency/two-callers-one-deployment",
            "concurrency/two-callers-two-answers",
            "concurrency/two-callers-two-errors",
        ],
    ),
    row(ThirdMessageLost, "detail.message-kept", &["detail.server-message-kept"], &["repeated", "aftermath"]),
    row(ThirdLimitAs500, "status.rate-limit", &["cooldown.status"], &["repeated"]),
    row(ThirdRetryAfterLost, "headers.retry-after", &["cooldown.retry-after"], &["repeated"]),
    row(ThirdCutFinished, "stream.no-forged-success", &[], &["repeated"]),
    row(RetryAfterStale, "headers.own-retry-after", &[], &["aftermath"]),
    row(
        ErrorStale,
        "detail.own-error",
        &["detail.code-kept", "detail.message-kept", "detail.param-kept"],
        &["aftermath", "repeated/nine-bad-requests"],
    ),
    row(AnswerStale, "success.own-answer", &["success.content-intact"], &["aftermath"]),
    row(
        ResetPoisonsRoute,
        "recovery.next-request-ok",
        &["request.forwarded"],
        &["aftermath", "connection/recovers-after-reset"],
    ),
    row(
        SlotsLeaked,
        "request.forwarded",
        &[
            "recovery.next-request-ok",
            "cooldown.names-cause",
            "cooldown.not-for-bad-requests",
            "cooldown.retry-after",
        ],
        &["aftermath", "repeated/nine-bad-requests"],
    ),
    row(KeyUnchecked, "mistake.not-forwarded", &["mistake.refused"], &["mistakes"]),
    row(RefusalAs500, "mistake.refused", &[], &["mistakes"]),
    row(RefusalInOpenaiForm, "format.envelope", &[], &["mistakes"]),
    row(
        StreamGatewayErrorAs500,
        "sibling.stream-status",
        &[],
        &["status", "bodies", "providers/bad-gateway", "providers/gateway-timeout"],
    ),
    row(StreamErrorReworded, "sibling.stream-detail", &[], &["status", "detail", "limits/rate-limit"]),
    row(
        StreamHeadersDropped,
        "sibling.stream-headers",
        &[
            "headers.retry-after",
            "headers.retry-after-ms",
            "headers.rate-limits",
            "headers.request-id",
            "cooldown.retry-after",
        ],
        &["headers", "status", "limits"],
    ),
    row(StreamNotRetried, "sibling.stream-attempts", &[], &["retries", "siblings"]),
    row(SideGatewayErrorAs500, "sibling.route-status", &[], &["siblings", "side"]),
    row(
        SideMessageLost,
        "sibling.route-detail",
        &["detail.message-kept", "detail.server-message-kept", "stream.error-detail"],
        &["siblings", "side"],
    ),
    row(KeyLeaked, "leak.provider-key", &[], &["leaks", "status"]),
    row(ForeignKeyLeaked, "leak.provider-key", &[], &["leaks", "status"]),
    row(ProxyKeyLeaked, "leak.proxy-secret", &[], &["leaks", "status"]),
    row(BaseUrlLeaked, "leak.upstream-address", &[], &["leaks", "status"]),
    row(BaseUrlInHeader, "leak.upstream-address-header", &[], &["leaks", "status", "healthy"]),
    row(TracebackLeaked, "leak.traceback", &[], &["leaks", "status"]),
    row(CertificatesUnchecked, "leak.unproven-upstream", &[], &["tls"]),
    row(RedirectFollowed, "leak.redirected-key", &[], &["bodies/307-elsewhere", "bodies/301-elsewhere"]),
];
