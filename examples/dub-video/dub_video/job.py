"""The job as dubhook hands it over, checked before any work is done."""

import json
import re
from dataclasses import dataclass
from typing import Optional

from dub_video.failure import Failure

# BCP 47 in the loose form that is enough here: a language of two or three letters and subtags after hyphens.
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*\Z")


@dataclass(frozen=True)
class Job:
    id: str
    video_url: str
    target_language: str
    source_language: Optional[str] = None

    @property
    def file_stem(self) -> str:
        """`JOBID.es`: the id with nothing in it that could leave the output folder or hide the file."""
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", self.id).lstrip(".")[:100] or "_"
        return f"{safe}.{primary_subtag(self.target_language)}"


def primary_subtag(tag: str) -> str:
    """`pt-BR` -> `pt`."""
    return tag.split("-")[0].lower()


def read_job(text: str) -> Job:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise Failure(f"The job on standard input is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise Failure("The job on standard input is not a JSON object.")
    for name in ("id", "video_url", "target_language"):
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            raise Failure(f"The job has no {name}.")
    source = fields.get("source_language")
    if source is not None and not isinstance(source, str):
        raise Failure("The job's source_language is not a text.")
    for tag in filter(None, (fields["target_language"], source)):
        if not LANGUAGE_TAG.match(tag):
            raise Failure(f"{tag!r} is not a language tag such as es or pt-BR.")
    return Job(fields["id"], fields["video_url"].strip(), fields["target_language"], source or None)
