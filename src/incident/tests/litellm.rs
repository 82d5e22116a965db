//! What the logs of LiteLLM say about its providers.

use super::*;

/// Texts from logs of LiteLLM 1.102.4 in front of the mocks, which show how it reports what it got.
#[test]
fn what_litellm_logs_about_each_provider_is_recognized() {
    use ErrorName as E;
    use Provider as P;
    for (log, provider, name) in [
        (
            "RateLimitError: RateLimitError: OpenAIException - Rate limit reached for gpt-4o-mini in organization org-mock on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 7s.",
            P::Openai,
            E::RateLimit,
        ),
        (
            "ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.",
            P::Openai,
            E::ContextLength,
        ),
        (
            "BadRequestError: GeminiException BadRequestError - {\n  \"error\": {\n    \"code\": 400,\n    \"message\": \"The input token count (2845475) exceeds the maximum number of tokens allowed (1048576).\",\n    \"status\": \"INVALID_ARGUMENT\"\n  }\n}\n",
            P::Gemini,
            E::ContextLength,
        ),
        (
            "InternalServerError: litellm.InternalServerError: vertex_ai_betaException - UNAVAILABLE - The model is overloaded. Please try again later.",
            P::Vertex,
            E::Overloaded,
        ),
        (
            "BadGatewayError: AnthropicException BadGatewayError - <html>\n<head><title>502 Bad Gateway</title></head>\n</html>\n",
            P::Anthropic,
            E::BadGateway,
        ),
        (
            "RateLimitError: AnthropicException - b'{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"This request would exceed your organization\\\'s rate limit of 50 requests per minute.\"}}'",
            P::Anthropic,
            E::RateLimit,
        ),
        (
            "RateLimitError: BedrockException: Rate Limit Error - throttlingException {\"message\":\"Too many requests, please wait before trying again.\"}",
            P::Bedrock,
            E::RateLimit,
        ),
        (
            "RateLimitError: BedrockException - {\"message\":\"Too many tokens, please wait before trying again.\"}. Received Model Group=m",
            P::Bedrock,
            E::TokenLimit,
        ),
        (
            "RateLimitError: RateLimitError: Nvidia_nimException - Error code: 429 - {'status': 429, 'title': 'Too Many Requests', 'detail': 'Too many requests'}. Received Model Group=m",
            P::Nvidia,
            E::RateLimit,
        ),
        (
            "NotFoundError: Ollama_chatException - {\"error\":\"model \\\"llama3.1\\\" not found, try pulling it first\"}. Received Model Group=m",
            P::Ollama,
            E::ModelNotFound,
        ),
        (
            "ServiceUnavailableError: ServiceUnavailableError: Hosted_vllmException - {\"error\":{\"message\":\"The server is overloaded.\",\"type\":\"ServiceUnavailableError\",\"param\":null,\"code\":503}}",
            P::Vllm,
            E::Overloaded,
        ),
    ] {
        let action = seen(litellm_log(&format!("Exception occured - litellm.{log}")));
        let text = text(&action, &DraftWishes::default());
        let scenario = loaded(&text);
        assert!(scenario.matrix.iter().all(|case| case.provider == provider), "{log}\n{text}");
        assert!(text.contains(&format!("error: {name}")), "{log}\n{text}");
    }
}

#[test]
fn what_litellm_logs_about_connections_is_recognized() {
    for (log, expected) in [
        (
            "InternalServerError: InternalServerError: OpenAIException - Connection error.. Received Model Group=m",
            "reset: {at: before_headers}",
        ),
        (
            "APIConnectionError: AzureException APIConnectionError - Timeout on reading data from socket",
            "hang: {at: before_headers}",
        ),
        (
            "APIConnectionError: APIConnectionError: OpenAIException - Response payload is not completed: <TransferEncodingError: 400, message='Not enough data to satisfy transfer length header.'>",
            "close: {at: before_headers}",
        ),
        (
            "Timeout: APITimeoutError - Request timed out. Error_str: Request timed out.",
            "hang: {at: before_headers}",
        ),
    ] {
        let action = seen(litellm_log(&format!("Exception occured - litellm.{log}")));
        let text = text(&action, &DraftWishes::default());
        assert!(text.contains(expected), "{log}\n{text}");
    }
}

/// What callers of LiteLLM get, and so what people paste.
#[test]
fn what_callers_of_litellm_got_is_read_as_the_error_of_the_provider() {
    let of_curl = text(&seen(curl(&fixture("litellm-azure-429.txt"))), &DraftWishes::default());
    insta::assert_snapshot!(of_curl);
    let traceback = fixture("litellm-anthropic.traceback");
    let of_exception = text(&seen(exception(&traceback)), &DraftWishes::default());
    insta::assert_snapshot!(of_exception);
    let of_log = text(&seen(litellm_log(&traceback)), &DraftWishes::default());
    let upstream = |text: &str| text.split("upstream:").nth(1).map(str::to_owned);
    assert_eq!(upstream(&of_exception), upstream(&of_log));
}

#[test]
fn a_stream_of_litellm_breaks_where_that_of_the_provider_broke() {
    let entry = |body: &str| {
        let har = serde_json::json!({"log": {"entries": [{
            "request": {"method": "POST", "url": "https://llm.example.com/v1/chat/completions", "postData": {"text": "{\"stream\":true}"}},
            "response": {"status": 200, "headers": [
                {"name": "content-type", "value": "text/event-stream"},
                {"name": "x-litellm-call-id", "value": "c"},
            ], "content": {"text": body}},
        }]}});
        text(&seen(super::super::har(&har.to_string(), None)), &DraftWishes::default())
    };
    let delta = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\"}}]}\n\n";
    let error = serde_json::json!({"error": {"code": "500", "message": "litellm.MidStreamFallbackError: litellm.InternalServerError: AnthropicException - {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"}});
    let with_error = entry(&format!("{delta}data: {error}\n\n"));
    assert!(with_error.contains("error_event: {error: overloaded, at: after_content}"), "{with_error}");
    assert!(with_error.contains("matrix: {provider: [anthropic], stream: [true]}"), "{with_error}");
    let cut = entry(delta);
    assert!(cut.contains("close: {at: after_content}"), "{cut}");
    assert!(cut.contains("LiteLLM wrote the response") && cut.contains("the provider is openai: "), "{cut}");
}

#[test]
fn headers_of_a_provider_at_another_host_are_an_assumption() {
    let action = seen(curl(
        "$ curl https://llm.example.com/v1/chat/completions\nHTTP/2 500\nopenai-processing-ms: 9\n\n{}",
    ));
    let text = text(&action, &DraftWishes::default());
    assert!(text.contains("the provider is openai: llm.example.com is not a host of a provider"), "{text}");
}
