//! Finds import circles between the files of a module.
//!
//! File A imports from file B if a path in A leads to B. A path through a `mod.rs` leads to the file from which the
//! `mod.rs` re-exports the name. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    File,
    source::{paths, tokens},
};

/// Module paths (`["judge", "rules"]`) with what is known about their files.
struct Files<'f> {
    by_module: BTreeMap<Vec<String>, &'f File>,
    /// For each `mod.rs`: the paths of the names that it imports.
    re_exports: BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>,
}

/// The circles among files of the same top-level module: the sorted file names of each, without `src/`.
pub fn circles(files: &[File]) -> Vec<Vec<String>> {
    let is_test = |file: &&File| file.stem() == "tests" || file.name.contains("/tests/");
    let files: Vec<&File> = files.iter().filter(|file| !is_test(file)).collect();
    let by_module: BTreeMap<_, _> = files.iter().map(|file| (file.module(), *file)).collect();
    let mut known = Files { by_module, re_exports: BTreeMap::new() };
    for file in files.iter().filter(|file| file.stem() == "mod") {
        let names = known.imports(file).into_iter().filter_map(|path| Some((path.last()?.clone(), path)));
        known.re_exports.insert(file.module(), names.collect());
    }
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.stem() != "mod") {
        let module = file.module();
        let paths = known.imports(file).into_iter().filter(|path| path.first() == module.first());
        let targets = paths.filter_map(|path| known.file_of(&path, 0)).filter(|target| *target != file.name);
        edges.entry(&file.name).or_default().extend(targets);
    }
    strongly_connected(&edges)
}

impl<'f> Files<'f> {
    /// The paths of a file that begin in this crate.
    fn imports(&self, file: &File) -> Vec<Vec<String>> {
        let module = file.module();
        let code = file.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let absolute = paths(&tokens(code), &module).into_iter().filter_map(|path| {
            if path.local {
                return Some(path.segments);
            }
            // In a `mod.rs`, `use finding::Finding` is a path to a module below it.
            let below: Vec<String> = module.iter().chain(path.segments.first()).cloned().collect();
            let own = self.by_module.contains_key(&below);
            own.then(|| module.iter().cloned().chain(path.segments).collect())
        });
        absolute.collect()
    }

    /// The name of the file that defines what the path names; `None` for a `mod.rs`.
    fn file_of(&self, path: &[String], depth: usize) -> Option<&'f str> {
        let length = (1..=path.len()).rev().find(|length| self.by_module.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let file = self.by_module[module];
        if file.stem() != "mod" {
            return Some(&file.name);
        }
        let (name, inside) = rest.split_first()?;
        let target = self.re_exports.get(module)?.get(name).filter(|target| *target != path && depth < 8)?;
        let target: Vec<String> = target.iter().chain(inside).cloned().collect();
        self.file_of(&target, depth + 1)
    }
}

/// The nodes that a path of one or more edges leads to.
fn reachable<'f>(edges: &BTreeMap<&'f str, BTreeSet<&'f str>>, from: &'f str) -> BTreeSet<&'f str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        open.extend(edges.get(node).into_iter().flatten().copied().filter(|next| seen.insert(*next)));
    }
    seen
}

/// The groups of two or more nodes that can all reach each other.
fn strongly_connected(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|node| (*node, reachable(edges, node))).collect();
    let mut groups = BTreeSet::new();
    for (node, seen) in reach.iter().filter(|(node, seen)| seen.contains(*node)) {
        let group = seen.iter().filter(|other| reach.get(*other).is_some_and(|back| back.contains(node)));
        groups.insert(group.map(|name| name.trim_start_matches("src/").to_owned()).collect::<Vec<String>>());
    }
    groups.into_iter().collect()
}
