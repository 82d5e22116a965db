//! `upfault new`

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    args::PathArgs,
    context::CliContext,
    explain_catalogue::{provider_called, unknown_error},
    failure::Failure,
    literal_check,
    new_args::{IncidentArgs, NewArgs},
    new_ask::{self, Asked},
    print, select,
    settings::Settings,
};
use crate::{
    incident::{self, DraftWishes, IncidentError, IncidentEvidence, UpstreamAction},
    provider::errors_called,
    report::{EXIT_OK, plural},
    scenario::{LoadError, Provider, Scenario, expand, is_scenario, load_text},
    shell,
    snapshot::{create_atomically, write_atomically},
};

/// The folder of scenarios in a project.
const FOLDER: &str = "scenarios";

/// A scenario that was written or copied, before it has a place.
struct NewFile {
    text: String,
    /// The name that it gets if the user does not choose one.
    name: String,
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
        asked = new_ask::ask(&mut io::stdin().lock(), &mut io::stderr().lock(), args)?;
    }
    let args = &asked.args;
    let file = match &args.what.copy {
        Some(of) => copied(context, of)?,
        None => drafted(context, &asked)?,
    };
    let place = place(context, args.name.as_deref(), &file.name)?;
    let scenario = checked(&place, &file.text)?;
    if args.print {
        print::out(&file.text)?;
        return Ok(EXIT_OK);
    }
    write(context, &place, &file.text, args.force)?;
    for warning in literal_check::warnings(&scenario) {
        print::note(&format!("{}: warning: {warning}", place.shown));
    }
    print::out(&report(context, &place, &file.text, &scenario)?)?;
    if is_asking && asked.pasted.is_none() {
        print::note(&format!("the same without questions: {}", new_ask::command(args)));
    }
    Ok(EXIT_OK)
}

/// The scenario for an incident.
fn drafted(context: &CliContext, asked: &Asked) -> Result<NewFile, Failure> {
    let args = &asked.args;
    let action = action(context, asked)?;
    let mut apis = args.api.clone();
    apis.dedup();
    let wishes = DraftWishes {
        provider: args.provider.as_deref().map(provider_called).transpose()?,
        apis,
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
    Ok(NewFile { text: draft.text(), name: draft.name() })
}

/// What the provider did, by the arguments.
fn action(context: &CliContext, asked: &Asked) -> Result<UpstreamAction, Failure> {
    type Reader = fn(&str, Option<usize>) -> Result<IncidentEvidence, IncidentError>;
    let args = &asked.args;
    let IncidentArgs { error, fault, from_curl, from_har, from_openai_exception, from_litellm_log, .. } =
        &args.what;
    if let Some(error) = error {
        return named_error(error, args.provider.as_deref());
    }
    if let Some(fault) = fault {
        return Ok(UpstreamAction::Fault(fault.clone(), source_of_fault(args)));
    }
    let readers: [(&Option<PathBuf>, &str, Reader); 4] = [
        (from_curl, "curl -i", |text, _| incident::curl(text)),
        (from_har, "HAR", incident::har),
        (from_openai_exception, "traceback", |text, _| incident::exception(text)),
        (from_litellm_log, "log of LiteLLM", |text, _| incident::litellm_log(text)),
    ];
    let given = readers.into_iter().find_map(|(file, kind, read)| Some((file.as_ref()?, kind, read)));
    let Some((file, kind, read)) = given else {
        // One of the arguments is given: that was checked first.
        return Err(Failure::Usage("no incident is given".to_owned()));
    };
    let text = match &asked.pasted {
        Some(text) => text.clone(),
        None => text_of(context, file)?,
    };
    let name =
        file.file_name().filter(|_| file.as_os_str() != "-").map(|name| name.to_string_lossy().into_owned());
    let source = match &name {
        Some(name) => format!("{kind} ({name})"),
        None => kind.to_owned(),
    };
    let evidence = read(&text, args.entry).map_err(|error| {
        let place = name.as_deref().unwrap_or("standard input");
        Failure::Usage(format!("{place}: {error}"))
    })?;
    Ok(UpstreamAction::Seen(Box::new(evidence), source))
}

/// Where a fault is from that the user named: the command without what only says how to write the file.
fn source_of_fault(args: &NewArgs) -> String {
    let (name, title, why) = (None, None, None);
    new_ask::command(&NewArgs { name, title, why, print: false, force: false, ..args.clone() })
}

/// `anthropic/overloaded`, or `overloaded` with `--provider anthropic`.
fn named_error(text: &str, provider: Option<&str>) -> Result<UpstreamAction, Failure> {
    let (provider, word) = match (text.split_once('/'), provider) {
        (Some((name, word)), _) => (provider_called(name)?, word),
        (None, Some(name)) => (provider_called(name)?, text),
        (None, None) => (Provider::Openai, text),
    };
    let name = errors_called(provider, word).first().copied().ok_or_else(|| unknown_error(provider, word))?;
    Ok(UpstreamAction::Error(provider, name))
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
        [one] => Ok(NewFile { text: library.text(&one.id).to_string(), name: one.id.clone() }),
        [] => Err(Failure::Load(LoadError::NotFound { path: of.to_owned(), near: None })),
        several => Err(Failure::Usage(format!(
            "`{of}` names {}\nhelp: name one of them, for example `{}`",
            plural(several.len(), "scenario"),
            several[0].id
        ))),
    }
}

/// Where a scenario is written.
struct ScenarioPlace {
    path: PathBuf,
    /// The path as messages show it.
    shown: String,
    /// What `upfault run` calls it.
    id: String,
}

/// The place for a name or a file.
fn place(context: &CliContext, wanted: Option<&str>, usual: &str) -> Result<ScenarioPlace, Failure> {
    let name = wanted.unwrap_or(usual);
    let shown = |path: &Path| path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string();
    if is_scenario(Path::new(name)) {
        let path = context.place(name);
        let shown = shown(&path);
        return Ok(ScenarioPlace { path, id: shown.clone(), shown });
    }
    let id = name.trim_start_matches("./").trim_start_matches("scenarios/").trim_end_matches('/');
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '[', ']', '*']);
    if !id.split('/').all(is_part) || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Failure::Usage(format!(
            "`{name}` cannot be the name of a scenario\nhelp: write FOLDER/NAME, for example `incidents/cut-in-mid-answer`, or a file \
             such as `cut.yaml`"
        )));
    }
    let path = context.root.join(FOLDER).join(format!("{id}.yaml"));
    Ok(ScenarioPlace { shown: shown(&path), path, id: id.to_owned() })
}

/// Loads the scenario, so that no file is written that does not load.
fn checked(place: &ScenarioPlace, text: &str) -> Result<std::sync::Arc<Scenario>, Failure> {
    load_text(&place.id, &place.shown, text)
        .map(std::sync::Arc::new)
        .map_err(|errors| Failure::Load(errors.into()))
}

/// Writes the file. An existing file is replaced only if the user wants it.
fn write(context: &CliContext, place: &ScenarioPlace, text: &str, force: bool) -> Result<(), Failure> {
    let may_replace = force
        || context.interactive
            && place.path.exists()
            && new_ask::confirmed(
                &mut io::stdin().lock(),
                &mut io::stderr().lock(),
                &format!("replace {}", place.shown),
            )?;
    let written =
        if may_replace { write_atomically(&place.path, text) } else { create_atomically(&place.path, text) };
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Failure::Usage(format!(
            "{} already exists\nhelp: choose another name (`upfault new NAME …`), or replace it with `--force`",
            place.shown
        ))),
        other => other.map_err(Failure::io(format!("cannot write {}", place.shown))),
    }
}

/// What was written, and the two commands that run it.
fn report(
    context: &CliContext,
    place: &ScenarioPlace,
    text: &str,
    scenario: &std::sync::Arc<Scenario>,
) -> Result<String, Failure> {
    let cases = expand(scenario).len();
    let (with_embedded, with_own) = match Settings::read(context)?.proxy {
        Some(_) => {
            (vec!["upfault", "run", &place.id, "--proxy", "builtin"], vec!["upfault", "run", &place.id])
        }
        None => (vec!["upfault", "run", &place.id], vec!["upfault", "run", &place.id, "--proxy", "litellm"]),
    };
    let shown: String = text.lines().map(|line| format!("  {line}\n")).collect();
    Ok(format!(
        "wrote {}, {}:\n\n{shown}\nrun it with the embedded proxy, which must pass, and with your gateway:\n  {}\n  {}\n",
        place.shown,
        plural(cases, "case"),
        shell::command(&with_embedded),
        shell::command(&with_own)
    ))
}
