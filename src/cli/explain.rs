//! `upfault explain`

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use super::{
    args::PathArgs,
    connection,
    context::CliContext,
    explain_args::ExplainArgs,
    explain_catalogue,
    explain_run::{explain_run, is_report},
    failure::Failure,
    lint::WARNINGS,
    print, select,
    settings::Settings,
    word_list, word_table,
};
use crate::{
    dialect,
    fault::{self, Origin},
    judge::{self, Policy, Rule},
    observation::{Identity, StepName},
    provider::{self, RequestedCall},
    report::EXIT_OK,
    runner::identity,
    scenario::{Api, Case, Combination, KnownEntry, LoadError, Setting, Step, Turn, nearest},
};

/// Explains a scenario, a rule or the policies, or judges a stored report again.
pub(super) fn explain(context: &CliContext, args: &ExplainArgs) -> Result<u8, Failure> {
    if args.error.is_none() && is_report(context, &args.what) {
        return explain_run(context, args);
    }
    let option = args.policy.as_ref().map(|_| "--policy").or(args.report.first().map(|_| "--report"));
    if let Some(option) = option {
        return Err(Failure::Usage(format!(
            "{option} applies to a stored report, but `{}` is not a report\nhelp: pass a file that `upfault run --report json=PATH` wrote",
            args.what
        )));
    }
    if let Some(text) = explain_catalogue::explained(context, args)? {
        print::out(&text)?;
        return Ok(EXIT_OK);
    }
    if args.what == "policies" {
        let mut policies = Policy::all();
        policies.extend(Settings::read(context)?.policy.filter(|own| !policies.contains(own)));
        print::fitted(&describe_policies(&policies), context.width)?;
        return Ok(EXIT_OK);
    }
    if let Some(rule) = judge::rule(&args.what) {
        print::fitted(&describe_rule(rule), context.width)?;
        return Ok(EXIT_OK);
    }
    if let Some(row) = WARNINGS.iter().find(|row| row.code == args.what) {
        let text =
            format!("{} (a warning of `upfault check`)\n  {}\n\n  {}\n", row.code, row.title, row.reason);
        print::fitted(&text, context.width)?;
        return Ok(EXIT_OK);
    }
    if args.what == "warnings" {
        let width = WARNINGS.iter().map(|row| row.code.len()).max().unwrap_or(0);
        let lines = WARNINGS.iter().map(|row| format!("{:width$}  {}\n", row.code, row.title));
        print::fitted(&lines.collect::<String>(), context.width)?;
        return Ok(EXIT_OK);
    }
    if args.what == "rules" {
        print::fitted(&word_table::table(&word_list::rules()), context.width)?;
        return Ok(EXIT_OK);
    }
    let paths = PathArgs { paths: vec![PathBuf::from(&args.what)] };
    let settings = Settings::read(context)?;
    let (_, cases) = match select::named(context, &settings, &paths) {
        Err(Failure::Load(LoadError::NotFound { path, near })) => {
            let known = judge::rules().map(|rule| rule.id).chain(WARNINGS.iter().map(|row| row.code));
            let rule = nearest(&args.what, known);
            let catalogue = explain_catalogue::near(&args.what);
            let help = match near.as_deref().or(rule).or(catalogue.as_deref()) {
                _ if path.ends_with(".json") => "`upfault run --report json=PATH` writes a report".to_owned(),
                Some(near) => format!("did you mean `{near}`?"),
                None => "`upfault list` lists scenarios; with `--rules`, `--providers`, `--errors` or `--faults`, it lists these"
                    .to_owned(),
            };
            let what = if path.ends_with(".json") { "report, scenario" } else { "scenario" };
            return Err(Failure::Usage(format!(
                "no {what}, rule or provider is called `{path}`\nhelp: {help}"
            )));
        }
        other => other?,
    };
    let text: String = cases.iter().map(|case| describe_case(case, &settings.known)).collect();
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

/// Every disputed question with the answers of the policies. An answer and reason that several policies share is
/// printed once.
fn describe_policies(policies: &[Policy]) -> String {
    let mut text = String::new();
    for (n, question) in Policy::QUESTIONS.iter().enumerate() {
        let _ =
            writeln!(text, "{}: {}\n  used by {}", question.key, question.asks, question.rules.join(", "));
        let _ = writeln!(text, "  a policy can set: {}", question.possible.join(", "));
        let mut said: Vec<(String, &str)> = Vec::new();
        for policy in policies {
            let (_, answer, reason) = policy.rows().swap_remove(n);
            if !said.contains(&(answer.clone(), reason)) {
                let _ = writeln!(text, "  {}: {answer}\n    {reason}", policy.name);
                said.push((answer, reason));
            }
        }
        text.push('\n');
    }
    text.push_str("levels: rules that are more or less strict than in the contract\n");
    for policy in policies.iter().filter(|policy| !policy.levels.is_empty()) {
        let _ = writeln!(text, "  {}:", policy.name);
        for (rule, ruling) in &policy.levels {
            let _ = writeln!(text, "    {} {}\n      {}", rule.0, ruling.answer, ruling.reason);
        }
    }
    text
}

fn describe_rule(rule: &Rule) -> String {
    let mut text = format!("{} ({})\n  {}\n\n  {}\n", rule.id, rule.level, rule.title, rule.reason);
    if !rule.references.is_empty() {
        let _ = writeln!(text, "\n  See {}.", rule.references.join(", "));
    }
    for question in Policy::questions_of(rule.id) {
        let _ = writeln!(text, "\n  The policy's `{}` decides: {}", question.key, question.asks);
    }
    if rule.timing {
        text.push_str(
            "\n  It depends on timing: upfault repeats a case that breaks it alone before it reports a finding.\n",
        );
    }
    text
}

/// A case and what is known about it. `of_project` are the known findings of the project.
fn describe_case(case: &Case, of_project: &[KnownEntry]) -> String {
    let scenario = &case.scenario;
    let identity = identity(0, &case.id);
    let mut text = format!("{}\n  {}\n  {}\n\n", case.id, scenario.title, scenario.why);
    let shown: Vec<String> = Setting::rows().filter_map(|(_, row)| (row.shown)(&scenario.proxy)).collect();
    let _ = writeln!(text, "  proxy   {}", shown.join(", "));
    if let Some(by) = scenario.speedup {
        let _ = writeln!(text, "  speedup {by}: all times below are those of the file divided by {by}");
    }
    if let Some(account) = &scenario.account {
        let _ = writeln!(text, "  account {account}; requests that it refuses do not count as attempts");
        if account.requests_per_minute.or(account.tokens_per_minute).is_some() {
            text.push_str("          its counters replace the values of rate-limit headers\n");
        }
    }
    for known in scenario.known.iter().chain(of_project) {
        if !known.select(std::slice::from_ref(case)).is_empty() {
            let KnownEntry { proxy, rule, versions, issue, .. } = known;
            let _ = writeln!(text, "  known   {rule} in {proxy} {versions}: {issue}");
        }
    }
    for (n, step) in (1..).zip(&scenario.steps) {
        let _ = writeln!(text, "  step {n}  {}", request(case, &identity, StepName::Step(n), step));
        if let Some(pause) = step.pause {
            let _ = writeln!(text, "          after a pause of {}", humantime::format_duration(pause));
        }
        if let Some(leave) = step.leave {
            let _ = writeln!(text, "          the caller {leave}");
        }
        if let Some(mistake) = step.mistake {
            let _ = writeln!(text, "          the caller {mistake}");
        }
    }
    for (name, turns) in &*scenario.deployments {
        for (n, turn) in (1..).zip(turns) {
            let more = if n as usize == turns.len() { " and every later one" } else { "" };
            let connection = connection::of(&turn.faults);
            for (endpoints, plan) in plans(case, &identity, (name, n), turn, connection.lets_replies_through)
            {
                let _ = writeln!(text, "\n  {name}, attempt {n}{more}{}:", endpoint_note(case, &endpoints));
                for line in &connection.lines {
                    let _ = writeln!(text, "    {line}");
                }
                text.push_str(&plan);
            }
        }
    }
    text.push('\n');
    text
}

/// What goes over the wire for an attempt, for each group of endpoints at which it is the same: the proxy decides
/// which endpoint of the provider it asks.
fn plans(
    case: &Case,
    identity: &Identity,
    (deployment, n): (&str, u32),
    turn: &Turn,
    has_reply: bool,
) -> Vec<(Vec<Api>, String)> {
    let Combination { provider, api, stream } = case.combination;
    let mut endpoints = provider::asked_endpoints(case.combination);
    if endpoints.is_empty() {
        endpoints.push(api);
    }
    let mut groups: Vec<(Vec<Api>, String)> = Vec::new();
    for endpoint in endpoints {
        let mut text = String::new();
        if has_reply {
            let canaries = identity.canaries(deployment, n);
            let asked = RequestedCall::plain(provider, endpoint, stream && endpoint.streams());
            let origin = Origin {
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                token: &identity.token,
                deployment,
                attempt: n,
                seed: 0,
            };
            let plan = fault::plan(turn, &fault::FaultContext { asked: &asked, canaries: &canaries, origin });
            if let Some(note) = turn.answer.own_reply_note(endpoint) {
                let _ = writeln!(text, "    ({note})");
            }
            for line in plan.to_string().lines() {
                let _ = writeln!(text, "    {line}");
            }
            if plan.doubtful {
                text.push_str("    a correct client may accept or reject this reply\n");
            }
        }
        match groups.iter_mut().find(|(_, same)| *same == text) {
            Some((endpoints, _)) => endpoints.push(endpoint),
            None => groups.push((vec![endpoint], text)),
        }
    }
    groups
}

/// Which endpoints a plan is for, if they are not only the one that the caller uses.
fn endpoint_note(case: &Case, endpoints: &[Api]) -> String {
    let Combination { provider, api, .. } = case.combination;
    let names: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.as_str()).collect();
    let names = names.join(" and ");
    match provider::asked_endpoints(case.combination).contains(&api) {
        true if *endpoints == [api] => String::new(),
        false if *endpoints == [api] => format!(" ({provider} has no {api})"),
        true => format!(" (if the proxy asks {names})"),
        false => format!(" ({provider} has no {api}; this shows {names})"),
    }
}

fn request(case: &Case, identity: &Identity, name: StepName, step: &Step) -> String {
    let Combination { api, stream, .. } = case.combination;
    let (model, topic) = (identity.model("primary"), identity.topic(name, 1));
    let request = dialect::request(api, &model, stream, step, Some(&topic));
    format!("{} {} {}", request.method, request.path, request.body.describe()).trim_end().to_owned()
}

/// The description of a case.
#[cfg(test)]
fn described(text: &str) -> String {
    let scenario =
        std::sync::Arc::new(crate::scenario::load_text("x", "f", text).expect("the scenario loads"));
    crate::scenario::expand(&scenario).iter().map(|case| describe_case(case, &[])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_explained_by_its_plan() {
        insta::assert_snapshot!(described(
            "title: T\nwhy: W\nmatrix: {stream: [true]}\nupstream:\n  - reply: ok\n    faults: [{reset: {at: {after_events: 1}}}]\n"
        ), @r#"
        x[stream]
          T
          W

          proxy   timeout 10s, retries 0
          step 1  POST /v1/chat/completions {"model":"upfault-fral4tv3qj53-primary","messages":[{"role":"user","content":"Say fral4tv3qj53 0101."}],"stream":true}

          primary, attempt 1 and every later one:
            head   200 (chunked)
                     content-type: text/event-stream; charset=utf-8
                     x-request-id: req_fral4tv3qj53-primary-1
                     openai-organization: canary-hdr-fral4tv3qj53-primary-1
                     openai-processing-ms: 42
                     openai-version: 2020-10-01
                     x-ratelimit-limit-requests: 500
                     x-ratelimit-limit-tokens: 30000
                     x-ratelimit-remaining-requests: 499
                     x-ratelimit-remaining-tokens: 29972
                     x-ratelimit-reset-requests: 120ms
                     x-ratelimit-reset-tokens: 56ms
            write  268 bytes: "data: {\"id\":\"chatcmpl-fral4tv3qj53-primary-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o-mini\",\"system_fingerprint\":null,\"choices\":[{…"
            wait   100ms
            reset  (TCP RST)
        "#);
    }

    #[test]
    fn faults_before_a_reply_are_described() {
        let text = |faults: &str| {
            described(&format!("title: t\nwhy: w\nupstream: [{{reply: ok, faults: [{faults}]}}]\n"))
        };
        let refused = text("refuse");
        assert!(refused.ends_with("every later one:\n    the connection is refused\n\n"), "{refused}");
        let expired = text("{tls: expired_certificate}, {redirect: 307}");
        assert!(expired.contains("that has expired; a client that accepts it gets:\n    head   307"));
        assert!(text("{content_type: wrong}").contains("a correct client may accept or reject this reply"));
    }

    #[test]
    fn counters_of_an_account_replace_rate_limit_headers() {
        let text = |account: &str| {
            described(&format!("title: t\nwhy: w\naccount: {account}\nupstream: [{{reply: ok}}]\n"))
        };
        let note = "its counters replace the values of rate-limit headers";
        assert!(text("{tokens_per_minute: 100}").contains(note));
        assert!(!text("{keys: {}}").contains(note));
    }

    #[test]
    fn a_provider_without_the_callers_api_is_shown_with_its_equivalent() {
        for (api, provider, heading) in [
            ("openai/chat", "bedrock", "(bedrock has no openai/chat; this shows bedrock/converse):"),
            ("openai/embeddings", "cohere", "(cohere has no openai/embeddings; this shows cohere/embed):"),
            ("anthropic/messages", "openai", "(openai has no anthropic/messages; this shows openai/chat):"),
            ("openai/chat", "mistral", "every later one:"),
        ] {
            let text = described(&format!(
                "title: t\nwhy: w\nmatrix: {{api: [{api}], provider: [{provider}]}}\nupstream: [{{reply: ok}}]\n"
            ));
            assert!(text.contains(heading), "{text}");
        }
    }

    #[test]
    fn a_rule_is_explained_by_its_reason() {
        let rule = judge::rule("headers.retry-after").expect("it is a rule");
        insta::assert_snapshot!(describe_rule(rule), @"
        headers.retry-after (required)
          Retry-After reaches the caller

          SDKs wait as long as it says. Without it, one rate limit becomes a storm of retries.

          See RFC 9110 section 10.2.3, BerriAI/litellm#21553.

          The policy's `retry_after` decides: Does the proxy pass on Retry-After unchanged?
        ");
    }
}
