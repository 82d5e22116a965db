//! `upfault proxy clean`

use std::{collections::BTreeSet, fmt::Write, path::PathBuf};

use indicatif::DecimalBytes;

use super::{context::CliContext, failure::Failure, print, project::definitions, settings::Settings};
use crate::{
    proxy::{Definition, Removal, cached_installations, possible_removal, remove_installation, size_of},
    report::{EXIT_OK, plural},
};

/// Removes installations of proxies from the cache: those that neither a bundled definition nor the current project names, or
/// all. Installations in use stay.
pub(super) fn clean(context: &CliContext, all: bool, dry_run: bool) -> Result<u8, Failure> {
    let (kept, chosen) = if all { (BTreeSet::new(), None) } else { named(context)? };
    let (mut text, mut removed, mut in_use, mut freed) = (String::new(), 0, 0, 0);
    for found in cached_installations(&context.cache)? {
        let title = found.title.as_deref().unwrap_or("incomplete installation");
        let folder = found.dir.display();
        let is_chosen =
            || chosen.as_ref().is_some_and(|chosen| chosen.may_mean(&found.proxy, &found.version));
        if found.title.is_some() && (kept.contains(&found.dir) || is_chosen()) {
            let _ = writeln!(text, "kept     {title} ({folder})");
            continue;
        }
        let size = size_of(&found.dir);
        let removal = if dry_run { possible_removal(&found.dir)? } else { remove_installation(&found.dir)? };
        let word = match removal {
            Removal::Removed => {
                removed += 1;
                freed += size;
                if dry_run { "would go" } else { "removed " }
            }
            Removal::InUse => {
                in_use += 1;
                "in use  "
            }
            Removal::Missing => continue,
        };
        let _ = writeln!(text, "{word} {title}, {} ({folder})", DecimalBytes(size));
    }
    let what = plural(removed, "installation");
    let _ = match (removed, in_use, dry_run) {
        (0, 0, _) => writeln!(text, "there is nothing to remove in {}", context.cache.display()),
        (0, _, true) => writeln!(text, "would remove nothing: {} in use", plural(in_use, "installation")),
        (0, _, false) => writeln!(text, "removed nothing: {} in use", plural(in_use, "installation")),
        (_, _, true) => writeln!(text, "would remove {what}, {}", DecimalBytes(freed)),
        (_, _, false) => {
            writeln!(text, "removed {what}, {}; the next run installs what it needs", DecimalBytes(freed))
        }
    };
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

/// The folders of the installations that the bundled definitions and those of the project name, and the proxy of its
/// upfault.toml, whose version can mean several releases: `litellm@1.106`.
fn named(context: &CliContext) -> Result<(BTreeSet<PathBuf>, Option<Definition>), Failure> {
    let mut specs: Vec<String> = Definition::bundled().into_iter().map(|bundled| bundled.name).collect();
    specs.extend(definitions(&context.root));
    let mut kept = BTreeSet::new();
    for spec in specs {
        kept.insert(context.definition_as_written(&context.root, &spec)?.install_dir(&context.cache)?);
    }
    let settings = Settings::read(context)?;
    // The setting can also be the embedded proxy or a URL.
    let chosen =
        settings.proxy.as_ref().and_then(|spec| context.definition_as_written(&settings.base, spec).ok());
    if let Some(definition) = &chosen {
        kept.insert(definition.install_dir(&context.cache)?);
    }
    Ok((kept, chosen))
}
