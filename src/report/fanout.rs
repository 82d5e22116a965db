//! Sends one stream of events to several reporters.

use std::io;

use crate::event::Event;

/// Receives the events of a run. A reporter cannot influence the run.
pub(crate) trait Reporter {
    /// Handles one event.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// Passes each event to several reporters.
#[derive(Default)]
pub(crate) struct Fanout(Vec<Box<dyn Reporter + Send>>);

impl Fanout {
    /// Passes events to `reporters` in this order.
    pub(crate) fn new(reporters: Vec<Box<dyn Reporter + Send>>) -> Self {
        Self(reporters)
    }
}

impl Reporter for Fanout {
    /// Every reporter gets the event, even if another one fails: if the terminal is a closed pipe, the JSON report is
    /// still written. Returns the first error.
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut result = Ok(());
        for reporter in &mut self.0 {
            let next = reporter.event(event);
            result = result.and(next);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Counting(Arc<Mutex<u32>>, bool);

    impl Reporter for Counting {
        fn event(&mut self, _: &Event) -> io::Result<()> {
            *self.0.lock().unwrap() += 1;
            if self.1 { Err(io::Error::other("full")) } else { Ok(()) }
        }
    }

    #[test]
    fn a_failing_reporter_does_not_affect_the_next_one() {
        let count = Arc::new(Mutex::new(0));
        let mut fanout = Fanout::new(vec![
            Box::new(Counting(count.clone(), true)),
            Box::new(Counting(count.clone(), false)),
        ]);
        assert!(fanout.event(&Event::ProxyProgress("x".to_owned())).is_err());
        assert_eq!(*count.lock().unwrap(), 2);
    }
}
