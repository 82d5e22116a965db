//! The steps by which someone sees the behaviour of a case in a shell: the mock provider, the proxy, the requests.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
};

use indexmap::IndexMap;

use crate::{
    event::CaseReport,
    judge,
    observation::{Exchange, Identity, Observation, StepName},
    proxy::{Definition, StandaloneProxy},
    report::{ReproStep, curl_words, wrapped_command},
    runner,
    scenario::{Api, Case, FaultStage, Transport, arm_text},
    shell,
    upstream::planned_base_urls,
};

/// The name of the mock in its URLs, model names and keys. It is as long as the tokens of a run, so that lengths in a
/// recorded observation stay correct when it replaces one.
pub(super) const NAME: &str = "reproduction";

/// Where the mock and the proxy are, and the key of the proxy.
pub(super) struct ReproPlaces {
    /// The address of the mock.
    pub mock: SocketAddr,
    /// The URL of the proxy.
    pub proxy: String,
    /// The key with which callers authenticate.
    pub key: String,
}

impl Default for ReproPlaces {
    /// The places in the steps of a bug report.
    fn default() -> Self {
        Self {
            mock: SocketAddr::from((Ipv4Addr::LOCALHOST, 4777)),
            proxy: StandaloneProxy::ROOT.to_owned(),
            key: StandaloneProxy::KEY.to_owned(),
        }
    }
}

/// How long the mock may take to start, in seconds.
const MOCK_WITHIN: u64 = 30;

/// The file with the mock's certificate authority.
const CA: &str = "ca.pem";

/// The identity of the case in the steps.
pub(super) fn identity() -> Identity {
    Identity { token: NAME.to_owned() }
}

/// A case with the names and addresses of `places` instead of those of the run.
pub(super) fn renamed(case: &CaseReport, places: &ReproPlaces) -> CaseReport {
    let Some(observation) = &case.observation else { return case.clone() };
    let arrangement = &observation.arrangement;
    let mut names = vec![(arrangement.identity.token.clone(), NAME.to_owned())];
    if let [address] = arrangement.upstream_addresses.as_slice() {
        names.push((address.clone(), places.mock.to_string()));
    }
    if let Some(origin) = observation.exchanges.first().and_then(|exchange| origin(&exchange.url)) {
        names.push((origin.to_owned(), places.proxy.clone()));
    }
    let text = serde_json::to_string(case).map(|text| {
        names.iter().filter(|(old, _)| !old.is_empty()).fold(text, |text, (old, new)| text.replace(old, new))
    });
    text.and_then(|text| serde_json::from_str(&text)).unwrap_or_else(|_| case.clone())
}

/// `http://HOST:PORT`
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    Some(&url[..url[host..].find('/').map_or(url.len(), |end| host + end)])
}

/// What the mock does in the steps, as `upfault serve --arm` reads it.
///
/// # Errors
/// If no mock can do it. The text is the reason.
pub(super) fn mock(case: &Case, report: &CaseReport) -> Result<String, String> {
    let mut healthy_after = BTreeMap::new();
    if let Some(observation) = &report.observation
        && let Some(recovery) = about_recovery(report, observation)
    {
        let turns = || case.scenario.deployments.values().flatten();
        if turns().flat_map(|turn| &turn.faults).any(|fault| fault.stage() == FaultStage::Address) {
            return Err("the address of the provider has to work again before the last request".to_owned());
        }
        for name in case.scenario.deployments.keys() {
            let before = observation.attempts.iter().filter(|attempt| attempt.at_ms < recovery.sent_ms);
            healthy_after.insert(name.as_str(), before.filter(|attempt| attempt.deployment == *name).count());
        }
    }
    Ok(arm_text(case, &healthy_after))
}

/// The steps for a case with this result. `siblings` are the cases with which it is compared.
///
/// # Errors
/// If there are no such steps. The text is the reason.
pub(super) fn steps(
    definition: Option<&Definition>,
    case: &Case,
    report: &CaseReport,
    siblings: &[CaseReport],
) -> Result<Vec<ReproStep>, String> {
    let Some(definition) = definition else {
        return Err("upfault does not know how this proxy is configured and started".to_owned());
    };
    if report.observation.is_none() {
        return Err("the report contains no requests of it".to_owned());
    }
    if case.combination.api == Api::OpenaiRealtime {
        return Err("curl cannot hold a WebSocket session".to_owned());
    }
    let mock = mock(case, report)?;
    let case = &definition.fitted(case)?;
    let places = ReproPlaces::default();
    let urls = base_urls(case, places.mock).map_err(|error| error.to_string())?;
    let routes = runner::routes(case, &identity(), |name| urls[name].clone());
    let settings = definition.instance_settings(&case.scenario.proxy);
    let needs_ca = case.scenario.transport != Transport::Plain;
    let proxy = definition
        .standalone(&routes, settings, needs_ca.then_some(CA))
        .map_err(|error| error.to_string())?;
    let steps = vec![
        ReproStep {
            text: "Start a mock of the provider. It does what the list says, one entry for each request; the last entry \
                   repeats. `mock.log` contains its output."
                .to_owned(),
            lines: mock_lines(places.mock, &mock),
        },
        ReproStep {
            text: format!(
                "Start {} with a minimal configuration. `proxy.log` contains its output.",
                definition.title()
            ),
            lines: proxy_lines(&proxy, needs_ca.then_some(places.mock)),
        },
        ReproStep {
            text: "Send the request, and see the response.".to_owned(),
            lines: requests(&places, report, siblings),
        },
        ReproStep { text: "Stop both.".to_owned(), lines: "kill $PROXY $MOCK\n".to_owned() },
    ];
    Ok(steps)
}

/// The base URL of each deployment on the mock.
fn base_urls(case: &Case, mock: SocketAddr) -> std::io::Result<IndexMap<String, String>> {
    let scenario = &case.scenario;
    let provider = case.combination.provider;
    planned_base_urls(mock, provider, scenario.transport, &identity(), &scenario.deployments)
}

fn mock_lines(address: SocketAddr, mock: &str) -> String {
    let listen = address.to_string();
    let arm = format!("{NAME}=mock.json");
    let serve = shell::command(&["upfault", "serve", "--listen", &listen, "--arm", &arm]);
    let health = format!("http://{address}/_upfault/health");
    format!(
        "cd \"$(mktemp -d)\"\n{}{serve} > mock.log 2>&1 &\nMOCK=$!\n{}",
        file("mock.json", mock),
        wait(&health, MOCK_WITHIN)
    )
}

fn proxy_lines(proxy: &StandaloneProxy, authority: Option<SocketAddr>) -> String {
    let mut lines = String::new();
    if let Some(mock) = authority {
        let url = format!("http://{mock}/_upfault/ca.pem");
        let _ = writeln!(lines, "curl -so {CA} {url}");
    }
    for (name, text) in &proxy.files {
        lines.push_str(&file(name, text));
    }
    for command in &proxy.install {
        let _ = writeln!(lines, "{}", shell::command(command));
    }
    let env = proxy.env.iter().map(|(name, value)| format!("{name}={} ", shell::word(value)));
    let _ = writeln!(lines, "{}{} > proxy.log 2>&1 &", env.collect::<String>(), shell::command(&proxy.start));
    lines.push_str("PROXY=$!\n");
    lines.push_str(&wait(&proxy.ready, proxy.ready_within));
    lines
}

/// A line that waits until a server answers, for at most this number of seconds.
fn wait(url: &str, seconds: u64) -> String {
    format!("curl -so /dev/null --retry {seconds} --retry-delay 1 --retry-connrefused {}\n", shell::word(url))
}

/// A line that writes a file.
fn file(name: &str, text: &str) -> String {
    let text = text.trim_end_matches('\n');
    let mut end = "EOF".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("cat > {} <<'{end}'\n{text}\n{end}\n", shell::word(name))
}

/// Command lines that send the requests of a case. `siblings` are the cases with which it is compared.
pub(super) fn requests(places: &ReproPlaces, report: &CaseReport, siblings: &[CaseReport]) -> String {
    let mut lines = sent(places, report);
    if !report.findings.iter().any(|finding| judge::kin_of(&finding.rule).is_some()) {
        return lines;
    }
    for sibling in siblings.iter().filter(|sibling| sibling.matrix.api == report.matrix.api) {
        let _ = write!(
            lines,
            "\n# The case that it is compared with, {}, after the mock has started again from the first entry\n\
             curl -X POST http://{}/_upfault/ledger/{NAME}/reset\n{}",
            sibling.id,
            places.mock,
            sent(places, sibling)
        );
    }
    lines
}

/// The recovery request, if a finding is about it.
fn about_recovery<'a>(report: &CaseReport, observation: &'a Observation) -> Option<&'a Exchange> {
    let concerned = report.findings.iter().any(|finding| finding.rule.starts_with("recovery."));
    observation.exchanges.iter().find(|exchange| concerned && exchange.step == StepName::Recovery)
}

/// Command lines that send the requests of one case in their order, concurrently if the caller did.
fn sent(places: &ReproPlaces, report: &CaseReport) -> String {
    let case = renamed(report, places);
    let Some(observation) = &case.observation else { return String::new() };
    let steps = observation.exchanges.iter().filter(|exchange| exchange.step != StepName::Recovery);
    let all: Vec<&Exchange> = steps.chain(about_recovery(report, observation)).collect();
    let mut lines = String::new();
    let mut over_ms = None;
    for group in all.chunk_by(|_, next| next.together) {
        let several = group.len() > 1;
        let sent_ms = group.iter().map(|exchange| exchange.sent_ms).fold(f64::INFINITY, f64::min);
        // A shorter gap is the time that upfault itself needs between two requests.
        if let Some(pause_ms) = over_ms.map(|over_ms: f64| sent_ms - over_ms).filter(|pause| *pause >= 500.0)
        {
            let _ = writeln!(lines, "sleep {:.1}", pause_ms / 1000.0);
        }
        over_ms = Some(group.iter().map(|exchange| exchange.end_ms).fold(0.0, f64::max));
        for (n, exchange) in (1..).zip(group) {
            if let Some(left) = &exchange.left {
                let _ = writeln!(lines, "# The caller {}: --max-time comes close to that", left.how);
            }
            lines.push_str(curl(places, observation, exchange).trim_end());
            lines.push_str(if several { " &\n" } else { "\n" });
            if several {
                let _ = writeln!(lines, "REQUEST_{n}=$!");
            }
        }
        if several {
            let all: Vec<String> = (1..=group.len()).map(|n| format!("$REQUEST_{n}")).collect();
            let _ = writeln!(lines, "wait {}", all.join(" "));
        }
    }
    lines
}

fn curl(places: &ReproPlaces, observation: &Observation, exchange: &Exchange) -> String {
    let mut exchange = exchange.clone();
    // In a recorded observation, this is the placeholder of the proxy's key.
    if let Some(key) = observation.arrangement.proxy_secrets.first().filter(|key| !key.is_empty()) {
        let fill = |text: &mut String| *text = text.replace(key.as_str(), &places.key);
        fill(&mut exchange.url);
        exchange.request_headers.iter_mut().for_each(|(_, value)| fill(value));
        fill(&mut exchange.request_body);
    }
    let mut words = curl_words(&exchange, &[]);
    if let Some(left) = &exchange.left
        && let Some(place) = words.iter().position(|word| word == "-siN")
    {
        let seconds = ((left.at_ms - exchange.sent_ms) / 1000.0).max(0.1);
        words.splice(place + 1..=place, ["--max-time".to_owned(), format!("{seconds:.1}")]);
    }
    wrapped_command(&words)
}
