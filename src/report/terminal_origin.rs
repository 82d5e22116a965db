//! Who made an error, and what became of what the provider said about it, in two fields.

use crate::judge::{DetailFate, ErrorOrigin, Maker};

/// Who made it, and what shows that.
pub(super) fn made_by(origin: &ErrorOrigin) -> String {
    let evidence: Vec<String> = origin.evidence.iter().map(ToString::to_string).collect();
    format!("{} ({})", origin.maker, evidence.join(", "))
}

/// What became of each detail; `None` where the provider said nothing.
pub(super) fn fates(origin: &ErrorOrigin) -> Option<String> {
    // Families of limits are long, and what is alike of them is said once.
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
        Maker::Upstream { .. } | Maker::Upfault => "",
        Maker::Proxy | Maker::Nobody => "of the last upstream that failed: ",
    };
    (!parts.is_empty()).then(|| format!("{whose}{}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::{Evidence, Traced},
        observation::StepName,
    };

    fn origin(maker: Maker, details: Vec<(&str, DetailFate)>) -> ErrorOrigin {
        let traced = |(detail, fate): (&str, DetailFate)| Traced {
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
    fn each_fate_has_its_words_and_limits_are_counted() {
        let place = || "header llm_provider-retry-after".to_owned();
        let shown = fates(&origin(
            Maker::Proxy,
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
        of the last upstream that failed: message replaced by "Oops";
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
    fn who_made_it_is_said_with_what_shows_it() {
        let origin = origin(Maker::Proxy, Vec::new());
        assert_eq!(made_by(&origin), "the proxy (no answer: connection refused)");
        assert_eq!(fates(&origin), None);
    }
}
