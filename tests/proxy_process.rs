//! Tests of proxy processes that die, hang, flood their logs or misbehave. Each proxy is a definition with a few lines of
//! shell.

#![cfg(unix)]

#[path = "fake_proxy/mod.rs"]
mod fake_proxy;

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use upfault::internals::{
    proxy::{Definition, InstanceSettings, Launch, ProxyError, ProxyRoute, Removal, remove_installation},
    scenario::{Api, Provider, ProxySettings},
};

struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// A definition `fake` that launches this shell script, whose command `serve` becomes a server that answers the
    /// readiness check.
    fn shell(script: &str) -> Self {
        let fixture = Self::yaml(
            "launch: {command: [sh, \"{{ here }}/server.sh\", \"{{ port }}\"]}\n\
             ready: {get: /ready, within: 20s}\n",
        );
        let serve = fake_proxy::command();
        let script = format!(
            "export FAKE_PROXY_PORT=\"$1\" FAKE_PROXY_BEHAVIOUR=honest\nserve() {{ {serve}; }}\n{script}\n"
        );
        fs::write(fixture.definition_dir().join("server.sh"), script).unwrap();
        fixture
    }

    fn yaml(rest: &str) -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(fixture.definition_dir()).unwrap();
        fs::write(
            fixture.definition_dir().join("proxy.yaml"),
            format!("name: fake\napis: {{openai/chat: [openai]}}\n{rest}"),
        )
        .unwrap();
        fixture
    }

    fn definition_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("fake")
    }

    fn cache(&self) -> std::path::PathBuf {
        self.folder.path().join("cache")
    }

    fn find(&self) -> Result<Definition, ProxyError> {
        Definition::find("./fake", self.folder.path())
    }

    async fn launch(&self) -> Result<upfault::internals::proxy::Instance, ProxyError> {
        self.launch_definition(self.find()?).await
    }

    /// Launches a definition that extends `fake`.
    async fn launch_extended(&self, rest: &str) -> Result<upfault::internals::proxy::Instance, ProxyError> {
        let folder = self.folder.path().join("extended");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("proxy.yaml"), format!("extends: ../fake\nname: fake\n{rest}")).unwrap();
        self.launch_definition(Definition::find("./extended", self.folder.path())?).await
    }

    async fn launch_definition(
        &self,
        definition: Definition,
    ) -> Result<upfault::internals::proxy::Instance, ProxyError> {
        let installed = definition.install(&self.cache(), &|_| {}).await?;
        let launch = Launch {
            routes: [].into(),
            settings: InstanceSettings::default(),
            ca: "ca.pem".into(),
            work_dir: self.folder.path().join("instance"),
        };
        installed.launch(launch, &|_| {}).await
    }

    /// A message without the parts that differ from run to run.
    fn plain(&self, error: &ProxyError) -> String {
        let text = error.to_string().replace(&self.folder.path().display().to_string(), "TMP");
        regex::Regex::new(r"127\.0\.0\.1:\d+|server\.sh' ?\d*|server\.sh \d+")
            .unwrap()
            .replace_all(&text, "ADDRESS")
            .into_owned()
    }
}

fn port(root: &str) -> u16 {
    root.rsplit(':').next().unwrap().parse().unwrap()
}

fn is_free(root: &str) -> bool {
    TcpListener::bind(("127.0.0.1", port(root))).is_ok()
}

/// Whether a process is running. A zombie does not count.
fn is_alive(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The process id that the fake proxy wrote to the file `name` in its work folder.
async fn pid(fixture: &Fixture, name: &str) -> String {
    let path = fixture.folder.path().join("instance").join(name);
    eventually("a pid file", || fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))).await;
    fs::read_to_string(path).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_ready_proxy_has_its_port_and_stopping_it_leaves_nothing_behind() {
    let fixture = Fixture::shell(
        "echo $$ > pid\n\
         sleep 1000 &\n\
         echo $! > grandchild\n\
         serve",
    );
    let instance = fixture.launch().await.unwrap();
    let root = instance.addressing().root().to_owned();
    let (first, second) = (pid(&fixture, "pid").await, pid(&fixture, "grandchild").await);
    assert!(is_alive(&first) && is_alive(&second) && !is_free(&root));
    assert_eq!(instance.exited(), None);
    assert_eq!(instance.addressing().secrets(), [instance.addressing().proxy_key().unwrap()]);
    instance.stop().await;
    assert!(!is_alive(&first) && !is_alive(&second), "a process is still running");
    assert!(is_free(&root), "the port is still in use");
}

#[tokio::test]
async fn a_proxy_that_ignores_sigterm_is_killed_after_two_seconds() {
    let fixture = Fixture::shell("trap '' TERM\nserve");
    let instance = fixture.launch().await.unwrap();
    let root = instance.addressing().root().to_owned();
    let began = Instant::now();
    instance.stop().await;
    // If it ended earlier, it was killed without SIGTERM.
    assert!(began.elapsed() >= Duration::from_secs(2), "it was killed too early");
    assert!(began.elapsed() < Duration::from_secs(6), "it was killed too late");
    assert!(is_free(&root));
}

#[tokio::test]
async fn dropping_an_instance_kills_its_grandchildren_too() {
    let fixture = Fixture::shell(
        "(trap '' TERM; exec sleep 1000) &\n\
         echo $! > grandchild\n\
         serve",
    );
    let instance = fixture.launch().await.unwrap();
    let (root, grandchild) = (instance.addressing().root().to_owned(), pid(&fixture, "grandchild").await);
    drop(instance);
    eventually("the end of the grandchild", || !is_alive(&grandchild)).await;
    eventually("the end of the server", || is_free(&root)).await;
}

#[tokio::test]
async fn a_panic_kills_the_proxy() {
    let fixture = std::sync::Arc::new(Fixture::shell("serve"));
    let (root, shared) = (std::sync::Arc::new(Mutex::new(String::new())), fixture.clone());
    let started = root.clone();
    // A run starts proxies in separate tasks, so everything here must be `Send`.
    let task = tokio::spawn(async move {
        let instance = std::sync::Arc::new(shared.launch().await.unwrap());
        *started.lock().unwrap() = instance.addressing().root().to_owned();
        panic!("the test panics on purpose");
    });
    assert!(task.await.unwrap_err().is_panic());
    let root = root.lock().unwrap().clone();
    eventually("the end of the server", || is_free(&root)).await;
}

#[tokio::test]
async fn a_killed_proxy_is_detected() {
    let fixture = Fixture::shell("echo $$ > pid\nserve");
    let instance = fixture.launch().await.unwrap();
    let pid = pid(&fixture, "pid").await;
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    eventually("the end", || instance.exited().is_some()).await;
    assert_eq!(instance.exited().as_deref(), Some("was killed by signal 9"));
    instance.stop().await;
}

#[tokio::test]
async fn a_proxy_that_exits_is_reported_immediately_with_the_end_of_its_log() {
    let fixture = Fixture::shell("echo 'no such model: ada' >&2\nexit 7");
    let began = Instant::now();
    let error = fixture.launch().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(15), "upfault must not wait for the deadline");
    insta::assert_snapshot!(fixture.plain(&error), @r"
    fake exited with code 7 before it was ready
      no such model: ada
    its log: TMP/instance/fake.log
    help: to see why, run this command in TMP/instance: sh TMP/fake/ADDRESS
    ");
}

#[tokio::test]
async fn an_empty_log_and_a_removed_log_have_different_messages() {
    let silent = Fixture::yaml("launch: {command: ['false']}\nready: {get: /ready}\n");
    insta::assert_snapshot!(silent.plain(&silent.launch().await.unwrap_err()), @r"
    fake exited with code 1 before it was ready
      (it wrote nothing to its log)
    its log: TMP/instance/fake.log
    help: to see why, run this command in TMP/instance: false
    ");
    let robbed = Fixture::yaml(
        "launch: {command: [sh, -c, 'echo words; rm -r \"$PWD\"; exit 1']}\nready: {get: /ready}\n",
    );
    insta::assert_snapshot!(robbed.plain(&robbed.launch().await.unwrap_err()), @r#"
    fake exited with code 1 before it was ready
      (its log can no longer be read: No such file or directory (os error 2))
    its log: TMP/instance/fake.log
    help: to see why, run this command in TMP/instance: sh -c 'echo words; rm -r "$PWD"; exit 1'
    "#);
}

#[tokio::test]
async fn a_proxy_that_is_not_ready_before_its_deadline_is_killed() {
    let fixture = Fixture::yaml(
        "launch: {command: [sh, -c, 'echo $$ > pid; echo still thinking; exec sleep 1000']}\n\
         ready: {get: /ready, within: 1s}\n",
    );
    let error = fixture.launch().await.unwrap_err();
    let text = fixture.plain(&error);
    insta::assert_snapshot!(text, @r"
    fake was not ready within 1s (GET http://ADDRESS/ready: Connection refused (os error 111))
      still thinking
    its log: TMP/instance/fake.log
    help: on a slow machine, raise `ready.within` in its proxy.yaml, or run fewer programs at the same time
    ");
    let pid = pid(&fixture, "pid").await;
    eventually("the end", || !is_alive(&pid)).await;
}

#[tokio::test]
async fn a_proxy_that_answers_with_an_error_is_not_ready() {
    let fixture = Fixture::shell("export FAKE_PROXY_BEHAVIOUR=unready\nserve");
    fs::write(
        fixture.definition_dir().join("proxy.yaml"),
        "name: fake\napis: {openai/chat: [openai]}\n\
         launch: {command: [sh, \"{{ here }}/server.sh\", \"{{ port }}\"]}\n\
         ready: {get: /ready, within: 3s}\n",
    )
    .unwrap();
    let error = fixture.launch().await.unwrap_err();
    assert!(error.to_string().contains("/ready: status 503)"), "{error}");
}

#[tokio::test]
async fn a_flood_of_output_neither_blocks_the_proxy_nor_fills_the_disk() {
    // The proxy writes 100 MB to its log before it is ready, almost without pauses.
    let fixture = Fixture::shell(
        "line=$(printf '%0999d' 0)\n\
         i=0\n\
         while [ $i -lt 100 ]; do yes \"$line\" | head -n 1000; sleep 0.005; i=$((i + 1)); done\n\
         echo done flooding\n\
         serve",
    );
    let instance = fixture.launch().await.unwrap();
    eventually("the cut", || instance.log_path().metadata().unwrap().len() < 70_000_000).await;
    assert!(instance.log_tail(2).ends_with("done flooding\nfake proxy begins"));
    instance.stop().await;
}

#[tokio::test]
async fn another_port_is_used_if_another_process_took_the_first_one() {
    // The first start fails with the error message of a server whose port is in use.
    let fixture = Fixture::shell(
        "if ! [ -e again ]; then touch again; echo '[Errno 98] Address already in use' >&2; exit 1; fi\n\
         serve",
    );
    let instance = fixture.launch().await.unwrap();
    instance.stop().await;
}

#[tokio::test]
async fn the_proxy_gets_only_path_home_and_its_own_variables() {
    let fixture = Fixture::yaml(
        "launch: {command: [sh, -c, 'env | cut -d= -f1 | sort > names; exec sleep 1000'], env: {MINE: x}}\n\
         ready: {get: /ready, within: 1s}\n",
    );
    fixture.launch().await.unwrap_err();
    let names = fs::read_to_string(fixture.folder.path().join("instance/names")).unwrap();
    // The shell adds PWD and a few others.
    let names: Vec<&str> =
        names.lines().filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name)).collect();
    assert_eq!(names, ["HOME", "MINE", "PATH"]);
}

#[tokio::test]
async fn an_interrupted_installation_does_not_count_as_complete() {
    let fixture = Fixture::yaml(
        "install: [[sh, -c, 'echo half > \"{{ dir }}/part\"; test -e \"{{ here }}/go\" || exec sleep 1000']]\n\
         launch: {command: [sleep, '1000']}\nready: {get: /ready}\n",
    );
    let (definition, cache) = (fixture.find().unwrap(), fixture.cache());
    let part = definition.install_dir(&cache).unwrap().join("part");
    {
        let install = definition.install(&cache, &|_| {});
        tokio::select! {
            _ = install => panic!("the installation cannot end"),
            () = eventually("half an installation", || part.exists()) => {}
        }
    }
    assert!(part.exists() && !definition.is_installed(&cache));

    fs::write(fixture.definition_dir().join("go"), "").unwrap();
    let definition = fixture.find().unwrap();
    let progress = Mutex::new(Vec::new());
    // The files of the definition are part of the installation's identity, so this installation is a new one.
    let installed = definition.install(&cache, &|line| progress.lock().unwrap().push(line)).await.unwrap();
    assert!(definition.is_installed(&cache) && installed.dir().join("part").exists());
    assert_eq!(progress.lock().unwrap().len(), 1, "{progress:?}");

    // The second call does nothing and reports no progress.
    definition.install(&cache, &|line| panic!("{line}")).await.unwrap();
}

#[tokio::test]
async fn an_incomplete_installation_is_removed_before_a_new_one() {
    let fixture =
        Fixture::yaml("install: [['true']]\nlaunch: {command: [sleep, '1000']}\nready: {get: /ready}\n");
    let (definition, cache) = (fixture.find().unwrap(), fixture.cache());
    let dir = definition.install_dir(&cache).unwrap();
    fs::create_dir_all(dir.join("venv")).unwrap();
    definition.install(&cache, &|_| {}).await.unwrap();
    assert!(!dir.join("venv").exists());
}

#[tokio::test]
async fn of_two_concurrent_installations_only_one_does_the_work() {
    let fixture = Fixture::yaml(
        "install: [[sh, -c, 'echo once >> \"{{ dir }}/../count\"; sleep 0.3']]\n\
         launch: {command: [sleep, '1000']}\nready: {get: /ready}\n",
    );
    let (definition, cache) = (fixture.find().unwrap(), fixture.cache());
    let (one, two) = tokio::join!(definition.install(&cache, &|_| {}), definition.install(&cache, &|_| {}));
    assert_eq!(one.unwrap().dir(), two.unwrap().dir());
    assert_eq!(fs::read_to_string(cache.join("proxies/count")).unwrap(), "once\n");
}

#[tokio::test]
async fn an_installation_is_in_use_while_an_instance_of_it_exists() {
    let fixture = Fixture::shell("serve");
    let dir = fixture.find().unwrap().install_dir(&fixture.cache()).unwrap();
    // The definition and the installation are dropped here: only the instance holds the lock.
    let instance = fixture.launch().await.unwrap();
    assert_eq!(remove_installation(&dir).unwrap(), Removal::InUse);
    assert!(fixture.find().unwrap().is_installed(&fixture.cache()));
    instance.stop().await;
    assert_eq!(remove_installation(&dir).unwrap(), Removal::Removed);
    assert!(!fixture.find().unwrap().is_installed(&fixture.cache()));
    // After that, it can be installed again.
    fixture.launch().await.unwrap().stop().await;
}

#[tokio::test]
async fn a_failed_installation_shows_the_end_of_its_output_and_the_next_step() {
    let fixture = Fixture::yaml(
        "version: '1.2'\ninstall: [[sh, -c, 'echo no version {{ version }} >&2; exit 3']]\n\
         install_help: does {{ version }} exist?\n\
         launch: {command: [sleep, '1000']}\nready: {get: /ready}\n",
    );
    let error = fixture.launch().await.unwrap_err();
    let text =
        regex::Regex::new("1.2-[0-9a-f]{12}").unwrap().replace(&fixture.plain(&error), "DIR").into_owned();
    insta::assert_snapshot!(text, @r"
    installing fake 1.2 failed: `sh -c 'echo no version 1.2 >&2; exit 3'` exited with code 3
      no version 1.2
    the full output is in TMP/cache/proxies/fake-DIR.log
    help: does 1.2 exist?
    ");
    assert!(!fixture.find().unwrap().is_installed(&fixture.cache()));
}

#[tokio::test]
async fn an_installation_that_fails_is_tried_again_with_other_requirements() {
    let rest = |fallback: &str| {
        format!(
            "install:\n  - [sh, -c, 'echo 1 >> ../count']\n  - [sh, -c, 'echo {{% if fallback %}}{fallback}{{% else %}}lacks a \
             package >&2; exit 3{{% endif %}}']\n  - [sh, -c, 'echo 3 >> ../count']\n\
             launch: {{command: [sleep, '1000']}}\nready: {{get: /ready}}\n"
        )
    };
    let fixture = Fixture::yaml(&rest("instead"));
    let (definition, cache) = (fixture.find().unwrap(), fixture.cache());
    let progress = Mutex::new(Vec::new());
    definition.install(&cache, &|line| progress.lock().unwrap().push(line)).await.unwrap();
    let progress = progress.lock().unwrap().join("\n");
    assert!(progress.contains("that exited with code 3; trying again with other requirements"), "{progress}");
    assert!(progress.contains("\n  lacks a package\n"), "{progress}");
    assert_eq!(fs::read_to_string(cache.join("proxies/count")).unwrap(), "1\n3\n", "no command runs twice");
    assert!(definition.installed_instead(&cache).is_some());

    let fixture = Fixture::yaml(&rest("lacks others too; exit 4"));
    let error = fixture.launch().await.unwrap_err().to_string();
    assert!(error.contains("lacks a package") && error.contains("lacks others too"), "{error}");
    assert!(error.contains("exited with code 4"), "{error}");
}

#[tokio::test]
async fn a_command_without_another_form_runs_only_once() {
    let fixture = Fixture::yaml(
        "install: [[sh, -c, 'echo once >> ../count; exit 3']]\n\
         launch: {command: [sleep, '1000']}\nready: {get: /ready}\n",
    );
    fixture.launch().await.unwrap_err();
    assert_eq!(fs::read_to_string(fixture.cache().join("proxies/count")).unwrap(), "once\n");
    assert_eq!(fixture.find().unwrap().installed_instead(&fixture.cache()), None);
}

#[tokio::test]
async fn the_date_of_a_release_is_asked_for_once_and_only_if_a_command_uses_it() {
    let releases =
        "releases: {list: ['false'], date: [sh, -c, 'echo asked >> \"$0\"; echo 2026-02-28', COUNT]}";
    for (argument, count) in [("{{ published_by }}", "asked\n"), ("nothing", "")] {
        let fixture = Fixture::yaml("");
        let file = fixture.folder.path().join("count");
        let releases = releases.replace("COUNT", &file.display().to_string());
        fs::write(
            fixture.definition_dir().join("proxy.yaml"),
            format!(
                "name: fake\napis: {{}}\ninstall: [[sh, -c, 'echo {argument} > ../date']]\n{releases}\n\
                 launch: {{command: [sleep, '1000']}}\nready: {{get: /ready}}\n"
            ),
        )
        .unwrap();
        let (definition, cache) = (fixture.find().unwrap(), fixture.cache());
        for _ in 0..2 {
            definition.install(&cache, &|_| {}).await.unwrap();
        }
        assert_eq!(fs::read_to_string(file).unwrap_or_default(), count);
        let date = fs::read_to_string(cache.join("proxies/date")).unwrap();
        assert_eq!(date.trim(), argument.replace("{{ published_by }}", "2026-03-01"));
    }
}

/// A service that writes its process id to a file.
const SERVICE: &str = "services:\n  box:\n    prepare: [[sh, -c, 'echo prepared > prepared']]\n    \
                       command: [sh, -c, 'cp prepared again; echo $$ > pid; exec sleep 1000']\n    \
                       ready: [test, -s, '{{ services.box.dir }}/pid']\n\
                       env: {BOX: '{{ services.box.port }} {{ services.box.dir }}'}\n";

#[tokio::test]
async fn a_service_starts_before_the_proxy_and_ends_with_it() {
    let fixture = Fixture::shell("test -s \"${BOX#* }/pid\" || exit 9\necho \"$BOX\" > box\nserve");
    let instance = fixture.launch_extended(SERVICE).await.unwrap();
    let folder = fixture.folder.path().join("instance/service-box");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap().trim().to_owned();
    let service = read("pid");
    assert!(is_alive(&service));
    assert_eq!(read("again"), "prepared");
    let address = fs::read_to_string(fixture.folder.path().join("instance/box")).unwrap();
    let (port, dir) = address.trim().split_once(' ').unwrap();
    assert_eq!(dir, folder.display().to_string());
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0));
    assert_eq!(instance.exited(), None);
    instance.stop().await;
    assert!(!is_alive(&service), "the service is still running");

    // A proxy without its service is not the one that was to be tested.
    let instance = fixture.launch_extended(SERVICE).await.unwrap();
    Command::new("kill").args(["-9", &read("pid")]).status().unwrap();
    eventually("the end of the service", || instance.exited().is_some()).await;
    assert_eq!(instance.exited().unwrap(), "lost its service box, which was killed by signal 9");
    instance.stop().await;
}

#[tokio::test]
async fn a_service_that_does_not_start_is_an_error_with_its_log() {
    let fixture = Fixture::shell("serve");
    let service = |within: &str, prepare: &str, command: &str, ready: &str| {
        format!(
            "services: {{box: {{within: {within}, prepare: [[sh, -c, '{prepare}']], command: [sh, -c, '{command}'], ready: \
             [{ready}]}}}}"
        )
    };
    let mut said = String::new();
    for (within, prepare, command, ready) in [
        ("20s", "true", "echo no memory; exit 3", "'false'"),
        ("20s", "echo no disk; exit 4", "true", "'true'"),
        ("1s", "true", "exec sleep 1000", "'false'"),
    ] {
        let error = fixture.launch_extended(&service(within, prepare, command, ready)).await.unwrap_err();
        said += &format!("{}\n\n", fixture.plain(&error));
    }
    insta::assert_snapshot!(said, @"
    cannot start box for fake: `sh -c 'echo no memory; exit 3'` exited with code 3 before it was ready
      no memory
    its log: TMP/instance/service-box.log
    help: run the command by hand to see why, or check `services` in the definition

    cannot start box for fake: `sh -c 'echo no disk; exit 4'` exited with code 4
      no disk
    its log: TMP/instance/service-box.log
    help: run the command by hand to see why, or check `services` in the definition

    cannot start box for fake: `false` took longer than 1s
      (it wrote nothing to its log)
    its log: TMP/instance/service-box.log
    help: run the command by hand to see why, or check `services` in the definition
    ");
}

#[tokio::test]
async fn a_missing_program_is_named_with_a_way_to_install_it() {
    let fixture = Fixture::yaml(
        "needs: {no-such-program: see https://example.org/install}\n\
         install: [[no-such-program, now]]\nlaunch: {command: [sleep, '1000']}\nready: {get: /ready}\n",
    );
    let error = fixture.launch().await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r"
    fake needs the program `no-such-program`, which is not on the PATH
    help: see https://example.org/install
    ");
    let checks = fixture.find().unwrap().doctor(&fixture.cache());
    assert!(!checks[0].ok && checks[0].detail.contains("https://example.org/install"), "{checks:?}");
}

#[tokio::test]
async fn a_missing_launch_command_is_reported_with_its_file() {
    let fixture = Fixture::yaml("launch: {command: ['{{ dir }}/nothing']}\nready: {get: /ready}\n");
    let error = fixture.launch().await.unwrap_err();
    assert!(matches!(error, ProxyError::Spawn { .. }), "{error}");
    assert!(error.to_string().contains("fake/proxy.yaml"), "{error}");
}

#[tokio::test]
async fn request_and_paths_adapt_a_route_to_the_proxy() {
    let fixture = Fixture::shell("serve");
    fs::write(
        fixture.definition_dir().join("proxy.yaml"),
        "name: fake\napis: {openai/chat: [openai]}\n\
         launch: {command: [sh, \"{{ here }}/server.sh\", \"{{ port }}\"]}\n\
         ready: {get: /ready, within: 20s}\n\
         auth: {headers: {X-Key: \"{{ proxy_key }}\"}}\n\
         paths: {openai/chat: /openai/chat}\n\
         request: {headers: {X-Base: \"{{ route.base_url }}\"}, path: \"/{{ route.model }}{{ path }}\",\n  \
         body: {extra: {keys: [\"{{ route.api_key }}\", 1]}}}\n",
    )
    .unwrap();
    let route = ProxyRoute {
        model: "m1".to_owned(),
        api: Api::OpenaiChat,
        provider: Provider::Openai,
        upstream_model: "gpt".to_owned(),
        base_url: "http://127.0.0.1:1/v1".to_owned(),
        api_key: "sk-up".to_owned(),
        fallbacks: Vec::new(),
        settings: ProxySettings::default(),
        group: "case".to_owned(),
        own: serde_json::Value::Null,
    };
    let installed = fixture.find().unwrap().install(&fixture.cache(), &|_| {}).await.unwrap();
    let launch = Launch {
        routes: [route.clone()].into(),
        settings: InstanceSettings::default(),
        ca: "ca.pem".into(),
        work_dir: fixture.folder.path().join("instance"),
    };
    let instance = installed.launch(launch, &|_| {}).await.unwrap();
    assert_eq!(
        instance.addressing().path(Api::OpenaiChat, false, &route).as_deref(),
        Some("/m1/openai/chat")
    );
    assert_eq!(
        instance.addressing().headers(&route),
        [
            ("x-key".to_owned(), instance.addressing().proxy_key().unwrap().to_owned()),
            ("x-base".to_owned(), route.base_url.clone())
        ]
    );
    assert_eq!(
        serde_json::Value::from(instance.addressing().body(&route)),
        serde_json::json!({"extra": {"keys": ["sk-up", 1]}})
    );
    instance.stop().await;
}

#[test]
fn a_folder_replaces_the_bundled_definition_with_the_same_name() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(Definition::find("litellm", root.path()).unwrap().version, "1.110.2");
    assert_eq!(Definition::find("litellm@1.90.7", root.path()).unwrap().version, "1.90.7");
    let own = root.path().join("proxies/litellm");
    fs::create_dir_all(&own).unwrap();
    write_minimal(&own, "litellm", "9.9");
    assert_eq!(Definition::find("litellm", root.path()).unwrap().version, "9.9");
    let by_path = format!("{}@8", own.display());
    assert_eq!(Definition::find(&by_path, Path::new("/")).unwrap().version, "8");
}

fn write_minimal(folder: &Path, name: &str, version: &str) {
    let text = format!(
        "name: {name}\nversion: '{version}'\napis: {{}}\nlaunch: {{command: [x]}}\nready: {{get: /}}\n"
    );
    fs::write(folder.join("proxy.yaml"), text).unwrap();
}
