//! Records a run, and passes it to several reporters.

use std::{io, path::Path};

use super::{RecordedRun, Summary, recorded_run::RunRecorder, rerun::Rerun, source_root::SourceRoot};
use crate::event::Event;

/// Reports a run. A reporter cannot influence the run.
pub(crate) trait Reporter {
    /// Handles one event, while the run goes on.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let _ = event;
        Ok(())
    }

    /// Is called from time to time while the run goes on.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Reports a run that is over, even if it was interrupted. It comes after the last event.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn finish(&mut self, run: &RecordedRun) -> io::Result<()>;
}

/// Records the events of a run and passes them to several reporters.
pub(crate) struct Fanout {
    recorder: Option<RunRecorder>,
    summary: Summary,
    reporters: Vec<Box<dyn Reporter + Send>>,
}

impl Fanout {
    /// Passes events to `reporters` in this order. Complete cases are kept in an unnamed file in `folder`. `rerun` are the
    /// options for the commands that run a case again.
    ///
    /// # Errors
    ///
    /// If the file cannot be created.
    pub(crate) fn new(
        folder: &Path,
        rerun: Option<Rerun>,
        reporters: Vec<Box<dyn Reporter + Send>>,
    ) -> io::Result<Self> {
        let recorder = Some(RunRecorder::new(folder, rerun)?);
        Ok(Self { recorder, summary: Summary::default(), reporters })
    }

    /// The same for a project whose scenarios are in a repository, so that reports for CI systems name their files from its root.
    pub(crate) fn in_repository(self, sources: SourceRoot) -> Self {
        let recorder = self.recorder.map(|recorder| recorder.in_repository(sources));
        Self { recorder, ..self }
    }

    /// Handles an event. Every reporter gets it, even if another one fails: if the terminal is a closed pipe, the JSON
    /// report is still written. Returns the first error.
    pub(crate) fn event(&mut self, event: &Event) -> io::Result<()> {
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        let recorded = recorder.add(event);
        let result = self.each(recorded, |reporter| reporter.event(event));
        let Event::RunFinished(end) = event else { return result };
        let Some(recorder) = self.recorder.take() else { return result };
        let run = recorder.finish(end);
        self.summary = run.report.summary.clone();
        self.each(result, |reporter| reporter.finish(&run))
    }

    /// Lets each reporter know that time has passed.
    pub(crate) fn tick(&mut self) -> io::Result<()> {
        self.each(Ok(()), |reporter| reporter.tick())
    }

    /// The counts of the run when it is over; empty before.
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    fn each(
        &mut self,
        result: io::Result<()>,
        call: impl Fn(&mut Box<dyn Reporter + Send>) -> io::Result<()>,
    ) -> io::Result<()> {
        // The next reporter is called after an error too.
        self.reporters.iter_mut().map(call).fold(result, worst)
    }
}

/// The first error; but a report that could not be written counts more than a closed pipe.
pub(crate) fn worst(one: io::Result<()>, next: io::Result<()>) -> io::Result<()> {
    let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    match (one, next) {
        (Ok(()), next) => next,
        (Err(pipe), Err(error)) if is_pipe(&pipe) && !is_pipe(&error) => Err(error),
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::RunFinished;

    struct Counting(Arc<Mutex<Vec<&'static str>>>, bool);

    impl Counting {
        fn count(&self, what: &'static str) -> io::Result<()> {
            self.0.lock().unwrap().push(what);
            if self.1 { Err(io::Error::other("full")) } else { Ok(()) }
        }
    }

    impl Reporter for Counting {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            self.count("event")
        }

        fn finish(&mut self, _: &RecordedRun) -> io::Result<()> {
            self.count("finish")
        }
    }

    #[test]
    fn a_failing_reporter_does_not_affect_the_next_one() {
        let count = Arc::new(Mutex::new(Vec::new()));
        let reporters: Vec<Box<dyn Reporter + Send>> =
            vec![Box::new(Counting(count.clone(), true)), Box::new(Counting(count.clone(), false))];
        let mut fanout = Fanout::new(&std::env::temp_dir(), None, reporters).unwrap();
        assert!(fanout.event(&Event::ProxyProgress("x".to_owned())).is_err());
        assert_eq!(*count.lock().unwrap(), ["event", "event"]);
        assert!(fanout.event(&Event::RunFinished(RunFinished::default())).is_err());
        assert_eq!(count.lock().unwrap()[2..], ["event", "event", "finish", "finish"]);
    }
}
