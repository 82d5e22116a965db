//! Which option of `upfault run` each key of the settings file belongs to: one row for each key.

/// A key of the settings file.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettingRow {
    /// The key.
    pub key: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The options that replace its value: `--seed`, or `PATHS` for arguments without a name.
    pub options: &'static [&'static str],
    /// The environment variable that replaces its value.
    pub variable: Option<&'static str>,
    /// What applies without the key.
    pub default: &'static str,
}

const fn row(
    key: &'static str,
    options: &'static [&'static str],
    variable: Option<&'static str>,
    default: &'static str,
    meaning: &'static str,
) -> SettingRow {
    SettingRow { key, meaning, options, variable, default }
}

/// Every key.
pub(super) const SETTINGS: [SettingRow; 19] = [
    row(
        "proxy",
        &["--proxy"],
        Some("UPFAULT_PROXY"),
        "`builtin`",
        "what is tested: `builtin`, `builtin:DEFECT`, `NAME[@VERSION][:VARIANT]`, a folder with a `proxy.yaml`, a URL",
    ),
    row(
        "listen",
        &["--listen"],
        Some("UPFAULT_LISTEN"),
        "a free port on loopback",
        "the address of the mock providers, for a proxy that is already running",
    ),
    row(
        "rendered",
        &["--rendered"],
        Some("UPFAULT_RENDERED"),
        "none",
        "the folder that [`upfault proxy render --to`](attach.md) wrote for a proxy that is already running",
    ),
    row(
        "scenarios",
        &["PATHS"],
        None,
        "the bundled ones, and those in `scenarios/`",
        "a list of files, folders, or names as `upfault list` prints them",
    ),
    row(
        "filter",
        &["--filter"],
        None,
        "all cases",
        "only cases that match this expression: see [Filters](#filters)",
    ),
    row(
        "snapshots",
        &["--snapshots"],
        Some("UPFAULT_SNAPSHOTS"),
        "`snapshots/`, and the bundled ones",
        "the snapshot folder",
    ),
    row(
        "report",
        &["--report"],
        None,
        "no report",
        "the path of a report for each format that every run writes; `-` is standard output",
    ),
    row("seed", &["--seed"], Some("UPFAULT_SEED"), "0", "the seed of all random choices"),
    row(
        "jobs",
        &["--jobs"],
        Some("UPFAULT_JOBS"),
        "adapts to the speed of the proxy",
        "the maximum number of concurrent cases",
    ),
    row(
        "durations",
        &["--durations"],
        None,
        "those of a run with LiteLLM",
        "the durations file by which [`--shard`](ci.md#several-jobs) splits",
    ),
    row("strict", &["--strict"], None, "`false`", "whether known findings fail the run too"),
    row(
        "allow_inconclusive",
        &["--allow-inconclusive"],
        None,
        "5",
        "the run fails if more cases than these are inconclusive",
    ),
    row(
        "fail_fast",
        &["--fail-fast"],
        None,
        "0",
        "the run stops after this many failing cases; 0 runs every case",
    ),
    row(
        "policy",
        &["--policy"],
        Some("UPFAULT_POLICY"),
        "`default`",
        "a name, a policy file, or a table: see [Policy](#policy)",
    ),
    row(
        "failure_output",
        &["--failure-output"],
        None,
        "`first`; with `-v`: `all`",
        "which failing cases are printed in full: the `first` of each kind, `all`, or `none`",
    ),
    row(
        "verbosity",
        &["--quiet", "--verbose"],
        None,
        "`normal`",
        "how much is printed: `quiet` (`-q`), `normal`, `verbose` (`-v`), `full` (`-vv`)",
    ),
    row(
        "providers",
        &[],
        None,
        "none",
        "[files about providers](extending.md), in addition to those in `.upfault/providers`",
    ),
    row(
        "recording_max_age",
        &[],
        None,
        "90 days",
        "the age from which `upfault check` warns of a [recording](record.md): `180d`",
    ),
    row(
        "known",
        &[],
        None,
        "none",
        "findings that an upstream issue explains: see [Known findings](baselines.md#known-findings)",
    ),
];

/// The options of `upfault run` that are not settings, with the reasons.
pub(super) const NOT_SETTINGS: [(&str, &str); 15] = [
    ("--set", "it changes one run; the `proxy` of the file can name a mode"),
    ("--overlay", "it changes one run; the `proxy` of the file can name a mode"),
    ("--config-overlay", "it changes one run; the `proxy` of the file can name a mode"),
    ("--as", "it says for one run what its results are compared with"),
    ("--quick", "a run with fewer cases is a choice of the moment"),
    ("--shard", "each machine runs another shard"),
    ("--accept", "it replaces the baseline, which must be a decision for one run"),
    ("--force", "it belongs to `--accept`"),
    ("--rerun-failed", "it names the report of one run"),
    ("--watch", "a person decides for one session to watch"),
    ("--proxy-key", "a secret does not belong in a file that is committed"),
    ("--color", "it depends on the terminal of the person who looks at it"),
    ("--config", "it chooses the settings file"),
    ("--no-config", "it ignores the settings file"),
    ("--help", "it prints help and runs nothing"),
];
