//! From files to policies: those that are bundled, and a user's own.

use std::sync::{Arc, LazyLock};

use super::keys::{PLUS, Policy, PolicyEdits};
use crate::scenario::{Diagnostic, nearest, parse};

/// What a policy file says.
type Edits = PolicyEdits<serde_saphyr::Spanned<String>>;

/// The files, the default first. Each of the others says what differs from the default.
const FILES: [(&str, &str); 4] = [
    ("default", include_str!("default.yaml")),
    ("rfc9110", include_str!("rfc9110.yaml")),
    ("litellm-docs", include_str!("litellm-docs.yaml")),
    ("strict", include_str!("strict.yaml")),
];

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| match bundled() {
    Ok(policies) => policies,
    // They are part of the program, and a test loads them.
    Err(why) => unreachable!("a bundled policy does not load: {why}"),
});

fn bundled() -> Result<Vec<Policy>, String> {
    let mut policies: Vec<Policy> = Vec::new();
    for (name, text) in FILES {
        let edits: Edits = parse(name, &Arc::from(text)).map_err(|error| error.render(false))?;
        policies.push(match policies.first().cloned() {
            None => edits.complete(name).map_err(|key| format!("{name} leaves `{key}` open"))?,
            Some(base) => Policy { name: name.to_owned(), ..edits.applied_to(base) },
        });
    }
    Ok(policies)
}

/// A name that is no bundled policy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPolicy {
    /// As it was written.
    pub name: String,
    /// What was meant, and what there is.
    pub help: String,
}

impl Policy {
    /// The policy of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.iter().find(|policy| policy.name == name).cloned()
    }

    /// The policy of this name.
    ///
    /// # Errors
    ///
    /// There is none; the error says which there are.
    pub fn known(name: &str) -> Result<Self, UnknownPolicy> {
        Self::named(name).ok_or_else(|| {
            let names = || POLICIES.iter().map(|policy| policy.name.as_str());
            let known = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let near = nearest(name, names());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            UnknownPolicy { name: name.to_owned(), help: format!("{near}bundled are: {known}") }
        })
    }

    /// The bundled policies, the default first.
    pub fn all() -> Vec<Self> {
        POLICIES.clone()
    }

    /// A policy from a user's file: what differs from the bundled one that it extends, which is the
    /// default where it names none.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub fn from_text(file: &str, text: &str) -> Result<Self, Box<Diagnostic>> {
        let source: Arc<str> = text.into();
        let edits: Edits = parse(file, &source)?;
        let base = match &edits.extends {
            None => Self::default(),
            Some(name) => Self::known(&name.value).map_err(|unknown| {
                let span = name.referenced.span();
                let start = span.byte_offset().map_or(0, |offset| offset as usize);
                let end = start + span.byte_len().unwrap_or(1) as usize;
                let message = format!("there is no policy `{}` to extend", unknown.name);
                Box::new(Diagnostic::new(file, &source, start..end, message).help(unknown.help))
            })?,
        };
        Ok(edits.enforced_on(base))
    }
}

impl PolicyEdits<String> {
    /// The policy that the settings in `file` make of the one that they extend: `default + FILE`, unless they
    /// give it a name of their own.
    ///
    /// # Errors
    ///
    /// The policy that is extended does not exist.
    pub fn policy(self, file: &str) -> Result<Policy, UnknownPolicy> {
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
    fn the_bundled_policies_load_and_give_a_reason_for_every_answer() {
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
    fn every_key_is_read_by_rules_that_exist() {
        for question in Policy::QUESTIONS {
            assert!(!question.rules.is_empty(), "{}", question.key);
            assert!(question.rules.iter().all(|id| rule(id).is_some()), "{}", question.key);
        }
    }

    #[test]
    fn the_default_leaves_every_level_as_the_contract_has_it() {
        let default = Policy::default();
        for rule in crate::judge::rules() {
            let level = default.weight(rule.id).map_or(Some(rule.level), super::super::Weight::level);
            assert_eq!(level, Some(rule.level), "{}", rule.id);
        }
    }

    #[test]
    fn a_file_says_what_differs_and_a_report_names_it() {
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
    fn the_name_of_a_policy_tells_that_settings_have_changed_it() {
        let edits = |text: &str| parse::<PolicyEdits<String>>("p", &Arc::from(text)).unwrap();
        let policy = edits("extends: strict\ntimeout: 408\n").policy("upfault.toml").unwrap();
        assert_eq!(policy.name, "strict + upfault.toml");
        assert_eq!(policy.describe(), "strict + upfault.toml, with timeout = 408");
        assert_eq!(edits("name: ours\ntimeout: 408\n").policy("upfault.toml").unwrap().describe(), "ours");
        let unknown = edits("extends: stric\n").policy("upfault.toml").unwrap_err();
        assert!(unknown.help.starts_with("did you mean `strict`? bundled are: `default`,"), "{unknown:?}");
    }

    #[test]
    fn answers_without_a_reason_are_named() {
        let text = "timeout: {answer: 408, reason: \" \"}\nquota: {answer: 429, reason: So.}\nlevels: {status.timeout: lifted}\n";
        let edits: PolicyEdits<String> = parse("p", &Arc::from(text)).unwrap();
        assert_eq!(edits.without_reason(), [vec!["timeout"], vec!["levels", "status.timeout"]]);
    }

    #[test]
    fn a_policy_that_was_stored_before_a_key_was_there_is_read() {
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
    fn what_is_wrong_with_a_file_is_told_in_its_place() {
        for (text, place, word) in [
            ("name: x\ntimeot: [504]\n", (2, 1), "timeout"),
            ("timeout: [99]\n", (1, 11), "99 is no HTTP status"),
            ("extends: stric\n", (1, 10), "`strict`"),
            ("chain_error: middle\n", (1, 1), "middle"),
            ("levels: {status.timeot: required}\n", (1, 10), "did you mean `status.timeout`?"),
        ] {
            let error = Policy::from_text("p.yaml", text).unwrap_err();
            let shown = error.render(false);
            assert!(shown.contains(word), "{shown}");
            assert_eq!(error.position(), place, "{shown}");
        }
    }
}
