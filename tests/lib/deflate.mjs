import zlib from 'node:zlib';

const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** A compressed message's payload: RFC 7692, section 7.2.1. */
export function deflate(payload, { windowBits = 15, level = zlib.constants.Z_DEFAULT_COMPRESSION } = {}) {
  const whole = zlib.deflateRawSync(payload, { windowBits, level, finishFlush: zlib.constants.Z_SYNC_FLUSH });
  if (!whole.subarray(-4).equals(TAIL)) throw new Error('a flushed stream ends with an empty block');
  return whole.subarray(0, -4);
}

/** What a compressed payload says, by a window of so many bits. */
export function inflate(payload, { windowBits = 15 } = {}) {
  return zlib.inflateRawSync(Buffer.concat([payload, TAIL]), { windowBits, finishFlush: zlib.constants.Z_SYNC_FLUSH });
}
