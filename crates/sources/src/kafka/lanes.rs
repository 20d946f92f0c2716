//! The lanes of all partitions that this node reads.

use super::lane::Lane;
use std::collections::HashMap;
use std::sync::Arc;

/// A lane; the number is not used again when the partition goes and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneId(u64);

#[derive(Default)]
pub(super) struct Lanes<'c> {
    lanes: HashMap<LaneId, Lane<'c>>,
    /// Lanes by the partition's number, for each topic.
    topics: Vec<(Arc<str>, Vec<Option<LaneId>>)>,
    last: u64,
}

impl<'c> Lanes<'c> {
    /// The lane of a partition, if it is read.
    pub(super) fn find(&self, topic: &str, partition: i32) -> Option<LaneId> {
        let (_, lanes) = self.topics.iter().find(|(name, _)| **name == *topic)?;
        *lanes.get(usize::try_from(partition).ok()?)?
    }

    pub(super) fn get(&mut self, id: LaneId) -> Option<&mut Lane<'c>> {
        self.lanes.get_mut(&id)
    }

    pub(super) fn open(&mut self, topic: &str, partition: i32) {
        let Ok(place) = usize::try_from(partition) else {
            return;
        };
        let known = self.topics.iter().position(|(name, _)| **name == *topic);
        let index = known.unwrap_or_else(|| {
            self.topics.push((topic.into(), Vec::new()));
            self.topics.len() - 1
        });
        let (topic, lanes) = &mut self.topics[index];
        if lanes.len() <= place {
            lanes.resize(place + 1, None);
        }
        self.last += 1;
        let id = LaneId(self.last);
        if let Some(old) = lanes[place].replace(id) {
            self.lanes.remove(&old);
        }
        self.lanes.insert(id, Lane::new(topic.clone(), partition));
    }

    pub(super) fn close(&mut self, topic: &str, partition: i32) {
        let Some(id) = self.find(topic, partition) else {
            return;
        };
        self.lanes.remove(&id);
        for (name, lanes) in &mut self.topics {
            if let (true, Ok(place)) = (**name == *topic, usize::try_from(partition)) {
                lanes[place] = None;
            }
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lane<'c>> {
        self.lanes.values_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane<'c>> {
        self.lanes.values()
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }
}
