//! The words that people type instead of those of scenario files: provider's names of errors, statuses, names of other
//! tools.

/// A word of a scenario file, and words that mean it. They are compared without case, `_`, `-`, `/` and spaces, and without
/// a final `error` or `exception`.
///
/// A word counts only where its meaning is possible: `timeout` means `hang` in a list of faults, and is itself in `proxy`.
const SYNONYMS: &[(&str, &[&str])] = &[
    // Errors: types, codes, exception names, gRPC and Google statuses, HTTP statuses.
    (
        "invalid_api_key",
        &[
            "401",
            "unauthorized",
            "unauthenticated",
            "authentication",
            "invalidkey",
            "autherror",
            "incorrectapikey",
            "expiredtoken",
            "unrecognizedclient",
        ],
    ),
    (
        "missing_api_key",
        &["nokey", "noapikey", "missingkey", "missingauthentication", "missingauthenticationtoken"],
    ),
    (
        "permission",
        &["403", "forbidden", "permissiondenied", "accessdenied", "notallowed", "requestforbidden"],
    ),
    (
        "model_not_found",
        &["404", "notfound", "unknownmodel", "nosuchmodel", "deploymentnotfound", "resourcenotfound"],
    ),
    (
        "bad_request",
        &[
            "400",
            "invalidrequest",
            "validation",
            "invalidargument",
            "failedprecondition",
            "unsupportedparameter",
            "invalid_parameter",
        ],
    ),
    (
        "context_length",
        &[
            "contextlengthexceeded",
            "contextwindow",
            "contextwindowexceeded",
            "toolong",
            "prompttoolong",
            "stringabovemaxlength",
        ],
    ),
    (
        "content_policy",
        &[
            "contentfilter",
            "contentpolicyviolation",
            "moderation",
            "safety",
            "blocked",
            "invalidprompt",
            "responsibleaipolicyviolation",
            "guardrail",
            "guardrailintervened",
        ],
    ),
    ("too_large", &["413", "requesttoolarge", "payloadtoolarge", "entitytoolarge", "contenttoolarge"]),
    ("unprocessable", &["422", "unprocessableentity", "unprocessablecontent"]),
    (
        "rate_limit",
        &[
            "429",
            "ratelimited",
            "ratelimitexceeded",
            "throttling",
            "throttled",
            "throttle",
            "toomanyrequests",
            "resourceexhausted",
            "requestsperminute",
            "rpm",
            "requests",
        ],
    ),
    ("token_limit", &["tokensperminute", "tpm", "tokenlimitexceeded", "tokens"]),
    (
        "quota",
        &[
            "402",
            "insufficientquota",
            "quotaexceeded",
            "servicequotaexceeded",
            "billing",
            "credits",
            "outofcredits",
            "paymentrequired",
            "insufficientbalance",
            "billinghardlimitreached",
        ],
    ),
    (
        "internal",
        &["500", "api", "server", "internalserver", "internalservererror", "internalfailure", "unknown"],
    ),
    ("bad_gateway", &["502", "html502"]),
    ("unavailable", &["503", "serviceunavailable", "down", "maintenance", "modelnotready"]),
    ("gateway_timeout", &["504", "408", "deadlineexceeded", "timeout", "modeltimeout", "gatewaytimeout"]),
    (
        "overloaded",
        &[
            "529",
            "overload",
            "capacity",
            "nocapacity",
            "serverisoverloaded",
            "engineoverloaded",
            "modelstream",
            "modeloverloaded",
        ],
    ),
    ("slow_down", &["slowdown"]),
    // Faults.
    ("refuse", &["connectionrefused", "econnrefused", "refused", "down"]),
    ("reset", &["rst", "tcpreset", "econnreset", "connectionreset", "connectionresetbypeer", "abort"]),
    (
        "close",
        &[
            "fin",
            "disconnect",
            "disconnected",
            "drop",
            "eof",
            "connectionclosed",
            "incompleteread",
            "hangup",
            "cut",
            "remoteprotocol",
            "peerclosedconnection",
        ],
    ),
    ("hang", &["timeout", "readtimeout", "silence", "silent", "freeze", "never", "blackhole"]),
    ("delay", &["wait", "sleep", "slow", "pause", "lag"]),
    ("latency", &["jitter"]),
    ("drip", &["throttle", "bandwidth", "slowly", "trickle"]),
    ("truncate", &["cutoff", "partial", "half"]),
    ("error_event", &["streamerror", "sseerror", "errorinstream", "midstreamerror", "errorchunk"]),
    ("malform", &["corrupt", "garbage", "invalidjson", "malformed", "brokenjson", "badjson"]),
    ("not_json", &["invalidjson", "garbage", "plaintext", "text"]),
    ("unresolvable_name", &["dns", "dnsfailure", "nxdomain", "enotfound", "getaddrinfo", "nameresolution"]),
    ("expired_certificate", &["expired", "certificatehasexpired", "certexpired", "cert", "certificate"]),
    ("self_signed", &["selfsignedcertificate"]),
    ("drop_terminator", &["nodone", "missingdone", "withoutdone", "nostop"]),
    // Points of a response.
    (
        "before_headers",
        &[
            "start",
            "begin",
            "beginning",
            "immediately",
            "before",
            "first",
            "now",
            "beforeresponse",
            "beforefirsttoken",
            "beforefirstbyte",
        ],
    ),
    ("after_headers", &["headers", "afterstatus", "head"]),
    (
        "after_content",
        &[
            "middle",
            "midstream",
            "inthemiddle",
            "mid",
            "afterfirsttoken",
            "firsttoken",
            "afterfirstchunk",
            "aftertext",
            "midanswer",
            "halfway",
        ],
    ),
    ("inside_tool_call", &["toolcall", "midtoolcall", "intoolcall", "tooluse", "duringtoolcall"]),
    ("after_tool_arguments", &["aftertoolcall", "aftertooluse"]),
    ("after_events", &["events", "afterchunks", "chunks", "aftertokens", "n"]),
    ("after_bytes", &["bytes", "offset"]),
    ("before_end", &["end", "last", "beforedone", "atend", "finish", "afterlast"]),
    // Replies.
    ("ok", &["okay", "success", "200", "text", "normal", "default"]),
    ("chunks", &["stream", "events", "pieces", "long"]),
    ("tool_call", &["tool", "tools", "functioncall", "toolcalls", "tooluse", "function"]),
    // Providers and APIs.
    ("openai", &["gpt", "chatgpt", "openaicompatible"]),
    ("azure", &["azureopenai", "aoai", "microsoft", "azureai"]),
    ("anthropic", &["claude"]),
    ("gemini", &["google", "googleai", "aistudio", "googleaistudio"]),
    ("vertex", &["vertexai", "googlevertex", "gcp"]),
    ("bedrock", &["aws", "awsbedrock", "amazon", "amazonbedrock"]),
    ("xai", &["grok"]),
    ("together", &["togetherai"]),
    ("fireworks", &["fireworksai"]),
    ("nvidia", &["nim", "nvidianim"]),
    ("tgi", &["huggingface", "hf"]),
    (
        "openai/chat",
        &[
            "chat",
            "chatcompletions",
            "v1chatcompletions",
            "openai",
            "openaichatcompletions",
            "completionschat",
        ],
    ),
    ("openai/responses", &["responses", "v1responses"]),
    ("openai/completions", &["completions", "v1completions", "textcompletion"]),
    ("openai/embeddings", &["embeddings", "embedding", "v1embeddings"]),
    ("openai/realtime", &["realtime", "websocket"]),
    ("anthropic/messages", &["messages", "v1messages", "anthropic", "claude"]),
    ("gemini/generate", &["generate", "generatecontent", "gemini", "streamgeneratecontent"]),
    ("bedrock/converse", &["converse", "conversestream", "bedrock"]),
    ("bedrock/invoke", &["invoke", "invokemodel", "invokewithresponsestream"]),
    ("cohere/chat", &["cohere", "v2chat"]),
    ("ollama/chat", &["ollama", "apichat"]),
    // Keys.
    ("title", &["name", "summary", "headline", "id"]),
    ("why", &["description", "reason", "because", "motivation", "comment", "about", "desc"]),
    ("references", &["refs", "links", "source", "sources", "see", "issue", "issues", "reference"]),
    ("tags", &["labels", "tag", "keywords"]),
    ("level", &["severity", "priority"]),
    ("matrix", &["cases", "combinations", "parameters", "params"]),
    ("provider", &["providers", "vendor", "upstreams"]),
    ("api", &["apis", "endpoint", "endpoints", "route"]),
    ("stream", &["streaming", "streamed", "streams", "sse"]),
    ("upstream", &["mock", "responses", "turns", "replies", "server"]),
    ("deployments", &["upstreams", "models", "backends", "targets"]),
    ("proxy", &["gateway", "settings", "config"]),
    ("steps", &["requests", "calls", "caller", "request"]),
    (
        "expect",
        &[
            "expected",
            "expectation",
            "expectations",
            "assert",
            "asserts",
            "expects",
            "then",
            "want",
            "outcome",
        ],
    ),
    ("except", &["exceptions", "ignore", "skip", "exclude", "lift"]),
    ("known", &["knownissues", "xfail"]),
    ("speedup", &["timescale", "speed", "scale"]),
    ("reply", &["response", "success", "answer", "returns"]),
    ("error", &["fail", "failure", "errorname", "throws", "raise"]),
    ("status", &["statuscode", "code", "httpstatus", "httpcode"]),
    ("body", &["content", "payload", "data", "json", "text"]),
    ("headers", &["header", "httpheaders"]),
    ("faults", &["fault", "chaos", "inject"]),
    ("at", &["when", "after", "point", "position", "where"]),
    ("for", &["duration", "lasting", "time", "seconds", "ms", "length"]),
    ("bytes_per_second", &["rate", "bps", "speed", "bandwidth"]),
    ("timeout", &["timeouts", "requesttimeout", "timeoutms", "timeoutseconds"]),
    ("retries", &["retry", "numretries", "maxretries"]),
    ("fallback", &["fallbacks", "failover"]),
    ("cooldown", &["cooldowns", "circuitbreaker", "ejection"]),
    ("keep_alive", &["keepalive", "ping", "pings", "heartbeat"]),
    ("pass_through", &["passthrough", "raw"]),
    ("attempts", &["calls", "requestcount", "tries", "upstreamcalls"]),
    ("ending", &["ends", "end", "result", "endswith"]),
    ("finish", &["finishreason", "stopreason"]),
    ("content_type", &["contenttype", "mediatype", "mime"]),
    ("within", &["deadline", "maxtime", "maxduration", "latency", "under"]),
    (
        "first_byte_within",
        &["ttfb", "timetofirstbyte", "timetofirsttoken", "ttft", "firstbyte", "firsttoken"],
    ),
    ("contains", &["contain", "includes", "has", "include", "matches"]),
    ("not_contains", &["doesnotcontain", "excludes", "without", "notcontain", "lacks"]),
    ("json", &["pointer", "pointers", "jsonpath", "path", "members", "fields"]),
    ("message_contains", &["message", "text"]),
    ("pause", &["wait", "delay", "sleep"]),
    ("leave", &["disconnect", "abort", "cancel", "close"]),
    ("together", &["parallel", "concurrent", "concurrently"]),
    // Endings.
    ("success", &["ok", "complete", "completed", "200"]),
    ("failure", &["error", "fail", "failed"]),
    ("cut", &["closed", "close", "reset", "disconnect", "truncated", "incomplete"]),
    ("limit", &["length", "maxtokens", "maxoutputtokens"]),
    ("filter", &["contentfilter", "refusal", "safety"]),
    ("stop", &["endturn", "completed"]),
    ("required", &["must", "error", "high", "critical"]),
    ("recommended", &["should", "warning", "medium"]),
    ("informative", &["info", "may", "low"]),
];

/// The one of `expected` that people mean by a word, if the table has it.
pub(crate) fn meaning<'e>(word: &str, expected: &[&'e str]) -> Option<&'e str> {
    let typed = plain(word);
    // What differs only in form comes first: `RateLimitError` is `rate_limit` before it can be anything else.
    let same = expected.iter().copied().find(|known| plain(known) == typed && *known != word);
    same.or_else(|| {
        let is_meant = |(_, words): &&(&str, &[&str])| words.iter().any(|own| plain(own) == typed);
        let meant = SYNONYMS.iter().filter(is_meant).map(|(known, _)| *known);
        let mut meant =
            meant.filter_map(|known| expected.iter().copied().find(|expected| *expected == known));
        meant.next()
    })
}

/// Whether a word is another one in another form, or with one wrong letter.
pub(super) fn is_same_word(word: &str, other: &str) -> bool {
    is_same_form(word, other) || strsim::damerau_levenshtein(word, other) <= 1
}

/// Whether two words differ only in their form: case, separators, a final `error` or `exception`.
pub(crate) fn is_same_form(word: &str, other: &str) -> bool {
    plain(word) == plain(other)
}

/// A word without its form.
fn plain(word: &str) -> String {
    let letters: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let stem = letters.strip_suffix("exception").unwrap_or(&letters);
    let stem = stem.strip_suffix("error").unwrap_or(stem);
    if stem.is_empty() { letters } else { stem.to_owned() }
}
