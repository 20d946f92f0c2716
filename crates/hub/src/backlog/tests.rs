//! What stands where after events were superseded or dropped.

use super::*;

fn parcel(text: &str, published: u32, fate: Fate) -> Arc<Parcel> {
    Parcel::new(Frame::text(text), Ticks(published), fate)
}

fn texts(backlog: &Backlog) -> Vec<(String, u32)> {
    let text = |parcel: &Parcel| String::from_utf8(parcel.bytes()[2..].to_vec()).unwrap();
    backlog
        .parcels
        .iter()
        .map(|parcel| (text(parcel), parcel.published.0))
        .collect()
}

fn named(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected
        .iter()
        .map(|(text, published)| ((*text).to_owned(), *published))
        .collect()
}

fn load_of(backlog: &Backlog) -> Load {
    let mut load = Load::default();
    backlog.parcels.iter().for_each(|parcel| load.add(parcel));
    load
}

/// Drops until at most `frames` wait beside the marker.
fn drop_to(backlog: &mut Backlog, frames: usize) -> Dropped {
    let mut load = load_of(backlog);
    let dropped = backlog.drop_oldest(
        &mut load,
        |load, _| load.frames > frames,
        |encoding, count| Frame::text(&format!("{}:{count}", encoding.0)),
    );
    assert_eq!(load, load_of(backlog));
    dropped
}

#[test]
fn the_newer_event_takes_the_older_ones_place() {
    let mut backlog = Backlog::default();
    for (text, published, key) in [("a1", 1, 7), ("b1", 2, 8), ("a2", 3, 7)] {
        backlog.push_latest(parcel(text, published, Fate::latest(key)));
    }
    assert_eq!(texts(&backlog), named(&[("a2", 3), ("b1", 2)]));
}

#[test]
fn no_event_is_put_before_an_answer_that_was_given_before_it() {
    let mut backlog = Backlog::default();
    backlog.push_latest(parcel("a1", 1, Fate::latest(7)));
    backlog.push_latest(parcel("b1", 2, Fate::latest(8)));
    backlog.parcels.push_back(parcel("left", 3, Fate::ANSWER));
    backlog.push_latest(parcel("a2", 4, Fate::latest(7))).unwrap();
    assert_eq!(texts(&backlog), named(&[("b1", 2), ("left", 3), ("a2", 4)]));
    backlog.push_latest(parcel("a3", 5, Fate::latest(7))).unwrap();
    assert_eq!(texts(&backlog), named(&[("b1", 2), ("left", 3), ("a3", 5)]));
}

#[test]
fn one_marker_stands_where_the_oldest_dropped_event_stood() {
    let droppable = Fate::droppable(EncodingId(3));
    let mut backlog = Backlog::default();
    for (text, published, fate) in [
        ("kept", 1, Fate::KEPT),
        ("d1", 2, droppable),
        ("latest", 3, Fate::latest(1)),
        ("d2", 4, droppable),
        ("d3", 5, droppable),
    ] {
        backlog.parcels.push_back(parcel(text, published, fate));
    }
    let first = drop_to(&mut backlog, 4);
    assert_eq!((first.events, first.is_new), (1, true));
    let second = drop_to(&mut backlog, 3);
    assert_eq!((second.events, second.is_new), (1, false));
    assert_eq!(
        texts(&backlog),
        named(&[("kept", 1), ("3:2", 2), ("latest", 3), ("d3", 5)])
    );
    assert_eq!(backlog.oldest_kept(), Some(Ticks(1)));
    assert_eq!(backlog.oldest_droppable(), Some(Ticks(5)));

    // What is kept stays, also beyond the bound; the marker alone does not count.
    assert_eq!(drop_to(&mut backlog, 1).events, 1);
    assert_eq!(texts(&backlog), named(&[("kept", 1), ("3:3", 2), ("latest", 3)]));
    assert_eq!(drop_to(&mut backlog, 1), Dropped::default());
    assert_eq!(backlog.without_marker(load_of(&backlog)).frames, 2);

    // Written up to the marker: the next gap has its own.
    backlog.parcels.drain(..2);
    backlog.parcels.push_back(parcel("d4", 6, droppable));
    let third = drop_to(&mut backlog, 1);
    assert_eq!((third.events, third.is_new), (1, true));
    assert_eq!(texts(&backlog), named(&[("latest", 3), ("3:1", 6)]));
}

#[test]
fn a_lone_frame_may_exceed_the_bytes() {
    let bounds = Bounds {
        bytes_max: 10,
        frames_max: 2,
    };
    for (bytes, frames, is_over) in [(10, 2, false), (11, 1, false), (11, 2, true), (3, 3, true)] {
        assert_eq!(bounds.are_exceeded_by(Load { bytes, frames }), is_over);
    }
}
