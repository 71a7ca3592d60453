"""Tables written batch by batch, as Parquet or CSV: there in full or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from cardionets_core.weights.atomic import atomic_file


@contextmanager
def whole_table(out: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Open a table that takes its place when the block ends well.

    Args:
        out: Where to; a name that ends in ``.csv`` makes a CSV, any other a Parquet file.
        schema: Its columns.

    Yields:
        A function that appends rows.

    Raises:
        WeightsError: If the disk is full or the folder cannot be written; ``out`` is unchanged.
    """
    open_writer = pc.CSVWriter if out.suffix.lower() == ".csv" else pq.ParquetWriter
    with atomic_file(out) as file, open_writer(file, schema) as writer:
        yield writer.write_table
