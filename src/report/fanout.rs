//! One stream of events, many independent consumers.

use std::io;

use crate::event::Event;

/// Listens to a run. It decides nothing and changes nothing.
pub trait Reporter {
    /// Takes one event.
    ///
    /// # Errors
    ///
    /// What the system says when an output cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// Passes every event on to several reporters.
#[derive(Default)]
pub struct Fanout(Vec<Box<dyn Reporter + Send>>);

impl Fanout {
    /// One that passes on to `reporters`, in this order.
    pub fn new(reporters: Vec<Box<dyn Reporter + Send>>) -> Self {
        Self(reporters)
    }
}

impl Reporter for Fanout {
    /// Every reporter gets the event, also after one has failed (a closed pipe behind the terminal
    /// must not cost the JSON report); the first error is returned.
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
    fn one_reporter_that_fails_does_not_silence_the_next() {
        let count = Arc::new(Mutex::new(0));
        let mut fanout = Fanout::new(vec![
            Box::new(Counting(count.clone(), true)),
            Box::new(Counting(count.clone(), false)),
        ]);
        assert!(fanout.event(&Event::ProxyProgress("x".to_owned())).is_err());
        assert_eq!(*count.lock().unwrap(), 2);
    }
}
