//! Paths as CI systems show them: from the root of the repository, which can be above the folder of the project.

use std::path::{Component, Path, PathBuf};

/// The folder of a project, and the root of the repository that contains it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceRoot {
    /// `None` if no repository is known. Paths then stay as they are.
    folders: Option<(PathBuf, PathBuf)>,
}

impl SourceRoot {
    /// The repository of a project: the nearest folder that contains `.git`, which is a file in a worktree or submodule.
    pub(crate) fn of(project: &Path) -> Self {
        let root = project.ancestors().find(|above| above.join(".git").exists());
        Self { folders: root.map(|root| (project.to_owned(), root.to_owned())) }
    }

    /// The path of a file from the root of the repository, with `/` between its parts. `file` is relative to the project, or
    /// absolute. A file elsewhere keeps its path.
    pub(super) fn path(&self, file: &str) -> String {
        let Some((project, root)) = &self.folders else { return file.to_owned() };
        let mut whole = PathBuf::new();
        for part in project.join(file).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => _ = whole.pop(),
                _ => whole.push(part),
            }
        }
        let Ok(inside) = whole.strip_prefix(root) else { return file.to_owned() };
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_root_of_the_repository() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("services/chat");
        std::fs::create_dir_all(&project).unwrap();
        assert_eq!(SourceRoot::default().path("scenarios/a.yaml"), "scenarios/a.yaml");
        // In a worktree, `.git` is a file.
        std::fs::write(folder.path().join(".git"), "gitdir: elsewhere").unwrap();
        let sources = SourceRoot::of(&project);
        let absolute = project.join("b.yaml").display().to_string();
        for (file, wanted) in [
            ("scenarios/a.yaml", "services/chat/scenarios/a.yaml"),
            ("./a.yaml", "services/chat/a.yaml"),
            ("../shared/a.yaml", "services/shared/a.yaml"),
            (absolute.as_str(), "services/chat/b.yaml"),
            ("../../../outside.yaml", "../../../outside.yaml"),
        ] {
            assert_eq!(sources.path(file), wanted);
        }
        assert_eq!(SourceRoot::of(folder.path()).path("scenarios/a.yaml"), "scenarios/a.yaml");
    }
}
