//! `upfault proxy`

use std::fmt::Write;

use super::{
    args::ProxyCommand, context::CliContext, failure::Failure, interrupt::terminated, print,
    proxy_clean::clean, proxy_list, proxy_versions::versions, render::render,
};
use crate::{
    proxy::Definition,
    report::{EXIT_INTERRUPTED, EXIT_OK, EXIT_PROXY},
    shell,
};

/// Lists, shows, installs and checks proxies.
pub(super) fn proxy(context: &CliContext, command: ProxyCommand) -> Result<u8, Failure> {
    let named = match &command {
        ProxyCommand::Show { proxy }
        | ProxyCommand::Install { proxy }
        | ProxyCommand::Versions { proxy, .. } => Some(proxy.as_str()),
        ProxyCommand::Render(args) => Some(args.proxy.as_str()),
        ProxyCommand::Doctor { proxy } => proxy.as_deref(),
        ProxyCommand::List | ProxyCommand::Clean { .. } => None,
    };
    if let Some(name) = named.filter(|name| *name == "builtin" || name.starts_with("builtin:")) {
        return Err(Failure::Usage(format!(
            "`{name}` is part of upfault: it needs no installation and no configuration\n\
             help: `{}` runs it, `upfault proxy list` shows its defects",
            shell::command(&["upfault", "run", "--proxy", name])
        )));
    }
    match command {
        ProxyCommand::List => proxy_list::list(context),
        ProxyCommand::Show { proxy } => show(context, &proxy),
        ProxyCommand::Versions { proxy, all, series } => versions(context, &proxy, (!all).then_some(series)),
        ProxyCommand::Install { proxy } => install(context, &proxy),
        ProxyCommand::Render(args) => render(context, &args),
        ProxyCommand::Clean { all, dry_run } => clean(context, all, dry_run),
        ProxyCommand::Doctor { proxy } => doctor(context, proxy.as_deref()),
    }
}

fn show(context: &CliContext, spec: &str) -> Result<u8, Failure> {
    let definition = context.definition(&context.cwd, spec)?;
    let mut text = format!(
        "{}\n  {}\n  {}\n  defined in {}\n",
        definition.title(),
        definition.summary,
        definition.homepage,
        definition.file()
    );
    for (api, providers) in &definition.apis {
        let names: Vec<&str> = providers.iter().map(|provider| provider.as_str()).collect();
        let _ = writeln!(text, "  serves {api} from {}", names.join(", "));
    }
    for (api, providers) in definition.passed_through() {
        let names: Vec<&str> = providers.iter().map(|provider| provider.as_str()).collect();
        let _ = writeln!(text, "  passes {api} through to {}", names.join(", "));
    }
    for (name, reason) in definition.unserved() {
        let _ = writeln!(text, "  does not serve {name}: {reason}");
    }
    let place = definition.install_dir(&context.cache)?;
    let state = if definition.is_installed(&context.cache) { "installed in" } else { "will be installed in" };
    let _ = writeln!(text, "  {state} {}", place.display());
    if let Some(command) = definition.installed_instead(&context.cache) {
        let _ = writeln!(text, "  installed with other requirements than its own: {command}");
    }
    for (variant, summary) in definition.variants() {
        let _ = writeln!(text, "  variant {}:{variant}: {summary}", definition.name);
    }
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

fn install(context: &CliContext, spec: &str) -> Result<u8, Failure> {
    let definition = context.definition(&context.cwd, spec)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?;
    // The installer runs in another process group, which Ctrl-C does not reach. Dropping the future kills it.
    let installed = runtime.block_on(async {
        tokio::select! {
            // Starts to listen before it starts a process.
            biased;
            () = terminated() => Ok(None),
            installed = definition.install(&context.cache, &|line| print::note(&line)) => installed.map(Some),
        }
    })?;
    let Some(installed) = installed else {
        print::note("interrupted; the next installation removes the incomplete one");
        return Ok(EXIT_INTERRUPTED);
    };
    print::out(&format!("{} is installed in {}\n", definition.title(), installed.dir().display()))?;
    Ok(EXIT_OK)
}

fn doctor(context: &CliContext, spec: Option<&str>) -> Result<u8, Failure> {
    let specs: Vec<String> = match spec {
        Some(spec) => vec![spec.to_owned()],
        None => Definition::bundled().into_iter().map(|bundled| bundled.name).collect(),
    };
    let mut text = String::new();
    let mut ok = true;
    for spec in specs {
        let definition = context.definition(&context.cwd, &spec)?;
        let _ = writeln!(text, "{}", definition.title());
        for check in definition.doctor(&context.cache) {
            ok &= check.ok;
            let _ = writeln!(
                text,
                "  {}  {}: {}",
                if check.ok { "ok " } else { "BAD" },
                check.what,
                check.detail
            );
        }
    }
    print::fitted(&text, context.width)?;
    Ok(if ok { EXIT_OK } else { EXIT_PROXY })
}
