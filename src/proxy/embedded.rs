//! The definition that runs the embedded proxy in its own process.

use std::path::Path;

use serde_json::json;

use super::{
    check,
    definition::Definition,
    error::ProxyError,
    source::{BundledFolder, DefinitionSource},
};

const FILES: [(&str, &str); 2] = [
    ("config.json.j2", include_str!("embedded/config.json.j2")),
    ("proxy.yaml", include_str!("embedded/proxy.yaml")),
];

impl Definition {
    /// Returns the definition that runs the embedded proxy with a defect in its own process. `program` is an
    /// `upfault` executable. This is for defects that stop the whole process.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Invalid`] if the files inside the binary are not a valid definition.
    pub fn embedded(program: &Path, defect: &str) -> Result<Self, ProxyError> {
        let mut definition = check::load(
            DefinitionSource::Bundled(BundledFolder { folder: "", files: FILES.to_vec() }),
            None,
        )?;
        definition.name = format!("builtin:{defect}");
        definition.pins.insert("program".to_owned(), json!(program.display().to_string()));
        definition.pins.insert("defect".to_owned(), json!(defect));
        Ok(definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_name_contains_the_defect_and_it_has_no_version() {
        let definition = Definition::embedded(Path::new("/bin/upfault"), "exits-on-conflict").unwrap();
        assert_eq!(definition.title(), "builtin:exits-on-conflict");
        assert_eq!(definition.release(), None);
    }
}
