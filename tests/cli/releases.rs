//! Releases, variants and overlays of a proxy.

use super::stage::Stage;

/// An index with three releases, of which one cannot be installed and one only with other requirements.
const RELEASES: &str = "
version: \"1.0.0\"
releases:
  list: [echo, '[\"1.0.0\", \"1.9.3\", \"1.9.10\", \"2.0.0\", \"2.1.0rc1\"]']
  resolve:
    - sh
    - -c
    - 'case \"$0\" in 2.*) echo \"no solution for it\" >&2; exit 1;; 1.9.*) test $1;; esac'
    - \"{{ version }}\"
    - \"{% if fallback %}yes{% endif %}\"
variants:
  loud: {summary: it says more, env: {LOUD: \"1\"}, settings: {extra: {port: \"{{ port }}\"}}}
keeps: {routes: upfault configures them}
";

/// A fake proxy with these releases in the folder `honest`.
fn stage() -> Stage {
    let stage = Stage::small().fake("honest");
    let definition = stage.read("honest/proxy.yaml");
    stage.write("honest/proxy.yaml", &(definition + RELEASES));
    stage
}

#[test]
fn a_run_tests_the_newest_release_of_a_series_and_names_it() {
    let stage = stage();
    for (spec, version) in [("honest@latest", "2.0.0"), ("honest@1.9", "1.9.10"), ("honest", "1.0.0")] {
        let (_, report) = stage.run(&["scenarios/t", "--proxy", spec, "--filter", "plain & t/plain"]);
        assert_eq!(report.proxy.version.as_deref(), Some(version));
    }
    stage
        .upfault(&["run", "--proxy", "honest@3"])
        .code(2)
        .err_has(&["there is no proxy `fake@3`: the newest is 2.0.0", "help: `upfault proxy versions fake`"]);
}

#[test]
fn the_releases_of_a_series_are_listed_with_what_is_known_about_them() {
    let stage = stage();
    stage.upfault(&["proxy", "install", "./honest@1.9.3"]).code(0);
    let listed = stage.upfault(&["proxy", "versions", "./honest"]).code(0).out;
    insta::assert_snapshot!(listed, @"
    fake: the package index offers 4 releases
      2.0.0   cannot be installed: no solution for it
      1.9.10  can be installed with other requirements than its own
      1.0.0   can be installed; the default
    ");
    let listed = stage.upfault(&["proxy", "versions", "./honest", "--all"]).code(0).out;
    insta::assert_snapshot!(listed, @"
    fake: the package index offers 4 releases
      2.0.0
      1.9.10
      1.9.3   installed
      1.0.0   the default
    ");
    stage.fake_in("plain", "honest");
    stage
        .upfault(&["proxy", "versions", "plain/honest"])
        .code(2)
        .err_has(&["does not say how to list the releases of fake", "help: "]);
}

#[test]
fn a_variant_and_options_change_the_proxy_and_have_a_baseline_of_their_own() {
    let stage = stage();
    stage.write("mine.yaml", "routes: []\nmine: {callback: handlers.log}\n");
    stage.write("handlers.py", "# a handler");
    let case = ["scenarios/t", "--filter", "plain & t/plain"];
    let options =
        ["--proxy", "honest:loud", "--set", "A=1", "--set", "extra.b=[1]", "--config-overlay", "mine.yaml"];
    let (printed, report) = stage.run(&[&case[..], &options[..], &["--accept"]].concat());
    printed.code(0).err_has(&["mine.yaml: `routes` is not used: upfault configures them"]);
    assert_eq!(report.proxy.mode.as_deref(), Some("loud, config:mine.yaml, A=1, extra.b=[1]"));
    assert!(stage.path("snapshots/fake,loud,config-mine.yaml,A=1,extra.b=-1-/t/plain.snap").is_file());
    let rendered = stage.tree("cache/runs").into_iter().find(|(path, _)| path.ends_with("config.json"));
    let config: serde_json::Value = serde_json::from_slice(&rendered.unwrap().1).unwrap();
    assert!(config["extra"]["port"].as_str().is_some_and(|port| port.parse::<u16>().is_ok()), "{config}");
    assert_eq!((&config["extra"]["b"][0], &config["mine"]["callback"]), (&1.into(), &"handlers.log".into()));
    assert!(!config["routes"].as_array().unwrap().is_empty());
    let linked = stage.tree("cache/runs").into_iter().find(|(path, _)| path.ends_with("handlers.py"));
    assert_eq!(linked.unwrap().1, b"# a handler");
    stage.upfault(&["proxy", "show", "./honest"]).code(0).out_has(&["variant fake:loud: it says more"]);
}

#[test]
fn a_run_is_compared_with_the_snapshots_and_known_findings_of_another_proxy() {
    let stage = stage();
    // The finding does not occur, so an entry that applies fails the case.
    stage.write(
        "upfault.toml",
        "snapshots = \"snapshots\"\n[[known]]\nproxy = \"other\"\nrule = \"status.rate-limit\"\nversions = \"<2\"\n\
         cases = [\"t/limit\"]\nissue = \"https://example.org/1\"\n",
    );
    let run = |more: &[&str]| {
        let args = ["run", "scenarios/t", "--proxy", "honest", "--filter", "case:t/limit"];
        stage.upfault(&[&args[..], more].concat())
    };
    run(&[]).code(0);
    run(&["--as", "other@2", "--accept"]).code(0);
    assert!(stage.path("snapshots/other/t/limit.snap").is_file());
    run(&["--as", "other@1"]).code(1).out_has(&["https://example.org/1", "--as other@1", "snapshots/other"]);
    run(&["--as", "../other"]).code(2).err_has(&["`--as ../other` is not the name of a proxy"]);
}

#[test]
fn a_version_with_a_snapshot_folder_of_its_own_uses_only_that_one() {
    let stage = stage();
    let run = |spec: &str, more: &[&str]| {
        let args = ["run", "scenarios/t", "--filter", "plain & t/plain", "--proxy", spec];
        stage.upfault(&[&args[..], more].concat()).code(0)
    };
    run("honest@1.9.3", &["--accept"]);
    assert!(stage.path("snapshots/fake/t/plain.snap").is_file());
    stage.write("snapshots/fake@2.0.0/README", "");
    run("honest@2.0.0", &["--accept"]).out_has(&["snapshots/fake@2.0.0/t/plain.snap"]);
    run("honest@2.0.0", &[]).out_has(&["snapshots/fake@2.0.0 (fake 2.0.0)"]);
    run("honest@1.9.3", &[]).out_has(&["snapshots/fake (fake 1.9.3)"]);
    let recorded = stage.read("snapshots/fake/t/plain.snap");
    assert!(recorded.contains("proxy: fake 1.9.3\n"), "{recorded}");
}
