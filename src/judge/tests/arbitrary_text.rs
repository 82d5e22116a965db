//! Random bodies and events: valid, broken and unexpected ones.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    dialects,
    seen::{DONE, ERROR, GOOD, OK, ONE, STOP},
};
use crate::{observation::Identity, wire::sse};

pub(super) fn filled(text: &str) -> String {
    let canaries = Identity { token: "tok".to_owned() }.canaries("primary", 1);
    text.replace("MSG", &canaries.message).replace("TXT", &canaries.content)
}

pub(super) fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        ".{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = select(vec![
            "error",
            "message",
            "type",
            "code",
            "param",
            "choices",
            "delta",
            "content",
            "candidates",
            "parts",
            "text",
            "output",
            "data",
            "embedding",
            "embeddings",
            "results",
            "done",
            "bytes",
            "detail",
            "status",
            "response",
        ]);
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            vec((key, inner), 0..3).prop_map(|members| {
                let members: Vec<String> = members.into_iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Contents of a body or an event: valid, broken or unexpected.
pub(super) fn text() -> impl Strategy<Value = String> {
    let known = select(vec![OK, ERROR, ONE, STOP, DONE, "", "<html>no</html>", "b'MSG'", "sk-proxy"]);
    let other = select(dialects::SAMPLES.to_vec());
    prop_oneof![
        4 => known.prop_map(filled),
        4 => other.prop_map(filled),
        1 => (select(vec![OK, ERROR, ONE]), 0..60usize).prop_map(|(text, n)| filled(text).chars().take(n).collect()),
        2 => json(),
        1 => ".{0,30}",
    ]
}

pub(super) fn event_name() -> impl Strategy<Value = Option<&'static str>> {
    let names =
        ["error", "message_stop", "content_block_delta", "messageStop", "exception:throttlingException"];
    option::of(select(names.to_vec()))
}

pub(super) fn stream() -> impl Strategy<Value = String> {
    let events =
        prop_oneof![Just(GOOD.iter().map(|data| filled(data)).collect::<Vec<_>>()), vec(text(), 0..5),];
    (events, event_name(), any::<bool>()).prop_map(|(events, name, cut)| {
        let mut text: String = events.iter().map(|data| sse::encode(name, data)).collect();
        if cut {
            let half = text.chars().count() / 2;
            text = text.chars().take(half).collect();
        }
        text
    })
}
