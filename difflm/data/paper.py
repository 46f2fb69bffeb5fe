"""The five tables of the DiffLM paper with its splits, from DIFFLM_DATA or from their home pages.

The checksum is over the parsed cells, so that it holds for either source. Splits are those of
bytedance/DiffLM data/prepare_tabular_data.py: sklearn's train_test_split with random_state 42.
"""

from __future__ import annotations

import hashlib
import io
import os
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from difflm.disk import cache_folder, make_folder, write_atomic
from difflm.errors import DataError

MAX_DOWNLOAD = 64 * 1024**2
_HOME = "https://archive.ics.uci.edu/static/public/"
_ELSEWHERE = "set DIFFLM_DATA to a folder that has paper/ in it, or choose another table"


@dataclass(frozen=True)
class PaperTable:
    """One table: where it is, what its columns are, and the sha256 of its cells."""

    url: str
    members: tuple[str, ...]
    """Files in the downloaded zip, in row order; empty where the download is the table itself."""
    columns: str
    categorical: str
    target: str
    sha256: str
    header: bool = True
    ids: tuple[str, ...] = ()
    log_scored: bool = False
    """Whether publications score what predicts the target on log(clip(y, 1, 20000))."""


PAPER = {
    "adult": PaperTable(
        url=_HOME + "2/adult.zip",
        members=("adult.data", "adult.test"),
        columns="age workclass fnlwgt education education.num marital.status occupation relationship race sex "
        "capital.gain capital.loss hours.per.week native.country income",
        categorical="workclass education marital.status occupation relationship race sex native.country income",
        target="income",
        sha256="2e8ed6af378260ccbc03d66b655b2d0fb31d55032475ecf60c8a860ce742d7a8",
        header=False,
    ),
    "default": PaperTable(
        url=_HOME + "350/data.csv",
        members=(),
        columns="LIMIT_BAL SEX EDUCATION MARRIAGE AGE PAY_0 PAY_2 PAY_3 PAY_4 PAY_5 PAY_6 BILL_AMT1 BILL_AMT2 "
        "BILL_AMT3 BILL_AMT4 BILL_AMT5 BILL_AMT6 PAY_AMT1 PAY_AMT2 PAY_AMT3 PAY_AMT4 PAY_AMT5 PAY_AMT6 "
        "default~payment~next~month",
        categorical="SEX EDUCATION MARRIAGE PAY_0 PAY_2 PAY_3 PAY_4 PAY_5 PAY_6 default~payment~next~month",
        target="default~payment~next~month",
        sha256="eeaaa5addd59a2c56e82cbfca996f37ad98714c0237f1a3cbc8d7e973102966d",
        ids=("ID",),
    ),
    "magic": PaperTable(
        url=_HOME + "159/magic+gamma+telescope.zip",
        members=("magic04.data",),
        columns="fLength fWidth fSize fConc fConc1 fAsym fM3Long fM3Trans fAlpha fDist class",
        categorical="class",
        target="class",
        sha256="0d762a483f7a616d9d773c6b2f9bb487505bf852dc2c48df8773f63600ece94a",
        header=False,
    ),
    "shoppers": PaperTable(
        url=_HOME + "468/online+shoppers+purchasing+intention+dataset.zip",
        members=("online_shoppers_intention.csv",),
        columns="Administrative Administrative_Duration Informational Informational_Duration ProductRelated "
        "ProductRelated_Duration BounceRates ExitRates PageValues SpecialDay Month OperatingSystems Browser "
        "Region TrafficType VisitorType Weekend Revenue",
        categorical="Month OperatingSystems Browser Region TrafficType VisitorType",
        target="Revenue",
        sha256="170b9d87aa8a31e288aa8f1850ebb539cb56755a0fe16220165ad97da2aa6d3b",
    ),
    "beijing": PaperTable(
        url=_HOME + "381/beijing+pm2+5+data.zip",
        members=("PRSA_data_2010.1.1-2014.12.31.csv",),
        columns="year month day hour pm2.5 DEWP TEMP PRES cbwd Iws Is Ir",
        categorical="year month day hour cbwd",
        target="pm2.5",
        sha256="903abba228175be3ea30b9db9fb6c53c7d796f7171ff6b28fe5f9f51eec8c65a",
        ids=("No",),
        log_scored=True,
    ),
}


def columns_of(listed: str) -> list[str]:
    """Column names of a list in `PAPER`, where ~ stands for a space."""
    return [column.replace("~", " ") for column in listed.split()]


def paper_frames(name: str) -> dict[str, pd.DataFrame]:
    """Train, validation and test rows of a paper table."""
    folder = os.environ.get("DIFFLM_DATA")
    local = Path(folder) / "paper" / name if folder else None
    if local is not None and (local / "train.parquet").exists():
        parts = {"train": "train", "validation": "val", "test": "test"}
        return {part: pd.read_parquet(local / f"{file}.parquet") for part, file in parts.items()}
    return paper_split(name, _cached(name))


def paper_split(name: str, frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The paper's split of the whole table in its source's row order."""
    from sklearn.model_selection import train_test_split

    if name == "adult":
        learn, test = frame.iloc[:32561], frame.iloc[32561:]
        train, validation = train_test_split(learn, test_size=0.1, random_state=42)
    else:
        train, rest = train_test_split(frame, test_size=0.2, random_state=42)
        validation, test = train_test_split(rest, test_size=0.5, random_state=42)
    made = {"train": train, "validation": validation, "test": test}
    return {part: rows.reset_index(drop=True) for part, rows in made.items()}


def checksum(frame: pd.DataFrame) -> str:
    """sha256 of the cells as CSV."""
    return hashlib.sha256(frame.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def parse(name: str, data: bytes) -> pd.DataFrame:
    """The whole table from the bytes of its home page's file; DataError where the checksum differs."""
    table = PAPER[name]
    columns = columns_of(table.columns)
    try:
        files = [data]
        if table.members:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                files = [archive.read(member) for member in table.members]
        read = [_rows(file, table, columns) for file in files]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(
            f"the table {name} at {table.url}", f"{type(error).__name__}: {error}", _ELSEWHERE
        ) from error
    frame = pd.concat(read, ignore_index=True)
    if name == "adult":
        frame["income"] = frame["income"].str.rstrip(".")
    if checksum(frame) != table.sha256:
        raise DataError(
            f"the table {name} as it was published", "other cells (the checksum differs)", _ELSEWHERE
        )
    return frame


def _rows(file: bytes, table: PaperTable, columns: list[str]) -> pd.DataFrame:
    text = io.StringIO(file.decode("utf-8-sig"))
    lines = io.StringIO("".join(line for line in text if line.strip() and not line.startswith("|")))
    frame = pd.read_csv(
        lines,
        header=0 if table.header else None,
        skipinitialspace=True,
        keep_default_na=False,
        na_values={"pm2.5": ["NA", ""]},
    )
    frame = frame.drop(columns=[name for name in table.ids if name in frame.columns])
    frame.columns = pd.Index(columns)
    return frame


def _cached(name: str) -> pd.DataFrame:
    """The whole table from the user's cache, downloaded on first use."""
    path = cache_folder() / f"{name}.parquet"
    if path.exists():
        frame = pd.read_parquet(path)
        if checksum(frame) == PAPER[name].sha256:
            return frame
    frame = parse(name, _download(name))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    make_folder(path.parent)
    write_atomic(path, buffer.getvalue())
    return frame


def _download(name: str) -> bytes:
    url = PAPER[name].url
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            data: bytes = answer.read(MAX_DOWNLOAD + 1)
    except (urllib.error.URLError, OSError) as error:
        raise DataError(f"a connection to {url}", str(getattr(error, "reason", error)), _ELSEWHERE) from error
    if len(data) > MAX_DOWNLOAD:
        raise DataError(f"at most {MAX_DOWNLOAD // 1024**2} MB from {url}", "more", _ELSEWHERE)
    return data
