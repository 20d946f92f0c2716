//! Taking an input apart.

/// Takes the first byte off; an empty input gives 0.
pub(crate) fn byte(input: &mut &[u8]) -> u8 {
    let Some((first, rest)) = input.split_first() else {
        return 0;
    };
    *input = rest;
    *first
}

/// Takes at most `count` bytes off.
pub(crate) fn bytes<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}
