//! `upfault init`

use super::stage::{PLAIN, Stage};

#[test]
fn a_new_project_has_a_valid_settings_file_and_its_own_baseline() {
    let stage = Stage::new();
    let printed = stage.upfault(&["init", "--proxy", "litellm"]).code(0);
    printed.out_has(&[
        "wrote upfault.toml: `upfault run` tests litellm@",
        "copied the baseline of litellm ",
        " snapshots in snapshots/litellm\nnext: `upfault run`;",
    ]);
    let settings = stage.read("upfault.toml");
    assert!(settings.contains("\nproxy = \"litellm@1."), "the version is fixed: {settings}");
    assert!(settings.contains("\nsnapshots = \"snapshots\"\n"), "{settings}");
    stage.upfault(&["check"]).code(0).out_has(&["upfault.toml: valid\n"]);
    let bundled = include_str!("../../snapshots/litellm/limits/rate-limit.snap");
    assert_eq!(stage.read("snapshots/litellm/limits/rate-limit.snap"), bundled);
    assert!(bundled.contains("\nproxy: litellm 1."), "the header names the version");
}

#[test]
fn the_baseline_of_a_project_is_used_instead_of_the_bundled_one() {
    let stage = Stage::new();
    stage.upfault(&["init", "--proxy", "builtin"]).code(0);
    let printed = stage.upfault(&["run", "healthy"]).code(0).out_has(&["Baseline: snapshots/builtin\n"]);
    assert!(!printed.out.contains("bundled"), "{}", printed.out);
}

#[test]
fn existing_files_are_kept_unless_the_user_forces_it() {
    let stage = Stage::new();
    stage.write("upfault.toml", "# ours\n");
    let before = stage.tree(".");
    stage
        .upfault(&["init"])
        .code(2)
        .err_has(&["this folder already contains upfault.toml\nhelp: ", "--force"]);
    assert_eq!(stage.tree("."), before);
    std::fs::remove_file(stage.path("upfault.toml")).unwrap();
    stage.write("snapshots/litellm/limits/rate-limit.snap", "---\nsource: ours\n---\n");
    stage.upfault(&["init"]).code(2).err_has(&["already contains 1 snapshot in snapshots/litellm\n"]);
    assert!(!stage.path("upfault.toml").exists());
    stage.upfault(&["init", "--force"]).code(0);
    assert!(stage.read("snapshots/litellm/limits/rate-limit.snap").contains("== limits/rate-limit"));
    stage.upfault(&["init"]).code(2).err_has(&["already contains upfault.toml and "]);
}

#[test]
fn a_proxy_without_a_bundled_baseline_gets_none_and_the_next_step() {
    let stage = Stage::new().scenario("t/plain", PLAIN).fake("honest");
    for (spec, parts) in [
        ("litellm@1.90.7", &["no baseline of litellm 1.90.7: the bundled ones are of litellm 1."][..]),
        ("honest", &["no baseline of fake: none is bundled with upfault\nnext: `upfault run --accept`"]),
    ] {
        stage.upfault(&["init", "--force", "--proxy", spec]).code(0).out_has(parts);
        assert!(!stage.path("snapshots").exists(), "{spec}");
        stage.upfault(&["check", "upfault.toml"]).code(0);
    }
    let running = stage.upfault(&["init", "--force", "--proxy", "http://127.0.0.1:4000"]).code(2);
    running.err_has(&["init --proxy litellm", "rendered = "]);
    stage.upfault(&["init", "--proxy", "litelm"]).code(2).err_has(&["did you mean `litellm`?"]);
}
