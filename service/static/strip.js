// Takes the weights out of an ONNX file before it leaves the browser, as archgauge-client does: a pass over the
// protobuf wire format with the field numbers of onnx.proto. Every level passes on only the fields that it knows.
// Tensors of more than MAX_ELEMENTS elements keep name, type and shape and lose their data.
import { MASKING, maskedShares } from "./masks.js";

const MAX_ELEMENTS = 256;
const MAX_BYTES = 16 * MAX_ELEMENTS;
const HARMLESS_BYTES = MAX_ELEMENTS / 4;
const MAX_DEPTH = 32;
const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;

export class NotAModel extends Error {}

/** The bytes (Uint8Array) of an ONNX file without its weights; throws NotAModel. */
export function stripWeights(bytes) {
  const other = otherFormat(bytes);
  if (other) throw new NotAModel(`This is ${other}, not an ONNX file.`);
  const parts = message(bytes, 0, bytes.length, MODEL, 0);
  const stripped = joined(parts);
  for (const field of fields(stripped, 0, stripped.length)) if (field.number === 7) return stripped;
  throw new NotAModel("This is not an ONNX file: there is no graph in it.");
}

function otherFormat(bytes) {
  const text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (text(4, 8) === "ORTM") return "a model in onnxruntime’s own .ort format";
  if (text(4, 8) === "TFL3") return "a TensorFlow Lite model";
  if (text(0, 4) === "PK\x03\x04") return "a zip archive, such as PyTorch saves";
  if (text(0, 4) === "\x89HDF") return "an HDF5 file";
  if (text(0, 2) === "\x1f\x8b") return "compressed with gzip";
  if (bytes[0] === 0x80) return "a Python pickle";
  return null;
}

function* fields(bytes, at, end) {
  while (at < end) {
    const begin = at;
    const tag = varint(bytes, at, end);
    const wire = tag.value % 8;
    let start = tag.at;
    if (wire === BYTES) {
      const size = varint(bytes, start, end);
      start = size.at;
      at = start + size.value;
    } else if (wire === VARINT) at = varint(bytes, start, end).at;
    else if (wire === FIXED32) at = start + 4;
    else if (wire === FIXED64) at = start + 8;
    else throw new NotAModel(`This is not an ONNX file: wire type ${wire} at byte ${begin}.`);
    if (at > end || tag.value < 8) throw new NotAModel(`This is not an ONNX file, or a truncated one (byte ${begin}).`);
    yield { number: Math.floor(tag.value / 8), wire, begin, start, end: at };
  }
}

function varint(bytes, at, end) {
  let value = 0, factor = 1;
  for (let i = 0; i < 10 && at < end; i++) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, at };
    factor *= 128;
  }
  throw new NotAModel(`This is not an ONNX file, or a truncated one: no number ends at byte ${at}.`);
}

function* varints(bytes, field) {
  for (let at = field.start; at < field.end;) {
    const next = varint(bytes, at, field.end);
    at = next.at;
    yield next.value;
  }
}

function encodedVarint(value) {
  const out = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value % 128) | 0x80);
  out.push(value);
  return Uint8Array.from(out);
}

const size = (parts) => parts.reduce((sum, part) => sum + part.length, 0);

function encodedBytes(number, parts) {
  return [encodedVarint(number * 8 + BYTES), encodedVarint(size(parts)), ...parts];
}

function encodedInt(number, value) {
  return [encodedVarint(number * 8 + VARINT), encodedVarint(value)];
}

function joined(parts) {
  const out = new Uint8Array(size(parts));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A message as a list of pieces; `passes` maps a field's number to what replaces it. */
function message(bytes, at, end, passes, depth) {
  if (depth > MAX_DEPTH) throw new NotAModel(`Graphs are nested more than ${MAX_DEPTH} messages deep.`);
  const parts = [];
  for (const field of fields(bytes, at, end)) {
    const pass = passes.get(field.number);
    if (pass) for (const part of pass(bytes, field, depth)) parts.push(part);
  }
  return parts;
}

const keep = (bytes, field) => [bytes.subarray(field.begin, field.end)];
const nothing = (bytes, field) => encodedBytes(field.number, []);

function nested(passes) {
  return (bytes, field, depth) => {
    requireBytes(field);
    return encodedBytes(field.number, message(bytes, field.start, field.end, passes(), depth + 1));
  };
}

function requireBytes(field) {
  if (field.wire !== BYTES) throw new NotAModel(`This is not an ONNX file: field ${field.number} is no message.`);
}

// TensorProto: 1 dims, 2 data_type, 8 name, 4-7 and 9-11 data, 3 segment, 13 external_data, 14 data_location,
// 16 metadata_props.
const RAW = 9;
const TENSOR_HEAD = new Set([1, 2, 8]);
const TENSOR_DATA = new Set([4, 5, 6, 7, 9, 10, 11]);
const TENSOR_REST = new Set([3, 13, 14]);

function tensor(bytes, field) {
  requireBytes(field);
  if (field.end - field.start <= HARMLESS_BYTES) return keep(bytes, field);
  const head = [], data = [], raw = [], dims = [];
  let held = 0, dtype = 0;
  for (const inner of fields(bytes, field.start, field.end)) {
    const part = bytes.subarray(inner.begin, inner.end);
    if (TENSOR_HEAD.has(inner.number)) head.push(part);
    else if (TENSOR_DATA.has(inner.number) || TENSOR_REST.has(inner.number)) data.push(part);
    if (inner.number === 1) dims.push(...varints(bytes, inner));
    else if (inner.number === 2) dtype = varints(bytes, inner).next().value ?? 0;
    else if (inner.number === RAW) raw.push(bytes.subarray(inner.start, inner.end));
    if (TENSOR_DATA.has(inner.number)) held += inner.end - inner.start;
  }
  const elements = dims.reduce((product, dim) => product * dim, 1);
  if (elements <= MAX_ELEMENTS && held <= MAX_BYTES) head.push(...data);
  else if (dims.length > 1) head.push(...raw.flatMap((numbers) => noted(numbers, dtype)));
  return encodedBytes(field.number, head);
}

/** What is kept of a large mask of attention scores: which shares of it hide. */
function noted(numbers, dtype) {
  const shares = maskedShares(numbers, dtype);
  if (shares === null) return [];
  const text = (number, value) => encodedBytes(number, [new TextEncoder().encode(value)]);
  return encodedBytes(16, [...text(1, MASKING), ...text(2, shares)]);
}

/** AttributeProto, whose lists of numbers and strings can be weights as well. */
function attribute(bytes, field, depth) {
  requireBytes(field);
  if (field.end - field.start <= HARMLESS_BYTES) return keep(bytes, field);
  let name = "", floats = 0, ints = 0, text = 0;
  for (const inner of fields(bytes, field.start, field.end)) {
    const length = inner.end - inner.start;
    if (inner.number === 1) name = String.fromCharCode(...bytes.subarray(inner.start, inner.end).slice(0, 64));
    else if (inner.number === 7) floats += inner.wire === FIXED32 ? 1 : Math.floor(length / 4);
    else if (inner.number === 8) for (const _ of varints(bytes, inner)) ints++;
    else if (inner.number === 4 || inner.number === 9) text += length;
  }
  if (name === "value_floats" && floats > MAX_ELEMENTS) return encodedBytes(field.number, constant(floats, 1));
  if (name === "value_ints" && ints > MAX_ELEMENTS) return encodedBytes(field.number, constant(ints, 7));
  const passes = new Map(ATTRIBUTE);
  if (floats > MAX_ELEMENTS) passes.delete(7);
  if (text > MAX_BYTES) passes.set(4, nothing).set(9, nothing);
  const parts = message(bytes, field.start, field.end, passes, depth + 1);
  if (floats > MAX_ELEMENTS) parts.push(...encodedBytes(7, [new Uint8Array(4 * floats)])); // as many zeros
  return encodedBytes(field.number, parts);
}

/** A Constant's attribute `value`: a vector of which only the length and the element type are known. */
function constant(elements, dtype) {
  const name = new TextEncoder().encode("value");
  const content = [...encodedInt(1, elements), ...encodedInt(2, dtype)];
  return [...encodedBytes(1, [name]), ...encodedBytes(5, content), ...encodedInt(20, 4)];
}

const table = (kept, rest) => new Map([
  ...kept.map((number) => [number, keep]), ...Object.entries(rest).map(([number, pass]) => [Number(number), pass]),
]);

// ValueInfoProto: 1 name, 2 type.
const VALUE_INFO = table([1, 2], {});
// SparseTensorProto: 1 values, 2 indices, 3 dims.
const SPARSE = table([3], { 1: tensor, 2: tensor });
const graph = nested(() => GRAPH), sparse = nested(() => SPARSE), valueInfo = nested(() => VALUE_INFO);
// AttributeProto: 1 name, 2 f, 3 i, 4 s, 5 t, 6 g, 7 floats, 8 ints, 9 strings, 10 tensors, 11 graphs, 14 tp,
// 15 type_protos, 20 type, 21 ref_attr_name, 22 sparse_tensor, 23 sparse_tensors.
const ATTRIBUTE = table([1, 2, 3, 4, 7, 8, 9, 14, 15, 20, 21], {
  5: tensor, 6: graph, 10: tensor, 11: graph, 22: sparse, 23: sparse,
});
// NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain, 8 overload.
const NODE = table([1, 2, 3, 4, 7, 8], { 5: attribute });
const node = nested(() => NODE);
// GraphProto: 1 node, 2 name, 5 initializer, 11 input, 12 output, 13 value_info, 14 quantization_annotation,
// 15 sparse_initializer.
const GRAPH = table([2, 14], { 1: node, 5: tensor, 11: valueInfo, 12: valueInfo, 13: valueInfo, 15: sparse });
// FunctionProto: 1 name, 4 input, 5 output, 6 attribute, 7 node, 9 opset_import, 10 domain, 11 attribute_proto,
// 12 value_info, 13 overload.
const FUNCTION = table([1, 4, 5, 6, 9, 10, 13], { 7: node, 11: attribute, 12: valueInfo });
// ModelProto: 1 ir_version, 2 and 3 producer, 4 domain, 5 model_version, 7 graph, 8 opset_import, 25 functions.
// Not passed on: 6 doc_string, 14 metadata_props, 20 training_info.
const MODEL = table([1, 2, 3, 4, 5, 8], { 7: graph, 25: nested(() => FUNCTION) });
