//! A plain reading of RFC 1951, to look at what zlib cannot be asked: how far back a stream refers.

const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const CODE_LENGTHS_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

struct Bits<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> usize {
        (0..count).fold(0, |value, bit| {
            let next = self.bytes[self.place / 8] >> (self.place % 8) & 1;
            self.place += 1;
            value | usize::from(next) << bit
        })
    }

    fn byte(&mut self) -> u8 {
        self.take(8) as u8
    }
}

/// Symbols in the order of their canonical codes, and how many there are of each length.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Code {
        let mut counts = [0; 16];
        for length in lengths {
            counts[*length] += 1;
        }
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len())
            .filter(|symbol| lengths[*symbol] != 0)
            .collect();
        symbols.sort_by_key(|symbol| (lengths[*symbol], *symbol));
        Code { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1);
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
        }
        panic!("no code");
    }
}

fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    let (literals, distances, count) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut lengths = [0; 19];
    for place in &CODE_LENGTHS_ORDER[..count] {
        lengths[*place] = bits.take(3);
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.read(bits) {
            16 => (*lengths.last().unwrap(), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    (Code::new(&lengths[..literals]), Code::new(&lengths[literals..]))
}

/// What a compressed message's payload says, and the longest distance in it.
pub(super) fn inflate(payload: &[u8]) -> (Vec<u8>, usize) {
    let bytes = [payload, b"\0\0\xff\xff"].concat();
    let mut bits = Bits {
        bytes: &bytes,
        place: 0,
    };
    let (mut output, mut farthest) = (Vec::new(), 0);
    while bits.place < bytes.len() * 8 {
        assert_eq!(bits.take(1), 0, "no final block");
        let (literals, distances) = match bits.take(2) {
            0 => {
                bits.place = bits.place.next_multiple_of(8);
                let length = bits.take(16);
                assert_eq!(bits.take(16), !length & 0xFFFF);
                output.extend((0..length).map(|_| bits.byte()));
                continue;
            }
            1 => {
                let lengths: Vec<usize> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 | 280.. => 8,
                        144..256 => 9,
                        _ => 7,
                    })
                    .collect();
                (Code::new(&lengths), Code::new(&[5; 30]))
            }
            2 => dynamic(&mut bits),
            _ => panic!("no block type"),
        };
        loop {
            let (base, extra) = match literals.read(&mut bits) {
                literal @ 0..256 => {
                    output.push(literal as u8);
                    continue;
                }
                256 => break,
                length => LENGTHS[length - 257],
            };
            let length = base + bits.take(extra);
            let symbol = distances.read(&mut bits);
            let distance = if symbol < 4 {
                symbol + 1
            } else {
                let extra = symbol as u32 / 2 - 1;
                ((2 + symbol % 2) << extra) + bits.take(extra) + 1
            };
            farthest = farthest.max(distance);
            for _ in 0..length {
                output.push(output[output.len() - distance]);
            }
        }
    }
    (output, farthest)
}
