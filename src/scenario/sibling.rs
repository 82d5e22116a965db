//! Selects the cases of a scenario that are compared with each other (siblings).

use super::{
    expand::{id_of, is_id_of},
    model::{Case, Combination},
    words::Api,
};

/// The one respect in which two sibling cases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SiblingKind {
    /// One requests a stream, the other does not.
    Stream,
    /// They call different endpoints.
    Route,
}

impl SiblingKind {
    /// How `case` differs from the case that it is compared with; `None` if they differ in no respect or in
    /// more than one. A session has no siblings.
    pub(crate) fn between(case: Combination, other: Combination) -> Option<Self> {
        if case.api.is_session() || other.api.is_session() {
            return None;
        }
        match (case.api == other.api, case.provider == other.provider, case.stream == other.stream) {
            (true, true, false) if case.stream => Some(Self::Stream),
            (false, true, true) => Some(Self::Route),
            _ => None,
        }
    }
}

/// How a case differs from its sibling with this id, one of those that [`siblings`] returns. For records
/// that contain only the ids of siblings.
pub(crate) fn kin_by_id(scenario: &str, case: Combination, sibling: &str) -> SiblingKind {
    let is_plain = is_id_of(sibling, scenario, &Combination { stream: false, ..case });
    if case.stream && is_plain { SiblingKind::Stream } else { SiblingKind::Route }
}

/// A case that another one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sibling {
    /// The case's id.
    pub id: String,
    /// How the two cases differ.
    pub kin: SiblingKind,
}

/// Returns the cases of the same scenario that this one is compared with: a stream with the call without a
/// stream, an endpoint with its provider's reference endpoint. Comparisons never form a cycle: a call of the
/// reference endpoint without a stream has no siblings.
pub(crate) fn siblings(case: &Case) -> Vec<Sibling> {
    let combination = case.combination;
    let matrix = &case.scenario.matrix;
    let plain =
        matrix.iter().find(|other| SiblingKind::between(combination, **other) == Some(SiblingKind::Stream));
    let route = reference_endpoint(matrix, combination).filter(|other| other.api != combination.api);
    let sibling = |other: &Combination| {
        Some(Sibling {
            id: id_of(&case.scenario.id, other, case.own.as_deref()),
            kin: SiblingKind::between(combination, *other)?,
        })
    };
    plain.into_iter().chain(route).filter_map(sibling).collect()
}

/// The reference endpoint of one provider: the chat endpoint if the matrix contains it, otherwise the first.
fn reference_endpoint(matrix: &[Combination], case: Combination) -> Option<&Combination> {
    let alike = || {
        let same = |other: &&Combination| (other.provider, other.stream) == (case.provider, case.stream);
        matrix.iter().filter(same).filter(|other| !other.api.is_session())
    };
    let chat = alike().find(|other| other.api == Api::OpenaiChat);
    chat.or_else(|| alike().find(|other| other.api.is_chat())).or_else(|| alike().next())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{expand, load_text};

    fn siblings_of(matrix: &str) -> Vec<(String, Vec<(String, SiblingKind)>)> {
        let text = format!("title: t\nwhy: w\nmatrix: {matrix}\nupstream: [{{error: internal}}]\n");
        let scenario = Arc::new(load_text("x", "f", &text).expect("the scenario loads"));
        let of = |case: &Case| {
            let kin = |id: &str| kin_by_id("x", case.combination, id);
            let one = |sibling: Sibling| {
                assert_eq!(kin(&sibling.id), sibling.kin, "{} by its id", sibling.id);
                (sibling.id, sibling.kin)
            };
            siblings(case).into_iter().map(one).collect()
        };
        expand(&scenario).iter().map(|case| (case.id.clone(), of(case))).collect()
    }

    fn is(id: &str, siblings: &[(&str, SiblingKind)]) -> (String, Vec<(String, SiblingKind)>) {
        (id.to_owned(), siblings.iter().map(|(id, kin)| ((*id).to_owned(), *kin)).collect())
    }

    #[test]
    fn a_stream_is_compared_with_the_plain_call_and_an_endpoint_with_chat() {
        assert_eq!(
            siblings_of("{api: [openai/responses, openai/chat], stream: [false, true]}"),
            [
                is("x[openai/responses]", &[("x", SiblingKind::Route)]),
                is(
                    "x[openai/responses,stream]",
                    &[("x[openai/responses]", SiblingKind::Stream), ("x[stream]", SiblingKind::Route)]
                ),
                is("x", &[]),
                is("x[stream]", &[("x", SiblingKind::Stream)]),
            ]
        );
    }

    #[test]
    fn without_chat_the_first_endpoint_is_the_reference() {
        assert_eq!(
            siblings_of("{api: [openai/embeddings, openai/images]}"),
            [
                is("x[openai/embeddings]", &[]),
                is("x[openai/images]", &[("x[openai/embeddings]", SiblingKind::Route)])
            ]
        );
        let measured_by_messages = siblings_of("{api: [anthropic/count_tokens, anthropic/messages]}");
        assert_eq!(measured_by_messages[0].1, [("x[anthropic/messages]".to_owned(), SiblingKind::Route)]);
    }

    #[test]
    fn cases_of_different_providers_are_not_siblings() {
        for (id, siblings) in siblings_of("{api: [openai/chat, anthropic/messages]}") {
            assert_eq!(siblings, [], "{id}");
        }
    }

    #[test]
    fn a_session_has_no_siblings() {
        for (id, siblings) in siblings_of("{api: [openai/realtime, openai/responses]}") {
            assert_eq!(siblings, [], "{id}");
        }
        let others = siblings_of("{api: [openai/realtime, openai/embeddings, openai/images]}");
        assert_eq!(others[2].1, [("x[openai/embeddings]".to_owned(), SiblingKind::Route)]);
    }
}
