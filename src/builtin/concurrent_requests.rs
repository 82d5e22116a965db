//! Where two requests of one group that are under way at the same time hand each other what is theirs.
//! Only a defect ever brings them together.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The requests that are under way, by their group.
#[derive(Debug)]
pub(super) struct ConcurrentRequests<T> {
    groups: Mutex<HashMap<String, Group<T>>>,
}

#[derive(Debug)]
struct Group<T> {
    /// Requests that are under way.
    inside: usize,
    /// One that has something to swap, and where it wants the other's.
    waiting: Option<(T, oneshot::Sender<T>)>,
}

impl<T> Default for ConcurrentRequests<T> {
    fn default() -> Self {
        Self { groups: Mutex::default() }
    }
}

/// A request that is under way.
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

    /// Notes that a request of this group is under way, for as long as the guard is kept.
    pub fn enter<'a>(&'a self, group: &'a str) -> OpenRequest<'a, T> {
        let mut groups = self.groups();
        groups.entry(group.to_owned()).or_insert(Group { inside: 0, waiting: None }).inside += 1;
        OpenRequest { meeting: self, group }
    }
}

impl<T> OpenRequest<'_, T> {
    /// Swaps `own` with what another request of the group comes with. Waits for one while another is
    /// under way; alone it keeps its own.
    pub async fn swap(&self, own: T) -> T {
        let waiting = {
            let mut groups = self.meeting.groups();
            let Some(group) = groups.get_mut(self.group) else { return own };
            match group.waiting.take() {
                Some((others, tell)) => match tell.send(own) {
                    Ok(()) => return others,
                    // The other has left in the meantime.
                    Err(own) => return own,
                },
                None if group.inside < 2 => return own,
                None => {
                    let (tell, told) = oneshot::channel();
                    group.waiting = Some((own, tell));
                    told
                }
            }
        };
        match waiting.await {
            Ok(got) => got,
            // Whoever waits is told in any case: by another, or by the last one to go.
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
            && let Some((own, tell)) = group.waiting.take()
        {
            // Nobody is left to swap with.
            let _ = tell.send(own);
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
    async fn two_at_once_swap_and_one_alone_keeps_its_own() {
        let meeting = ConcurrentRequests::default();
        let (a, b) = (meeting.enter("g"), meeting.enter("g"));
        assert_eq!(join!(a.swap(1), b.swap(2)), (2, 1));
        drop(b);
        assert_eq!(a.swap(3).await, 3);
        let other = meeting.enter("h");
        assert_eq!(join!(a.swap(4), other.swap(5)), (4, 5));
    }

    #[tokio::test]
    async fn who_waits_in_vain_gets_its_own_back() {
        let meeting = ConcurrentRequests::default();
        let (a, b) = (meeting.enter("g"), meeting.enter("g"));
        let leaves = async {
            tokio::task::yield_now().await;
            drop(b);
        };
        assert_eq!(join!(a.swap(1), leaves).0, 1);
    }

    #[tokio::test]
    async fn a_caller_that_leaves_while_it_waits_is_not_swapped_with() {
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
