//! Which cases of a scenario are held against each other.

use super::{
    expand::case_id,
    model::{Case, Combination},
    words::Api,
};

/// In which one thing two cases of a scenario differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SiblingKind {
    /// One asks for a stream, the other does not.
    Stream,
    /// They call different endpoints.
    Route,
}

impl SiblingKind {
    /// How `held` differs from the case that it is held against; `None` where they differ in nothing, or
    /// in more than one thing. A session is like no other call.
    pub fn between(held: Combination, other: Combination) -> Option<Self> {
        if held.api.is_session() || other.api.is_session() {
            return None;
        }
        match (held.api == other.api, held.provider == other.provider, held.stream == other.stream) {
            (true, true, false) if held.stream => Some(Self::Stream),
            (false, true, true) => Some(Self::Route),
            _ => None,
        }
    }
}

/// In what a case differs from a sibling of this id, one of those that [`siblings`] gives: for a record that
/// names its siblings and has not seen them.
pub fn kin_by_id(scenario: &str, held: Combination, sibling: &str) -> SiblingKind {
    let plain = case_id(scenario, &Combination { stream: false, ..held });
    if held.stream && sibling == plain { SiblingKind::Stream } else { SiblingKind::Route }
}

/// A case that another one is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its id.
    pub id: String,
    /// In what they differ.
    pub kin: SiblingKind,
}

/// The cases of the same scenario that this one is held against: a stream against the plain call, a
/// route against the one that the others of its provider are measured by. Never in a circle: a plain
/// call of that route is held against nobody.
pub fn siblings(case: &Case) -> Vec<Sibling> {
    let held = case.combination;
    let matrix = &case.scenario.matrix;
    let plain = matrix.iter().find(|other| SiblingKind::between(held, **other) == Some(SiblingKind::Stream));
    let route = measure(matrix, held).filter(|other| other.api != held.api);
    let sibling = |other: &Combination| {
        Some(Sibling { id: case_id(&case.scenario.id, other), kin: SiblingKind::between(held, *other)? })
    };
    plain.into_iter().chain(route).filter_map(sibling).collect()
}

/// The route by which the others of one provider are measured: the one that is like chat, else the first.
fn measure(matrix: &[Combination], held: Combination) -> Option<&Combination> {
    let alike = || {
        let same = |other: &&Combination| (other.provider, other.stream) == (held.provider, held.stream);
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

    fn held(matrix: &str) -> Vec<(String, Vec<(String, SiblingKind)>)> {
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
    fn a_stream_is_held_against_the_plain_call_and_a_route_against_chat() {
        assert_eq!(
            held("{api: [openai/responses, openai/chat], stream: [false, true]}"),
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
    fn without_chat_the_first_route_is_the_measure() {
        assert_eq!(
            held("{api: [openai/embeddings, openai/images]}"),
            [
                is("x[openai/embeddings]", &[]),
                is("x[openai/images]", &[("x[openai/embeddings]", SiblingKind::Route)])
            ]
        );
        let measured_by_messages = held("{api: [anthropic/count_tokens, anthropic/messages]}");
        assert_eq!(measured_by_messages[0].1, [("x[anthropic/messages]".to_owned(), SiblingKind::Route)]);
    }

    #[test]
    fn cases_of_other_providers_are_no_siblings() {
        for (id, siblings) in held("{api: [openai/chat, anthropic/messages]}") {
            assert_eq!(siblings, [], "{id}");
        }
    }

    #[test]
    fn a_session_is_no_sibling_of_anything() {
        for (id, siblings) in held("{api: [openai/realtime, openai/responses]}") {
            assert_eq!(siblings, [], "{id}");
        }
        let others = held("{api: [openai/realtime, openai/embeddings, openai/images]}");
        assert_eq!(others[2].1, [("x[openai/embeddings]".to_owned(), SiblingKind::Route)]);
    }
}
