//! A run of events to one room, as its members get it.

use crate::encoding::Form;
use crate::parcel::Parcel;
use crate::publication::Publication;
use std::sync::Arc;

/// What members get of a run of events, by their form; made when the first of them is met.
pub(super) struct Bundles<'a> {
    run: &'a [Arc<Publication>],
    bytes_max: usize,
    made: Vec<(Form, Vec<Arc<Parcel>>)>,
}

impl<'a> Bundles<'a> {
    /// Of a run of events, in parcels of at most `bytes_max` bytes or one frame.
    pub(super) fn of(run: &'a [Arc<Publication>], bytes_max: usize) -> Bundles<'a> {
        Bundles {
            run,
            bytes_max,
            made: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn in_form(&mut self, form: Form) -> &[Arc<Parcel>] {
        let made = self.made.iter().position(|(made_for, _)| *made_for == form);
        let place = made.unwrap_or_else(|| {
            self.made.push((form, self.make(form)));
            self.made.len() - 1
        });
        &self.made[place].1
    }

    #[cold]
    fn make(&self, form: Form) -> Vec<Arc<Parcel>> {
        let mut bundles = Vec::new();
        let mut together: Vec<&Arc<Parcel>> = Vec::new();
        let mut bytes = 0;
        for parcel in self.run.iter().filter_map(|event| event.parcel(form)) {
            if bytes + parcel.bytes().len() > self.bytes_max {
                bundles.extend(Parcel::bundle(&together));
                together.clear();
                bytes = 0;
            }
            bytes += parcel.bytes().len();
            together.push(parcel);
        }
        bundles.extend(Parcel::bundle(&together));
        bundles
    }
}
