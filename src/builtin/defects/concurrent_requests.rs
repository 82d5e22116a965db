//! Swaps values between two concurrent requests of one group. Only defects use it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The requests in progress, by group.
#[derive(Debug)]
pub(super) struct ConcurrentRequests<T> {
    groups: Mutex<HashMap<String, Group<T>>>,
}

#[derive(Debug)]
struct Group<T> {
    /// The number of requests in progress.
    inside: usize,
    /// The value of a request that waits for a swap, and the channel for the value that it gets.
    waiting: Option<(T, oneshot::Sender<T>)>,
}

impl<T> Default for ConcurrentRequests<T> {
    fn default() -> Self {
        Self { groups: Mutex::default() }
    }
}

/// A request in progress. Dropping it takes it out of its group.
#[derive(Debug)]
pub(super) struct OpenRequest<'a, T> {
    meeting: &'a ConcurrentRequests<T>,
    group: &'a str,
}

impl<T> ConcurrentRequests<T> {
    fn groups(&self) -> MutexGuard<'_, HashMap<String, Group<T>>> {
        // No code panics while it holds the lock.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request of this group as in progress until the returned guard is dropped.
    pub(super) fn enter<'a>(&'a self, group: &'a str) -> OpenRequest<'a, T> {
        let mut groups = self.groups();
        groups.entry(group.to_owned()).or_insert(Group { inside: 0, waiting: None }).inside += 1;
        OpenRequest { meeting: self, group }
    }
}

impl<T> OpenRequest<'_, T> {
    /// Swaps `own` with the value of another request of the group. Waits as long as another request is in
    /// progress; returns `own` if there is none.
    pub(super) async fn swap(&self, own: T) -> T {
        let waiting = {
            let mut groups = self.meeting.groups();
            let Some(group) = groups.get_mut(self.group) else { return own };
            match group.waiting.take() {
                Some((others, sender)) => match sender.send(own) {
                    Ok(()) => return others,
                    // The other request's caller has left in the meantime.
                    Err(own) => return own,
                },
                None if group.inside < 2 => return own,
                None => {
                    let (sender, receiver) = oneshot::channel();
                    group.waiting = Some((own, sender));
                    receiver
                }
            }
        };
        match waiting.await {
            Ok(got) => got,
            // Does not happen: the sender is always used, either by another request or when the last one
            // ends.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for OpenRequest<'_, T> {
    fn drop(&mut self) {
        let mut groups = self.meeting.groups();
        let Some(group) = groups.get_mut(self.group) else { return };
        group.inside -= 1;
        if group.inside < 2
            && let Some((own, sender)) = group.waiting.take()
        {
            // No other request is left to swap with.
            let _ = sender.send(own);
        }
        if group.inside == 0 {
            groups.remove(self.group);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::join;

    use super::*;

    #[tokio::test]
    async fn two_concurrent_requests_swap_and_a_single_one_keeps_its_own() {
        let meeting = ConcurrentRequests::default();
        let (a, b) = (meeting.enter("g"), meeting.enter("g"));
        assert_eq!(join!(a.swap(1), b.swap(2)), (2, 1));
        drop(b);
        assert_eq!(a.swap(3).await, 3);
        let other = meeting.enter("h");
        assert_eq!(join!(a.swap(4), other.swap(5)), (4, 5));
    }

    #[tokio::test]
    async fn a_request_that_waits_in_vain_gets_its_own_value_back() {
        let meeting = ConcurrentRequests::default();
        let (a, b) = (meeting.enter("g"), meeting.enter("g"));
        let leaves = async {
            tokio::task::yield_now().await;
            drop(b);
        };
        assert_eq!(join!(a.swap(1), leaves).0, 1);
    }

    #[tokio::test]
    async fn a_request_whose_caller_leaves_while_it_waits_is_not_swapped() {
        let meeting = ConcurrentRequests::default();
        let (a, b) = (meeting.enter("g"), meeting.enter("g"));
        {
            let mut waits = std::pin::pin!(a.swap(1));
            let polled = futures_util::poll!(waits.as_mut());
            assert!(polled.is_pending());
        }
        drop(a);
        assert_eq!(b.swap(2).await, 2);
    }
}
