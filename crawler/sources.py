"""seeds/*.yaml -> Source: what a publication is, as data. A broken seed is a SeedError that names file and key.

`python -m crawler.sources [DIR]` checks every seed and exits with 1 when one is broken.

2026-11: design.md's example keeps "Support the Herald received ..., a study says" under `starts_with: Support the Herald`.
So `starts_with` and `contains`, which leave the rest of a block open, spare a block that attributes what it says
to somebody; `equals` and `regex` are taken at their word.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from pydantic import field_validator, model_validator
from typing_extensions import Self

from crawler.errors import ConfigurationError, SeedError, UnknownSource
from crawler.languages import language_tag
