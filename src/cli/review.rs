//! `upfault review`

use std::io::{self, BufRead, Write};

use super::{
    args::ReviewArgs, context::CliContext, failure::Failure, print, project::SNAPSHOTS, rerun::project,
    settings::Settings,
};
use crate::{
    report::{EXIT_FINDINGS, EXIT_OK},
    shell,
    snapshot::{PendingSnapshot, pending},
};

/// What to do with a pending snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Accept,
    Reject,
    Skip,
}

/// The user's answer, and whether it applies to all following snapshots.
struct Answer {
    decision: Decision,
    rest: bool,
}

/// Shows pending snapshots and asks what to do, or accepts or rejects all if the arguments say so.
pub(super) fn review(context: &CliContext, args: &ReviewArgs) -> Result<u8, Failure> {
    let chosen = match &args.snapshots {
        Some(folder) => Some(context.place(folder)),
        None => Settings::read(context)?.snapshots,
    };
    let root = chosen.unwrap_or_else(|| context.root.join(SNAPSHOTS));
    let waiting = pending(&root)?;
    if waiting.is_empty() {
        print::note("no pending snapshots");
        return Ok(EXIT_OK);
    }
    let total = waiting.len();
    let mut left = 0;
    let mut settled = match (args.accept, args.reject) {
        (true, _) => Some(Decision::Accept),
        (_, true) => Some(Decision::Reject),
        _ => None,
    };
    for (n, one) in (1..).zip(waiting) {
        let decision = match settled {
            Some(decision) => decision,
            None => {
                print::out(&format!("{n} of {total}: {}\n\n{}\n", one.name, one.diff()?))?;
                let skip = Answer { decision: Decision::Skip, rest: false };
                let answer = if context.interactive { ask()? } else { skip };
                settled = answer.rest.then_some(answer.decision);
                answer.decision
            }
        };
        left += usize::from(!apply(one, decision)?);
    }
    if left > 0 && !context.interactive {
        let words = ["upfault", "review", "--accept"].map(str::to_owned).into_iter();
        let all: Vec<String> = words.chain(project(context, args.snapshots.as_deref())).collect();
        let all = shell::command(&all);
        print::note(&format!("{left} pending; `{all}` accepts all, and with `--reject` instead rejects all"));
    }
    Ok(if left > 0 { EXIT_FINDINGS } else { EXIT_OK })
}

/// Returns whether the snapshot is no longer pending.
fn apply(one: PendingSnapshot, decision: Decision) -> Result<bool, Failure> {
    let name = one.name.clone();
    match decision {
        Decision::Accept => {
            one.accept()?;
            print::note(&format!("accepted {name}"));
        }
        Decision::Reject => {
            one.reject()?;
            print::note(&format!("rejected {name}"));
        }
        Decision::Skip => return Ok(false),
    }
    Ok(true)
}

fn ask() -> Result<Answer, Failure> {
    let one = |decision| Ok(Answer { decision, rest: false });
    let rest = |decision| Ok(Answer { decision, rest: true });
    let mut stdin = io::stdin().lock();
    loop {
        let mut err = io::stderr().lock();
        let _ = write!(err, "(a)ccept, (r)eject, (s)kip; (A)ccept or (R)eject this and the rest, (q)uit? ");
        let _ = err.flush();
        let mut line = String::new();
        let read = stdin.read_line(&mut line).map_err(Failure::io("cannot read the answer"))?;
        match line.trim() {
            "a" | "accept" => return one(Decision::Accept),
            "r" | "reject" => return one(Decision::Reject),
            "s" | "skip" => return one(Decision::Skip),
            "A" => return rest(Decision::Accept),
            "R" => return rest(Decision::Reject),
            "q" | "quit" => return rest(Decision::Skip),
            _ if read == 0 => return rest(Decision::Skip),
            _ => {}
        }
    }
}
