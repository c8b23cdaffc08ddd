// Which share of a mask of attention scores hides, noted before its numbers are taken out, as archgauge-client does:
// the softmax of a hidden score is a subnormal number, which processors are slow at.

/** The key under which the share stands in TensorProto.metadata_props. */
export const MASKING = "archgauge.masking";

// Scores at or below this count as hidden; in half precision by the bits of -87 and of minus infinity.
const HIDDEN = -87, HIDDEN_HALF = 0xd570, LOWEST_HALF = 0xfc00;

// Numbers that are looked at to tell a mask, of which a good part hides, from weights, of which nothing does.
const LOOKED_AT = 1000;

// By TensorProto.DataType (float, bool, float16): bytes of a number, and whether the one at an offset hides.
const FORMATS = new Map([
  [1, { size: 4, hides: (view, at) => view.getFloat32(at, true) <= HIDDEN }],
  [9, { size: 1, hides: (view, at) => view.getUint8(at) === 0 }],
  [10, { size: 2, hides: (view, at) => {
    const bits = view.getUint16(at, true);
    return HIDDEN_HALF <= bits && bits <= LOWEST_HALF;
  } }],
]);

/** The share that hides of raw data (a Uint8Array) of an element type, with four decimals; null for what is no mask. */
export function maskedShare(raw, dtype) {
  const format = FORMATS.get(dtype);
  if (!format || !raw.length || raw.length % format.size) return null;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const length = raw.length / format.size;
  const hidden = (step) => {
    let found = 0;
    for (let i = 0; i < length; i += step) if (format.hides(view, i * format.size)) found++;
    return found;
  };
  if (!hidden(Math.floor(length / LOOKED_AT) | 1)) return null;
  return rounded(hidden(1) / length);
}

/** Four decimals; what lies in the middle goes to the even digit, as in Python. */
function rounded(share) {
  const scaled = share * 1e4, below = Math.floor(scaled);
  const up = scaled - below === 0.5 ? below % 2 : Math.round(scaled) - below;
  return ((below + up) / 1e4).toFixed(4);
}
