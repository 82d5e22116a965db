//! Parses a file, and reports its errors with their positions.

use std::{ops::Range, sync::Arc};

use serde::de::DeserializeOwned;

use super::{
    describe::{Description, describe, meant_by},
    diagnostic::{Diagnostic, LoadErrors},
    node::{Node, NodeValue},
    node_deserializer::NodeDeserializer,
    node_error::{NodeError, NodeErrorKind},
    syntax,
};

/// The most errors that are reported for one file.
const MOST: usize = 20;

/// Parses strict YAML: unknown keys, duplicate keys and wrong types are errors with a position.
///
/// # Errors
/// All errors of the text, in the order of their positions.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, source: &Arc<str>) -> Result<T, LoadErrors> {
    deserialized(file, source, parse_tree(file, source)?)
}

/// Parses YAML into a tree, which can be completed before it is [`deserialized`].
///
/// # Errors
/// What is wrong with the syntax.
pub(crate) fn parse_tree(file: &str, source: &Arc<str>) -> Result<Node, LoadErrors> {
    tree(source).map_err(|error| {
        let (range, description) = syntax::describe(error.without_snippet(), source);
        LoadErrors(vec![diagnostic(file, source, range, description)])
    })
}

/// Deserializes the tree of a file.
///
/// Serde stops at the first error. So what is wrong is removed from the tree, and the rest is read again: the
/// result contains every error that is not only a consequence of another.
///
/// # Errors
/// All errors of the tree, in the order of their positions.
pub(crate) fn deserialized<T: DeserializeOwned>(
    file: &str,
    source: &Arc<str>,
    mut root: Node,
) -> Result<T, LoadErrors> {
    let mut found: Vec<Diagnostic> = Vec::new();
    loop {
        let error = match T::deserialize(NodeDeserializer(&root)) {
            Ok(value) if found.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => error,
        };
        let path: Vec<usize> = error.path.iter().rev().copied().collect();
        let is_consequence = !found.is_empty() && is_consequence(&root, &path, &error);
        if !is_consequence {
            let node = root.at(&path);
            let description = describe(&error, &root.keys(&path), node, source);
            let range = error.range.clone().unwrap_or_else(|| node.range.clone());
            found.push(diagnostic(file, source, range, description));
        }
        if found.len() == MOST || !repair(&mut root, &path, &error) {
            break;
        }
    }
    found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.range.start));
    Err(LoadErrors(found))
}

/// The tree of a file.
pub(super) fn tree(source: &str) -> Result<Node, serde_saphyr::Error> {
    // Far more than any scenario has, and little enough to be read at once.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 100_000, max_events: 400_000, max_aliases: 1_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
    };
    let mut root = serde_saphyr::from_str_with_options::<Node>(source, options)?;
    root.set_texts(source);
    Ok(root)
}

fn diagnostic(file: &str, source: &Arc<str>, range: Range<usize>, description: Description) -> Diagnostic {
    let Description { message, help, fix } = description;
    Diagnostic { help, fix, ..Diagnostic::new(file, source, range, message) }
}

/// Whether an error follows from what an earlier error has removed or added.
fn is_consequence(root: &Node, path: &[usize], error: &NodeError) -> bool {
    let repaired = &root.at(path).repaired;
    match &error.kind {
        NodeErrorKind::MissingKey(key) => repaired.iter().any(|own| own == key),
        NodeErrorKind::UnknownKey { .. } => false,
        _ => !repaired.is_empty(),
    }
}

/// How often a key was removed from a node or added to it.
fn added(node: &Node, key: &str) -> usize {
    node.repaired.iter().filter(|own| *own == key).count()
}

/// Changes the tree so that the error does not occur again. Returns whether that was possible.
fn repair(root: &mut Node, path: &[usize], error: &NodeError) -> bool {
    match &error.kind {
        // What was added for a key once, and did not fit, is not added again.
        NodeErrorKind::MissingKey(key) if added(root.at(path), key) < 2 => {
            let is_map = matches!(root.at(path).value, NodeValue::Map(_));
            root.edit(path, |node| node.add(key));
            is_map
        }
        NodeErrorKind::UnknownKey { key, expected } => {
            // The key that is meant is not missing.
            let near = meant_by(key, expected).map(str::to_owned);
            let is_removed = root.remove(path);
            if let Some((_, holder)) = path.split_last() {
                root.edit(holder, |node| node.repaired.extend(near));
            }
            is_removed
        }
        _ => root.remove(path),
    }
}
