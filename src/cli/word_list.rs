//! `upfault list --providers`, `--errors`, `--faults`, `--rules` and `--defects`: the words that scenarios and options use.

use std::collections::BTreeSet;

use super::{
    context::CliContext,
    explain_catalogue::error_meaning,
    failure::Failure,
    list_args::WordListArgs,
    print, schema_words,
    search::Search,
    word_table::{ListedWord, table},
};
use crate::{
    builtin::Defect,
    judge,
    provider::{catalogue_row, profile},
    report::{EXIT_OK, plural},
    scenario::{ErrorName, Provider},
};

/// Which words to list.
#[derive(Debug, Clone, Copy)]
pub(super) enum WordList {
    Providers,
    Errors,
    Faults,
    Rules,
    Defects,
}

/// The list that the options choose.
pub(super) fn chosen(args: &WordListArgs) -> Option<WordList> {
    let WordListArgs { providers, errors, faults, rules, defects } = args;
    let all = [
        (providers, WordList::Providers),
        (errors, WordList::Errors),
        (faults, WordList::Faults),
        (rules, WordList::Rules),
        (defects, WordList::Defects),
    ];
    all.into_iter().find_map(|(is_chosen, list)| is_chosen.then_some(list))
}

/// Prints a list, a word per line.
pub(super) fn list(context: &CliContext, which: WordList, search: &Search) -> Result<u8, Failure> {
    let mut words = words(which);
    let total = words.len();
    words.retain(|word| search.matches(&[&word.name, &word.note, &word.meaning]));
    if words.is_empty() {
        return Err(search.found_nothing(&plural(total, "word")));
    }
    print::fitted(&format!("{}{}", table(&words), next(which)), context.width)?;
    Ok(EXIT_OK)
}

/// The words of a list.
pub(super) fn words(which: WordList) -> Vec<ListedWord> {
    match which {
        WordList::Providers => providers(),
        WordList::Errors => errors(),
        WordList::Faults => schema_words::faults(),
        WordList::Rules => rules(),
        WordList::Defects => defects(),
    }
}

/// What a reader of a list can do next.
fn next(which: WordList) -> &'static str {
    match which {
        WordList::Providers => "\n`upfault explain PROVIDER` lists the errors of a provider.\n",
        WordList::Errors => {
            "\n`upfault explain PROVIDER/ERROR` shows the bytes that a provider sends, `upfault new --error PROVIDER/ERROR` writes a \
             scenario.\n"
        }
        WordList::Faults => "\n`upfault new --fault FAULT` writes a scenario.\n",
        WordList::Rules => "\n`upfault explain RULE` says why a rule exists.\n",
        WordList::Defects => "\n`upfault run --proxy builtin:DEFECT` shows what the rules find.\n",
    }
}

fn providers() -> Vec<ListedWord> {
    let word = |provider: Provider| {
        let own = profile(provider);
        let mut apis: Vec<&str> = Vec::new();
        for route in &own.routes {
            if !apis.contains(&route.api.as_str()) {
                apis.push(route.api.as_str());
            }
        }
        ListedWord { name: provider.to_string(), note: own.title.clone(), meaning: apis.join(", ") }
    };
    Provider::all().into_iter().map(word).collect()
}

fn errors() -> Vec<ListedWord> {
    let word = |name: ErrorName| {
        let has_it = |provider: &Provider| profile(*provider).errors.contains_key(&name);
        let senders = Provider::all().into_iter().filter(has_it);
        let statuses: BTreeSet<u16> = senders.map(|provider| catalogue_row(provider, name).status).collect();
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        let meaning = error_meaning(name);
        ListedWord {
            name: name.to_string(),
            note: String::new(),
            meaning: format!("{} ({})", meaning.trim_end_matches('.'), statuses.join(", ")),
        }
    };
    ErrorName::all().into_iter().map(word).collect()
}

/// The rules of the contract, with their levels.
pub(super) fn rules() -> Vec<ListedWord> {
    let word = |rule: &judge::Rule| ListedWord {
        name: rule.id.to_owned(),
        note: rule.level.to_string(),
        meaning: rule.title.to_owned(),
    };
    judge::rules().map(word).collect()
}

/// The defects of the embedded proxy, as `--proxy` names them.
pub(super) fn defects() -> Vec<ListedWord> {
    let word = |defect: &Defect| ListedWord {
        name: format!("builtin:{}", defect.as_str()),
        note: String::new(),
        meaning: defect.summary().to_owned(),
    };
    Defect::ALL.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_meaning_and_occurs_once() {
        for which in
            [WordList::Providers, WordList::Errors, WordList::Faults, WordList::Rules, WordList::Defects]
        {
            let words = words(which);
            let names: BTreeSet<&str> = words.iter().map(|word| word.name.as_str()).collect();
            assert_eq!(names.len(), words.len(), "{which:?}");
            for word in &words {
                assert!(
                    !word.meaning.trim().is_empty() && !word.meaning.contains('\n'),
                    "{which:?}: {}",
                    word.name
                );
            }
        }
    }

    #[test]
    fn an_error_has_the_statuses_of_all_providers() {
        let overloaded = errors().into_iter().find(|word| word.name == "overloaded").expect("it is an error");
        assert_eq!(overloaded.meaning, "The provider has no capacity (429, 498, 503, 529)");
        let slow_down = errors().into_iter().find(|word| word.name == "slow_down").expect("it is an error");
        assert!(slow_down.meaning.ends_with(" (429)"), "only OpenAI has it: {}", slow_down.meaning);
    }
}
