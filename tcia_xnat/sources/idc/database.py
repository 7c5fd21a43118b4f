"""Questions in SQL to tables that nobody can change: DuckDB, straight on parquet files, every other file locked."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from tcia_xnat import web
from tcia_xnat.core.errors import Error, Stopped, UsageError
from tcia_xnat.sources.idc.questions import Answer, Query

_HINT = "query.py schema lists tables and columns"
_MEMORY = "2GB"  # a question that needs more is answered with an error; without a folder nothing goes to disk
_NOT_ASKED = "LINE "  # where DuckDB starts to show the place in the question


class Database:
    """Tables to ask; what is asked reads nothing else, writes nothing, and cannot change that.

    Parameters
    ----------
    tables
        Name → parquet file, which is read where it lies.
    writable
        The one file that `save` may write.
    rows
        Name → column → DuckDB type, and rows for it: tables that are no file.

    Raises
    ------
    UsageError
        A file is no parquet.
    """

    def __init__(
        self,
        tables: Mapping[str, Path],
        writable: Path | None = None,
        rows: Mapping[str, tuple[Mapping[str, str], Sequence[Mapping[str, Any]]]] | None = None,
    ) -> None:
        self._connection = duckdb.connect()
        for name, path in tables.items():
            self._view(name, path)
        for name, (columns, given) in (rows or {}).items():
            self._table(name, columns, given)
        # DuckDB lets questions read its temporary folder, .tmp where the user stands: there must be none
        self._run("SET temp_directory = ''")
        self._run(f"SET memory_limit = '{_MEMORY}'")
        allowed = [str(path) for path in (*tables.values(), writable) if path]
        self._run(f"SET allowed_paths = {_list(allowed)}")
        for setting in ("enable_external_access", "python_enable_replacements"):
            self._run(f"SET {setting} = false")
        self._run("SET lock_configuration = true")

    def ask(self, query: Query) -> Answer:
        """Return all rows of an answer; any thread may ask.

        Raises
        ------
        UsageError
            The question cannot be answered.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query.text, list(query.values))
                columns = tuple(str(column[0]) for column in cursor.description or ())
                return Answer(columns, cursor.fetchall())
        except (duckdb.Error, RuntimeError) as error:
            raise _mistake(error) from error

    def stream(self, query: Query) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of an answer one by one: all at once would be a second copy of what is made of them.

        Raises
        ------
        UsageError
        """
        try:
            with self._connection.cursor() as cursor:
                yield from iter(cursor.execute(query.text, list(query.values)).fetchone, None)
        except (duckdb.Error, RuntimeError) as error:
            raise _mistake(error) from error

    def asked_by_user(self, text: str) -> Query:
        """Return the one SELECT that a user wrote, proved to be one.

        Raises
        ------
        UsageError
            It is no SQL, is no SELECT, or asks for what is not there.
        """
        try:
            text = _without_end(text)
            statements = self._connection.extract_statements(text)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise UsageError("one SELECT is wanted, and nothing else", _HINT)
            self._connection.sql(statements[0]).create_view("asked_by_user", replace=True)
        except (duckdb.Error, RuntimeError) as error:
            raise _mistake(error) from error
        return Query("SELECT * FROM asked_by_user")

    def save(self, query: Query, path: Path, options: str) -> None:
        """Write an answer into the writable file, in DuckDB's COPY format `options`.

        Raises
        ------
        UsageError
        """
        try:
            with self._connection.cursor() as cursor:
                text = f"COPY ({query.text}\n) TO {_quoted(str(path))} ({options}, USE_TMP_FILE false)"
                cursor.execute(text, list(query.values))
        except (duckdb.Error, RuntimeError) as error:
            raise _mistake(error) from error

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    def _run(self, text: str) -> None:
        self._connection.execute(text)

    def _view(self, name: str, path: Path) -> None:
        try:
            self._run(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({_quoted(str(path))})")  # noqa: S608  quoted
        except duckdb.Error as error:
            raise UsageError(f"the index {path.name} cannot be read: {web.shown(str(error))}") from error

    def _table(self, name: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        import pandas as pd  # noqa: PLC0415  0.25 s that tables in files need not wait

        frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
        named = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        self._run(f"CREATE TABLE {name} ({named})")
        self._connection.register("given", frame)
        self._run(f"INSERT INTO {name} SELECT * FROM given")  # noqa: S608  names of ours
        self._connection.unregister("given")


def _without_end(text: str) -> str:
    """Return a text up to its last semicolon, when only blanks and comments follow."""
    tokens = [place for place, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    content = text.encode()  # places are counted in bytes
    last = tokens[-1] if tokens else len(content)
    return content[:last].decode() if content[last : last + 1] == b";" else text


def _mistake(error: Exception) -> Error:
    """Say in one line what DuckDB says in several, its advice as the hint; Ctrl-C is a RuntimeError of its own."""
    if isinstance(error, duckdb.InterruptException) or "interrupted" in str(error).lower():
        return Stopped()
    lines = [line.strip() for line in str(error).split(_NOT_ASKED)[0].splitlines() if line.strip()]
    first, *advice = lines or [type(error).__name__]
    return UsageError(f"SQL: {web.shown(first)}", web.shown("; ".join([*advice, _HINT])))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
