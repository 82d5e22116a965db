//! `upfault list`

use std::{collections::HashSet, sync::Arc};

use super::{
    catalogue,
    context::CliContext,
    failure::Failure,
    list_args::ListArgs,
    print,
    run::{self, RunningProxy},
    run_args::is_url,
    search::Search,
    select,
    settings::Settings,
    word_list,
};
use crate::{
    report::{EXIT_OK, plural},
    runner::fitted,
    scenario::{Case, LoadError, Scenario},
    shell,
};

/// Prints the cases that would run, one per line, the files of their scenarios, or words of the catalogue.
pub(super) fn list(context: &CliContext, args: &ListArgs) -> Result<u8, Failure> {
    let search = Search::new(&args.search);
    if let Some(which) = args.catalogue {
        return catalogue::list(which);
    }
    if let Some(words) = word_list::chosen(&args.words) {
        return word_list::list(context, words, &search);
    }
    let settings = Settings::read(context)?;
    let mut cases = select::cases(context, &settings, &args.select).map_err(searched_instead)?.cases;
    let total = cases.len();
    cases.retain(|case| search.matches(&texts(case)));
    if cases.is_empty() {
        return Err(search.found_nothing(&plural(total, "case")));
    }
    if args.yaml {
        return print_files(context, &settings, args, &cases);
    }
    let skipped = match &args.proxy {
        Some(spec) => reasons(context, spec, &cases)?,
        None => vec![None; cases.len()],
    };
    let width = cases.iter().map(|case| case.id.chars().count()).max().unwrap_or(0);
    let line = |(case, skipped): (&Case, &Option<String>)| match skipped {
        None => format!("{:width$}  {}\n", case.id, case.scenario.title),
        Some(reason) => format!("{:width$}  skipped: {}\n", case.id, reason),
    };
    let text: String = cases.iter().zip(&skipped).map(line).collect();
    print::fitted(&text, context.width)?;
    if let Some(spec) = &args.proxy {
        let n = skipped.iter().flatten().count();
        print::note(&format!(
            "{}: {spec} would run {} and skip {n}",
            plural(cases.len(), "case"),
            cases.len() - n
        ));
    }
    Ok(EXIT_OK)
}

/// Names the search in the error about a path that is not there: it may be a word of a title.
fn searched_instead(failure: Failure) -> Failure {
    match failure {
        Failure::Load(LoadError::NotFound { path, near: None }) => {
            let search = shell::command(&["upfault", "list", "--search", &path]);
            Failure::Usage(format!("no scenario at `{path}`\nhelp: `{search}` searches titles and reasons"))
        }
        other => other,
    }
}

/// What a search reads of a case.
fn texts(case: &Case) -> Vec<&str> {
    let scenario = &case.scenario;
    let own = [&case.id, &scenario.title, &scenario.why];
    own.into_iter().chain(&scenario.tags).chain(&scenario.references).map(String::as_str).collect()
}

/// For each case the reason why the proxy would skip it, if it would.
fn reasons(context: &CliContext, spec: &str, cases: &[Case]) -> Result<Vec<Option<String>>, Failure> {
    if is_url(spec) {
        return Err(Failure::Usage(
            "a running proxy is listed by its definition\nhelp: name the definition, for example `upfault list --proxy litellm`"
                .to_owned(),
        ));
    }
    let proxy = run::proxy(context, &context.cwd, spec, RunningProxy::default())?;
    Ok(cases.iter().map(|case| fitted(&proxy, case).err()).collect())
}

/// Prints the files of the scenarios of these cases; the file of one scenario unchanged, so that it can be saved.
fn print_files(
    context: &CliContext,
    settings: &Settings,
    args: &ListArgs,
    cases: &[Case],
) -> Result<u8, Failure> {
    let (library, _) = select::named(context, settings, &args.select.paths)?;
    let mut seen = HashSet::new();
    let scenarios: Vec<_> =
        cases.iter().map(|case| &case.scenario).filter(|scenario| seen.insert(&scenario.id)).collect();
    let text = match scenarios.as_slice() {
        [one] => library.text(&one.id).to_string(),
        several => {
            let file =
                |scenario: &&Arc<Scenario>| format!("# {}\n{}", scenario.file, library.text(&scenario.id));
            several.iter().map(file).collect::<Vec<_>>().join("---\n")
        }
    };
    print::out(&text)?;
    Ok(EXIT_OK)
}
