//! The web addresses of references.

/// The address of a reference as rules and scenarios write it: a URL, `RFC 9110 section 10.2.3`, or
/// `BerriAI/litellm#21553`. `None` for any other text.
pub(crate) fn link(reference: &str) -> Option<String> {
    if reference.starts_with("https://") || reference.starts_with("http://") {
        let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"\\`()[]{}|^".contains(c);
        return reference.chars().all(is_plain).then(|| reference.to_owned());
    }
    if let Some(rest) = reference.strip_prefix("RFC ") {
        let (number, section) = match rest.split_once(" section ") {
            Some((number, section)) => (number, Some(section)),
            None => (rest, None),
        };
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if !is_number(number) || section.is_some_and(|section| !is_number(section)) {
            return None;
        }
        let section = section.map(|section| format!("#section-{section}")).unwrap_or_default();
        return Some(format!("https://www.rfc-editor.org/rfc/rfc{number}{section}"));
    }
    let (repository, issue) = reference.split_once('#')?;
    let (owner, name) = repository.split_once('/')?;
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_issue = !issue.is_empty() && issue.chars().all(|c| c.is_ascii_digit());
    (is_name(owner) && is_name(name) && is_issue)
        .then(|| format!("https://github.com/{owner}/{name}/issues/{issue}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge;

    #[test]
    fn references_have_addresses() {
        for (reference, expected) in [
            ("RFC 9110 section 10.2.3", "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3"),
            ("RFC 9110", "https://www.rfc-editor.org/rfc/rfc9110"),
            ("BerriAI/litellm#21553", "https://github.com/BerriAI/litellm/issues/21553"),
            ("https://docs.litellm.ai/x", "https://docs.litellm.ai/x"),
        ] {
            assert_eq!(link(reference).as_deref(), Some(expected));
        }
        for text in ["", "our handbook", "a/b#c", "https://x/) [click](javascript:1)", "RFC x", "<a>/b#1"] {
            assert_eq!(link(text), None, "{text}");
        }
    }

    #[test]
    fn every_reference_of_a_rule_has_an_address() {
        for rule in judge::rules() {
            for reference in rule.references {
                assert!(link(reference).is_some(), "{}: {reference}", rule.id);
            }
        }
    }
}
