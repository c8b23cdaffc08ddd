// Which shares of a mask of attention scores hide, noted before its numbers are taken out, as archgauge-client does: a
// softmax is slow where scores are hidden, and where it leaves subnormal numbers, the product after it is by far.

/** The key under which the shares stand in TensorProto.metadata_props. */
export const MASKING = "archgauge.masking";

// Scores at or below the first count as hidden, below the second they vanish; in half precision by their bits, which
// are higher for lower numbers, up to minus infinity.
const HIDDEN = -87, VANISHED = -104;
const HIDDEN_HALF = 0xd570, VANISHED_HALF = 0xd680, LOWEST_HALF = 0xfc00;

// Numbers that are looked at to tell a mask, of which a good part hides, from weights, of which nothing does.
const LOOKED_AT = 1000;

const SEEN = 0, VANISHES = 1, SUBNORMAL = 2;

// By TensorProto.DataType (float, bool, float16): bytes of a number, and what becomes of the one at an offset.
const FORMATS = new Map([
  [1, { size: 4, fate: (view, at) => {
    const number = view.getFloat32(at, true);
    return number < VANISHED ? VANISHES : number <= HIDDEN ? SUBNORMAL : SEEN;
  } }],
  [9, { size: 1, fate: (view, at) => (view.getUint8(at) === 0 ? VANISHES : SEEN) }],
  [10, { size: 2, fate: (view, at) => {
    const bits = view.getUint16(at, true);
    if (bits < HIDDEN_HALF || bits > LOWEST_HALF) return SEEN;
    return bits > VANISHED_HALF ? VANISHES : SUBNORMAL;
  } }],
]);

/**
 * The shares that vanish and that leave subnormal numbers, of raw data (a Uint8Array) of an element type, with four
 * decimals; null for what is no mask.
 */
export function maskedShares(raw, dtype) {
  const format = FORMATS.get(dtype);
  if (!format || !raw.length || raw.length % format.size) return null;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const length = raw.length / format.size;
  const fates = (step) => {
    const found = [0, 0, 0];
    for (let i = 0; i < length; i += step) found[format.fate(view, i * format.size)]++;
    return found;
  };
  const some = fates(Math.floor(length / LOOKED_AT) | 1);
  if (!some[VANISHES] && !some[SUBNORMAL]) return null;
  const all = fates(1);
  return `${rounded(all[VANISHES] / length)} ${rounded(all[SUBNORMAL] / length)}`;
}

/** Four decimals; what lies in the middle goes to the even digit, as in Python. */
function rounded(share) {
  const scaled = share * 1e4, below = Math.floor(scaled);
  const up = scaled - below === 0.5 ? below % 2 : Math.round(scaled) - below;
  return ((below + up) / 1e4).toFixed(4);
}
