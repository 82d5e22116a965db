//! `upfault proxy render`

use std::{
    fmt::Write,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{
    attach::render_again,
    context::CliContext,
    failure::Failure,
    print,
    render_args::{HostAndPort, RenderArgs},
    render_texts::{RenderedFolder, compose, readme, start_script},
    run::note_mode,
    select,
    settings::Settings,
};
use crate::{
    proxy::{Definition, ProxyMode, RenderContext, random_key},
    report::{EXIT_OK, option, plural},
    runner::{self, InstancePlan, KEY_FILE, MANIFEST, RenderedInstance, RenderedRoutes, Rendering},
    shell,
    snapshot::write_atomically,
};

/// The default address of the mock providers.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9400);

/// Prints the configuration of a proxy that upfault does not start, or writes it to a folder.
pub(super) fn render(context: &CliContext, args: &RenderArgs) -> Result<u8, Failure> {
    let settings = Settings::read(context)?;
    let selection = select::cases(context, &settings, &args.select)?;
    let definition = context.definition(&context.cwd, &args.proxy)?.with_stamp(&context.cache);
    note_mode(&definition);
    let plans = runner::instances(&selection.cases, &definition);
    if args.instances {
        print::fitted(&instances_text(&plans), context.width)?;
        return Ok(EXIT_OK);
    }
    let plan = match args.instance.checked_sub(1).and_then(|at| plans.get(at)) {
        Some(plan) => plan.clone(),
        None if plans.is_empty() && args.to.is_none() && args.instance == 1 => {
            print::note(&none_can_run(args, &definition));
            InstancePlan { settings: Default::default(), cases: Vec::new() }
        }
        None if plans.is_empty() => return Err(Failure::Usage(none_can_run(args, &definition))),
        None => {
            return Err(Failure::Usage(format!(
                "there is no instance {}: the cases need {}\nhelp: `--instances` lists them",
                args.instance,
                plural(plans.len(), "instance")
            )));
        }
    };
    let listen = args.listen.or(settings.listen).unwrap_or(LISTEN);
    let mocks_at = mocks_at(args, listen)?;
    let seed = args.seed.or(settings.seed).unwrap_or_default();
    let rendered = RenderedRoutes::new(&plan.cases, &mocks_at.0, seed);
    if let Some(to) = &args.to {
        let at = Place { folder: to, listen, mocks_at, seed };
        return write(context, args, &definition, &plans, rendered, selection.of.filter, &at);
    }
    let values = RenderContext { settings: plan.settings, ..RenderContext::sample_of(&definition) };
    let files = definition.render(&rendered.routes, &values)?;
    if files.is_empty() {
        return Err(Failure::Usage(format!(
            "there is nothing to render: {} has no configuration files\nhelp: `launch` in {} contains all of its \
             configuration; `--to FOLDER` writes the command that starts it",
            definition.title(),
            definition.file()
        )));
    }
    let several = files.len() > 1;
    let mut text = String::new();
    for (name, content) in files {
        if several {
            let _ = writeln!(text, "# {name}");
        }
        text.push_str(content.trim_end());
        text.push('\n');
    }
    print::out(&text)?;
    Ok(EXIT_OK)
}

/// Where the configuration is written, and what it is for.
struct Place<'a> {
    folder: &'a Path,
    listen: SocketAddr,
    mocks_at: HostAndPort,
    seed: u64,
}

fn none_can_run(args: &RenderArgs, definition: &Definition) -> String {
    format!(
        "no selected case can run with {} while it is already running, so its configuration has no routes\n\
         help: `{}` says why each case is skipped",
        definition.title(),
        shell::command(&["upfault", "run", "--proxy", &args.proxy, "-vv"])
    )
}

/// The address by which the proxy reaches the mocks.
fn mocks_at(args: &RenderArgs, listen: SocketAddr) -> Result<HostAndPort, Failure> {
    match &args.mocks_at {
        Some(mocks_at) => Ok(mocks_at.clone()),
        None if listen.port() == 0 => Err(Failure::Usage(
            "the configuration of the proxy contains the port of the mock providers, so `--listen` cannot be a free port\n\
             help: name a port, for example `--listen 127.0.0.1:9400`"
                .to_owned(),
        )),
        None if listen.ip().is_unspecified() => Err(Failure::Usage(format!(
            "the mock providers can listen on {listen}, but the proxy cannot connect to this address\nhelp: add the address \
             by which the proxy reaches this machine, for example `--mocks-at host.docker.internal:{}`",
            listen.port()
        ))),
        None => Ok(HostAndPort(listen.to_string())),
    }
}

fn instances_text(plans: &[InstancePlan]) -> String {
    let mut text = String::new();
    for (n, plan) in (1..).zip(plans) {
        let cases = plural(plan.cases.len(), "case");
        let _ = writeln!(text, "{n}  {cases}: {}", plan.settings.describe());
    }
    text
}

/// Writes the folder.
fn write(
    context: &CliContext,
    args: &RenderArgs,
    definition: &Definition,
    plans: &[InstancePlan],
    rendered: RenderedRoutes,
    filter: Option<String>,
    at: &Place<'_>,
) -> Result<u8, Failure> {
    let folder = std::path::absolute(context.place(at.folder))
        .map_err(Failure::io(format!("cannot find the folder {}", at.folder.display())))?;
    refuse_foreign(&folder, at.folder)?;
    let RenderedRoutes { routes, token, cases } = rendered;
    let key = args.proxy_key.clone().or_else(|| runner::key_in(&folder)).unwrap_or_else(random_key);
    let is_local = at.mocks_at.is_loopback();
    let bind = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let values = RenderContext {
        bind: bind.into(),
        port: args.port,
        proxy_key: key.clone(),
        settings: plans[args.instance - 1].settings.clone(),
        ca: folder.join(CA),
        work_dir: folder.clone(),
        ..RenderContext::sample_of(definition)
    };
    let by_hand = definition.by_hand(&routes, values, &context.cache)?;
    let instances = plans
        .iter()
        .map(|plan| RenderedInstance { settings: plan.settings.describe(), cases: plan.cases.len() });
    let rendering = Rendering {
        upfault: env!("CARGO_PKG_VERSION").to_owned(),
        base: context.cwd.clone(),
        proxy: pinned(context, &args.proxy, definition),
        command: command(args),
        paths: args.select.paths.paths.iter().map(|path| path.display().to_string()).collect(),
        filter,
        seed: at.seed,
        listen: at.listen,
        mocks_at: at.mocks_at.0.clone(),
        instance: args.instance,
        instances: instances.collect(),
        token,
        cases,
        templates: definition.hash_of_templates(),
    };
    let needs_key = definition.has_caller_keys();
    let written = RenderedFolder {
        shown: at.folder.display().to_string(),
        path: folder.clone(),
        title: definition.title(),
        install: definition
            .needs_installation()
            .then(|| vec_of(["upfault", "proxy", "install", &rendering.proxy])),
        installed_in: definition
            .needs_installation()
            .then(|| definition.install_dir(&context.cache))
            .transpose()?,
        needs: definition.needs.iter().map(|(program, how)| (program.clone(), how.clone())).collect(),
        port: args.port,
        ready_within: definition.ready_within(),
        is_local,
        needs_key,
        rendering: &rendering,
        proxy: &by_hand,
    };
    let pem = runner::authority_pem().map_err(Failure::io("cannot create a certificate"))?;
    let mut files: Vec<(String, String)> = by_hand.files.clone();
    files.push((CA.to_owned(), pem));
    files.push(("start.sh".to_owned(), start_script(&written)));
    if let Some(container) = &by_hand.container {
        files.push(("compose.yaml".to_owned(), compose(&written, container)));
        // A proxy in another pod cannot reach the loopback address of this machine.
        let helm = container.helm.clone().filter(|_| !is_local);
        files.extend(helm.map(|values| ("values.yaml".to_owned(), values)));
    }
    files.push(("README.md".to_owned(), readme(&written)));
    let manifest = serde_json::to_string_pretty(&rendering).unwrap_or_default();
    // The manifest comes last: a folder with it is complete.
    files.push((MANIFEST.to_owned(), manifest + "\n"));
    let failed = |path: &Path| Failure::io(format!("cannot write {}", path.display()));
    if needs_key {
        let path = folder.join(KEY_FILE);
        write_secret(&path, &format!("UPFAULT_PROXY_KEY={}\n", shell::word(&key))).map_err(failed(&path))?;
    }
    for (name, text) in &files {
        let path = folder.join(name);
        write_atomically(&path, text).map_err(failed(&path))?;
    }
    print::fitted(&said(&written), context.width)?;
    Ok(EXIT_OK)
}

/// The certificate authority, which no upstream uses: some configurations name it.
const CA: &str = "ca.pem";

/// What the command prints.
fn said(written: &RenderedFolder<'_>) -> String {
    let Rendering { instances, instance, .. } = written.rendering;
    let mut text = format!(
        "{}: {} for {}; {}/README.md says what to do next\n",
        written.shown,
        written.title,
        plural(written.rendering.cases.len(), "case"),
        written.shown
    );
    for (n, other) in (1..).zip(instances).filter(|(n, _)| n != instance) {
        let _ = writeln!(
            text,
            "not included: {} for a proxy with {} (instance {n}): `{}`",
            plural(other.cases, "case"),
            other.settings,
            render_again(written.rendering, n)
        );
    }
    text
}

fn vec_of<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// The words of the command, without the key.
fn command(args: &RenderArgs) -> Vec<String> {
    let mut words = vec_of(["upfault", "proxy", "render", &args.proxy]);
    words.extend(args.select.paths.paths.iter().map(|path| path.display().to_string()));
    for (name, value) in [
        ("--filter", args.select.filter.clone()),
        ("--shard", args.select.shard.map(|shard| format!("{}/{}", shard.k, shard.n))),
        ("--durations", args.select.durations.as_ref().map(|file| file.display().to_string())),
        ("--listen", args.listen.map(|address| address.to_string())),
        ("--mocks-at", args.mocks_at.as_ref().map(|mocks_at| mocks_at.0.clone())),
        ("--port", (args.port != 4000).then(|| args.port.to_string())),
        ("--seed", args.seed.map(|seed| seed.to_string())),
        ("--instance", (args.instance != 1).then(|| args.instance.to_string())),
        ("--to", args.to.as_ref().map(|folder| folder.display().to_string())),
    ] {
        words.extend(value.iter().flat_map(|value| option(name, value)));
    }
    words
}

/// The proxy as the command names it, with its version: a later run must find the same definition.
fn pinned(context: &CliContext, spec: &str, definition: &Definition) -> String {
    let (place, words) = ProxyMode::split(spec);
    let Some(version) = definition.release() else { return spec.to_owned() };
    if context.cwd.join(&place).exists() || context.cwd.join(spec).exists() {
        return spec.to_owned();
    }
    let name = place.split_once('@').map_or(place.as_str(), |(name, _)| name);
    ProxyMode::joined(&format!("{name}@{version}"), words)
}

/// Refuses a folder with files that upfault did not write.
fn refuse_foreign(folder: &Path, shown: &Path) -> Result<(), Failure> {
    let mut entries = fs::read_dir(folder).into_iter().flatten();
    if entries.next().is_none() || folder.join(MANIFEST).exists() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "{} contains files that upfault did not write\nhelp: name a new or an empty folder with `--to`",
        shown.display()
    )))
}

/// Writes a file that only its owner can read.
fn write_secret(path: &PathBuf, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A temporary file has these permissions.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}
