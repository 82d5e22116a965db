//! `upfault proxy list`

use std::{fmt::Write, path::PathBuf};

use super::{
    context::{CliContext, DEFINITION},
    failure::Failure,
    print,
    project::own_definitions,
    settings::Settings,
    word_list, word_table,
};
use crate::{
    builtin::{Defect, HonestVariant},
    platform::OperatingSystem,
    proxy::Definition,
    report::{EXIT_OK, plural},
};

/// Prints the bundled proxies and those of the project with their versions, and whether they can run on this machine.
pub(super) fn list(context: &CliContext) -> Result<u8, Failure> {
    let mut rows = vec![ListedProxy {
        columns: ["builtin", env!("CARGO_PKG_VERSION"), "Rust", "part of upfault"].map(str::to_owned),
        summary: "the embedded proxy, without defects".to_owned(),
    }];
    for bundled in Definition::bundled() {
        let definition = context.definition(&context.cwd, &bundled.name)?;
        rows.push(row(context, bundled.name, &definition));
    }
    let mut own = own_definitions(&context.root);
    let named = named(context)?.filter(|folder| !own.contains(folder));
    own.extend(named);
    for folder in own {
        let definition = context.definition(&context.root, &folder)?;
        let name = folder.rsplit('/').next().unwrap_or(&folder).to_owned();
        rows.push(row(context, name, &definition));
    }
    let mut text = table(&rows);
    let width = Defect::ALL.iter().map(|defect| defect.as_str().len()).max().unwrap_or(0);
    text.push_str("\nThe embedded proxy in another honest form:\n");
    for variant in HonestVariant::ALL {
        let _ = writeln!(text, "builtin:{:width$}  {}", variant.as_str(), variant.summary());
    }
    text.push_str("\nThe embedded proxy with one defect:\n");
    text.push_str(&word_table::table(&word_list::defects()));
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

/// The folder with a definition that the settings name.
fn named(context: &CliContext) -> Result<Option<String>, Failure> {
    let spec = Settings::read(context)?.proxy;
    Ok(spec.filter(|spec| spec.contains('/') && context.root.join(spec).join(DEFINITION).is_file()))
}

fn row(context: &CliContext, name: String, definition: &Definition) -> ListedProxy {
    let version = definition.release().map(str::to_owned).or_else(|| definition.own_version());
    let place = match definition.is_bundled() {
        true => String::new(),
        false => {
            let file = PathBuf::from(definition.file());
            let folder = file.parent().unwrap_or(&file);
            format!(" (in {})", folder.strip_prefix(&context.cwd).unwrap_or(folder).display())
        }
    };
    ListedProxy {
        summary: format!("{}: {}{place}", definition.summary, served(definition)),
        columns: [
            name,
            version.unwrap_or_else(|| "-".to_owned()),
            definition.language.clone(),
            match ProxyReadiness::of(context, definition) {
                ProxyReadiness::Lacks(program) => {
                    format!("cannot run here: {program} is not on the PATH ({})", definition.needs[&program])
                }
                readiness => readiness.text(),
            },
        ],
    }
}

/// A proxy in the list: its name, its version, its language and whether it can run here in columns, and a line about what
/// it serves.
struct ListedProxy {
    columns: [String; 4],
    summary: String,
}

/// Whether a proxy can run on this machine.
pub(super) enum ProxyReadiness {
    /// Never on this operating system, for this reason.
    Unusable(String),
    /// It is installed.
    Installed,
    /// Only with this program, which is not on the PATH.
    Lacks(String),
    /// Without an installation.
    Ready,
    /// After an installation.
    Installable,
}

impl ProxyReadiness {
    /// Finds out whether a proxy can run.
    pub(super) fn of(context: &CliContext, definition: &Definition) -> Self {
        if let Some(reason) = definition.unusable_on(OperatingSystem::HERE) {
            Self::Unusable(reason)
        } else if let Some(program) = definition.missing_for_a_run(&context.cache) {
            Self::Lacks(program.to_owned())
        } else if !definition.needs_installation() {
            Self::Ready
        } else if definition.is_installed(&context.cache) {
            Self::Installed
        } else {
            Self::Installable
        }
    }

    /// The readiness in words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unusable(reason) => format!("cannot run here: {reason}"),
            Self::Installed => "installed".to_owned(),
            Self::Lacks(program) => format!("cannot run here: {program} is not on the PATH"),
            Self::Ready => "can run here".to_owned(),
            Self::Installable => "the first run installs it".to_owned(),
        }
    }
}

/// What it serves: `serves 13 APIs of 19 providers, passes 5 APIs through`.
fn served(definition: &Definition) -> String {
    let mut parts = Vec::new();
    if !definition.apis.is_empty() {
        let mut providers: Vec<_> = definition.apis.values().flatten().collect();
        providers.sort_unstable_by_key(|provider| provider.as_str());
        providers.dedup();
        let (apis, providers) = (definition.apis.len(), providers.len());
        parts.push(format!("serves {} of {}", plural(apis, "API"), plural(providers, "provider")));
    }
    let passed = definition.passed_through().count();
    if passed > 0 {
        parts.push(format!("passes {} through", plural(passed, "API")));
    }
    parts.join(", ")
}

/// Aligns all columns but the last one. The lines fit a narrow terminal, because what a proxy serves has a line of its own.
fn table(rows: &[ListedProxy]) -> String {
    let width = |column: usize| rows.iter().map(|row| row.columns[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for ListedProxy { columns, summary } in rows {
        for (cell, width) in columns.iter().zip(widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}\n  {summary}", columns[3]);
    }
    text
}
