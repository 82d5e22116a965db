//! Finds the policy of a run.

use super::{
    context::CliContext,
    failure::Failure,
    own_folder::{own_policy, policy_names},
    settings::Settings,
};
use crate::judge::Policy;

/// The policy of a command: the one that `--policy` names, else that of the settings.
pub(super) fn of(context: &CliContext, settings: &Settings, named: Option<&str>) -> Result<Policy, Failure> {
    match named {
        Some(name) => chosen(context, name),
        None => Ok(settings.policy.clone().unwrap_or_default()),
    }
}

/// The policy that `--policy` names: a bundled policy, one of the project, a policy file, or a settings file with a `[policy]`
/// table.
pub(super) fn chosen(context: &CliContext, name: &str) -> Result<Policy, Failure> {
    if let Some(policy) = Policy::named(name) {
        return Ok(policy);
    }
    let path = own_policy(&context.root, name).unwrap_or_else(|| context.place(name));
    if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
        return Settings::of(context, &path)?.policy.ok_or_else(|| {
            Failure::Usage(format!(
                "{name} does not contain a policy\nhelp: add a `[policy]` table, or pass another file"
            ))
        });
    }
    if path.is_file() {
        let shown = path.strip_prefix(&context.cwd).unwrap_or(&path).display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::Usage(format!("cannot read the policy {shown}: {error}")))?;
        return Policy::from_text(&shown, &text).map_err(Failure::Settings);
    }
    let help = policy_names(&context.root, name);
    Err(Failure::Usage(format!("unknown policy `{name}`, and no file with this name\nhelp: {help}")))
}
