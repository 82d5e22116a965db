//! The source of an error, and the fate of the provider's details, in two fields.

use crate::judge::{DetailFate, ErrorOrigin, ErrorSource};

/// The source of an error and the evidence for it.
pub(super) fn made_by(origin: &ErrorOrigin) -> String {
    let evidence: Vec<String> = origin.evidence.iter().map(ToString::to_string).collect();
    format!("{} ({})", origin.maker, evidence.join(", "))
}

/// The fate of each detail; `None` if the provider sent no details.
pub(super) fn fates(origin: &ErrorOrigin) -> Option<String> {
    // There are many rate-limit headers: they are counted by fate.
    let (limits, others): (Vec<_>, Vec<_>) =
        origin.details.iter().partition(|traced| traced.detail.contains("ratelimit"));
    let mut parts: Vec<String> = others.iter().map(ToString::to_string).collect();
    let count = |wanted: fn(&DetailFate) -> bool| limits.iter().filter(|limit| wanted(&limit.fate)).count();
    for (name, count) in [
        ("kept", count(|fate| *fate == DetailFate::Kept)),
        ("lost", count(|fate| *fate == DetailFate::Lost)),
        ("moved", count(|fate| matches!(fate, DetailFate::Moved { .. }))),
        ("changed", count(|fate| matches!(fate, DetailFate::Mapped { .. }))),
    ] {
        if count > 0 {
            parts.push(format!("{count} limit header{} {name}", if count == 1 { "" } else { "s" }));
        }
    }
    let whose = match &origin.maker {
        ErrorSource::Upstream { .. } | ErrorSource::Upfault => "",
        ErrorSource::Proxy | ErrorSource::Unreported => "from the last upstream that failed: ",
    };
    (!parts.is_empty()).then(|| format!("{whose}{}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::{Evidence, TracedDetail},
        observation::StepName,
    };

    fn origin(maker: ErrorSource, details: Vec<(&str, DetailFate)>) -> ErrorOrigin {
        let traced = |(detail, fate): (&str, DetailFate)| TracedDetail {
            detail: detail.to_owned(),
            sent: "7".to_owned(),
            fate,
        };
        ErrorOrigin {
            step: StepName::Step(1),
            maker,
            evidence: vec![Evidence { found: "no answer: connection refused".to_owned(), place: None }],
            details: details.into_iter().map(traced).collect(),
        }
    }

    #[test]
    fn fates_are_in_words_and_limit_headers_are_counted() {
        let place = || "header llm_provider-retry-after".to_owned();
        let shown = fates(&origin(
            ErrorSource::Proxy,
            vec![
                ("message", DetailFate::Mapped { to: "Oops".to_owned() }),
                ("type", DetailFate::Kept),
                ("code", DetailFate::Prose),
                ("param", DetailFate::Lost),
                ("retry-after", DetailFate::Moved { to: place() }),
                ("x-ratelimit-limit-requests", DetailFate::Lost),
                ("x-ratelimit-limit-tokens", DetailFate::Lost),
                ("x-ratelimit-reset-tokens", DetailFate::Kept),
                ("key of primary", DetailFate::Leaked { at: "the body".to_owned() }),
            ],
        ));
        insta::assert_snapshot!(
            shown.unwrap().replace("; ", ";\n"),
            @r#"
        from the last upstream that failed: message replaced by "Oops";
        type kept;
        code "7" only inside the message;
        param lost;
        retry-after moved to header llm_provider-retry-after;
        key of primary LEAKED in the body;
        1 limit header kept;
        2 limit headers lost
        "#
        );
    }

    #[test]
    fn the_source_is_printed_with_its_evidence() {
        let origin = origin(ErrorSource::Proxy, Vec::new());
        assert_eq!(made_by(&origin), "the proxy (no answer: connection refused)");
        assert_eq!(fates(&origin), None);
    }
}
