//! Whether a definition can be used on an operating system.

use super::{definition::Definition, source::DefinitionSource};
use crate::platform::OperatingSystem;

impl Definition {
    /// Returns why the proxy cannot be installed and started on an operating system; `None` if it can. A definition that is not
    /// bundled may be written for any system.
    pub(crate) fn unusable_on(&self, system: OperatingSystem) -> Option<String> {
        let is_written_for_unix = matches!(self.source, DefinitionSource::Bundled(_));
        (system == OperatingSystem::Windows && is_written_for_unix).then(|| {
            format!(
                "the bundled definition of {} is written for Unix, not for {}",
                self.name,
                system.as_str()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_definitions_are_for_unix() {
        for bundled in Definition::bundled() {
            let definition = Definition::find(&bundled.name, std::path::Path::new("/nowhere")).unwrap();
            assert_eq!(definition.unusable_on(OperatingSystem::Linux), None);
            assert_eq!(definition.unusable_on(OperatingSystem::MacOs), None);
            let reason = definition.unusable_on(OperatingSystem::Windows);
            assert!(reason.is_some_and(|reason| reason.contains(&bundled.name)));
        }
    }

    #[test]
    fn a_definition_of_a_project_can_be_for_any_system() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let definition = Definition::find("./proxies/nginx", root).unwrap();
        assert_eq!(definition.unusable_on(OperatingSystem::Windows), None);
    }
}
