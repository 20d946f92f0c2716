//! Outboxes as bytes go out of them, and against a model as policies change what waits.

use super::*;
use crate::backlog::{Bounds, Fate};
use proptest::prelude::*;
use tidings_wire::websocket::Frame;

/// Frames of these payload lengths; each frame is two bytes longer.
fn filled(lengths: &[usize]) -> (Outbox, Spares) {
    let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
    for (place, length) in lengths.iter().enumerate() {
        let parcel = Parcel::event(Frame::text(&"x".repeat(*length)), Ticks(place as u32));
        outbox.push(parcel, &mut spares);
    }
    (outbox, spares)
}

#[test]
fn advance_counts_frames_and_remembers_a_part() {
    let (mut outbox, mut spares) = filled(&[1, 2, 0]);
    assert_eq!((outbox.bytes(), outbox.frames()), (9, 3));
    assert_eq!(outbox.advance(2, &mut spares), 0);
    assert_eq!(outbox.first(), Some(b"x".as_slice()));
    assert_eq!(outbox.advance(1, &mut spares), 1);
    assert_eq!((outbox.oldest(), outbox.frames()), (Some(Ticks(1)), 2));
    assert_eq!(outbox.advance(6, &mut spares), 2);
    assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.frames() == 0 && outbox.has_one());
}

#[test]
fn slices_follow_the_order_and_their_limit() {
    let (outbox, _) = filled(&[1; 100]);
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    assert_eq!(outbox.slices(&mut slices), SLICES_MAX);
    let (mut outbox, mut spares) = filled(&[1, 2]);
    outbox.advance(2, &mut spares);
    assert_eq!(outbox.slices(&mut slices), 2);
    assert_eq!((&slices[0][..], &slices[1][2..]), (&b"x"[..], &b"xx"[..]));
}

#[test]
fn dropping_spares_the_parcel_in_flight() {
    let (mut outbox, mut spares) = filled(&[3, 1, 1]);
    outbox.advance(1, &mut spares);
    assert_eq!(outbox.drop_waiting(&mut spares), 2);
    assert_eq!((outbox.bytes(), outbox.frames()), (4, 1));
    assert_eq!(outbox.advance(4, &mut spares), 1);
    let (mut outbox, mut spares) = filled(&[3, 1]);
    assert_eq!(outbox.drop_waiting(&mut spares), 2);
    assert!(outbox.is_empty() && outbox.bytes() == 0);
    let (mut outbox, mut spares) = filled(&[3, 1]);
    outbox.advance(1, &mut spares);
    assert_eq!(outbox.clear(&mut spares), 2);
    assert!(outbox.is_empty() && outbox.bytes() == 0 && outbox.frames() == 0);
}

#[test]
fn a_bundle_counts_as_its_frames() {
    let parcels: Vec<_> = (0..3)
        .map(|place| Parcel::event(Frame::text("ab"), Ticks(place)))
        .collect();
    let bundle = Parcel::bundle(&parcels.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(
        (bundle.frames, bundle.published, bundle.bytes().len()),
        (3, Ticks(0), 12)
    );
    let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
    outbox.push(bundle, &mut spares);
    assert_eq!(outbox.frames(), 3);
    assert_eq!(outbox.advance(11, &mut spares), 0);
    assert_eq!(outbox.advance(1, &mut spares), 3);
    assert!(outbox.is_empty());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Kept(usize),
    Answer,
    Latest(u32, usize),
    Droppable(usize),
    /// So many thousandths of what waits are written.
    Write(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Kept,
    Answer,
    Latest(u32),
    Droppable,
    Gap(u32),
}

/// What the policies promise, in the most direct words: a list whose first item is not touched.
#[derive(Default)]
struct Model {
    list: Vec<(Kind, Vec<u8>)>,
    superseded: u32,
    dropped: u32,
}

const BOUNDS: Bounds = Bounds {
    bytes_max: 600,
    frames_max: 12,
};

fn text(number: usize, length: usize) -> String {
    format!("{number}{}", "x".repeat(length))
}

fn marker(_: EncodingId, count: u32) -> Frame {
    Frame::text(&format!("gap {count}"))
}

impl Model {
    fn push(&mut self, kind: Kind, frame: &Frame) {
        let bytes = frame.as_bytes().to_vec();
        let older = self.list.iter().skip(1).position(|(other, _)| *other == kind);
        match (kind, older.map(|place| place + 1)) {
            (Kind::Latest(_), Some(place)) => {
                self.superseded += 1;
                if self.list[place..].iter().any(|(other, _)| *other == Kind::Answer) {
                    self.list.remove(place);
                    self.list.push((kind, bytes));
                } else {
                    self.list[place].1 = bytes;
                }
            }
            _ => self.list.push((kind, bytes)),
        }
    }

    fn is_over(&self) -> bool {
        let behind = self.list.iter().skip(1);
        let others = behind.filter(|(kind, _)| !matches!(kind, Kind::Gap(_)));
        let all: Vec<usize> = self
            .list
            .iter()
            .take(1)
            .chain(others)
            .map(|(_, bytes)| bytes.len())
            .collect();
        all.len() > BOUNDS.frames_max || (all.len() > 1 && all.iter().sum::<usize>() > BOUNDS.bytes_max)
    }

    /// False if it is over its bound in the end.
    fn make_room(&mut self) -> bool {
        while self.is_over() {
            let behind = || self.list.iter().enumerate().skip(1);
            let Some((oldest, _)) = behind().find(|(_, (kind, _))| *kind == Kind::Droppable) else {
                return false;
            };
            let gap = behind().find_map(|(place, (kind, _))| match kind {
                Kind::Gap(count) => Some((place, *count)),
                _ => None,
            });
            self.dropped += 1;
            self.list.remove(oldest);
            let (place, count) = match gap {
                Some((place, count)) => {
                    self.list.remove(place);
                    (place, count + 1)
                }
                None => (oldest, 1),
            };
            let frame = marker(EncodingId(0), count).as_bytes().to_vec();
            self.list.insert(place, (Kind::Gap(count), frame));
        }
        true
    }

    fn write(&mut self, mut bytes: usize) -> u32 {
        let mut told = 0;
        while bytes > 0 {
            let length = self.list[0].1.len();
            if bytes < length {
                self.list[0].1.drain(..bytes);
                return told;
            }
            bytes -= length;
            if let (Kind::Gap(count), _) = self.list.remove(0) {
                told += count;
            }
        }
        told
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_usize..80).prop_map(Step::Kept),
        1 => Just(Step::Answer),
        4 => (0_u32..4, 0_usize..80).prop_map(|(key, length)| Step::Latest(key, length)),
        6 => (0_usize..80).prop_map(Step::Droppable),
        1 => Just(Step::Droppable(700)),
        3 => (0_usize..=1_000).prop_map(Step::Write),
    ]
}

proptest! {
    #[test]
    fn the_policies_do_what_the_model_does(steps in proptest::collection::vec(step(), 1..200)) {
        let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
        let mut model = Model::default();
        let (mut superseded, mut dropped, mut gaps, mut told) = (0, 0, 0, 0);
        for (number, step) in steps.into_iter().enumerate() {
            let now = Ticks(number as u32);
            let (kind, fate, length) = match step {
                Step::Write(part) => {
                    let bytes = outbox.bytes() * part / 1_000;
                    outbox.advance(bytes, &mut spares);
                    told += model.write(bytes);
                    continue;
                }
                Step::Kept(length) => (Kind::Kept, Fate::KEPT, length),
                Step::Answer => (Kind::Answer, Fate::ANSWER, 0),
                Step::Latest(key, length) => (Kind::Latest(key), Fate::latest(key), length),
                Step::Droppable(length) => (Kind::Droppable, Fate::droppable(EncodingId(0)), length),
            };
            let frame = Frame::text(&text(number, length));
            model.push(kind, &frame);
            if fate.is_latest() {
                superseded += u32::from(outbox.push_latest(Parcel::new(frame, now, fate), &mut spares));
            } else {
                outbox.push(Parcel::new(frame, now, fate), &mut spares);
            }
            if BOUNDS.are_exceeded_by(outbox.load()) {
                let done = outbox.drop_oldest(|load, _| BOUNDS.are_exceeded_by(load), marker);
                dropped += done.events;
                gaps += u32::from(done.is_new);
            }
            let is_full = BOUNDS.are_exceeded_by(outbox.load_without_marker());
            prop_assert_eq!(!is_full, model.make_room());
            prop_assert_eq!((superseded, dropped), (model.superseded, model.dropped));

            let expected: Vec<u8> = model.list.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            let behind = outbox.rest().into_iter().flat_map(|rest| &rest.parcels);
            let found: Vec<u8> = outbox
                .first()
                .into_iter()
                .chain(behind.map(|parcel| parcel.bytes()))
                .flatten()
                .copied()
                .collect();
            prop_assert_eq!(outbox.bytes(), found.len());
            prop_assert_eq!(outbox.frames(), model.list.len());
            prop_assert_eq!(found, expected);
            if is_full {
                // Its connection is cut now.
                return Ok(());
            }
        }
        let waiting = model.list.iter().filter_map(|(kind, _)| match kind {
            Kind::Gap(count) => Some(*count),
            _ => None,
        });
        prop_assert_eq!(told + waiting.sum::<u32>(), dropped, "each dropped event is told of once");
        prop_assert!(gaps <= dropped);
    }
}
