//! Assigns load and servers to CPU cores.

use rustix::{
    io,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// Two of the cores that this process may use; the same one twice if there is only one.
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

    /// Runs the servers that `start` starts on one core, and this thread on another one.
    ///
    /// With a single connection both share a core, because load and server never run concurrently. This keeps the cost of
    /// waking an idle core out of the figure; it depends more on the machine than on the server.
    pub fn part<T>(&self, connections: usize, start: impl FnOnce() -> T) -> io::Result<T> {
        let servers = if connections == 1 { self.load } else { self.servers };
        pin(servers)?;
        let started = start();
        pin(self.load)?;
        Ok(started)
    }

    /// Lets this thread run on every core again.
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
