"""A store that writes JSON files: one per origin worker, one record a line.

Nothing is overwritten until its successor is complete and on the disk. Files are readable by their owner only.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from cloudmarker._filenames import PARTIAL, file_stem
from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.records import encode

Format = Literal["json", "jsonl", "jsonl.gz"]

_BUFFER_BYTES = 64 * 1024
_WRITE_OUT_BYTES = 8 * 1024 * 1024
"""After so many bytes the system is told to begin to write them to the disk: less is left to wait for at the end."""
_NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


class FileStore:
    """Write records to files in one directory.

    Records of the origin worker ``<audit>_<plugin>`` go to ``<audit>_<plugin>.json``, a JSON array with one record a
    line, or to a file in another *format*. While it is written it is ``<audit>_<plugin>.tmp``; :meth:`done` renames it
    once all of it is on the disk. If the stream was incomplete, the last complete file stays as it is and the new one
    is ``<audit>_<plugin>.partial.json``.

    Args:
        path: Directory to write to; ``~`` is expanded. Made, private to its owner, if it is not there.
        format: What the files are. `json` is a JSON array; `jsonl` is JSON Lines, one record a line and nothing else;
            `jsonl.gz` is that, compressed with gzip. It is also what the names of the files end in;
            files in another format are left alone.
    """

    spool = False  # the last complete file is kept instead, which a replay of the missing part could not complete

    def __init__(
        self,
        path: str = "/tmp/cloudmarker",  # noqa: S108  documented; see _open_directory
        format: Format = "json",
    ) -> None:
        if format not in get_args(Format):
            raise ConfigError(f"format: must be one of {', '.join(get_args(Format))}, not {format}")
        self._path = Path(path).expanduser()
        self._format = format
        self._directory: int | None = None
        self._files: dict[str, _File] = {}
        self._outputs: list[str] = []

    def begin(self, run: StoreRun) -> None:
        """Make the files of all origins, so that one that yields nothing leaves an empty file, not an old one."""
        for origin in run.origins:
            self._file(origin)

    def write(self, record: Record) -> None:
        """Append *record* to the file of its ``com.origin_worker``.

        Raises:
            RecordError: the record is not JSON.
            PluginError: the file cannot be written.
        """
        line = encode(record)
        self._file(str(record.get("com", {}).get("origin_worker", "no_worker"))).append(line)

    def write_batch(self, batch: Batch) -> None:
        """Append the records of *batch* as they are.

        Raises:
            PluginError: the file cannot be written.
        """
        self._file(batch.origin_worker).append(batch.data)

    def done(self) -> None:
        """Finish every file and put it in the place of its predecessor."""
        self._finish(Incomplete({}))

    def abort(self, reason: Incomplete) -> None:
        """Finish every file; those whose stream is incomplete leave their predecessor alone."""
        self._finish(reason)

    def outputs(self) -> Iterable[str]:
        """Return the paths of the files written."""
        return sorted(self._outputs)

    def _finish(self, reason: Incomplete) -> None:
        failures: list[str] = []
        for origin, file in self._files.items():
            try:
                name = file.finish(complete=origin not in reason.origins)
            except PluginError as exc:
                failures.append(str(exc))
            else:
                self._outputs.append(str(self._path / name))
        self._files.clear()
        if self._directory is not None:
            with contextlib.suppress(OSError):  # some file systems cannot sync a directory; the files themselves are
                os.fsync(self._directory)
            os.close(self._directory)
            self._directory = None
        if failures:
            raise PluginError("; ".join(failures))

    def _file(self, origin: str) -> _File:
        file = self._files.get(origin)
        if file is None:
            if self._directory is None:
                self._directory = _open_directory(self._path)
            file = self._files[origin] = _File(self._directory, self._path, file_stem(origin), self._format)
        return file


def _open_directory(path: Path) -> int:
    """Open the directory, making it if need be, unless someone else may have put it or a link in its place."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        link = path.lstat()
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, os.geteuid()):
            raise PluginError(f"{path}: is a link that another user made; remove it or choose another path")
        follow = 0 if stat.S_ISLNK(link.st_mode) else os.O_NOFOLLOW  # a link may have come since
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | follow)
    except OSError as exc:
        raise PluginError(f"{path}: {exc.strerror or exc}") from exc
    info = os.fstat(directory)
    if info.st_uid not in (0, os.geteuid()) and info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) == 0:
        os.close(directory)
        raise PluginError(f"{path}: belongs to another user; choose another path")
    if info.st_mode & stat.S_IWOTH and not info.st_mode & stat.S_ISVTX and info.st_uid not in (0, os.geteuid()):
        os.close(directory)
        raise PluginError(f"{path}: belongs to another user and is writable by all; choose another path")
    return directory


class _File:
    """One file under way: ``<stem>.tmp``, locked against other writers."""

    def __init__(self, directory: int, path: Path, stem: str, form: Format) -> None:
        self._directory = directory
        self._path = path
        self._stem = stem
        self._format = form
        array = form == "json"
        self._before, self._between, self._after = (b"[\n", b",\n", b"]\n") if array else (b"", b"\n", b"")
        self._tmp = f"{stem}.tmp"
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._size = 0
        self._written_out = 0
        self._empty = True
        self._broken: PluginError | None = None
        self._fd = self._create()
        self._write(self._before)

    def append(self, lines: bytes) -> None:
        """Append records, one a line."""
        if self._broken is not None:
            raise self._broken
        if self._empty:
            self._empty = False
        else:
            self._buffer.append(self._between)
        if self._between != b"\n":
            lines = lines.replace(b"\n", self._between)
        self._buffer.append(lines)
        self._buffered += len(lines)
        if self._buffered >= _BUFFER_BYTES:
            self._flush()

    def finish(self, *, complete: bool) -> str:
        """End the array, bring it to the disk, and give it its name, which is returned."""
        try:
            with contextlib.suppress(PluginError):  # what was written before the failure is kept as a partial file
                self._flush()
            self._write(self._after if self._empty else b"\n" + self._after)
            os.fsync(self._fd)
            mine, there = os.fstat(self._fd), os.stat(self._tmp, dir_fd=self._directory, follow_symlinks=False)
            if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
                raise PluginError(f"{self._path / self._tmp}: was replaced while it was being written")
            partial, final = f"{self._stem}{PARTIAL}.{self._format}", f"{self._stem}.{self._format}"
            name = final if complete and self._broken is None else partial
            os.rename(self._tmp, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            if name == final:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=self._directory)
        except OSError as exc:
            raise PluginError(f"{self._path / self._tmp}: {exc.strerror or exc}") from exc
        finally:
            os.close(self._fd)
        if self._broken is not None:
            raise self._broken
        return name

    def _create(self) -> int:
        """Make the .tmp file anew, never through a link, and lock it; a leftover of a dead run is removed."""
        try:
            with contextlib.suppress(FileNotFoundError):
                self._remove_leftover()
            fd = os.open(self._tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600, dir_fd=self._directory)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise PluginError(f"{self._path / self._tmp}: {exc.strerror or exc}") from exc
        return fd

    def _remove_leftover(self) -> None:
        info = os.stat(self._tmp, dir_fd=self._directory, follow_symlinks=False)
        if stat.S_ISREG(info.st_mode):
            fd = os.open(self._tmp, os.O_RDONLY | os.O_NONBLOCK | _NO_FOLLOW, dir_fd=self._directory)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PluginError(f"{self._path / self._tmp}: another run is writing it; wait for that one") from None
            finally:
                os.close(fd)
        os.unlink(self._tmp, dir_fd=self._directory)

    def _flush(self) -> None:
        data = b"".join(self._buffer)
        self._buffer, self._buffered = [], 0
        self._write(data)

    def _write(self, data: bytes) -> None:
        """Write all of *data* or nothing of it."""
        if self._format == "jsonl.gz":
            # A gzip file of its own each time: however the run ends, what has been written can be read.
            data = gzip.compress(data, compresslevel=6, mtime=0)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as exc:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
                os.lseek(self._fd, self._size, os.SEEK_SET)
            self._broken = PluginError(f"{self._path / self._tmp}: {exc.strerror or exc}")
            raise self._broken from exc
        self._size += len(data)
        if self._size - self._written_out >= _WRITE_OUT_BYTES and hasattr(os, "posix_fadvise"):
            # For pages not on the disk yet, Linux takes this as a word to bring them there, and does not wait.
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._fd, self._written_out, self._size - self._written_out, os.POSIX_FADV_DONTNEED)
            self._written_out = self._size
