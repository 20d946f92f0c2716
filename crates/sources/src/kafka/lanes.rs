//! The lanes of all partitions that this node reads.

use super::lane::Lane;
use std::sync::Arc;

/// A lane. The turn tells it from the one that the partition had before it went and came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LaneId {
    topic: usize,
    partition: usize,
    turn: u64,
}

#[derive(Default)]
pub(super) struct Lanes<'c> {
    topics: Vec<Topic<'c>>,
    last_turn: u64,
}

struct Topic<'c> {
    name: Arc<str>,
    /// By the partition's number.
    lanes: Vec<Option<(u64, Lane<'c>)>>,
}

impl<'c> Lanes<'c> {
    /// The lane of a partition, if it is read.
    pub(super) fn find(&self, topic: &str, partition: i32) -> Option<LaneId> {
        let topic = self.topics.iter().position(|known| *known.name == *topic)?;
        let partition = usize::try_from(partition).ok()?;
        let (turn, _) = self.topics[topic].lanes.get(partition)?.as_ref()?;
        Some(LaneId {
            topic,
            partition,
            turn: *turn,
        })
    }

    pub(super) fn get(&mut self, id: LaneId) -> Option<&mut Lane<'c>> {
        let lane = self.topics.get_mut(id.topic)?.lanes.get_mut(id.partition)?;
        lane.as_mut()
            .filter(|(turn, _)| *turn == id.turn)
            .map(|(_, lane)| lane)
    }

    pub(super) fn open(&mut self, topic: &str, partition: i32) {
        let Ok(place) = usize::try_from(partition) else {
            return;
        };
        let known = self.topics.iter().position(|known| *known.name == *topic);
        let index = known.unwrap_or_else(|| {
            self.topics.push(Topic {
                name: topic.into(),
                lanes: Vec::new(),
            });
            self.topics.len() - 1
        });
        let Topic { name, lanes } = &mut self.topics[index];
        if lanes.len() <= place {
            lanes.resize_with(place + 1, || None);
        }
        self.last_turn += 1;
        lanes[place] = Some((self.last_turn, Lane::new(name.clone(), partition)));
    }

    pub(super) fn close(&mut self, topic: &str, partition: i32) {
        if let Some(id) = self.find(topic, partition) {
            self.topics[id.topic].lanes[id.partition] = None;
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lane<'c>> {
        let lanes = self.topics.iter_mut().flat_map(|topic| &mut topic.lanes);
        lanes.flatten().map(|(_, lane)| lane)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane<'c>> {
        let lanes = self.topics.iter().flat_map(|topic| &topic.lanes);
        lanes.flatten().map(|(_, lane)| lane)
    }

    pub(super) fn len(&self) -> usize {
        self.iter().count()
    }
}
