//! The files that `upfault proxy render --to FOLDER` writes for people: how to start the proxy, and what to do next.

use std::{fmt::Write, path::PathBuf, time::Duration};

use serde_json::json;

use super::attach::render_again;
use crate::{
    proxy::{ProxyByHand, ProxyContainer},
    report::plural,
    runner::{KEY_FILE, Rendering},
    shell,
};

/// Everything that the texts name.
pub(super) struct RenderedFolder<'a> {
    /// The folder as the command names it.
    pub(super) shown: String,
    /// Its absolute path.
    pub(super) path: PathBuf,
    /// Name and version of the proxy.
    pub(super) title: String,
    /// The command that installs the proxy, if upfault can.
    pub(super) install: Option<Vec<String>>,
    /// The folder of the installation, if upfault installs the proxy.
    pub(super) installed_in: Option<PathBuf>,
    /// The programs that the proxy needs, each with how to install it.
    pub(super) needs: Vec<(String, String)>,
    /// The port of the proxy.
    pub(super) port: u16,
    /// How long a start of the proxy may take.
    pub(super) ready_within: Duration,
    /// Whether the proxy reaches the mocks at a loopback address.
    pub(super) is_local: bool,
    /// Whether callers need a key.
    pub(super) needs_key: bool,
    /// What it is rendered for.
    pub(super) rendering: &'a Rendering,
    /// The proxy.
    pub(super) proxy: &'a ProxyByHand,
}

impl RenderedFolder<'_> {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.shown)
    }

    /// The command that runs the suite.
    fn run(&self) -> String {
        shell::command(&["upfault", "run", "--proxy", &self.url(), "--rendered", &self.shown])
    }
}

/// The script that starts the proxy as a run does: with `PATH` and `HOME` as the only inherited variables.
pub(super) fn start_script(written: &RenderedFolder<'_>) -> String {
    let mut text = format!(
        "#!/bin/sh\n# Starts {} in the foreground; Ctrl-C stops it. It inherits only PATH and HOME, so that no other variable \
         changes what is tested.\ncd {} || exit\n",
        written.title,
        shell::word(&written.path.display().to_string())
    );
    if let (Some(folder), Some(install)) = (&written.installed_in, &written.install) {
        let _ = writeln!(
            text,
            "if [ ! -d {} ]; then\n  echo {} >&2\n  exit 1\nfi",
            shell::word(&folder.display().to_string()),
            shell::word(&format!("{} is not installed: run {}", written.title, shell::command(install)))
        );
    }
    let env = written.proxy.env.iter().map(|(name, value)| format!(" {name}={}", shell::word(value)));
    let _ = writeln!(
        text,
        "exec env -i PATH=\"$PATH\" HOME=\"$HOME\"{} {}",
        env.collect::<String>(),
        shell::command(&written.proxy.command)
    );
    text
}

/// The file for docker compose. The folder has the same path in the container, because the configuration contains it.
pub(super) fn compose(written: &RenderedFolder<'_>, container: &ProxyContainer) -> String {
    // Compose replaces variables after a dollar sign.
    let quoted = |text: &str| json!(text.replace('$', "$$")).to_string();
    let path = quoted(&written.path.display().to_string());
    let command: Vec<String> = container.command.iter().map(|word| quoted(word)).collect();
    let mut text = format!(
        "# Starts {} in a container: see README.md.\nservices:\n  proxy:\n    image: \"${{UPFAULT_PROXY_IMAGE:-{}}}\"\n    \
         entrypoint: [{}]\n    command: []\n    working_dir: {path}\n    volumes:\n      - {{type: bind, source: {path}, target: \
         {path}}}\n",
        written.title,
        container.image,
        command.join(", ")
    );
    if !written.proxy.env.is_empty() {
        text.push_str("    environment:\n");
        for (name, value) in &written.proxy.env {
            let _ = writeln!(text, "      {name}: {}", quoted(value));
        }
    }
    if written.is_local {
        text.push_str(
            "    # The mock providers listen on the loopback address of the host.\n    network_mode: host\n",
        );
    } else {
        let _ = writeln!(text, "    ports: [\"127.0.0.1:{0}:{0}\"]", written.port);
        text.push_str("    extra_hosts: [\"host.docker.internal:host-gateway\"]\n");
    }
    text
}

/// What the folder is for, and the next commands.
pub(super) fn readme(written: &RenderedFolder<'_>) -> String {
    let Rendering { upfault, command, listen, mocks_at, .. } = written.rendering;
    let mut text = format!(
        "# {title} for upfault\n\nupfault {upfault} wrote this folder. Enter all commands in the folder in which you entered this \
         one:\n\n```sh\n{}\n```\n\n## 1. Start the proxy\n\n```sh\n",
        shell::command(command),
        title = written.title,
    );
    if let Some(install) = &written.install {
        let _ = writeln!(text, "{}", shell::command(install));
    }
    let _ = writeln!(text, "sh {}\n```\n", shell::word(&written.file("start.sh")));
    for (program, how) in &written.needs {
        let _ = writeln!(text, "This needs the program `{program}` ({how}).\n");
    }
    let _ = writeln!(
        text,
        "The proxy runs in the foreground and listens on port {}. It sends the providers' requests to http://{mocks_at}, where the \
         mock providers are while `upfault run` runs: until then, every request fails.\n",
        written.port
    );
    text.push_str(&own_installation(written));
    let _ = writeln!(
        text,
        "\n## 2. Run the suite\n\nIn another terminal:\n\n```sh\n{}\n```\n\nThis command listens on {listen} for the proxy. It waits \
         up to {} for the proxy to start. If the proxy has another address, name it: `localhost` and `127.0.0.1` are the \
         same proxy.\n",
        written.run(),
        humantime::format_duration(written.ready_within)
    );
    text.push_str(
        "Seed, address, scenarios and filter are those of the rendering; `--filter` and names of scenarios select fewer cases. \
         If the proxy is not the release above, `--as NAME@VERSION` chooses its accepted snapshots and known findings.\n",
    );
    text.push_str(&key(written));
    text.push_str(&what_runs(written));
    text.push_str(&containers(written));
    text
}

/// How to start an installation of the user.
fn own_installation(written: &RenderedFolder<'_>) -> String {
    let mut text = String::from("If you start your own installation instead, it needs ");
    let files: Vec<String> = written.proxy.files.iter().map(|(name, _)| format!("`{name}`")).collect();
    text.push_str(&match files.len() {
        0 => "the arguments in `start.sh`".to_owned(),
        1 => format!("the configuration {}", files[0]),
        n if n > 5 => format!("the {n} configuration files in this folder"),
        _ => format!("the configuration files {}", files.join(", ")),
    });
    if written.proxy.env.is_empty() {
        text.push_str(".\n");
        return text;
    }
    let names: Vec<String> = written.proxy.env.iter().map(|(name, _)| format!("`{name}`")).collect();
    let _ = writeln!(text, ", and should have the variables in `start.sh`: {}.", names.join(", "));
    text
}

fn key(written: &RenderedFolder<'_>) -> String {
    if !written.needs_key {
        return "\n## Key\n\nCallers of this proxy need no key.\n".to_owned();
    }
    format!(
        "\n## Key\n\nCallers send the key in `{KEY_FILE}`, which `upfault run` reads by itself. It is also the master key if the proxy \
         has one. It protects nothing but this proxy. To use another key, for example one that your own proxy issued, set \
         `UPFAULT_PROXY_KEY` before the second step; to configure another key, set it before `upfault proxy render`. No output of \
         upfault contains the key.\n"
    )
}

fn what_runs(written: &RenderedFolder<'_>) -> String {
    let Rendering { instance, instances, cases, .. } = written.rendering;
    let mut text = format!(
        "\n## What runs\n\n{}. A case that the proxy is not configured for is skipped with the reason \"not configured\".",
        plural(cases.len(), "case")
    );
    if instances.len() > 1 {
        let _ = writeln!(
            text,
            " The selected cases need {} with different settings, and a running proxy has only one of them. This folder is for \
             instance {instance}; each of the others needs a folder, a run and a restart of the proxy, or a proxy of its own with other \
             ports (`--port`, `--listen`):\n\n| instance | settings | cases | command |\n|---|---|---|---|",
            plural(instances.len(), "instance")
        );
        for (n, each) in (1..).zip(instances) {
            let command = if n == *instance {
                "this folder".to_owned()
            } else {
                format!("`{}`", render_again(written.rendering, n))
            };
            let _ = writeln!(text, "| {n} | {} | {} | {command} |", each.settings, each.cases);
        }
    } else {
        text.push('\n');
    }
    text.push_str(
        "\nCases never run with a proxy that upfault does not start if they use TLS, refuse connections or need another port of their \
         own: the proxy would have to be configured during the run. `upfault run --proxy NAME` runs them.\n\nRender again, and restart \
         the proxy, after you have changed scenarios, updated upfault or moved this folder.\n",
    );
    text
}

fn containers(written: &RenderedFolder<'_>) -> String {
    let Some(container) = &written.proxy.container else { return String::new() };
    let port = written.rendering.listen.port();
    let up = shell::command(&["docker", "compose", "-f", &written.file("compose.yaml"), "up"]);
    let mut text = format!(
        "\n## In a container\n\n```sh\n{up}\n```\n\nstarts the image `{}`; the variable `UPFAULT_PROXY_IMAGE` names another one. ",
        container.image
    );
    if written.is_local {
        let _ = writeln!(
            text,
            "The container uses the host's network (`network_mode: host`), because the mock providers listen on {}, which a container \
             with a network of its own cannot reach. Docker on Linux has this network; in Docker Desktop it has to be switched on.\n\n\
             Without the host's network, render with the address by which the container reaches this machine, and start that \
             `compose.yaml`:\n\n```sh\n{}\n```\n\n`--listen 0.0.0.0:{port}` lets every machine that can reach this one ask the mock \
             providers, which have no secrets. On Linux, the address of Docker's bridge is enough: `--listen 172.17.0.1:{port}`. With \
             Docker Desktop, omit `--listen`: there, `host.docker.internal` leads to the loopback address of the host.",
            written.rendering.listen,
            shell::command(&elsewhere(written, &format!("host.docker.internal:{port}")))
        );
    } else {
        let _ = writeln!(
            text,
            "The container has a network of its own and reaches the mock providers at {}. The proxy's port is published on the \
             loopback address of the host.",
            written.rendering.mocks_at
        );
    }
    if container.helm.is_some() {
        text.push_str(&match written.is_local {
            true => format!(
                "\nOn Kubernetes, either run upfault in the pod of the proxy, where both have the same loopback address, or as a pod \
                 with a service, here `upfault`, whose name the proxy gets; then the folder contains `values.yaml` for Helm:\n\n\
                 ```sh\n{}\n```\n",
                shell::command(&elsewhere(written, &format!("upfault:{port}")))
            ),
            false => "\n`values.yaml` contains the same for Helm; its first line is the command. In the pod of upfault, `--proxy` is \
                      the URL of the proxy's service.\n"
                .to_owned(),
        });
    }
    text
}

/// The command for a proxy that reaches the mocks at another address.
fn elsewhere(written: &RenderedFolder<'_>, mocks_at: &str) -> Vec<String> {
    let Rendering { command, listen, .. } = written.rendering;
    let mut words = command.clone();
    let mut set = |name: &str, value: String| match words.iter().position(|word| word == name) {
        Some(at) => words[at + 1] = value,
        None => words.extend([name.to_owned(), value]),
    };
    set("--listen", format!("0.0.0.0:{}", listen.port()));
    set("--mocks-at", mocks_at.to_owned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::RenderedInstance;

    fn rendering(instances: &[(&str, usize)]) -> Rendering {
        let words = ["upfault", "proxy", "render", "litellm", "--filter", "limits/*", "--to", "attach"];
        let instances = instances
            .iter()
            .map(|(settings, cases)| RenderedInstance { settings: (*settings).to_owned(), cases: *cases });
        Rendering {
            upfault: "0.1.0".to_owned(),
            base: PathBuf::from("/home/me"),
            proxy: "litellm@1.102.4".to_owned(),
            command: words.map(str::to_owned).to_vec(),
            paths: Vec::new(),
            filter: Some("limits/*".to_owned()),
            seed: 0,
            listen: "127.0.0.1:9400".parse().unwrap(),
            mocks_at: "127.0.0.1:9400".to_owned(),
            instance: 1,
            instances: instances.collect(),
            token: String::new(),
            cases: [("limits/rate-limit".to_owned(), String::new())].into(),
            templates: String::new(),
        }
    }

    fn proxy() -> ProxyByHand {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        ProxyByHand {
            files: vec![("config.yaml".to_owned(), String::new())],
            command: words(&["/cache/litellm/venv/bin/litellm", "--config", "/home/me/attach/config.yaml"]),
            env: vec![("LITELLM_MODE".to_owned(), "it's $PRODUCTION".to_owned())],
            container: Some(ProxyContainer {
                image: "ghcr.io/berriai/litellm:main-v1.102.4".to_owned(),
                command: words(&["litellm", "--config", "/home/me/attach/config.yaml"]),
                helm: Some(String::new()),
            }),
        }
    }

    fn folder<'a>(rendering: &'a Rendering, proxy: &'a ProxyByHand) -> RenderedFolder<'a> {
        let install = ["upfault", "proxy", "install", "litellm@1.102.4"];
        RenderedFolder {
            shown: "attach".to_owned(),
            path: PathBuf::from("/home/me/attach"),
            title: "litellm 1.102.4".to_owned(),
            install: Some(install.map(str::to_owned).to_vec()),
            installed_in: Some(PathBuf::from("/cache/litellm")),
            needs: vec![("uv".to_owned(), "see https://docs.astral.sh/uv/".to_owned())],
            port: 4000,
            ready_within: Duration::from_secs(240),
            is_local: true,
            needs_key: true,
            rendering,
            proxy,
        }
    }

    #[test]
    fn the_readme_has_every_command() {
        let (rendering, proxy) = (rendering(&[("the default settings", 20), ("a fallback", 2)]), proxy());
        insta::assert_snapshot!(readme(&folder(&rendering, &proxy)));
    }

    #[test]
    fn the_readme_of_a_proxy_elsewhere_without_keys_is_shorter() {
        let rendering = Rendering {
            mocks_at: "host.docker.internal:9400".to_owned(),
            listen: "0.0.0.0:9400".parse().unwrap(),
            ..rendering(&[("the default settings", 1)])
        };
        let proxy = ProxyByHand { env: Vec::new(), ..proxy() };
        let folder = RenderedFolder {
            install: None,
            installed_in: None,
            needs: Vec::new(),
            is_local: false,
            needs_key: false,
            ..folder(&rendering, &proxy)
        };
        insta::assert_snapshot!(readme(&folder));
    }

    #[test]
    fn the_script_passes_on_two_variables_and_names_the_installation() {
        let (rendering, proxy) = (rendering(&[("the default settings", 1)]), proxy());
        insta::assert_snapshot!(start_script(&folder(&rendering, &proxy)));
    }

    #[test]
    fn a_container_has_the_network_of_the_host_or_an_address_of_it() {
        let (rendering, proxy) = (rendering(&[("the default settings", 1)]), proxy());
        let container = proxy.container.as_ref().unwrap();
        let local = folder(&rendering, &proxy);
        insta::assert_snapshot!(compose(&local, container));
        let text = compose(&RenderedFolder { is_local: false, ..local }, container);
        let parsed: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let service = &parsed["services"]["proxy"];
        assert!(service.get("network_mode").is_none());
        assert_eq!(service["extra_hosts"][0], "host.docker.internal:host-gateway");
        // Compose itself turns two dollar signs into one.
        assert_eq!(service["environment"]["LITELLM_MODE"], "it's $$PRODUCTION");
    }

    #[test]
    fn the_command_for_another_instance_has_another_folder() {
        let first = rendering(&[("the default settings", 20), ("a fallback", 2)]);
        assert_eq!(
            render_again(&first, 2),
            "upfault proxy render litellm --filter 'limits/*' --to attach-2 --instance 2"
        );
        let words = ["upfault", "proxy", "render", "litellm", "--instance", "2", "--to", "attach-2"];
        let second = Rendering { instance: 2, command: words.map(str::to_owned).to_vec(), ..first };
        assert_eq!(render_again(&second, 3), "upfault proxy render litellm --instance 3 --to attach-3");
        assert_eq!(render_again(&second, 1), "upfault proxy render litellm --instance 1 --to attach");
    }
}
