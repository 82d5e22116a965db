//! Loads bundled policies and policy files.

use std::sync::{Arc, LazyLock};

use super::keys::{PLUS, Policy, PolicyEdits};
use crate::scenario::{Diagnostic, LoadErrors, Located, nearest, parse};

/// The contents of a policy file.
type Edits = PolicyEdits<Located<String>>;

/// The files, the default first. The others contain only what differs from the default.
const FILES: [(&str, &str); 4] = [
    ("default", include_str!("default.yaml")),
    ("rfc9110", include_str!("rfc9110.yaml")),
    ("litellm-docs", include_str!("litellm-docs.yaml")),
    ("strict", include_str!("strict.yaml")),
];

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| match bundled() {
    Ok(policies) => policies,
    // A test loads them.
    Err(why) => unreachable!("a bundled policy does not load: {why}"),
});

fn bundled() -> Result<Vec<Policy>, String> {
    let mut policies: Vec<Policy> = Vec::new();
    for (name, text) in FILES {
        let edits: Edits = parse(name, &Arc::from(text)).map_err(|error| error.render(false))?;
        policies.push(match policies.first().cloned() {
            None => edits.complete(name).map_err(|key| format!("{name} does not set `{key}`"))?,
            Some(base) => Policy { name: name.to_owned(), ..edits.applied_to(base) },
        });
    }
    Ok(policies)
}

/// There is no bundled policy with this name.
///
/// # Examples
///
/// ```
/// let unknown = upfault::Policy::known("strickt").unwrap_err();
/// assert!(unknown.help.starts_with("did you mean `strict`?"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no policy `{name}`: {help}")]
pub struct UnknownPolicy {
    /// The unknown name.
    pub name: String,
    /// A suggestion, and the names of the bundled policies.
    pub help: String,
}

impl Policy {
    /// The bundled policy with this name.
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.iter().find(|policy| policy.name == name).cloned()
    }

    /// The bundled policy with this name.
    ///
    /// # Errors
    ///
    /// If there is no such policy. The error lists the bundled ones.
    pub fn known(name: &str) -> Result<Self, UnknownPolicy> {
        Self::named(name).ok_or_else(|| {
            let names = || POLICIES.iter().map(|policy| policy.name.as_str());
            let known = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let near = nearest(name, names());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            UnknownPolicy { name: name.to_owned(), help: format!("{near}the bundled policies are: {known}") }
        })
    }

    /// The bundled policies, the default first.
    pub fn all() -> Vec<Self> {
        POLICIES.clone()
    }

    /// Parses a policy file, which contains changes to the bundled policy that it extends (by default, `default`).
    ///
    /// # Errors
    ///
    /// If the file is invalid: all errors with their positions.
    pub fn from_text(file: &str, text: &str) -> Result<Self, LoadErrors> {
        let source: Arc<str> = text.into();
        let edits: Edits = parse(file, &source)?;
        let base = match &edits.extends {
            None => Self::default(),
            Some(name) => Self::known(&name.value).map_err(|unknown| {
                let message = format!("unknown policy `{}`, which cannot be extended", unknown.name);
                let error = Diagnostic::new(file, &source, name.range.clone(), message);
                LoadErrors(vec![error.help(unknown.help)])
            })?,
        };
        Ok(edits.enforced_on(base))
    }
}

impl PolicyEdits<String> {
    /// Applies the changes from the settings in `file`. The policy is called `default + FILE`, unless the settings
    /// name it.
    ///
    /// # Errors
    ///
    /// If the policy to extend does not exist.
    pub(crate) fn policy(self, file: &str) -> Result<Policy, UnknownPolicy> {
        let base = match &self.extends {
            None => Policy::default(),
            Some(name) => Policy::known(name)?,
        };
        let named = format!("{}{PLUS}{file}", base.name);
        Ok(self.enforced_on(Policy { name: named, ..base }))
    }
}

impl Default for Policy {
    fn default() -> Self {
        POLICIES[0].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::rule;

    #[test]
    fn bundled_policies_load_and_have_a_reason_for_every_answer() {
        let policies = bundled().unwrap();
        assert_eq!(policies.len(), 4);
        for policy in &policies {
            for (question, answer, reason) in policy.rows() {
                assert!(reason.ends_with('.'), "{}: {} = {answer} has no reason", policy.name, question.key);
            }
            for (rule, ruling) in &policy.levels {
                assert!(ruling.reason.ends_with('.'), "{}: {} has no reason", policy.name, rule.0);
            }
        }
    }

    #[test]
    fn every_key_is_used_by_existing_rules() {
        for question in Policy::QUESTIONS {
            assert!(!question.rules.is_empty(), "{}", question.key);
            assert!(question.rules.iter().all(|id| rule(id).is_some()), "{}", question.key);
        }
    }

    #[test]
    fn the_default_policy_does_not_change_levels() {
        let default = Policy::default();
        for rule in crate::judge::rules() {
            let level = default.weight(rule.id).map_or(Some(rule.level), super::super::Weight::level);
            assert_eq!(level, Some(rule.level), "{}", rule.id);
        }
    }

    #[test]
    fn a_policy_is_described_by_its_changes() {
        let policy = Policy::from_text(
            "p.yaml",
            "extends: rfc9110\ntimeout: 408\nchain_error: {answer: last, reason: So we do it.}\nlevels: {status.timeout: required}\n",
        )
        .unwrap();
        assert_eq!(
            policy.describe(),
            "rfc9110, with timeout = 408, chain_error = last, status.timeout = required"
        );
        assert_eq!(policy.unreachable, Policy::named("rfc9110").unwrap().unreachable);
        assert_eq!(Policy::default().describe(), "default");
        assert_eq!(Policy::from_text("p", "name: ours\ntimeout: [408]\n").unwrap().describe(), "ours");
    }

    #[test]
    fn the_name_of_a_policy_contains_the_settings_file() {
        let edits = |text: &str| parse::<PolicyEdits<String>>("p", &Arc::from(text)).unwrap();
        let policy = edits("extends: strict\ntimeout: 408\n").policy("upfault.toml").unwrap();
        assert_eq!(policy.name, "strict + upfault.toml");
        assert_eq!(policy.describe(), "strict + upfault.toml, with timeout = 408");
        assert_eq!(edits("name: ours\ntimeout: 408\n").policy("upfault.toml").unwrap().describe(), "ours");
        let unknown = edits("extends: stric\n").policy("upfault.toml").unwrap_err();
        assert!(
            unknown.help.starts_with("did you mean `strict`? the bundled policies are: `default`,"),
            "{unknown:?}"
        );
    }

    #[test]
    fn answers_without_a_reason_are_listed() {
        let text = "timeout: {answer: 408, reason: \" \"}\nquota: {answer: 429, reason: So.}\nlevels: {status.timeout: lifted}\n";
        let edits: PolicyEdits<String> = parse("p", &Arc::from(text)).unwrap();
        assert_eq!(edits.without_reason(), [vec!["timeout"], vec!["levels", "status.timeout"]]);
    }

    #[test]
    fn a_stored_policy_without_a_new_key_can_be_read() {
        let mut stored = serde_json::to_value(Policy::named("strict").unwrap()).unwrap();
        stored.as_object_mut().unwrap().remove("client_gone");
        stored["levels"] = serde_json::json!({"status.timeout": "lifted"});
        let read: Policy = serde_json::from_value(stored).unwrap();
        assert_eq!(read.client_gone, Policy::default().client_gone);
        assert_eq!(read.weight("status.timeout"), Some(super::super::Weight::Lifted));
        let whole = serde_json::to_value(Policy::default()).unwrap();
        assert_eq!(serde_json::from_value::<Policy>(whole).unwrap(), Policy::default());
    }

    #[test]
    fn an_invalid_file_is_an_error_with_a_position() {
        for (text, place, word) in [
            ("name: x\ntimeot: [504]\n", (2, 1), "timeout"),
            ("timeout: [99]\n", (1, 11), "99 is"),
            ("extends: stric\n", (1, 10), "`strict`"),
            ("chain_error: middle\n", (1, 14), "middle"),
            ("levels: {status.timeot: required}\n", (1, 10), "did you mean `status.timeout`?"),
        ] {
            let error = Policy::from_text("p.yaml", text).unwrap_err();
            let shown = error.render(false);
            assert!(shown.contains(word), "{shown}");
            assert_eq!(error.0[0].position(), place, "{shown}");
        }
    }
}
