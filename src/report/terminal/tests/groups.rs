//! Findings that are shown together: known ones, those of one kind, and those of the whole proxy.

use super::*;

#[test]
fn known_findings_are_a_line_for_each_rule() {
    let known =
        |id: &str| CaseReport { change: Some(Difference::default()), verdict: Verdict::Known, ..failing(id) };
    let mut both = known("b/two[stream]");
    both.findings.push(finding("status.mirrored", Level::Required));
    both.findings.push(finding("detail.code-kept", Level::Recommended));
    let cases = || vec![known("a/one"), both.clone()];
    insta::assert_snapshot!(shown(verbose(), cases(), end()), @"
    Testing litellm 1.102.4: 2 cases, policy default, seed 7

    KNOWN 2 cases, 2 rules: already accepted, do not fail the run:
      headers.retry-after  2 cases
        e.g. a/one: expected retry-after: 7, observed no retry-after
      status.mirrored      1 case
        e.g. b/two[stream]: expected retry-after: 7, observed no retry-after

    ADVICE 1 case, 1 rule: not required, do not fail the run:
      detail.code-kept  1 case
        e.g. b/two[stream]: expected retry-after: 7, observed no retry-after

    2 cases: 2 known
    wall 2.1s, slowest case 12ms (a/one), total case time 24ms, proxy start 18.2s
    ");
    insta::assert_snapshot!(shown(plain(), cases(), end()), @"
    Testing litellm 1.102.4: 2 cases, policy default, seed 7

    KNOWN 2 cases, 2 rules: already accepted, do not fail the run (-v lists them)

    ADVICE 1 case, 1 rule: not required, do not fail the run (-v lists them)

    2 cases: 2 known
    wall 2.1s, slowest case 12ms (a/one), total case time 24ms, proxy start 18.2s
    ");
}

fn by_policy(rule: &str, key: &str, answer: &str) -> PolicyEffect {
    let answer = PolicyAnswer { key: key.to_owned(), answer: answer.to_owned() };
    PolicyEffect { rule: rule.to_owned(), answers: vec![answer] }
}

#[test]
fn a_difference_by_policy_alone_names_the_policy_key() {
    let enforced = by_policy("status.timeout", "timeout", "504");
    let eased = by_policy("headers.retry-after", "retry_after", "lifted");
    let failed = |id: &str| CaseReport {
        change: Some(Difference {
            enforced: vec![enforced.clone()],
            eased: vec![eased.clone()],
            ..Difference::default()
        }),
        findings: vec![Finding {
            rule: "status.timeout".to_owned(),
            expected: "504 (policy `default + upfault.toml`)".to_owned(),
            observed: "408 with an error".to_owned(),
            evidence: vec![
                "policy.timeout = 504 (default + upfault.toml): Ours count 408 as theirs.".to_owned(),
            ],
            policy: enforced.answers.clone(),
            level: Level::Required,
            repeats: None,
        }],
        ..case(id, Verdict::Fail)
    };
    let passed = CaseReport {
        change: Some(Difference { eased: vec![eased.clone()], ..Difference::default() }),
        ..passing("limits/rate-limit", 12.0)
    };
    let ids = ["timeouts/a", "timeouts/b", "timeouts/c", "timeouts/d"];
    let cases = ids.map(failed).into_iter().chain([passed]).collect();
    insta::assert_snapshot!(shown(plain(), cases, end()), @"
    Testing litellm 1.102.4: 5 cases, policy default, seed 7

    FAIL timeouts/a
      A 429 keeps its status, its detail and its Retry-After
      SDKs wait as long as Retry-After says.
      again: upfault run --filter case:timeouts/a --proxy litellm@1.102.4

      status.timeout (required by policy.timeout = 504, new)
        expected: 504 (policy `default + upfault.toml`)
        observed: 408 with an error
        - policy.timeout = 504 (default + upfault.toml): Ours count 408 as theirs.

      only the policy differs: the proxy's behaviour is as accepted
      accepted, and not required now: headers.retry-after, by policy.retry_after = lifted

    3 more cases (-v shows each in full), by kind:
    FAIL 3 cases
        new by policy.timeout = 504: status.timeout
        timeouts/b, timeouts/c, timeouts/d

    NEW 4 cases, 1 rule: broken, and not accepted before; `upfault explain RULE` explains a rule:
      status.timeout  4 cases
        e.g. timeouts/a: expected 504 (policy `default + upfault.toml`), observed 408 with an error

    POLICY accepted findings that are still present but that this policy does not require:
      headers.retry-after  5 cases, by policy.retry_after = lifted

    FAIL timeouts/a  status.timeout
    FAIL timeouts/b  status.timeout
    FAIL timeouts/c  status.timeout
    FAIL timeouts/d  status.timeout
    broken: status.timeout in 4 cases
    5 cases: 1 pass, 4 fail
    wall 2.1s, slowest case 12ms (timeouts/a), total case time 60ms, proxy start 18.2s
    e.g. timeouts/a: expected 504 (policy `default + upfault.toml`); observed 408 with an error
    next: `upfault explain status.timeout` says why the rule exists
    next: this command runs this case alone:
      upfault run --filter case:timeouts/a --proxy litellm@1.102.4
    ");
}

#[test]
fn one_failure_of_a_kind_is_shown_in_full_and_the_rest_by_name() {
    let cases = (0..25).map(|n| failing(&format!("many/case-{n:02}"))).collect();
    let text = shown(plain(), cases, end());
    assert_eq!(text.matches("caller got").count(), 1);
    let rest: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("24 more")).take(4).collect();
    insta::assert_snapshot!(rest.join("\n"), @"
    24 more cases (-v shows each in full), by kind:
    FAIL 24 cases
        headers.retry-after
        many/case-01, many/case-02, many/case-03 and 21 more
    ");
}

#[test]
fn smoke_cases_are_counted_and_listed_by_provider_if_verbose() {
    let smoke = |scenario: &str, provider, stream, verdict| {
        let id = format!("{scenario}[{provider}{}]", if stream { ",stream" } else { "" });
        let mut case = case(&id, verdict);
        case.matrix = Combination { api: Api::OpenaiChat, provider, stream };
        case
    };
    let (ok, limit) = ("smoke/success", "smoke/rate-limit");
    let mut cases = vec![
        smoke(limit, Provider::Groq, true, Verdict::Known),
        smoke(limit, Provider::Groq, false, Verdict::Known),
        smoke(ok, Provider::Groq, true, Verdict::Pass),
        smoke(ok, Provider::Groq, false, Verdict::Pass),
        smoke(ok, Provider::Bedrock, false, Verdict::Pass),
        smoke(limit, Provider::Bedrock, false, Verdict::Pass),
        smoke(ok, Provider::Vertex, false, Verdict::Skipped),
    ];
    cases[6].reason =
        Some("litellm does not serve openai/chat from vertex: it calls Anthropic directly".to_owned());
    insta::assert_snapshot!(shown(verbose(), cases.clone(), end()), @"
    Testing litellm 1.102.4: 7 cases, policy default, seed 7

    PASS smoke/rate-limit[bedrock] (12ms)
    PASS smoke/success[bedrock] (12ms)
    PASS smoke/success[groq,stream] (12ms)
    PASS smoke/success[groq] (12ms)

    SMOKE 1 of 3 provider APIs pass the basic cases, 1 with only known findings, 1 skipped
      bedrock  pass: success, rate-limit
      groq     pass: success, success (stream); known: rate-limit, rate-limit (stream)
      vertex   skipped: success

    SKIPPED 1 case: the proxy cannot be configured for them:
      litellm does not serve openai/chat from vertex: it calls Anthropic directly: 1 case
        smoke/success[vertex]

    7 cases: 4 pass, 2 known, 1 skipped
    wall 2.1s, slowest case 12ms (smoke/rate-limit[groq,stream]), total case time 84ms, proxy start
    18.2s
    ");
    insta::assert_snapshot!(shown(plain(), cases, end()), @"
    Testing litellm 1.102.4: 7 cases, policy default, seed 7

    SMOKE 1 of 3 provider APIs pass the basic cases, 1 with only known findings, 1 skipped (-v lists
          all)

    SKIPPED 1 case: the proxy cannot be configured for them (-v lists them)

    7 cases: 4 pass, 2 known, 1 skipped
    wall 2.1s, slowest case 12ms (smoke/rate-limit[groq,stream]), total case time 84ms, proxy start
    18.2s
    ");
}

#[test]
fn a_finding_of_nearly_every_case_is_listed_once() {
    let address = |case: CaseReport| {
        let mut case = case;
        let level = Level::Recommended;
        case.findings.push(Finding {
            observed: "in the header x-api-base: http://127.0.0.1:4000/v1".to_owned(),
            ..finding("leak.upstream-address-header", level)
        });
        case
    };
    let mut cases: Vec<CaseReport> = (10..40).map(|n| address(passing(&format!("a/{n}"), 3.0))).collect();
    cases.push(address(CaseReport { observation: None, ..failing("limits/rate-limit") }));
    insta::assert_snapshot!(shown(plain(), cases, end()), @"
    Testing litellm 1.102.4: 31 cases, policy default, seed 7

    FAIL limits/rate-limit
      A 429 keeps its status, its detail and its Retry-After
      SDKs wait as long as Retry-After says.
      again: upfault run --filter case:limits/rate-limit --proxy litellm@1.102.4

      headers.retry-after (required)
        expected: retry-after: 7
        observed: no retry-after
        - upstream primary#1 sent retry-after: 7

      leak.upstream-address-header (recommended), as in nearly every case

    GATEWAY nearly every case shows this, so it is listed once:
      leak.upstream-address-header  31 of 31 cases (recommended)
        e.g. in the header x-api-base: http://127.0.0.1:4000/v1

    FAIL limits/rate-limit  headers.retry-after
    31 cases: 30 pass, 1 fail
    wall 2.1s, slowest case 12ms (limits/rate-limit), total case time 102ms, proxy start 18.2s
    limits/rate-limit: expected retry-after: 7; observed no retry-after
    next: `upfault explain headers.retry-after` says why the rule exists
    next: this command runs this case alone:
      upfault run --filter case:limits/rate-limit --proxy litellm@1.102.4
    ");
}
