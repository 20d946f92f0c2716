//! The loop that polls the client and moves the lanes on.

use super::burial::Burial;
use super::client::{Client, GroupConsumer};
use super::context::{Rebalance, RebalanceReceiver};
use super::lane::Lane;
use super::lanes::{LaneId, Lanes};
use super::{CLOSE_TIMEOUT, KafkaSettings, KafkaStatus};
use crate::kafka::taking::{Done, Taking};
use crate::{DropReason, Ingest, Outcome};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rdkafka::consumer::{Consumer, MessageStream};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use std::collections::VecDeque;
use std::future::{pending, ready};
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Records taken in, of a partition or from the client, between two looks at everything else.
const BURST: usize = 128;
/// How long what is in flight may take to end when its partition is revoked; then it ends for nobody.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stopped,
    /// The client is broken for good.
    Fatal,
}

/// One client being polled.
pub(super) struct Consumption<'c> {
    consumer: &'c GroupConsumer,
    settings: &'c KafkaSettings,
    status: &'c KafkaStatus,
    taking: Taking<'c>,
    rebalances: Option<RebalanceReceiver>,
    lanes: Lanes<'c>,
    in_flight: FuturesUnordered<BoxFuture<'c, Done<'c>>>,
    /// Lanes that had more than a burst to take in, and go on.
    going_on: VecDeque<LaneId>,
    /// Partitions to give up, and until when their last records are waited for.
    leaving: Option<(TopicPartitionList, Instant)>,
    has_offsets: bool,
}

impl<'c> Consumption<'c> {
    pub(super) fn new(
        ingest: &'c Ingest,
        burial: &'c Burial,
        settings: &'c KafkaSettings,
        status: &'c Arc<KafkaStatus>,
        client: &'c Client,
    ) -> Consumption<'c> {
        Consumption {
            consumer: &client.consumer,
            settings,
            status,
            taking: Taking {
                ingest,
                burial,
                settings,
            },
            rebalances: client.rebalances.lock().take(),
            lanes: Lanes::default(),
            in_flight: FuturesUnordered::new(),
            going_on: VecDeque::new(),
            leaving: None,
            has_offsets: false,
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) -> End {
        let consumer = self.consumer;
        let mut records = consumer.stream();
        let Some(mut rebalances) = self.rebalances.take() else {
            return End::Fatal;
        };
        let end = loop {
            let deadline = self.leaving.as_ref().map(|(_, deadline)| *deadline);
            tokio::select! {
                biased;
                () = stop.cancelled() => break End::Stopped,
                Some(rebalance) = rebalances.recv() => self.rebalance(rebalance),
                () = until(deadline) => self.give_up(),
                Some(done) = self.in_flight.next() => self.done(done),
                () = ready(()), if !self.going_on.is_empty() => {
                    self.go_on();
                    tokio::task::yield_now().await;
                }
                Some(record) = records.next() => match self.burst(record, &mut records) {
                    // Others want to run too.
                    Ok(()) => tokio::task::yield_now().await,
                    Err(end) => break end,
                },
            }
            if self.leaving.is_some() && self.is_left() {
                self.give_up();
            }
            self.store_offsets();
        };
        self.finish().await;
        // The group waits for an answer, and the close for the group.
        while let Ok(rebalance) = rebalances.try_recv() {
            match rebalance {
                Rebalance::Assign(partitions) => {
                    self.report("assign", consumer.incremental_assign(&partitions));
                }
                Rebalance::Revoke(partitions) => {
                    self.report("unassign", consumer.incremental_unassign(&partitions));
                }
            }
        }
        end
    }

    /// Takes in what is there, up to a bound.
    fn burst(
        &mut self,
        first: KafkaResult<BorrowedMessage<'c>>,
        records: &mut MessageStream<'c, super::context::Context>,
    ) -> Result<(), End> {
        let mut context = task::Context::from_waker(Waker::noop());
        let (mut next, mut turns, mut count) = (first, 0, 0);
        loop {
            match next {
                Ok(record) => {
                    self.accept(record);
                    count += 1;
                }
                Err(error @ KafkaError::MessageConsumptionFatal(_)) => {
                    self.status.failed(&error, "the client is closed and made anew");
                    return Err(End::Fatal);
                }
                // Passing, and told by the callback already: the client goes on by itself.
                Err(_) => {}
            }
            turns += 1;
            if turns == BURST {
                break;
            }
            match records.poll_next_unpin(&mut context) {
                Poll::Ready(Some(record)) => next = record,
                _ => break,
            }
        }
        self.status.count_records(count);
        Ok(())
    }

    fn accept(&mut self, record: BorrowedMessage<'c>) {
        // Of a partition that is not ours any more, somebody else reads it.
        let Some(id) = self.lanes.find(record.topic(), record.partition()) else {
            return;
        };
        let Some(lane) = self.lanes.get(id).filter(|lane| !lane.is_leaving()) else {
            return;
        };
        if !lane.is_held() {
            return self.advance(id, Some(record));
        }
        lane.wait(record);
        if !lane.is_paused
            && lane.holds(
                self.settings.partition_records_max,
                self.settings.partition_bytes_max,
            )
        {
            lane.is_paused = true;
            let partition = list_of(lane);
            self.report("pause", self.consumer.pause(&partition));
            self.count_paused();
        }
    }

    /// Takes in one record after the other, until one has to wait or others are to have their turn.
    fn advance(&mut self, id: LaneId, mut next: Option<BorrowedMessage<'c>>) {
        for turn in 0.. {
            let Some(lane) = self.lanes.get(id) else { break };
            if turn == BURST {
                if !self.going_on.contains(&id) {
                    self.going_on.push_back(id);
                }
                break;
            }
            let Some(record) = next.take().or_else(|| lane.next()) else {
                break;
            };
            let offset = record.offset();
            match self.taking.take_at_once(&lane.topic, &record) {
                Some(Outcome::Dropped(reason)) => {
                    lane.offsets.begin(offset);
                    self.bury(id, &record, reason);
                }
                Some(_) => {
                    lane.offsets.pass(offset);
                    self.has_offsets = true;
                }
                None => {
                    lane.begin(offset);
                    let taking = self.taking.take(id, lane.leaving(), record);
                    self.in_flight.push(Box::pin(taking));
                    break;
                }
            }
        }
        self.resume(id);
    }

    fn go_on(&mut self) {
        if let Some(id) = self.going_on.pop_front() {
            self.advance(id, None);
        }
    }

    fn bury(&mut self, id: LaneId, record: &BorrowedMessage<'c>, reason: DropReason) {
        if let Some(lane) = self.lanes.get(id) {
            lane.begin_burial();
            let burying = self.taking.bury(id, lane.leaving(), record.detach(), reason);
            self.in_flight.push(Box::pin(burying));
        }
    }

    fn done(&mut self, done: Done<'c>) {
        self.has_offsets = true;
        match done {
            Done::Taken(id, record, outcome) => {
                let Some(lane) = self.lanes.get(id) else { return };
                lane.end_taking();
                match outcome {
                    None => {}
                    Some(Outcome::Dropped(reason)) => self.bury(id, &record, reason),
                    Some(_) => lane.offsets.end(record.offset()),
                }
                self.advance(id, None);
            }
            Done::Buried(id, offset, is_kept) => {
                let Some(lane) = self.lanes.get(id) else { return };
                lane.end_burial();
                if is_kept {
                    lane.offsets.end(offset);
                }
                self.advance(id, None);
            }
        }
    }

    fn resume(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(id) else { return };
        let settings = self.settings;
        if lane.is_paused
            && !lane.holds(
                settings.partition_records_max / 2 + 1,
                settings.partition_bytes_max / 2 + 1,
            )
        {
            lane.is_paused = false;
            let partition = list_of(lane);
            self.report("resume", self.consumer.resume(&partition));
            self.count_paused();
        }
    }

    fn rebalance(&mut self, rebalance: Rebalance) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                for partition in partitions.elements() {
                    self.lanes.open(partition.topic(), partition.partition());
                }
                self.report("assign", self.consumer.incremental_assign(&partitions));
                self.status.rebalanced(self.lanes.len());
            }
            Rebalance::Revoke(partitions) => {
                for partition in partitions.elements() {
                    let id = self.lanes.find(partition.topic(), partition.partition());
                    if let Some(lane) = id.and_then(|id| self.lanes.get(id)) {
                        lane.leave();
                    }
                }
                self.leaving = Some((partitions, Instant::now() + REVOKE_TIMEOUT));
            }
        }
    }

    fn is_left(&self) -> bool {
        self.lanes.iter().all(|lane| !lane.is_leaving() || lane.is_idle())
    }

    /// Gives the revoked partitions up, with what was done of them stored.
    fn give_up(&mut self) {
        let Some((partitions, _)) = self.leaving.take() else {
            return;
        };
        self.store_offsets();
        // The client would keep a pause for when the partition comes back. Nothing flows before it is assigned anew.
        let mut paused = TopicPartitionList::new();
        for lane in self
            .lanes
            .iter()
            .filter(|lane| lane.is_leaving() && lane.is_paused)
        {
            paused.add_partition(&lane.topic, lane.partition);
        }
        if paused.count() > 0 {
            self.report("resume", self.consumer.resume(&paused));
        }
        for partition in partitions.elements() {
            self.lanes.close(partition.topic(), partition.partition());
        }
        self.report("unassign", self.consumer.incremental_unassign(&partitions));
        self.status.rebalanced(self.lanes.len());
        self.count_paused();
    }

    /// Stores from where on is to be read after a restart; the client commits that from time to time.
    fn store_offsets(&mut self) {
        if !std::mem::take(&mut self.has_offsets) {
            return;
        }
        let mut offsets = TopicPartitionList::new();
        for lane in self.lanes.iter_mut() {
            if let Some(next) = lane.offsets.take_next() {
                let added = offsets.add_partition_offset(&lane.topic, lane.partition, Offset::Offset(next));
                debug_assert!(added.is_ok(), "an offset of a record is an offset");
            }
        }
        if offsets.count() > 0 {
            self.report("store offsets", self.consumer.store_offsets(&offsets));
        }
    }

    /// Lets end what has begun.
    async fn finish(&mut self) {
        self.lanes.iter_mut().for_each(Lane::leave);
        let ending = async {
            while let Some(done) = self.in_flight.next().await {
                self.done(done);
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, ending).await.is_err() {
            tracing::warn!("records in flight did not end in time; they will come again");
        }
        self.store_offsets();
        self.give_up();
    }

    fn count_paused(&self) {
        self.status
            .paused(self.lanes.iter().filter(|lane| lane.is_paused).count());
    }

    fn report(&self, what: &str, result: KafkaResult<()>) {
        if let Err(error) = result {
            self.status.failed(&error, what);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => pending().await,
    }
}

fn list_of(lane: &Lane<'_>) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&lane.topic, lane.partition);
    list
}
