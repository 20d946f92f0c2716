//! Sockets that wait for a request: handshakes that are half open, and connections kept alive between two requests.
//!
//! They cost a descriptor and a task each and say nothing of whether anybody is there, so their number is bounded, for
//! each address and in all. Beyond a bound the one that has waited longest makes room: a client that means it sends its
//! request at once, so it is hardly ever the one that goes.
//!
//! Invariant: a socket with a request under way is not in here, and is never closed to make room.

use crate::TransportCounters;
use crate::counters::Limit;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::sync::Notify;

/// Everybody who waits, by address and by age.
#[derive(Clone)]
pub(crate) struct Waiting(Arc<Inner>);

struct Inner {
    max: usize,
    per_address_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_number: u64,
    by_age: BTreeMap<u64, Waiter>,
    by_address: HashMap<IpAddr, BTreeSet<u64>>,
}

struct Waiter {
    network: Option<IpAddr>,
    evicted: Arc<Notify>,
}

/// One socket, whether it waits just now or not.
pub(crate) struct WaitingSocket {
    waiting: Waiting,
    /// Unless it is a proxy's, which speaks for many.
    network: Option<IpAddr>,
    evicted: Arc<Notify>,
    has_begun: AtomicBool,
    /// Its place while it waits.
    number: Mutex<Option<u64>>,
}

impl Waiting {
    pub(crate) fn new(max: usize, per_address_max: usize) -> Self {
        Self(Arc::new(Inner {
            max: max.max(1),
            per_address_max: per_address_max.max(1),
            state: Mutex::default(),
        }))
    }

    /// A socket that was just accepted: it waits for its first request.
    pub(crate) fn enter(&self, network: Option<IpAddr>, counters: &TransportCounters) -> WaitingSocket {
        let socket = WaitingSocket {
            waiting: self.clone(),
            network,
            evicted: Arc::default(),
            has_begun: AtomicBool::new(false),
            number: Mutex::default(),
        };
        socket.wait(counters);
        socket
    }

    /// Closes the `count` sockets that have waited longest; how many there were.
    pub(crate) fn evict_oldest(&self, count: usize) -> usize {
        let mut state = self.0.state.lock();
        (0..count).take_while(|_| state.evict_first(None)).count()
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.0.state.lock().by_age.len()
    }
}

impl WaitingSocket {
    /// A request has come.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Relaxed);
        self.leave();
    }

    /// Whether a request has ever come.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }

    fn leave(&self) {
        if let Some(number) = self.number.lock().take() {
            self.waiting.0.state.lock().remove(number);
        }
    }

    /// The request is answered, and the socket waits for the next.
    pub(crate) fn wait(&self, counters: &TransportCounters) {
        let inner = &*self.waiting.0;
        let mut state = inner.state.lock();
        let of_address = self.network.and_then(|network| state.by_address.get(&network));
        if of_address.map_or(0, BTreeSet::len) >= inner.per_address_max {
            state.evict_first(self.network);
            counters.reached(Limit::WaitingSocketsPerAddress);
        } else if state.by_age.len() >= inner.max {
            state.evict_first(None);
            counters.reached(Limit::WaitingSockets);
        }
        let number = state.insert(self.network, self.evicted.clone());
        drop(state);
        *self.number.lock() = Some(number);
    }

    /// Done when the socket has to make room.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for WaitingSocket {
    fn drop(&mut self) {
        self.leave();
    }
}

impl State {
    fn insert(&mut self, network: Option<IpAddr>, evicted: Arc<Notify>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.by_age.insert(number, Waiter { network, evicted });
        if let Some(network) = network {
            self.by_address.entry(network).or_default().insert(number);
        }
        number
    }

    /// Makes room by the one that has waited longest, of all or of one network; false if there is none.
    fn evict_first(&mut self, network: Option<IpAddr>) -> bool {
        let first = match network {
            Some(network) => self.by_address.get(&network).and_then(BTreeSet::first),
            None => self.by_age.first_key_value().map(|(number, _)| number),
        };
        let evicted = first.copied().and_then(|number| self.remove(number));
        if let Some(evicted) = &evicted {
            evicted.notify_one();
        }
        evicted.is_some()
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Notify>> {
        let Waiter { network, evicted } = self.by_age.remove(&number)?;
        if let Some(network) = network
            && let Some(numbers) = self.by_address.get_mut(&network)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_address.remove(&network);
            }
        }
        Some(evicted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn enter(waiting: &Waiting, last: u8, counters: &TransportCounters) -> WaitingSocket {
        waiting.enter(Some([192, 0, 2, last].into()), counters)
    }

    fn is_evicted(socket: &WaitingSocket) -> bool {
        socket.evicted().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_makes_room() {
        let (waiting, counters) = (Waiting::new(3, 9), TransportCounters::default());
        let sockets: Vec<_> = (0..5).map(|last| enter(&waiting, last, &counters)).collect();
        let evicted: Vec<_> = sockets.iter().map(is_evicted).collect();
        assert_eq!(evicted, [true, true, false, false, false]);
        assert_eq!((waiting.count(), counters.of(Limit::WaitingSockets)), (3, 2));
        drop(sockets);
        assert_eq!(waiting.count(), 0);
    }

    #[test]
    fn an_address_makes_room_among_its_own() {
        let (waiting, counters) = (Waiting::new(9, 2), TransportCounters::default());
        let other = enter(&waiting, 1, &counters);
        let own: Vec<_> = (0..3).map(|_| enter(&waiting, 2, &counters)).collect();
        assert!(!is_evicted(&other));
        assert_eq!(
            own.iter().map(is_evicted).collect::<Vec<_>>(),
            [true, false, false]
        );
        assert_eq!(counters.of(Limit::WaitingSocketsPerAddress), 1);
        // A proxy speaks for many.
        let proxied: Vec<_> = (0..4).map(|_| waiting.enter(None, &counters)).collect();
        assert!(!proxied.iter().any(is_evicted));
    }

    #[test]
    fn who_has_a_request_under_way_stays_and_queues_up_anew_behind_it() {
        let (waiting, counters) = (Waiting::new(2, 2), TransportCounters::default());
        let busy = enter(&waiting, 1, &counters);
        busy.begin();
        let idle = enter(&waiting, 2, &counters);
        assert_eq!(waiting.count(), 1);
        busy.wait(&counters);
        let third = enter(&waiting, 3, &counters);
        assert_eq!([&busy, &idle, &third].map(is_evicted), [false, true, false]);
        assert_eq!(waiting.evict_oldest(1), 1);
        assert_eq!([&busy, &third].map(is_evicted), [true, false]);
        assert_eq!(waiting.evict_oldest(9), 1);
        // They are gone already, and that is no harm.
        drop((busy, third));
        assert_eq!(waiting.count(), 0);
    }
}
