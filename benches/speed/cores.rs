//! Who runs on which core.

use rustix::{
    io,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// Two cores of those that this process may use; the same one twice where there is only one.
pub struct Cores {
    all: CpuSet,
    load: usize,
    servers: usize,
}

impl Cores {
    pub fn find() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        let load = usable.next().unwrap_or_default();
        Ok(Self { all, load, servers: usable.next().unwrap_or(load) })
    }

    /// The servers that are started within `start` get a core of their own, this thread another.
    ///
    /// With a single connection both share a core: they never run at the same time, and what it
    /// costs to wake a core that sleeps, which depends on the machine and its neighbours more than
    /// on the server, stays out of the figure.
    pub fn part<T>(&self, connections: usize, start: impl FnOnce() -> T) -> io::Result<T> {
        let servers = if connections == 1 { self.load } else { self.servers };
        pin(servers)?;
        let started = start();
        pin(self.load)?;
        Ok(started)
    }

    /// Lets this thread run anywhere again.
    pub fn free(&self) -> io::Result<()> {
        sched_setaffinity(None, &self.all)
    }
}

/// Keeps this thread, and the processes that it starts, on one core.
fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
}
