//! `doctor`, `proxy clean`, `completions` and `man`: what upfault says about a machine, and what it adds to one.

use std::{fs, process::Command};

use super::stage::Stage;

/// Writes a complete installation into the cache.
fn installation(stage: &Stage, folder: &str, proxy: &str, version: &str) {
    let stamp = format!("{{\"proxy\": \"{proxy}\", \"version\": \"{version}\", \"commands\": []}}");
    stage.write(&format!("cache/proxies/{folder}/.upfault-installed.json"), &stamp);
    stage.write(&format!("cache/proxies/{folder}/lib/file"), &"x".repeat(1500));
    stage.write(&format!("cache/proxies/{folder}.lock"), "");
    stage.write(&format!("cache/proxies/{folder}.log"), "installed\n");
}

#[test]
fn doctor_shows_the_version_the_cache_the_project_and_the_proxies() {
    let stage = Stage::small();
    installation(&stage, "old-0.1-abc", "old", "0.1");
    stage.write("upfault.toml", "proxy = \"builtin\"\n");
    let cache = stage.path("cache").display().to_string();
    let version = format!("upfault   {}", env!("CARGO_PKG_VERSION"));
    let toml = stage.path("upfault.toml").display().to_string();
    stage.upfault(&["doctor"]).code(0).out_has(&[
        &version,
        &cache,
        "1.56 kB; 1 installed proxy takes 1.55 kB",
        &format!("{toml} (proxy: builtin)"),
        "scenarios all can run on this operating system",
        "\n  litellm ",
        "\n  nginx ",
    ]);
    stage.write("file", "");
    stage
        .with_env("UPFAULT_CACHE", "file", &["doctor"])
        .code(3)
        .out_has(&["BAD: cannot be written", "UPFAULT_CACHE"]);
    stage.write("upfault.toml", "proxxy = \"builtin\"\n");
    stage
        .upfault(&["doctor"])
        .code(3)
        .out_has(&["BAD: it does not load; `upfault check` says why", "\n  litellm "]);
}

#[test]
fn doctor_shows_the_proxies_of_the_project_and_needs_nothing_for_an_installed_one() {
    let stage = Stage::small();
    stage.fake_in("proxies", "honest");
    stage.write("proxies/bad/proxy.yaml", "name: [\n");
    stage.write("upfault.toml", "proxy = \"litellm@1.90.7\"\n");
    let without_programs = |stage: &Stage| stage.with_env("PATH", "/nowhere", &["doctor"]).code(0);
    let row = |text: &str, name: &str| {
        let row = text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{name} ")));
        row.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    };
    let said = without_programs(&stage).out_has(&["uv is not on the PATH: "]);
    assert_eq!(row(&said.out, "litellm@1.90.7"), "cannot run here: uv is not on the PATH");
    assert!(row(&said.out, "proxies/bad").starts_with("does not load: "), "{}", said.out);
    assert!(!row(&said.out, "proxies/honest").is_empty());
    // What the release is installed with matters no more.
    let shown = stage.upfault(&["proxy", "show", "litellm@1.90.7"]).code(0);
    let folder =
        shown.out.lines().find_map(|line| line.trim().strip_prefix("will be installed in ")).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(format!("{folder}/.upfault-installed.json"), "{}").unwrap();
    let said = without_programs(&stage);
    assert_eq!(row(&said.out, "litellm@1.90.7"), "installed");
    assert_eq!(row(&said.out, "litellm"), "cannot run here: uv is not on the PATH");
}

#[test]
fn clean_removes_installations_that_no_definition_names() {
    let stage = Stage::small().fake("honest");
    installation(&stage, "old-0.1-abc", "old", "0.1");
    stage.write("cache/proxies/broken-1-def/lib/file", "half");
    stage.write("cache/proxies/broken-1-def.lock", "");
    stage.write("cache/runs/20260101T000000/log", "a log");
    fs::create_dir_all(stage.path("proxies")).unwrap();
    fs::rename(stage.path("honest"), stage.path("proxies/honest")).unwrap();
    stage.upfault(&["proxy", "install", "honest"]).code(0);

    let said = stage.upfault(&["proxy", "clean", "--dry-run"]).code(0);
    let said = said.out_has(&[
        "would go old 0.1, 1.5",
        "would go incomplete installation",
        "kept     fake",
        "would remove 2 installations",
    ]);
    assert!(said.out.contains("broken-1-def"), "{}", said.out);
    assert!(stage.path("cache/proxies/old-0.1-abc/lib/file").exists(), "nothing was removed");

    stage.upfault(&["proxy", "clean"]).code(0).out_has(&["removed  old 0.1", "removed 2 installations"]);
    let left = stage.tree("cache/proxies");
    assert!(left.iter().all(|(path, _)| path.to_str().unwrap().contains("/fake-")), "{left:?}");
    assert!(stage.path("cache/runs/20260101T000000/log").exists(), "logs of runs stay");

    stage.upfault(&["proxy", "clean"]).code(0).out_has(&["kept     fake", "there is nothing to remove"]);
    stage
        .upfault(&["proxy", "clean", "--all"])
        .code(0)
        .out_has(&["removed  fake", "removed 1 installation,"]);
    stage.upfault(&["proxy", "clean", "--all"]).code(0).out_has(&["there is nothing to remove"]);
}

#[test]
fn clean_keeps_every_release_that_the_settings_can_mean() {
    let stage = Stage::small();
    installation(&stage, "litellm-1.106.9-abc", "litellm", "1.106.9");
    installation(&stage, "litellm-1.105.0-abc", "litellm", "1.105.0");
    stage.write("upfault.toml", "proxy = \"litellm@1.106\"\n");
    stage
        .upfault(&["proxy", "clean", "--dry-run"])
        .code(0)
        .out_has(&["kept     litellm 1.106.9", "would go litellm 1.105.0"]);
}

#[test]
fn clean_leaves_the_definitions_of_a_project_that_is_its_own_cache() {
    let stage = Stage::small().fake("honest");
    fs::create_dir_all(stage.path("proxies")).unwrap();
    fs::rename(stage.path("honest"), stage.path("proxies/honest")).unwrap();
    stage.write("proxies/notes/todo.md", "mine");
    let before = stage.tree("proxies");
    for words in [&["proxy", "clean", "--all"][..], &["proxy", "clean", "--all", "--dry-run"]] {
        stage.with_env("UPFAULT_CACHE", ".", words).code(0).out_has(&["there is nothing to remove"]);
        assert_eq!(stage.tree("proxies"), before);
    }
    stage.with_env("UPFAULT_CACHE", ".", &["proxy", "install", "honest"]).code(0);
    stage.with_env("UPFAULT_CACHE", ".", &["proxy", "clean", "--all"]).code(0).out_has(&["removed  fake"]);
    assert_eq!(stage.tree("proxies"), before);
}

#[test]
fn clean_says_the_same_about_an_installation_in_use_with_and_without_dry_run() {
    let stage = Stage::small();
    installation(&stage, "old-0.1-abc", "old", "0.1");
    let lock = fs::File::open(stage.path("cache/proxies/old-0.1-abc.lock")).unwrap();
    lock.lock_shared().unwrap();
    for (words, end) in [
        (&["proxy", "clean", "--dry-run"][..], "would remove nothing: 1 installation in use"),
        (&["proxy", "clean"], "removed nothing: 1 installation in use"),
    ] {
        stage.upfault(words).code(0).out_has(&["in use   old 0.1", end]);
    }
    lock.unlock().unwrap();
    stage.upfault(&["proxy", "clean", "--dry-run"]).code(0).out_has(&["would go old 0.1", "would remove 1"]);
    stage.upfault(&["proxy", "clean"]).code(0).out_has(&["removed  old 0.1", "removed 1"]);
}

/// What bash would offer for the last word.
fn offered(stage: &Stage, words: &[&str]) -> Vec<String> {
    let mut command = stage.command(&[&["--", "upfault"], words].concat());
    command
        .env("UPFAULT_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", "\n");
    stage.ended(command).code(0).out.lines().map(str::to_owned).collect()
}

#[test]
fn a_shell_completes_the_names_of_the_project() {
    let stage = Stage::small().fake("honest");
    fs::create_dir_all(stage.path("proxies")).unwrap();
    fs::rename(stage.path("honest"), stage.path("proxies/honest")).unwrap();
    assert_eq!(offered(&stage, &["run", "t/"]), ["t/limit", "t/plain"]);
    assert_eq!(offered(&stage, &["run", "--proxy", "hon"]), ["honest"]);
    assert_eq!(offered(&stage, &["run", "--proxy", "lite"]), ["litellm"]);
    assert_eq!(offered(&stage, &["explain", "stream.no-for"]), ["stream.no-forged-success"]);
    assert_eq!(offered(&stage, &["explain", "anthropic/overl"]), ["anthropic/overloaded"]);
    assert_eq!(offered(&stage, &["explain", "anthropic", "overl"]), ["overloaded"]);
    assert_eq!(offered(&stage, &["new", "--error", "anthropic/overl"]), ["anthropic/overloaded"]);
    assert_eq!(offered(&stage, &["repro", "t/limit["]), ["t/limit[stream]"]);
    assert_eq!(offered(&stage, &["run", "--policy", "str"]), ["strict"]);
    assert_eq!(offered(&stage, &["run", "--filter", "api:anthropic/m"]), ["api:anthropic/messages"]);
    assert_eq!(offered(&stage, &["proxy", "cle"]), ["clean"]);
    assert!(
        !offered(&stage, &["run", "stream."]).contains(&"stream.no-forged-success".to_owned()),
        "`run` takes no rule"
    );
    // A project whose files do not load still completes the bundled names.
    stage.write("scenarios/t/bad.yaml", "title: [\n");
    assert_eq!(
        offered(&stage, &["run", "limits/rate-limit-d"]).len(),
        offered(&stage, &["list", "limits/rate-limit-d"]).len()
    );
    assert!(offered(&stage, &["run", "limits/rate"]).contains(&"limits/rate-limit".to_owned()));
}

#[test]
fn the_script_for_bash_completes_in_bash() {
    let stage = Stage::small();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        stage.upfault(&["completions", shell]).code(0).out_has(&["UPFAULT_COMPLETE", "upfault"]);
    }
    stage.upfault(&["completions", "csh"]).code(2).err_has(&["csh", "bash"]);
    if Command::new("bash").arg("--version").output().is_err() {
        return;
    }
    let line = "bash -c 'source <(upfault completions bash)\n\
                COMP_WORDS=(upfault run t/l) COMP_CWORD=2\n\
                _clap_complete_upfault upfault t/l run\n\
                printf \"%s\\n\" \"${COMPREPLY[@]}\"'";
    assert_eq!(stage.ended(stage.shell(line)).code(0).out.trim(), "t/limit");
    // Bash splits words at the characters of COMP_WORDBREAKS, and replaces only the last part.
    for (line, words, last, offered) in [
        (
            "upfault run --proxy builtin:rate-limit-as",
            "upfault run --proxy builtin : rate-limit-as",
            "rate-limit-as",
            "rate-limit-as-500",
        ),
        ("upfault run --proxy builtin:", "upfault run --proxy builtin :", "", "rate-limit-as-500"),
        (
            "upfault run --proxy=builtin:rate-limit-as",
            "upfault run --proxy = builtin : rate-limit-as",
            "rate-limit-as",
            "rate-limit-as-500",
        ),
        (
            "upfault run --filter api:anthropic/m",
            "upfault run --filter api : anthropic/m",
            "anthropic/m",
            "anthropic/messages",
        ),
        ("upfault run t/l", "upfault run t/l", "t/l", "t/limit"),
    ] {
        let script = format!(
            "bash -c 'source <(upfault completions bash)\n\
             COMP_LINE=\"{line}\" COMP_WORDS=({words}) COMP_CWORD=$(({} - 1))\n\
             _upfault upfault \"{last}\" previous\n\
             printf \"%s\\n\" \"${{COMPREPLY[@]}}\"'",
            words.split(' ').count()
        );
        let said = stage.ended(stage.shell(&script)).code(0);
        assert!(said.out.lines().any(|one| one == offered), "{line}: {}", said.out);
        assert!(!said.out.contains("builtin") && !said.out.contains("api:"), "{line}: {}", said.out);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let stage = Stage::new();
    stage.upfault(&["man"]).code(0).out_has(&[".TH upfault 1", "Test what an LLM gateway reports"]);
    stage.upfault(&["man", "--to", "man1"]).code(0).out_has(&["manual pages are in"]);
    for name in ["upfault.1", "upfault-run.1", "upfault-proxy.1", "upfault-proxy-clean.1", "upfault-doctor.1"]
    {
        assert!(stage.read(&format!("man1/{name}")).contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(!stage.path("man1/upfault-gateway.1").exists(), "it is hidden");
    stage.write("file", "");
    stage.upfault(&["man", "--to", "file"]).code(4).err_has(&["cannot write"]);
}
