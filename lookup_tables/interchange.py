"""Columns and matrices in Arrow and Parquet, for those who ask over HTTP."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lookup_tables.errors import InvalidRecord

Form = Literal["arrow", "parquet"]

#: Media types of the forms.
MEDIA_TYPES: Mapping[Form, str] = {
    "arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet",
}  # fmt: skip


def write_columns(
    columns: Mapping[str, NDArray[Any] | Sequence[Any]], form: Form, metadata: Mapping[str, str] | None = None
) -> bytes:
    """Named columns of equal length as an Arrow IPC stream or a Parquet file, with ``metadata`` in the schema."""
    import pyarrow as pa

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata(dict(metadata or {}))
    sink = io.BytesIO()
    if form == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, sink)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def read_matrix(data: bytes, columns: Sequence[str]) -> NDArray[np.integer]:
    """Whole numbers ``[rows, columns]`` from an Arrow IPC stream or file.

    Its columns are called as ``columns`` says, in any order, or it has a single one of lists, all of the same fixed
    size. No value may be missing, and no buffer compressed: a few bytes could become any number. Raises InvalidRecord.
    """
    import pyarrow as pa

    try:
        table = _open(data)
        table.validate()
        if table.num_columns == 1 and pa.types.is_fixed_size_list(table.schema.types[0]):
            return _from_lists(table.column(0))
        missing = [name for name in columns if name not in table.column_names]
        if missing or table.num_columns != len(columns):
            raise InvalidRecord(
                f"the columns must be the layers ({len(columns)} of them), or one of lists of a fixed size; "
                + (f"missing: {', '.join(missing[:5])}" if missing else f"there are {table.num_columns}")
            )
        found = [_numbers(table.column(name), name) for name in columns]
    except InvalidRecord:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InvalidRecord(f"not an Arrow stream: {error}") from error
    matrix = np.empty((table.num_rows, len(columns)), np.result_type(*found))
    for index, values in enumerate(found):
        matrix[:, index] = values
    return matrix


def _open(data: bytes) -> Any:
    import pyarrow as pa

    stream = memoryview(data)
    if data[:6] == b"ARROW1":
        stream = stream[8:]  # a file is a stream after its magic, with an index behind it
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(stream))
    for message in iter(lambda: _next(messages), None):
        if message.type == "dictionary":
            raise InvalidRecord("the columns must hold whole numbers, not references to a dictionary")
        if message.type == "record batch" and _is_compressed(message.metadata):
            raise InvalidRecord("the buffers are compressed; send them as they are, or the whole body with gzip")
    return pa.ipc.open_stream(pa.py_buffer(stream)).read_all()


def _next(messages: Any) -> Any:
    try:
        return messages.read_next_message()
    except StopIteration:
        return None


def _is_compressed(metadata: Any) -> bool:
    """Whether a record batch says how its buffers are compressed, in the fourth field of its table.

    pyarrow does not tell, so the flatbuffer of the message is read here: Message.fbs of the Arrow format.
    """
    view = memoryview(metadata)

    def field(table: int, number: int) -> int:
        """Where a field of a table is, from the table on; 0 where it is left out."""
        layout = table - struct.unpack_from("<i", view, table)[0]
        place, size = 4 + 2 * number, struct.unpack_from("<H", view, layout)[0]
        return int(struct.unpack_from("<H", view, layout + place)[0]) if place < size else 0

    try:
        message = struct.unpack_from("<I", view)[0]
        header = message + field(message, 2)
        return field(header + struct.unpack_from("<I", view, header)[0], 3) != 0
    except struct.error:
        raise InvalidRecord("not an Arrow stream: a message is cut off") from None


def _from_lists(column: Any) -> NDArray[np.integer]:
    parts = []
    for chunk in column.chunks:
        if chunk.null_count:
            raise InvalidRecord("a row is missing")
        parts.append(_numbers(chunk.flatten(), "choices").reshape(len(chunk), column.type.list_size))
    return np.concatenate(parts) if parts else np.empty((0, column.type.list_size), np.int64)


def _numbers(column: Any, name: str) -> NDArray[np.integer]:
    import pyarrow as pa

    if not pa.types.is_integer(column.type):
        raise InvalidRecord(f"column {name!r} holds {column.type}, not whole numbers")
    if column.null_count:
        raise InvalidRecord(f"column {name!r} has missing values")
    values: NDArray[np.integer] = np.asarray(column.to_numpy(zero_copy_only=False) if _is_array(column) else column)
    return values


def _is_array(column: Any) -> bool:
    import pyarrow as pa

    return isinstance(column, pa.Array)
