//! `upfault new`

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use indexmap::IndexSet;

use super::{
    args::PathArgs,
    context::CliContext,
    explain_catalogue::provider_called,
    failure::Failure,
    literal_check,
    new_args::{IncidentArgs, NewArgs},
    new_ask::{self, Asked},
    new_place::ScenarioPlace,
    new_words::{named_error, not_a_fault},
    print, select,
    settings::Settings,
};
use crate::{
    incident::{self, DraftWishes, IncidentError, IncidentEvidence, UpstreamAction},
    report::{EXIT_OK, plural},
    scenario::{LoadError, Scenario, expand, load_text},
    shell,
};

/// A scenario that was written or copied, before it has a place.
struct NewFile {
    text: String,
    /// The name that it gets if the user does not choose one.
    name: String,
    /// Whether it was made from the options.
    is_drafted: bool,
}

/// Writes a scenario that repeats an incident, or a copy of another one.
pub(super) fn new(context: &CliContext, args: &NewArgs) -> Result<u8, Failure> {
    let mut asked = Asked { args: args.clone(), pasted: None };
    let is_asking = !args.what.is_some();
    if is_asking {
        if !context.interactive {
            return Err(Failure::Usage(
                "`upfault new` needs to know what happened\nhelp: name it with --error, --fault or --copy, pass evidence with \
                 --from-curl, --from-har, --from-openai-exception or --from-litellm-log, or run it on a terminal, where it asks"
                    .to_owned(),
            ));
        }
        let is_file = |name: &str| context.place(name).is_file();
        asked = new_ask::ask(&mut io::stdin().lock(), &mut io::stderr().lock(), args, &is_file)?;
    }
    let args = &asked.args;
    let file = match &args.what.copy {
        Some(of) => copied(context, of)?,
        None => drafted(context, &asked)?,
    };
    let scenario = checked(&file)?;
    if args.print {
        print::out(&file.text)?;
        return Ok(EXIT_OK);
    }
    // What cannot be read is an error before anything is written, or else a second try finds the file of the first.
    let settings = Settings::read(context)?;
    let name = args.name.as_deref().unwrap_or(&file.name);
    let place =
        ScenarioPlace::chosen(context, &mut io::stdin().lock(), &mut io::stderr().lock(), name, args.force)?;
    place.write(&file.text)?;
    for warning in literal_check::warnings(&scenario) {
        print::note(&format!("{}: warning: {warning}", place.shown));
    }
    print::out(&report(&settings, &place, &file.text, &scenario))?;
    if is_asking && asked.pasted.is_none() {
        let is_usual = args.name.is_none() && place.id == file.name;
        let same = NewArgs { name: (!is_usual).then(|| place.id.clone()), ..args.clone() };
        print::note(&format!("the same without questions: {}", new_ask::command(&same)));
    }
    Ok(EXIT_OK)
}

/// The scenario for an incident.
fn drafted(context: &CliContext, asked: &Asked) -> Result<NewFile, Failure> {
    let args = &asked.args;
    let action = action(context, asked)?;
    let wishes = DraftWishes {
        provider: args.provider.as_deref().map(provider_called).transpose()?,
        apis: args.api.iter().copied().collect::<IndexSet<_>>().into_iter().collect(),
        stream: (args.stream || args.plain).then_some(args.stream),
        at: args.at,
        lasting: args.lasting,
        headers: args.header.iter().map(|header| (header.name.clone(), header.value.clone())).collect(),
        timeout: args.timeout,
        retries: args.retries,
        title: args.title.clone(),
        why: args.why.clone(),
        literal: args.literal,
    };
    let draft = incident::draft(&action, &wishes).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(NewFile { text: draft.text(), name: draft.name(), is_drafted: true })
}

/// What the provider did, by the arguments.
fn action(context: &CliContext, asked: &Asked) -> Result<UpstreamAction, Failure> {
    type Reader = fn(&str, Option<usize>) -> Result<IncidentEvidence, IncidentError>;
    let args = &asked.args;
    let IncidentArgs { error, fault, from_curl, from_har, from_openai_exception, from_litellm_log, .. } =
        &args.what;
    if let Some(error) = error {
        return named_error(error, args.provider.as_deref(), source(args)).map(UpstreamAction::Error);
    }
    if let Some(fault) = fault {
        if !incident::is_fault(fault) {
            return Err(Failure::Usage(not_a_fault(fault)));
        }
        return Ok(UpstreamAction::Fault(fault.clone(), source(args)));
    }
    let readers: [(&Option<PathBuf>, &str, &str, Reader); 4] = [
        (from_curl, "--from-curl", "curl -i", |text, _| incident::curl(text)),
        (from_har, "--from-har", "HAR", incident::har),
        (from_openai_exception, "--from-openai-exception", "traceback", |text, _| incident::exception(text)),
        (from_litellm_log, "--from-litellm-log", "log of LiteLLM", |text, _| incident::litellm_log(text)),
    ];
    let given =
        readers.into_iter().find_map(|(file, flag, kind, read)| Some((file.as_ref()?, flag, kind, read)));
    let Some((file, flag, kind, read)) = given else {
        // One of the arguments is given: that was checked first.
        return Err(Failure::Usage("no incident is given".to_owned()));
    };
    let text = match &asked.pasted {
        Some(text) => text.clone(),
        None => text_of(context, file)?,
    };
    let name =
        file.file_name().filter(|_| file.as_os_str() != "-").map(|name| name.to_string_lossy().into_owned());
    let shown = match &name {
        Some(name) => format!("{kind} ({name})"),
        None => kind.to_owned(),
    };
    let evidence = read(&text, args.entry).map_err(|error| {
        let place = name.as_deref().unwrap_or("standard input");
        let other =
            incident::option_for(&text).filter(|(option, _)| error.is_of_another_kind() && *option != flag);
        Failure::Usage(match other {
            Some((option, what)) => format!("{place} is {what}\nhelp: pass it with {option}"),
            None => format!("{place}: {error}"),
        })
    })?;
    Ok(UpstreamAction::Seen(Box::new(evidence), shown))
}

/// Where an error or a fault is from that the user named: the command without what only says how to write the file.
fn source(args: &NewArgs) -> String {
    let (name, title, why) = (None, None, None);
    new_ask::command(&NewArgs { name, title, why, print: false, force: false, ..args.clone() })
}

fn text_of(context: &CliContext, file: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        io::stdin().lock().read_to_end(&mut bytes).map_err(Failure::io("cannot read standard input"))?;
    } else {
        bytes = std::fs::read(context.place(file)).map_err(|error| {
            Failure::Usage(format!(
                "cannot read {}: {error}\nhelp: pass a file, or `-` for standard input",
                file.display()
            ))
        })?;
    }
    Ok(incident::plain_text(&bytes))
}

/// A copy of a scenario, with its name.
fn copied(context: &CliContext, of: &str) -> Result<NewFile, Failure> {
    let settings = Settings::read(context)?;
    let library = select::library(context, &settings, &PathArgs { paths: vec![of.into()] })?;
    match library.scenarios.as_slice() {
        [one] => {
            Ok(NewFile { text: library.text(&one.id).to_string(), name: one.id.clone(), is_drafted: false })
        }
        [] => Err(Failure::Load(LoadError::NotFound { path: of.to_owned(), near: None })),
        several => Err(Failure::Usage(format!(
            "`{of}` names {}\nhelp: name one of them, for example `{}`",
            plural(several.len(), "scenario"),
            several[0].id
        ))),
    }
}

/// Loads the scenario, so that no file is written that does not load.
fn checked(file: &NewFile) -> Result<std::sync::Arc<Scenario>, Failure> {
    load_text(&file.name, &file.name, &file.text).map(std::sync::Arc::new).map_err(|errors| {
        if !file.is_drafted {
            return Failure::Load(errors.into());
        }
        // The places of these errors are in a file that does not exist.
        let each = errors.0.iter().map(|error| match &error.help {
            Some(help) => format!("{}\nhelp: {help}", error.message),
            None => error.message.clone(),
        });
        Failure::Usage(format!(
            "nothing was written; these options do not make a valid scenario: {}",
            each.collect::<Vec<_>>().join("\n")
        ))
    })
}

/// What was written, and the two commands that run it.
fn report(
    settings: &Settings,
    place: &ScenarioPlace,
    text: &str,
    scenario: &std::sync::Arc<Scenario>,
) -> String {
    let cases = expand(scenario).len();
    let (with_embedded, with_own) = match settings.proxy {
        Some(_) => {
            (vec!["upfault", "run", &place.id, "--proxy", "builtin"], vec!["upfault", "run", &place.id])
        }
        None => (vec!["upfault", "run", &place.id], vec!["upfault", "run", &place.id, "--proxy", "litellm"]),
    };
    let shown: String = text.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "wrote {}, {}:\n\n{shown}\nrun it with the embedded proxy, which must pass, and with your gateway:\n  {}\n  {}\n",
        place.shown,
        plural(cases, "case"),
        shell::command(&with_embedded),
        shell::command(&with_own)
    )
}
