//! Which policy is meant.

use super::{context::Context, failure::Failure};
use crate::{
    judge::Policy,
    scenario::{LoadErrors, nearest},
};

/// The policy that `--policy` names: a bundled one, or a user's file.
pub fn chosen(context: &Context, name: &str) -> Result<Policy, Failure> {
    if let Some(policy) = Policy::named(name) {
        return Ok(policy);
    }
    let path = context.root.join(name);
    if path.is_file() {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::Usage(format!("cannot read the policy {name}: {error}")))?;
        return Policy::from_text(name, &text).map_err(|error| Failure::Policy(LoadErrors(vec![*error])));
    }
    let all = Policy::all();
    let names: Vec<&str> = all.iter().map(|policy| policy.name.as_str()).collect();
    let near = nearest(name, names.iter().copied());
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Err(Failure::Usage(format!(
        "there is no policy `{name}`, and no file of that name\nhelp: {near}bundled are: {}",
        names.join(", ")
    )))
}
