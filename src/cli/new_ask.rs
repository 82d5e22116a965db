//! The questions of `upfault new` on a terminal.

use std::io::{BufRead, Write};

use super::{
    explain_catalogue::provider_called,
    failure::Failure,
    new_args::{HeaderWish, IncidentArgs, NewArgs},
    new_words::not_a_fault,
    schema_words,
};
use crate::{
    incident::{POINTS, is_fault, looks_like_evidence, point_option},
    provider::{self, errors_called, profile},
    report::fit,
    scenario::{Api, Point, Provider, duration},
    shell,
};

/// The arguments after all questions, and the evidence if the user pasted it.
pub(super) struct Asked {
    /// The arguments.
    pub args: NewArgs,
    /// The pasted evidence.
    pub pasted: Option<String>,
}

/// What the user can have, with the argument that it becomes.
const KINDS: [&str; 6] = [
    "an error that the provider sent",
    "a connection that failed, or a slow or broken response",
    "the output of `curl -i`",
    "a HAR file",
    "a traceback of an SDK",
    "a log of LiteLLM",
];

/// The faults that people mean most often. Any other can be typed.
const FAULTS: [(&str, &str); 9] = [
    ("reset", "the connection is reset (ECONNRESET)"),
    ("close", "the connection is closed before the response is complete"),
    ("stall", "silence for a while; the proxy gives up"),
    ("delay", "silence for a while; the proxy should wait"),
    ("hang", "silence without end"),
    ("refuse", "nothing listens (ECONNREFUSED)"),
    ("unresolvable_name", "the host name does not resolve"),
    ("expired_certificate", "the certificate has expired"),
    ("malform: html", "an HTML page with status 200"),
];

/// The width of what is asked.
const WIDTH: usize = 80;

/// Asks what happened. `given` are the arguments of the command line, which are not asked for, and `is_file` finds out
/// whether a file with this name exists.
pub(super) fn ask(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    given: &NewArgs,
    is_file: &dyn Fn(&str) -> bool,
) -> Result<Asked, Failure> {
    let mut args = given.clone();
    let mut pasted = None;
    let mut dialogue = Dialogue { input, output };
    match dialogue.choose("What do you have?", &KINDS)? {
        0 => {
            let provider = match &args.provider {
                Some(name) => provider_called(name)?,
                None => dialogue.provider()?,
            };
            args.provider = None;
            args.what.error = Some(dialogue.error(provider)?);
            args.at = Some(dialogue.place(args.at)?).filter(|place| *place != Point::BeforeHeaders);
            if args.header.is_empty() && args.at.is_none() {
                let wait =
                    dialogue.line("Retry-After of the response, if it had one [as in the catalogue]:")?;
                args.header.extend(
                    (!wait.is_empty())
                        .then(|| HeaderWish { name: "retry-after".to_owned(), value: Some(wait) }),
                );
            }
        }
        1 => {
            if args.provider.is_none() {
                let provider = dialogue.provider()?;
                args.provider = (provider != Provider::Openai).then(|| provider.to_string());
            }
            let fault = dialogue.fault()?;
            if matches!(fault.as_str(), "stall" | "delay") && args.lasting.is_none() {
                args.lasting = Some(dialogue.time("How long, for example 40s?")?);
            }
            if ["reset", "close", "stall", "delay", "hang", "truncate"].contains(&fault.as_str()) {
                args.at = Some(dialogue.place(args.at)?).filter(|place| *place != Point::BeforeHeaders);
            }
            args.what.fault = Some(fault);
        }
        kind => {
            let file = match dialogue.file(is_file)? {
                GivenText::File(file) => Some(file.into()),
                GivenText::Pasted(text) => {
                    pasted = Some(text);
                    Some("-".into())
                }
            };
            match kind {
                2 => args.what.from_curl = file,
                3 => args.what.from_har = file,
                4 => args.what.from_openai_exception = file,
                _ => args.what.from_litellm_log = file,
            }
        }
    }
    if args.api.is_empty() {
        args.api = dialogue.apis()?;
    }
    if args.why.is_none() {
        args.why = Some(dialogue.line("What did it cost, in one sentence? [a general reason]")?)
            .filter(|why| !why.is_empty());
    }
    if args.name.is_none() {
        args.name = Some(dialogue.line("Name of the scenario [incidents/ and what failed]:")?)
            .filter(|name| !name.is_empty());
    }
    Ok(Asked { args, pasted })
}

/// Whether the user agrees.
pub(super) fn confirmed(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    what: &str,
) -> Result<bool, Failure> {
    let answer = Dialogue { input, output }.line(&format!("{what}? (y/N)"))?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for another name; empty if the user gives none.
pub(super) fn another_name(input: &mut dyn BufRead, output: &mut dyn Write) -> Result<String, Failure> {
    Dialogue { input, output }.line("Another name [write nothing]:")
}

/// The command line with these arguments.
pub(super) fn command(args: &NewArgs) -> String {
    let mut words: Vec<String> = ["upfault", "new"].map(str::to_owned).into();
    words.extend(args.name.clone());
    let IncidentArgs { error, fault, from_curl, from_har, from_openai_exception, from_litellm_log, copy } =
        &args.what;
    let mut option = |name: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    };
    let file = |file: &Option<std::path::PathBuf>| file.as_ref().map(|file| file.display().to_string());
    let time =
        |time: Option<std::time::Duration>| time.map(|time| humantime::format_duration(time).to_string());
    option("--error", error.clone());
    option("--fault", fault.clone());
    option("--from-curl", file(from_curl));
    option("--from-har", file(from_har));
    option("--from-openai-exception", file(from_openai_exception));
    option("--from-litellm-log", file(from_litellm_log));
    option("--copy", copy.clone());
    option("--provider", args.provider.clone());
    args.api.iter().for_each(|api| option("--api", Some(api.to_string())));
    option("--at", args.at.map(point_option));
    option("--for", time(args.lasting));
    for HeaderWish { name, value } in &args.header {
        option("--header", Some(format!("{name}: {}", value.as_deref().unwrap_or_default())));
    }
    option("--timeout", time(args.timeout));
    option("--retries", args.retries.map(|retries| retries.to_string()));
    option("--title", args.title.clone());
    option("--why", args.why.clone());
    option("--entry", args.entry.map(|entry| entry.to_string()));
    for (name, is_set) in [
        ("--stream", args.stream),
        ("--plain", args.plain),
        ("--literal", args.literal),
        ("--print", args.print),
        ("--force", args.force),
    ] {
        words.extend(is_set.then(|| name.to_owned()));
    }
    shell::command(&words)
}

/// Evidence as the user gave it.
enum GivenText {
    File(String),
    Pasted(String),
}

struct Dialogue<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
}

impl Dialogue<'_> {
    /// Asks for a line; the answer can be empty.
    fn line(&mut self, question: &str) -> Result<String, Failure> {
        let failed = "cannot read the answer";
        write!(self.output, "{question} ").and_then(|()| self.output.flush()).map_err(Failure::io(failed))?;
        let mut line = String::new();
        match self.input.read_line(&mut line).map_err(Failure::io(failed))? {
            0 => Err(Failure::Usage(
                "the answers ended before the last question; nothing was written".to_owned(),
            )),
            _ => Ok(line.trim().to_owned()),
        }
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.output, "{text}").map_err(Failure::io("cannot ask"))
    }

    /// Asks until `read` accepts the answer. Its error is shown.
    fn until<T>(&mut self, question: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Failure> {
        loop {
            let answer = self.line(question)?;
            match read(&answer) {
                Ok(value) => return Ok(value),
                Err(problem) => self.say(&problem)?,
            }
        }
    }

    /// Asks for one of several numbered answers; nothing means the first. Returns its index.
    fn choose(&mut self, question: &str, options: &[&str]) -> Result<usize, Failure> {
        self.say(question)?;
        for (n, option) in (1..).zip(options) {
            self.say(&format!("  {n}  {option}"))?;
        }
        let last = options.len();
        self.until("[1]", |answer| match answer {
            "" => Ok(0),
            text => match text.parse::<usize>() {
                Ok(n) if (1..=last).contains(&n) => Ok(n - 1),
                _ => Err(format!("answer with a number from 1 to {last}")),
            },
        })
    }

    fn provider(&mut self) -> Result<Provider, Failure> {
        self.until("Which provider? [openai; ? lists all]", |answer| match answer {
            "" => Ok(Provider::Openai),
            name => provider_called(&name.to_lowercase())
                .map_err(|_| listed("the providers are:", Provider::names())),
        })
    }

    fn error(&mut self, provider: Provider) -> Result<String, Failure> {
        self.until("Which error, by its name, status, type or code? [? lists all]", |answer| {
            match errors_called(provider, answer).first().filter(|_| !answer.is_empty()) {
                Some(name) => Ok(format!("{provider}/{name}")),
                None => {
                    let rows = profile(provider).errors.keys().map(|name| {
                        let row = provider::catalogue_row(provider, *name);
                        format!(
                            "  {:24} {} {}",
                            name.as_str(),
                            row.status,
                            row.kind.as_deref().unwrap_or_default()
                        )
                    });
                    Err(rows.collect::<Vec<_>>().join("\n"))
                }
            }
        })
    }

    fn fault(&mut self) -> Result<String, Failure> {
        self.say("What happened to the connection or the response?")?;
        for (n, (name, about)) in (1..).zip(FAULTS) {
            self.say(&format!("  {n}  {name:20} {about}"))?;
        }
        self.until("[1; or the name of another fault, ? lists all]", |answer| match answer {
            "" => Ok(FAULTS[0].0.to_owned()),
            "?" => Err(schema_words::faults()
                .into_iter()
                .map(|word| format!("  {}", word.name))
                .collect::<Vec<_>>()
                .join("\n")),
            text => match text.parse::<usize>() {
                Ok(n) if (1..=FAULTS.len()).contains(&n) => Ok(FAULTS[n - 1].0.to_owned()),
                Ok(_) => Err(format!("answer with a number from 1 to {}, or a name", FAULTS.len())),
                Err(_) if is_fault(text) => Ok(text.to_owned()),
                Err(_) => Err(not_a_fault(text)),
            },
        })
    }

    fn place(&mut self, given: Option<Point>) -> Result<Point, Failure> {
        if let Some(given) = given {
            return Ok(given);
        }
        let options: Vec<&str> = POINTS.iter().map(|(.., about)| *about).collect();
        Ok(POINTS[self.choose("When?", &options)?].1)
    }

    fn time(&mut self, question: &str) -> Result<std::time::Duration, Failure> {
        self.until(question, duration::parse)
    }

    fn apis(&mut self) -> Result<Vec<Api>, Failure> {
        let question = "Which API do your callers use? [openai/chat and the provider's own; ? lists all]";
        self.until(question, |answer| {
            let words = answer.split([',', ' ']).filter(|word| !word.is_empty());
            words.map(|word| word.parse().map_err(|_| listed("the APIs are:", Api::NAMES))).collect()
        })
    }

    /// A file that exists, or what the user pastes, also in place of the name of a file.
    fn file(&mut self, is_file: &dyn Fn(&str) -> bool) -> Result<GivenText, Failure> {
        loop {
            let answer = self.line("File, or nothing to paste it here:")?;
            match answer.as_str() {
                "" | "-" => {
                    self.say("Paste it, then a line with only a dot:")?;
                    return self.pasted(String::new()).map(GivenText::Pasted);
                }
                name if is_file(name) => return Ok(GivenText::File(answer)),
                line if looks_like_evidence(line) => {
                    self.say("This is not a file, so it is the first line of what you paste; end it with a line with only a dot.")?;
                    return self.pasted(format!("{line}\n")).map(GivenText::Pasted);
                }
                name => self.say(&format!("cannot find the file {name}"))?,
            }
        }
    }

    /// The text, and lines until one that is only a dot, or until the end of the input.
    fn pasted(&mut self, mut text: String) -> Result<String, Failure> {
        loop {
            let mut line = String::new();
            let read = self.input.read_line(&mut line).map_err(Failure::io("cannot read the text"))?;
            if read == 0 || line.trim_end() == "." {
                return Ok(text);
            }
            text.push_str(&line);
        }
    }
}

/// Words after a text, on lines that fit.
fn listed(what: &str, words: &[&str]) -> String {
    fit(&format!("{what} {}", words.join(", ")), WIDTH).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command that the answers lead to, and what was pasted.
    fn answered(answers: &str) -> (String, Option<String>) {
        let mut shown = Vec::new();
        let is_file = |name: &str| name.contains(".txt") || name.contains(".har");
        let asked = ask(&mut answers.as_bytes(), &mut shown, &NewArgs::default(), &is_file).unwrap_or_else(
            |failure| panic!("{}\n{}", failure.render(false), String::from_utf8_lossy(&shown)),
        );
        (command(&asked.args), asked.pasted)
    }

    #[test]
    fn answers_lead_to_the_command_that_asks_nothing() {
        for (answers, expected) in [
            (
                "1\nanthropic\n529\n4\n\n\n\n",
                "upfault new --error anthropic/overloaded --at inside-tool-call",
            ),
            (
                "\nAzure\nrate_limit\n1\n27\n\nOur clients hammered it.\nours/limit\n",
                "upfault new ours/limit --error azure/rate_limit --header 'retry-after: 27' --why 'Our clients hammered it.'",
            ),
            (
                "2\n\n3\nsoon\n40s\n\nopenai/chat\n\n\n",
                "upfault new --fault stall --api openai/chat --for 40s",
            ),
            ("2\nbedrock\nbad_message_crc\n\n\n\n", "upfault new --fault bad_message_crc --provider bedrock"),
            (
                "1\nclaude\nteapot\n529\n5\nmessages?\n\n\n\n",
                "upfault new --error anthropic/overloaded --at after-tool-arguments",
            ),
            ("2\n\ntimeout\nhang\n\n\n\n\n", "upfault new --fault hang"),
            ("4\nno.json\ntraffic.har\n\n\n\n", "upfault new --from-har traffic.har"),
            ("4\ntraffic.har\n\n\n\n", "upfault new --from-har traffic.har"),
            ("9\nx\n3\na.txt\nnothing\n\n\n\n", "upfault new --from-curl a.txt"),
        ] {
            assert_eq!(answered(answers).0, expected);
        }
    }

    #[test]
    fn evidence_can_be_pasted() {
        let (command, pasted) = answered("3\n\nHTTP/2 503\n\n{}\n.\n\n\n\n");
        assert_eq!(
            (command.as_str(), pasted.as_deref()),
            ("upfault new --from-curl -", Some("HTTP/2 503\n\n{}\n"))
        );
        // People paste at once.
        let (command, pasted) = answered("3\nHTTP/2 503\n\n{}\n.\n\n\n\n");
        assert_eq!(
            (command.as_str(), pasted.as_deref()),
            ("upfault new --from-curl -", Some("HTTP/2 503\n\n{}\n"))
        );
    }

    #[test]
    fn nothing_is_written_if_the_answers_end() {
        let failure =
            ask(&mut "1\n".as_bytes(), &mut Vec::new(), &NewArgs::default(), &|_| false).err().unwrap();
        assert!(failure.render(false).contains("nothing was written"));
        assert!(!confirmed(&mut "\n".as_bytes(), &mut Vec::new(), "replace x").unwrap());
        assert!(confirmed(&mut "y\n".as_bytes(), &mut Vec::new(), "replace x").unwrap());
    }
}
